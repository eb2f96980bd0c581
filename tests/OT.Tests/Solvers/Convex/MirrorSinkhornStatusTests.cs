using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Convex;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Convex;

/// <summary>What happens when things go wrong.</summary>
public class MirrorSinkhornStatusTests
{
    static readonly CostMatrix s_costs = new(2, 3, [1, 2, 3, 3, 1.0, 2]);
    static readonly Measure s_two = Measure.Uniform(2);
    static readonly Measure s_three = Measure.Uniform(3);

    static ConvexProblem Custom(Func<double[], double> value, Func<double[], double[]> gradient) =>
        new(new ConvexCase.Custom(2, 3, value, gradient), s_two, s_three);

    [Fact]
    public void An_oracle_that_throws_ends_the_run_with_its_text_and_the_last_iterate()
    {
        int calls = 0;
        MirrorSinkhornResult result = Custom(
                _ => 1,
                _ => ++calls > 5 ? throw new InvalidOperationException("the sensor is unplugged") : [1, 2, 3, 3, 1, 2]
            )
            .Solve();
        Assert.Equal(SolverStatus.NumericalFailure, result.Status);
        Assert.Contains("the sensor is unplugged", result.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(InvalidOperationException), result.Message, StringComparison.Ordinal);
        Assert.Equal(5, result.Iterations);
        ConvexCase.CheckFeasible(result);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(1e308)]
    public void A_gradient_that_is_not_finite_ends_the_run_and_is_named(double bad)
    {
        int calls = 0;
        MirrorSinkhornResult result = Custom(_ => 1, _ => ++calls > 3 ? [1, 2, 3, -1e308, bad, 2] : [1, 2, 3, 3, 1, 2]).Solve();
        Assert.Equal(SolverStatus.NumericalFailure, result.Status);
        Assert.Contains("row 1 and column 1", result.Message, StringComparison.Ordinal);
        Assert.Equal(3, result.Iterations);
        ConvexCase.CheckFeasible(result);
    }

    [Fact]
    public void A_value_that_throws_or_is_NaN_is_a_failure_and_claims_no_bound()
    {
        MirrorSinkhornResult thrown = Custom(_ => throw new ArithmeticException("no value today"), _ => [1, 2, 3, 3, 1, 2])
            .Solve();
        Assert.Equal(SolverStatus.NumericalFailure, thrown.Status);
        Assert.Contains("no value today", thrown.Message, StringComparison.Ordinal);
        Assert.Null(thrown.LowerBound);
        MirrorSinkhornResult nan = Custom(_ => double.NaN, _ => [1, 2, 3, 3, 1, 2]).Solve();
        Assert.Equal(SolverStatus.NumericalFailure, nan.Status);
        Assert.Null(nan.LowerBound);
        ConvexCase.CheckFeasible(nan);
    }

    [Fact]
    public void Cancellation_keeps_the_last_iterate()
    {
        using var source = new CancellationTokenSource();
        int calls = 0;
        double[] Gradient(double[] plan)
        {
            if (++calls == 10)
                source.Cancel();
            return [1, 2, 3, 3, 1, 2];
        }
        MirrorSinkhornResult result = new MirrorSinkhorn().Solve(Custom(_ => 1, Gradient), source.Token);
        Assert.Equal(SolverStatus.Cancelled, result.Status);
        Assert.Equal(10, result.Iterations);
        ConvexCase.CheckFeasible(result);
        // An oracle that answers a cancellation by its exception.
        calls = 0;
        double[] Throwing(double[] plan)
        {
            source.Token.ThrowIfCancellationRequested();
            return [1, 2, 3, 3, 1, 2];
        }
        using var early = new CancellationTokenSource();
        early.Cancel();
        Assert.Equal(SolverStatus.Cancelled, new MirrorSinkhorn().Solve(Custom(_ => 1, Throwing), early.Token).Status);
        TransportResult free = new MirrorSinkhorn().Solve(new LinearProblem(s_costs, s_two, s_three), early.Token);
        Assert.Equal(SolverStatus.Cancelled, free.Status);
    }

    [Fact]
    public void No_time_is_a_status()
    {
        MirrorSinkhornOptions options = new() { TimeLimit = TimeSpan.Zero };
        MirrorSinkhornResult dense = new ConvexProblem(TransportObjective.Linear(s_costs), s_two, s_three).Solve(options);
        Assert.Equal((SolverStatus.TimeLimit, 0), (dense.Status, dense.Iterations));
        ConvexCase.CheckFeasible(dense);
        TransportResult free = new MirrorSinkhorn(options).Solve(new LinearProblem(s_costs, s_two, s_three));
        Assert.Equal(SolverStatus.TimeLimit, free.Status);
        MirrorSinkhornResult none = new ConvexProblem(TransportObjective.Linear(s_costs), s_two, s_three).Solve(
            new() { MaxIterations = 0 }
        );
        Assert.Equal((SolverStatus.IterationLimit, 0), (none.Status, none.Iterations));
        ConvexCase.CheckFeasible(none);
        Assert.Equal(
            SolverStatus.IterationLimit,
            new MirrorSinkhorn(new() { MaxIterations = 0 }).Solve(new LinearProblem(s_costs, s_two, s_three)).Status
        );
    }

