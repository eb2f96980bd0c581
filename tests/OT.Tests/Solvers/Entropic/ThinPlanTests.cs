using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>What is kept of a plan is what the definition says.</summary>
public class ThinPlanTests
{
    [Theory]
    [InlineData("doubles", 9, 7)]
    [InlineData("points2", 70, 65)]
    [InlineData("forbidden", 40, 33)]
    [InlineData("doubles", 1, 5)]
    [InlineData("doubles", 50, 1)]
    public void Entries_are_kept_by_their_share_of_the_smaller_marginal(string kind, int n, int m)
    {
        const double epsilon = 0.05;
        LinearProblem problem = EntropicCase.Of(kind, n, m, epsilon, 3, zeroIn: m > 10 ? 5 : 0);
        TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-10 });
        double[] a = problem.A.Weights.ToArray(),
            b = problem.B.Weights.ToArray(),
            f = result.Potentials!.F.ToArray(),
            g = result.Potentials.G.ToArray();
        foreach (double threshold in (double[])[0, 1e-8, 1e-3, 0.1])
        {
            foreach (int threads in (int[])[1, 3])
            {
                ThinPlan thin = ThinPlan.Of(
                    problem.Geometry,
                    f,
                    g,
                    a,
                    b,
                    epsilon,
                    threshold,
                    absolute: false,
                    long.MaxValue,
                    threads,
                    RowShare.Whole,
                    CancellationToken.None
                )!;
                for (int i = 0; i < n; i++)
                {
                    var kept = new Dictionary<int, double>();
                    for (int k = thin.Starts[i]; k < thin.Starts[i + 1]; k++)
                        kept.Add(thin.Columns[k], thin.Values[k]);
                    for (int j = 0; j < m; j++)
                    {
                        double q = b[j] * Math.Exp((f[i] + g[j] - problem.Geometry.Cost(i, j)) / epsilon);
                        double share = a[i] == 0 || b[j] == 0 ? 0 : a[i] * q / Math.Min(a[i], b[j]);
                        double cut = Math.Max(threshold, 1e-150);
                        if (share > cut * (1 + 1e-9))
                            Assert.Equal(1, kept[j] / q, 1e-12);
                        else if (share < cut * (1 - 1e-9))
                            Assert.DoesNotContain(j, kept);
                    }
                }
            }
        }
    }

    [Fact]
    public void Too_many_entries_are_none()
    {
        LinearProblem problem = EntropicCase.Of("points2", 100, 100, 1);
        double[] a = problem.A.Weights.ToArray(),
            b = problem.B.Weights.ToArray();
        double[] zero = new double[100];
        Assert.Null(
            ThinPlan.Of(problem.Geometry, zero, zero, a, b, 1, 0, false, 5000, 2, RowShare.Whole, CancellationToken.None)
        );
        Assert.Null(
            ThinPlan.Of(
                problem.Geometry,
                zero,
                zero,
                a,
                b,
                1,
                0,
                false,
                long.MaxValue,
                2,
                RowShare.Whole,
                new CancellationToken(true)
            )
        );
    }
}
