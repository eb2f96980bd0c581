using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace OT.Numerics;

/// <summary>256-bit registers, in the runtime's portable vector operations.</summary>
internal readonly struct Simd256<T> : ISimd<Vector256<T>, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256<T>.Count;
    }

    public static Vector256<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256<T>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Fill(T value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Load(ref T source, nint offset) => Vector256.LoadUnsafe(ref Unsafe.Add(ref source, offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> LoadSingle(ref float source, nint offset)
    {
        ref float at = ref Unsafe.Add(ref source, offset);
        if (typeof(T) == typeof(float))
            return Vector256.LoadUnsafe(ref at).As<float, T>();
        return Avx.IsSupported
            ? Avx.ConvertToVector256Double(Vector128.LoadUnsafe(ref at)).As<double, T>()
            : Vector256.WidenLower(Vector128.LoadUnsafe(ref at).ToVector256()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<T> vector, ref T destination, nint offset) =>
        vector.StoreUnsafe(ref Unsafe.Add(ref destination, offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Add(Vector256<T> x, Vector256<T> y) => x + y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Multiply(Vector256<T> x, Vector256<T> y) => x * y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> MultiplyAdd(Vector256<T> x, Vector256<T> y, Vector256<T> z) =>
        typeof(T) == typeof(double)
            ? Vector256.FusedMultiplyAdd(x.AsDouble(), y.AsDouble(), z.AsDouble()).As<double, T>()
            : Vector256.FusedMultiplyAdd(x.AsSingle(), y.AsSingle(), z.AsSingle()).As<float, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Max(Vector256<T> x, Vector256<T> y) => Vector256.MaxNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(Vector256<T> x) => Vector256.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T MaxAcross(Vector256<T> x)
    {
        T max = x[0];
        for (int k = 1; k < Vector256<T>.Count; k++)
            max = T.Max(max, x[k]);
        return max;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<T> Exp2(Vector256<T> x) =>
        typeof(T) == typeof(double) ? Exp2(x.AsDouble()).As<double, T>() : Exp2(x.AsSingle()).As<float, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<double> Exp2(Vector256<double> x)
    {
        // n = x rounded to an integer; 2^n enters through the exponent bits. Below -1022 the result is flushed to 0, from 1024 on it is +∞.
        Vector256<double> round = Vector256.Create(1.5 * (1L << 52));
        Vector256<double> inside = Vector256.Min(Vector256.Max(x, Vector256.Create(-1022.0)), Vector256.Create(1024.0));
        Vector256<double> shifted = inside + round;
        Vector256<double> r = inside - (shifted - round);
        Vector256<double> p = Vector256.Create(4.4549605981865186e-10);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(7.072585949269223e-09));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.0178062445845774e-07));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.321544258792169e-06));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(1.525273382983612e-05));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.0001540353044173605));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.0013333558146416936));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.009618129107606888));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.0555041086648216));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.24022650695910097));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.6931471805599453));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256<double>.One);
        // n = 1024 needs two steps: its half and the rest.
        Vector256<long> n = shifted.AsInt64() - round.AsInt64();
        Vector256<long> half = n >> 1;
        Vector256<long> bias = Vector256.Create(1023L);
        Vector256<double> y = p * ((half + bias) << 52).AsDouble() * ((n - half + bias) << 52).AsDouble();
        return Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(x, Vector256.Create(-1022.0)), y, Vector256<double>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> Exp2(Vector256<float> x)
    {
        // n = x rounded to an integer; 2^n enters through the exponent bits. Below -126 the result is flushed to 0, from 128 on it is +∞.
        Vector256<float> round = Vector256.Create(1.5f * (1 << 23));
        Vector256<float> inside = Vector256.Min(Vector256.Max(x, Vector256.Create(-126f)), Vector256.Create(128f));
        Vector256<float> shifted = inside + round;
        Vector256<float> r = inside - (shifted - round);
        Vector256<float> p = Vector256.Create(0.000154531629f);
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.00133908634f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.00961808256f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.0555035711f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.240226508f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(0.693147188f));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256<float>.One);
        // n = 128 needs two steps: its half and the rest.
        Vector256<int> n = shifted.AsInt32() - round.AsInt32();
        Vector256<int> half = n >> 1;
        Vector256<int> bias = Vector256.Create(127);
        Vector256<float> y = p * ((half + bias) << 23).AsSingle() * ((n - half + bias) << 23).AsSingle();
        return Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(x, Vector256.Create(-126f)), y, Vector256<float>.Zero);
    }
}
