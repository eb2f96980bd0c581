using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>The right answer, on every geometry and along every way to it.</summary>
public class SinkhornTests
{
    // Instance of the R package rwig's vignette; values computed in double precision to 10 digits.
    static readonly double[] s_a = [.3, .4, .1, .1, .1];
    static readonly double[] s_b = [.4, .5, .1];
    static readonly CostMatrix s_costs = new(5, 3, [.1, .2, .3, .2, .3, .4, .4, .3, .2, .3, .2, .1, .5, .5, .4]);

    public static TheoryData<string> Kinds => [.. SomeGeometry.All];

    public static TheoryData<string> DenseKinds => [.. SomeGeometry.Dense];

    [Fact]
    public void Published_instance_balanced_with_conversions_to_other_conventions()
    {
        TransportResult result = EntropicCase.Of(s_costs, s_a, s_b, 0.1).Solve(EntropicCase.Tight);
        Matrix plan = result.Plan.ToDense();
        double[] first = [0.1538726617, 0.1377350144, 0.0083923238],
            third = [0.0094411425, 0.0624448184, 0.0281140391];
        for (int j = 0; j < 3; j++)
        {
            Assert.Equal(first[j], plan[0, j], 1e-10);
            Assert.Equal(third[j], plan[2, j], 1e-10);
        }
        Assert.Equal(0.2399010252, result.TransportCost, 1e-10);
        Assert.Equal(0.2506649150, result.Value, 1e-10);
        // POT: value + ε (Σ a log a + Σ b log b), potentials f + ε log a; RegOT: a further −ε.
        double pot = result.Value + (0.1 * (s_a.Sum(w => w * Math.Log(w)) + s_b.Sum(w => w * Math.Log(w))));
        Assert.Equal(0.0144817096, pot, 1e-10);
        Assert.Equal(-0.0855182904, pot - 0.1, 1e-10);
        Potentials p = result.Potentials!;
        for (int i = 0; i < 5; i++)
        {
            for (int j = 0; j < 3; j++)
            {
                double f = p.F[i] + (0.1 * Math.Log(s_a[i])),
                    g = p.G[j] + (0.1 * Math.Log(s_b[j]));
                Assert.Equal(Math.Exp((f + g - s_costs.Cost(i, j)) / 0.1), plan[i, j], 1e-12);
            }
        }
        // The gauge of results.
        Assert.Equal(Summation.Dot(s_a, p.F), Summation.Dot(s_b, p.G), 1e-14);
        Assert.Equal(result.Value, Summation.Dot(s_a, p.F) + Summation.Dot(s_b, p.G), 1e-10);
    }

    [Fact]
    public void Published_instance_unbalanced()
    {
        TransportResult result = EntropicCase.Of(s_costs, s_a, s_b, 0.1).Penalised(1, 1).Solve(EntropicCase.Tight);
        Assert.Equal(0.8891804157, result.Plan.Marginals().Rows.Sum(), 1e-9);
        Assert.Equal(0.2327211270, result.Value, 1e-9);
        // At the optimum a exp(−f/ρ) = P1.
        Assert.Equal(0.2327211270, result.Certify().DualValue!.Value, 1e-9);
    }

    /// <summary>Three values of one divergence; self-transport is symmetric and below the cross term's neighbourhood.</summary>
    [Fact]
    public void Published_divergence_terms()
    {
        var x = new Matrix(3, 1, [0, .5, 1.2]);
        var y = new Matrix(2, 1, [.3, .9]);
        double[] a = [.2, .5, .3],
            b = [.6, .4];
        TransportResult xx = EntropicCase.Of(new PointCloud(x, x), a, a, 0.1).Solve(EntropicCase.Tight);
        Assert.Equal(0.1192416969, EntropicCase.Of(new PointCloud(x, y), a, b, 0.1).Solve(EntropicCase.Tight).Value, 1e-9);
        Assert.Equal(0.0974365628, xx.Value, 1e-9);
        Assert.Equal(0.0646606624, EntropicCase.Of(new PointCloud(y, y), b, b, 0.1).Solve(EntropicCase.Tight).Value, 1e-9);
        Approx.Equal(xx.Potentials!.F, xx.Potentials.G, 1e-9, "potentials of self-transport");
    }

