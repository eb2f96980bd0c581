using OT.Geometries;
using OT.Numerics;
using OT.Solvers.Classes;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Classes;

public class TransportProjectionTests
{
    /// <summary>P = max(0, V + f + g) with the right marginals is what projection is; beside the oracle for the quadratic problem, whose costs are −V and γ = 1.</summary>
    [Fact]
    public void Is_the_quadratic_plan() =>
        Law.Check(
            Cases.Of(8, CaseKind.Plain, CaseKind.Duplicates, CaseKind.ConstantCost, CaseKind.IntegerCost, CaseKind.SignedCost),
            value =>
            {
                double[] a = value.A(),
                    b = value.B();
                double[,] costs = value.Costs();
                double[] v = [.. costs.Cast<double>().Select(c => -0.3 * c)];
                using var blocks = new RowBlocks(1);
                var p = new double[v.Length];
                double error = new TransportProjection(a, b, blocks).Project(v, p, 1e-14, default);
                Approx.AtMost(error, 1e-13, "marginal error");
                double[,] expected = ConvexOracles.QuadraticPlan(
                    new CostMatrix(value.Rows, value.Columns, Array.ConvertAll(v, x => -x)),
                    a,
                    b,
                    1,
                    1e-9
                );
                Approx.Equal([.. expected.Cast<double>()], p, 1e-7, "plan");
            },
            quickCount: 60,
            fullCount: 1000
        );

    [Fact]
    public void Stays_right_far_from_any_plan()
    {
        var value = new TransportCase(30, 25, 3, CaseKind.Plain);
        double[] v = [.. value.Costs().Cast<double>().Select(c => -100 * c)];
        using var blocks = new RowBlocks(2);
        var p = new double[v.Length];
        double error = new TransportProjection(value.A(), value.B(), blocks).Project(v, p, 1e-12, default);
        Assert.InRange(error, 0, 1e-11);
    }

    [Fact]
    public void Simplex_projection_has_its_sum()
    {
        var random = new SeededRandom(2);
        foreach (int count in (int[])[1, 2, 5, 40])
        {
            double[] x = [.. Enumerable.Range(0, count).Select(_ => random.NextNormal())],
                y = [.. x];
            SimplexProjection.Project(y, 0.7);
            Assert.Equal(0.7, y.Sum(), 1e-14);
            // Optimal: entries kept have one distance to x, the others are below it.
            double shift = Enumerable.Range(0, count).Where(k => y[k] > 0).Select(k => x[k] - y[k]).Average();
            Assert.All(Enumerable.Range(0, count), k => Assert.Equal(Math.Max(0, x[k] - shift), y[k], 1e-13));
        }
    }
}
