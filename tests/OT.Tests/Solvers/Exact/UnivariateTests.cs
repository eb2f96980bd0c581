using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;
using Xunit;

namespace OT.Tests.Solvers.Exact;

public class UnivariateTests
{
    static readonly GroundCost[] ConvexCosts =
    [
        GroundCost.SquaredEuclidean,
        GroundCost.HalfSquaredEuclidean,
        GroundCost.Euclidean,
        GroundCost.CityBlock,
        GroundCost.Chebyshev,
        GroundCost.Minkowski(3),
        GroundCost.Euclidean.ToPower(1.5),
        GroundCost.Chebyshev.ToPower(3),
        GroundCost.SquaredEuclidean.ToPower(2),
    ];

    static double[] Draw(SeededRandom random, int count, bool lattice) =>
        [.. Enumerable.Range(0, count).Select(_ => lattice ? random.NextInt(5) : random.NextNormal())];

    static double[] Weights(SeededRandom random, int count)
    {
        double[] weights = [.. Enumerable.Range(0, count).Select(_ => random.NextInt(4) == 0 ? 0 : random.NextDouble())];
        weights[random.NextInt(count)] += 0.1;
        double mass = weights.Sum();
        return Array.ConvertAll(weights, w => w / mass);
    }

    [Fact]
    public void Agrees_with_the_network_simplex_and_meets_the_optimality_conditions()
    {
        var random = new SeededRandom(17);
        for (int k = 0; k < 600; k++)
        {
            int n = 1 + random.NextInt(20),
                m = 1 + random.NextInt(20);
            bool uniform = random.NextInt(3) == 0,
                lattice = random.NextInt(3) == 0;
            var cloud = new PointCloud(
                new Matrix(n, 1, Draw(random, n, lattice)),
                new Matrix(m, 1, Draw(random, m, lattice)),
                ConvexCosts[random.NextInt(ConvexCosts.Length)]
            );
            var problem = new LinearProblem(
                cloud,
                uniform ? Measure.Uniform(n) : Measure.Of(Weights(random, n)),
                uniform ? Measure.Uniform(m) : Measure.Of(Weights(random, m))
            );
            Assert.True(Univariate.Supports(problem));
            double value = Optimal.Check(new Univariate().Solve(problem), $"case {k}, {cloud.GroundCost.Name}");
            double simplex = Optimal.Check(new NetworkSimplex().Solve(problem), $"case {k}");
            Assert.Equal(simplex, value, 1e-13 * Optimal.MaxCost(problem));
        }
    }

    static readonly double[] X = [.. Enumerable.Range(0, 9).Select(i => 0.37 * ((i * i) + 1) % 1)];
    static readonly double[] A = [.. Enumerable.Range(1, 9).Select(i => i / 45.0)];
    static readonly double[] Y = [.. Enumerable.Range(0, 7).Select(i => ((0.61 * ((i * i) + 3)) + 0.13) % 1)];
    static readonly double[] B = [.. Enumerable.Range(0, 7).Select(i => (7 - i) / 28.0)];

    // Source: SciPy 1.10.1 wasserstein_distance (p = 1) and POT 0.8.2 ot.emd2_1d, whose values are not rooted.
    [Theory]
    [InlineData(1, 0.1573015873015869)]
    [InlineData(1.5, 0.07266063287168813)]
    [InlineData(2, 0.03579539682539662)]
    [InlineData(3, 0.009775477777777696)]
    public void Distance_on_the_line_reference_values(double p, double power) =>
        // The positions are reduced modulo 1 from numbers up to 40, which costs them two digits.
        Assert.Equal(Math.Pow(power, 1 / p), Univariate.Distance(X, A, Y, B, p), 1e-13);

