using FsCheck;
using FsCheck.Fluent;
using OT.Accelerators.Gpu;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>The error bounds of docs/theory/cuda.md, on numbers rounded bit by bit as tensor cores round them.</summary>
public sealed class TensorSplitTests
{
    static Arbitrary<int> Seeds => Arb.From(Gen.Choose(0, int.MaxValue));

    /// <summary>Floats of all sizes that squares leave in range, both signs, and such as lie halfway between two heads.</summary>
    static float[] Numbers(int count, int seed, ulong stream = 0)
    {
        var random = new SeededRandom((ulong)seed + (stream << 32));
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(k =>
                {
                    float x = (float)((random.NextDouble() - 0.5) * Math.Pow(2, (60 * random.NextDouble()) - 30));
                    return k % 5 == 0
                        ? BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(x) & ~0x1FFFu) | 0x1000u)
                        : x;
                }),
        ];
    }

    [Fact]
    public void Heads_have_ten_bits_and_are_the_nearest() =>
        Law.Check(
            Seeds,
            seed =>
            {
                foreach (float x in Numbers(50, seed))
                {
                    float head = TensorSplit.Head(x);
                    Assert.Equal(0u, BitConverter.SingleToUInt32Bits(head) & 0x1FFFu);
                    double unit = Math.ScaleB(1, Math.ILogB(x) - 10);
                    Assert.True(Math.Abs((double)x - head) <= unit / 2, $"{x:R} to {head:R}");
                    Assert.Equal(Math.Round(x / unit, MidpointRounding.ToEven) * unit, head);
                }
            }
        );

    [Fact]
    public void Head_and_tail_leave_a_rest_below_the_last_bit() =>
        Law.Check(
            Seeds,
            seed =>
            {
                foreach (float x in Numbers(50, seed))
                {
                    double rest = (double)x - TensorSplit.Head(x) - TensorSplit.Tail(x);
                    Assert.True(Math.Abs(rest) <= Math.ScaleB(Math.Abs(x), -23), $"{x:R}: {rest:E}");
                }
            }
        );

    /// <summary><c>|x·y − Σ(products)| ≤ 2⁻²¹ Σ|x||y|</c> with three products, <c>2⁻¹⁰ Σ|x||y|(1 + 2⁻¹²)</c> with one; and neither bound is loose by more than 2⁵.</summary>
    [Theory]
    [InlineData(3, -21)]
    [InlineData(1, -10)]
    public void Split_products_are_within_their_bound(int products, int power)
    {
        double worst = 0;
        Law.Check(
            Seeds,
            seed =>
            {
                const int d = 64;
                float[] x = Numbers(d, seed),
                    y = Numbers(d, seed, 1);
                double error = 0,
                    sizes = 0;
                for (int k = 0; k < d; k++)
                {
                    double product = (double)x[k] * y[k];
                    double split = (double)TensorSplit.Head(x[k]) * TensorSplit.Head(y[k]);
                    if (products == 3)
                        split +=
                            ((double)TensorSplit.Head(x[k]) * TensorSplit.Tail(y[k]))
                            + ((double)TensorSplit.Tail(x[k]) * TensorSplit.Head(y[k]));
                    error += product - split;
                    sizes += Math.Abs(product);
                    worst = Math.Max(worst, Math.Abs(product - split) / Math.Abs(product));
                }
                Assert.True(Math.Abs(error) <= Math.ScaleB(sizes, power) * (1 + Math.ScaleB(1, -11)), $"{error:E} of {sizes:E}");
            }
        );
        Assert.True(worst >= Math.ScaleB(1, power - 5), $"the bound 2^{power} is loose: {worst:E}");
    }

    /// <summary>
    /// What was turned down: two parts of 8 bits leave up to <c>3·2⁻¹⁶|xy|</c> after three products, and no less than 2⁻²⁰ at worst; three parts with six products, <c>2·2⁻²⁴</c>.
    /// </summary>
    [Theory]
    [InlineData(2, -14, -20)]
    [InlineData(3, -22, -40)]
    public void Parts_of_eight_bits_would_take_six_products(int parts, int power, int least)
    {
        double worst = 0;
        Law.Check(
            Seeds,
            seed =>
            {
                float[] x = Numbers(50, seed),
                    y = Numbers(50, seed, 1);
                for (int k = 0; k < x.Length; k++)
                {
                    float[] p = Parts(x[k], parts),
                        q = Parts(y[k], parts);
                    double split = 0;
                    for (int i = 0; i < parts; i++)
                    {
                        for (int j = 0; i + j < parts; j++)
                            split += (double)p[i] * q[j];
                    }
                    double error = Math.Abs(((double)x[k] * y[k]) - split) / Math.Abs((double)x[k] * y[k]);
                    worst = Math.Max(worst, error);
                    Assert.True(error <= Math.ScaleB(1, power), $"{x[k]:R} times {y[k]:R}: {error:E}");
                }
            }
        );
        Assert.True(worst >= Math.ScaleB(1, least), $"{worst:E}");
    }

    /// <summary>Numbers of 8 significant bits that sum up to x as far as they can.</summary>
    static float[] Parts(float x, int count)
    {
        var parts = new float[count];
        for (int k = 0; k < count; k++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(x);
            bits += 0x7FFF + ((bits >> 16) & 1);
            parts[k] = BitConverter.UInt32BitsToSingle(bits & 0xFFFF0000);
            x -= parts[k];
        }
        return parts;
    }

    /// <summary>
    /// Accumulated in floats, the smallest products first as the kernel does in steps of 8, a dot product of three parts is off by at most
    /// <c>(2⁻²¹ + 3d 2⁻²⁴)Σ|x||y|</c>, no worse than thrice the bound <c>d 2⁻²⁴ Σ|x||y|</c> of fused multiply-adds on the floats themselves.
    /// </summary>
    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(200)]
    public void Sums_of_split_products_have_the_accuracy_of_floats(int d) =>
        Law.Check(
            Seeds,
            seed =>
            {
                float[] x = Numbers(d, seed),
                    y = Numbers(d, seed, 1);
                float sum = 0;
                double exact = 0,
                    sizes = 0;
                for (int k = 0; k < d; k += 8)
                {
                    int end = Math.Min(k + 8, d);
                    for (int e = k; e < end; e++)
                        sum += TensorSplit.Head(x[e]) * TensorSplit.Tail(y[e]); // the product of two heads is exact in floats
                    for (int e = k; e < end; e++)
                        sum += TensorSplit.Tail(x[e]) * TensorSplit.Head(y[e]);
                    for (int e = k; e < end; e++)
                        sum += TensorSplit.Head(x[e]) * TensorSplit.Head(y[e]);
                }
                for (int e = 0; e < d; e++)
                {
                    exact += (double)x[e] * y[e];
                    sizes += Math.Abs((double)x[e] * y[e]);
                }
                double bound = (Math.ScaleB(1, -21) + (3 * d * Math.ScaleB(1, -24))) * sizes * (1 + 1e-3);
                Assert.True(Math.Abs(exact - sum) <= bound, $"{Math.Abs(exact - sum):E} of {bound:E}");
            }
        );

    [Theory]
    [InlineData(0f, 0f)]
    [InlineData(1f, 1f)]
    [InlineData(1.0004883f, 1f)] // half a unit: to even
    [InlineData(1.0014648f, 1.0019531f)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NaN, float.NaN)]
    [InlineData(1.9999999f, 2f)]
    public void Heads_of_special_numbers(float x, float head) => Assert.Equal(head, TensorSplit.Head(x));
}
