using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Applications.Routing;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Entropic;

namespace OT.Studies;

/// <summary>Tokens to experts at equal capacities: top-k gating and Sinkhorn routing beside <see cref="ExpertRouter"/>. docs/theory/routing.md.</summary>
sealed class RoutingStudy : TableStudy
{
    const int Experts = 64;
    const int Repeats = 3;

    /// <summary>Largest gap per token, in units of the similarity, that capacities without slack may leave.</summary>
    const double LargestGap = 1e-3;

    public override string Name => "routing";

    public override string Description => "Routing: dropped tokens, balance and similarity beside top-k gating and Sinkhorn";

    /// <summary>Experts of each token, by falling similarity; −1 where a place was refused.</summary>
    sealed record Routed(int[][] Lists, double Milliseconds, double Gap = double.NaN);

    protected override void Run(StudyOutput output, bool isShort)
    {
        output.Line($"# Routing tokens to {Experts} experts");
        output.Line($"");
        output.Line(
            $"Made by `dotnet run -c Release --project benchmarks/OT.Studies -- routing`. Lists follow from seeds; times are medians of {Repeats} after one call, on {Machine.Description}."
        );
        output.Line(
            $"Logits: skew · N(0, 1) of the expert + N(0, 1). Gating and Sinkhorn (ε = 1, 20 iterations, then the largest entries) fill experts token by token and drop what is too much."
        );
        output.Row(
            $"tokens,skew,factor,k,method,capacity,dropped,refused,min_load,max_load,mean_load,similarity_per_token,gap,milliseconds"
        );
        var points = new List<(string Panel, string Series, double X, double Y)>();
        foreach ((int k, double factor) in (ReadOnlySpan<(int, double)>)[(1, 1.0), (1, 1.25), (2, 1.0), (2, 1.25)])
        {
            output.Line($"");
            output.Line($"## k = {k}, capacity factor {factor}");
            output.Line($"");
            output.Line(
                $"| tokens | skew | method | dropped | pairs refused | load, least – most (capacity) | similarity per token | gap | ms |"
            );
            output.Line($"|---|---|---|---|---|---|---|---|---|");
            foreach (double skew in isShort ? [1.0] : new[] { 0.25, 0.5, 1, 2 })
                Compare(output, points, isShort ? 2048 : 8192, skew, k, factor);
            if (!isShort)
                Compare(output, [], 65_536, 1, k, factor);
        }
        output.Picture(LogLogPicture.Svg("Routing 8 192 tokens to 64 experts, by skew of the logits", points));
    }

    static void Compare(
        StudyOutput output,
        List<(string Panel, string Series, double X, double Y)> points,
        int tokens,
        double skew,
        int k,
        double factor
    )
    {
        float[] logits = Logits(tokens, skew);
        float[] similarity = Softmax(logits);
        int capacity = 0;
        Routed Ours(RoutingMode mode) => Route(logits, tokens, mode, k, factor, out capacity);
        Routed expertsChoose = Ours(RoutingMode.ExpertsChoose),
            tokensChoose = Ours(RoutingMode.TokensChoose),
            gating = Gate(similarity, k, capacity),
            sinkhorn = Sinkhorn(similarity, tokens, k, capacity);
        (int gated, bool kept, double gap) = (0, true, 0);
        foreach (
            (string name, Routed routed) in (ReadOnlySpan<(string, Routed)>)
                [
                    ("top-k gating", gating),
                    ("Sinkhorn", sinkhorn),
                    ("ours, tokens choose", tokensChoose),
                    ("ours, experts choose", expertsChoose),
                ]
        )
        {
            int[] loads = new int[Experts];
            double similarityKept = 0;
            for (int i = 0; i < tokens; i++)
            {
                foreach (int j in routed.Lists[i].Where(j => j >= 0))
                {
                    loads[j]++;
                    similarityKept += similarity[(i * Experts) + j] / tokens;
                }
            }
            int dropped = routed.Lists.Count(list => !list.Any(j => j >= 0)),
                refused = routed.Lists.Sum(list => list.Count(j => j < 0));
            output.Row(
                $"{tokens},{skew},{factor},{k},{name},{capacity},{dropped},{refused},{loads.Min()},{loads.Max()},{loads.Average():R},{similarityKept:R},{routed.Gap:R},{routed.Milliseconds:F2}"
            );
            output.Line(
                $"| {tokens} | {skew} | {name} | {dropped} ({100.0 * dropped / tokens:F1} %) | {refused} | {loads.Min()} – {loads.Max()} ({capacity}) | {similarityKept:F4} | {(double.IsNaN(routed.Gap) ? "" : FormattableString.Invariant($"{routed.Gap:0.0e+0}"))} | {routed.Milliseconds:F1} |"
            );
            string panel = FormattableString.Invariant($"k = {k}, factor {factor}: tokens dropped, and 1, by skew");
            points.Add((panel, name, skew, dropped + 1));
            bool isOurs = !double.IsNaN(routed.Gap);
            if (routed == gating)
                gated = dropped;
            kept &= !isOurs || (loads.Max() <= capacity && dropped == 0);
            gap = isOurs ? Math.Max(gap, routed.Gap) : gap;
        }
        output.Claim(
            kept && gated > 0,
            $"{tokens} tokens, skew {skew}: ours drop none and keep within {capacity}; gating drops {gated}"
        );
        if (k == 1 && factor == 1)
            output.Claim(
                gap <= LargestGap,
                $"{tokens} tokens, skew {skew}: a gap of {gap:0.0e+0}, at most {LargestGap} per token"
            );
    }