    // Source: POT 0.8.2 ot.emd2 with cost min(|x − y|, 1 − |x − y|)^p, not rooted.
    [Theory]
    [InlineData(1, 0.09177777777777792)]
    [InlineData(1.5, 0.029950189814626823)]
    [InlineData(2, 0.010095555555555557)]
    [InlineData(3, 0.0012368634920634867)]
    public void Distance_on_the_circle_reference_values(double p, double power) =>
        Assert.Equal(Math.Pow(power, 1 / p), Univariate.CircleDistance(X, A, Y, B, p), 1e-13);

    [Fact]
    public void Distance_to_the_power_infinity_is_the_longest_way()
    {
        Assert.Equal(3, Univariate.Distance([0, 1, 5], [], [1, 2, 8], [], double.PositiveInfinity));
        Assert.Equal(3, Univariate.Distance([0, 1, 5], [], [1, 2, 8], [], 2000), 3 * (1 - Math.Pow(1 / 3.0, 1 / 2000.0)));
        Assert.Equal(0, Univariate.Distance([0, 1], [], [1, 0], [], double.PositiveInfinity));
    }

    [Fact]
    public void A_translation_moves_every_distance_by_its_length()
    {
        var random = new SeededRandom(4);
        double[] x = Draw(random, 50, false),
            y = Array.ConvertAll(x, v => v + 2.5);
        foreach (double p in (ReadOnlySpan<double>)[1, 1.7, 2, 10, double.PositiveInfinity])
            Assert.Equal(2.5, Univariate.Distance(x, [], y, [], p), 1e-14);
        // Powers neither overflow nor vanish.
        Assert.Equal(1e200, Univariate.Distance([0], [], [1e200], [], 5), 1e186);
    }

