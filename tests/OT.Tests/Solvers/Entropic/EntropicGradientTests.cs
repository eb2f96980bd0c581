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

/// <summary>Envelope derivatives of the optimal value against difference quotients, in everything it depends on.</summary>
public class EntropicGradientTests
{
    // Quotients of values: truncation 1e-12, rounding 1e-15/1e-3, times what amplifies them.
    const double Tolerance = 1e-8;

    static readonly SinkhornOptions s_tight = new() { Tolerance = 1e-14, MaxIterations = 100_000 };

    static TransportResult Solve(LinearProblem problem) => new Sinkhorn(s_tight).Solve(problem);

    public static TheoryData<string> Costs => [.. s_costs.Keys];

    static readonly Dictionary<string, GroundCost> s_costs = new(StringComparer.Ordinal)
    {
        ["sqeuclidean"] = GroundCost.SquaredEuclidean,
        ["half-sqeuclidean"] = GroundCost.HalfSquaredEuclidean,
        ["euclidean"] = GroundCost.Euclidean,
        ["euclidean^1.5"] = GroundCost.Euclidean.ToPower(1.5),
        ["cityblock"] = GroundCost.CityBlock,
        ["chebyshev"] = GroundCost.Chebyshev,
        ["minkowski"] = GroundCost.Minkowski(3),
        ["cosine"] = GroundCost.Cosine,
        ["sphere"] = GroundCost.SphereGeodesic,
        ["custom"] = Smooth,
    };

    /// <summary><c>log(1 + |x − y|²)</c>.</summary>
    internal static GroundCost Smooth =>
        GroundCost.Custom(
            (x, y) => Math.Log(1 + GroundCost.SquaredEuclidean.Evaluate(x, y)),
            (x, y, gradient) =>
            {
                double squared = GroundCost.SquaredEuclidean.Evaluate(x, y);
                for (int k = 0; k < x.Length; k++)
                    gradient[k] = 2 * (x[k] - y[k]) / (1 + squared);
            }
        );

    [Fact]
    public void GradientVsFiniteDifference() =>
        Law.Check(
            Cases.Any(6),
            c =>
            {
                foreach (LinearProblem problem in ImplicitGradientTests.Variants(c))
                {
                    TransportResult result = Solve(problem);
                    var gradient = EntropicGradient.Of(result);
                    double At(LinearProblem moved) => Solve(moved).Value;
                    double size = Math.Abs(result.Value) + (result.Epsilon * problem.A.Mass);

                    Direction costs = Direction.OfCosts(problem, c.Seed);
                    double[] change = costs.Costs!.Cast<double>().ToArray();
                    (double inCosts, double termsC) = Direction.Along(gradient.Cost.ToDense().Values, change);
                    costs.Check(problem, At, inCosts, Tolerance * (size + termsC), "in C");

                    Direction epsilon = Direction.OfEpsilon(problem);
                    epsilon.Check(problem, At, gradient.Epsilon * epsilon.Epsilon, Tolerance * size, "in ε");

                    Direction weights = Direction.OfWeights(problem, c.Seed);
                    if (problem.IsBalanced)
                    {
                        // Centred: for changes that keep both masses.
                        weights = weights with
                        {
                            A = KeepMass(weights.A!, problem.A),
                            B = KeepMass(weights.B!, problem.B),
                        };
                    }
                    (double inA, double termsA) = Direction.Along(gradient.A, weights.A);
                    (double inB, double termsB) = Direction.Along(gradient.B, weights.B);
                    weights.Check(problem, At, inA + inB, Tolerance * (size + termsA + termsB), "in the weights");
                }
            },
            8,
            1000
        );

    internal static double[] KeepMass(double[] change, Measure measure)
    {
        double sum = change.Sum();
        return [.. change.Select((v, k) => v - (sum * measure.Weights[k] / measure.Mass))];
    }

