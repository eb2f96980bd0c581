using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace OT.Numerics;

/// <summary>Register widths, and the constants of the vector 2^x.</summary>
/// <remarks>
/// With permute instructions, <c>2^x = 2^⌊n⌋ · table[frac n] · p(x − n)</c> with n = x rounded to a 16th (double) or a 32nd (float);
/// without, n is an integer and p has a higher degree. p is the Chebyshev fit of <c>1 + r q(r)</c>.
/// </remarks>
internal static class Simd
{
    /// <summary>The widest register this processor offers, in bits: 512, 256, 128, or 0 for scalar code.</summary>
    public static int Width { get; } =
        Avx512F.IsSupported && Avx512DQ.IsSupported ? 512
        : Vector256.IsHardwareAccelerated && Fma.IsSupported ? 256
        : Vector128.IsHardwareAccelerated ? 128
        : 0;

    /// <summary>The most negative exponent that kernels may meet; 2^x is 0 there, and its parts do not overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Lowest<T>()
        where T : unmanaged => typeof(T) == typeof(double) ? (T)(object)-1e30 : (T)(object)-1e7f;

    /// <summary>2^(k/16), k = 0 … 15, rounded to nearest.</summary>
    public static ReadOnlySpan<double> Sixteenths =>
        [
            1.0,
            1.0442737824274138,
            1.0905077326652577,
            1.1387886347566916,
            1.189207115002721,
            1.241857812073484,
            1.2968395546510096,
            1.3542555469368927,
            1.4142135623730951,
            1.4768261459394993,
            1.5422108254079407,
            1.6104903319492543,
            1.681792830507429,
            1.7562521603732995,
            1.8340080864093424,
            1.9152065613971474,
        ];

    /// <summary>2^(k/32), k = 0 … 31, rounded to nearest.</summary>
    public static ReadOnlySpan<float> ThirtySeconds =>
        [
            1.0f,
            1.0218972f,
            1.0442737f,
            1.0671405f,
            1.0905077f,
            1.1143868f,
            1.1387886f,
            1.1637249f,
            1.1892071f,
            1.2152474f,
            1.2418578f,
            1.269051f,
            1.2968396f,
            1.3252367f,
            1.3542556f,
            1.3839099f,
            1.4142135f,
            1.4451808f,
            1.4768262f,
            1.5091645f,
            1.5422108f,
            1.5759809f,
            1.6104903f,
            1.6457555f,
            1.6817929f,
            1.7186193f,
            1.7562522f,
            1.7947091f,
            1.8340081f,
            1.8741677f,
            1.9152066f,
            1.9571441f,
        ];
}