    /// <summary>Janati et al. 2020: N(0, s) to N(0, t), cost (x − y)², ε = 2σ².</summary>
    [Fact]
    public void Gaussians_have_their_closed_form()
    {
        const double s = 0.5,
            t = 1.3,
            sigma2 = 0.4;
        const int n = 401;
        double[] points = [.. Enumerable.Range(0, n).Select(k => -9 + (18.0 * k / (n - 1)))];
        double[] Normal(double variance)
        {
            double[] w = Array.ConvertAll(points, p => Math.Exp(-p * p / (2 * variance)));
            double sum = w.Sum();
            return Array.ConvertAll(w, v => v / sum);
        }
        var cloud = new Matrix(n, 1, points);
        TransportResult result = EntropicCase
            .Of(new PointCloud(cloud, cloud), Normal(s), Normal(t), 2 * sigma2)
            .Solve(EntropicCase.Tight);
        double d = Math.Sqrt((4 * s * t) + (sigma2 * sigma2));
        double expected = s + t - d + (sigma2 * (1 - Math.Log(2 * sigma2))) + (sigma2 * Math.Log(d + sigma2));
        Assert.Equal(expected, result.Value, 1e-7);
        var image = new double[n];
        result.Plan.Apply(points, image);
        Assert.Equal((d - sigma2) / 2, Summation.Dot(points, image), 1e-7); // covariance of the coupling
    }