    [Theory]
    [MemberData(nameof(Costs))]
    public void Points_of_both_clouds(string cost)
    {
        var random = new SeededRandom(5);
        double[] x = Draw(random, 7, 2),
            y = Draw(random, 5, 2);
        double[] a = SomeWeights(random, 7, zero: 2),
            b = SomeWeights(random, 5, zero: 0);
        foreach (double rho in (double[])[double.PositiveInfinity, 0.8])
        {
            LinearProblem Problem(double[] source, double[] target) =>
                EntropicCase
                    .Of(new PointCloud(new Matrix(7, 2, source), new Matrix(5, 2, target), s_costs[cost]), a, b, 0.2)
                    .Penalised(rho, rho);
            TransportResult result = Solve(Problem(x, y));
            PointGradient gradient = EntropicGradient.Of(result).Points(cancellation: TestContext.Current.CancellationToken);
            double[] v = Draw(random, 7, 2),
                w = Draw(random, 5, 2);
            double quotient = Direction.Stencil(t => Solve(Problem(Moved(x, v, t), Moved(y, w, t))).Value, 1e-3);
            (double inX, double sizeX) = Direction.Along(gradient.Source.Values, v);
            (double inY, double sizeY) = Direction.Along(gradient.Target.Values, w);
            // Kinks are a few thousandths away: the fifth derivatives of roots there are large.
            Approx.Equal(quotient, inX + inY, 1e-7 * (1 + sizeX + sizeY), $"{cost}, ρ = {rho}");
        }
    }

    internal static double[] Draw(SeededRandom random, int n, int d) =>
        [.. Enumerable.Range(0, n * d).Select(_ => 0.2 + random.NextDouble())];

    internal static double[] SomeWeights(SeededRandom random, int n, int zero)
    {
        double[] weights = [.. Enumerable.Range(0, n).Select(k => k < zero ? 0 : 0.2 + random.NextDouble())];
        double sum = weights.Sum();
        return Array.ConvertAll(weights, w => w / sum);
    }

    internal static double[] Moved(double[] x, double[] v, double t) => [.. x.Select((p, k) => p + (t * v[k]))];

    [Fact]
    public void WeightGradientCentred() =>
        Law.Check(
            Cases.Any(8),
            c =>
            {
                TransportResult result = Solve(c.Entropic());
                var gradient = EntropicGradient.Of(result);
                void Check(ReadOnlySpan<double> side, ReadOnlySpan<double> potential)
                {
                    double largest = 0;
                    foreach (double v in potential)
                        largest = Math.Max(largest, Math.Abs(v));
                    double[] values = side.ToArray();
                    Approx.Equal(0, values.Sum(), 8 * Approx.Unit * values.Length * largest, "sum");
                    for (int k = 0; k < values.Length; k++)
                        Approx.Equal(potential[k] - potential[0], values[k] - values[0], 8 * Approx.Unit * largest, "difference");
                }
                Check(gradient.A, result.Potentials!.F);
                Check(gradient.B, result.Potentials.G);
            }
        );

    /// <summary>A first grain of mass in an empty bin: the one-sided quotient.</summary>
    [Theory]
    [InlineData(double.PositiveInfinity)]
    [InlineData(0.7)]
    public void Empty_bins_have_the_derivative_of_a_first_grain(double rho)
    {
        var costs = new CostMatrix(Matrix.From([0.3, 1, 0.4], [0.9, 0.2, 0.7], [0.5, 0.6, 0.1]).ToArray());
        double[] a = [0, 0.6, 0.4],
            b = [0.5, 0, 0.5];
        double At(double t) => Solve(EntropicCase.Of(costs, [t, 0.6 - t, 0.4], [0.5 - t, t, 0.5], 0.3).Penalised(rho, rho)).Value;
        var gradient = EntropicGradient.Of(Solve(EntropicCase.Of(costs, a, b, 0.3).Penalised(rho, rho)));
        const double h = 1e-5;
        double oneSided = ((4 * At(h)) - At(2 * h) - (3 * At(0))) / (2 * h); // second order in h
        double expected = gradient.A[0] - gradient.A[1] + gradient.B[1] - gradient.B[0];
        Assert.Equal(expected, oneSided, 1e-7);
    }

