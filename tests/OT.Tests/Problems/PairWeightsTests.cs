using OT.Numerics;
using OT.Problems;
using Xunit;

namespace OT.Tests.Problems;

public class PairWeightsTests
{
    [Fact]
    public void Pairs_are_put_in_order_and_summed()
    {
        var weights = PairWeights.Of(4, new WeightedPair(2, 1, 1), new(1, 2, 2), new(3, 0, 0), new(0, 1, 5));
        Assert.Equal([new WeightedPair(0, 1, 5), new WeightedPair(1, 2, 3)], weights.Pairs);
        Assert.Equal([0, 0, 0, 1], weights.Components());
    }

    [Fact]
    public void Labels_join_equals_and_nothing_else()
    {
        var weights = PairWeights.FromLabels([4, -1, 4, 0, -1, 4]);
        Assert.Equal([(0, 2), (0, 5), (2, 5)], weights.Pairs.Select(p => (p.First, p.Second)));
        Assert.All(weights.Pairs, p => Assert.Equal(1, p.Weight));
        Assert.Equal([(0, 2)], PairWeights.Complete(6).Within([1, -1, 1, 0, -1, 2]).Pairs.Select(p => (p.First, p.Second)));
    }

    /// <summary>Points 0, 1, 3, 7 on a line, two neighbours each: 0: 1 3; 1: 0 3; 3: 1 0; 7: 3 1. The distances to the second are 3, 2, 3, 6: the bandwidth is 3.</summary>
    [Fact]
    public void Nearest_points_of_a_line()
    {
        var points = new Matrix(4, 1, [0, 1, 3, 7]);
        var weights = PairWeights.Nearest(points, 2);
        Assert.Equal([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)], weights.Pairs.Select(p => (p.First, p.Second)));
        Assert.Equal(Math.Exp(-16.0 / 18), weights.Pairs[4].Weight, 1e-15);
        Assert.Equal(Math.Exp(-1.0 / 8), PairWeights.Nearest(points, 1, 2).Pairs[0].Weight, 1e-15);
        Assert.Equal(6, PairWeights.Nearest(points, 99).Pairs.Length);
    }

    [Fact]
    public void Copies_and_single_points_are_no_trouble()
    {
        Assert.All(PairWeights.Nearest(new Matrix(5, 2, new double[10]), 2).Pairs, p => Assert.Equal(1, p.Weight));
        Assert.Empty(PairWeights.Nearest(new Matrix(1, 3, [1, 2, 3])).Pairs);
        Assert.Empty(PairWeights.Complete(1).Pairs);
    }

    [Theory]
    [InlineData(1e-300)]
    [InlineData(1e-170)]
    [InlineData(1e170)]
    [InlineData(1e300)]
    public void The_size_of_points_does_not_matter(double size)
    {
        double[] line = [0, 1, 3, 7];
        var there = PairWeights.Nearest(new Matrix(4, 1, Array.ConvertAll(line, x => size * x)), 2);
        var here = PairWeights.Nearest(new Matrix(4, 1, line), 2);
        Assert.Equal(here.Pairs.Select(p => (p.First, p.Second)), there.Pairs.Select(p => (p.First, p.Second)));
        Assert.All(here.Pairs.Zip(there.Pairs), p => Assert.Equal(p.First.Weight, p.Second.Weight, 1e-14));
        // A bandwidth whose square vanishes: copies are joined, others are not.
        WeightedPair copies = Assert.Single(PairWeights.Nearest(new Matrix(3, 1, [0, 0, 1]), 1, 1e-200).Pairs);
        Assert.Equal(new WeightedPair(0, 1, 1), copies);
    }

    [Fact]
    public void Wrong_arguments_are_named()
    {
        Assert.Throws<ArgumentException>(() =>
            PairWeights.Of(2, new WeightedPair(0, 1, double.MaxValue), new WeightedPair(1, 0, double.MaxValue))
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => PairWeights.None(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairWeights.Of(2, new WeightedPair(0, 2, 1)));
        Assert.Throws<ArgumentException>(() => PairWeights.Of(2, new WeightedPair(1, 1, 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairWeights.Of(2, new WeightedPair(0, 1, double.NaN)));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairWeights.Of(2, new WeightedPair(0, 1, -1)));
        Assert.Throws<ArgumentException>(() => PairWeights.FromLabels([]));
        Assert.Throws<ArgumentException>(() => PairWeights.FromLabels([0, -2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairWeights.Nearest(new Matrix(2, 1, [0, 1]), 0));
        Assert.Throws<ArgumentException>(() => PairWeights.Nearest(new Matrix(2, 1, [0, double.NaN])));
        ArgumentException labels = Assert.Throws<ArgumentException>(() => PairWeights.Complete(3).Within([1, 1]));
        Assert.Contains("2 labels for 3 bins", labels.Message, StringComparison.Ordinal);
    }
}