    [Theory]
    [InlineData(0.02)]
    [InlineData(0.3)]
    [InlineData(1)]
    [InlineData(100)]
    public void Two_by_two(double epsilon)
    {
        TransportResult result = EntropicCase
            .Of(new CostMatrix(2, 2, [0, 1, 1.0, 0]), [.5, .5], [.5, .5], epsilon)
            .Solve(EntropicCase.Tight);
        Assert.Equal(1 / (2 * (1 + Math.Exp(-1 / epsilon))), result.Plan.ToDense()[0, 0], 1e-12);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_geometry_gives_the_value_of_the_naive_solver(string kind)
    {
        foreach ((int n, int m, int zeroIn) in ((int, int, int)[])[(1, 1, 0), (12, 18, 0), (20, 14, 4)])
        {
            LinearProblem problem = EntropicCase.Of(kind, n, m, 0.1, 5, zeroIn);
            Same(problem, EntropicCase.Tight);
            Same(problem.Penalised(0.7, 2), EntropicCase.Tight);
            Same(problem.Penalised(double.PositiveInfinity, 1), EntropicCase.Tight);
            Same(problem.Bounded(0.1, 0.2), EntropicCase.Tight);
            Same(problem.Bounded(0.1, double.PositiveInfinity), EntropicCase.Tight);
            Same(problem.Penalised(1, 1) with { PenaltyB = MarginalPenalty.TotalVariation(0.1) }, EntropicCase.Tight);
        }
    }

    /// <summary>Whatever keeps small ε stable or makes it fast, plain iterations in doubles give the same.</summary>
    [Theory]
    [MemberData(nameof(DenseKinds))]
    public void StabilisedEqualsPlain(string kind)
    {
        LinearProblem problem = EntropicCase.Of(kind, 14, 17, 0.05, 6, 5);
        foreach (
            LinearProblem p in (LinearProblem[])
                [problem, problem.Penalised(1, 1), problem.Penalised(0.5, double.PositiveInfinity), problem.Bounded(0.15, 0.3)]
        )
        {
            foreach (Acceleration acceleration in Enum.GetValues<Acceleration>())
            {
                foreach (
                    EpsilonSchedule? schedule in (EpsilonSchedule?[])
                        [
                            null,
                            new(),
                            new()
                            {
                                Start = 0.5,
                                Decay = 0.8,
                                IterationsPerLevel = 3,
                            },
                            new() { Start = 1e-3 },
                        ]
                )
                    Same(p, EntropicCase.Tight with { Acceleration = acceleration, Schedule = schedule, CheckEvery = 3 });
            }
        }
    }

    static void Same(LinearProblem problem, SinkhornOptions options)
    {
        TransportResult expected = Oracles.Sinkhorn(problem, 1e-12);
        TransportResult result = problem.Solve(options);
        string what = $"{options.Acceleration}, {options.Schedule}, rho {problem.PenaltyA.Rho} and {problem.PenaltyB.Rho}";
        Assert.True(result.Converged, $"{result.Status}, error {result.MarginalError:E2}, {what}");
        Approx.Equal(expected.Value, result.Value, 1e-8 * Math.Max(Math.Abs(expected.Value), 0.1), "value, " + what);
        Approx.AtMost(Approx.PlanDistance(expected.Plan, result.Plan), 1e-6, "plan, " + what);
    }

    [Fact]
    public void The_bias_against_the_exact_solver_is_within_its_bound()
    {
        foreach (double epsilon in (double[])[1e-3, 1e-2, 0.1, 1])
        {
            LinearProblem problem = EntropicCase.Of("points2", 40, 50, epsilon);
            double exact = new NetworkSimplex().Solve(problem with { Regularizer = Regularizer.None }).TransportCost;
            TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-9, MaxIterations = 100_000 });
            Assert.True(result.Converged);
            Assert.InRange(result.TransportCost - exact, -1e-8, epsilon * Math.Log(40));
        }
    }

    [Theory]
    [InlineData("doubles")]
    [InlineData("points2")]
    [InlineData("grid")]
    public void PaddingNeverChanges(string kind)
    {
        LinearProblem problem = EntropicCase.Of(kind, 24, 30, 0.1, 8, 3);
        int[] rows = [.. Enumerable.Range(0, 24).Where(i => problem.A.Weights[i] > 0)],
            columns = [.. Enumerable.Range(0, 30).Where(j => problem.B.Weights[j] > 0)];
        LinearProblem small = problem.Rearrange(
            rows,
            columns,
            Array.ConvertAll(rows, i => problem.A.Weights[i]),
            Array.ConvertAll(columns, j => problem.B.Weights[j])
        );
        TransportResult with = problem.Solve(EntropicCase.Tight),
            without = small.Solve(EntropicCase.Tight);
        Assert.Equal(without.Value, with.Value, 1e-10);
        // Potentials of empty bins are the soft c-transforms of the others.
        double[] f = Oracles.SoftMinRows(problem.Geometry, with.Potentials!.G, problem.B.Weights, 0.1),
            g = Oracles.SoftMinColumns(problem.Geometry, with.Potentials.F, problem.A.Weights, 0.1);
        Approx.Equal(f, with.Potentials.F, 1e-9, "f");
        Approx.Equal(g, with.Potentials.G, 1e-9, "g");
    }

    [Fact]
    public void WarmStartSameOptimum()
    {
        LinearProblem problem = EntropicCase.Of("points2", 50, 60, 0.01);
        var options = new SinkhornOptions { Tolerance = 1e-10, MaxIterations = 100_000 };
        TransportResult cold = problem.Solve(options);
        TransportResult again = new Sinkhorn(options).Solve(problem, cold.Potentials!);
        Assert.InRange(again.Iterations, 1, 3);
        Assert.Equal(cold.Value, again.Value, 1e-11);
        double[] f = Array.ConvertAll(cold.Potentials!.F.ToArray(), v => v + 1000),
            g = Array.ConvertAll(cold.Potentials.G.ToArray(), v => v - 1000);
        TransportResult shifted = new Sinkhorn(options).Solve(problem, new Potentials(f, g));
        Assert.True(shifted.Converged, shifted.Status.ToString());
        Assert.Equal(cold.Value, shifted.Value, 1e-10);
        var random = new SeededRandom(4);
        TransportResult wild = new Sinkhorn(options).Solve(
            problem,
            new Potentials(Array.ConvertAll(f, _ => 5 * random.NextNormal()), Array.ConvertAll(g, _ => 5 * random.NextNormal()))
        );
        Assert.True(wild.Converged, wild.Status.ToString());
        Assert.Equal(cold.Value, wild.Value, 1e-9);
    }

    [Theory]
    [InlineData(Acceleration.Auto, false)]
    [InlineData(Acceleration.None, true)]
    [InlineData(Acceleration.OverRelaxation, false)]
    [InlineData(Acceleration.OverRelaxation, true)]
    public void ResumeEqualsStraight(Acceleration acceleration, bool scheduled)
    {
        foreach (string kind in (string[])["points2", "grid", "doubles"])
        {
            // 250 000 pairs and more begin in floats.
            int size = kind == "points2" && acceleration == Acceleration.Auto ? 520 : 60;
            LinearProblem problem = EntropicCase.Of(kind, size, size, 0.005);
            var states = new List<SinkhornState>();
            var options = new SinkhornOptions
            {
                Tolerance = 1e-9,
                MaxIterations = 400,
                Acceleration = acceleration,
                Schedule = scheduled ? new() : null,
                CheckEvery = 7,
                CheckpointEvery = acceleration == Acceleration.Auto ? 10 : 25, // it is soon done
                Checkpoint = states.Add,
            };
            TransportResult straight = problem.Solve(options);
            Assert.True(states.Count >= 2);
            foreach (SinkhornState state in (SinkhornState[])[states[0], states[^1]])
            {
                TransportResult resumed = new Sinkhorn(options with { Checkpoint = _ => { } }).Solve(problem, state);
                Assert.Equal((straight.Status, straight.Iterations), (resumed.Status, resumed.Iterations));
                Assert.Equal(straight.Errors, resumed.Errors);
                Assert.Equal(straight.Potentials!.F.ToArray(), resumed.Potentials!.F.ToArray());
                Assert.Equal(straight.Potentials.G.ToArray(), resumed.Potentials.G.ToArray());
                Assert.Equal(straight.Value, resumed.Value);
            }
            Assert.Throws<ArgumentException>(() => new Sinkhorn(options).Solve(problem, states[0] with { Epsilon = 0.2 }));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void SameBitsAnyThreadCount(string kind)
    {
        LinearProblem problem = EntropicCase.Of(kind, 150, 90, 0.02, 3, 6);
        (double[] F, double[] G, double Value)? one = null;
        foreach (int threads in (int[])[1, 2, 3, 5])
        {
            using var backend = new ManagedBackend(threads);
            TransportResult result = new Sinkhorn(new SinkhornOptions { MaxIterations = 60 }, backend).Solve(problem);
            var answer = (F: result.Potentials!.F.ToArray(), G: result.Potentials.G.ToArray(), result.Value);
            one ??= answer;
            Assert.Equal(one.Value.F, answer.F);
            Assert.Equal(one.Value.G, answer.G);
            Assert.Equal(one.Value.Value, answer.Value);
        }
    }

    [Theory]
    [InlineData("points2")]
    [InlineData("doubles")]
    public void Floats_first_change_the_way_and_not_the_answer(string kind)
    {
        LinearProblem problem = EntropicCase.Of(kind, 520, 500, 0.02);
        var options = new SinkhornOptions { Tolerance = 1e-10 };
        TransportResult first = problem.Solve(options),
            never = problem.Solve(options with { FloatsFirst = false });
        Assert.True(first.Converged && never.Converged);
        Assert.Equal(never.Value, first.Value, 1e-10);
        Assert.Contains("Float64", first.Backend, StringComparison.Ordinal);
        Assert.InRange(Approx.PlanDistance(first.Plan, never.Plan), 0, 1e-8);
    }

    /// <summary>Doubles asked for are doubles got: an error that floats cannot reach, in doubles given and in floats given.</summary>
    [Theory]
    [InlineData("doubles")]
    [InlineData("floats")]
    [InlineData("points3")]
    [InlineData("cosine")]
    public void DoubleStaysDouble(string kind)
    {
        LinearProblem problem = EntropicCase.Of(kind, 520, 500, 0.05);
        TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-13 });
        Assert.True(result.Converged, result.Message);
        Assert.InRange(result.MarginalError, 0, 1e-13);
        Assert.Contains("Float64", result.Backend, StringComparison.Ordinal);
        (double[] rows, double[] columns) = Oracles.Marginals(result.Plan);
        Assert.InRange(rows.Zip(problem.A.Weights.ToArray(), (r, w) => Math.Abs(r - w)).Sum(), 0, 2e-13);
        Assert.InRange(columns.Zip(problem.B.Weights.ToArray(), (c, w) => Math.Abs(c - w)).Sum(), 0, 2e-13);
    }

    [Fact]
    public void Float32SoftmaxMass()
    {
        foreach (string kind in (string[])["points2", "doubles", "floats", "euclidean", "points7"])
        {
            LinearProblem problem = EntropicCase.Of(kind, 200, 230, 0.02);
            TransportResult result = problem.Solve(new SinkhornOptions { Precision = Precision.Float32, Tolerance = 1e-4 });
            Assert.True(result.Converged, $"{kind}: {result.Status}");
            Assert.Equal(1, result.Plan.Marginals().Rows.Sum(), 1e-4);
            Assert.Equal(problem.Solve().Value, result.Value, 1e-3);
        }
    }

    [Theory]
    [InlineData(Acceleration.None)]
    [InlineData(Acceleration.Auto)]
    public void EpsilonTwelveDecades(Acceleration acceleration)
    {
        foreach (string kind in (string[])["doubles", "points2", "cityblock", "grid", "forbidden"])
        {
            for (int decade = -12; decade <= 0; decade++)
            {
                Geometry geometry = SomeGeometry.Of(kind, 20, 25);
                LinearProblem problem = EntropicCase.Of(kind, 20, 25, Approx.CostScale(geometry) * Math.Pow(10, decade));
                TransportResult result = problem.Solve(new SinkhornOptions { MaxIterations = 300, Acceleration = acceleration });
                Assert.True(
                    double.IsFinite(result.Value) && double.IsFinite(result.MarginalError),
                    $"{kind}, 1e{decade}: {result.Status}"
                );
                Assert.NotEqual(SolverStatus.NumericalFailure, result.Status);
                Assert.True(result.Certify().Gap >= 0);
            }
        }
    }

    /// <summary>From far stronger than the entropy to far weaker; the value rises with ρ to the balanced one.</summary>
    [Fact]
    public void Penalties_from_tiny_to_huge()
    {
        LinearProblem problem = EntropicCase.Of("signed", 15, 12, 0.1);
        double balanced = problem.Solve(EntropicCase.Tight).Value,
            last = double.NegativeInfinity;
        foreach (double rho in (double[])[1e-9, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6])
        {
            foreach (Acceleration acceleration in Enum.GetValues<Acceleration>())
            {
                TransportResult result = problem
                    .Penalised(rho, rho)
                    .Solve(EntropicCase.Tight with { Acceleration = acceleration });
                Assert.True(result.Converged, $"rho {rho}, {acceleration}: {result.Status}, error {result.MarginalError:E2}");
                // An L1 error of 1e-11 may cost ρ times its square and the size of potentials times itself.
                Assert.InRange(result.Value, last - 1e-9, balanced + 1e-9);
                if (acceleration == Acceleration.OverRelaxation)
                    last = result.Value;
            }
        }
        Assert.Equal(balanced, last, 1e-5);
        Assert.Equal(
            balanced,
            problem.Penalised(double.PositiveInfinity, double.PositiveInfinity).Solve(EntropicCase.Tight).Value
        );
        Assert.Equal(balanced, problem.Penalised(1e14, 1e14).Solve(EntropicCase.Tight).Value, 1e-7);
    }

    /// <summary>
    /// A measure against itself has one potential, f = g, and few iterations find it, where ε is large enough for the plan to join all points: what moves f against g is then
    /// seen in the marginals.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(0.1)]
    [InlineData(0.03)]
    public void Self_transport_has_one_potential(double epsilon)
    {
        Matrix x = EntropicCase.Square(60, 7);
        double[] a = SomeGeometry.Weights(new SeededRandom(8), 60, 0);
        TransportResult result = EntropicCase
            .Of(new PointCloud(x, x), a, a, epsilon)
            .Solve(new SinkhornOptions { Tolerance = 1e-13 });
        Assert.True(result.Converged && result.Iterations <= 100, $"{result.Status} after {result.Iterations}");
        Approx.Equal(result.Potentials!.F, result.Potentials.G, 1e-12, "f against g");
    }

    [Fact]
    public void The_dual_never_falls_along_plain_iterations()
    {
        LinearProblem problem = EntropicCase.Of("points2", 30, 35, 0.005);
        double last = double.NegativeInfinity;
        for (int limit = 1; limit <= 60; limit++)
        {
            TransportResult result = problem.Solve(
                new SinkhornOptions
                {
                    MaxIterations = limit,
                    Tolerance = 1e-15,
                    Acceleration = Acceleration.None,
                    Schedule = EpsilonSchedule.None,
                }
            );
            double dual = result.Certify().DualValue!.Value;
            Assert.True(dual >= last - 1e-13, $"{dual:R} after {limit} iterations, {last:R} before");
            last = dual;
        }
    }

    [Fact]
    public void A_rounded_plan_is_feasible_and_its_values_are_its_own()
    {
        LinearProblem problem = EntropicCase.Of("points2", 30, 35, 0.01, 3, 5);
        TransportResult result = problem.Solve(new SinkhornOptions { Round = true, Tolerance = 1e-3 });
        Assert.True(result.Converged);
        Laws.PlanIsFeasible(result.Plan, problem);
        Assert.Equal(Oracles.TransportCost(problem.Geometry, result.Plan), result.TransportCost, 1e-13);
        Assert.Equal(
            0.01 * Oracles.RelativeEntropy(result.Plan, problem.A.Weights, problem.B.Weights),
            result.RegularizerValue,
            1e-12
        );
        Assert.InRange(result.MarginalError, 0, 1e-13);
        Assert.True(result.Certify().Gap >= 0);
    }

    /// <summary>Weights down to the smallest doubles change nothing that can be seen.</summary>
    [Theory]
    [InlineData(100)]
    [InlineData(250)]
    [InlineData(320)]
    public void Weights_of_any_size(int decades)
    {
        for (ulong seed = 1; seed <= 4; seed++)
        {
            var random = new SeededRandom(seed);
            double[] Weights(int count)
            {
                double[] w =
                [
                    .. Enumerable.Range(0, count).Select(_ => random.NextDouble() * Math.Pow(10, -random.NextInt(decades))),
                ];
                double sum = w.Sum();
                return Array.ConvertAll(w, v => v / sum);
            }
            double[] Visible(double[] w) => Array.ConvertAll(w, v => v < 1e-60 ? 0 : v);
            var cloud = new PointCloud(Cloud(random, 60), Cloud(random, 50), GroundCost.CityBlock);
            double[] a = Weights(60),
                b = Weights(50);
            TransportResult result = EntropicCase.Of(cloud, a, b, 0.02).Solve(new SinkhornOptions { Tolerance = 1e-9 }),
                visible = EntropicCase.Of(cloud, Visible(a), Visible(b), 0.02).Solve(new SinkhornOptions { Tolerance = 1e-9 });
            Assert.True(
                result.Converged && visible.Converged,
                $"{decades}, {seed}: {result.Status} {visible.Status} {result.MarginalError:E2}"
            );
            Assert.Equal(visible.Value, result.Value, 1e-7);
        }
    }

    static Matrix Cloud(SeededRandom random, int count) =>
        new(count, 2, [.. Enumerable.Range(0, 2 * count).Select(_ => random.NextDouble())]);
}
