using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Convex;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Convex;

/// <summary>The right iterates and the right answers.</summary>
public class MirrorSinkhornTests
{
    static readonly double[] s_a = [.3, .4, .1, .1, .1];
    static readonly double[] s_b = [.4, .5, .1];
    static readonly CostMatrix s_costs = new(5, 3, [.1, .2, .3, .2, .3, .4, .4, .3, .2, .3, .2, .1, .5, .5, .4]);

    static ConvexProblem Small(TransportObjective objective) => new(objective, Measure.Of(s_a), Measure.Of(s_b));

    static double Exact(Geometry costs, Measure a, Measure b) =>
        new NetworkSimplex().Solve(new LinearProblem(costs, a, b)).TransportCost;

    [Theory]
    [InlineData(1, null)]
    [InlineData(2, null)]
    [InlineData(37, null)]
    [InlineData(60, 0.7)]
    public void Iterates_and_average_are_those_of_the_naive_loop(int iterations, double? bound)
    {
        ConvexProblem problem = Small(TransportObjective.Quadratic(s_costs, 0.8));
        MirrorSinkhornResult result = problem.Solve(ConvexCase.Plain with { MaxIterations = iterations, GradientBound = bound });
        (double[,] last, double[,] average) = ConvexOracles.MirrorSinkhorn(
            s_a,
            s_b,
            plan =>
            {
                var g = new double[5, 3];
                for (int i = 0; i < 5; i++)
                {
                    for (int j = 0; j < 3; j++)
                        g[i, j] = s_costs.Cost(i, j) + (0.8 * plan[i, j]);
                }
                return g;
            },
            iterations,
            bound
        );
        Approx.Equal(Matrix.From(last).Values, result.LastIterate.ToDense().Values, 1e-14 * iterations, "last iterate");
        Approx.Equal(Matrix.From(average).Values, result.AveragePlan.ToDense().Values, 1e-14 * iterations, "average");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(31)]
    [InlineData(100)]
    public void The_form_without_a_table_has_the_same_iterates(int iterations)
    {
        var linear = new LinearProblem(s_costs, Measure.Of(s_a), Measure.Of(s_b));
        MirrorSinkhornOptions options = ConvexCase.Plain with { MaxIterations = iterations };
        TransportResult free = new MirrorSinkhorn(options).Solve(linear);
        MirrorSinkhornResult dense = Small(TransportObjective.Linear(s_costs)).Solve(options);
        var iterate = new PotentialPlan(s_costs, linear.A, linear.B, free.Potentials!, free.Epsilon);
        Approx.AtMost(Approx.PlanDistance(dense.LastIterate, iterate), 1e-10, "distance of the two forms");
    }

