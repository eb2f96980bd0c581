using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace OT.Results;

/// <summary>
/// Compensated sums and products at vector speed, the same bits on every machine: eight fixed lanes, each with its own correction.
/// Relative error of a sum of nonnegative terms: at most 4 units of rounding.
/// </summary>
internal static class AccurateSum
{
    /// <summary><c>Σ x_i</c>.</summary>
    public static double Of(ReadOnlySpan<double> x) => Run<Identity>(x, x);

    /// <summary><c>Σ x_i y_i</c>; each product is rounded once.</summary>
    public static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y) => Run<Product>(x, y);

    /// <summary>Adds <paramref name="terms"/> into a compensated vector <c>sums + corrections</c>.</summary>
    public static void Fold(ReadOnlySpan<double> terms, Span<double> sums, Span<double> corrections)
    {
        int k = 0;
        for (; k <= terms.Length - 4; k += 4)
        {
            Vector256<double> sum = Vector256.Create<double>(sums[k..]);
            Vector256<double> correction = Vector256.Create<double>(corrections[k..]);
            Add(Vector256.Create(terms[k..]), ref sum, ref correction);
            sum.CopyTo(sums[k..]);
            correction.CopyTo(corrections[k..]);
        }
        for (; k < terms.Length; k++)
            Add(terms[k], ref sums[k], ref corrections[k]);
    }

    static double Run<TTerm>(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        where TTerm : struct, ITerm
    {
        ref double x0 = ref MemoryMarshal.GetReference(x);
        ref double y0 = ref MemoryMarshal.GetReference(y);
        Vector256<double> low = default,
            high = default,
            lowCorrection = default,
            highCorrection = default;
        int k = 0;
        for (; k <= x.Length - 8; k += 8)
        {
            Add(TTerm.At(ref x0, ref y0, k), ref low, ref lowCorrection);
            Add(TTerm.At(ref x0, ref y0, k + 4), ref high, ref highCorrection);
        }
        double sum = 0,
            correction = 0;
        for (; k < x.Length; k++)
            Add(TTerm.Scalar(x[k], y[k]), ref sum, ref correction);
        for (int lane = 0; lane < 4; lane++)
        {
            Add(low[lane], ref sum, ref correction);
            Add(high[lane], ref sum, ref correction);
        }
        double total = sum + (correction + Vector256.Sum(lowCorrection) + Vector256.Sum(highCorrection));
        return double.IsNaN(total) ? Plain<TTerm>(x, y) : total;
    }

    /// <summary>Where the corrections met infinities, the plain sum tells which infinity it is.</summary>
    static double Plain<TTerm>(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        where TTerm : struct, ITerm
    {
        double sum = 0;
        for (int k = 0; k < x.Length; k++)
            sum += TTerm.Scalar(x[k], y[k]);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Add(Vector256<double> term, ref Vector256<double> sum, ref Vector256<double> correction)
    {
        Vector256<double> total = sum + term;
        Vector256<double> part = total - sum;
        correction += (sum - (total - part)) + (term - part);
        sum = total;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Add(double term, ref double sum, ref double correction)
    {
        double total = sum + term;
        double part = total - sum;
        correction += (sum - (total - part)) + (term - part);
        sum = total;
    }

    interface ITerm
    {
        static abstract Vector256<double> At(ref double x, ref double y, int k);
        static abstract double Scalar(double x, double y);
    }

    readonly struct Identity : ITerm
    {
        public static Vector256<double> At(ref double x, ref double y, int k) => Vector256.LoadUnsafe(ref x, (nuint)k);

        public static double Scalar(double x, double y) => x;
    }

    readonly struct Product : ITerm
    {
        public static Vector256<double> At(ref double x, ref double y, int k) =>
            Vector256.LoadUnsafe(ref x, (nuint)k) * Vector256.LoadUnsafe(ref y, (nuint)k);

        public static double Scalar(double x, double y) => x * y;
    }
}
