using System.Diagnostics;
using System.Globalization;
using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.Cuda;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Studies;

/// <summary>FlashSinkhorn's README (n from 5 000 to 50 000, d = 64; 10 alternating and 100 symmetric iterations) and d = 3 and 8 beside it, on the GPU of this machine.</summary>
/// <param name="open">Opens the device; what it throws is the whole report where there is none.</param>
/// <remarks>
/// <para>
/// Times are those of <see cref="ICostOperator.Iterate"/> alone, warm, the best of three: potentials travel once each way, points were sent before. Its symmetric
/// iterations make the two sweeps of an alternating one, side by side; ours stand in its rows with as many alternating ones.
/// </para>
/// <para>Accuracy: f = softmin(g) of the last g on the device, against doubles on the processor for 64 rows, as the largest difference over ε.</para>
/// </remarks>
sealed class GpuStudy(Func<GpuBackend> open) : Study
{
    const int Runs = 3;
    const int CheckedRows = 64;

    /// <summary>Dense TF32 operations per multiprocessor and clock, by compute capability: NVIDIA's peak rates over multiprocessors and clock.</summary>
    static readonly Dictionary<string, int> s_tensorRate = new(StringComparer.Ordinal)
    {
        ["8.0"] = 1024,
        ["8.6"] = 256,
        ["8.9"] = 256,
        ["9.0"] = 2048,
    };

    /// <summary>Of an A100, on which the published times were taken, in operations per second.</summary>
    const double PublishedPeak = 156e12;

    /// <summary>README of FlashSinkhorn 0.3.0, TF32.</summary>
    sealed record Case(int Points, int Dimension, int Iterations, double? PublishedSeconds = null);

    static readonly Case[] s_cases =
    [
        new(5_000, 64, 100, 24e-3),
        new(10_000, 64, 100, 61e-3),
        new(50_000, 64, 100, 1450e-3),
        new(10_000, 64, 10, 8.3e-3),
        new(20_000, 64, 10, 21.7e-3),
        new(50_000, 64, 10, 102.6e-3),
        new(10_000, 3, 10),
        new(50_000, 3, 10),
        new(10_000, 8, 10),
        new(50_000, 8, 10),
    ];

    public override string Name => "gpu";

    public override string Description =>
        "GPU: FlashSinkhorn's table, low dimensions, and the limit of exponentials; --backend cuda (default) or opencl";