    [Fact]
    public void MassMismatchInfeasible()
    {
        Measure heavy = s_three.Scale(1.01);
        MirrorSinkhornResult dense = new ConvexProblem(TransportObjective.Linear(s_costs), s_two, heavy).Solve();
        TransportResult free = new MirrorSinkhorn().Solve(new LinearProblem(s_costs, s_two, heavy));
        Assert.Equal((SolverStatus.Infeasible, SolverStatus.Infeasible), (dense.Status, free.Status));
        Assert.Contains("1.01", dense.Message, StringComparison.Ordinal);
        Assert.Contains("1.01", free.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new OnlineMirrorSinkhorn(s_two, heavy));
    }

    [Fact]
    public void Masses_within_their_slack_are_made_equal_and_the_result_says_so()
    {
        Measure heavier = s_three.Scale(1 + 1e-10);
        MirrorSinkhornResult dense = new ConvexProblem(TransportObjective.Linear(s_costs), s_two, heavier).Solve();
        TransportResult free = new MirrorSinkhorn().Solve(new LinearProblem(s_costs, s_two, heavier));
        foreach (string message in (string[])[dense.Message, free.Message])
            Assert.Contains("scaled", message, StringComparison.Ordinal);
        Assert.InRange(dense.MarginalError, 0, 1e-14);
        Assert.Equal(1, dense.Plan.Marginals().Columns.Sum(), 1e-14);
    }

    /// <summary>Every row and column has a partner, and still no plan exists.</summary>
    [Fact]
    public void Forbidden_pairs_that_leave_no_plan_are_infeasible()
    {
        double no = double.PositiveInfinity;
        var costs = new CostMatrix(3, 3, [1, no, no, 1, no, no, 1, 1, 1]);
        Measure a = Measure.Uniform(3);
        MirrorSinkhornResult dense = new ConvexProblem(TransportObjective.Linear(costs), a, a).Solve();
        TransportResult free = new MirrorSinkhorn().Solve(new LinearProblem(costs, a, a));
        Assert.Equal((SolverStatus.Infeasible, SolverStatus.Infeasible), (dense.Status, free.Status));
        Assert.NotEmpty(dense.Message);
        Assert.NotEmpty(free.Message);
        Assert.Equal(0, dense.Plan.ToSparse().NonZeros);
        var listed = new SparseCost(SparseMatrix.FromTriples(3, 3, [0, 1, 2, 2, 2], [0, 0, 0, 1, 2], [1, 1, 1, 1, 1.0]));
        Assert.Equal(SolverStatus.Infeasible, new MirrorSinkhorn().Solve(new LinearProblem(listed, a, a)).Status);
    }

