using System.Globalization;
using OT.Problems;

namespace OT.Solvers.Entropic;

/// <summary>Which bins can be reached at all, and whether hard marginals can therefore not be met.</summary>
internal static class Partners
{
    /// <summary>Which bins have weight and an allowed partner with weight; empty where no pair is forbidden.</summary>
    public static (bool[] Rows, bool[] Columns) Of(LinearProblem problem)
    {
        if (!problem.Geometry.HasForbiddenPairs)
            return ([], []);
        ReadOnlySpan<double> a = problem.A.Weights,
            b = problem.B.Weights;
        var costs = new double[b.Length];
        var rows = new bool[a.Length];
        var columns = new bool[b.Length];
        for (int i = 0; i < a.Length; i++)
        {
            if (a[i] == 0)
                continue;
            problem.Geometry.CostRow(i, costs);
            for (int j = 0; j < costs.Length; j++)
            {
                if (b[j] > 0 && !double.IsPositiveInfinity(costs[j]))
                    rows[i] = columns[j] = true;
            }
        }
        return (rows, columns);
    }

    /// <summary>Masses that differ, or a positive weight all of whose pairs are forbidden.</summary>
    public static string? WhyInfeasible(LinearProblem problem, bool[] rows, bool[] columns)
    {
        if (!problem.MassesAgree)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"The source mass is {problem.A.Mass:G17}, the target mass {problem.B.Mass:G17}: hard marginals need equal masses."
            );
        }
        for (int i = 0; i < rows.Length && problem.PenaltyA.IsExact; i++)
        {
            double a = problem.A.Weights[i];
            if (a > 0 && !rows[i])
                return string.Create(CultureInfo.InvariantCulture, $"Row {i} holds {a:G6} and every one of its pairs is forbidden.");
        }
        for (int j = 0; j < columns.Length && problem.PenaltyB.IsExact; j++)
        {
            double b = problem.B.Weights[j];
            if (b > 0 && !columns[j])
                return string.Create(CultureInfo.InvariantCulture, $"Column {j} needs {b:G6} and every one of its pairs is forbidden.");
        }
        return null;
    }
}
