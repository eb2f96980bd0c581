using System.Diagnostics;
using System.Globalization;
using MathNet.Numerics.LinearAlgebra;
using OT.Accelerators.Mpi;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using Matrix = OT.Numerics.Matrix;

namespace OT.Studies;

/// <summary>The cost model of a distributed iteration (docs/theory/distributed.md), fitted on one to three local ranks, and 2 ranks beside 2 threads.</summary>
sealed class MpiStudy : TableStudy
{
    /// <summary>The word on the command line of a rank that this study starts.</summary>
    public const string RankWord = "mpi-rank";

    static readonly (int Rows, int Columns)[] s_shapes = [(500, 500), (2000, 2000), (6000, 6000), (50, 100_000), (100_000, 50)];

    public override string Name => "mpi";

    public override string Description =>
        "MPI: seconds and bytes of an iteration on 1-3 local ranks, and the cost model fitted to them";

    protected override void Run(StudyOutput output, bool isShort)
    {
        int cores = Environment.ProcessorCount;
        output.Line($"# Distributed iterations on {cores} processors, one thread per rank, points in three dimensions");
        output.Line($"");
        output.Line($"| n | m | ranks | seconds | model | 1 rank, {cores} threads |");
        output.Line($"|---|---|---|---|---|---|");
        output.Row($"rows,columns,ranks,seconds,threads_seconds");
        var measured = new List<(int N, int M, int Ranks, double Seconds)>();
        var threaded = new Dictionary<(int, int), double>();
        foreach ((int n, int m) in isShort ? s_shapes[..2] : s_shapes)
        {
            threaded[(n, m)] = Measure(1, n, m, cores);
            for (int ranks = 1; ranks <= 3; ranks++)
                measured.Add((n, m, ranks, Measure(ranks, n, m, threads: 1)));
        }
        // Seconds are t pairs + bytes / B + steps L, in relative errors: more ranks than processors share them.
        double[] Terms((int N, int M, int Ranks, double Seconds) at) =>
            [
                (double)at.N * at.M / Math.Min(at.Ranks, cores),
                (double)DistributedCost.BytesPerIteration(at.N, at.M, at.Ranks) / at.Ranks,
                DistributedCost.ExchangesPerIteration * Math.Log2(at.Ranks),
            ];
        double[] fit = Fit([.. measured.Select(Terms)], [.. measured.Select(at => at.Seconds)]);
        foreach (var at in measured)
        {
            double model = Vector<double>.Build.Dense(Terms(at)) * Vector<double>.Build.Dense(fit);
            output.Line($"| {at.N} | {at.M} | {at.Ranks} | {at.Seconds:G3} | {model:G3} | {threaded[(at.N, at.M)]:G3} |");
            output.Row($"{at.N},{at.M},{at.Ranks},{at.Seconds:R},{threaded[(at.N, at.M)]:R}");
        }
        output.Line($"");
        output.Line($"t = {1e9 * fit[0]:G3} ns a pair, B = {1e-9 / fit[1]:G3} GB/s a rank, L = {1e6 * fit[2]:G3} us an exchange");
        (int N, int M, int Ranks, double Seconds) two = measured.Last(at => at.Ranks == 2 && at.N == at.M);
        double ratio = two.Seconds / threaded[(two.N, two.M)];
        output.Claim(
            ratio <= 1.1 || cores != 2 || isShort,
            $"2 ranks on 2 processors take {ratio:F2} times what 2 threads take, at most 1.1, at {two.N} x {two.M}"
        );
    }

    /// <summary>Least squares of relative errors; a coefficient that would be negative is 0.</summary>
    static double[] Fit(double[][] terms, double[] seconds)
    {
        var free = new List<int> { 0, 1, 2 };
        while (true)
        {
            Matrix<double> a = Matrix<double>.Build.Dense(seconds.Length, free.Count, (i, k) => terms[i][free[k]] / seconds[i]);
            Vector<double> x = a.QR().Solve(Vector<double>.Build.Dense(seconds.Length, 1));
            if (x.Minimum() >= 0 || free.Count == 1)
            {
                var all = new double[3];
                for (int k = 0; k < free.Count; k++)
                    all[free[k]] = Math.Max(x[k], 0);
                return all;
            }
            free.RemoveAt(x.MinimumIndex());
        }
    }

    static double Measure(int ranks, int n, int m, int threads)
    {
        var start = new ProcessStartInfo("mpirun") { RedirectStandardOutput = true, UseShellExecute = false };
        string[] launch = MpiCommunicator.Library.StartsWith("Open MPI", StringComparison.Ordinal)
            ? ["--allow-run-as-root", "--oversubscribe", .. threads > 1 ? (string[])["--bind-to", "none"] : []]
            : [];
        string program = Path.Combine(AppContext.BaseDirectory, "OT.Studies.dll");
        foreach (
            string word in (string[])[.. launch, "-n", $"{ranks}", "dotnet", program, RankWord, $"{n}", $"{m}", $"{threads}"]
        )
            start.ArgumentList.Add(word);
        using Process job = Process.Start(start)!;
        string text = job.StandardOutput.ReadToEnd();
        job.WaitForExit();
        string? line = text.Split('\n').FirstOrDefault(l => l.Contains("seconds ", StringComparison.Ordinal));
        return job.ExitCode == 0 && line is not null
            ? double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"mpirun ended with {job.ExitCode}: {text}");
    }

    /// <summary>What each rank does: some iterations after a few to warm up, the slowest rank counted, the fastest of five repeats.</summary>
    public static int Rank(string[] words, TextWriter output) =>
        MpiCommunicator.Run(
            ranks =>
            {
                int[] numbers = [.. words.Select(word => int.Parse(word, CultureInfo.InvariantCulture))];
                (int n, int m, int threads) = (numbers[0], numbers[1], numbers[2]);
                var random = new SeededRandom(1);
                Matrix Cloud(int count)
                {
                    var values = new double[3 * count];
                    foreach (ref double value in values.AsSpan())
                        value = random.NextDouble();
                    return new Matrix(count, 3, values);
                }
                using var local = new ManagedBackend(threads);
                using var distributed = new DistributedBackend(new ManagedBackend(threads), ranks);
                IBackend backend = threads > 1 ? local : distributed;
                using ICostOperator op = backend.Bind(new PointCloud(Cloud(n), Cloud(m)));
                double[] Filled(int count, double value) => [.. Enumerable.Repeat(value, count)];
                var step = new SinkhornStep
                {
                    Epsilon = 0.1,
                    A = Filled(n, 1.0 / n),
                    B = Filled(m, 1.0 / m),
                    LogA = Filled(n, -Math.Log(n)),
                    LogB = Filled(m, -Math.Log(m)),
                };
                double[] f = new double[n],
                    g = new double[m];
                op.Iterate(20, step, f, g, out _);
                int count = (int)Math.Clamp(100_000_000L / ((long)n * m), 5, 200);
                double best = double.PositiveInfinity;
                for (int repeat = 0; repeat < 5; repeat++)
                {
                    long start = Stopwatch.GetTimestamp();
                    op.Iterate(count, step, f, g, out _);
                    best = Math.Min(best, ranks.Gather<double>([Stopwatch.GetElapsedTime(start).TotalSeconds]).Max() / count);
                }
                if (ranks.Rank == 0)
                    output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seconds {best:R}"));
                return 0;
            },
            output
        );
}
