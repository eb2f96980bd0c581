using System.Numerics.Tensors;
using OT.Applications.Rebasin;
using OT.Neural;
using OT.Numerics;
using OT.Visuals;

namespace OT.Studies;

/// <summary>Re-basin on planted permutations and on networks trained apart: docs/theory/rebasin.md.</summary>
sealed class RebasinStudy : TableStudy
{
    const int Pairs = 3;

    /// <summary>The methods in the order of all tables, with the figures of an independent NumPy implementation on its own draw of the data.</summary>
    static readonly (string Name, double Barrier, double Accuracy, double MidPoint)[] s_reference =
    [
        ("naive", 0.289, 0.842, 0.390),
        ("weight matching", 0.031, 0.945, 0.132),
        ("Sinkhorn L2", 0.022, 0.948, 0.123),
        ("Sinkhorn MidPoint", 0.018, 0.948, 0.120),
        ("Sinkhorn RandomPoint", 0.026, 0.946, 0.128),
    ];

    public override string Name => "rebasin";

    public override string Description => "Re-basin: planted permutations and linear mode connectivity";

    protected override void Run(StudyOutput output, bool isShort)
    {
        output.Line($"# Re-basin");
        output.Line($"");
        output.Line(
            $"Made by `dotnet run -c Release --project benchmarks/OT.Studies -- rebasin`. Every figure follows from seeds. Method: docs/theory/rebasin.md."
        );
        output.Row($"experiment,world,pair,method,barrier,lowest_accuracy,midpoint_loss,steps,distance");
        PlantedPermutations(output, isShort);
        Connectivity(output, isShort);
    }

    /// <summary>B is A with its hidden units renumbered: is the numbering found?</summary>
    static void PlantedPermutations(StudyOutput output, bool isShort)
    {
        output.Line($"");
        output.Line($"## A planted permutation");
        output.Line($"");
        output.Line(
            $"Perceptrons 1-h-h-1, weights and biases U(−1, 1)/√fan-in, B = π(A), objective L2, AdamW with rate 0.1 and decay 0.01, τ = 1, a look at the hard permutations after every step, 200 steps at most, 10 seeds."
        );
        output.Line($"");
        output.Line($"| h | start | exact | steps | NumPy reference |");
        output.Line($"|---|---|---|---|---|");
        bool all = true;
        foreach (
            (int h, double noise, string reference) in (ReadOnlySpan<(int, double, string)>)
                [
                    (10, 0.0, "10 of 10, 21–59"),
                    (32, 0.0, "10 of 10, 35–60"),
                    (10, 0.1, "10 of 10, 20–64"),
                    (32, 0.1, "10 of 10, 34–57"),
                ]
        )
        {
            int seeds = isShort ? 3 : 10;
            RebasinResult[] results = [.. Enumerable.Range(0, seeds).Select(seed => Planted(h, noise, (ulong)seed))];
            int exact = results.Count(result => result.Distance == 0);
            all &= exact == seeds;
            output.Line(
                $"| {h} | {(noise == 0 ? "identity" : "identity + 0.1 N(0, 1)")} | {exact} of {seeds} | {results.Min(r => r.Iterations)}–{results.Max(r => r.Iterations)} | {reference} |"
            );
            for (int seed = 0; seed < seeds; seed++)
                output.Row($"planted {h} {noise},,{seed},Sinkhorn L2,,,,{results[seed].Iterations},{results[seed].Distance:R}");
        }
        output.Line($"");
        output.Claim(all, $"every planted permutation is found exactly within 200 steps");
    }

    static RebasinResult Planted(int h, double noise, ulong seed)
    {
        var random = new SeededRandom(seed);
        var a = new Mlp([1, h, h, 1], Activation.Tanh);
        for (int l = 0; l < a.LayerCount; l++)
        {
            double bound = 1 / Math.Sqrt(a.Widths[l]);
            foreach (ref double weight in a.Weights(l))
                weight = bound * ((2 * random.NextDouble()) - 1);
            foreach (ref double bias in a.Bias(l))
                bias = bound * ((2 * random.NextDouble()) - 1);
        }
        Mlp b = a.Permute([random.NextPermutation(h), random.NextPermutation(h)]);
        return new SinkhornRebasin(
            new()
            {
                InitialNoise = noise,
                CheckEvery = 1,
                Seed = seed,
            }
        ).Align(a, b);
    }

