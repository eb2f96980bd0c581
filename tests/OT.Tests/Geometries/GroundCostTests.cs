using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Geometries;

public class GroundCostTests
{
    static readonly Dictionary<string, (GroundCost Cost, Func<double[], double[], double> Formula)> Costs = new(
        StringComparer.Ordinal
    )
    {
        ["sqeuclidean"] = (GroundCost.SquaredEuclidean, (x, y) => Power(x, y, 2)),
        ["half-sqeuclidean"] = (GroundCost.HalfSquaredEuclidean, (x, y) => Power(x, y, 2) / 2),
        ["euclidean"] = (GroundCost.Euclidean, (x, y) => Math.Sqrt(Power(x, y, 2))),
        ["cityblock"] = (GroundCost.CityBlock, (x, y) => Power(x, y, 1)),
        ["chebyshev"] = (GroundCost.Chebyshev, (x, y) => x.Zip(y, (a, b) => Math.Abs(a - b)).Max()),
        ["minkowski:3"] = (GroundCost.Minkowski(3), (x, y) => Math.Pow(Power(x, y, 3), 1.0 / 3)),
        ["minkowski:1.5"] = (GroundCost.Minkowski(1.5), (x, y) => Math.Pow(Power(x, y, 1.5), 1 / 1.5)),
        ["cosine"] = (GroundCost.Cosine, (x, y) => 1 - Cosine(x, y)),
        ["sphere"] = (GroundCost.SphereGeodesic, (x, y) => Math.Acos(Cosine(x, y))),
        ["euclidean^3"] = (GroundCost.Euclidean.ToPower(3), (x, y) => Math.Pow(Power(x, y, 2), 1.5)),
        ["cityblock^2"] = (GroundCost.CityBlock.ToPower(2), (x, y) => Math.Pow(Power(x, y, 1), 2)),
        ["custom"] = (
            GroundCost.Custom(
                (x, y) => Math.Exp(x[0] - y[0]) + x[^1],
                (x, y, g) =>
                {
                    g.Clear();
                    g[0] = Math.Exp(x[0] - y[0]);
                    g[^1] += 1;
                }
            ),
            (x, y) => Math.Exp(x[0] - y[0]) + x[^1]
        ),
    };

