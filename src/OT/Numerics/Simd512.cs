using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace OT.Numerics;

/// <summary>512-bit registers with AVX-512's table permutes and <c>vscalef</c>.</summary>
internal readonly struct Simd512<T> : ISimd<Vector512<T>, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512<T>.Count;
    }

    public static Vector512<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512<T>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Fill(T value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Load(ref T source, nint offset) => Vector512.LoadUnsafe(ref Unsafe.Add(ref source, offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> LoadSingle(ref float source, nint offset)
    {
        ref float at = ref Unsafe.Add(ref source, offset);
        if (typeof(T) == typeof(float))
            return Vector512.LoadUnsafe(ref at).As<float, T>();
        return Avx512F.ConvertToVector512Double(Vector256.LoadUnsafe(ref at)).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<T> vector, ref T destination, nint offset) =>
        vector.StoreUnsafe(ref Unsafe.Add(ref destination, offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Add(Vector512<T> x, Vector512<T> y) => x + y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Multiply(Vector512<T> x, Vector512<T> y) => x * y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> MultiplyAdd(Vector512<T> x, Vector512<T> y, Vector512<T> z) =>
        typeof(T) == typeof(double)
            ? Vector512.FusedMultiplyAdd(x.AsDouble(), y.AsDouble(), z.AsDouble()).As<double, T>()
            : Vector512.FusedMultiplyAdd(x.AsSingle(), y.AsSingle(), z.AsSingle()).As<float, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Max(Vector512<T> x, Vector512<T> y) => Vector512.MaxNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(Vector512<T> x) => Vector512.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T MaxAcross(Vector512<T> x)
    {
        T max = x[0];
        for (int k = 1; k < Vector512<T>.Count; k++)
            max = T.Max(max, x[k]);
        return max;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Exp2(Vector512<T> x) =>
        typeof(T) == typeof(double) ? Exp2(x.AsDouble()).As<double, T>() : Exp2(x.AsSingle()).As<float, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<double> Exp2(Vector512<double> x)
    {
        // Adding 1.5·2^48 rounds x to a 16th and leaves the 16ths in the low bits of the sum.
        Vector512<double> round = Vector512.Create(1.5 * (1L << 48));
        Vector512<double> shifted = x + round;
        Vector512<double> n = shifted - round;
        Vector512<double> r = x - n;
        Vector512<double> table = Avx512F.PermuteVar8x64x2(
            Vector512.LoadUnsafe(ref MemoryMarshal.GetReference(Simd.Sixteenths)),
            shifted.AsInt64(),
            Vector512.LoadUnsafe(ref MemoryMarshal.GetReference(Simd.Sixteenths), 8)
        );
        Vector512<double> p = Vector512.Create(0.00015403723980749256);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.0013333781576784268));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.009618129106919537));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.0555041086566393));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.24022650695910075));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.6931471805599457));
        return Avx512F.Scale(Vector512.FusedMultiplyAdd(table * p, r, table), n);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Exp2(Vector512<float> x)
    {
        // As above, to a 32nd: 1.5·2^18.
        Vector512<float> round = Vector512.Create(1.5f * (1 << 18));
        Vector512<float> shifted = x + round;
        Vector512<float> n = shifted - round;
        Vector512<float> r = x - n;
        Vector512<float> table = Avx512F.PermuteVar16x32x2(
            Vector512.LoadUnsafe(ref MemoryMarshal.GetReference(Simd.ThirtySeconds)),
            shifted.AsInt32(),
            Vector512.LoadUnsafe(ref MemoryMarshal.GetReference(Simd.ThirtySeconds), 16)
        );
        Vector512<float> p = Vector512.FusedMultiplyAdd(Vector512.Create(0.24022768f), r, Vector512.Create(0.69315396f));
        return Avx512F.Scale(Vector512.FusedMultiplyAdd(table * p, r, table), n);
    }
}