    /// <summary>Points, never a table: memory of this thread stays far below one.</summary>
    [Fact]
    public void Linear_problems_between_points_need_no_table()
    {
        const int n = 3000;
        var random = new SeededRandom(5);
        Matrix Points()
        {
            var points = new double[2 * n];
            for (int k = 0; k < points.Length; k++)
                points[k] = random.NextDouble();
            return new Matrix(n, 2, points);
        }
        var problem = new LinearProblem(new PointCloud(Points(), Points()), Measure.Uniform(n), Measure.Uniform(n));
        long before = GC.GetAllocatedBytesForCurrentThread();
        TransportResult result = new MirrorSinkhorn(ConvexCase.Plain with { MaxIterations = 6 }).Solve(problem);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (long)sizeof(double) * n * n / 4);
        Assert.Equal(SolverStatus.IterationLimit, result.Status);
        Assert.InRange(result.MarginalError, 0, 1e-12);
        Assert.IsType<RoundedPlan>(result.Plan);
    }

    [Fact]
    public void Long_linear_runs_approach_the_exact_value_within_their_bound()
    {
        CostMatrix costs = ConvexCase.UniformCosts(40, 40, 3);
        Measure a = Measure.Uniform(40);
        double exact = Exact(costs, a, a);
        foreach (int iterations in (int[])[100, 1000, 4000])
        {
            MirrorSinkhornResult result = new ConvexProblem(TransportObjective.Linear(costs), a, a).Solve(
                ConvexCase.Plain with
                {
                    MaxIterations = iterations,
                }
            );
            ConvexCase.CheckFeasible(result, exact);
            // The rate of the theory with a constant of 5; B is the spread, at most 1.
            double rate = 5 * Math.Sqrt(2 * Math.Log(40) / iterations);
            Assert.InRange(result.Value - exact, -1e-14, rate);
            Assert.InRange(result.Gap!.Value, 0, rate);
            // The last certificate's linear minimum is exact, so the gap of a linear objective is all suboptimality.
            Assert.Equal(exact, result.LowerBound!.Value, 1e-12);
        }
    }

    /// <summary>P̄'s violation and cost fall as measured by an independent implementation of the same method: 1.9e-2 to 6.9e-3, 0.0740 to 0.0587 on another instance of this kind.</summary>
    [Fact]
    public void The_average_settles_as_it_should()
    {
        CostMatrix costs = ConvexCase.UniformCosts(30, 30, 1);
        var problem = new ConvexProblem(TransportObjective.Linear(costs), Measure.Uniform(30), Measure.Uniform(30));
        double[] errors = [.. ((int[])[150, 1500]).Select(t => ErrorOf(problem, t))];
        Assert.InRange(errors[0], 0.005, 0.05);
        Assert.InRange(errors[1], 0.001, errors[0] / 2);

        static double ErrorOf(ConvexProblem problem, int iterations)
        {
            TransportPlan average = problem.Solve(ConvexCase.Plain with { MaxIterations = iterations }).AveragePlan;
            (double[] rows, double[] columns) = average.Marginals();
            return rows.Sum(r => Math.Abs(r - (1.0 / 30))) + columns.Sum(c => Math.Abs(c - (1.0 / 30)));
        }
    }

    [Fact]
    public void A_constant_step_and_one_gradient_are_plain_Sinkhorn()
    {
        // A gradient once, then zeros: the steps after the first are rescalings of exp(−η C) alone.
        var online = new OnlineMirrorSinkhorn(Measure.Of(s_a), Measure.Of(s_b), gradientBound: 1);
        double[] costs = [.. CostMatrix.From(s_costs).Doubles!];
        online.Step(costs);
        double eta = Math.Min(1, Math.Sqrt(-Math.Log(0.1) - Math.Log(0.1)));
        for (int t = 0; t < 400; t++)
            online.Step(new double[15]);
        TransportResult sinkhorn = Oracles.Sinkhorn(
            new LinearProblem(s_costs, Measure.Of(s_a), Measure.Of(s_b))
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(1 / eta)),
            }
        );
        Approx.Equal(sinkhorn.Plan.ToDense().Values, online.Current, 1e-10, "plan");
    }

    [Fact]
    public void The_constant_rule_takes_steps_of_its_formula()
    {
        MirrorSinkhornResult result = Small(TransportObjective.Linear(s_costs))
            .Solve(ConvexCase.Plain with { MaxIterations = 50, Step = StepRule.Constant });
        double entropy = Math.Min(-s_a.Sum(w => w * Math.Log(w)), -s_b.Sum(w => w * Math.Log(w)));
        double eta = Math.Min(1, Math.Sqrt(2 * entropy / 50)) / 0.4;
        // log P_ij + log P_kl − log P_il − log P_kj = −S (C_ij + C_kl − C_il − C_kj)
        Matrix p = result.LastIterate.ToDense();
        double cross = Math.Log(p[0, 0] * p[3, 2] / (p[0, 2] * p[3, 0]));
        Assert.Equal(-50 * eta * (0.1 + 0.1 - 0.3 - 0.3), cross, 1e-10);
    }

    [Fact]
    public void Averages_are_what_they_say()
    {
        ConvexProblem problem = Small(TransportObjective.Linear(s_costs));
        var iterates = new List<double[]>();
        var online = new OnlineMirrorSinkhorn(problem.A, problem.B);
        double[] costs = [.. s_costs.Doubles!];
        iterates.Add([.. online.Current]);
        for (int t = 0; t < 10; t++)
        {
            online.Step(costs);
            iterates.Add([.. online.Current]);
        }
        double delta = 2 * -Math.Log(0.1);
        double[] eta = [.. Enumerable.Range(1, 10).Select(t => Math.Min(1, Math.Sqrt(delta / t)) / 0.4)];
        MirrorSinkhornOptions options = ConvexCase.Plain with { MaxIterations = 10 };
        Check(Averaging.Uniform, t => 1);
        Check(Averaging.StepWeighted, t => t < 10 ? eta[t] : 0);
        Check(Averaging.Suffix, t => t >= 6 ? 1 : 0);

        void Check(Averaging averaging, Func<int, double> weight)
        {
            double[] average = [.. problem.Solve(options with { Averaging = averaging }).AveragePlan.ToDense().Values];
            for (int k = 0; k < average.Length; k++)
            {
                double expected =
                    Enumerable.Range(0, 11).Sum(t => weight(t) * iterates[t][k]) / Enumerable.Range(0, 11).Sum(weight);
                Assert.Equal(expected, average[k], 1e-14);
            }
        }
    }

    /// <summary>Twenty by fifteen, ε = 0.1: published distances of the average from Sinkhorn's plan .068, .013 at T = 1e2, 1e3 on an instance of this kind.</summary>
    [Fact]
    public void The_entropic_objective_converges_to_Sinkhorns_plan()
    {
        CostMatrix costs = ConvexCase.UniformCosts(20, 15, 7);
        (Measure a, Measure b) = (Measure.Uniform(20), Measure.Uniform(15));
        TransportResult sinkhorn = Oracles.Sinkhorn(
            new LinearProblem(costs, a, b) { Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)) }
        );
        var problem = new ConvexProblem(TransportObjective.Entropic(costs, a, b, Epsilon.Absolute(0.1)), a, b);
        double[] distances =
        [
            .. ((int[])[100, 1000]).Select(t =>
                Approx.PlanDistance(sinkhorn.Plan, problem.Solve(ConvexCase.Plain with { MaxIterations = t }).AveragePlan)
            ),
        ];
        Assert.InRange(distances[0], 0, 0.2);
        Assert.InRange(distances[1], 0, distances[0] / 3);
        MirrorSinkhornResult result = problem.Solve(ConvexCase.Plain with { MaxIterations = 1000 });
        ConvexCase.CheckFeasible(result, sinkhorn.Value);
        Assert.InRange(result.Value - sinkhorn.Value, 0, 1e-3);
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(1)]
    [InlineData(1000)]
    public void Entropy_of_any_strength_is_bounded_by_its_optimum(double epsilon)
    {
        (Measure a, Measure b) = (Measure.Of(s_a), Measure.Of(s_b));
        double optimum = Oracles
            .Sinkhorn(new LinearProblem(s_costs, a, b) { Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)) })
            .Value;
        MirrorSinkhornResult result = Small(TransportObjective.Entropic(s_costs, a, b, Epsilon.Absolute(epsilon))).Solve();
        ConvexCase.CheckFeasible(result, optimum, size: epsilon);
        Assert.Equal(SolverStatus.Converged, result.Status);
    }

    [Fact]
    public void The_quadratic_objective_agrees_with_dual_ascent()
    {
        CostMatrix costs = ConvexCase.UniformCosts(12, 9, 4);
        double[] a = [.. Enumerable.Repeat(1.0 / 12, 12)],
            b = [.. Enumerable.Repeat(1.0 / 9, 9)];
        TransportObjective objective = TransportObjective.Quadratic(costs, 2);
        double optimum = objective.Value(Matrix.From(ConvexOracles.QuadraticPlan(costs, a, b, 2)).Values);
        MirrorSinkhornResult result = new ConvexProblem(objective, Measure.Of(a), Measure.Of(b)).Solve(
            ConvexCase.Plain with
            {
                MaxIterations = 4000,
            }
        );
        // The oracle's plan misses its marginals by 1e-10, and its value by as much.
        Assert.InRange(result.LowerBound!.Value, optimum - 0.01, optimum + 1e-9);
        Assert.InRange(result.Value, optimum - 1e-9, optimum + 2e-3);
        ConvexCase.CheckFeasible(result);
    }

    [Fact]
    public void Sums_of_objectives_and_group_norms_have_valid_bounds()
    {
        TransportObjective sum = TransportObjective.Sum(
            (1, TransportObjective.Linear(s_costs)),
            (0.5, TransportObjective.GroupLasso([0, 0, 1, 1, 1], 3, 0.2)),
            (2, TransportObjective.Quadratic(s_costs, 0.1))
        );
        MirrorSinkhornResult rough = Small(sum).Solve(ConvexCase.Plain with { MaxIterations = 50 });
        MirrorSinkhornResult fine = Small(sum).Solve(ConvexCase.Plain with { MaxIterations = 5000 });
        ConvexCase.CheckFeasible(rough);
        ConvexCase.CheckFeasible(fine);
        Assert.InRange(fine.Gap!.Value, 0, 0.01);
        // Whatever plan is found, no bound is above it.
        Assert.True(rough.LowerBound <= fine.Value && fine.LowerBound <= rough.Value);
    }

    [Fact]
    public void An_objective_that_is_not_convex_runs_without_a_bound()
    {
        var x = Matrix.From(
            new double[,]
            {
                { 1, .5 },
                { .5, 1 },
            }
        );
        var uniform = Measure.Uniform(2);
        TransportObjective kernels = TransportObjective.NegativeInner(x, x);
        Assert.False(kernels.IsConvex);
        MirrorSinkhornResult result = new ConvexProblem(kernels, uniform, Measure.Of([0.4, 0.6])).Solve();
        Assert.Null(result.LowerBound);
        Assert.Null(result.Gap);
        Assert.Equal(SolverStatus.IterationLimit, result.Status);
        Assert.Contains("not convex", result.Message, StringComparison.Ordinal);
        Assert.True(double.IsFinite(result.Value));
    }

    /// <summary>The mean over seeds of a noisy run's value is no worse than the deterministic bound, within three standard errors.</summary>
    [Fact]
    public void Noise_averages_out()
    {
        const int seeds = 100;
        CostMatrix costs = ConvexCase.UniformCosts(8, 8, 2);
        Measure a = Measure.Uniform(8);
        double exact = Exact(costs, a, a);
        const double sigma = 0.1,
            b = 1 + (6 * sigma);
        double[] values = [.. Enumerable.Range(0, seeds).Select(seed => Noisy(costs, a, sigma, b, (ulong)seed).Value)];
        double mean = values.Average();
        double standard = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (seeds - 1) / seeds);
        // K_1 ≤ log n; Σ η (F − F*) ≤ K_1 + (B²/2) Σ η² e^{η B}, and rounding moves F by at most 2 B times the violation, taken from the same bound.
        double delta = 2 * Math.Log(8);
        double[] eta = [.. Enumerable.Range(1, 300).Select(t => Math.Min(1, Math.Sqrt(delta / t)) / b)];
        double right = Math.Log(8) + (b * b / 2 * eta.Sum(e => e * e * Math.Exp(e * b)));
        double bound = (right / eta.Sum()) + (2 * b * Math.Sqrt(2 * right / 300));
        Assert.InRange(mean - exact, 0, bound + (3 * standard));
        Assert.InRange(mean - exact, 0, 0.1);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bits_and_another_one_others()
    {
        CostMatrix costs = ConvexCase.UniformCosts(6, 7, 2);
        MirrorSinkhornResult first = Noisy(costs, Measure.Uniform(6), 0.3, 3, 5, Measure.Uniform(7)),
            second = Noisy(costs, Measure.Uniform(6), 0.3, 3, 5, Measure.Uniform(7)),
            other = Noisy(costs, Measure.Uniform(6), 0.3, 3, 6, Measure.Uniform(7));
        Assert.Equal(first.Plan.ToDense().Values, second.Plan.ToDense().Values);
        Assert.Equal(first.Value, second.Value);
        Assert.NotEqual(first.Value, other.Value);
    }

    static MirrorSinkhornResult Noisy(CostMatrix costs, Measure a, double sigma, double bound, ulong seed, Measure? b = null)
    {
        TransportObjective linear = TransportObjective.Linear(costs);
        TransportObjective noisy = TransportObjective.Sampled(
            linear,
            (plan, gradient, random) =>
            {
                linear.Gradient(plan, gradient);
                foreach (ref double value in gradient)
                    value += sigma * random.NextNormal();
            }
        );
        return new ConvexProblem(noisy, a, b ?? a).Solve(
            ConvexCase.Plain with
            {
                MaxIterations = 300,
                GradientBound = bound,
                Seed = seed,
            }
        );
    }

    /// <summary>A run whose gap closes stops there, and says so; the gap is checked again by a certificate.</summary>
    [Fact]
    public void Converges_at_the_gap_asked_for()
    {
        MirrorSinkhornOptions options = new() { GapTolerance = 0.02, MaxIterations = 100_000 };
        ConvexProblem problem = Small(TransportObjective.Linear(s_costs));
        MirrorSinkhornResult dense = problem.Solve(options);
        Assert.Equal(SolverStatus.Converged, dense.Status);
        Assert.InRange(dense.Gap!.Value, 0, 0.02 * 0.4);
        Assert.Equal(0, dense.Iterations % 50);
        Assert.NotEmpty(dense.Errors);
        TransportResult free = new MirrorSinkhorn(options).Solve(new LinearProblem(s_costs, problem.A, problem.B));
        Assert.Equal(SolverStatus.Converged, free.Status);
        Assert.InRange(free.Certify().Gap!.Value, 0, 0.02 * 0.4);
        Assert.Equal(0.23, free.TransportCost, 0.02 * 0.4);
    }

    [Fact]
    public void The_iteration_allocates_nothing_once_it_runs()
    {
        ConvexProblem problem = Small(TransportObjective.Quadratic(s_costs, 1));
        long Bytes(int iterations)
        {
            MirrorSinkhornOptions options = ConvexCase.Plain with { MaxIterations = iterations };
            problem.Solve(options);
            long before = GC.GetAllocatedBytesForCurrentThread();
            problem.Solve(options);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        // The last certificate's exact solve depends on the plan, by a few hundred bytes.
        Assert.InRange(Bytes(2100) - Bytes(100), -8192, 8192);
    }
}
