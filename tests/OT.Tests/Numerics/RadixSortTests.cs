using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class RadixSortTests
{
    /// <summary>Values of every shape that the sort treats in its own way: even, crowded, heavy-tailed, equal, of all magnitudes.</summary>
    static double[] Draw(SeededRandom random, int count, int kind)
    {
        var values = new double[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = kind switch
            {
                0 => random.NextNormal(),
                1 => random.NextInt(5) - 2,
                2 => random.NextInt(2) == 0 ? 0.0 : -0.0,
                3 => (random.NextInt(200) - 100) * double.Epsilon,
                4 => AnyFinite(random),
                5 => Math.Tan(3.14159 * (random.NextDouble() - 0.5)),
                6 => i == 0 ? 1e300 : 1 + (random.NextInt(1000) * 2.220446049250313e-16),
                7 => 7.5,
                8 => 1e9 + (random.NextDouble() * 1e-3),
                9 => (random.NextInt(2) == 0 ? -1 : 1) * double.MaxValue * random.NextDouble(),
                10 => -i,
                _ => i == 0 ? -1e-300 : Math.Exp(20 * random.NextNormal()),
            };
        }
        return values;
    }

    static double AnyFinite(SeededRandom random)
    {
        while (true)
        {
            double value = BitConverter.UInt64BitsToDouble(random.NextBits());
            if (double.IsFinite(value))
                return value;
        }
    }

    const int Kinds = 12;

    static void Check(double[] values, string name)
    {
        double[] expected = [.. values];
        int[] expectedOrder = [.. Enumerable.Range(0, values.Length)];
        // Indices break ties: the stable order. A comparison of doubles takes zeros of either sign for equal.
        Array.Sort(expectedOrder, (i, j) => values[i] == values[j] ? i.CompareTo(j) : values[i].CompareTo(values[j]));
        Array.Sort(expected);
        double[] sorted = [.. values];
        RadixSort.Sort(sorted);
        for (int i = 0; i < sorted.Length; i++)
            Assert.True(expected[i] == sorted[i], $"{name}: {expected[i]} and {sorted[i]} at {i}");
        Assert.True(expectedOrder.AsSpan().SequenceEqual(RadixSort.Order(values)), name);
    }

    [Fact]
    public void Agrees_with_a_stable_sort_at_every_small_size()
    {
        var random = new SeededRandom(1);
        for (int count = 0; count <= 300; count++)
        {
            for (int kind = 0; kind < Kinds; kind++)
                Check(Draw(random, count, kind), $"{count} of kind {kind}");
        }
    }

    [Fact]
    public void Agrees_with_a_stable_sort_at_large_sizes()
    {
        var random = new SeededRandom(2);
        foreach (int count in (int[])[4096, 30_001])
        {
            for (int kind = 0; kind < Kinds; kind++)
                Check(Draw(random, count, kind), $"{count} of kind {kind}");
        }
        Check(Draw(random, (1 << 21) + 5, 0), "three passes");
    }
}