    [Fact]
    public void Circle_agrees_with_the_network_simplex()
    {
        var random = new SeededRandom(23);
        for (int k = 0; k < 300; k++)
        {
            int n = 1 + random.NextInt(9),
                m = 1 + random.NextInt(9);
            double length = 0.5 + random.NextDouble();
            double p = ((double[])[1, 1.3, 2, 4])[random.NextInt(4)];
            bool uniform = random.NextInt(2) == 0,
                lattice = random.NextInt(3) == 0;
            double[] x = [.. Draw(random, n, lattice).Select(v => lattice ? v * length / 4 : v)],
                y = [.. Draw(random, m, lattice).Select(v => lattice ? v * length / 4 : v)];
            double[] a = uniform ? [.. Enumerable.Repeat(1.0 / n, n)] : Weights(random, n),
                b = uniform ? [.. Enumerable.Repeat(1.0 / m, m)] : Weights(random, m);
            var costs = new double[n, m];
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < m; j++)
                {
                    double way = Math.Abs(x[i] - y[j]) % length;
                    costs[i, j] = Math.Pow(Math.Min(way, length - way), p);
                }
            }
            double expected = Optimal.Check(
                new NetworkSimplex().Solve(new LinearProblem(new CostMatrix(costs), Measure.Of(a), Measure.Of(b)))
            );
            double actual = Univariate.CircleDistance(x, a, y, b, p, length);
            // Compared before the root, which has no derivative at 0.
            Assert.Equal(expected, Math.Pow(actual, p), 1e-13);
        }
    }

    [Fact]
    public void Circle_distance_is_invariant_under_rotation_and_at_most_that_of_the_line()
    {
        var random = new SeededRandom(29);
        for (int k = 0; k < 50; k++)
        {
            double[] x = [.. Enumerable.Range(0, 12).Select(_ => random.NextDouble())],
                y = [.. Enumerable.Range(0, 15).Select(_ => random.NextDouble())];
            double[] a = Weights(random, 12),
                b = Weights(random, 15);
            foreach (double p in (ReadOnlySpan<double>)[1, 1.5, 2, 3])
            {
                double circle = Univariate.CircleDistance(x, a, y, b, p);
                double turned = Univariate.CircleDistance([.. x.Select(v => v + 7.3)], a, [.. y.Select(v => v + 7.3)], b, p);
                Assert.Equal(circle, turned, 1e-12);
                Assert.True(circle <= Univariate.Distance(x, a, y, b, p) + 1e-15);
                Assert.Equal(circle, Univariate.CircleDistance(y, b, x, a, p), 1e-13);
            }
        }
        // Two points next to each other across the seam.
        Assert.Equal(0.02, Univariate.CircleDistance([0.01], [], [0.99], [], 2), 1e-15);
        Assert.Equal(0, Univariate.CircleDistance([0.25, 3.5], [], [1.5, -0.75], [], 2));
    }

    /// <summary>W_p grows with p towards the least longest way, also where its powers are no doubles; powers that only rounding would decide are refused.</summary>
    [Fact]
    public void Circle_distance_of_high_powers_tends_to_the_longest_way()
    {
        double[] x = [0, 0.1, 0.25, 0.6],
            y = [0.3, 0.35, 0.5, 0.9];
        Assert.Throws<ArgumentOutOfRangeException>(() => Univariate.CircleDistance([0, 0.1], [], [0.3, 0.4], [], 800));
        foreach (double scale in (double[])[1, 1e-9, 1e-12])
        {
            double[] shrunk = Array.ConvertAll(y, (v) => v * scale),
                from = Array.ConvertAll(x, v => v * scale);
            double least = double.PositiveInfinity; // over cyclic permutations
            for (int turn = 0; turn < 4; turn++)
            {
                double longest = 0;
                for (int i = 0; i < 4; i++)
                {
                    double d = Math.Abs(from[i] - shrunk[(i + turn) % 4]);
                    longest = Math.Max(longest, Math.Min(d, 1 - d));
                }
                least = Math.Min(least, longest);
            }
            double last = 0;
            foreach (double p in (double[])[1, 2, 3, 10, 32])
            {
                double distance = Univariate.CircleDistance(from, [], shrunk, [], p);
                Assert.InRange(distance, last * (1 - 1e-12), least * (1 + 1e-12));
                Assert.True(distance >= least * Math.Pow(4, -1 / p) * (1 - 1e-12), $"{distance} at p = {p}");
                last = distance;
            }
        }
    }

    [Fact]
    public void Circle_distance_to_many_even_points_tends_to_the_uniform_formula()
    {
        // Source: Bonet et al. 2023, W_2² of n sorted points to the uniform measure: mean(x²) − mean(x)² + Σ (n + 1 − 2i) x_i / n² + 1/12.
        double[] x = [0.1, 0.15, 0.4, 0.8, 0.95];
        double mean = x.Average(),
            expected = x.Average(v => v * v) - (mean * mean) + (1 / 12.0);
        for (int i = 0; i < 5; i++)
            expected += (6 - (2 * (i + 1))) * x[i] / 25;
        const int count = 5000;
        double[] even = [.. Enumerable.Range(0, count).Select(i => (i + 0.5) / count)];
        double actual = Univariate.CircleDistance(x, [], even, [], 2);
        // Even points are at distance 1 / (2 count √3) from the uniform measure.
        Assert.Equal(Math.Sqrt(expected), actual, 1 / (2.0 * count * Math.Sqrt(3)));
    }

    [Fact]
    public void Equal_weights_match_the_sorted_points_one_by_one()
    {
        var random = new SeededRandom(37);
        foreach (int n in (int[])[1, 2, 7, 100, 1000, 40_000])
        {
            double[] x = Draw(random, n, n == 100),
                y = Draw(random, n, n == 100);
            double[] u = [.. x.Order()],
                v = [.. y.Order()];
            double[] weights = [.. Enumerable.Repeat(0.25, n)];
            foreach (double p in (ReadOnlySpan<double>)[1, 1.5, 2, 3])
            {
                double power = Enumerable.Range(0, n).Sum(i => Math.Pow(Math.Abs(u[i] - v[i]), p)) / n;
                double expected = Math.Pow(power, 1 / p);
                Assert.Equal(expected, Univariate.Distance(x, [], y, [], p), 1e-13 * (1 + expected));
                Assert.Equal(
                    Univariate.Distance(x, [], y, [], p),
                    Transport.Distance(new Matrix(n, 1, x), new Matrix(n, 1, y), p)
                );
                double scaled = Math.Pow(0.25 * n, 1 / p) * expected;
                Assert.Equal(scaled, Univariate.Distance(x, weights, y, weights, p), 1e-13 * (1 + scaled));
            }
        }
    }

    [Fact]
    public void A_way_that_overflows_is_refused()
    {
        double far = double.MaxValue;
        Assert.Throws<ArgumentException>(() => Univariate.Distance([far], [], [-far], []));
        Assert.Throws<ArgumentException>(() => Univariate.Distance([far, far / 2], [0.5, 0.5], [-far, 0], [0.25, 0.75]));
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Univariate.Distance([0], [], [1], [], 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => Univariate.Distance([0], [], [1], [], double.NaN));
        Assert.Throws<ArgumentException>(() => Univariate.Distance([], [], [1], []));
        Assert.Throws<ArgumentException>(() => Univariate.Distance([double.NaN], [], [1], []));
        Assert.Throws<ArgumentException>(() => Univariate.Distance([0, 1], [1], [1], []));
        Assert.Throws<ArgumentException>(() => Univariate.Distance([0], [1], [1], [2]));
        Assert.Throws<ArgumentException>(() => Univariate.Distance([0, 1], [-1, 2], [1], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Univariate.CircleDistance([0], [], [1], [], 2, 0));
    }

    [Fact]
    public void Concave_other_and_plane_costs_are_refused_by_name()
    {
        Matrix line = new(2, 1, [0, 1]),
            plane = new(1, 2, [0, 1]);
        Measure two = Measure.Uniform(2),
            one = Measure.Uniform(1);
        LinearProblem[] refused =
        [
            new(new PointCloud(line, line, GroundCost.Euclidean.ToPower(0.5)), two, two),
            new(new PointCloud(line, line, GroundCost.Custom((x, y) => x[0] * y[0])), two, two),
            new(new PointCloud(plane, plane), one, one),
        ];
        foreach (LinearProblem problem in refused)
        {
            Assert.False(Univariate.Supports(problem));
            Assert.Contains(
                "NetworkSimplex",
                Assert.Throws<NotSupportedException>(() => new Univariate().Solve(problem)).Message
            );
        }
    }

    [Fact]
    public void Unequal_masses_are_infeasible_and_a_cancelled_solve_says_so()
    {
        var cloud = new PointCloud(new Matrix(1, 1, [0]), new Matrix(1, 1, [1]));
        var problem = new LinearProblem(cloud, Measure.Of([1.0]), Measure.Of([2.0]));
        Assert.Equal(SolverStatus.Infeasible, new Univariate().Solve(problem).Status);
        using var source = new CancellationTokenSource();
        source.Cancel();
        var balanced = new LinearProblem(cloud, Measure.Uniform(1), Measure.Uniform(1));
        TransportResult result = new Univariate().Solve(balanced, source.Token);
        Assert.Equal(SolverStatus.Cancelled, result.Status);
        Assert.Equal(0, result.MarginalError);
    }

    [Fact]
    public void Two_hundred_thousand_points_take_no_table()
    {
        var random = new SeededRandom(31);
        const int n = 200_000;
        double[] x = Draw(random, n, false);
        var cloud = new PointCloud(new Matrix(n, 1, x), new Matrix(n, 1, Array.ConvertAll(x, v => v + 1)));
        TransportResult result = new Univariate().Solve(new LinearProblem(cloud, Measure.Uniform(n), Measure.Uniform(n)));
        Assert.Equal(1, result.TransportCost, 1e-12);
        double dual = (Summation.Sum(result.Potentials!.F) + Summation.Sum(result.Potentials.G)) / n;
        Assert.Equal(1, dual, 1e-11);
    }
}
