using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace OT.Numerics;

/// <summary>128-bit registers, in the runtime's portable vector operations.</summary>
internal readonly struct Simd128<T> : ISimd<Vector128<T>, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128<T>.Count;
    }

    public static Vector128<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128<T>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Fill(T value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Load(ref T source, nint offset) => Vector128.LoadUnsafe(ref Unsafe.Add(ref source, offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> LoadSingle(ref float source, nint offset)
    {
        ref float at = ref Unsafe.Add(ref source, offset);
        if (typeof(T) == typeof(float))
            return Vector128.LoadUnsafe(ref at).As<float, T>();
        return Vector128.WidenLower(Vector64.LoadUnsafe(ref at).ToVector128()).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<T> vector, ref T destination, nint offset) =>
        vector.StoreUnsafe(ref Unsafe.Add(ref destination, offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Add(Vector128<T> x, Vector128<T> y) => x + y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Multiply(Vector128<T> x, Vector128<T> y) => x * y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> MultiplyAdd(Vector128<T> x, Vector128<T> y, Vector128<T> z) =>
        typeof(T) == typeof(double)
            ? Vector128.FusedMultiplyAdd(x.AsDouble(), y.AsDouble(), z.AsDouble()).As<double, T>()
            : Vector128.FusedMultiplyAdd(x.AsSingle(), y.AsSingle(), z.AsSingle()).As<float, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Max(Vector128<T> x, Vector128<T> y) => Vector128.MaxNative(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(Vector128<T> x) => Vector128.Sum(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T MaxAcross(Vector128<T> x)
    {
        T max = x[0];
        for (int k = 1; k < Vector128<T>.Count; k++)
            max = T.Max(max, x[k]);
        return max;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Exp2(Vector128<T> x) =>
        typeof(T) == typeof(double) ? Exp2(x.AsDouble()).As<double, T>() : Exp2(x.AsSingle()).As<float, T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<double> Exp2(Vector128<double> x)
    {
        // n = x rounded to an integer; 2^n enters through the exponent bits. Below -1022 the result is flushed to 0, from 1024 on it is +∞.
        Vector128<double> round = Vector128.Create(1.5 * (1L << 52));
        Vector128<double> inside = Vector128.Min(Vector128.Max(x, Vector128.Create(-1022.0)), Vector128.Create(1024.0));
        Vector128<double> shifted = inside + round;
        Vector128<double> r = inside - (shifted - round);
        Vector128<double> p = Vector128.Create(4.4549605981865186e-10);
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(7.072585949269223e-09));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(1.0178062445845774e-07));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(1.321544258792169e-06));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(1.525273382983612e-05));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.0001540353044173605));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.0013333558146416936));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.009618129107606888));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.0555041086648216));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.24022650695910097));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.6931471805599453));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128<double>.One);
        // n = 1024 needs two steps: its half and the rest.
        Vector128<long> n = shifted.AsInt64() - round.AsInt64();
        Vector128<long> half = n >> 1;
        Vector128<long> bias = Vector128.Create(1023L);
        Vector128<double> y = p * ((half + bias) << 52).AsDouble() * ((n - half + bias) << 52).AsDouble();
        return Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(x, Vector128.Create(-1022.0)), y, Vector128<double>.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> Exp2(Vector128<float> x)
    {
        // n = x rounded to an integer; 2^n enters through the exponent bits. Below -126 the result is flushed to 0, from 128 on it is +∞.
        Vector128<float> round = Vector128.Create(1.5f * (1 << 23));
        Vector128<float> inside = Vector128.Min(Vector128.Max(x, Vector128.Create(-126f)), Vector128.Create(128f));
        Vector128<float> shifted = inside + round;
        Vector128<float> r = inside - (shifted - round);
        Vector128<float> p = Vector128.Create(0.000154531629f);
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.00133908634f));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.00961808256f));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.0555035711f));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.240226508f));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128.Create(0.693147188f));
        p = Vector128.FusedMultiplyAdd(p, r, Vector128<float>.One);
        // n = 128 needs two steps: its half and the rest.
        Vector128<int> n = shifted.AsInt32() - round.AsInt32();
        Vector128<int> half = n >> 1;
        Vector128<int> bias = Vector128.Create(127);
        Vector128<float> y = p * ((half + bias) << 23).AsSingle() * ((n - half + bias) << 23).AsSingle();
        return Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(x, Vector128.Create(-126f)), y, Vector128<float>.Zero);
    }
}
