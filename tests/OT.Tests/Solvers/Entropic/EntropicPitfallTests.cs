using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>Inputs that went wrong once.</summary>
public class EntropicPitfallTests
{
    /// <summary>Total variation has no gradient at a bound, and a divergence of it would be another thing: both say so.</summary>
    [Fact]
    public void Derivatives_and_divergences_refuse_total_variation()
    {
        LinearProblem problem = EntropicCase.Of("points2", 6, 5, 0.1) with
        {
            PenaltyA = MarginalPenalty.TotalVariation(0.1),
            PenaltyB = MarginalPenalty.TotalVariation(0.1),
        };
        TransportResult result = problem.Solve();
        Assert.Throws<NotSupportedException>(() => EntropicGradient.Of(result));
        Assert.Throws<NotSupportedException>(() => new ImplicitGradient(result));
        Assert.False(SinkhornDivergence.Supports(problem));
        Assert.Throws<NotSupportedException>(() => new SinkhornDivergence().Solve(problem));
    }

    /// <summary>A penalised column that nothing may reach keeps the potential that sends nothing, whatever shifts were made.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Columns_without_partners_stay_at_home(bool isTotalVariation)
    {
        foreach (double rho in (double[])[1, 20, 1000])
        {
            MarginalPenalty Penalty(double strength) =>
                isTotalVariation ? MarginalPenalty.TotalVariation(strength) : MarginalPenalty.KullbackLeibler(strength);
            LinearProblem problem = EntropicCase.Of(
                new CostMatrix(1, 2, [0, double.PositiveInfinity]),
                [1.0],
                [0.5, 0.5],
                0.1
            ) with
            {
                PenaltyA = Penalty(10),
                PenaltyB = Penalty(rho),
            };
            TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-9 });
            Assert.True(result.Converged);
            Assert.InRange(result.Certify().Gap!.Value, 0, 1e-7 * Math.Max(1, rho));
        }
    }

    /// <summary>Plain iterations are those of the definition where a row's exponents span hundreds of decades.</summary>
    [Fact]
    public void Underflow_in_a_row_loses_no_column()
    {
        const double epsilon = 0.001062473592948507;
        double[] costs = [0.09, 0.65, 0.33, 0.86],
            half = [0.5, 0.5];
        LinearProblem problem = EntropicCase.Of(new CostMatrix(2, 2, costs), half, half, epsilon);
        double SoftMin(double x, double y)
        {
            double least = Math.Min(x, y);
            return least
                - (epsilon * Math.Log((0.5 * Math.Exp((least - x) / epsilon)) + (0.5 * Math.Exp((least - y) / epsilon))));
        }
        using var backend = new ManagedBackend(1);
        foreach (int iterations in (int[])[1, 5])
        {
            double g0 = 0,
                g1 = 0;
            for (int k = 0; k < iterations; k++)
            {
                double f0 = SoftMin(costs[0] - g0, costs[1] - g1),
                    f1 = SoftMin(costs[2] - g0, costs[3] - g1);
                (g0, g1) = (SoftMin(costs[0] - f0, costs[2] - f1), SoftMin(costs[1] - f0, costs[3] - f1));
            }
            TransportResult result = new Sinkhorn(new() { StopEarly = false, MaxIterations = iterations }, backend).Solve(
                problem
            );
            Assert.Equal(g0 - g1, result.Potentials!.G[0] - result.Potentials.G[1], 1e-12);
        }
    }

    /// <summary>A cost that is itself a small problem, solved on the same thread, finds none of the outer one's memory.</summary>
    [Fact]
    public void Costs_may_solve_problems_of_their_own()
    {
        static Matrix Cloud(double at) => new(5, 2, [.. Enumerable.Range(0, 10).Select(k => at + (k * 0.618034 % 1))]);
        static double Inner(ReadOnlySpan<double> x, ReadOnlySpan<double> y) =>
            new Sinkhorn()
                .Solve(
                    new LinearProblem(new PointCloud(Cloud(x[0]), Cloud(y[0])), Measure.Uniform(5), Measure.Uniform(5))
                    {
                        Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)),
                    }
                )
                .TransportCost;
        var places = new Matrix(8, 1, [.. Enumerable.Range(0, 8).Select(k => k * 0.37)]);
        var nested = new PointCloud(places, places, GroundCost.Custom(Inner));
        var table = new double[64];
        for (int i = 0; i < 8; i++)
        {
            for (int j = 0; j < 8; j++)
                table[(i * 8) + j] = Inner(places.Row(i), places.Row(j));
        }
        double[] a = [.. Enumerable.Range(1, 8).Select(k => k / 36.0)],
            b = [.. a.Reverse()];
        LinearProblem Outer(Geometry geometry) => EntropicCase.Of(geometry, a, b, 0.2);
        Assert.Equal(Outer(new CostMatrix(8, 8, table)).Solve().Value, Outer(nested).Solve().Value, 1e-12);
    }

    /// <summary>Sinkhorn takes over where a published strategy moves and gets nowhere, and the answer is right.</summary>
    [Theory]
    [InlineData(SparseNewtonStrategy.Sns)]
    [InlineData(SparseNewtonStrategy.Splr)]
    public void Strategies_that_get_nowhere_end(SparseNewtonStrategy strategy)
    {
        var random = new SeededRandom(11);
        for (int trial = 0; trial < 40; trial++)
        {
            int n = 2 + (int)(random.NextDouble() * 40),
                m = 2 + (int)(random.NextDouble() * 40);
            double[] costs = [.. Enumerable.Range(0, n * m).Select(_ => Math.Floor(4 * random.NextDouble()))];
            double[] Weights(int count)
            {
                double[] w = [.. Enumerable.Range(0, count).Select(_ => Math.Pow(random.NextDouble(), 6) + 1e-12)];
                double sum = w.Sum();
                return Array.ConvertAll(w, v => v / sum);
            }
            LinearProblem problem = EntropicCase.Of(new CostMatrix(n, m, costs), Weights(n), Weights(m), 0.02);
            TransportResult result = new SparseNewton(new() { Strategy = strategy, Tolerance = 1e-8 }).Solve(problem);
            Assert.True(result.Converged, $"{trial}: {n} x {m} {result.Status} {result.MarginalError:E2} {result.Message}");
            Assert.Equal(problem.Solve(EntropicCase.Tight).Value, result.Value, 1e-6);
        }
    }
}
