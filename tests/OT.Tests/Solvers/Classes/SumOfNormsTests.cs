using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Classes;

public class SumOfNormsTests
{
    static readonly CostMatrix s_costs = new(2, 2, [0, 1, 1, 0]);
    static readonly Measure s_half = Measure.Uniform(2);

    static LinearProblem TwoByTwo(double lambda) =>
        new(s_costs, s_half, s_half)
        {
            Regularizer = Regularizer.SumOfNorms(lambda, PairWeights.Complete(2), PairWeights.None(2)),
        };

    /// <summary>
    /// Plans of two equal pairs are (t, ½ − t; ½ − t, t): the cost is 1 − 2t, the rows differ by √2 |2t − ½|, and the sum is least at t = ½ for λ below ½√2, else at t = ¼.
    /// </summary>
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.7)]
    [InlineData(0.71)]
    [InlineData(3)]
    public void Two_by_two_has_a_closed_form(double lambda)
    {
        SumOfNormsResult result = FusionCase.Solve(TwoByTwo(lambda), 1e-9);
        double expected = Math.Min(lambda * Math.Sqrt(2) / 2, 0.5);
        Assert.Equal(SolverStatus.Converged, result.Status);
        Assert.Equal(expected, result.Value, 2e-9 * expected);
        Assert.Equal(lambda < Math.Sqrt(0.5) ? 2 : 1, result.RowClusters.Distinct().Count());
    }

    [Fact]
    public void One_bin_on_a_side_leaves_no_choice()
    {
        var random = new SeededRandom(1);
        foreach ((int n, int m) in ((int, int)[])[(1, 1), (1, 5), (5, 1)])
        {
            double[] costs = [.. Enumerable.Range(0, n * m).Select(_ => random.NextNormal())];
            LinearProblem problem = new(new CostMatrix(n, m, costs), Measure.Uniform(n), Measure.Uniform(m))
            {
                Regularizer = Regularizer.SumOfNorms(0.3, PairWeights.Complete(n), PairWeights.Complete(m)),
            };
            SumOfNormsResult result = FusionCase.Solve(problem);
            FusionCase.Check(result);
            Assert.True(result.Converged, result.Message);
            Assert.Equal(costs.Average(), result.Value, 1e-12);
        }
    }

    [Fact]
    public void Copies_of_a_point_share_a_row()
    {
        var random = new SeededRandom(3);
        double[] points = [.. Enumerable.Range(0, 12).Select(_ => random.NextDouble())];
        (points[2], points[3]) = (points[0], points[1]);
        var x = new Matrix(6, 2, points);
        var y = new Matrix(5, 2, [.. Enumerable.Range(0, 10).Select(_ => random.NextDouble())]);
        LinearProblem problem = new(new PointCloud(x, y), Measure.Uniform(x), Measure.Uniform(y))
        {
            Regularizer = Regularizer.SumOfNorms(1e-3, PairWeights.Of(6, new WeightedPair(0, 1, 1)), PairWeights.None(5)),
        };
        SumOfNormsResult result = FusionCase.Solve(problem, 1e-9);
        Assert.Equal(result.RowClusters[0], result.RowClusters[1]);
        double[] first = new double[5],
            second = new double[5];
        result.Plan.Row(0, first);
        result.Plan.Row(1, second);
        Approx.Equal(first, second, 1e-6, "the row of the copy");
        // The rows of the exact plan are made equal at no cost: the penalty is zero.
        Assert.InRange(result.Penalty, 0, 1e-9);
    }

    /// <summary>Two blobs a side: where pairs are within blobs, rows and columns are equal from the certified λ on, and the classes are the blobs.</summary>
    [Fact]
    public void Blobs_are_recovered_exactly_where_that_is_certified()
    {
        (LinearProblem problem, int[] sources, int[] targets) = Blobs(PairWeights.FromLabels);
        var report = RecoveryReport.Of(problem, sources, targets);
        Assert.True(double.IsFinite(report.SufficientLambda));
        SumOfNormsResult result = FusionCase.Solve(WithLambda(problem, report.SufficientLambda * 1.01), 1e-9);
        Assert.Equal(sources, result.RowClusters);
        Assert.Equal(targets, result.ColumnClusters);
        double spread = 0;
        Matrix plan = result.Plan.ToDense();
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 8; j++)
                spread = Math.Max(spread, Math.Abs(plan[i, j] - plan[sources[i] * 3, targets[j] * 4]));
        }
        Assert.InRange(spread, 0, 1e-9);
    }

    /// <summary>The same among all pairs: blobs stay apart below the λ at which they merge.</summary>
    [Fact]
    public void Blobs_among_all_pairs_are_recovered_between_the_two_bounds()
    {
        (LinearProblem problem, int[] sources, int[] targets) = Blobs(labels =>
        {
            int[] copy = labels.ToArray();
            return PairWeights.Of(
                copy.Length,
                [
                    .. PairWeights
                        .Complete(copy.Length)
                        .Pairs.Select(p => p with { Weight = copy[p.First] == copy[p.Second] ? 1 : 0.02 }),
                ]
            );
        });
        var report = RecoveryReport.Of(problem, sources, targets);
        Assert.True(report.SufficientLambda < report.MergingLambda, $"{report}");
        double between = Math.Sqrt(report.SufficientLambda * report.MergingLambda);
        SumOfNormsResult result = FusionCase.Solve(WithLambda(problem, between), 1e-9);
        Assert.Equal(sources, result.RowClusters);
        Assert.Equal(targets, result.ColumnClusters);
        SumOfNormsResult merged = FusionCase.Solve(WithLambda(problem, report.MergingLambda * 1.05), 1e-9);
        Assert.True(merged.RowClusters.Max() == 0 || merged.ColumnClusters.Max() == 0);
    }

    static LinearProblem WithLambda(LinearProblem problem, double lambda)
    {
        var old = (SumOfNormsRegularizer)problem.Regularizer;
        return problem with { Regularizer = Regularizer.SumOfNorms(lambda, old.Rows, old.Columns) };
    }

    delegate PairWeights Weights(ReadOnlySpan<int> labels);

    static (LinearProblem Problem, int[] Sources, int[] Targets) Blobs(Weights weights)
    {
        var random = new SeededRandom(8);
        int[] sources = [0, 0, 0, 1, 1, 1],
            targets = [0, 0, 0, 0, 1, 1, 1, 1];
        Matrix Points(int[] labels, double shift) =>
            new(labels.Length, 1, Array.ConvertAll(labels, label => (10.0 * label) + shift + (0.1 * random.NextNormal())));
        Matrix x = Points(sources, 0),
            y = Points(targets, 1);
        LinearProblem problem = new(new PointCloud(x, y), Measure.Uniform(x), Measure.Uniform(y))
        {
            Regularizer = Regularizer.SumOfNorms(1, weights(sources), weights(targets)),
        };
        return (problem, sources, targets);
    }

    [Fact]
    public void A_path_gives_the_answers_of_single_solves()
    {
        LinearProblem problem = FusionCase.Of(new TransportCase(8, 7, 5, CaseKind.Plain));
        double top = SumOfNorms.LambdaMax(problem);
        double[] lambdas = [top, top / 3, top / 10, 0, top / 30];
        var solver = new SumOfNorms();
        int at = 0;
        foreach (SumOfNormsResult result in solver.Path(problem, lambdas))
        {
            FusionCase.Check(result);
            Assert.True(result.Converged);
            var old = (SumOfNormsRegularizer)problem.Regularizer;
            SumOfNormsResult single = solver.Solve(
                problem with
                {
                    Regularizer = new SumOfNormsRegularizer(lambdas[at++], old.Rows, old.Columns)
                    {
                        NormalizesByMass = old.NormalizesByMass,
                    },
                }
            );
            Assert.Equal(single.Value, result.Value, 2e-6 * single.Value);
        }
        Assert.Equal(lambdas.Length, at);
    }

    [Fact]
    public void The_same_bits_for_any_number_of_threads()
    {
        LinearProblem problem = FusionCase.Of(new TransportCase(90, 80, 7, CaseKind.Plain), 0.1);
        SumOfNormsResult Solve(int threads) =>
            new SumOfNorms(
                new()
                {
                    Threads = threads,
                    MaxIterations = 100,
                    RelativeGap = 1e-12,
                }
            ).Solve(problem);
        SumOfNormsResult one = Solve(1),
            three = Solve(3);
        Assert.Equal(one.Value, three.Value);
        Assert.Equal(one.LowerBound, three.LowerBound);
        Assert.Equal(one.Plan.ToDense().Values.ToArray(), three.Plan.ToDense().Values.ToArray());
    }

    [Fact]
    public void A_bound_is_honest_after_few_iterations()
    {
        LinearProblem problem = FusionCase.Of(new TransportCase(20, 18, 7, CaseKind.Plain), 0.1);
        double best = FusionCase.Solve(problem, 1e-8).Value;
        foreach (SumOfNormsAlgorithm algorithm in Enum.GetValues<SumOfNormsAlgorithm>())
        {
            foreach (int iterations in (int[])[0, 1, 2, 7, 30])
            {
                SumOfNormsResult result = new SumOfNorms(
                    new()
                    {
                        Algorithm = algorithm,
                        MaxIterations = iterations,
                        RelativeGap = 1e-12,
                    }
                ).Solve(problem);
                FusionCase.Check(result);
                Assert.Equal(SolverStatus.IterationLimit, result.Status);
                Assert.InRange(best, result.LowerBound, result.Value + (1e-7 * best));
            }
        }
    }

    [Fact]
    public void Limits_are_statuses()
    {
        LinearProblem problem = FusionCase.Of(new TransportCase(20, 18, 7, CaseKind.Plain), 0.1);
        SumOfNormsResult late = new SumOfNorms(new() { TimeLimit = TimeSpan.Zero }).Solve(problem);
        Assert.Equal(SolverStatus.TimeLimit, late.Status);
        FusionCase.Check(late);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Equal(SolverStatus.Cancelled, new SumOfNorms().Solve(problem, source.Token).Status);
        int looks = 0;
        using var later = new CancellationTokenSource();
        SumOfNormsResult cancelled = new SumOfNorms(
            new()
            {
                RelativeGap = 1e-15,
                Progress = new Hook(_ =>
                {
                    if (++looks == 2)
                        later.Cancel();
                }),
            }
        ).Solve(problem, later.Token);
        Assert.Equal(SolverStatus.Cancelled, cancelled.Status);
        FusionCase.Check(cancelled);
    }

    sealed class Hook(Action<OT.Solvers.SolverProgress> action) : IProgress<OT.Solvers.SolverProgress>
    {
        public void Report(OT.Solvers.SolverProgress value) => action(value);
    }

    [Fact]
    public void No_plan_is_a_status_that_says_why()
    {
        LinearProblem unequal = TwoByTwo(1) with { };
        unequal = new LinearProblem(s_costs, s_half, Measure.Of([1.0, 1.0])) { Regularizer = unequal.Regularizer };
        SumOfNormsResult masses = new SumOfNorms().Solve(unequal);
        Assert.Equal(SolverStatus.Infeasible, masses.Status);
        Assert.Contains("mass", masses.Message, StringComparison.Ordinal);
        LinearProblem closed = new(new CostMatrix(2, 2, [double.PositiveInfinity, double.PositiveInfinity, 1, 1]), s_half, s_half)
        {
            Regularizer = TwoByTwo(1).Regularizer,
        };
        SumOfNormsResult forbidden = new SumOfNorms().Solve(closed);
        Assert.Equal(SolverStatus.Infeasible, forbidden.Status);
        Assert.NotEmpty(forbidden.Message);
        Assert.Throws<InvalidOperationException>(forbidden.Certify);
    }

    [Fact]
    public void Wrong_arguments_are_named()
    {
        var solver = new SumOfNorms();
        Assert.Throws<NotSupportedException>(() => solver.Solve(new LinearProblem(s_costs, s_half, s_half)));
        Assert.Throws<NotSupportedException>(() =>
            solver.Solve(TwoByTwo(1) with { PenaltyA = MarginalPenalty.KullbackLeibler(1) })
        );
        ArgumentException counts = Assert.Throws<ArgumentException>(() =>
            solver.Solve(
                new LinearProblem(s_costs, s_half, s_half)
                {
                    Regularizer = Regularizer.SumOfNorms(1, PairWeights.Complete(3), PairWeights.None(2)),
                }
            )
        );
        Assert.Contains("3 bins", counts.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            Regularizer.SumOfNorms(double.NaN, PairWeights.None(2), PairWeights.None(2))
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => Regularizer.SumOfNorms(-1, PairWeights.None(2), PairWeights.None(2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SumOfNorms(new() { RelativeGap = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SumOfNorms(new() { Threads = 0 }));
        Assert.Throws<ArgumentException>(() =>
            solver.Solve(FusionCase.Of(new TransportCase(3, 3, 1, CaseKind.Plain)), solver.Solve(TwoByTwo(0.1)))
        );
    }

    /// <summary>Beyond λ_max the plan stays a bᵀ, and the run still converges where λ does not magnify rounding beyond the gap.</summary>
    [Fact]
    public void Lambda_beyond_its_maximum_changes_nothing()
    {
        LinearProblem problem = FusionCase.Of(new TransportCase(9, 8, 21, CaseKind.Plain)) with
        {
            Regularizer = Regularizer.SumOfNorms(1, PairWeights.Complete(9), PairWeights.Complete(8)),
        };
        double top = SumOfNorms.LambdaMax(problem);
        foreach (double factor in (double[])[1, 10, 1e4])
        {
            SumOfNormsResult result = FusionCase.Solve(WithLambda(problem, factor * top));
            Assert.True(result.Converged, $"{factor}: {result.Status}, {result.Iterations} iterations, gap {result.Gap}");
            Assert.Equal(0, result.RowClusters.Max());
            Assert.Equal(0, result.ColumnClusters.Max());
        }
    }

    [Theory]
    [InlineData(1e-200)]
    [InlineData(1e-9)]
    [InlineData(1e9)]
    [InlineData(1e200)]
    public void Any_strength_and_any_scale_of_costs(double factor)
    {
        var value = new TransportCase(6, 5, 11, CaseKind.Plain);
        LinearProblem problem = FusionCase.Of(value, factor);
        FusionCase.Check(FusionCase.Solve(problem));
        double[,] costs = value.Costs();
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 5; j++)
                costs[i, j] *= factor;
        }
        LinearProblem moderate = FusionCase.Of(value, 0.1);
        var old = (SumOfNormsRegularizer)moderate.Regularizer;
        LinearProblem scaled = new(new CostMatrix(costs), problem.A, problem.B)
        {
            Regularizer = new SumOfNormsRegularizer(factor * old.Lambda, old.Rows, old.Columns)
            {
                NormalizesByMass = old.NormalizesByMass,
            },
        };
        double expected = factor * FusionCase.Solve(moderate).Value;
        Assert.Equal(1, FusionCase.Solve(scaled).Value / expected, 3e-6);
    }
}