    /// <summary>|x − y| at x = y: the subgradient 0, and no NaN.</summary>
    [Theory]
    [MemberData(nameof(Costs))]
    public void CoincidentPointsGradient(string cost)
    {
        var same = new Matrix(3, 2, [1, 2, 1, 2, 1, 2]);
        TransportResult result = Solve(
            EntropicCase.Of(new PointCloud(same, same, s_costs[cost]), [.2, .3, .5], [.2, .3, .5], 0.1)
        );
        PointGradient gradient = EntropicGradient.Of(result).Points(cancellation: TestContext.Current.CancellationToken);
        // Directions are normalised with rounding.
        Assert.All(gradient.Source.Values.ToArray(), v => Assert.Equal(0, v, 1e-15));
        Assert.All(gradient.Target.Values.ToArray(), v => Assert.Equal(0, v, 1e-15));
    }

    [Theory]
    [MemberData(nameof(Costs))]
    public void TileHonouredForEveryCostAndBackward(string cost)
    {
        const int n = 600,
            m = 500;
        PointCloud cloud = new(EntropicCase.Square(n, 1), EntropicCase.Square(m, 2), s_costs[cost]);
        LinearProblem problem = new(cloud, Measure.Uniform(n), Measure.Uniform(m))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(1)),
        };
        var plan = new PotentialPlan(cloud, problem.A, problem.B, new Potentials(new double[n], new double[m]), 1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var alone = PointGradient.Contract(cloud, plan.Row, true, 1, TestContext.Current.CancellationToken);
        long taken = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(taken, 0, sizeof(double) * (long)n * m / 4);
        var together = PointGradient.Contract(cloud, plan.Row, true, 3, TestContext.Current.CancellationToken);
        Assert.Equal(alone.Source.Values, together.Source.Values);
        Assert.Equal(alone.Target.Values, together.Target.Values);
        // Entry by entry.
        var row = new double[m];
        var expected = new double[2];
        var gradient = new double[2];
        plan.Row(7, row);
        for (int j = 0; j < m; j++)
        {
            s_costs[cost].Gradient(cloud.Source.Row(7), cloud.Target.Row(j), gradient);
            expected[0] += row[j] * gradient[0];
            expected[1] += row[j] * gradient[1];
        }
        Approx.Equal(expected, alone.Source.Row(7), 1e-14 * m, "source 7");
    }

    [Fact]
    public void The_plan_is_within_its_certified_distance()
    {
        LinearProblem problem = EntropicCase.Of(
            new PointCloud(EntropicCase.Square(40, 3), EntropicCase.Square(30, 4)),
            [.. Enumerable.Repeat(1.0 / 40, 40)],
            [.. Enumerable.Repeat(1.0 / 30, 30)],
            0.02
        );
        foreach (LinearProblem p in (LinearProblem[])[problem, problem.Penalised(0.5, 0.5)])
        {
            TransportResult best = Solve(p);
            double last = double.PositiveInfinity;
            foreach (double tolerance in (double[])[1e-1, 1e-3, 1e-6])
            {
                TransportResult result = new Sinkhorn(new() { Tolerance = tolerance }).Solve(p);
                double bound = EntropicGradient.Of(result).PlanErrorBound(result.Certify());
                double distance = Approx.PlanDistance(best.Plan, result.Plan);
                Assert.InRange(distance, 0, bound);
                Assert.True(bound < last, "The bound shrinks with the tolerance.");
                last = bound;
            }
        }
    }

    [Fact]
    public void Refusals_say_what_to_do()
    {
        TransportResult exact = new NetworkSimplex().Solve(
            new LinearProblem(new CostMatrix(1, 1, [1.0]), Measure.Uniform(1), Measure.Uniform(1))
        );
        Assert.Contains(
            "Regularizer.Entropy",
            Assert.Throws<NotSupportedException>(() => EntropicGradient.Of(exact)).Message,
            StringComparison.Ordinal
        );
        TransportResult stored = Solve(EntropicCase.Of(new CostMatrix(1, 1, [1.0]), [1], [1], 1));
        Assert.Contains(
            "PointCloud",
            Assert.Throws<NotSupportedException>(() => EntropicGradient.Of(stored).Points()).Message,
            StringComparison.Ordinal
        );
        TransportResult infeasible = Solve(EntropicCase.Of(new CostMatrix(1, 1, [double.PositiveInfinity]), [1], [1], 1));
        Assert.Contains(
            "Infeasible",
            Assert.Throws<ArgumentException>(() => EntropicGradient.Of(infeasible)).Message,
            StringComparison.Ordinal
        );

        Matrix x = EntropicCase.Square(4, 1),
            y = EntropicCase.Square(3, 2);
        EntropicGradient Of(GroundCost cost) =>
            EntropicGradient.Of(Solve(EntropicCase.Of(new PointCloud(x, y, cost), [.25, .25, .25, .25], [.4, .3, .3], 1)));
        Assert.Contains(
            "GroundCost.Custom",
            Assert.Throws<NotSupportedException>(() => Of(GroundCost.Custom((p, q) => p[0] * q[0])).Points()).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "symmetric",
            Assert
                .Throws<NotSupportedException>(() =>
                    Of(GroundCost.Custom((p, q) => p[0] - (2 * q[0]), (_, _, g) => (g[0], g[1]) = (1, 0))).Points()
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "not finite",
            Assert
                .Throws<ArgumentException>(() =>
                    Of(GroundCost.Custom((p, q) => p[0] * q[0], (_, _, g) => g.Fill(double.NaN))).Points()
                )
                .Message,
            StringComparison.Ordinal
        );
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => Of(GroundCost.Euclidean).Points(cancellation: cancelled.Token));
    }

    /// <summary>Products with the plan instead of a sum over pairs: rounded in units of the clouds' extent. Other costs, and rounded plans, are the same sum.</summary>
    [Theory]
    [InlineData("points1")]
    [InlineData("points7")]
    [InlineData("points far away")]
    [InlineData("half squared")]
    [InlineData("euclidean")]
    public void Points_by_products_are_those_by_pairs(string kind)
    {
        using var backend = new ManagedBackend(2);
        foreach ((int n, int m) in ((int, int)[])[(1, 1), (1, 6), (40, 30)])
        {
            foreach (bool round in (bool[])[false, true])
            {
                LinearProblem problem = EntropicCase.Of(kind, n, m);
                TransportResult result = new Sinkhorn(new SinkhornOptions { Round = round }).Solve(problem);
                PointGradient expected = EntropicGradient.Of(result).Points(),
                    actual = EntropicGradient.Of(result).Points(backend);
                var cloud = (PointCloud)problem.Geometry;
                double extent = 1;
                foreach (Matrix points in (Matrix[])[cloud.Source, cloud.Target])
                {
                    foreach (double x in points.Values)
                        extent = Math.Max(extent, Math.Abs(x - cloud.Source[0, 0]));
                }
                double allowed = round || kind == "euclidean" ? 0 : 1e-14 * (n + m) * extent * problem.A.Mass;
                Approx.Equal(expected.Source.Values, actual.Source.Values, allowed, "source");
                Approx.Equal(expected.Target.Values, actual.Target.Values, allowed, "target");
                Approx.Equal(expected.LargestSlope, actual.LargestSlope, 1e-14 * expected.LargestSlope, "slope");
            }
        }
    }
}
