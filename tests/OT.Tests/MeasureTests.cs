using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests;

public class MeasureTests
{
    [Fact]
    public void Uniform_has_mass_one_and_equal_weights()
    {
        var measure = Measure.Uniform(7);
        Assert.Equal(7, measure.Count);
        Assert.Equal(1, measure.Mass, 4 * Approx.Unit);
        Assert.All(measure.Weights.ToArray(), w => Assert.Equal(1.0 / 7, w));
        Assert.Null(measure.Points);
        Matrix points = Matrix.From([1, 2], [3, 4]);
        Assert.Same(points, Measure.Uniform(points).Points);
    }

    [Fact]
    public void Weights_are_copied()
    {
        double[] weights = [1, 2];
        var measure = Measure.Of(weights);
        weights[0] = 5;
        Assert.Equal([1.0, 2.0], measure.Weights.ToArray());
        Assert.Equal(3, measure.Mass);
    }

    [Theory]
    [InlineData(-1, "weights[1] is -1")]
    [InlineData(double.NaN, "weights[1] is NaN")]
    [InlineData(double.PositiveInfinity, "weights[1] is")]
    public void Bad_weights_are_named(double bad, string text) =>
        Assert.Contains(text, Assert.Throws<ArgumentException>(() => Measure.Of([1, bad])).Message, StringComparison.Ordinal);

    [Fact]
    public void LengthMismatchThrows()
    {
        var refused = Assert.Throws<ArgumentException>(() => Measure.Of([1, 1, 1], new Matrix(2, 2)));
        Assert.Contains("3 weights for 2 points", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_to_move_is_refused()
    {
        Assert.Contains(
            "total mass is 0",
            Assert.Throws<ArgumentException>(() => Measure.Of([0.0, 0.0])).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => Measure.Of(ReadOnlySpan<double>.Empty));
        Assert.Throws<ArgumentException>(() => Measure.Of([double.MaxValue, double.MaxValue]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Measure.Uniform(0));
        Assert.Throws<ArgumentException>(() => Measure.Of([1.0], Matrix.From([double.NaN])));
    }

    [Fact]
    public void MixedPrecisionMarginals()
    {
        var single = Measure.Of([0.1f, 0.9f]);
        Assert.Equal((double)0.1f, single.Weights[0]);
        Assert.Equal(1e-5, single.MassSlack);
        Assert.Equal(1e-9, Measure.Of([0.1, 0.9]).MassSlack);
    }

    [Fact]
    public void Scaling_multiplies_weights_and_keeps_points_and_slack()
    {
        Matrix points = Matrix.From([1.0], [2.0]);
        Measure scaled = Measure.Of([1, 3], points).Scale(0.5);
        Assert.Equal([0.5, 1.5], scaled.Weights.ToArray());
        Assert.Same(points, scaled.Points);
        Assert.Throws<ArgumentOutOfRangeException>(() => scaled.Scale(0));
    }

    [Fact]
    public void Mass_is_summed_without_loss()
    {
        // Left to right in plain doubles the ones would vanish beside 1e16.
        double[] weights = [1e16, .. Enumerable.Repeat(1.0, 1000)];
        Assert.Equal(1e16 + 1000, Measure.Of(weights).Mass);
    }
}
