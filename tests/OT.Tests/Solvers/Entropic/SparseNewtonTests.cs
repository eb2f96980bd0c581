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

/// <summary>Newton's method on thin plans finds Sinkhorn's answer, in few steps where Sinkhorn needs thousands.</summary>
public class SparseNewtonTests
{
    static TransportResult Solve(LinearProblem problem, SparseNewtonStrategy strategy, double tolerance = 1e-9) =>
        new SparseNewton(new() { Tolerance = tolerance, Strategy = strategy }).Solve(problem);

    static readonly SolverLaws s_laws = new(p => Solve(p, SparseNewtonStrategy.Ssns), 1e-9, 2e-8);

    public static TheoryData<string> Balanced => [.. s_laws.Balanced.Keys];

    public static TheoryData<string> Entropic => [.. s_laws.Entropic.Keys];

    public static TheoryData<SparseNewtonStrategy, LinearSolver> Ways =>
        new()
        {
            { SparseNewtonStrategy.Ssns, LinearSolver.SparseCholesky },
            { SparseNewtonStrategy.Ssns, LinearSolver.ConjugateGradient },
            { SparseNewtonStrategy.Sns, LinearSolver.SparseCholesky },
            { SparseNewtonStrategy.Sns, LinearSolver.ConjugateGradient },
            { SparseNewtonStrategy.Splr, LinearSolver.SparseCholesky },
            { SparseNewtonStrategy.Splr, LinearSolver.ConjugateGradient },
        };

    [Theory]
    [MemberData(nameof(Balanced))]
    public void Obeys(string law) => Law.Check(Cases.AllPairsAllowed(8), c => s_laws.Balanced[law](c.Entropic()), 30, 2500);

    [Theory]
    [MemberData(nameof(Entropic))]
    public void Obeys_entropic(string law) =>
        Law.Check(Cases.AllPairsAllowed(8), c => s_laws.Entropic[law](c.Entropic()), 30, 2500);

    [Theory]
    [MemberData(nameof(Ways))]
    public void Agrees_with_Sinkhorn(SparseNewtonStrategy strategy, LinearSolver linear)
    {
        foreach (string kind in (string[])["doubles", "floats", "points2", "cityblock", "grid", "forbidden"])
        {
            foreach ((int n, int m, int zeroIn) in ((int, int, int)[])[(1, 1, 0), (1, 9, 0), (9, 1, 0), (36, 49, 0), (50, 34, 4)])
            {
                foreach (double epsilon in (double[])[0.2, 0.01])
                {
                    LinearProblem problem = EntropicCase.Of(kind, n, m, epsilon, 7, zeroIn);
                    var options = new SparseNewtonOptions
                    {
                        Tolerance = 1e-12,
                        Strategy = strategy,
                        LinearSolver = linear,
                    };
                    TransportResult newton = new SparseNewton(options).Solve(problem),
                        alternating = problem.Solve(EntropicCase.Tight);
                    Assert.True(
                        newton.Converged,
                        $"{kind} {n} x {m} {epsilon}: {newton.Status} {newton.MarginalError:E2} {newton.Message}"
                    );
                    Assert.Equal(alternating.Value, newton.Value, 1e-10);
                    // Potentials follow the marginals as far as the plan holds its parts together.
                    Approx.Equal(alternating.Potentials!.F, newton.Potentials!.F, 1e-7, "f");
                    Approx.Equal(alternating.Potentials.G, newton.Potentials.G, 1e-7, "g");
                }
            }
        }
    }

