using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>A batch is its problems, one by one: the same bits, whatever stands beside them and however many threads there are.</summary>
public class SinkhornBatchTests
{
    /// <summary>Flattens problems with stored costs.</summary>
    static ProblemBatch Flat(LinearProblem[] problems)
    {
        List<double> costs = [],
            a = [],
            b = [];
        List<int> offsetsA = [0],
            offsetsB = [0];
        foreach (LinearProblem problem in problems)
        {
            costs.AddRange(((CostMatrix)problem.Geometry).Doubles!);
            a.AddRange(problem.A.Weights);
            b.AddRange(problem.B.Weights);
            offsetsA.Add(a.Count);
            offsetsB.Add(b.Count);
        }
        return ProblemBatch.OfCosts([.. costs], [.. a], [.. offsetsA], [.. b], [.. offsetsB]) with
        {
            Regularizer = problems[0].Regularizer,
            PenaltyA = problems[0].PenaltyA,
            PenaltyB = problems[0].PenaltyB,
        };
    }

    static void Same(LinearProblem[] singles, ProblemBatch batch, SinkhornOptions options)
    {
        TransportResult[] expected = [.. singles.Select(p => new Sinkhorn(options).Solve(p))];
        foreach (int threads in (int[])[1, 2, 3])
        {
            SinkhornBatchResult result = new SinkhornBatch(options, threads).Solve(batch);
            double[] values = result.Values();
            for (int k = 0; k < singles.Length; k++)
            {
                string name = $"problem {k}, {threads} threads";
                Assert.True(
                    expected[k].Status == result.Statuses[k],
                    $"{name}: {result.Statuses[k]}, alone {expected[k].Status}"
                );
                Assert.True(expected[k].Iterations == result.Iterations[k], name);
                Assert.Equal(expected[k].Epsilon, result.Epsilons[k]);
                Assert.Equal(expected[k].Value, values[k]);
                Assert.Equal(expected[k].TransportCost, result.TransportCosts[k]);
                Assert.Equal(expected[k].MarginalError, result.MarginalErrors[k]);
                TransportResult whole = result[k];
                Assert.Equal((expected[k].Message, expected[k].Backend), (whole.Message, whole.Backend));
                if (expected[k].Potentials is not { } potentials)
                    continue;
                Assert.True(potentials.F.SequenceEqual(result.SourcePotential(k)), name);
                Assert.True(potentials.G.SequenceEqual(result.TargetPotential(k)), name);
                Assert.Equal(expected[k].Plan.ToDense().Values.ToArray(), whole.Plan.ToDense().Values.ToArray());
            }
        }
    }

    /// <summary>A ragged batch of every kind and shape, 1 × 1, 1 × m and n × 1 among them.</summary>
    static LinearProblem[] Ragged(TransportCase first, int count, Func<TransportCase, LinearProblem> problem)
    {
        var random = new SeededRandom(first.Seed);
        CaseKind[] kinds = Enum.GetValues<CaseKind>();
        var problems = new LinearProblem[count];
        for (int k = 0; k < count; k++)
        {
            var own = new TransportCase(
                random.NextInt(5) == 0 ? 1 : 1 + random.NextInt(first.Rows + 8),
                random.NextInt(5) == 0 ? 1 : 1 + random.NextInt(first.Columns + 8),
                first.Seed + (ulong)k,
                kinds[random.NextInt(kinds.Length)]
            );
            problems[k] = Usable(k == 0 ? first : own, problem);
        }
        return problems;
    }

    /// <summary>Signed costs may have no mean or maximum that an ε can be a share of.</summary>
    static LinearProblem Usable(TransportCase own, Func<TransportCase, LinearProblem> problem)
    {
        CostStatistics statistics = new CostMatrix(own.Costs()).Statistics;
        bool usable = statistics.Mean >= 1e-3 * statistics.MaxMagnitude;
        return problem(usable ? own : own with { Kind = CaseKind.Plain });
    }

