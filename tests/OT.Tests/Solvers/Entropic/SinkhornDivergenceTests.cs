using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>The divergence: its published value, its sign, its gradients, and every way it may end.</summary>
public class SinkhornDivergenceTests
{
    // Exponents of 20 and sums of ten terms round to 1e-14: one in a hundred cases does not reach 1e-13.
    static readonly SinkhornOptions s_tight = new() { Tolerance = 1e-12, MaxIterations = 100_000 };

    static LinearProblem Problem(
        double[] x,
        double[] a,
        double[] y,
        double[] b,
        double epsilon,
        GroundCost? cost = null,
        double rho = double.PositiveInfinity,
        int d = 1
    ) =>
        EntropicCase
            .Of(new PointCloud(new Matrix(a.Length, d, x), new Matrix(b.Length, d, y), cost), a, b, epsilon)
            .Penalised(rho, rho);

    static DivergenceResult Solve(LinearProblem problem, SinkhornOptions? options = null) =>
        new SinkhornDivergence(options ?? s_tight).Solve(problem);

    [Fact]
    public void Published_instance()
    {
        DivergenceResult result = Solve(Problem([0, .5, 1.2], [.2, .5, .3], [.3, .9], [.6, .4], 0.1));
        Assert.True(result.Converged);
        Assert.Equal(0.0381930843, result.Value, 1e-10);
        Assert.Equal(0.1192416969, result.Cross.Value, 1e-10);
        Assert.Equal(0.0974365628, result.SelfSource!.Value, 1e-10);
        Assert.Equal(0.0646606624, result.SelfTarget!.Value, 1e-10);
        (double lower, double upper) = result.Certify();
        Assert.InRange(result.Value, lower, upper);
        Assert.True(upper - lower < 1e-9);
        // ⟨a, f_ab − f_aa⟩ + ⟨b, g_ab − g_bb⟩
        Potentials ab = result.Cross.Potentials!;
        double byPotentials =
            Summation.Dot([.2, .5, .3], ab.F)
            + Summation.Dot([.6, .4], ab.G)
            - Summation.Dot([.2, .5, .3], result.SelfSource.Potentials!.F)
            - Summation.Dot([.6, .4], result.SelfTarget.Potentials!.F);
        Assert.Equal(result.Value, byPotentials, 1e-12);
    }

    /// <summary>OT by the general solver, which knows of no symmetry; the naive one crawls between points far apart.</summary>
    static double Plain(LinearProblem problem) => new Sinkhorn(s_tight).Solve(problem).Value;

    /// <summary>The value from three general solves, with the masses' term, balanced at any mass and with penalties.</summary>
    [Fact]
    public void General_solves_give_the_same() =>
        Law.Check(
            Cases.Of(7, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates),
            c =>
            {
                foreach (LinearProblem problem in OnPoints(c))
                {
                    DivergenceResult result = Solve(problem);
                    Approx.True(result.Converged, $"Stopped with {result.Status}. {result.Message}");
                    var cloud = (PointCloud)problem.Geometry;
                    double Self(Matrix points, Measure measure) =>
                        Plain(
                            new LinearProblem(new PointCloud(points, points, cloud.GroundCost), measure, measure)
                            {
                                Regularizer = problem.Regularizer,
                                PenaltyA = problem.PenaltyA,
                                PenaltyB = problem.PenaltyB,
                            }
                        );
                    double mass = problem.IsBalanced ? 0 : problem.A.Mass - problem.B.Mass;
                    double expected =
                        Plain(problem)
                        - (Self(cloud.Source, problem.A) / 2)
                        - (Self(cloud.Target, problem.B) / 2)
                        + (result.Epsilon / 2 * mass * mass);
                    double size = (1 + problem.A.Mass) * (1 + problem.A.Mass);
                    Approx.Equal(expected, result.Value, 1e-12 * size, "S");
                    (double lower, double upper) = result.Certify();
                    Approx.AtMost(lower, result.Value + (1e-13 * size), "lower bound");
                    Approx.AtMost(result.Value, upper + (1e-13 * size), "S, against its upper bound,");
                }
            },
            25,
            1000
        );

