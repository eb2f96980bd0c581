using System.Collections.Immutable;
using OT.Applications.Routing;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Sparse;
using OT.Studies;
using OT.Testing;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Applications.Routing;

/// <summary>Routing: within capacities, near the optimum, the same bits always.</summary>
public class ExpertRouterTests
{
    /// <summary>Scores are floats: what a similarity and γ are rounded to, a few times over.</summary>
    static double Rounding(double scale) => 1e-6 * scale;

    static float[] Logits(SeededRandom random, int tokens, int experts, double skew = 1)
    {
        double[] bias = [.. Enumerable.Range(0, experts).Select(_ => skew * random.NextNormal())];
        return [.. Enumerable.Range(0, tokens * experts).Select(k => (float)(bias[k % experts] + random.NextNormal()))];
    }

    static double[] Softmax(ReadOnlySpan<float> row)
    {
        double[] exponentials = [.. row.ToArray().Select(v => Math.Exp(v))];
        double sum = exponentials.Sum();
        return [.. exponentials.Select(e => e / sum)];
    }

    static double[] Softmax(float[] logits, int experts) => [.. logits.Chunk(experts).SelectMany(row => Softmax(row))];

    [Fact]
    public void Lists_are_within_capacities_and_agree_with_each_other()
    {
        var random = new SeededRandom(Law.Seed);
        for (int trial = 0; trial < 300; trial++)
        {
            int experts = 1 + random.NextInt(9),
                tokens = 1 + random.NextInt(70),
                perToken = 1 + random.NextInt(experts);
            float[] logits = Logits(random, tokens, experts, 2 * random.NextDouble());
            var options = new RouterOptions
            {
                Mode = trial % 2 == 0 ? RoutingMode.ExpertsChoose : RoutingMode.TokensChoose,
                CapacityFactor = 0.3 + (2.5 * random.NextDouble()),
                Capacities = trial % 3 == 0 ? [.. Enumerable.Range(0, experts).Select(_ => 1 + random.NextInt(tokens))] : [],
                ExpertsPerToken = perToken,
                Similarity = trial % 5 == 0 ? RoutingSimilarity.Logits : RoutingSimilarity.Softmax,
                Weights = trial % 4 < 2 ? CombineWeights.Gates : CombineWeights.Masses,
                Gamma = Math.Exp(2 * random.NextNormal()),
                Threads = 1,
            };
            using var router = new ExpertRouter(options);
            RoutingResult result = router.Route(logits, tokens, experts);
            CheckLists(result, options, logits);
        }
    }

    static void CheckLists(RoutingResult result, RouterOptions options, float[] logits)
    {
        int room = 0,
            pairs = 0,
            dropped = 0;
        for (int j = 0; j < result.Experts; j++)
        {
            ReadOnlySpan<int> tokens = result.TokensOf(0, j);
            Assert.InRange(tokens.Length, 0, result.Capacities[j]);
            Assert.Equal(tokens.ToArray().Distinct().Order(), tokens.ToArray());
            room += result.Capacities[j];
            pairs += tokens.Length;
            for (int k = 0; k < tokens.Length; k++)
            {
                int at = result.ExpertsOf(0, tokens[k]).IndexOf(j);
                Assert.Equal(result.WeightsOfToken(0, tokens[k])[at], result.WeightsOfExpert(0, j)[k]);
            }
        }
        for (int i = 0; i < result.Tokens; i++)
        {
            int[] experts = result.ExpertsOf(0, i).ToArray();
            Assert.Equal(experts.Distinct().Order(), experts);
            if (options.Mode == RoutingMode.TokensChoose)
                Assert.InRange(experts.Length, 0, options.ExpertsPerToken);
            pairs -= experts.Length;
            if (experts.Length == 0)
                Assert.Equal(i, result.Dropped(0)[dropped++]);
            else if (options.Weights == CombineWeights.Masses)
                Approx.Equal(1, result.WeightsOfToken(0, i).ToArray().Sum(w => (double)w), Rounding(1), "masses of a token");
            double[] gates = Softmax(logits.AsSpan(i * result.Experts, result.Experts));
            for (int k = 0; k < experts.Length && options.Weights == CombineWeights.Gates; k++)
                Approx.Equal(gates[experts[k]], result.WeightsOfToken(0, i)[k], Rounding(2), "gate");
        }
        Assert.Equal(0, pairs);
        Assert.Equal(result.IsFeasible, room >= result.Tokens);
        Assert.Equal(Math.Max(0, result.Tokens - room), dropped);
        Assert.Equal(dropped, result.Dropped(0).Length);
        Assert.Equal(dropped, result.Summaries[0].Dropped);
        Assert.True(
            result.Summaries[0].Gap >= -Rounding(10 * (options.Gamma + Largest(logits))),
            $"gap {result.Summaries[0].Gap}"
        );
    }