    public static TheoryData<string> Names => [.. Costs.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Value_is_the_formula(string name)
    {
        (GroundCost cost, Func<double[], double[], double> formula) = Costs[name];
        Assert.Equal(name, cost.Name);
        var random = new SeededRandom(7);
        for (int d = 1; d <= 5; d++)
        {
            for (int k = 0; k < 20; k++)
            {
                double[] x = Point(random, d),
                    y = Point(random, d);
                double expected = formula(x, y);
                // acos loses half the digits near 0 and π: 1e-7 there.
                double tolerance = name == "sphere" ? 1e-7 : 1e-14 * (1 + Math.Abs(expected));
                Assert.Equal(expected, cost.Evaluate(x, y), tolerance);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rows_equal_pairs_and_stay_below_the_bound(string name)
    {
        GroundCost cost = Costs[name].Cost;
        var random = new SeededRandom(8);
        // 1100 targets: three tiles of a row, the last one partial.
        foreach ((int n, int m, int d) in (ReadOnlySpan<(int, int, int)>)[(1, 1, 1), (3, 17, 2), (2, 1100, 3), (2, 5, 7)])
        {
            var cloud = new PointCloud(Cloud(random, n, d), Cloud(random, m, d), cost);
            GroundCostLaws.CostRowEqualsCost(cloud);
            Assert.InRange(cloud.Statistics.MaxMagnitude, 0, cloud.MagnitudeBound * (1 + 1e-12));
            Assert.Equal(cloud.Statistics.Mean, cloud.MeanCost, 1e-12 * (1 + cloud.MagnitudeBound));
            Assert.False(cloud.HasForbiddenPairs);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void GradientVsFiniteDifference(string name)
    {
        GroundCost cost = Costs[name].Cost;
        var random = new SeededRandom(9);
        for (int k = 0; k < 20; k++)
            GroundCostLaws.GradientEqualsDifferenceQuotient(cost, Point(random, 3), Point(random, 3));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void CoincidentPointsGradient(string name)
    {
        if (name == "custom")
            return; // belongs to its author
        double[] x = [0.3, -0.7, 1.1];
        var gradient = new double[3];
        Costs[name].Cost.Gradient(x, x, gradient);
        // Cosine is smooth there; its gradient is 0 up to the rounding of two directions.
        Assert.All(gradient, g => Assert.Equal(0, g, name == "cosine" ? 1e-15 : 0));
        Assert.Equal(0, Costs[name].Cost.Evaluate(x, x), 1e-30);
    }

    /// <summary>A distance keeps its digits where the square would leave the range of doubles.</summary>
    [Theory]
    [InlineData(1e-170)]
    [InlineData(1e-310)]
    [InlineData(1e200)]
    public void Euclidean_distances_neither_underflow_nor_overflow(double unit)
    {
        var x = new Matrix(1, 2, [0, 0]);
        var y = new Matrix(2, 2, [3 * unit, 4 * unit, 0, 0]);
        var cloud = new PointCloud(x, y, GroundCost.Euclidean);
        var row = new double[2];
        cloud.CostRow(0, row);
        Assert.Equal(5 * unit, row[0], 5e-15 * unit + double.Epsilon);
        Assert.Equal(0, row[1]);
        Assert.Equal(row[0], cloud.Cost(0, 0));
        Assert.InRange(cloud.MagnitudeBound, row[0] * (1 - 1e-12), 2 * row[0]);
    }

    [Fact]
    public void A_negative_cost_has_no_power()
    {
        var x = new Matrix(2, 1, [0, 3]);
        GroundCost negative = GroundCost.Custom((p, q) => q[0] - p[0] - 1).ToPower(1.5);
        var cloud = new PointCloud(x, x, negative);
        Assert.Contains("-1", Assert.Throws<ArgumentException>(() => cloud.Cost(0, 0)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => cloud.CostRow(0, new double[2]));
    }

    [Fact]
    public void FactorTwoDocumented()
    {
        double[] x = [1, 2],
            y = [4, 6];
        Assert.Equal(25, GroundCost.SquaredEuclidean.Evaluate(x, y));
        Assert.Equal(12.5, GroundCost.HalfSquaredEuclidean.Evaluate(x, y));
        Assert.Equal(5, GroundCost.Euclidean.Evaluate(x, y));
        Assert.Same(GroundCost.SquaredEuclidean, GroundCost.Euclidean.ToPower(2));
        Assert.Same(GroundCost.CityBlock, GroundCost.Minkowski(1));
        Assert.Same(GroundCost.Euclidean, GroundCost.Minkowski(2));
        Assert.Same(GroundCost.Euclidean, GroundCost.Euclidean.ToPower(1));
    }

    [Fact]
    public void Metrics_are_metrics_and_squares_are_not()
    {
        Matrix points = Cloud(new SeededRandom(4), 8, 3);
        foreach (
            GroundCost metric in (GroundCost[])
                [
                    GroundCost.Euclidean,
                    GroundCost.CityBlock,
                    GroundCost.Chebyshev,
                    GroundCost.Minkowski(3),
                    GroundCost.SphereGeodesic,
                ]
        )
            GroundCostLaws.MetricCost(metric, points);
        Assert.Throws<LawViolatedException>(() =>
            GroundCostLaws.MetricCost(GroundCost.SquaredEuclidean, Matrix.From([0.0], [1.0], [2.0]))
        );
        Assert.Throws<LawViolatedException>(() =>
            GroundCostLaws.MetricCost(GroundCost.Custom((x, y) => Math.Max(0, x[0] - y[0])), points)
        );
        var wrong = GroundCost.Custom((x, y) => x[0] * x[0], (x, y, g) => g[0] = x[0]);
        Assert.Throws<LawViolatedException>(() => GroundCostLaws.GradientEqualsDifferenceQuotient(wrong, [1.0], [0.0]));
    }

    [Fact]
    public void Angles_are_accurate_at_both_ends()
    {
        Assert.Equal(1e-9, GroundCost.SphereGeodesic.Evaluate([1, 0], [1, 1e-9]), 1e-23);
        Assert.Equal(Math.PI, GroundCost.SphereGeodesic.Evaluate([2, 0], [-3, 0]), 4 * Approx.Unit);
        Assert.Equal(0.5e-18, GroundCost.Cosine.Evaluate([1, 0], [1, 1e-9]), 1e-30);
    }

    [Fact]
    public void Points_where_a_cost_is_not_defined_are_refused()
    {
        Matrix origin = Matrix.From([1.0, 1.0], [0.0, 0.0]);
        foreach (GroundCost cost in (GroundCost[])[GroundCost.Cosine, GroundCost.SphereGeodesic, GroundCost.Cosine.ToPower(2)])
        {
            var refused = Assert.Throws<ArgumentException>(() => new PointCloud(origin, origin, cost));
            Assert.Contains("Row 1 of source is the origin", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Bad_parameters_and_functions_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => GroundCost.Minkowski(0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => GroundCost.Minkowski(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => GroundCost.Euclidean.ToPower(-1));
        Assert.Throws<ArgumentNullException>(() => GroundCost.Custom(null!));
        Assert.Throws<NotSupportedException>(() => GroundCost.Custom((x, y) => 0).Gradient([1], [1], new double[1]));
        Matrix one = Matrix.From([1.0]);
        var refused = Assert.Throws<ArgumentException>(() => new PointCloud(one, one, GroundCost.Custom((x, y) => double.NaN)));
        Assert.Contains("NaN", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_custom_cost_may_forbid_pairs()
    {
        GroundCost upward = GroundCost.Custom((x, y) => y[0] >= x[0] ? y[0] - x[0] : double.PositiveInfinity);
        var cloud = new PointCloud(Matrix.From([0.0], [1.0]), Matrix.From([0.5], [2.0]), upward);
        Assert.True(cloud.HasForbiddenPairs);
        Assert.True(new PointCloud(cloud.Source, cloud.Target, upward.ToPower(2)).HasForbiddenPairs);
        Assert.Equal(double.PositiveInfinity, cloud.Cost(1, 0));
        Assert.Equal((0.5 + 2 + 1) / 3, cloud.MeanCost, 1e-15);
        Assert.Equal(2, cloud.MagnitudeBound);
    }

    [Fact]
    public void Huge_points_neither_overflow_nor_underflow_where_the_distance_does_not()
    {
        Assert.Equal(3e200, GroundCost.Minkowski(3).Evaluate([3e200, 0], [0, 0]), 1e187);
        Assert.Equal(2e-200, GroundCost.Minkowski(4).Evaluate([2e-200], [0]), 1e-213);
        Assert.Contains(
            "overflow",
            Assert.Throws<ArgumentException>(() => new PointCloud(Matrix.From([1e200]), Matrix.From([-1e200]))).Message,
            StringComparison.Ordinal
        );
    }

    static double Power(double[] x, double[] y, double p) => x.Zip(y, (a, b) => Math.Pow(Math.Abs(a - b), p)).Sum();

    static double Cosine(double[] x, double[] y) =>
        Math.Clamp(x.Zip(y, (a, b) => a * b).Sum() / Math.Sqrt(x.Sum(a => a * a) * y.Sum(b => b * b)), -1, 1);

    static double[] Point(SeededRandom random, int d) => [.. Enumerable.Range(0, d).Select(_ => random.NextNormal())];

    static Matrix Cloud(SeededRandom random, int n, int d) =>
        Matrix.From([.. Enumerable.Range(0, n).Select(_ => Point(random, d))]);

    [Fact]
    public void Names_are_culture_free()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = "," } };
            Assert.Equal("minkowski:1.5", GroundCost.Minkowski(1.5).Name);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Theory]
    [InlineData(1e200)]
    [InlineData(1e-200)]
    [InlineData(5e-324)]
    [InlineData(1.7e308)]
    public void Directions_do_not_depend_on_length(double length)
    {
        Assert.Equal(0, GroundCost.Cosine.Evaluate([length, 0], [1, 0]));
        Assert.Equal(0, GroundCost.SphereGeodesic.Evaluate([length, 0], [1, 0]));
        Assert.Equal(1 - Math.Sqrt(0.5), GroundCost.Cosine.Evaluate([length, length], [1, 0]), 1e-15);
        Assert.Equal(Math.PI / 4, GroundCost.SphereGeodesic.Evaluate([0, 3], [length, length]), 1e-15);
        var cloud = new PointCloud(Matrix.From([length, 0]), Matrix.From([0, length]), GroundCost.Cosine);
        Assert.Equal(1, cloud.Cost(0, 0), 1e-15);
    }

    [Fact]
    public void A_custom_cost_is_called_once_a_pair()
    {
        int calls = 0;
        var cloud = new PointCloud(
            new Matrix(3, 1, [0, 1, 2]),
            new Matrix(4, 1, [0, 1, 2, 3]),
            GroundCost.Custom(
                (x, y) =>
                {
                    Interlocked.Increment(ref calls);
                    return x[0] > y[0] ? double.PositiveInfinity : y[0] - x[0];
                }
            )
        );
        Assert.Equal(12, calls);
        Assert.Equal(3, cloud.MagnitudeBound);
        Assert.True(cloud.HasForbiddenPairs);
        Assert.Throws<ArgumentException>(() =>
            new PointCloud(cloud.Source, cloud.Target, GroundCost.Custom((_, _) => double.NaN))
        );
    }
}
