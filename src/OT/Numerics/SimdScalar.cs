using System.Numerics;
using System.Runtime.CompilerServices;

namespace OT.Numerics;

/// <summary>One element at a time: the oracle of the wider forms, and the code of processors without vectors.</summary>
internal readonly struct SimdScalar<T> : ISimd<T, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public static int Count => 1;

    public static T Zero => T.Zero;

    public static T Fill(T value) => value;

    public static T Load(ref T source, nint offset) => Unsafe.Add(ref source, offset);

    public static T LoadSingle(ref float source, nint offset) => T.CreateTruncating(Unsafe.Add(ref source, offset));

    public static void Store(T vector, ref T destination, nint offset) => Unsafe.Add(ref destination, offset) = vector;

    public static T Add(T x, T y) => x + y;

    public static T Multiply(T x, T y) => x * y;

    public static T MultiplyAdd(T x, T y, T z) => T.FusedMultiplyAdd(x, y, z);

    public static T Max(T x, T y) => T.Max(x, y);

    // Not T.Exp2, which goes through a general power and is slower.
    public static T Exp2(T x) => T.CreateTruncating(Math.Pow(2, double.CreateTruncating(x)));

    public static T Sum(T x) => x;

    public static T MaxAcross(T x) => x;
}
