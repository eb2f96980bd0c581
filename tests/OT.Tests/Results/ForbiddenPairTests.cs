using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Results;

/// <summary>Certificates where some pairs are forbidden: mass that is missing may have to go a long way round, or have no way at all.</summary>
public class ForbiddenPairTests
{
    /// <summary>Any plan on allowed pairs gets an answer, and where it can be made feasible a bound that the optimum keeps.</summary>
    [Fact]
    public void Any_plan_on_allowed_pairs_is_judged()
    {
        var random = new SeededRandom(11);
        int bounded = 0;
        for (int trial = 0; trial < 3000; trial++)
        {
            int n = 2 + random.NextInt(4),
                m = 2 + random.NextInt(4);
            var costs = new double[n * m];
            var masses = new double[n * m];
            for (int k = 0; k < costs.Length; k++)
            {
                bool allowed = random.NextDouble() < 0.6;
                costs[k] = allowed ? random.NextDouble() : double.PositiveInfinity;
                masses[k] = allowed && random.NextDouble() < 0.7 ? random.NextDouble() : 0;
            }
            var problem = new LinearProblem(new CostMatrix(n, m, costs), Measure.Uniform(n), Measure.Uniform(m));
            var plan = new DensePlan(new Matrix(n, m, masses));
            TransportResult exact = new NetworkSimplex().Solve(problem);
            foreach (TransportPlan form in (TransportPlan[])[plan, new SparsePlan(plan.ToSparse())])
            {
                Certificate certificate = Certificate.Verify(problem, form, exact.Potentials);
                // Every feasible problem has a plan near any other, and no infeasible one has.
                Assert.Equal(exact.Converged, double.IsFinite(certificate.TransportCost));
                if (!exact.Converged)
                    continue;
                bounded++;
                Laws.PlanIsFeasible(certificate.FeasiblePlan, problem);
                Assert.InRange(certificate.Gap!.Value, 0, 2);
            }
        }
        Assert.InRange(bounded, 1000, 6000);
    }

    /// <summary>A staircase of allowed pairs, where a rounding error at one end can only be paid at the other.</summary>
    [Fact]
    public void A_long_way_round_is_counted()
    {
        const int n = 1000;
        int[] rows = [.. Enumerable.Range(0, n), .. Enumerable.Range(0, n - 1)],
            columns = [.. Enumerable.Range(0, n), .. Enumerable.Range(1, n - 1)];
        double[] costs = [.. Enumerable.Range(0, n).Select(_ => 0.0), .. Enumerable.Range(0, n - 1).Select(_ => 1.0)];
        var geometry = new SparseCost(SparseMatrix.FromTriples(n, n, rows, columns, costs));
        double[] a = [.. Enumerable.Range(0, n).Select(_ => 1.0 / n)],
            b = [.. a];
        a[0] += 1.5e-12 / n;
        b[n - 1] += 1.5e-12 / n;
        var problem = new LinearProblem(geometry, Measure.Of(a), Measure.Of(b));
        TransportResult exact = new NetworkSimplex().Solve(problem);
        var diagonal = new SparsePlan(
            SparseMatrix.FromTriples(
                n,
                n,
                [.. Enumerable.Range(0, n)],
                [.. Enumerable.Range(0, n)],
                [.. Enumerable.Repeat(1.0 / n, n)]
            )
        );
        Certificate certificate = Certificate.Verify(problem, diagonal, exact.Potentials);
        Assert.InRange(certificate.Gap!.Value, 0, 1);
        Assert.True(certificate.TransportCost >= exact.TransportCost, $"{certificate.TransportCost:E3} {exact.TransportCost:E3}");
    }
}