    [Theory]
    [InlineData(1e-6, 0.05)]
    [InlineData(1e-10, 0.3)]
    [InlineData(1e-9, 0.004)]
    public void BatchEqualsSingles(double tolerance, double share)
    {
        var options = new SinkhornOptions { Tolerance = tolerance, MaxIterations = 3000 };
        var regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(share));
        Law.Check(
            Cases.Any(20),
            first =>
            {
                LinearProblem[] problems = Ragged(first, 20, c => c.Exact() with { Regularizer = regularizer });
                Same(problems, Flat(problems), options);
            },
            12,
            400
        );
    }

    [Fact]
    public void BatchEqualsSingles_with_penalties()
    {
        var options = new SinkhornOptions { Tolerance = 1e-9, MaxIterations = 3000 };
        Law.Check(
            Cases.Any(12),
            first =>
            {
                foreach (
                    (double rhoA, double rhoB) in ((double, double)[])
                        [(1, 1), (0.3, double.PositiveInfinity), (double.PositiveInfinity, 50)]
                )
                {
                    LinearProblem[] problems = Ragged(
                        first,
                        10,
                        c =>
                            (c.Exact() with { Regularizer = Regularizer.Entropy(Epsilon.RelativeToMax(0.1)) }).Penalised(
                                rhoA,
                                rhoB
                            )
                    );
                    Same(problems, Flat(problems), options);
                }
            },
            6,
            200
        );
    }

    [Theory]
    [InlineData("sqeuclidean")]
    [InlineData("half-sqeuclidean")]
    [InlineData("euclidean")]
    [InlineData("cityblock")]
    [InlineData("chebyshev")]
    [InlineData("cosine")]
    [InlineData("minkowski")]
    public void BatchEqualsSingles_over_points(string name)
    {
        GroundCost cost = name switch
        {
            "half-sqeuclidean" => GroundCost.HalfSquaredEuclidean,
            "euclidean" => GroundCost.Euclidean,
            "cityblock" => GroundCost.CityBlock,
            "chebyshev" => GroundCost.Chebyshev,
            "cosine" => GroundCost.Cosine,
            "minkowski" => GroundCost.Minkowski(3),
            _ => GroundCost.SquaredEuclidean,
        };
        var random = new SeededRandom(8);
        int[] n = [1, 7, 20, 31, 90],
            m = [3, 1, 20, 12, 70]; // the last one is too large for the small engine
        int[] offsetsA = [0, .. n.Select((_, k) => n.Take(k + 1).Sum())],
            offsetsB = [0, .. m.Select((_, k) => m.Take(k + 1).Sum())];
        var x = new Matrix(n.Sum(), 3, SomeGeometry.Draw(random, 3 * n.Sum()));
        var y = new Matrix(m.Sum(), 3, SomeGeometry.Draw(random, 3 * m.Sum()));
        ProblemBatch batch = ProblemBatch.OfPoints(x, offsetsA, y, offsetsB, cost: cost);
        LinearProblem[] singles =
        [
            .. Enumerable
                .Range(0, n.Length)
                .Select(k =>
                {
                    Matrix own = x.SelectRows([.. Enumerable.Range(offsetsA[k], n[k])]),
                        other = y.SelectRows([.. Enumerable.Range(offsetsB[k], m[k])]);
                    return new LinearProblem(new PointCloud(own, other, cost), Measure.Uniform(own), Measure.Uniform(other))
                    {
                        Regularizer = Regularizer.Entropy(),
                    };
                }),
        ];
        foreach (Epsilon epsilon in (Epsilon[])[Epsilon.Default, Epsilon.Absolute(0.02), Epsilon.RelativeToMedian(0.1)])
        {
            var regularizer = Regularizer.Entropy(epsilon);
            Same(
                [.. singles.Select(p => p with { Regularizer = regularizer })],
                batch with
                {
                    Regularizer = regularizer,
                },
                new SinkhornOptions { Tolerance = 1e-9 }
            );
        }
    }

    [Theory]
    [InlineData("doubles")]
    [InlineData("floats")]
    [InlineData("points2")]
    [InlineData("grid")]
    [InlineData("forbidden")]
    public void BatchEqualsSingles_with_one_cost_and_many_marginals(string kind)
    {
        const int count = 25;
        Geometry geometry = SomeGeometry.Of(kind, 18, 24);
        var random = new SeededRandom(3);
        Matrix Marginals(int bins) =>
            new(
                count,
                bins,
                [.. Enumerable.Range(0, count).SelectMany(k => SomeGeometry.Weights(random, bins, k % 3 == 0 ? 5 : 0))]
            );
        Matrix a = Marginals(18),
            b = Marginals(24);
        LinearProblem[] singles =
        [
            .. Enumerable
                .Range(0, count)
                .Select(k => new LinearProblem(geometry, Measure.Of(a.Row(k)), Measure.Of(b.Row(k)))
                {
                    Regularizer = Regularizer.Entropy(),
                }),
        ];
        Same(singles, ProblemBatch.OfMarginals(geometry, a, b), new SinkhornOptions { Tolerance = 1e-9 });
    }

    /// <summary>Options that the small engine does not have, and limits that it does not reach.</summary>
    [Fact]
    public void BatchEqualsSingles_whatever_the_options()
    {
        LinearProblem[] problems = Ragged(
            new TransportCase(9, 8, 5, CaseKind.Plain),
            10,
            c => c.Exact() with { Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(0.05)) }
        );
        foreach (
            SinkhornOptions options in (SinkhornOptions[])
                [
                    new() { MaxIterations = 0 },
                    new() { MaxIterations = 3, Tolerance = 1e-9 },
                    new() { Acceleration = Acceleration.None, MaxIterations = 500 },
                    new() { Schedule = new EpsilonSchedule() },
                    new() { Round = true },
                    new() { CheckEvery = 1 },
                    new() { Tolerance = 1e-18, MaxIterations = 2500 },
                ]
        )
            Same(problems, Flat(problems), options);
    }

    [Fact]
    public void An_infeasible_problem_leaves_the_others_alone()
    {
        LinearProblem good = EntropicCase.Of("doubles", 6, 5),
            heavy = EntropicCase.Of(SomeGeometry.Of("doubles", 2, 2), [0.5, 0.5], [0.5, 0.6], 0.1),
            alone = EntropicCase.Of(new CostMatrix(2, 1, [1, double.PositiveInfinity]), [0.5, 0.5], [1], 0.1);
        LinearProblem[] problems = [good, heavy, good, alone, good];
        SinkhornBatchResult result = new SinkhornBatch().Solve(Flat(problems));
        SolverStatus no = SolverStatus.Infeasible,
            yes = SolverStatus.Converged;
        Assert.Equal([yes, no, yes, no, yes], result.Statuses.ToArray());
        Assert.False(result.Converged);
        Assert.Contains("1.1", result[1].Message, StringComparison.Ordinal);
        Assert.Contains("Row 1", result[3].Message, StringComparison.Ordinal);
        Assert.Equal(0, result.TargetPotential(3)[0]);
        Same(problems, Flat(problems), new SinkhornOptions());
    }

    [Fact]
    public void What_is_wrong_names_its_problem()
    {
        static ProblemBatch Of(double[] costs, double[] a, double[] b) => ProblemBatch.OfCosts(costs, a, [0, 1, 3], b, [0, 2, 3]);
        double[] costs = [1, 2, 3, 4],
            a = [1, 0.5, 0.5],
            b = [0.5, 0.5, 1];
        Assert.Equal(2, Of(costs, a, b).Count);
        static void Refused(string expected, Action act)
        {
            var refusal = Assert.ThrowsAny<ArgumentException>(act);
            Assert.Contains(expected, refusal.Message, StringComparison.Ordinal);
        }
        Refused("Problem 1: costs[1, 0] is NaN", () => Of([1, 2, 3, double.NaN], a, b));
        Refused("Problem 0: costs[0, 1] is -Infinity", () => Of([1, double.NegativeInfinity, 3, 4], a, b));
        Refused("Problem 1: The total mass of a is 0", () => Of(costs, [1, 0, 0], b));
        Refused("Problem 1: a[1] is -0.5", () => Of(costs, [1, 0.5, -0.5], b));
        Refused("Problem 0: b[1] is NaN", () => Of(costs, a, [0.5, double.NaN, 1]));
        Refused("There are 3 costs", () => Of([1, 2, 3], a, b));
        Refused("There are 5 costs", () => Of([1, 2, 3, 4, 5], a, b));
        Refused("offsetsA begins with 1", () => ProblemBatch.OfCosts(costs, a, [1, 3], b, [0, 3]));
        Refused("offsetsB[2] is 2, after 2", () => ProblemBatch.OfCosts(costs, a, [0, 1, 3], b, [0, 2, 2]));
        Refused("offsetsA ends with 2", () => ProblemBatch.OfCosts(costs, a, [0, 1, 2], b, [0, 2, 3]));
        Refused("offsetsB 2", () => ProblemBatch.OfCosts(costs, a, [0, 1, 3], b, [0, 3]));
        Refused("begins with nothing", () => ProblemBatch.OfCosts([], [], [], [], []));
        Refused(
            "Problem 1: Epsilon",
            () =>
                new SinkhornBatch().Solve(
                    Of([0, 1, 1e9, 1e9], a, b) with
                    {
                        Regularizer = Regularizer.Entropy(Epsilon.Absolute(1e-6)),
                    }
                )
        );
        Refused("Problem 1: The source mass", () => new SinkhornBatch().Solve(Of(costs, [1, 1e200, 1e200], [0.5, 0.5, 1])));
        Refused(
            "a batch takes neither",
            () => _ = new SinkhornBatch(new SinkhornOptions { Progress = new Progress<OT.Solvers.SolverProgress>() })
        );
        Assert.Throws<NotSupportedException>(() =>
            new SinkhornBatch().Solve(Of(costs, a, b) with { Regularizer = Regularizer.None })
        );
    }

    [Fact]
    public void An_empty_batch_has_an_empty_answer()
    {
        SinkhornBatchResult result = new SinkhornBatch().Solve(ProblemBatch.OfCosts([], [], [0], [], [0]));
        Assert.Equal(0, result.Count);
        Assert.True(result.Converged);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_batch_that_is_stopped_gives_usable_iterates(bool cancelled)
    {
        LinearProblem[] problems = Ragged(
            new TransportCase(9, 8, 7, CaseKind.Forbidden),
            40,
            c => c.Exact() with { Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(0.1)) }
        );
        SinkhornBatchResult result = new SinkhornBatch(
            new SinkhornOptions { TimeLimit = cancelled ? Timeout.InfiniteTimeSpan : TimeSpan.Zero }
        ).Solve(Flat(problems), new CancellationToken(cancelled));
        for (int k = 0; k < problems.Length; k++)
        {
            Assert.Equal(cancelled ? SolverStatus.Cancelled : SolverStatus.TimeLimit, result.Statuses[k]);
            TransportResult one = result[k];
            Assert.Equal(0, one.Iterations);
            Assert.Equal(
                Oracles.TransportCost(one.Problem.Geometry, one.Plan),
                one.TransportCost,
                1e-12 * Math.Abs(one.TransportCost)
            );
            Laws.PlanIsFeasible(one.Certify().FeasiblePlan, one.Problem);
        }
    }

    /// <summary>Ten times the problems, the same allocations but for the arrays of the result and their offsets.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nothing_is_allocated_per_problem(bool points)
    {
        const int n = 12;
        ProblemBatch Of(int count)
        {
            int[] offsets = [.. Enumerable.Range(0, count + 1).Select(k => n * k)];
            var random = new SeededRandom(2);
            double[] weights = [.. Enumerable.Repeat(1.0 / n, n * count)];
            return points
                ? ProblemBatch.OfPoints(
                    new Matrix(n * count, 2, SomeGeometry.Draw(random, 2 * n * count)),
                    offsets,
                    new Matrix(n * count, 2, SomeGeometry.Draw(random, 2 * n * count)),
                    offsets
                )
                : ProblemBatch.OfCosts(SomeGeometry.Draw(random, n * n * count), weights, offsets, weights, offsets);
        }
        ProblemBatch few = Of(20),
            many = Of(220);
        var solver = new SinkhornBatch(new SinkhornOptions { Tolerance = 1e-9 }, 1);
        long Measured(ProblemBatch batch)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.True(solver.Solve(batch).Converged);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        // Code that the runtime has not optimised yet may box; the best of many tries has none of that.
        long least = long.MaxValue;
        // 200 problems: f and g, nine numbers and a reference each.
        long results = 200 * sizeof(double) * ((2 * n) + 10);
        for (int attempt = 0; attempt < 100 && least > results; attempt++)
            least = Math.Min(least, Measured(many) - Measured(few));
        Assert.InRange(least, 0, results);
    }
}