    static double Largest(float[] logits) => logits.Max(Math.Abs);

    /// <summary>Capacities that sum to the tokens leave assignments: every one is tried.</summary>
    [Fact]
    public void Assignments_are_as_good_as_the_gap_says_and_the_bound_is_one()
    {
        var random = new SeededRandom(Law.Seed + 1);
        double excess = 0;
        for (int trial = 0; trial < 100; trial++)
        {
            int experts = 1 + random.NextInt(3),
                tokens = experts + random.NextInt(5);
            int[] capacities = [.. Enumerable.Repeat(1, experts)];
            for (int k = experts; k < tokens; k++)
                capacities[random.NextInt(experts)]++;
            float[] logits = Logits(random, tokens, experts);
            double[] similarity = Softmax(logits, experts);
            using var router = new ExpertRouter(
                new()
                {
                    Capacities = [.. capacities],
                    Tolerance = 1e-6,
                    MaxPasses = 200,
                    Threads = 1,
                }
            );
            RoutingSummary summary = router.Route(logits, tokens, experts).Summaries[0];
            double best = 0.5 - (Best(similarity, [.. capacities], 0, experts) / tokens);
            Assert.True(summary.DualBound <= best + Rounding(1), $"bound {summary.DualBound}, best {best}");
            Assert.True(summary.Value >= best - Rounding(1));
            Assert.True(summary.Value - best <= summary.Gap + Rounding(1));
            Approx.Equal(0.5 - summary.Similarity, summary.Value, Rounding(1), "value");
            excess += (summary.Value - best) / 100;
        }
        // The repair is greedy: a few of so small problems may end off the optimum, by hundredths.
        Assert.InRange(excess, -Rounding(1), 0.001);
    }

    static double Best(double[] similarity, int[] left, int token, int experts)
    {
        if (token * experts == similarity.Length)
            return 0;
        double best = double.NegativeInfinity;
        for (int j = 0; j < experts; j++)
        {
            if (left[j] == 0)
                continue;
            left[j]--;
            best = Math.Max(best, similarity[(token * experts) + j] + Best(similarity, left, token + 1, experts));
            left[j]++;
        }
        return best;
    }

    [Theory]
    [InlineData(RoutingMode.ExpertsChoose, 1)]
    [InlineData(RoutingMode.TokensChoose, 1)]
    [InlineData(RoutingMode.TokensChoose, 2)]
    public void The_dual_reaches_the_optimum_of_the_relaxation(RoutingMode mode, int perToken)
    {
        var random = new SeededRandom(Law.Seed + 2);
        foreach ((int tokens, int experts, double factor, double gamma) in Sizes)
        {
            float[] logits = Logits(random, tokens, experts);
            using var router = new ExpertRouter(
                new()
                {
                    Mode = mode,
                    CapacityFactor = factor,
                    ExpertsPerToken = perToken,
                    Gamma = gamma,
                    Tolerance = 1e-6,
                    MaxPasses = 300,
                    Threads = 1,
                }
            );
            RoutingResult result = router.Route(logits, tokens, experts);
            RoutingSummary summary = result.Summaries[0];
            var problem = new LinearProblem(
                new CostMatrix(tokens, experts, Array.ConvertAll(Softmax(logits, experts), s => -s)),
                Measure.Of(Enumerable.Repeat(1.0, tokens).ToArray()),
                Measure.Of(Enumerable.Repeat(tokens / (double)experts, experts).ToArray())
            )
            {
                Regularizer =
                    mode == RoutingMode.ExpertsChoose
                        ? Regularizer.Sparsity(gamma, result.Capacities[0], SparseAxis.Columns)
                        : Regularizer.Sparsity(gamma, perToken, SparseAxis.Rows),
            };
            KSparseResult oracle = new KSparseDual().Solve(problem);
            Assert.True(oracle.Converged);
            double optimum = oracle.Relaxed.Value / tokens;
            Assert.True(
                summary.DualBound <= optimum + 1e-5 + Rounding(1 + gamma),
                $"{tokens} x {experts}: bound {summary.DualBound}, optimum {optimum}"
            );
            // Kinks stop the steps before the optimum of so few tokens.
            Assert.True(
                summary.DualBound >= optimum - 1e-3,
                $"{tokens} x {experts}, factor {factor}: bound {summary.DualBound}, optimum {optimum}"
            );
        }
    }

