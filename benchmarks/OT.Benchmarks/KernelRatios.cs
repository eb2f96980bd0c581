using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Benchmarks;

/// <summary>
/// <c>OT.Benchmarks kernels [n] [threads]</c>: the fused full iteration beside the half iteration of the same form, turn by turn in one run, as a table.
/// </summary>
static class KernelRatios
{
    const int Streamed = 50_000;

    public static int Run(string[] args)
    {
        int n = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 8192;
        int threads = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 2;
        if (Simd.Width != 512)
            Console.WriteLine($"This processor has {Simd.Width}-bit registers: the table is made for 512.");
        var usual = new Rounds(n, threads, Count: 15, Repeats: 2);
        Header(usual);
        foreach (int dimension in (int[])[2, 3])
        {
            Row<Simd512<double>, Vector512<double>, double>(usual, dimension, stored: false);
            Row<Simd512<float>, Vector512<float>, float>(usual, dimension, stored: false);
        }
        Row<Simd512<double>, Vector512<double>, double>(usual, 2, stored: true);
        Row<Simd512<float>, Vector512<float>, float>(usual, 2, stored: true);

        // So many points that no matrix of their costs would fit.
        var streamed = new Rounds(Streamed, threads, Count: 5, Repeats: 1);
        Console.WriteLine();
        Header(streamed);
        Row<Simd512<double>, Vector512<double>, double>(streamed, 3, stored: false);
        Row<Simd512<float>, Vector512<float>, float>(streamed, 3, stored: false);
        Console.WriteLine(
            "\nWanted: full / half at most 1.6. For the full iteration at this size KeOps 2.3 (CPU, two threads, the better of a default and a -march=native build)"
                + " took 10.3 s in float64 and 11.4 s in float32 on an AMD EPYC (Zen 5) of two cores; it was not run beside these."
        );
        return 0;
    }

    /// <summary>How many points, and how many times they are timed.</summary>
    readonly record struct Rounds(int N, int Threads, int Count, int Repeats);

    static void Header(Rounds rounds)
    {
        Console.WriteLine(
            $"n = m = {rounds.N}, {rounds.Threads} threads, {rounds.Count} rounds of {rounds.Repeats}; ns per entry, median (minimum); marginal error after the run.\n"
        );
        Console.WriteLine("| costs | precision | half iteration | full iteration | full, s | full / half | error |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
    }

    static void Row<TSimd, TVector, T>(Rounds rounds, int dimension, bool stored)
        where TSimd : struct, ISimd<TVector, T>
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        (int n, int threads, int count, int repeats) = rounds;
        var random = new SeededRandom(1);
        Matrix Cloud(double scale, double shift) =>
            new(n, dimension, [.. Enumerable.Range(0, n * dimension).Select(_ => scale * (random.NextNormal() + shift))]);
        var cloud = new PointCloud(Cloud(1, 0), Cloud(1.5, 1));
        T[]? costs = null;
        Geometry geometry = cloud;
        if (stored)
        {
            costs = new T[(long)n * n];
            var row = new double[n];
            for (int i = 0; i < n; i++)
            {
                cloud.CostRow(i, row);
                for (int j = 0; j < n; j++)
                    costs[((long)i * n) + j] = T.CreateTruncating(row[j]);
            }
            geometry = costs is double[] doubles ? new CostMatrix(n, n, doubles) : new CostMatrix(n, n, (float[])(object)costs);
        }
        bool single = typeof(T) == typeof(float);
        using var backend = new ManagedBackend(threads);
        using ICostOperator fused = backend.Bind(geometry, single ? Precision.Float32 : Precision.Float64);
        using var blocks = new RowBlocks(threads);
        var half = new HalfIteration<TSimd, TVector, T>(n, stored ? 0 : dimension, costs);

        var weights = new double[n];
        Array.Fill(weights, 1.0 / n);
        var logs = new double[n];
        Array.Fill(logs, -Math.Log(n));
        var step = new SinkhornStep
        {
            Epsilon = 0.05 * cloud.MeanCost,
            A = weights,
            B = weights,
            LogA = logs,
            LogB = logs,
        };
        var f = new double[n];
        var g = new double[n];
        double error = double.NaN;
        double halfSum = half.Run(blocks);
        fused.Iterate(3, step, f, g, out _);
        var halves = new double[count];
        var fulls = new double[count];
        for (int k = 0; k < count; k++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int r = 0; r < repeats; r++)
                halfSum += half.Run(blocks);
            halves[k] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / repeats / n / n;
            start = Stopwatch.GetTimestamp();
            fused.Iterate(repeats, step, f, g, out error);
            fulls[k] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / repeats / n / n;
        }
        if (!double.IsFinite(halfSum))
            throw new InvalidOperationException("The half iteration overflowed.");
        Array.Sort(halves);
        Array.Sort(fulls);
        string form = stored ? "stored" : $"points, d = {dimension}";
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {form} | {(single ? "float32" : "float64")} | {halves[count / 2]:F4} ({halves[0]:F4}) | {fulls[count / 2]:F4} ({fulls[0]:F4}) | {fulls[count / 2] * n * n / 1e9:G3} | {fulls[count / 2] / halves[count / 2]:F2} ({fulls[0] / halves[0]:F2}) | {error:E1} |"
            )
        );
    }
}