    static float[] Logits(int tokens, double skew)
    {
        var random = new SeededRandom(20261121);
        double[] bias = [.. Enumerable.Range(0, Experts).Select(_ => skew * random.NextNormal())];
        var logits = new float[tokens * Experts];
        for (int at = 0; at < logits.Length; at++)
            logits[at] = (float)(bias[at % Experts] + random.NextNormal());
        return logits;
    }

    static float[] Softmax(float[] logits)
    {
        var similarity = new float[logits.Length];
        for (int at = 0; at < logits.Length; at += Experts)
            TensorPrimitives.SoftMax(logits.AsSpan(at, Experts), similarity.AsSpan(at, Experts));
        return similarity;
    }

    static Routed Route(float[] logits, int tokens, RoutingMode mode, int k, double factor, out int capacity)
    {
        // The same places for both: experts that choose have no k.
        using var router = new ExpertRouter(
            mode == RoutingMode.ExpertsChoose
                ? new() { CapacityFactor = factor * k }
                : new()
                {
                    Mode = mode,
                    ExpertsPerToken = k,
                    CapacityFactor = factor,
                }
        );
        var result = new RoutingResult();
        double time = Median(() => router.Route(logits, 1, tokens, Experts, result));
        capacity = result.Capacities[0];
        int[][] lists = [.. Enumerable.Range(0, tokens).Select(i => result.ExpertsOf(0, i).ToArray())];
        return new Routed(lists, time, result.Summaries[0].Gap);
    }

    static Routed Gate(float[] similarity, int k, int capacity)
    {
        int[][] lists = [];
        double time = Median(() => lists = Fill(similarity, new float[Experts], k, capacity));
        return new Routed(lists, time);
    }

    static Routed Sinkhorn(float[] similarity, int tokens, int k, int capacity)
    {
        var problem = new LinearProblem(
            new CostMatrix(tokens, Experts, Array.ConvertAll(similarity, s => -(double)s)),
            Measure.Uniform(tokens),
            Measure.Uniform(Experts)
        )
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(1)),
        };
        var solver = new Sinkhorn(
            new()
            {
                MaxIterations = 20,
                StopEarly = false,
                Schedule = EpsilonSchedule.None,
                Acceleration = Acceleration.None,
            }
        );
        int[][] lists = [];
        double time = Median(() =>
        {
            ReadOnlySpan<double> g = solver.Solve(problem).Potentials!.G;
            var prices = new float[Experts];
            for (int j = 0; j < Experts; j++)
                prices[j] = (float)g[j];
            lists = Fill(similarity, prices, k, capacity);
        });
        return new Routed(lists, time);
    }

    /// <summary>Each token's k largest sums of similarity and price, as far as there is room when its turn comes.</summary>
    static int[][] Fill(float[] similarity, float[] prices, int k, int capacity)
    {
        int[] loads = new int[Experts];
        var scores = new float[Experts];
        var lists = new int[similarity.Length / Experts][];
        for (int i = 0; i < lists.Length; i++)
        {
            TensorPrimitives.Add(similarity.AsSpan(i * Experts, Experts), prices, scores);
            lists[i] = new int[k];
            for (int q = 0; q < k; q++)
            {
                int best = TensorPrimitives.IndexOfMax<float>(scores);
                scores[best] = float.NegativeInfinity;
                lists[i][q] = loads[best]++ < capacity ? best : -1;
            }
        }
        return lists;
    }

    static double Median(Action run)
    {
        run();
        double[] times =
        [
            .. Enumerable
                .Range(0, Repeats)
                .Select(_ =>
                {
                    long start = Stopwatch.GetTimestamp();
                    run();
                    return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                })
                .Order(),
        ];
        return times[Repeats / 2];
    }
}
