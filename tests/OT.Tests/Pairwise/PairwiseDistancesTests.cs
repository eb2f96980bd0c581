using OT.Geometries;
using OT.Numerics;
using OT.Pairwise;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Pairwise;

/// <summary>A matrix of distances is its pairs, one by one.</summary>
public class PairwiseDistancesTests
{
    /// <summary>What one pair gives alone, by the library's front doors.</summary>
    static double Alone(SomeMeasures some, Measure a, Measure b)
    {
        Geometry costs = some.Histograms ? some.Bins() : new PointCloud(a.Points!, b.Points!, some.Ground);
        LinearProblem With(Regularizer regularizer) => new(costs, a, b) { Regularizer = regularizer };
        LinearProblem entropic = With(Regularizer.Entropy(Epsilon.Absolute(SomeMeasures.Eps)));
        return some.Kind switch
        {
            Kind.Cost => Transport.Solve(With(Regularizer.None)).TransportCost,
            Kind.Wasserstein when some.Histograms => Math.Pow(PowerCost(some, a, b), 1 / 1.5),
            Kind.Wasserstein => Transport.Distance(a, b, 1.5),
            Kind.Entropic => new Sinkhorn().Solve(entropic).Value,
            Kind.EntropicCost => new Sinkhorn().Solve(entropic).TransportCost,
            Kind.Divergence => new SinkhornDivergence().Solve(entropic).Value,
            _ => Sliced.Distance(a, b, 2, new SlicedOptions { Projections = 7, Seed = some.Seed }).Distance,
        };
    }

    static double PowerCost(SomeMeasures some, Measure a, Measure b)
    {
        CostMatrix d = some.Bins();
        var powers = new double[d.Rows * d.Columns];
        for (int k = 0; k < powers.Length; k++)
            powers[k] = Math.Pow(d.Cost(k / d.Columns, k % d.Columns), 1.5);
        return new NetworkSimplex().Solve(new LinearProblem(new CostMatrix(d.Rows, d.Columns, powers), a, b)).TransportCost;
    }