    public override bool Run(bool isShort, string folder, TextWriter output)
    {
        GpuBackend opened;
        try
        {
            opened = open();
        }
        catch (BackendException e)
        {
            output.WriteLine(e.Message);
            return false;
        }
        using GpuBackend backend = opened;
        var table = new StudyOutput(Name, folder, output);
        table.Line($"# {Description}");
        table.Line($"");
        table.Line(
            $"{DateTime.UtcNow:yyyy-MM-dd}. {backend.Name}, {backend.Driver}, {backend.DeviceBytes / 1e9:0} GB; {Machine.Description}."
        );
        table.Line($"");
        double? peak = TensorPeak(backend.Device);
        if (peak is { } rate)
            table.Line(
                $"Dense TF32 peak by multiprocessors and clock: {rate / 1e12:0} TFLOP/s; published times are scaled by {PublishedPeak / rate:0.00}."
            );
        double limit64 = backend.HasDoubles ? GpuLimits.SecondsPerExponential(backend.Device, GpuReal.Double) : double.NaN,
            limit32 = GpuLimits.SecondsPerExponential(backend.Device, GpuReal.Single);
        table.Line($"An exponential alone: {limit32 * 1e12:0.000} ps in floats, {limit64 * 1e12:0.000} ps in doubles.");
        table.Line($"");
        table.Line(
            $"| n = m | d | iterations | precision | time, ms | TFLOP/s | ps per pair | over exp alone | FlashSinkhorn on A100, ms | scaled | ours / scaled | largest error / eps | ran as |"
        );
        table.Line($"|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        table.Row($"points,dimension,iterations,precision,seconds,flops,seconds_per_pair,exponential,published,scaled,error");
        foreach (Case c in isShort ? [new(200, 64, 2), new(200, 3, 2)] : s_cases)
        {
            foreach (Precision precision in Precisions(backend, c))
                Measure(table, backend, c, precision, precision == Precision.Float64 ? limit64 : limit32, peak, !isShort);
        }
        return table.Finish();
    }

    static IEnumerable<Precision> Precisions(GpuBackend backend, Case c)
    {
        if (c.Dimension >= 32 && backend.Device.HasTensorCores)
            yield return Precision.TensorFloat32;
        yield return Precision.Float32;
        if (backend.HasDoubles)
            yield return Precision.Float64;
    }

    static void Measure(
        StudyOutput table,
        GpuBackend backend,
        Case c,
        Precision precision,
        double limit,
        double? peak,
        bool judgesTime
    )
    {
        PointCloud cloud = Cloud(c);
        double epsilon = 0.05 * c.Dimension / 6; // |x - y|² of uniform points is d/6 on average
        SinkhornStep step = Step(c.Points, epsilon);
        var f = new double[c.Points];
        var g = new double[c.Points];
        using ICostOperator op = backend.Bind(cloud, precision);
        op.Iterate(2, step, f, g, out _); // compiles, records, warms
        double seconds = double.PositiveInfinity;
        for (int run = 0; run < Runs; run++)
        {
            Array.Clear(f);
            Array.Clear(g);
            long start = Stopwatch.GetTimestamp();
            op.Iterate(c.Iterations, step, f, g, out _);
            seconds = Math.Min(seconds, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        double sweeps = 2.0 * c.Iterations,
            pairs = sweeps * c.Points * c.Points,
            flops = 2 * pairs * c.Dimension / seconds,
            error = Error(op, cloud, step, g);
        double? scaled = c.PublishedSeconds * PublishedPeak / peak;
        table.Row(
            $"{c.Points},{c.Dimension},{c.Iterations},{precision},{seconds:R},{flops:R},{seconds / pairs:R},{limit:R},{c.PublishedSeconds},{scaled},{error:R}"
        );
        table.Line(
            $"| {c.Points} | {c.Dimension} | {c.Iterations} | {precision} | {seconds * 1e3:0.00} | {flops / 1e12:0.0} | {seconds / pairs * 1e12:0.00} | {seconds / pairs / limit:0.0} | {Text(c.PublishedSeconds * 1e3)} | {Text(scaled * 1e3)} | {Text(seconds / scaled)} | {error:0.0e+0} | {op.Description} |"
        );
        if (precision == Precision.TensorFloat32 && scaled is { } target)
            table.Claim(
                seconds <= target,
                $"n = {c.Points}, {c.Iterations} iterations in TF32: at most the published time scaled by peak rates"
            );
        if (precision == Precision.Float64 && c.Dimension == 3 && judgesTime)
            table.Claim(seconds / pairs <= 2 * limit, $"n = {c.Points}, d = 3, doubles: within 2 times an exponential per pair");
        if (precision != Precision.TensorFloat32)
            table.Claim(
                error <= (precision == Precision.Float64 ? 1e-9 : 1e-4),
                $"n = {c.Points}, d = {c.Dimension}, {precision}: potentials agree with doubles, {error:0.0e+0} of epsilon"
            );
    }

    static string Text(double? value) => value?.ToString("0.00", CultureInfo.InvariantCulture) ?? "";

    /// <summary>Largest difference over ε between a soft-min on the device and in doubles on the processor, in some rows.</summary>
    static double Error(ICostOperator op, PointCloud cloud, SinkhornStep step, double[] g)
    {
        int n = cloud.Rows,
            count = Math.Min(CheckedRows, n);
        var rows = new double[count * cloud.Dimension];
        for (int r = 0; r < count; r++)
            cloud.Source.Row(r * (n / count)).CopyTo(rows.AsSpan(r * cloud.Dimension));
        using var managed = new ManagedBackend();
        using ICostOperator exact = managed.Bind(
            new PointCloud(new Matrix(count, cloud.Dimension, rows), cloud.Target, cloud.GroundCost)
        );
        var expected = new double[count];
        var actual = new double[n];
        exact.SoftMinRows(g, step.LogB.Span, step.Epsilon, expected);
        op.SoftMinRows(g, step.LogB.Span, step.Epsilon, actual);
        double worst = 0;
        for (int r = 0; r < count; r++)
            worst = Math.Max(worst, Math.Abs(expected[r] - actual[r * (n / count)]));
        return worst / step.Epsilon;
    }

    static PointCloud Cloud(Case c)
    {
        var random = new SeededRandom((ulong)(c.Points + c.Dimension));
        Matrix Points() =>
            new(c.Points, c.Dimension, [.. Enumerable.Range(0, c.Points * c.Dimension).Select(_ => random.NextDouble())]);
        return new PointCloud(Points(), Points());
    }

    static SinkhornStep Step(int n, double epsilon)
    {
        double[] weights = [.. Enumerable.Repeat(1.0 / n, n)],
            logs = [.. Enumerable.Repeat(-Math.Log(n), n)];
        return new SinkhornStep
        {
            Epsilon = epsilon,
            A = weights,
            B = weights,
            LogA = logs,
            LogB = logs,
        };
    }

    static double? TensorPeak(IGpuDevice device) =>
        device is CudaDevice cuda && s_tensorRate.TryGetValue(cuda.Capability, out int rate)
            ? rate * cuda.Processors * cuda.ClockRate
            : null;
}
