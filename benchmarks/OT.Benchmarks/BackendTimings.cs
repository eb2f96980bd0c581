using System.Diagnostics;
using System.Globalization;
using OT.Accelerators;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Benchmarks;

/// <summary>
/// <c>OT.Benchmarks backends [n] [names...]</c>: a full iteration on every back end that is usable here, or on those named, beside the managed one in the same run.
/// </summary>
static class BackendTimings
{
    const int Rounds = 5;

    public static int Run(string[] args)
    {
        int n = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 4096;
        string[] names = args.Length > 1 ? args[1..] : [.. BackendCatalog.Describe().Where(c => c.IsUsable).Select(c => c.Name)];
        Console.WriteLine(
            $"n = m = {n}; a full iteration, ns per entry, median of {Rounds} rounds (minimum); error of the marginals after the run.\n"
        );
        Console.WriteLine("| costs | back end | setup, s | iteration | error |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach ((int dimension, bool stored) in (ReadOnlySpan<(int, bool)>)[(3, false), (64, false), (3, true)])
        {
            Geometry geometry = Of(n, dimension, stored);
            foreach (string name in names)
            {
                using IBackend backend = BackendCatalog.Open(name);
                foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
                    Row(backend, geometry, precision);
            }
        }
        return 0;
    }

    static Geometry Of(int n, int dimension, bool stored)
    {
        var random = new SeededRandom(1);
        Matrix Cloud(double scale, double shift) =>
            new(n, dimension, [.. Enumerable.Range(0, n * dimension).Select(_ => scale * (random.NextNormal() + shift))]);
        var cloud = new PointCloud(Cloud(1, 0), Cloud(1.5, 1));
        return stored ? CostMatrix.From(cloud) : cloud;
    }

    static void Row(IBackend backend, Geometry geometry, Precision precision)
    {
        int n = geometry.Rows;
        var weights = new double[n];
        Array.Fill(weights, 1.0 / n);
        var logs = new double[n];
        Array.Fill(logs, -Math.Log(n));
        var step = new SinkhornStep
        {
            Epsilon = 0.05 * geometry.MeanCost,
            A = weights,
            B = weights,
            LogA = logs,
            LogB = logs,
        };
        double[] f = new double[n],
            g = new double[n],
            times = new double[Rounds];
        long start = Stopwatch.GetTimestamp();
        using ICostOperator op = backend.Bind(geometry, precision);
        op.Iterate(2, step, f, g, out _); // kernels are compiled when first used
        double setup = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double error = double.NaN;
        for (int k = 0; k < Rounds; k++)
        {
            start = Stopwatch.GetTimestamp();
            op.Iterate(4, step, f, g, out error);
            times[k] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / 4 / n / n;
        }
        Array.Sort(times);
        string form = geometry is PointCloud cloud ? $"points, d = {cloud.Dimension}" : "stored";
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {form} | {op.Description} | {setup:F2} | {times[Rounds / 2]:F3} ({times[0]:F3}) | {error:E1} |"
            )
        );
    }
}