    [Fact]
    public void Samples_alone_give_a_plan_and_no_value()
    {
        var objective = TransportObjective.Sampled(
            2,
            3,
            (plan, gradient, random) =>
            {
                for (int k = 0; k < gradient.Length; k++)
                    gradient[k] = s_costs.Cost(k / 3, k % 3) + random.NextNormal();
            }
        );
        MirrorSinkhornResult result = new ConvexProblem(objective, s_two, s_three).Solve();
        Assert.Equal(SolverStatus.IterationLimit, result.Status);
        Assert.True(double.IsNaN(result.Value));
        Assert.Null(result.LowerBound);
        Assert.Contains("samples", result.Message, StringComparison.Ordinal);
        ConvexCase.CheckFeasible(result);
        Assert.Throws<NotSupportedException>(() => objective.Gradient(new double[6], new double[6]));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 4)]
    [InlineData(4, 1)]
    public void One_bin_has_one_plan(int n, int m)
    {
        CostMatrix costs = ConvexCase.UniformCosts(n, m, 3);
        var problem = new ConvexProblem(TransportObjective.Quadratic(costs, 1), Measure.Uniform(n), Measure.Uniform(m));
        MirrorSinkhornResult result = problem.Solve();
        ConvexCase.CheckFeasible(result);
        Assert.Equal(SolverStatus.Converged, result.Status);
        TransportResult free = new MirrorSinkhorn().Solve(new LinearProblem(costs, problem.A, problem.B));
        Assert.Equal(SolverStatus.Converged, free.Status);
    }

    [Theory]
    [InlineData(1e-200)]
    [InlineData(1e32)]
    [InlineData(1e200)]
    public void Cost1e32(double scale)
    {
        CostMatrix costs = new(2, 3, Array.ConvertAll(s_costs.Doubles!, c => c * scale));
        MirrorSinkhornResult result = Dense(costs),
            one = Dense(s_costs);
        ConvexCase.CheckFeasible(result);
        Assert.Equal((one.Status, one.Iterations), (result.Status, result.Iterations));
        Assert.Equal(one.Value, result.Value / scale, 1e-9);
        Assert.Equal(one.LowerBound!.Value, result.LowerBound!.Value / scale, 1e-9);
        TransportResult free = Free(costs);
        Assert.Equal(Free(s_costs).TransportCost, free.TransportCost / scale, 1e-9);

        static MirrorSinkhornResult Dense(CostMatrix costs) =>
            new ConvexProblem(TransportObjective.Linear(costs), s_two, s_three).Solve();
        static TransportResult Free(CostMatrix costs) => new MirrorSinkhorn().Solve(new LinearProblem(costs, s_two, s_three));
    }

    /// <summary>Weights of 1e-300 neither explode the first steps nor lose their mass.</summary>
    [Fact]
    public void Tiny_weights()
    {
        ConvexProblem problem = new(TransportObjective.Linear(s_costs), Measure.Of([1, 1e-300]), Measure.Of([0.5, 0.5, 1e-25]));
        MirrorSinkhornResult result = problem.Solve();
        ConvexCase.CheckFeasible(result);
        Assert.Equal(1e-300, result.Plan.Marginals().Rows[1], 1e-314);
        Assert.Equal(SolverStatus.Converged, result.Status);
    }

    [Fact]
    public void LengthMismatchThrows()
    {
        TransportObjective linear = TransportObjective.Linear(s_costs);
        Assert.Contains(
            "3 source",
            Assert.Throws<ArgumentException>(() => new ConvexProblem(linear, s_three, s_three)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "2 target",
            Assert.Throws<ArgumentException>(() => new ConvexProblem(linear, s_two, s_two)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentNullException>(() => new ConvexProblem(null!, s_two, s_two));
        foreach (double step in (double[])[0, -1, double.NaN])
        {
            var objective = new ConvexCase.Custom(2, 3, _ => 1, plan => plan) { Step = step };
            Assert.Contains(
                "LargestStep",
                Assert.Throws<ArgumentException>(() => new ConvexProblem(objective, s_two, s_three)).Message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void Options_out_of_range_throw_at_once()
    {
        static void Refused(MirrorSinkhornOptions options) =>
            Assert.ThrowsAny<ArgumentException>(() => new MirrorSinkhorn(options));
        Refused(new() { MaxIterations = -1 });
        Refused(new() { GradientBound = 0 });
        Refused(new() { GradientBound = double.NaN });
        Refused(new() { CertificateEvery = -1 });
        Refused(new() { GapTolerance = -1 });
        Refused(new() { GapTolerance = double.NaN });
        Refused(new() { Step = (StepRule)7 });
        Refused(new() { Averaging = (Averaging)7 });
    }

    [Fact]
    public void Other_linear_problems_are_refused_with_a_name()
    {
        var problem = new LinearProblem(s_costs, s_two, s_three) { Regularizer = Regularizer.Entropy() };
        Assert.False(MirrorSinkhorn.Supports(problem));
        Assert.Contains(
            "Sinkhorn",
            Assert.Throws<NotSupportedException>(() => new MirrorSinkhorn().Solve(problem)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<NotSupportedException>(() =>
            new MirrorSinkhorn().Solve(
                new LinearProblem(s_costs, s_two, s_three) { PenaltyA = MarginalPenalty.KullbackLeibler(1) }
            )
        );
    }

    [Fact]
    public void Progress_is_reported_at_certificates()
    {
        var reports = new List<SolverProgress>();
        MirrorSinkhornOptions options = new()
        {
            MaxIterations = 100,
            CertificateEvery = 25,
            GapTolerance = 0,
            Progress = new Immediate(reports.Add),
        };
        MirrorSinkhornResult result = new ConvexProblem(TransportObjective.Linear(s_costs), s_two, s_three).Solve(options);
        Assert.Equal([25, 50, 75, 100], reports.Select(report => report.Iteration));
        Assert.Equal(4, result.Errors.Length);
        TransportResult free = new MirrorSinkhorn(options).Solve(new LinearProblem(s_costs, s_two, s_three));
        Assert.Equal(4, free.Errors.Length);
        for (int k = 0; k < 4; k++)
            Assert.Equal(result.Errors[k], free.Errors[k], 1e-12);
    }

    sealed class Immediate(Action<SolverProgress> report) : IProgress<SolverProgress>
    {
        public void Report(SolverProgress value) => report(value);
    }
}
