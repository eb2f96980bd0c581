using OT.Numerics;
using OT.Results;
using OT.Testing;
using Xunit;

namespace OT.Tests.Numerics;

public class SummationTests
{
    [Fact]
    public void Compensated_sums_keep_what_plain_ones_lose()
    {
        double[] values = [1, 1e100, 1, -1e100];
        Assert.Equal(2, Summation.Sum(values));
        Assert.Equal(2, Summation.Dot([1, 1, 1, 1], values));
        Assert.Equal(3, Summation.L1Distance([1, 2, 3], [2, 2, 5]));
    }

    [Fact]
    public void Zero_weights_silence_infinite_values() => Assert.Equal(6, Summation.Dot([0, 2], [double.PositiveInfinity, 3]));

    [Fact]
    public void Overflow_is_infinity_not_nan()
    {
        Assert.Equal(double.PositiveInfinity, Summation.Sum([1e308, 1e308, 1]));
        Assert.Equal(double.PositiveInfinity, AccurateSum.Of([1e308, 1e308, 1, 1, 1, 1, 1, 1, 1, 1]));
        Assert.Equal(double.PositiveInfinity, AccurateSum.Of([double.PositiveInfinity, 1]));
    }

    [Fact]
    public void Vector_sums_equal_compensated_sums_at_every_length()
    {
        var random = new SeededRandom(1);
        for (int length = 0; length <= 65; length++)
        {
            double[] x = [.. Enumerable.Range(0, length).Select(_ => Math.Exp(20 * random.NextNormal()))];
            double[] y = [.. Enumerable.Range(0, length).Select(_ => random.NextNormal())];
            double sum = Summation.Sum(x);
            Assert.Equal(sum, AccurateSum.Of(x), 4 * Approx.Unit * sum);
            double size = x.Zip(y, (a, b) => Math.Abs(a * b)).Sum();
            Assert.Equal(Summation.Dot(x, y), AccurateSum.Dot(x, y), 4 * Approx.Unit * size);

            var sums = new double[length];
            var corrections = new double[length];
            for (int k = 0; k < 1000; k++)
                AccurateSum.Fold(Array.ConvertAll(x, v => v * 0.1), sums, corrections);
            for (int k = 0; k < length; k++)
                Assert.Equal(1000 * (x[k] * 0.1), sums[k] + corrections[k], 4 * Approx.Unit * 1000 * (x[k] * 0.1));
        }
    }

    [Fact]
    public void Lanes_add_up_to_the_sum_whatever_the_length_and_the_cuts()
    {
        var random = new SeededRandom(9);
        for (int n = 0; n <= 70; n++)
        {
            double[] x = [.. Enumerable.Range(0, n).Select(_ => random.NextNormal() * Math.Pow(10, random.NextInt(20)))];
            Compensated expected = default;
            foreach (double value in x)
                expected.Add(value);
            double tolerance = 1e-30 * x.Sum(Math.Abs);
            Assert.Equal(expected.Value, Summation.Sum(x), Math.Max(tolerance, 1e-15 * Math.Abs(expected.Value)));
            var lanes = new CompensatedLanes();
            lanes.Add(x.AsSpan(0, n / 16 * 8));
            lanes.Add(x.AsSpan(n / 16 * 8));
            Assert.Equal(Summation.Sum(x), lanes.Value);
        }
        Assert.Equal(double.PositiveInfinity, Summation.Sum([.. Enumerable.Repeat(1.0, 20), double.PositiveInfinity]));
        Assert.Equal(double.PositiveInfinity, Summation.Sum([double.PositiveInfinity, .. Enumerable.Repeat(1.0, 20)]));
        Assert.Equal(9, Summation.Dot([0, 1, 1, 1, 1, 1, 1, 1, 1, 1], [double.PositiveInfinity, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
    }
}
