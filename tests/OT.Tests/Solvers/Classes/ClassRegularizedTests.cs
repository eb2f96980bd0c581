using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Classes;

public class ClassRegularizedTests
{
    delegate ClassRegularizedResult Solver(LinearProblem problem, int[] labels, ClassRegularizedOptions options);

    static ClassRegularizedResult LpL1(LinearProblem problem, int[] labels, ClassRegularizedOptions options) =>
        new LpL1(options).Solve(problem, labels);

    static ClassRegularizedResult GroupLasso(LinearProblem problem, int[] labels, ClassRegularizedOptions options) =>
        new EntropicGroupLasso(options).Solve(problem, labels);

    static readonly Solver[] s_both = [LpL1, GroupLasso];

    static int[] Labels(TransportCase value)
    {
        var random = new SeededRandom(value.Seed + 77);
        return
        [
            .. Enumerable
                .Range(0, value.Rows)
                .Select(_ => (3 * random.NextInt(3)) - (random.NextInt(5) == 0 ? 1 : 0))
                .Select(l => Math.Max(-1, l)),
        ];
    }

    static ClassRegularizedOptions Strong(LinearProblem problem) =>
        new()
        {
            Eta = Approx.CostScale(problem.Geometry),
            Tolerance = 1e-8,
            InnerIterations = 10_000,
        };

    /// <summary>POT #194, #311, #314: kernels that underflow, logarithms of negative entries, divisions by empty classes.</summary>
    [Fact]
    public void ClassRegularisedStaysNonNegative() =>
        Law.Check(
            Cases.Any(9),
            value =>
            {
                LinearProblem problem = value.Entropic();
                foreach (Solver solver in s_both)
                {
                    ClassRegularizedResult result = solver(problem, Labels(value), Strong(problem));
                    foreach (double mass in result.Plan.ToDense().Values)
                    {
                        if (!(mass >= 0 && double.IsFinite(mass)))
                            throw new LawViolatedException($"A mass of {mass:R}.");
                    }
                    if (result.Status is SolverStatus.Converged or SolverStatus.IterationLimit)
                        Approx.AtMost(result.MarginalError, 1e-6, $"marginal error, {result.Status}");
                }
            },
            quickCount: 40,
            fullCount: 1000
        );