    static readonly (int Tokens, int Experts, double Factor, double Gamma)[] Sizes =
    [
        (20, 3, 1.5, 0.1),
        (40, 5, 1, 1),
        (200, 4, 1.5, 1),
        (200, 4, 2, 0.1),
        (300, 8, 1.25, 0.5),
    ];

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        const int tokens = 1500,
            experts = 11;
        float[] logits = Logits(new SeededRandom(7), tokens, experts);
        foreach (RoutingMode mode in Enum.GetValues<RoutingMode>())
        {
            RoutingResult? first = null;
            foreach (int threads in new[] { 1, 2, 3, 8 })
            {
                using var router = new ExpertRouter(
                    new()
                    {
                        Mode = mode,
                        CapacityFactor = 1.5,
                        ExpertsPerToken = 2,
                        Threads = threads,
                    }
                );
                RoutingResult result = router.Route(logits, tokens, experts);
                first ??= result;
                AssertSame(first, 0, result, 0);
            }
        }
    }

    [Fact]
    public void Groups_are_routed_as_if_alone_and_a_router_forgets_what_it_did()
    {
        const int tokens = 90,
            experts = 7,
            groups = 3;
        float[] logits = Logits(new SeededRandom(8), groups * tokens, experts);
        using var router = new ExpertRouter(new() { CapacityFactor = 1.3 });
        var together = new RoutingResult();
        router.Route(logits, groups, tokens, experts, together);
        router.Route(Logits(new SeededRandom(9), 200, 9), 200, 9);
        for (int group = 0; group < groups; group++)
            AssertSame(
                router.Route(logits.AsSpan(group * tokens * experts, tokens * experts), tokens, experts),
                0,
                together,
                group
            );
    }

    static void AssertSame(RoutingResult a, int groupOfA, RoutingResult b, int groupOfB)
    {
        Assert.Equal(a.Summaries[groupOfA], b.Summaries[groupOfB]);
        for (int j = 0; j < a.Experts; j++)
        {
            Assert.Equal(a.TokensOf(groupOfA, j), b.TokensOf(groupOfB, j));
            Assert.Equal(a.WeightsOfExpert(groupOfA, j), b.WeightsOfExpert(groupOfB, j));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_call_allocates_nothing_once_it_has_seen_the_size(int threads)
    {
        const int tokens = 700,
            experts = 12;
        float[] logits = Logits(new SeededRandom(10), tokens, experts);
        using var router = new ExpertRouter(new() { CapacityFactor = 1.5, Threads = threads });
        var result = new RoutingResult();
        // Code that the runtime has not optimised yet may box; the best of many tries has none of that.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 100 && least > 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            router.Route(logits, 1, tokens, experts, result);
            if (attempt > 0)
                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Thread.Sleep(least > 0 ? 10 : 0);
        }
        Assert.Equal(0, least);
    }

    [Fact]
    public void Equal_tokens_are_spread_and_the_lowest_index_wins()
    {
        using var router = new ExpertRouter(new() { Capacities = [3, 3, 2], Threads = 2 });
        RoutingResult result = router.Route(new float[24], 8, 3);
        Assert.Equal([3, 3, 2], Enumerable.Range(0, 3).Select(j => result.TokensOf(0, j).Length));
        Assert.Equal([0, 1, 2], result.TokensOf(0, 0).ToArray());
    }

    [Fact]
    public void Every_claim_of_the_short_study_holds()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        int code = StudyRunner.Run(["routing", "--short", "--output", folder.FullName], output);
        Assert.True(code == 0, output.ToString());
        foreach (string extension in (string[])["csv", "md", "svg"])
            Assert.True(new FileInfo(folder["routing." + extension]).Length > 500, extension);
    }

    /// <summary>Logits that leave most experts no token of their own: the prices must find them all the same.</summary>
    [Fact]
    public void Skewed_logits_are_balanced_near_the_optimum()
    {
        const int tokens = 4096,
            experts = 32;
        float[] logits = Logits(new SeededRandom(13), tokens, experts, skew: 3);
        foreach (RoutingMode mode in Enum.GetValues<RoutingMode>())
        {
            using var router = new ExpertRouter(new() { Mode = mode });
            RoutingSummary summary = router.Route(logits, tokens, experts).Summaries[0];
            Assert.Equal((128, 128), (summary.MinLoad, summary.MaxLoad));
            // A token in a hundred off its place, by a tenth of what similarities differ.
            Assert.InRange(summary.Gap, -Rounding(2), 1e-3);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5)]
    [InlineData(17, 1)]
    public void The_smallest_sizes_work(int tokens, int experts)
    {
        foreach (RoutingMode mode in Enum.GetValues<RoutingMode>())
        {
            using var router = new ExpertRouter(new() { Mode = mode });
            float[] logits = Logits(new SeededRandom(11), tokens, experts);
            RoutingResult result = router.Route(logits, tokens, experts);
            Assert.True(result.IsFeasible);
            Assert.Empty(result.Dropped(0).ToArray());
        }
    }

    [Fact]
    public void Huge_logits_and_extreme_gammas_keep_every_rule()
    {
        var random = new SeededRandom(12);
        foreach (double gamma in new[] { 1e-9, 1e-3, 1e6 })
        {
            foreach (float scale in new[] { 1e-20f, 1f, 1e4f, 1e30f })
            {
                foreach (RoutingSimilarity similarity in Enum.GetValues<RoutingSimilarity>())
                {
                    float[] logits = Array.ConvertAll(Logits(random, 60, 4), v => v * scale);
                    var options = new RouterOptions
                    {
                        Gamma = gamma,
                        CapacityFactor = 1.4,
                        Similarity = similarity,
                    };
                    using var router = new ExpertRouter(options);
                    RoutingResult result = router.Route(logits, 60, 4);
                    Assert.Empty(result.Dropped(0).ToArray());
                    for (int j = 0; j < 4; j++)
                        Assert.InRange(result.TokensOf(0, j).Length, 0, result.Capacities[j]);
                }
            }
        }
    }

    /// <summary>What prices have in common is worth nothing: where kinks throw it far, bounds would drown in its rounding.</summary>
    [Fact]
    public void Gaps_are_not_below_zero_but_for_rounding()
    {
        var random = new SeededRandom(11);
        for (int trial = 0; trial < 3000; trial++)
        {
            (int tokens, int experts) = (2 + (trial % 2), 2 + (trial % 3));
            float[] logits = Array.ConvertAll(new float[tokens * experts], _ => (float)random.NextNormal());
            double gamma = Math.Pow(10, (3 * random.NextDouble()) - 2);
            using var router = new ExpertRouter(
                new RouterOptions
                {
                    Similarity = RoutingSimilarity.Logits,
                    CapacityFactor = 1.25,
                    Gamma = gamma,
                    Threads = 1,
                }
            );
            double gap = router.Route(logits, tokens, experts).Summaries[0].Gap;
            double scale = gamma + logits.Max(MathF.Abs);
            Assert.True(gap > -1e-6 * scale, $"trial {trial}: the gap is {gap}, γ {gamma}");
        }
    }

    /// <summary>Gates and masses of equal experts, far from zero and with a γ that floats and doubles lose beside the logits.</summary>
    [Theory]
    [InlineData(0f, 1)]
    [InlineData(-1e8f, 1)]
    [InlineData(3e30f, 1e-3)]
    [InlineData(7f, 1e-20)]
    public void Weights_do_not_depend_on_the_size_of_logits(float logit, double gamma)
    {
        foreach (CombineWeights weights in Enum.GetValues<CombineWeights>())
        {
            using var router = new ExpertRouter(
                new RouterOptions
                {
                    Similarity = RoutingSimilarity.Logits,
                    Weights = weights,
                    Gamma = gamma,
                    Capacities = [1, 1],
                }
            );
            float[] logits = [logit, logit, logit, logit];
            RoutingResult result = router.Route(logits, 2, 2);
            for (int token = 0; token < 2; token++)
            {
                float weight = Assert.Single(result.WeightsOfToken(0, token).ToArray());
                Approx.Equal(weights == CombineWeights.Gates ? 0.5 : 1, weight, 1e-6, "weight"); // a few roundings of floats
            }
        }
    }

    [Fact]
    public void Bad_input_is_refused_by_name()
    {
        using var router = new ExpertRouter();
        var result = new RoutingResult();
        Assert.Throws<ArgumentOutOfRangeException>("tokens", () => router.Route([], 1, 0, 4, result));
        Assert.Throws<ArgumentOutOfRangeException>("groups", () => router.Route([], 0, 4, 4, result));
        Assert.Throws<ArgumentOutOfRangeException>("experts", () => router.Route([], 1, 4, 0, result));
        Assert.Throws<ArgumentException>("logits", () => router.Route(new float[7], 2, 4));
        Assert.Throws<ArgumentNullException>("result", () => router.Route(new float[8], 1, 2, 4, null!));
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            var failure = Assert.Throws<ArgumentException>("logits", () => router.Route([0, 1, 2, bad], 2, 2));
            Assert.Contains("token 1, expert 1", failure.Message, StringComparison.Ordinal);
        }
        Refused(new() { Capacities = [0, 4] });
        Refused(new() { Capacities = [5, 4] });
        Refused(new() { Capacities = [4] });
        Refused(new() { Mode = RoutingMode.TokensChoose, ExpertsPerToken = 3 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertRouter(new() { ExpertsPerToken = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertRouter(new() { CapacityFactor = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertRouter(new() { CapacityFactor = double.NaN }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExpertRouter(new() { Gamma = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => router.Route(new float[8], 4, 2).TokensOf(1, 0).Length);

        static void Refused(RouterOptions options)
        {
            using var other = new ExpertRouter(options);
            Assert.ThrowsAny<ArgumentException>(() => other.Route(new float[8], 4, 2));
        }
    }
}
