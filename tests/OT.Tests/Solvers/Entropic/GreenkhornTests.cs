using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>Greedy updates of single rows and columns.</summary>
public class GreenkhornTests
{
    static TransportResult Solve(LinearProblem problem, double tolerance = 1e-9, int sweeps = 100_000) =>
        new Greenkhorn(new() { Tolerance = tolerance, MaxIterations = sweeps }).Solve(problem);

    static readonly SolverLaws s_laws = new(p => Solve(p), 1e-9, 2e-8);

    public static TheoryData<string> Balanced => [.. s_laws.Balanced.Keys];

    public static TheoryData<string> Entropic => [.. s_laws.Entropic.Keys];

    [Theory]
    [MemberData(nameof(Balanced))]
    public void Obeys(string law) => Check(s_laws.Balanced[law]);

    [Theory]
    [MemberData(nameof(Entropic))]
    public void Obeys_entropic(string law) => Check(s_laws.Entropic[law]);

    /// <summary>At a tiny ε single updates may need millions of sweeps, as plain iterations do: what they give there is the business of the tests of ε.</summary>
    static void Check(Action<LinearProblem> law) =>
        Law.Check(
            Cases.AllPairsAllowed(8),
            c =>
            {
                if (c.Kind != CaseKind.TinyEpsilon)
                    law(c.Entropic());
            },
            30,
            2500
        );

    [Theory]
    [InlineData("doubles")]
    [InlineData("floats")]
    [InlineData("points2")]
    [InlineData("cityblock")]
    [InlineData("grid")]
    [InlineData("forbidden")]
    public void Agrees_with_Sinkhorn(string kind)
    {
        foreach ((int n, int m, int zeroIn) in ((int, int, int)[])[(1, 1, 0), (1, 9, 0), (9, 1, 0), (16, 20, 0), (20, 14, 4)])
        {
            LinearProblem problem = EntropicCase.Of(kind, n, m, 0.05, 7, zeroIn);
            TransportResult greedy = Solve(problem, 1e-12),
                alternating = problem.Solve(EntropicCase.Tight);
            Assert.True(greedy.Converged, $"{kind} {n} x {m}: {greedy.Status} {greedy.MarginalError:E2}");
            Assert.Equal(alternating.Value, greedy.Value, 1e-10);
            Approx.Equal(alternating.Potentials!.F, greedy.Potentials!.F, 1e-8, "f");
            Approx.Equal(alternating.Potentials.G, greedy.Potentials.G, 1e-8, "g");
        }
    }

    /// <summary>An update of a line of weight t and sum s raises the dual by ε d(t, s) ≥ 0, so no sweep lowers it, and the first one gains most that is left.</summary>
    [Fact]
    public void The_dual_never_falls()
    {
        LinearProblem problem = EntropicCase.Of("points2", 15, 18, 0.01);
        double optimum = problem.Solve(EntropicCase.Tight).Certify().DualValue!.Value,
            last = double.NegativeInfinity;
        for (int sweeps = 0; sweeps <= 40; sweeps++)
        {
            TransportResult result = Solve(problem, 1e-15, sweeps);
            Assert.Equal(sweeps, result.Iterations);
            Assert.Equal(sweeps, result.Errors.Length);
            double dual = result.Certify().DualValue!.Value;
            Assert.InRange(dual, last - 1e-13, optimum + 1e-12);
            last = dual;
        }
    }

    /// <summary>Where one bin alone is off, a greedy solver mends it first: it needs fewer updates than sweeps over all bins.</summary>
    [Fact]
    public void Takes_the_line_that_is_off_first()
    {
        var costs = new double[30, 30];
        costs[17, 17] = 3;
        double[] weights = [.. Enumerable.Repeat(1.0 / 30, 30)];
        LinearProblem problem = EntropicCase.Of(new CostMatrix(costs), weights, weights, 0.5);
        TransportResult greedy = Solve(problem, 1e-8),
            alternating = problem.Solve(
                new SinkhornOptions
                {
                    Tolerance = 1e-8,
                    Acceleration = Acceleration.None,
                    CheckEvery = 1,
                }
            );
        Assert.True(greedy.Converged && alternating.Converged);
        Assert.True(
            greedy.Iterations <= alternating.Iterations,
            $"{greedy.Iterations} sweeps, {alternating.Iterations} iterations"
        );
    }