    [Fact]
    public void Every_entry_equals_its_pair_alone() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                Measure[] measures = some.Measures();
                PairwiseResult result = new PairwiseDistances().Solve(some.Problem(measures));
                Assert.True(result.Converged, $"{result.Status} {result.Message}");
                for (int i = 0; i < measures.Length; i++)
                {
                    for (int j = i; j < measures.Length; j++)
                    {
                        double alone = Alone(some, measures[i], measures[j]);
                        // Shared terms and powers of distances round otherwise; everything else is the same call.
                        bool rounds = some.Kind == Kind.Divergence || (some.Kind == Kind.Wasserstein && some.Histograms);
                        Assert.Equal(alone, result.Values[i, j], rounds || i == j ? 1e-12 : 0);
                    }
                }
            },
            quickCount: 200,
            fullCount: 2000
        );

    [Fact]
    public void The_matrix_is_symmetric_to_the_last_bit_and_its_diagonal_right() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                PairwiseProblem problem = some.Problem();
                Matrix values = new PairwiseDistances().Solve(problem).Values;
                Assert.True(problem.IsSymmetric);
                bool isZero = some.Kind is not (Kind.Entropic or Kind.EntropicCost);
                Assert.Equal(isZero, problem.HasZeroDiagonal);
                for (int i = 0; i < values.Rows; i++)
                {
                    for (int j = 0; j < values.Rows; j++)
                        Assert.Equal(values[i, j], values[j, i]);
                    Assert.True(!isZero || values[i, i] == 0);
                }
                // The last is the first again: distances between equals are 0 without being put there. Roots double the digits lost.
                if (isZero && values.Rows > 2)
                    Assert.Equal(0, values[0, values.Rows - 1], some.Kind is Kind.Cost or Kind.Divergence ? 0 : 1e-12);
            }
        );

    [Fact]
    public void A_permutation_of_measures_permutes_the_matrix() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                Measure[] measures = some.Measures();
                int[] order = [.. Enumerable.Range(0, measures.Length).Reverse()];
                Matrix straight = new PairwiseDistances().Solve(some.Problem(measures)).Values;
                Matrix permuted = new PairwiseDistances().Solve(some.Problem([.. order.Select(k => measures[k])])).Values;
                // Pairs are solved the other way round: iterations stop elsewhere within the tolerance, optima agree up to rounding.
                double slack = some.Kind is Kind.Entropic or Kind.EntropicCost ? 10 * new PairwiseOptions().Tolerance : 1e-10;
                for (int i = 0; i < order.Length; i++)
                {
                    for (int j = 0; j < order.Length; j++)
                        Assert.Equal(straight[order[i], order[j]], permuted[i, j], slack);
                }
            }
        );

    [Fact]
    public void SameBitsAnyThreadCount() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                PairwiseProblem problem = some.Problem();
                double[] one = Run(1);
                Assert.Equal(one, Run(2));
                Assert.Equal(one, Run(5));
                double[] Run(int threads) => Bits(new PairwiseDistances(new() { Threads = threads }).Solve(problem));
            }
        );

    [Fact]
    public void Two_lists_give_the_block_that_one_list_of_both_has() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                Measure[] measures = some.Measures();
                int split = (measures.Length + 1) / 2;
                Measure[] rows = measures[..split],
                    columns = split < measures.Length ? measures[split..] : measures;
                Matrix block = new PairwiseDistances().Solve(some.Problem(rows, columns)).Values;
                Matrix whole = new PairwiseDistances().Solve(some.Problem(measures)).Values;
                for (int i = 0; i < rows.Length; i++)
                {
                    for (int j = 0; j < columns.Length && split < measures.Length; j++)
                        Assert.Equal(whole[i, split + j], block[i, j]);
                }
                Assert.Equal((rows.Length, columns.Length), (block.Rows, block.Columns));
            }
        );

    [Theory]
    [InlineData(1.0)]
    [InlineData(2.0)]
    public void The_triangle_inequality_holds_for_exact_distances(double p) =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                Measure[] measures = (some with { Histograms = false }).Measures();
                PairwiseProblem problem = PairwiseProblem.OfClouds(PairwiseQuantity.Wasserstein(p), measures);
                Matrix d = new PairwiseDistances().Solve(problem).Values;
                for (int i = 0; i < d.Rows; i++)
                {
                    for (int j = 0; j < d.Rows; j++)
                    {
                        for (int k = 0; k < d.Rows; k++)
                            Assert.True(d[i, k] <= d[i, j] + d[j, k] + 1e-12, $"{d[i, k]} > {d[i, j]} + {d[j, k]}");
                    }
                }
            }
        );

    [Fact]
    public void Parts_are_disjoint_and_together_the_whole() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                PairwiseProblem problem = some.Problem();
                PairwiseResult whole = new PairwiseDistances().Solve(problem);
                const int parts = 3;
                var seen = new List<PairwiseEntry>();
                for (int part = 1; part <= parts; part++)
                {
                    var options = new PairwiseOptions
                    {
                        Part = part,
                        Parts = parts,
                        Finished = seen.Add,
                    };
                    PairwiseResult share = new PairwiseDistances(options).Solve(problem);
                    Assert.True(share.Converged);
                    Assert.Equal(share.Pairs, share.Missing + share.Iterations);
                }
                Assert.Equal(whole.Pairs, seen.Count);
                Assert.Equal(whole.Pairs, seen.Select(entry => (entry.Row, entry.Column)).Distinct().Count());
                PairwiseResult joined = new PairwiseDistances().Solve(problem, seen);
                Assert.Equal(0, joined.Iterations);
                Assert.Equal(Bits(whole), Bits(joined));
            }
        );

    [Fact]
    public void Resume_from_any_entries_equals_straight() =>
        Law.Check(
            SomeMeasures.Any(),
            some =>
            {
                PairwiseProblem problem = some.Problem();
                PairwiseResult straight = new PairwiseDistances().Solve(problem);
                var random = new SeededRandom(some.Seed);
                PairwiseEntry[] known =
                [
                    .. from i in Enumerable.Range(0, straight.Rows)
                    from j in Enumerable.Range(i, straight.Rows - i)
                    where (i != j || !problem.HasZeroDiagonal) && random.NextInt(2) == 0
                    select straight[i, j]!.Value,
                ];
                PairwiseResult resumed = new PairwiseDistances().Solve(problem, known);
                Assert.Equal(straight.Pairs - known.Length, resumed.Iterations);
                Assert.Equal(Bits(straight), Bits(resumed));
            }
        );

    [Theory]
    [InlineData(Kind.Entropic)]
    [InlineData(Kind.Divergence)]
    [InlineData(Kind.Cost)]
    public void Cancellation_keeps_what_is_finished_and_nothing_half_done(Kind kind)
    {
        var some = new SomeMeasures(6, 9, 5, kind, Histograms: false);
        PairwiseProblem problem = some.Problem();
        PairwiseResult straight = new PairwiseDistances().Solve(problem);
        using var stop = new CancellationTokenSource();
        int seen = 0;
        var options = new PairwiseOptions
        {
            Threads = 1,
            Finished = _ =>
            {
                if (++seen == 4)
                    stop.Cancel();
            },
        };
        PairwiseResult cut = new PairwiseDistances(options).Solve(problem, stop.Token);
        Assert.Equal(SolverStatus.Cancelled, cut.Status);
        Assert.Equal((4, straight.Pairs - 4), (cut.Iterations, cut.Missing));
        for (int i = 0; i < cut.Rows; i++)
        {
            for (int j = 0; j < cut.Rows; j++)
                Assert.True(cut[i, j] is null ? double.IsNaN(cut.Values[i, j]) : cut.Values[i, j] == straight.Values[i, j]);
        }
        Assert.Equal(SolverStatus.TimeLimit, new PairwiseDistances(new() { TimeLimit = TimeSpan.Zero }).Solve(problem).Status);
    }

    [Fact]
    public void Pairs_that_do_not_converge_are_counted_and_leave_the_others_alone()
    {
        var some = new SomeMeasures(5, 9, 8, Kind.Entropic, Histograms: false);
        Measure[] measures = some.Measures();
        measures[2] = Measure.Of([2.0], new Matrix(1, 2, [0, 0]));
        PairwiseResult result = new PairwiseDistances().Solve(some.Problem(measures));
        Assert.Equal(SolverStatus.Infeasible, result.Status);
        Assert.Equal(4, result.Count(SolverStatus.Infeasible));
        Assert.Equal(result.Pairs - 4, result.Count(SolverStatus.Converged));
        Assert.True(double.IsNaN(result.Values[2, 3]));
        Assert.InRange(result.WorstError, 0, 1e-6);

        PairwiseProblem hard = (some with { Kind = Kind.EntropicCost }).Problem();
        PairwiseResult stopped = new PairwiseDistances(new() { MaxIterations = 0 }).Solve(hard);
        Assert.Equal(SolverStatus.IterationLimit, stopped.Status);
        Assert.InRange(stopped.Count(SolverStatus.IterationLimit), 1, stopped.Pairs);
        Assert.Equal(0, stopped.Missing);
    }

    [Fact]
    public void A_pair_that_the_solver_refuses_is_named()
    {
        // Two measures within 1e-8 of each other: their costs drown in ε, those of the third do not.
        Measure At(double x) => Measure.Of([1.0], new Matrix(1, 1, [x]));
        PairwiseProblem problem = PairwiseProblem.OfClouds(
            PairwiseQuantity.EntropicValue(Epsilon.Absolute(0.1)),
            [At(0), At(1e-8), At(1)],
            [At(0), At(2)]
        );
        PairwiseResult result = new PairwiseDistances().Solve(problem);
        Assert.Equal((1, 5), (result.Count(SolverStatus.NumericalFailure), result.Count(SolverStatus.Converged)));
        Assert.StartsWith("Pair (1, 0) was refused: Epsilon 0.1", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_relative_epsilon_serves_all_pairs()
    {
        Measure[] measures = new SomeMeasures(4, 6, 3, Kind.Entropic, Histograms: false).Measures();
        PairwiseProblem problem = PairwiseProblem.OfClouds(PairwiseQuantity.EntropicValue(Epsilon.RelativeToMax(0.1)), measures);
        PairwiseResult result = new PairwiseDistances().Solve(problem);
        double largest = measures
            .SelectMany(a => measures.Select(b => new PointCloud(a.Points!, b.Points!).Statistics.Max))
            .Max();
        Assert.Equal(0.1 * largest, result.Epsilon, 1e-15);
        // Also where every entry is known and nothing is left to compute.
        PairwiseEntry[] all =
        [
            .. from i in Enumerable.Range(0, 4) from j in Enumerable.Range(i, 4 - i) select result[i, j]!.Value,
        ];
        Assert.Equal(result.Epsilon, new PairwiseDistances().Solve(problem, all).Epsilon);
    }

    [Fact]
    public void Masses_that_differ_by_the_slack_of_floats_give_the_divergence_of_the_pair_alone()
    {
        var some = new SomeMeasures(4, 8, 21, Kind.Divergence, Histograms: false);
        Measure[] measures = some.Measures();
        for (int k = 0; k < 4; k++)
        {
            float[] single = Array.ConvertAll(measures[k].Weights.ToArray(), w => (float)(w * (1 + (1e-6 * k))));
            measures[k] = Measure.Of(single, measures[k].Points);
        }
        Matrix values = new PairwiseDistances().Solve(some.Problem(measures)).Values;
        for (int i = 0; i < 4; i++)
        {
            for (int j = i + 1; j < 4; j++)
                Assert.Equal(Alone(some, measures[i], measures[j]), values[i, j], 1e-12);
        }
    }

    [Fact]
    public void A_cost_of_the_users_own_is_not_taken_for_symmetric()
    {
        // Uphill is twice as dear.
        GroundCost hill = GroundCost.Custom((x, y) => y[0] > x[0] ? 2 * (y[0] - x[0]) : x[0] - y[0]);
        Measure At(double x) => Measure.Of([1.0], new Matrix(1, 1, [x]));
        PairwiseProblem problem = PairwiseProblem.OfClouds(PairwiseQuantity.TransportCost, [At(0), At(1)], cost: hill);
        Assert.False(problem.IsSymmetric || problem.HasZeroDiagonal);
        Assert.Equal([0.0, 2, 1, 0], new PairwiseDistances().Solve(problem).Values.Values.ToArray());
        double[] oneWay = [0, 5, 1, 0];
        PairwiseProblem bins = PairwiseProblem.OfHistograms(
            PairwiseQuantity.TransportCost,
            new CostMatrix(2, 2, oneWay),
            [Measure.Of([1.0, 0]), Measure.Of([0.0, 1])]
        );
        Assert.Equal(oneWay, new PairwiseDistances().Solve(bins).Values.Values.ToArray());
    }

    [Fact]
    public void A_diagonal_that_costs_something_is_computed()
    {
        PairwiseProblem bins = PairwiseProblem.OfHistograms(
            PairwiseQuantity.TransportCost,
            new CostMatrix(2, 2, (double[])[3, 1, 1, 3]),
            [Measure.Of([1.0, 0]), Measure.Of([0.5, 0.5])]
        );
        Assert.True(bins.IsSymmetric);
        Assert.Equal([3.0, 2, 2, 1], new PairwiseDistances().Solve(bins).Values.Values.ToArray());
    }

    [Theory]
    [InlineData(1e-200)]
    [InlineData(1e200)]
    public void Distances_over_bins_survive_powers_beyond_doubles(double scale)
    {
        PairwiseProblem bins = PairwiseProblem.OfHistograms(
            PairwiseQuantity.Wasserstein(3),
            new CostMatrix(2, 2, (double[])[0, scale, scale, 0]),
            [Measure.Of([1.0, 0]), Measure.Of([0.0, 1])]
        );
        Assert.Equal(1, new PairwiseDistances().Solve(bins).Values[0, 1] / scale, 1e-14);
        // A tiny distance beside a large one: its power is lost, and that is said.
        PairwiseProblem mixed = PairwiseProblem.OfHistograms(
            PairwiseQuantity.Wasserstein(3),
            new CostMatrix(3, 3, (double[])[0, 1e-150, 1, 1e-150, 0, 1, 1, 1, 0]),
            [Measure.Of([1.0, 0, 0]), Measure.Of([0.0, 1, 0])]
        );
        Assert.Equal(SolverStatus.NumericalFailure, new PairwiseDistances().Solve(mixed)[0, 1]!.Value.Status);
    }

    [Fact]
    public void Wrong_arguments_name_the_measure()
    {
        Measure plane = Measure.Uniform(new Matrix(2, 2, [0, 0, 1, 1])),
            line = Measure.Uniform(new Matrix(2, 1, [0, 1])),
            bare = Measure.Uniform(3);
        PairwiseQuantity w = PairwiseQuantity.Wasserstein();
        Contains("rows[1] has 1 coordinates", () => PairwiseProblem.OfClouds(w, [plane, line]));
        Contains("columns[0] has no points", () => PairwiseProblem.OfClouds(w, [plane], [bare]));
        Contains("rows[0]: ", () => PairwiseProblem.OfClouds(w, [plane], cost: GroundCost.SphereGeodesic));
        Contains("There are no measures", () => PairwiseProblem.OfClouds(w, []));
        Contains("rows[0] has 3 weights for the 2 bins", () => Bins(w, [0, 1, 1, 0], bare));
        Contains("The smallest distance is -1", () => Bins(w, [0, -1, -1, 0], Measure.Uniform(2)));
        Contains("give no cost", () => PairwiseProblem.OfClouds(PairwiseQuantity.Sliced(), [plane], cost: GroundCost.Euclidean));
        Assert.Throws<NotSupportedException>(() => Bins(PairwiseQuantity.Sliced(), [0, 1, 1, 0], Measure.Uniform(2)));
        Assert.Throws<NotSupportedException>(() => Bins(PairwiseQuantity.Divergence(), [0, 1, 2, 0], Measure.Uniform(2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairwiseQuantity.Wasserstein(0.5));
        foreach ((int part, int parts) in ((int, int)[])[(0, 1), (2, 1), (1, 0), (-1, -1)])
            Assert.Throws<ArgumentOutOfRangeException>(() => new PairwiseDistances(new() { Part = part, Parts = parts }));
        Assert.Throws<ArgumentException>(() =>
            new PairwiseDistances().Solve(
                PairwiseProblem.OfClouds(w, [plane, plane]),
                [new PairwiseEntry(0, 2, 1, SolverStatus.Converged, 0)]
            )
        );

        static PairwiseProblem Bins(PairwiseQuantity quantity, double[] costs, Measure measure) =>
            PairwiseProblem.OfHistograms(quantity, new CostMatrix(2, 2, costs), [measure]);
        static void Contains(string text, Func<object> wrong) =>
            Assert.Contains(text, Assert.ThrowsAny<ArgumentException>(wrong).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Large_pairs_run_on_all_threads_with_the_same_bits()
    {
        // More than 2²² costs a pair, once side by side and once in turn: ε so large that a few iterations do.
        const int n = 2100;
        var random = new SeededRandom(4);
        Measure Cloud() => Measure.Uniform(new Matrix(n, 1, [.. Enumerable.Range(0, n).Select(_ => random.NextDouble())]));
        PairwiseProblem problem = PairwiseProblem.OfClouds(
            PairwiseQuantity.EntropicValue(Epsilon.Absolute(5)),
            [Cloud()],
            [Cloud()]
        );
        double[] one = Bits(new PairwiseDistances(new() { Threads = 1 }).Solve(problem));
        Assert.Equal(one, Bits(new PairwiseDistances(new() { Threads = 2 }).Solve(problem)));
        LinearProblem alone = new(
            new PointCloud(problem.Rows[0].Points!, problem.Columns[0].Points!),
            problem.Rows[0],
            problem.Columns[0]
        )
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(5)),
        };
        Assert.Equal(new Sinkhorn().Solve(alone).Value, one[0]);
    }

    [Fact]
    public void Progress_counts_pairs()
    {
        var looks = new Looks();
        PairwiseResult result = new PairwiseDistances(new() { Progress = looks }).Solve(
            new SomeMeasures(4, 5, 1, Kind.Cost, Histograms: true).Problem()
        );
        Assert.Equal(Enumerable.Range(1, result.Pairs), looks.All.Select(look => look.Iteration));
        Assert.Equal(1, looks.All[^1].Fraction);
    }

    [Fact]
    public void What_a_receiver_throws_ends_the_run() =>
        Assert.Throws<IOException>(() =>
            new PairwiseDistances(new() { Finished = _ => throw new IOException("disk full"), Threads = 2 }).Solve(
                new SomeMeasures(6, 5, 1, Kind.Entropic, Histograms: true).Problem()
            )
        );

    /// <summary>Values and errors, missing ones as NaN.</summary>
    internal static double[] Bits(PairwiseResult result) =>
        [
            .. from i in Enumerable.Range(0, result.Rows)
            from j in Enumerable.Range(0, result.Columns)
            from number in (double[])[result[i, j]?.Value ?? double.NaN, result[i, j]?.Error ?? double.NaN]
            select number,
        ];

    sealed class Looks : IProgress<SolverProgress>
    {
        public List<SolverProgress> All { get; } = [];

        public void Report(SolverProgress value) => All.Add(value);
    }
}
