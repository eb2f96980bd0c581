namespace OT.Numerics;

/// <summary>Sums whose error does not grow with the length: compensated, in a fixed order.</summary>
internal static class Summation
{
    /// <summary>Neumaier's compensated sum; error about one unit in the last place of the result plus u² times the absolute sum.</summary>
    public static double Sum(ReadOnlySpan<double> values)
    {
        var sum = new Compensated();
        foreach (double value in values)
            sum.Add(value);
        return sum.Value;
    }

    /// <summary>Compensated <c>Σ x_i y_i</c>; terms with a zero weight in <paramref name="weights"/> are skipped, whatever the other factor.</summary>
    public static double Dot(ReadOnlySpan<double> weights, ReadOnlySpan<double> values)
    {
        var sum = new Compensated();
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] != 0)
                sum.Add(weights[i] * values[i]);
        }
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
        double total = _sum + value;
        _correction += Math.Abs(_sum) >= Math.Abs(value) ? (_sum - total) + value : (value - total) + _sum;
        _sum = total;
    }
}