    [Fact]
    public void EpsilonTwelveDecades()
    {
        foreach (string kind in (string[])["doubles", "points2", "cityblock", "grid", "forbidden"])
        {
            Geometry geometry = SomeGeometry.Of(kind, 20, 25);
            for (int decade = -13; decade <= 8; decade++)
            {
                double epsilon = Approx.CostScale(geometry) * Math.Pow(10, decade);
                TransportResult result = Solve(EntropicCase.Of(kind, 20, 25, epsilon, zeroIn: 5), 1e-6, 100);
                Assert.True(
                    double.IsFinite(result.Value) && double.IsFinite(result.MarginalError),
                    $"{kind}, 1e{decade}: {result.Status}"
                );
                Assert.NotEqual(SolverStatus.NumericalFailure, result.Status);
                Assert.True(result.Certify().Gap >= 0);
            }
        }
    }

    [Fact]
    public void Huge_and_negative_costs()
    {
        foreach (double scale in (double[])[1e-200, -1, -1e30, 1e200])
        {
            LinearProblem problem = EntropicCase.Of("doubles", 8, 9, 0.1);
            problem = problem.ChangeCost(scale, new double[8], new double[9]).WithAbsoluteEpsilon(Math.Abs(scale));
            TransportResult result = Solve(problem);
            Assert.True(result.Converged, $"{scale}: {result.Status}");
        }
    }

    [Fact]
    public void Refuses_what_it_cannot_take()
    {
        LinearProblem problem = EntropicCase.Of("doubles", 5, 6);
        foreach (LinearProblem other in (LinearProblem[])[problem.Penalised(1, 1), problem.Bounded(1, double.PositiveInfinity)])
            Assert.Contains(
                "Sinkhorn",
                Assert.Throws<NotSupportedException>(() => Solve(other)).Message,
                StringComparison.Ordinal
            );
        Assert.Throws<NotSupportedException>(() => Solve(problem with { Regularizer = Regularizer.None }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Greenkhorn(new() { Tolerance = 0 }));
        var line = new Matrix(60_000, 1);
        var large = new LinearProblem(new PointCloud(line, line), Measure.Uniform(60_000), Measure.Uniform(60_000))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(1)),
        };
        Assert.Throws<ArgumentException>(() => Solve(large));
        Assert.Throws<ArgumentException>(() =>
            Solve(problem with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(1e-20)) })
        );
    }

    [Fact]
    public void Says_why_it_stopped()
    {
        LinearProblem problem = EntropicCase.Of("points2", 40, 50, 1e-4);
        Assert.Equal(SolverStatus.IterationLimit, Solve(problem, 1e-12, 3).Status);
        var hurried = new Greenkhorn(new() { TimeLimit = TimeSpan.Zero });
        TransportResult stopped = hurried.Solve(problem);
        Assert.Equal((SolverStatus.TimeLimit, 0), (stopped.Status, stopped.Iterations));
        Assert.True(stopped.Certify().Gap >= 0);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Equal(SolverStatus.Cancelled, new Greenkhorn().Solve(problem, cancelled.Token).Status);
        Assert.Equal(SolverStatus.Stalled, Solve(EntropicCase.Of("points2", 9, 8, 0.05), 1e-17, 5000).Status);

        LinearProblem unequal = problem.WithTarget(problem.B.Scale(2));
        Assert.Equal(SolverStatus.Infeasible, Solve(unequal).Status);
        const double inf = double.PositiveInfinity;
        var narrow = new CostMatrix(
            new[,]
            {
                { 1, inf },
                { 1, 2 },
            }
        );
        Assert.Equal(SolverStatus.Infeasible, Solve(EntropicCase.Of(narrow, [0.7, 0.3], [0.5, 0.5], 0.1), sweeps: 50).Status);

        var seen = new List<SolverProgress>();
        new Greenkhorn(new() { Progress = new Listener(seen.Add) }).Solve(problem);
        Assert.NotEmpty(seen);
        Assert.All(seen, p => Assert.InRange(p.Fraction, 0, 1));
    }

    sealed class Listener(Action<SolverProgress> heard) : IProgress<SolverProgress>
    {
        public void Report(SolverProgress value) => heard(value);
    }

    [Fact]
    public void Scales_target_weights_to_the_source_mass()
    {
        LinearProblem problem = EntropicCase.Of("doubles", 6, 7);
        TransportResult result = Solve(problem.WithTarget(problem.B.Scale(1 + 1e-10)), 1e-12);
        Assert.True(result.Converged);
        Assert.Contains("scaled", result.Message, StringComparison.Ordinal);
    }
}
