using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class ReducedCostsTests
{
    static double[] Row(SeededRandom random, int length) =>
        [.. Enumerable.Range(0, length).Select(_ => random.NextInt(9) == 0 ? double.PositiveInfinity : random.NextInt(6))];

    [Fact]
    public void Vector_searches_equal_the_scalar_one_at_every_length_with_ties_and_infinities()
    {
        var random = new SeededRandom(1);
        for (int length = 0; length <= 65; length++)
        {
            for (int trial = 0; trial < 20; trial++)
            {
                double[] costs = Row(random, length);
                double[] prices = [.. Row(random, length).Select(g => -g)];
                double f = random.NextNormal();
                foreach (double slack in (ReadOnlySpan<double>)[ReducedCosts.Slack, 0])
                {
                    int at = ReducedCosts.ArgMin(costs, prices, f, out double min, slack);
                    int expectedAt = -1;
                    double expected = double.PositiveInfinity;
                    ReducedCosts.ArgMinScalar(costs, prices, f, slack, 0, ref expectedAt, ref expected);
                    Assert.Equal((expectedAt, expected), (at, min));
                }
            }
        }
    }

    [Fact]
    public void Lower_min_and_relax_equal_plain_loops_and_stay_inside_their_rows()
    {
        var random = new SeededRandom(2);
        for (int length = 0; length <= 65; length++)
        {
            double[] costs = Row(random, length),
                prices = [.. Enumerable.Range(0, length).Select(_ => random.NextNormal())];
            const double guard = 77;
            double[] lowered = [.. prices, guard],
                distances = [.. Row(random, length), guard];
            long[] from = [.. Enumerable.Repeat(-7L, length), 5];
            double[] before = [.. distances];
            ReducedCosts.Lower(costs, 0.5, lowered.AsSpan(0, length));
            int at = ReducedCosts.Relax(costs, prices, 0.25, 3, distances.AsSpan(0, length), from.AsSpan(0, length));
            double min = double.PositiveInfinity,
                nearest = double.PositiveInfinity;
            int expectedAt = -1;
            for (int k = 0; k < length; k++)
            {
                min = Math.Min(min, costs[k] - prices[k]);
                Assert.Equal(Math.Min(prices[k], costs[k] - 0.5), lowered[k]);
                double h = costs[k] - prices[k] + 0.25;
                Assert.Equal(Math.Min(before[k], h), distances[k]);
                Assert.Equal(h < before[k] ? 3 : -7, from[k]);
                if (distances[k] < nearest)
                    (nearest, expectedAt) = (distances[k], k);
            }
            Assert.Equal(min, ReducedCosts.Min(costs, prices));
            Assert.Equal(expectedAt, at);
            Assert.Equal((guard, guard, 5), (lowered[length], distances[length], from[length]));
        }
    }
}
