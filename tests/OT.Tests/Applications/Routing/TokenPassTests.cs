using OT.Applications.Routing;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Applications.Routing;

/// <summary>The dual of a routing and its gradient, against sums over experts and a search in f.</summary>
public class TokenPassTests
{
    [Fact]
    public void A_pass_is_the_sum_of_the_tokens_maxima_and_its_sums_are_the_gradient()
    {
        var random = new SeededRandom(3);
        using var blocks = new RowBlocks(1);
        for (int trial = 0; trial < 60; trial++)
        {
            int experts = 1 + random.NextInt(11),
                tokens = 1 + random.NextInt(20),
                most = trial % 2 == 0 ? experts : 1 + random.NextInt(experts);
            double gamma = Math.Exp(random.NextNormal());
            float[] logits = [.. Enumerable.Range(0, tokens * experts).Select(_ => (float)random.NextNormal())];
            double[] g = [.. Enumerable.Range(0, experts).Select(_ => 0.3 * random.NextNormal())];
            double[] t = [.. Enumerable.Range(0, experts).Select(_ => most < experts ? 0 : gamma * random.NextDouble())];
            var tiles = new TokenTiles();
            tiles.Reserve(tokens, experts, experts);
            tiles.Load(logits, softmax: false, blocks);
            var pass = new TokenPass(tiles, blocks);
            pass.Reserve(gamma, most);
            pass.Evaluate(g, t, 1, null);
            double scale = tokens * (3 + gamma);
            Approx.Equal(Dual(logits, g, t, gamma, most), pass.Value, 1e-6 * scale, "value");
            Approx.Equal(tokens, Sum(pass.Masses), 1e-9 * tokens, "masses");
            double[] masses = pass.Masses.ToArray(),
                counts = pass.Counts.ToArray();
            for (int j = 0; j < experts; j++)
            {
                // Concave: the one-sided differences bracket every supergradient.
                const double h = 1e-4;
                double slack = 2e-6 * scale / h;
                (double low, double high) = (Along(g, j, -h, t), Along(g, j, h, t));
                Assert.InRange(-masses[j], ((high - pass.Value) / h) - slack, ((pass.Value - low) / h) + slack);
                if (most == experts)
                {
                    (low, high) = (AlongT(t, j, -h), AlongT(t, j, h));
                    Assert.InRange(counts[j], ((high - pass.Value) / h) - slack, ((pass.Value - low) / h) + slack);
                }
            }

            double Along(double[] prices, int j, double by, double[] entry) =>
                Dual(logits, [.. prices.Select((v, k) => k == j ? v + by : v)], entry, gamma, most);
            double AlongT(double[] entry, int j, double by) =>
                Dual(logits, g, [.. entry.Select((v, k) => k == j ? v + by : v)], gamma, most);
        }
    }

    static double Sum(ReadOnlySpan<double> values) => Summation.Sum(values);

    /// <summary>Σ_i max over f of f − Σ of the <paramref name="most"/> largest [(f + S + g)₊²/2γ − t]₊, by thirds.</summary>
    static double Dual(float[] logits, double[] g, double[] t, double gamma, int most)
    {
        double total = 0;
        foreach (float[] row in logits.Chunk(g.Length))
        {
            double Value(double f) =>
                f
                - row.Select((s, j) => Math.Max(0, (Math.Pow(Math.Max(0, f + s + g[j]), 2) / (2 * gamma)) - t[j]))
                    .OrderDescending()
                    .Take(most)
                    .Sum();
            (double low, double high) = (-20 - (5 * gamma), 20 + (5 * gamma));
            for (int k = 0; k < 70; k++)
            {
                double third = (high - low) / 3;
                if (Value(low + third) < Value(high - third))
                    low += third;
                else
                    high -= third;
            }
            total += Value((low + high) / 2);
        }
        return total;
    }
}