    /// <summary>Two networks trained from different starts: how high is the loss between them, before and after alignment?</summary>
    static void Connectivity(StudyOutput output, bool isShort)
    {
        output.Line($"");
        output.Line($"## Linear mode connectivity");
        output.Line($"");
        output.Line(
            $"X ~ N(0, I₁₀); the class is the largest output of a random teacher 10-4-3 (tanh; weights 0.7 N(0, 1), then N(0, 1); no biases); 4000 examples to train, 2000 to test. Perceptrons 10-32-32-3 (relu, He), Adam 3e-3 with L2 penalty 1e-3, 1500 steps of 128. 150 steps of re-basin on the training data, a look at the hard permutations every 10; 25 points of the segment, on the test data. Means of {(isShort ? 1 : Pairs)} pairs."
        );
        output.Line($"");
        output.Line(
            $"A world is a teacher with its data. The NumPy figures come from one other world; they and the thresholds below are compared with world 1, the first seed. The other worlds show how much depends on the draw."
        );
        double[][] barriers = new double[s_reference.Length][];
        int worlds = isShort ? 1 : 6;
        for (int k = 0; k < barriers.Length; k++)
            barriers[k] = new double[worlds];
        for (int world = 1; world <= worlds; world++)
            World(output, world, isShort ? 1 : Pairs, barriers);
        output.Line($"");
        output.Line($"| barrier in world | {string.Join(" | ", Enumerable.Range(1, worlds))} | mean |");
        output.Line($"|---|{string.Concat(Enumerable.Repeat("---|", worlds + 1))}");
        for (int k = 0; k < barriers.Length; k++)
        {
            string cells = string.Join(" | ", barriers[k].Select(barrier => $"{barrier:F3}"));
            output.Line($"| {s_reference[k].Name} | {cells} | {barriers[k].Average():F3} |");
        }
        output.Line($"");
        output.Claim(barriers[0][0] > 0.15, $"world 1: the naive barrier is above 0.15");
        output.Claim(barriers[1..].All(method => method[0] < 0.06), $"world 1: every aligned barrier is below 0.06");
        output.Claim(
            Enumerable.Range(0, worlds).All(w => barriers[3][w] <= barriers[1][w]),
            $"every world: the barrier of MidPoint is at most that of weight matching"
        );
        output.Claim(
            Enumerable.Range(0, worlds).All(w => barriers[1..].All(method => method[w] < barriers[0][w] / 3)),
            $"every world: every aligned barrier is below a third of the naive one"
        );
    }

    static void World(StudyOutput output, int world, int pairs, double[][] barriers)
    {
        (LearningTask train, LearningTask test) = Data((ulong)world);
        var sums = new (double Barrier, double Accuracy, double MidPoint)[s_reference.Length];
        for (int pair = 0; pair < pairs; pair++)
        {
            Mlp a = Trained(train, 100 + (2 * pair)),
                b = Trained(train, 101 + (2 * pair));
            (RebasinResult? Result, BarrierReport Report)[] found = Aligned(a, b, train, test, (ulong)pair);
            for (int k = 0; k < found.Length; k++)
            {
                BarrierReport report = found[k].Report;
                double midPoint = report.Losses[report.Losses.Length / 2];
                sums[k].Barrier += report.Barrier / pairs;
                sums[k].Accuracy += report.LowestAccuracy / pairs;
                sums[k].MidPoint += midPoint / pairs;
                output.Row(
                    $"connectivity,{world},{pair},{s_reference[k].Name},{report.Barrier:F6},{report.LowestAccuracy:F6},{midPoint:F6},{found[k].Result?.Iterations},{found[k].Result?.Distance:F6}"
                );
            }
            if (world == 1 && pair == 0)
                output.Picture(BarrierPicture.Svg([.. found.Select((item, k) => (s_reference[k].Name, item.Report))]));
        }
        for (int k = 0; k < sums.Length; k++)
            barriers[k][world - 1] = sums[k].Barrier;
        if (world > 1)
            return;
        output.Line($"");
        output.Line($"| world 1 | barrier | NumPy | lowest accuracy | NumPy | midpoint loss | NumPy |");
        output.Line($"|---|---|---|---|---|---|---|");
        for (int k = 0; k < sums.Length; k++)
        {
            var reference = s_reference[k];
            output.Line(
                $"| {reference.Name} | {sums[k].Barrier:F3} | {reference.Barrier:F3} | {sums[k].Accuracy:F3} | {reference.Accuracy:F3} | {sums[k].MidPoint:F3} | {reference.MidPoint:F3} |"
            );
        }
    }

    static (RebasinResult? Result, BarrierReport Report)[] Aligned(
        Mlp a,
        Mlp b,
        LearningTask train,
        LearningTask test,
        ulong seed
    )
    {
        var rebasin = new SinkhornRebasin(new() { MaxIterations = 150, Seed = seed });
        RebasinResult?[] results =
        [
            null,
            WeightMatching.Align(a, b, seed),
            rebasin.Align(a, b),
            rebasin.Align(a, b, RebasinObjective.MidPoint, train),
            rebasin.Align(a, b, RebasinObjective.RandomPoint, train),
        ];
        return [.. results.Select(result => (result, LinearModeConnectivity.Evaluate(result?.Aligned ?? a, b, test)))];
    }

    static (LearningTask Train, LearningTask Test) Data(ulong world)
    {
        var random = new SeededRandom(world);
        var teacher = new Mlp([10, 4, 3], Activation.Tanh);
        foreach (ref double weight in teacher.Weights(0))
            weight = 0.7 * random.NextNormal();
        foreach (ref double weight in teacher.Weights(1))
            weight = random.NextNormal();
        return (Draw(teacher, 4000, random), Draw(teacher, 2000, random));
    }

    static LearningTask Draw(Mlp teacher, int count, SeededRandom random)
    {
        var inputs = new Matrix(count, 10, [.. Enumerable.Range(0, count * 10).Select(_ => random.NextNormal())]);
        Matrix outputs = teacher.Forward(inputs);
        int[] labels = [.. Enumerable.Range(0, count).Select(i => TensorPrimitives.IndexOfMax(outputs.Row(i)))];
        return LearningTask.Classification(inputs, labels);
    }

    static Mlp Trained(LearningTask task, int seed)
    {
        var random = new SeededRandom((ulong)seed);
        Mlp net = Mlp.Random([10, 32, 32, 3], Activation.Relu, random);
        task.Train(net, 1500, 128, new() { LearningRate = 3e-3, L2Penalty = 1e-3 }, random);
        return net;
    }
}
