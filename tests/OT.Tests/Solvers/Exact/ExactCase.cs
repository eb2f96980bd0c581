using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using Xunit;

namespace OT.Tests.Solvers.Exact;

public enum Masses
{
    Random,
    Uniform,
    Integer,
    WithZeros,
    Tiny,
}

public enum Costs
{
    Cloud,
    Random,
    Ties,
    Constant,
    Duplicates,
    Negative,
    HugeRange,
    Forbidden,
}

/// <summary>A small problem that prints on one line and expands to the same arrays every time.</summary>
public sealed record ExactCase(int Rows, int Columns, Masses Masses, Costs Costs, ulong Seed)
{
    public LinearProblem Problem()
    {
        var random = new SeededRandom(Seed);
        (Measure a, Measure b) = Marginals(random);
        return new LinearProblem(Geometry(random), a, b);
    }

    public static ExactCase Drawn(SeededRandom random, int largest) =>
        new(
            1 + random.NextInt(largest),
            1 + random.NextInt(largest),
            (Masses)random.NextInt(5),
            (Costs)random.NextInt(8),
            random.NextBits()
        );

    (Measure, Measure) Marginals(SeededRandom random)
    {
        double[] a = Weights(random, Rows),
            b = Weights(random, Columns);
        double massA = Summation.Sum(a),
            massB = Summation.Sum(b);
        if (Masses == Masses.Integer)
        {
            // Equal integer totals: the lighter side's first bin takes the difference.
            if (massA < massB)
                a[0] += massB - massA;
            else
                b[0] += massA - massB;
            return (Measure.Of(a), Measure.Of(b));
        }
        for (int i = 0; i < Rows; i++)
            a[i] /= massA;
        for (int j = 0; j < Columns; j++)
            b[j] /= massB;
        return (Measure.Of(a), Measure.Of(b));
    }

    double[] Weights(SeededRandom random, int count)
    {
        var weights = new double[count];
        for (int i = 0; i < count; i++)
        {
            weights[i] = Masses switch
            {
                Masses.Uniform => 1,
                Masses.Integer => random.NextInt(4),
                Masses.WithZeros => random.NextInt(2) == 0 ? 0 : random.NextDouble(),
                Masses.Tiny => Math.Pow(10, -300 * random.NextDouble()),
                _ => random.NextDouble() + 0.01,
            };
        }
        if (weights.All(w => w == 0))
            weights[random.NextInt(count)] = 1;
        return weights;
    }

    Geometry Geometry(SeededRandom random)
    {
        if (Costs is Costs.Cloud or Costs.Duplicates)
            return new PointCloud(Points(random, Rows), Points(random, Columns));
        var costs = new double[Rows * Columns];
        for (int k = 0; k < costs.Length; k++)
        {
            costs[k] = Costs switch
            {
                Costs.Ties => random.NextInt(3),
                Costs.Constant => 2.5,
                Costs.Negative => random.NextDouble() - 0.7,
                Costs.HugeRange => Math.Pow(10, (random.NextDouble() * 40) - 20),
                // A cycle through all pairs stays allowed for square shapes; other shapes may be infeasible.
                Costs.Forbidden => random.NextInt(3) == 0 ? double.PositiveInfinity : random.NextDouble(),
                _ => random.NextDouble(),
            };
        }
        return new CostMatrix(Rows, Columns, costs);
    }

    Matrix Points(SeededRandom random, int count)
    {
        var points = new double[count * 2];
        for (int k = 0; k < points.Length; k++)
            points[k] = Costs == Costs.Duplicates ? random.NextInt(2) : random.NextNormal();
        return new Matrix(count, 2, points);
    }
}

/// <summary>What optimality means, written as plain loops over <c>Cost(i, j)</c>.</summary>
public static class Optimal
{
    public static double MaxCost(LinearProblem problem)
    {
        double max = 0;
        for (int i = 0; i < problem.Geometry.Rows; i++)
        {
            for (int j = 0; j < problem.Geometry.Columns; j++)
            {
                double c = Math.Abs(problem.Geometry.Cost(i, j));
                if (double.IsFinite(c))
                    max = Math.Max(max, c);
            }
        }
        return max;
    }

