using System.Numerics.Tensors;
using FsCheck;
using FsCheck.Fluent;
using OT.Applications.DomainAdaptation;
using OT.Interop;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Applications.DomainAdaptation;

/// <summary>Maps between Gaussians: moments, closed forms, equivariance, and what degenerates.</summary>
public sealed class LinearMapTests
{
    /// <summary>Sizes and a seed; more points than dimensions on both sides, so that covariances have full rank.</summary>
    public sealed record Pair(int Rows, int Columns, int Dimension, ulong Seed)
    {
        public Measure Source() => Measure.Of(Clouds.Weights(Rows, Seed ^ 1), Clouds.Normal(Rows, Dimension, Seed ^ 2));

        public Measure Target() => Measure.Of(Clouds.Weights(Columns, Seed ^ 3), Clouds.Normal(Columns, Dimension, Seed ^ 4));

        public LinearMap Fit() => LinearMap.Fit(Source(), Target());
    }

    static Arbitrary<Pair> Pairs(int leastDimension = 1) =>
        Arb.From(
            from d in Gen.Choose(leastDimension, 5)
            from n in Gen.Choose(d + 2, 30)
            from m in Gen.Choose(d + 2, 30)
            from seed in Gen.Choose(0, int.MaxValue)
            select new Pair(n, m, d, (ulong)seed)
        );

    /// <summary>Rounding of a matrix function is that of its argument times the condition number; 64 counts the products of a formula.</summary>
    static double Rounding(LinearMap map) =>
        64 * map.Dimension * Approx.Unit * Condition(map.SourceCovariance) * Condition(map.TargetCovariance);

    static double Condition(Matrix covariance)
    {
        double[] values = [.. covariance.ToMathNet().Evd().EigenValues.Select(value => value.Real)];
        return values.Max() / values.Min();
    }

    static (double[] Mean, Matrix Covariance) Moments(Matrix points, ReadOnlySpan<double> weights)
    {
        double mass = TensorPrimitives.Sum(weights);
        double[] w = weights.ToArray();
        double[] mean =
        [
            .. Enumerable
                .Range(0, points.Columns)
                .Select(k => Enumerable.Range(0, points.Rows).Sum(i => w[i] * points[i, k]) / mass),
        ];
        var covariance = new double[points.Columns * points.Columns];
        for (int k = 0; k < points.Columns; k++)
        {
            for (int l = 0; l < points.Columns; l++)
                covariance[(k * points.Columns) + l] =
                    Enumerable.Range(0, points.Rows).Sum(i => w[i] * (points[i, k] - mean[k]) * (points[i, l] - mean[l])) / mass;
        }
        return (mean, new Matrix(points.Columns, points.Columns, covariance));
    }

    [Fact]
    public void Images_have_the_targets_mean_and_covariance() =>
        Law.Check(
            Pairs(),
            pair =>
            {
                LinearMap map = pair.Fit();
                (double[] mean, Matrix covariance) = Moments(map.Transform(pair.Source().Points!), pair.Source().Weights);
                (double[] expected, Matrix spread) = Moments(pair.Target().Points!, pair.Target().Weights);
                double size = Clouds.Size(pair.Source().Points!, pair.Target().Points!);
                Approx.Equal(expected, mean, Rounding(map) * size, "mean");
                Approx.Equal(
                    spread.Values,
                    covariance.Values,
                    Rounding(map) * TensorPrimitives.Norm(spread.Values),
                    "covariance"
                );
                Approx.AtMost(map.CovarianceError, Rounding(map), "CovarianceError");
                Approx.True(map.IsInvertible && map.SourceRank == pair.Dimension, "full rank");
            }
        );

    [Fact]
    public void Planar_maps_are_geometric_means() =>
        Law.Check(
            Pairs(2),
            pair =>
            {
                LinearMap map = (pair with { Dimension = 2 }).Fit();
                double[,] expected = DomainOracles.MapOfPlanarGaussians(map.SourceCovariance, map.TargetCovariance);
                double[] flat = [.. expected.Cast<double>()];
                Approx.Equal(flat, map.Matrix.Values, Rounding(map) * TensorPrimitives.Norm<double>(flat), "A");
            }
        );

