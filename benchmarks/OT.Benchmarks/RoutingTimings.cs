using System.Diagnostics;
using System.Globalization;
using OT.Applications.Routing;
using OT.Numerics;

namespace OT.Benchmarks;

/// <summary><c>OT.Benchmarks routing [tokens] [experts] [threads]</c>: one batch after warm-up, with how near the optimum it ends, as a table.</summary>
static class RoutingTimings
{
    const int WarmUps = 10;
    const int Rounds = 25;

    public static int Run(string[] args)
    {
        int Argument(int at, int otherwise) => args.Length > at ? int.Parse(args[at], CultureInfo.InvariantCulture) : otherwise;
        int tokens = Argument(0, 65_536),
            experts = Argument(1, 64),
            threads = Argument(2, 2);
        Console.WriteLine(
            $"{tokens} tokens x {experts} experts, {threads} threads, .NET {Environment.Version}, {Simd.Width}-bit registers; {Rounds} calls after {WarmUps}. Wanted at 65536 x 64: 50 ms.\n"
        );
        Console.WriteLine(
            "| routing | skew | median, ms | least, ms | passes | status | gap per token | similarity per token | dropped | bytes a call |"
        );
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (double skew in (ReadOnlySpan<double>)[0.25, 1])
        {
            float[] logits = Logits(tokens, experts, skew);
            foreach (double factor in (ReadOnlySpan<double>)[1, 1.25, 2])
                Row($"experts choose, factor {factor}", new() { CapacityFactor = factor }, skew);
            foreach (int k in (ReadOnlySpan<int>)[1, 2])
                Row(
                    $"tokens choose, k = {k}, factor 1.25",
                    new()
                    {
                        Mode = RoutingMode.TokensChoose,
                        ExpertsPerToken = k,
                        CapacityFactor = 1.25,
                    },
                    skew
                );
            void Row(FormattableString name, RouterOptions options, double skewed) =>
                Time(
                    name.ToString(CultureInfo.InvariantCulture),
                    options with
                    {
                        Threads = threads,
                    },
                    logits,
                    tokens,
                    experts,
                    skewed
                );
        }
        return 0;
    }

    static void Time(string name, RouterOptions options, float[] logits, int tokens, int experts, double skew)
    {
        using var router = new ExpertRouter(options);
        var result = new RoutingResult();
        for (int k = 0; k < WarmUps; k++)
            router.Route(logits, 1, tokens, experts, result);
        var times = new double[Rounds];
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int k = 0; k < Rounds; k++)
        {
            long start = Stopwatch.GetTimestamp();
            router.Route(logits, 1, tokens, experts, result);
            times[k] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        long bytes = (GC.GetTotalAllocatedBytes(precise: true) - before) / Rounds;
        Array.Sort(times);
        RoutingSummary summary = result.Summaries[0];
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {skew} | {times[Rounds / 2]:F1} | {times[0]:F1} | {summary.Passes:F1} | {summary.Status} | {summary.Gap:E1} | {summary.Similarity:F4} | {summary.Dropped} | {bytes} |"
            )
        );
    }

    static float[] Logits(int tokens, int experts, double skew)
    {
        var random = new SeededRandom(1);
        double[] bias = [.. Enumerable.Range(0, experts).Select(_ => skew * random.NextNormal())];
        var logits = new float[tokens * experts];
        for (int at = 0; at < logits.Length; at++)
            logits[at] = (float)(bias[at % experts] + random.NextNormal());
        return logits;
    }
}
