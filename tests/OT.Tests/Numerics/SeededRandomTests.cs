using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class SeededRandomTests
{
    // First outputs of SplitMix64 for seed 1234567, as published with the reference implementation (Vigna, prng.di.unimi.it, splitmix64.c).
    [Fact]
    public void Stream_is_SplitMix64()
    {
        var random = new SeededRandom(1234567);
        Assert.Equal(6457827717110365317UL, random.NextBits());
        Assert.Equal(3203168211198807973UL, random.NextBits());
        Assert.Equal(9817491932198370423UL, random.NextBits());
    }

    [Fact]
    public void Draws_are_in_range_and_spread()
    {
        var random = new SeededRandom(3);
        var counts = new int[10];
        double sum = 0,
            squares = 0;
        const int draws = 100_000;
        for (int k = 0; k < draws; k++)
        {
            counts[random.NextInt(10)]++;
            Assert.InRange(random.NextDouble(), 0, 1 - (1.0 / (1L << 53)));
            double normal = random.NextNormal();
            sum += normal;
            squares += normal * normal;
        }
        // Five standard deviations of each statistic.
        Assert.All(counts, count => Assert.InRange(count, (draws / 10) - (5 * 95), (draws / 10) + (5 * 95)));
        Assert.InRange(sum / draws, -5 / Math.Sqrt(draws), 5 / Math.Sqrt(draws));
        Assert.InRange(squares / draws, 1 - (5 * Math.Sqrt(2.0 / draws)), 1 + (5 * Math.Sqrt(2.0 / draws)));
    }

    [Fact]
    public void Permutations_hold_every_index_once()
    {
        int[] order = new SeededRandom(5).NextPermutation(100);
        Assert.Equal(Enumerable.Range(0, 100), order.Order());
        Assert.NotEqual(Enumerable.Range(0, 100), order);
        Assert.Empty(new SeededRandom(5).NextPermutation(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SeededRandom(5).NextInt(0));
    }
}