    [Fact]
    public void The_cost_is_the_mean_squared_displacement_and_bounds_the_exact_one_from_below() =>
        Law.Check(
            Pairs(),
            pair =>
            {
                LinearMap map = pair.Fit();
                (Measure source, Measure target) = (pair.Source(), pair.Target());
                Matrix images = map.Transform(source.Points!);
                double moved = 0;
                for (int i = 0; i < source.Count; i++)
                {
                    double step = TensorPrimitives.Distance(source.Points!.Row(i), images.Row(i));
                    moved += source.Weights[i] / source.Mass * step * step;
                }
                double size = Clouds.Size(source.Points!, target.Points!);
                Approx.Equal(moved, map.TransportCost, Rounding(map) * size * size, "cost");
                // Gelbrich: no plan between measures of these moments costs less.
                double exact = Math.Pow(Transport.Distance(source.Scale(1 / source.Mass), target.Scale(1 / target.Mass)), 2);
                Approx.AtMost(map.TransportCost, exact + (Rounding(map) * size * size), "Gaussian cost");
            },
            quickCount: 40,
            fullCount: 400
        );

    [Fact]
    public void Inverse_after_forward_is_the_identity() =>
        Law.Check(
            Pairs(),
            pair =>
            {
                LinearMap map = pair.Fit();
                Matrix points = Clouds.Normal(7, pair.Dimension, pair.Seed ^ 9);
                double tolerance = Rounding(map) * Clouds.Size(points, pair.Source().Points!, pair.Target().Points!);
                Approx.Equal(points.Values, map.InverseTransform(map.Transform(points)).Values, tolerance, "T⁻¹(T(x))");
                // The inverse is the map the other way round.
                LinearMap back = LinearMap.Fit(pair.Target(), pair.Source());
                Approx.Equal(back.Transform(points).Values, map.InverseTransform(points).Values, tolerance, "map back");
            }
        );

    [Fact]
    public void Moved_and_turned_clouds_have_moved_and_turned_maps() =>
        Law.Check(
            Pairs(2),
            pair =>
            {
                (Measure source, Measure target) = (pair.Source(), pair.Target());
                Matrix points = Clouds.Normal(5, pair.Dimension, pair.Seed ^ 9);
                LinearMap map = LinearMap.Fit(source, target);
                Matrix Turned(Matrix cloud) => Clouds.Turn(cloud, 0.7);
                Matrix Far(Matrix cloud) => Clouds.Shift(cloud, 10, -20);
                LinearMap other = LinearMap.Fit(
                    Measure.Of(source.Weights, Turned(source.Points!)),
                    Measure.Of(target.Weights, Far(Turned(target.Points!)))
                );
                double size = 20 + Clouds.Size(points, source.Points!, target.Points!);
                Approx.Equal(
                    Far(Turned(map.Transform(points))).Values,
                    other.Transform(Turned(points)).Values,
                    Rounding(map) * size,
                    "turned and moved"
                );
            }
        );

    [Theory]
    [InlineData(12, 3)]
    [InlineData(3, 7)] // fewer points than dimensions
    [InlineData(2, 2)]
    [InlineData(1, 4)]
    public void Equal_clouds_have_the_identity(int n, int d)
    {
        Measure cloud = Measure.Uniform(Clouds.Normal(n, d, 5));
        LinearMap map = LinearMap.Fit(cloud, cloud);
        Matrix points = Clouds.Shift(Clouds.Normal(6, d, 8), 100);
        double tolerance = 1e3 * d * Approx.Unit * (n > d ? Condition(map.SourceCovariance) : 1e3);
        Approx.Equal(points.Values, map.Transform(points).Values, tolerance * 100, "identity");
        Approx.Equal(points.Values, map.InverseTransform(points).Values, tolerance * 100, "its inverse");
        Assert.Equal(0, map.TransportCost, tolerance * 10);
        Assert.Equal(Math.Min(n - 1, d), map.SourceRank);
    }