    static LinearProblem Assignment(int n, double epsilon, ulong seed = 0)
    {
        var random = new SeededRandom(seed);
        double[] costs = [.. Enumerable.Range(0, n * n).Select(_ => random.NextDouble())];
        return new LinearProblem(new CostMatrix(n, n, costs), Measure.Uniform(n), Measure.Uniform(n))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
        };
    }

    /// <summary>The protocol of the paper: 20 sweeps, then Newton; 9 steps are published for another draw of the costs, and plain Sinkhorn takes tens of thousands of iterations.</summary>
    [Theory]
    [InlineData(SparseNewtonStrategy.Sns, 12)]
    [InlineData(SparseNewtonStrategy.Ssns, 12)]
    public void A_random_assignment_takes_few_steps(SparseNewtonStrategy strategy, int most)
    {
        TransportResult result = new SparseNewton(
            new()
            {
                Tolerance = 1e-12,
                Strategy = strategy,
                Schedule = EpsilonSchedule.None,
            }
        ).Solve(Assignment(300, 1.0 / 1200));
        Assert.True(result.Converged, result.Message);
        Assert.InRange(result.Iterations, 21, 20 + most);
        Assert.InRange(result.Certify().Gap!.Value, -1e-15, 1e-10);
    }

    /// <summary>With everything kept and no shift the last errors square: |∇J| falls from e to at most a multiple of e².</summary>
    [Fact]
    public void Without_thinning_convergence_is_quadratic()
    {
        TransportResult result = new SparseNewton(
            new()
            {
                Tolerance = 1e-13,
                Strategy = SparseNewtonStrategy.Sns,
                EntriesPerNode = 60,
                WarmupIterations = 10,
                Schedule = EpsilonSchedule.None,
            }
        ).Solve(Assignment(60, 0.005));
        Assert.True(result.Converged);
        double[] steps = [.. result.Errors.Skip(1).Where(e => e > 1e-14)]; // the warm-up's check comes first
        double[] last = [.. steps.TakeLast(3)];
        Assert.InRange(last[2], 0, 100 * last[1] * last[1]);
        Assert.InRange(last[1], 0, 100 * last[0] * last[0]);
    }

    [Fact]
    public void Same_bits_for_any_number_of_threads()
    {
        LinearProblem problem = Assignment(420, 0.002, 3);
        foreach (SparseNewtonStrategy strategy in Enum.GetValues<SparseNewtonStrategy>())
        {
            double[]? expected = null;
            foreach (int threads in (int[])[1, 2, 5])
            {
                using var backend = new ManagedBackend(threads);
                double[] f = new SparseNewton(new() { Strategy = strategy }, backend).Solve(problem).Potentials!.F.ToArray();
                expected ??= f;
                Assert.Equal(expected, f);
            }
        }
    }

    /// <summary>What is dropped: at most δ from a column, at most 2δ from a row, whatever the plan.</summary>
    [Theory]
    [InlineData(0.3)]
    [InlineData(0.01)]
    [InlineData(0)]
    public void The_budget_is_kept(double share)
    {
        const int n = 40,
            m = 33;
        var random = new SeededRandom(2);
        double[] a = [.. Enumerable.Range(0, n).Select(_ => random.NextDouble() + 0.1)];
        var starts = new int[n + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int i = 0; i < n; i++)
        {
            double[] q = [.. Enumerable.Range(0, m).Select(_ => Math.Pow(random.NextDouble(), 8))];
            double sum = q.Sum();
            columns.AddRange(Enumerable.Range(0, m));
            values.AddRange(q.Select(v => v / sum));
            starts[i + 1] = columns.Count;
        }
        var whole = new ThinPlan(starts, [.. columns], [.. values]);
        double[] c = [.. Enumerable.Range(0, m).Select(j => Enumerable.Range(0, n).Sum(i => a[i] * values[(i * m) + j]))];
        double budget = share * c.Min();
        ThinPlan thin = Thinning.WithinBudget(whole, a, c, budget);
        double[] rows = [.. a],
            left = [.. c];
        for (int i = 0; i < n; i++)
        {
            for (int k = thin.Starts[i]; k < thin.Starts[i + 1]; k++)
            {
                rows[i] -= a[i] * thin.Values[k];
                left[thin.Columns[k]] -= a[i] * thin.Values[k];
            }
        }
        Assert.All(left, lost => Assert.InRange(lost, -1e-14, budget + 1e-14));
        Assert.All(rows, lost => Assert.InRange(lost, -1e-14, (2 * budget) + 1e-14));
        Assert.True(share == 0 ? thin.Values.Length == n * m : thin.Values.Length < n * m);
    }

    [Fact]
    public void The_mass_of_a_rank_is_reached_by_that_many()
    {
        LinearProblem problem = EntropicCase.Of("points2", 60, 70, 0.02);
        TransportResult result = problem.Solve();
        double[] masses = [.. result.Plan.ToDense().Values.ToArray().OrderDescending()];
        foreach (int rank in (int[])[1, 50, 600, 4200])
        {
            double mass = Thinning.MassOfRank(
                problem.Geometry,
                result.Potentials!.F.ToArray(),
                result.Potentials.G.ToArray(),
                problem.A.Weights.ToArray(),
                problem.B.Weights.ToArray(),
                0.02,
                rank,
                2,
                RowShare.Whole,
                CancellationToken.None
            );
            Assert.InRange(mass, 0, masses[rank - 1] * (1 + 1e-12));
            Assert.True(mass >= masses[rank - 1] * Math.Exp(-2.0 / 16) || mass == 0);
        }
    }

    /// <summary>One step a time, no Newton possible: the plain iterations go on and the message says so.</summary>
    [Fact]
    public void Where_Newton_makes_no_way_Sinkhorn_goes_on()
    {
        // A plan without thin entries, of which eight are kept: Newton's matrix is mostly losses.
        LinearProblem problem = EntropicCase.Of("doubles", 80, 80, 0.002, 9);
        TransportResult result = new SparseNewton(
            new()
            {
                Tolerance = 1e-10,
                Strategy = SparseNewtonStrategy.Sns,
                EntriesPerNode = 1,
                WarmupIterations = 1,
                Schedule = EpsilonSchedule.None,
            }
        ).Solve(problem);
        Assert.True(result.Converged, $"{result.Status} {result.MarginalError:E2} {result.Message}");
        Assert.Contains("Newton steps", result.Message, StringComparison.Ordinal);
        Assert.Equal(problem.Solve(EntropicCase.Tight).Value, result.Value, 1e-9);
    }

    [Fact]
    public void Penalties_are_Sinkhorns()
    {
        LinearProblem problem = EntropicCase.Of("doubles", 5, 5, 0.1) with { PenaltyA = MarginalPenalty.KullbackLeibler(1) };
        Assert.False(SparseNewton.Supports(problem));
        var refused = Assert.Throws<NotSupportedException>(() => new SparseNewton().Solve(problem));
        Assert.Contains("Sinkhorn", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        foreach (
            SparseNewtonOptions options in (SparseNewtonOptions[])
                [
                    new() { WarmupIterations = 0 },
                    new() { EntriesPerNode = 0 },
                    new() { Density = 0 },
                    new() { Density = 1.5 },
                    new() { DroppedShare = 1 },
                    new() { DroppedShare = double.NaN },
                    new() { Strategy = (SparseNewtonStrategy)9 },
                    new() { LinearSolver = (LinearSolver)9 },
                    new() { Tolerance = 0 },
                ]
        )
            Assert.ThrowsAny<ArgumentException>(() => new SparseNewton(options));
    }

    [Fact]
    public void Stops_are_statuses()
    {
        LinearProblem problem = Assignment(200, 1.0 / 1200);
        TransportResult cancelled = new SparseNewton().Solve(problem, new CancellationToken(true));
        Assert.Equal(SolverStatus.Cancelled, cancelled.Status);
        TransportResult late = new SparseNewton(new() { TimeLimit = TimeSpan.Zero }).Solve(problem);
        Assert.Equal(SolverStatus.TimeLimit, late.Status);
        TransportResult few = new SparseNewton(
            new()
            {
                MaxIterations = 2,
                Tolerance = 1e-12,
                Schedule = EpsilonSchedule.None,
            }
        ).Solve(problem);
        Assert.Equal((SolverStatus.IterationLimit, 22), (few.Status, few.Iterations));
        using var source = new CancellationTokenSource();
        TransportResult during = new SparseNewton(
            new()
            {
                Tolerance = 1e-12,
                Schedule = EpsilonSchedule.None,
                Progress = new Sink(look =>
                {
                    if (look.Iteration > 22)
                        source.Cancel();
                }),
            }
        ).Solve(problem, source.Token);
        Assert.Equal(SolverStatus.Cancelled, during.Status);
        Assert.InRange(during.Iterations, 22, 30);
    }

    sealed class Sink(Action<SolverProgress> action) : IProgress<SolverProgress>
    {
        public void Report(SolverProgress value) => action(value);
    }

    /// <summary>Points in the plane, never held as n × m: the plan's few entries and their factor are all.</summary>
    [Fact]
    public void Costs_are_streamed()
    {
        const int n = 3000;
        var random = new SeededRandom(1);
        Matrix Cloud() => new(n, 8, [.. Enumerable.Range(0, n * 8).Select(_ => random.NextDouble())]);
        var problem = new LinearProblem(
            new PointCloud(Cloud(), Cloud(), GroundCost.SquaredEuclidean),
            Measure.Uniform(n),
            Measure.Uniform(n)
        )
        {
            Regularizer = Regularizer.Entropy(Epsilon.RelativeToMax(0.001)),
        };
        // A limit below the 72 MB of the costs.
        using var backend = new ManagedBackend(2, memoryLimit: 60_000_000);
        TransportResult result = new SparseNewton(new() { Tolerance = 1e-9 }, backend).Solve(problem);
        Assert.True(result.Converged, $"{result.Status} {result.Message}");
        Assert.Contains("on the fly", result.Backend, StringComparison.Ordinal);
    }
}