    /// <summary>Asserts a converged, feasible, acyclic plan with dual feasible potentials and no gap; returns the value.</summary>
    public static double Check(TransportResult result, string? label = null)
    {
        LinearProblem problem = result.Problem;
        Geometry geometry = problem.Geometry;
        (int n, int m) = (geometry.Rows, geometry.Columns);
        double scale = MaxCost(problem),
            mass = problem.A.Mass;
        Assert.True(result.Converged, $"{label}: {result.Status} {result.Message}");

        var plan = Assert.IsType<SparsePlan>(result.Plan);
        Assert.True(plan.NonZeros <= n + m - 1, $"{label}: {plan.NonZeros} entries");
        int[] component = [.. Enumerable.Range(0, n + m)];
        int Find(int u) => component[u] == u ? u : component[u] = Find(component[u]);
        var rowSums = new double[n];
        var columnSums = new double[m];
        Compensated cost = default;
        for (int i = 0; i < n; i++)
        {
            ReadOnlySpan<int> columns = plan.Values.RowColumns(i);
            ReadOnlySpan<double> masses = plan.Values.RowValues(i);
            for (int k = 0; k < columns.Length; k++)
            {
                Assert.True(masses[k] > 0);
                rowSums[i] += masses[k];
                columnSums[columns[k]] += masses[k];
                cost.Add(masses[k] * geometry.Cost(i, columns[k]));
                (int u, int v) = (Find(i), Find(n + columns[k]));
                Assert.True(u != v, $"{label}: the support has a cycle through ({i}, {columns[k]})");
                component[u] = v;
            }
        }
        double ratio = mass / problem.B.Mass;
        // A solver that left out mass below the slack of the masses says so.
        double allowed = result.Message.Contains("no allowed way", StringComparison.Ordinal)
            ? 1e-9 * mass
            : 1e-15 * mass * (n + m);
        for (int i = 0; i < n; i++)
            Assert.True(Math.Abs(rowSums[i] - problem.A.Weights[i]) <= allowed, $"{label}: row {i} {rowSums[i]}");
        for (int j = 0; j < m; j++)
        {
            double want = problem.B.Weights[j] * ratio;
            Assert.True(Math.Abs(columnSums[j] - want) <= allowed, $"{label}: column {j} {columnSums[j]} {want}");
        }
        Assert.Equal(cost.Value, result.TransportCost, 1e-14 * Math.Abs(cost.Value));

        Potentials potentials = Assert.IsType<Potentials>(result.Potentials);
        double violation = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
                violation = Math.Max(violation, potentials.F[i] + potentials.G[j] - geometry.Cost(i, j));
        }
        Assert.True(violation <= 1e-12 * scale, $"{label}: dual violation {violation} against {scale}");
        double af = Summation.Dot(problem.A.Weights, potentials.F),
            bg = Summation.Dot(problem.B.Weights, potentials.G);
        Assert.True(
            Math.Abs(cost.Value - af - (ratio * bg)) <= (1e-12 * scale * mass) + (2 * allowed * Magnitude(potentials)),
            $"{label}: gap {cost.Value - af - bg}"
        );
        // The gauge is as exact as sums of n + m potentials of that size.
        Assert.True(Math.Abs(af - bg) <= 1e-14 * (n + m) * mass * Magnitude(potentials), $"{label}: gauge {af} {bg}");
        return cost.Value;
    }

    static double Magnitude(Potentials potentials)
    {
        double max = 0;
        foreach (double value in (ReadOnlySpan<double>)[.. potentials.F, .. potentials.G])
            max = Math.Max(max, Math.Abs(value));
        return max;
    }

    /// <summary>Least total cost over all permutations.</summary>
    public static double BestPermutation(Geometry costs)
    {
        int n = costs.Rows;
        var used = new bool[n];
        double best = double.PositiveInfinity;
        void Extend(int row, double sum)
        {
            if (row == n)
            {
                best = Math.Min(best, sum);
                return;
            }
            for (int j = 0; j < n; j++)
            {
                if (used[j])
                    continue;
                used[j] = true;
                Extend(row + 1, sum + costs.Cost(row, j));
                used[j] = false;
            }
        }
        Extend(0, 0);
        return best;
    }
}