    [Fact]
    public void One_point_is_moved_to_the_mean_and_takes_space_with_it()
    {
        Measure one = Measure.Uniform(Matrix.From([1.0, 2.0])),
            many = Measure.Uniform(Matrix.From([4.0, 0.0], [6.0, 4.0]));
        LinearMap map = LinearMap.Fit(one, many);
        Assert.Equal([5.0, 2, 15, 12], map.Transform(Matrix.From([1.0, 2.0], [11.0, 12.0])).Values.ToArray());
        Assert.Equal(0, map.SourceRank);
        Assert.Equal(1, map.CovarianceError);
        // |m_s − m_t|² and the whole spread of the target.
        Assert.Equal(16 + 5, map.TransportCost, 1e-13);
    }

    [Fact]
    public void Directions_without_variance_are_left_alone_and_the_error_says_what_is_missed()
    {
        // The source varies along x alone, the target along both.
        LinearMap map = LinearMap.Fit(
            Measure.Uniform(Matrix.From([-1.0, 0], [1.0, 0])),
            Measure.Uniform(Matrix.From([-2.0, 0], [2.0, 0], [0, -1.0], [0, 1.0]))
        );
        double half = 1 / Math.Sqrt(2); // variances 1 and 2, so that A = √2 along x
        Approx.Equal([2 * half, 0, 0, 1], map.Matrix.Values, 8 * Approx.Unit, "A");
        Assert.Equal(1, map.SourceRank);
        Assert.Equal(0.5 / Math.Sqrt(4.25), map.CovarianceError, 1e-14);
    }

    [Fact]
    public void Singular_maps_refuse_to_be_inverted()
    {
        Matrix flat = Matrix.From([0.0, 1], [2.0, 1], [5.0, 1]);
        LinearMap map = LinearMap.Fit(Measure.Uniform(Clouds.Normal(9, 2, 1)), Measure.Uniform(flat));
        Assert.False(map.IsInvertible);
        var refusal = Assert.Throws<NotSupportedException>(() => map.InverseTransform(flat));
        Assert.Contains("Regularization", refusal.Message, StringComparison.Ordinal);
        // All images lie on the target's line.
        Matrix images = map.Transform(Clouds.Normal(4, 2, 2));
        for (int i = 0; i < 4; i++)
            Assert.Equal(1, images[i, 1], 1e-14);
        LinearMap ridge = LinearMap.Fit(
            Measure.Uniform(Clouds.Normal(9, 2, 1)),
            Measure.Uniform(flat),
            new() { Regularization = 0.01 }
        );
        Assert.True(ridge.IsInvertible);
        Assert.InRange(ridge.CovarianceError, 1e-6, 0.1);
    }

    [Fact]
    public void Unbiased_covariances_count_one_point_less()
    {
        Matrix x = Clouds.Normal(4, 1, 1),
            y = Clouds.Normal(9, 1, 2);
        double biased = LinearMap.Fit(Measure.Uniform(x), Measure.Uniform(y)).Matrix[0, 0],
            unbiased = LinearMap.Fit(Measure.Uniform(x), Measure.Uniform(y), new() { UnbiasedCovariance = true }).Matrix[0, 0];
        Assert.Equal(Math.Sqrt(9.0 / 8 * (3.0 / 4)), unbiased / biased, 1e-14);
        LinearMap one = LinearMap.Fit(
            Measure.Uniform(Matrix.From([3.0])),
            Measure.Uniform(y),
            new() { UnbiasedCovariance = true }
        );
        Assert.Equal(1, one.Matrix[0, 0]);
    }

    [Fact]
    public void Regularization_is_relative_and_keeps_the_identity()
    {
        Measure x = Measure.Uniform(Clouds.Normal(8, 3, 1)),
            y = Measure.Uniform(Clouds.Normal(8, 3, 2));
        static Measure Scaled(Measure cloud) => Measure.Uniform(Clouds.Move(cloud.Points!, p => [.. p.Select(v => 1e80 * v)]));
        var options = new LinearMapOptions { Regularization = 0.1 };
        Matrix plain = LinearMap.Fit(x, y, options).Matrix;
        Approx.Equal(plain.Values, LinearMap.Fit(Scaled(x), Scaled(y), options).Matrix.Values, 1e-12, "scaled by 1e80");
        Approx.Equal([1, 0, 0, 0, 1, 0, 0, 0, 1], LinearMap.Fit(x, x, options).Matrix.Values, 1e-13, "identity");
        // With ever more of it both sides are round and of one size.
        Approx.Equal(
            [1, 0, 0, 0, 1, 0, 0, 0, 1],
            LinearMap.Fit(x, y, new() { Regularization = 1e9 }).Matrix.Values,
            1e-8,
            "all ridge"
        );
    }