    [Fact]
    public void A_tiny_epsilon_and_labels_of_weight_zero_are_no_trouble()
    {
        var value = new TransportCase(12, 10, 4, CaseKind.ZeroWeights);
        LinearProblem exact = value.Exact(),
            problem = exact with { Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(1e-4)) };
        int[] labels = [.. Enumerable.Range(0, 12).Select(i => problem.A.Weights[i] == 0 ? 7 : i % 2)];
        foreach (Solver solver in s_both)
        {
            ClassRegularizedResult result = solver(problem, labels, Strong(problem));
            Assert.True(result.Converged || result.Status == SolverStatus.IterationLimit, $"{result.Status} {result.Message}");
            Assert.True(result.Plan.ToDense().Values.ToArray().All(mass => mass >= 0));
            Assert.InRange(result.MarginalError, 0, 1e-6);
        }
    }

    [Fact]
    public void Without_strength_or_labels_both_are_Sinkhorn() =>
        Law.Check(
            Cases.AllPairsAllowed(8),
            value =>
            {
                LinearProblem problem = value.Entropic();
                double expected = new Sinkhorn(new() { Tolerance = 1e-9 }).Solve(problem).Value,
                    scale = Approx.CostScale(problem.Geometry);
                int[] none = [.. Enumerable.Repeat(-1, value.Rows)];
                foreach (Solver solver in s_both)
                {
                    ClassRegularizedResult off = solver(problem, Labels(value), new() { Eta = 0, Tolerance = 1e-9 }),
                        unlabelled = solver(problem, none, new() { Eta = scale, Tolerance = 1e-9 });
                    // The value's error is that of the marginals times the potentials, some multiples of the costs.
                    Approx.Equal(expected, off.Value, 1e-7 * scale, "without strength");
                    Approx.Equal(expected, unlabelled.Value, 1e-7 * scale, "without labels");
                }
            },
            quickCount: 25,
            fullCount: 500
        );

    [Fact]
    public void The_objective_never_rises_and_is_that_of_the_plan() =>
        Law.Check(
            Cases.Of(9, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates, CaseKind.SignedCost),
            value =>
            {
                LinearProblem problem = value.Entropic();
                double scale = Approx.CostScale(problem.Geometry);
                int[] labels = Labels(value);
                var options = new ClassRegularizedOptions
                {
                    Eta = 0.3 * scale,
                    Tolerance = 1e-10,
                    Change = 0,
                    InnerIterations = 10_000,
                };
                foreach (Solver solver in s_both)
                {
                    ClassRegularizedResult result = solver(problem, labels, options);
                    for (int k = 1; k < result.Values.Length; k++)
                        Approx.AtMost(result.Values[k], result.Values[k - 1] + (1e-8 * scale), $"value {k}");
                }
                ClassRegularizedResult lasso = GroupLasso(problem, labels, options);
                Approx.Equal(options.Eta * ClassOracles.GroupNorms(lasso.Plan, labels), lasso.ClassValue, 1e-12 * scale, "norms");
            },
            quickCount: 30,
            fullCount: 500
        );

    [Fact]
    public void Names_of_labels_do_not_matter()
    {
        var value = new TransportCase(9, 8, 2, CaseKind.Plain);
        LinearProblem problem = value.Entropic();
        int[] labels = [0, 0, 1, 1, 1, 2, 2, -1, 0],
            renamed = [9, 9, 4, 4, 4, 0, 0, -1, 9];
        foreach (Solver solver in s_both)
        {
            ClassRegularizedOptions options = Strong(problem) with { Eta = 0.1 };
            Approx.Equal(solver(problem, labels, options).Value, solver(problem, renamed, options).Value, 1e-12, "value");
        }
    }

    /// <summary>At a strength that dwarfs the costs each target is served by one class: the classes' masses allow it.</summary>
    [Fact]
    public void A_strong_class_term_gives_each_target_one_class()
    {
        int[] labels = [0, 0, 1, 1];
        var costs = new CostMatrix(4, 2, [0, 0.4, 0.1, 0.3, 0.3, 0, 0.2, 0.1]);
        LinearProblem problem = new(costs, Measure.Uniform(4), Measure.Uniform(2))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.05)),
        };
        ClassRegularizedResult result = LpL1(
            problem,
            labels,
            new()
            {
                Eta = 5,
                MaxIterations = 50,
                Tolerance = 1e-9,
            }
        );
        Matrix plan = result.Plan.ToDense();
        Assert.InRange(plan[2, 0] + plan[3, 0] + plan[0, 1] + plan[1, 1], 0, 1e-6);
    }

    /// <summary>Stopped in its second inner problem, a run answers with the first one's plan, which meets its marginals, and not with one on its way to other costs.</summary>
    [Fact]
    public void A_run_that_is_stopped_keeps_its_last_usable_plan()
    {
        LinearProblem problem = new TransportCase(30, 25, 3, CaseKind.Plain).Entropic();
        int[] labels = [.. Enumerable.Range(0, 30).Select(i => i % 3)];
        foreach (bool lasso in (bool[])[false, true])
        {
            using var source = new CancellationTokenSource();
            ClassRegularizedOptions options = Strong(problem) with { Progress = new Stop(source) };
            ClassRegularizedResult result = lasso
                ? new EntropicGroupLasso(options).Solve(problem, labels, source.Token)
                : new LpL1(options).Solve(problem, labels, source.Token);
            Assert.Equal(SolverStatus.Cancelled, result.Status);
            Assert.InRange(result.MarginalError, 0, 2 * options.Tolerance);
            Approx.Equal(Assert.Single(result.Values), result.Value, 1e-12 * Math.Abs(result.Value), "value");
            double cost = 0;
            Matrix plan = result.Plan.ToDense();
            for (int i = 0; i < 30; i++)
            {
                for (int j = 0; j < 25; j++)
                    cost += plan[i, j] * problem.Geometry.Cost(i, j);
            }
            Approx.Equal(cost, result.TransportCost, 1e-10 * Approx.CostScale(problem.Geometry), "cost");
        }
    }

    sealed class Stop(CancellationTokenSource source) : IProgress<OT.Solvers.SolverProgress>
    {
        public void Report(OT.Solvers.SolverProgress value) => source.Cancel();
    }

    [Fact]
    public void Wrong_labels_are_named()
    {
        LinearProblem problem = new TransportCase(3, 4, 1, CaseKind.Plain).Entropic();
        foreach (Solver solver in s_both)
        {
            ArgumentException few = Assert.Throws<ArgumentException>(() => solver(problem, [0, 1], new()));
            Assert.Contains("2 labels for 3 bins", few.Message, StringComparison.Ordinal);
            ArgumentException low = Assert.Throws<ArgumentException>(() => solver(problem, [0, -2, 1], new()));
            Assert.Contains("labels[1] is -2", low.Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentException>(() => solver(problem, [], new()));
            Assert.Throws<NotSupportedException>(() => solver(problem with { Regularizer = Regularizer.None }, [0, 1, 1], new()));
            Assert.Throws<ArgumentOutOfRangeException>(() => solver(problem, [0, 1, 1], new() { Eta = -1 }));
        }
    }
}