    static IEnumerable<LinearProblem> OnPoints(TransportCase c)
    {
        foreach (GroundCost cost in (GroundCost[])[GroundCost.SquaredEuclidean, GroundCost.Euclidean])
        {
            LinearProblem problem = new(new PointCloud(c.Source(), c.Target(), cost), Measure.Of(c.A()), Measure.Of(c.B()))
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)),
            };
            yield return problem;
            yield return new LinearProblem(problem.Geometry, problem.A.Scale(3), problem.B.Scale(3))
            {
                Regularizer = problem.Regularizer,
            };
            yield return new LinearProblem(problem.Geometry, problem.A.Scale(1.5), problem.B)
            {
                Regularizer = problem.Regularizer,
                PenaltyA = MarginalPenalty.KullbackLeibler(0.6),
                PenaltyB = MarginalPenalty.KullbackLeibler(0.6),
            };
        }
    }

    [Fact]
    public void DivergenceNonNegative() =>
        Law.Check(
            Cases.Of(8, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates),
            c =>
            {
                foreach (LinearProblem problem in OnPoints(c))
                {
                    DivergenceResult result = Solve(problem, new SinkhornOptions());
                    // Values are duals: off by the square of the tolerance, in units of ε and mass, and by rounding.
                    Approx.AtMost(-1e-10 * problem.A.Mass * problem.A.Mass, result.Value, "0, against S,");
                }
            },
            100,
            3000
        );

    /// <summary>S(a, a) = 0 and its gradient is 0, to the last bit; a copy in another order gives 0 to the tolerance.</summary>
    [Theory]
    [InlineData(double.PositiveInfinity)]
    [InlineData(0.5)]
    public void SelfDistanceZero(double rho)
    {
        var random = new SeededRandom(8);
        double[] x = EntropicGradientTests.Draw(random, 9, 2),
            a = EntropicGradientTests.SomeWeights(random, 9, zero: 1);
        foreach (GroundCost cost in (GroundCost[])[GroundCost.SquaredEuclidean, GroundCost.Euclidean])
        {
            DivergenceResult same = Solve(Problem(x, a, x, a, 0.05, cost, rho, 2), new SinkhornOptions());
            Assert.Equal(0, same.Value);
            Assert.All(same.A.ToArray(), v => Assert.Equal(0, v));
            PointGradient zero = same.Points(cancellation: TestContext.Current.CancellationToken);
            Assert.All(zero.Source.Values.ToArray(), v => Assert.Equal(0, v, 1e-15));
            Assert.All(zero.Target.Values.ToArray(), v => Assert.Equal(0, v, 1e-15));

            double[] back = [.. Enumerable.Range(0, 9).SelectMany(k => x[((8 - k) * 2)..((9 - k) * 2)])];
            double[] weights = [.. a.Reverse()];
            const double tolerance = 1e-8;
            DivergenceResult copy = Solve(
                Problem(x, a, back, weights, 0.05, cost, rho, 2),
                new SinkhornOptions { Tolerance = tolerance }
            );
            Assert.Equal(0, copy.Value, 10 * tolerance);
            PointGradient small = copy.Points(cancellation: TestContext.Current.CancellationToken);
            // The plan is off by some times its marginals, slopes are below 3.
            Assert.All(small.Source.Values.ToArray(), v => Assert.Equal(0, v, 100 * tolerance));
            Assert.All(copy.A.ToArray(), v => Assert.Equal(0, v, 100 * tolerance));
        }
    }

    [Fact]
    public void GradientVsFiniteDifference() =>
        Law.Check(
            Cases.Of(6, CaseKind.Plain, CaseKind.ZeroWeights),
            c =>
            {
                foreach (LinearProblem problem in OnPoints(c))
                {
                    var cloud = (PointCloud)problem.Geometry;
                    var random = new SeededRandom(c.Seed);
                    DivergenceResult result = Solve(problem);
                    double size = 1 + Math.Abs(result.Value);

                    double[] v = EntropicGradientTests.Draw(random, c.Rows, 2),
                        w = EntropicGradientTests.Draw(random, c.Columns, 2);
                    LinearProblem At(double t) =>
                        new(
                            new PointCloud(
                                new Matrix(c.Rows, 2, EntropicGradientTests.Moved(cloud.Source.Values.ToArray(), v, t)),
                                new Matrix(c.Columns, 2, EntropicGradientTests.Moved(cloud.Target.Values.ToArray(), w, t)),
                                cloud.GroundCost
                            ),
                            problem.A,
                            problem.B
                        )
                        {
                            Regularizer = problem.Regularizer,
                            PenaltyA = problem.PenaltyA,
                            PenaltyB = problem.PenaltyB,
                        };
                    PointGradient points = result.Points();
                    (double inX, double sizeX) = Direction.Along(points.Source.Values, v);
                    (double inY, double sizeY) = Direction.Along(points.Target.Values, w);
                    // Cases whose points nearly meet would have quotients across a kink of |x − y|.
                    if (cloud.GroundCost.Name == "sqeuclidean" || Nearest(cloud) > 0.02)
                    {
                        double quotient = Direction.Stencil(t => Solve(At(t)).Value, 2e-4);
                        Approx.Equal(
                            quotient,
                            inX + inY,
                            1e-6 * (size + sizeX + sizeY),
                            $"in the points, {cloud.GroundCost.Name}"
                        );
                    }

                    Direction weights = Direction.OfWeights(problem, c.Seed);
                    if (problem.IsBalanced)
                        weights = weights with
                        {
                            A = EntropicGradientTests.KeepMass(weights.A!, problem.A),
                            B = EntropicGradientTests.KeepMass(weights.B!, problem.B),
                        };
                    Measure Change(Measure measure, double[] change, double t) =>
                        Measure.Of(EntropicGradientTests.Moved(measure.Weights.ToArray(), change, t));
                    double inWeights = Direction.Stencil(t =>
                        Solve(
                            new LinearProblem(cloud, Change(problem.A, weights.A!, t), Change(problem.B, weights.B!, t))
                            {
                                Regularizer = problem.Regularizer,
                                PenaltyA = problem.PenaltyA,
                                PenaltyB = problem.PenaltyB,
                            }
                        ).Value
                    );
                    double expected = Direction.Along(result.A, weights.A).Sum + Direction.Along(result.B, weights.B).Sum;
                    Approx.Equal(inWeights, expected, 1e-8 * size * (1 + problem.A.Mass), "in the weights");
                }
            },
            15,
            1000
        );

    static double Nearest(PointCloud cloud)
    {
        double least = double.PositiveInfinity;
        foreach (
            (Matrix x, Matrix y) in ((Matrix, Matrix)[])
                [(cloud.Source, cloud.Target), (cloud.Source, cloud.Source), (cloud.Target, cloud.Target)]
        )
        {
            for (int i = 0; i < x.Rows; i++)
            {
                for (int j = 0; j < y.Rows; j++)
                {
                    if (!ReferenceEquals(x, y) || i != j)
                        least = Math.Min(least, GroundCost.Euclidean.Evaluate(x.Row(i), y.Row(j)));
                }
            }
        }
        return least;
    }

    /// <summary>One set of bins for both measures, on a grid and as a matrix.</summary>
    [Fact]
    public void Histograms_on_common_bins()
    {
        var grid = Grid.Regular([4, 3], GroundCost.SquaredEuclidean, 0.3);
        var random = new SeededRandom(4);
        double[] a = EntropicGradientTests.SomeWeights(random, 12, zero: 3),
            b = EntropicGradientTests.SomeWeights(random, 12, zero: 0);
        var points = new Matrix(12, 2, [.. Enumerable.Range(0, 12).SelectMany(k => (double[])[0.3 * (k / 3), 0.3 * (k % 3)])]);
        double expected = Solve(EntropicCase.Of(new PointCloud(points, points), a, b, 0.1)).Value;
        Assert.True(expected > 1e-3);
        Assert.Equal(expected, Solve(EntropicCase.Of(grid, a, b, 0.1)).Value, 1e-12);
        Assert.Equal(expected, Solve(EntropicCase.Of(CostMatrix.From(grid), a, b, 0.1)).Value, 1e-12);
        Assert.Equal(0, Solve(EntropicCase.Of(grid, a, a, 0.1)).Value);
    }

    /// <summary>exp(−C/ε) far from positive semidefinite: the symmetric iteration crawls, and the general one takes over.</summary>
    [Fact]
    public void Indefinite_kernels_converge_too()
    {
        double[,] costs =
        {
            { 5, 0, 9 },
            { 0, 5, 8 },
            { 9, 8, 5 },
        };
        LinearProblem problem = EntropicCase.Of(new CostMatrix(costs), [.4, .35, .25], [.2, .3, .5], 0.3);
        DivergenceResult result = Solve(problem, new SinkhornOptions { Tolerance = 1e-10 });
        Assert.True(result.Converged, result.Status.ToString());
        double aa = Plain(EntropicCase.Of(new CostMatrix(costs), [.4, .35, .25], [.4, .35, .25], 0.3));
        Assert.Equal(aa, result.SelfSource!.Value, 1e-9);
        Approx.Equal(result.SelfSource.Potentials!.F, result.SelfSource.Potentials.G, 0, "one potential");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5)]
    [InlineData(4, 1)]
    public void Small_shapes(int n, int m)
    {
        var random = new SeededRandom(6);
        DivergenceResult result = Solve(
            Problem(
                EntropicGradientTests.Draw(random, n, 1),
                EntropicGradientTests.SomeWeights(random, n, 0),
                EntropicGradientTests.Draw(random, m, 1),
                EntropicGradientTests.SomeWeights(random, m, 0),
                0.01
            )
        );
        Assert.True(result.Converged);
        Assert.True(result.Value >= -1e-12);
        Assert.Equal((n, m), (result.A.Length, result.B.Length));
        Assert.Equal(n, result.Points().Source.Rows);
    }

    [Fact]
    public void Small_epsilon_needs_no_annealing_within_a_measure()
    {
        Matrix x = EntropicCase.Square(60, 9);
        double[] a = [.. Enumerable.Repeat(1.0 / 60, 60)];
        DivergenceResult result = Solve(
            EntropicCase.Of(new PointCloud(x, EntropicCase.Square(60, 10)), a, a, 1e-4),
            new SinkhornOptions { Tolerance = 1e-9, MaxIterations = 100_000 }
        );
        Assert.True(result.Converged);
        Assert.InRange(result.SelfSource!.Iterations, 1, 180);
    }

    [Fact]
    public void Endings()
    {
        LinearProblem problem = Problem([0, .5, 1.2], [.2, .5, .3], [.3, .9], [.6, .4], 0.1);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        DivergenceResult stopped = new SinkhornDivergence().Solve(problem, cancelled.Token);
        Assert.Equal(SolverStatus.Cancelled, stopped.Status);
        Assert.Equal(double.NaN, stopped.Value);
        Assert.Throws<InvalidOperationException>(() => stopped.Certify());
        Assert.Throws<InvalidOperationException>(() => stopped.Points());

        DivergenceResult limited = Solve(problem, new SinkhornOptions { MaxIterations = 1, Tolerance = 1e-12 });
        Assert.Equal(SolverStatus.IterationLimit, limited.Status);
        Assert.True(double.IsFinite(limited.Value));
        Assert.Equal(SolverStatus.TimeLimit, Solve(problem, new SinkhornOptions { TimeLimit = TimeSpan.Zero }).Status);

        DivergenceResult infeasible = Solve(Problem([0], [1], [0], [2], 1));
        Assert.Equal(SolverStatus.Infeasible, infeasible.Status);
        Assert.Equal(double.NaN, infeasible.Value);
        Assert.Contains("mass", infeasible.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refusals_say_what_to_do()
    {
        LinearProblem problem = Problem([0, .5, 1.2], [.2, .5, .3], [.3, .9], [.6, .4], 0.1);
        var solver = new SinkhornDivergence();
        string Refusal(LinearProblem p) => Assert.Throws<NotSupportedException>(() => solver.Solve(p)).Message;
        Assert.Contains(
            "Regularizer.Entropy",
            Refusal(problem with { Regularizer = Regularizer.None }),
            StringComparison.Ordinal
        );
        Assert.Contains("same penalty", Refusal(problem.Penalised(1, 2)), StringComparison.Ordinal);
        Assert.Contains(
            "PointCloud",
            Refusal(EntropicCase.Of(new CostMatrix(2, 2, [0, 1, 2.0, 0]), [.5, .5], [.5, .5], 1)),
            StringComparison.Ordinal
        );
        Assert.False(SinkhornDivergence.Supports(problem.Penalised(1, 2)));
        Assert.True(SinkhornDivergence.Supports(problem));
        Assert.Throws<ArgumentException>(() => new SinkhornDivergence(new() { Round = true }));
        Assert.Throws<ArgumentException>(() => new SinkhornDivergence(new() { Checkpoint = _ => { } }));
        GroundCost oneWay = GroundCost.Custom((x, y) => Math.Max(0, x[0] - y[0]));
        Assert.Contains(
            "not symmetric",
            Refusal(Problem([0, .5], [.5, .5], [.3, .9], [.6, .4], 0.1, oneWay)),
            StringComparison.Ordinal
        );
    }
}
