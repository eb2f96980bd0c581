using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace OT.Numerics;

/// <summary>Sums whose error does not grow with the length: compensated, in a fixed order.</summary>
internal static class Summation
{
    /// <summary>Neumaier's compensated sum; error about one unit in the last place of the result plus u² times the absolute sum.</summary>
    public static double Sum(ReadOnlySpan<double> values)
    {
        var sum = new CompensatedLanes();
        sum.Add(values);
        return sum.Value;
    }

    /// <summary>Compensated <c>Σ x_i y_i</c>; terms with a zero weight in <paramref name="weights"/> are skipped, whatever the other factor.</summary>
    public static double Dot(ReadOnlySpan<double> weights, ReadOnlySpan<double> values)
    {
        var sum = new CompensatedLanes();
        sum.AddProducts(weights, values);
        return sum.Value;
    }

    /// <summary>Compensated L1 distance.</summary>
    public static double L1Distance(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        var sum = new Compensated();
        for (int i = 0; i < x.Length; i++)
            sum.Add(Math.Abs(x[i] - y[i]));
        return sum.Value;
    }
}

/// <summary>A running compensated sum (Neumaier 1974).</summary>
internal struct Compensated
{
    double _sum;
    double _correction;

    public readonly double Value => double.IsFinite(_sum) ? _sum + _correction : _sum;

    public void Add(double value)
    {
        // Knuth's sum of two numbers: the same bits as with a comparison, and no branch to guess.
        double total = _sum + value;
        double part = total - _sum;
        _correction += (_sum - (total - part)) + (value - part);
        _sum = total;
    }
}

/// <summary>Eight running compensated sums side by side, joined in a fixed order: the same bits for any register width.</summary>
/// <remarks>The i-th term of every span goes to lane i mod 8, but for the last few: spans that are cut at multiples of 8 give the sum of the whole.</remarks>
internal struct CompensatedLanes
{
    const int Lanes = 8;

    Vector256<double> _low;
    Vector256<double> _lowCorrection;
    Vector256<double> _high;
    Vector256<double> _highCorrection;
    Compensated _rest;

    public readonly double Value
    {
        get
        {
            Compensated total = _rest;
            for (int lane = 0; lane < Lanes / 2; lane++)
            {
                total.Add(_low[lane]);
                total.Add(_high[lane]);
            }
            // Corrections that met infinities are NaN; the sum tells which infinity it is.
            double correction = Vector256.Sum(_lowCorrection) + Vector256.Sum(_highCorrection);
            if (double.IsFinite(correction))
                total.Add(correction);
            return total.Value;
        }
    }

    public void Add(ReadOnlySpan<double> values)
    {
        while (values.Length >= Lanes)
        {
            Add(Vector256.Create(values), ref _low, ref _lowCorrection);
            Add(Vector256.Create(values[(Lanes / 2)..]), ref _high, ref _highCorrection);
            values = values[Lanes..];
        }
        foreach (double value in values)
            _rest.Add(value);
    }

    /// <summary>Adds <c>x_i y_i</c> where x_i is not 0.</summary>
    public void AddProducts(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        while (x.Length >= Lanes)
        {
            Add(Product(x, y), ref _low, ref _lowCorrection);
            Add(Product(x[(Lanes / 2)..], y[(Lanes / 2)..]), ref _high, ref _highCorrection);
            x = x[Lanes..];
            y = y[Lanes..];
        }
        for (int i = 0; i < x.Length; i++)
        {
            if (x[i] != 0)
                _rest.Add(x[i] * y[i]);
        }
    }

    static Vector256<double> Product(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Vector256<double> factor = Vector256.Create(x);
        return Vector256.ConditionalSelect(Vector256.Equals(factor, default), factor, factor * Vector256.Create(y));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Add(Vector256<double> value, ref Vector256<double> sum, ref Vector256<double> correction)
    {
        Vector256<double> total = sum + value;
        Vector256<double> part = total - sum;
        correction += (sum - (total - part)) + (value - part);
        sum = total;
    }
}