    [Fact]
    public void Known_Gaussians()
    {
        LinearMap map = LinearMap.BetweenGaussians(
            [1, 2],
            Matrix.From([4.0, 0], [0, 9.0]),
            [0, 0],
            Matrix.From([1.0, 0], [0, 81.0])
        );
        Approx.Equal([0.5, 0, 0, 3], map.Matrix.Values, 8 * Approx.Unit, "A");
        Assert.Equal(5 + 1 + 36, map.TransportCost, 1e-12);
        Assert.Equal([1.0, 5.0], map.Transform(Matrix.From([3.0, 11.0 / 3])).Values.ToArray(), (p, q) => Math.Abs(p - q) < 1e-14);
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        Measure x = Measure.Uniform(Clouds.Normal(4, 2, 1));
        Matrix unit = Matrix.From([1.0, 0], [0, 1.0]);
        Assert.Contains(
            "3",
            Assert.Throws<ArgumentException>(() => LinearMap.Fit(x, Measure.Uniform(Clouds.Normal(4, 3, 1)))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => LinearMap.Fit(Measure.Uniform(3), x));
        Assert.Throws<ArgumentOutOfRangeException>(() => LinearMap.Fit(x, x, new() { Regularization = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => LinearMap.Fit(x, x, new() { Regularization = double.NaN }));
        LinearMap map = LinearMap.Fit(x, x);
        Assert.Throws<ArgumentException>(() => map.Transform(Clouds.Normal(2, 3, 1)));
        Assert.Throws<ArgumentException>(() => map.Transform(Matrix.From([double.NaN, 0])));
        LinearMap stretch = LinearMap.BetweenGaussians([0, 0], unit, [0, 0], Matrix.From([4.0, 0], [0, 4.0]));
        Assert.Contains(
            "points[1]",
            Assert.Throws<ArgumentException>(() => stretch.Transform(Matrix.From([1.0, 1], [1e308, 1]))).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(0, map.Transform(new Matrix(0, 2)).Rows);
        Assert.Throws<ArgumentException>(() => LinearMap.BetweenGaussians([0, 0], Matrix.From([1.0, 2], [0, 1.0]), [0, 0], unit));
        Assert.Throws<ArgumentException>(() => LinearMap.BetweenGaussians([0, 0], Matrix.From([1.0, 2], [2, 1.0]), [0, 0], unit));
        Assert.Throws<ArgumentException>(() => LinearMap.BetweenGaussians([0], unit, [0], unit));
        Assert.Throws<ArgumentException>(() => LinearMap.BetweenGaussians([0, 0], unit, [0], unit));
        // Variances beyond the range of doubles are never taken for nothing or for infinity.
        foreach (double scale in (double[])[1e200, 1e-200])
        {
            Measure far = Measure.Uniform(Clouds.Move(x.Points!, p => [.. p.Select(v => scale * v)]));
            Assert.Contains(
                "scale",
                Assert.Throws<ArgumentException>(() => LinearMap.Fit(far, x)).Message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void Zero_weights_count_for_nothing()
    {
        Matrix x = Clouds.Normal(6, 2, 1),
            y = Clouds.Normal(5, 2, 2);
        LinearMap with = LinearMap.Fit(Measure.Of([0.0, 1, 2, 0, 1, 1], x), Measure.Uniform(y)),
            without = LinearMap.Fit(Measure.Of([1.0, 2, 1, 1], x.SelectRows([1, 2, 4, 5])), Measure.Uniform(y));
        Approx.Equal(without.Matrix.Values, with.Matrix.Values, 1e-13, "A");
        Approx.Equal(without.SourceMean.AsSpan(), with.SourceMean.AsSpan(), 1e-14, "m_s");
    }
}
