using System.Globalization;
using OT.Geometries;
using OT.Numerics;

namespace OT.Testing;

/// <summary>Laws of ground costs, over points of the caller's choice.</summary>
public static class GroundCostLaws
{
    /// <summary>c is a metric on the rows of <paramref name="points"/>: c(x, x) = 0, c ≥ 0, symmetry, triangle inequality.</summary>
    public static void MetricCost(GroundCost cost, Matrix points)
    {
        ArgumentNullException.ThrowIfNull(cost);
        ArgumentNullException.ThrowIfNull(points);
        int n = points.Rows;
        double scale = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                scale = Math.Max(scale, Math.Abs(cost.Evaluate(points.Row(i), points.Row(j))));
        }
        double rounding = 64 * Approx.Unit * points.Columns * scale;
        for (int i = 0; i < n; i++)
        {
            Approx.Equal(0, cost.Evaluate(points.Row(i), points.Row(i)), rounding, Text($"c(x{i}, x{i})"));
            for (int j = 0; j < n; j++)
            {
                double there = cost.Evaluate(points.Row(i), points.Row(j));
                Approx.AtMost(0, there + rounding, Text($"0, against c(x{i}, x{j}),"));
                Approx.Equal(there, cost.Evaluate(points.Row(j), points.Row(i)), rounding, Text($"c(x{j}, x{i})"));
                for (int k = 0; k < n; k++)
                {
                    double detour = cost.Evaluate(points.Row(i), points.Row(k)) + cost.Evaluate(points.Row(k), points.Row(j));
                    Approx.AtMost(there, detour + rounding, Text($"c(x{i}, x{j}), against the way over x{k},"));
                }
            }
        }
    }

    /// <summary>The gradient in x is the central difference quotient, to the square of the step.</summary>
    /// <param name="cost">A cost, smooth near x.</param>
    /// <param name="x">Where the gradient is taken.</param>
    /// <param name="y">The other point.</param>
    /// <param name="step">Step of the difference relative to |x|; 1e-5 by default, whose error is about 1e-10 for costs with moderate third derivatives.</param>
    /// <param name="tolerance">Allowed difference relative to the size of the gradient.</param>
    public static void GradientEqualsDifferenceQuotient(
        GroundCost cost,
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> y,
        double step = 1e-5,
        double tolerance = 1e-6
    )
    {
        ArgumentNullException.ThrowIfNull(cost);
        var gradient = new double[x.Length];
        cost.Gradient(x, y, gradient);
        double size = gradient.Max(Math.Abs);
        double scale = 0;
        foreach (double v in x)
            scale = Math.Max(scale, Math.Abs(v));
        double h = step * Math.Max(scale, 1e-300);
        double[] at = x.ToArray();
        for (int k = 0; k < at.Length; k++)
        {
            double centre = at[k];
            at[k] = centre + h;
            double above = cost.Evaluate(at, y),
                high = at[k];
            at[k] = centre - h;
            double below = cost.Evaluate(at, y);
            double quotient = (above - below) / (high - at[k]);
            at[k] = centre;
            double rounding = 4 * Approx.Unit * (Math.Abs(above) + Math.Abs(below)) / h;
            Approx.Equal(quotient, gradient[k], (tolerance * size) + rounding, Text($"gradient[{k}] of {cost.Name}"));
        }
    }

    /// <summary>Row by row, a geometry's fast costs are its definition, to a few roundings of the largest cost in the row.</summary>
    public static void CostRowEqualsCost(Geometry geometry, double ulps = 16)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        var row = new double[geometry.Columns];
        for (int i = 0; i < geometry.Rows; i++)
        {
            geometry.CostRow(i, row);
            for (int j = 0; j < row.Length; j++)
            {
                double cost = geometry.Cost(i, j);
                Approx.Equal(cost, row[j], ulps * 2 * Approx.Unit * Math.Abs(cost), Text($"CostRow({i})[{j}]"));
            }
        }
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
