using System.Globalization;
using OT.Geometries;
using OT.Results;

namespace OT.Testing;

/// <summary>Comparisons with tolerances that are expressions of sizes, not wishes.</summary>
public static class Approx
{
    /// <summary>Half the spacing of doubles at 1: 2⁻⁵³.</summary>
    public const double Unit = 1.1102230246251565e-16;

    /// <summary>Largest finite |C|, or 1 when all are zero: the size that errors of costs and values are measured in.</summary>
    public static double CostScale(Geometry geometry)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        double largest = 0;
        for (int i = 0; i < geometry.Rows; i++)
        {
            for (int j = 0; j < geometry.Columns; j++)
            {
                double cost = Math.Abs(geometry.Cost(i, j));
                if (double.IsFinite(cost))
                    largest = Math.Max(largest, cost);
            }
        }
        return largest == 0 ? 1 : largest;
    }

    /// <summary>Refuses a difference above an absolute tolerance, and NaN; equal infinities are equal.</summary>
    public static void Equal(double expected, double actual, double tolerance, string what)
    {
        if (expected == actual)
            return;
        if (!(Math.Abs(expected - actual) <= tolerance))
            throw new LawViolatedException(
                Text(
                    $"{what}: expected {expected:R}, got {actual:R}, difference {actual - expected:E2}, tolerance {tolerance:E2}."
                )
            );
    }

    /// <summary>Refuses vectors that differ in length or, in some entry, by more than the tolerance.</summary>
    public static void Equal(ReadOnlySpan<double> expected, ReadOnlySpan<double> actual, double tolerance, string what)
    {
        if (expected.Length != actual.Length)
            throw new LawViolatedException(Text($"{what}: expected {expected.Length} values, got {actual.Length}."));
        for (int i = 0; i < expected.Length; i++)
            Equal(expected[i], actual[i], tolerance, Text($"{what}[{i}]"));
    }

    /// <summary>Refuses a value above a bound, and NaN.</summary>
    public static void AtMost(double value, double bound, string what)
    {
        if (!(value <= bound))
            throw new LawViolatedException(Text($"{what} is {value:R}: it must be at most {bound:R}."));
    }

    /// <summary>Refuses a claim that does not hold.</summary>
    public static void True(bool claim, string what)
    {
        if (!claim)
            throw new LawViolatedException(what);
    }

    /// <summary>L1 distance of two plans, by rows.</summary>
    public static double PlanDistance(TransportPlan first, TransportPlan second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        var x = new double[first.Columns];
        var y = new double[first.Columns];
        double sum = 0;
        for (int i = 0; i < first.Rows; i++)
        {
            first.Row(i, x);
            second.Row(i, y);
            for (int j = 0; j < x.Length; j++)
                sum += Math.Abs(x[j] - y[j]);
        }
        return sum;
    }

    /// <summary>Refuses potentials that differ by more than the tolerance after the best common shift <c>(f + t, g − t)</c> is taken out; zero-weight bins are left out.</summary>
    public static void EqualUpToGauge(Potentials expected, Potentials actual, Measure a, Measure b, double tolerance, string what)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(actual);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        Potentials x = expected.Centred(a, b),
            y = actual.Centred(a, b);
        for (int i = 0; i < a.Count; i++)
        {
            if (a.Weights[i] > 0)
                Equal(x.F[i], y.F[i], tolerance, Text($"{what}.F[{i}]"));
        }
        for (int j = 0; j < b.Count; j++)
        {
            if (b.Weights[j] > 0)
                Equal(x.G[j], y.G[j], tolerance, Text($"{what}.G[{j}]"));
        }
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
