using System.Diagnostics;
using System.Globalization;
using OT.Accelerators.Native;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Benchmarks;

/// <summary>
/// <c>OT.Benchmarks native [n] [threads] [pattern]</c>: every kernel of libot beside the managed one of the same register width, turn by turn in one run, as a table.
/// </summary>
static class NativeRatios
{
    const double Warmup = 0.12;
    const double Round = 0.02;
    const int Rounds = 7;

    public static int Run(string[] args)
    {
        int n = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 4096;
        int threads = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 2;
        string pattern = args.Length > 2 ? args[2] : "";
        Console.WriteLine(
            $"libot {LibOt.Version}; {threads} threads; {Rounds} rounds of at least {Round} s each, in turns; ns per entry, median; native / managed, of the medians.\n"
        );
        foreach (
            (LibOt.Isa isa, int width) in ((LibOt.Isa, int)[])
                [(LibOt.Isa.Avx512, 512), (LibOt.Isa.Avx2, 256), (LibOt.Isa.Scalar, 0)]
        )
        {
            if (isa > LibOt.BestIsa)
                continue;
            using var managed = new ManagedBackend(threads, null, width);
            using var native = new NativeBackend(threads, null, isa);
            int size = isa == LibOt.Isa.Scalar ? n / 4 : n;
            Console.WriteLine($"{native.Name} beside {managed.Name}, n = m = {size}\n");
            Console.WriteLine("| operation | costs | precision | managed | native | native / managed |");
            Console.WriteLine("|---|---|---|---|---|---|");
            foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
            {
                foreach ((string costs, Geometry geometry) in Geometries(size, precision))
                    Operations(managed, native, geometry, costs, precision, pattern);
            }
            Console.WriteLine();
        }
        Console.WriteLine(
            "Plans and hard minima of the managed back end run in the processor's widest registers whatever the table's: below AVX-512 those rows flatter it."
        );
        return 0;
    }

    static IEnumerable<(string, Geometry)> Geometries(int n, Precision precision)
    {
        foreach (int d in (int[])[1, 2, 3, 16, 64])
            yield return ($"points, d = {d}", Cloud(n, d));
        PointCloud cloud = Cloud(n, 2);
        double[] costs = [.. Enumerable.Range(0, n).SelectMany(i => Enumerable.Range(0, n).Select(j => cloud.Cost(i, j)))];
        yield return precision == Precision.Float32
            ? ("stored floats", new CostMatrix(n, n, Array.ConvertAll(costs, c => (float)c)))
            : ("stored doubles", new CostMatrix(n, n, costs));
    }

    static PointCloud Cloud(int n, int d)
    {
        var random = new SeededRandom(1);
        Matrix Points(double scale, double shift) =>
            new(n, d, [.. Enumerable.Range(0, n * d).Select(_ => scale * (random.NextNormal() + shift) / Math.Sqrt(d))]);
        return new PointCloud(Points(1, 0), Points(1.5, 1));
    }

    static void Operations(
        ManagedBackend managed,
        NativeBackend native,
        Geometry geometry,
        string costs,
        Precision precision,
        string pattern
    )
    {
        int n = geometry.Rows;
        double epsilon = 0.05 * geometry.MeanCost;
        double[] weights = new double[n],
            logs = new double[n],
            potential = new double[n];
        Array.Fill(weights, 1.0 / n);
        Array.Fill(logs, -Math.Log(n));
        var step = new SinkhornStep
        {
            Epsilon = epsilon,
            A = weights,
            B = weights,
            LogA = logs,
            LogB = logs,
        };
        var vectors = new double[8 * n];
        Array.Fill(vectors, 1);
        GibbsPlan Plan() =>
            new()
            {
                F = potential,
                G = potential,
                LogA = logs,
                LogB = logs,
                Epsilon = epsilon,
            };
        double[] f = new double[n],
            g = new double[n],
            many = new double[8 * n];
        (string, Action<ICostOperator>)[] all =
        [
            ("iteration", op => op.Iterate(1, step, f, g, out _)),
            ("soft-min of rows", op => op.SoftMinRows(potential, logs, epsilon, f)),
            ("soft-min of columns", op => op.SoftMinColumns(potential, logs, epsilon, g)),
            ("hard minimum of rows", op => op.SoftMinRows(potential, logs, 0, f)),
            ("hard minimum of columns", op => op.SoftMinColumns(potential, logs, 0, g)),
            ("P v", op => op.ApplyPlan(Plan(), vectors.AsSpan(0, n), f)),
            ("P V, 8 vectors", op => op.ApplyPlan(Plan(), vectors, many)),
            ("transposed P v", op => op.ApplyPlan(Plan(), vectors.AsSpan(0, n), g, transpose: true)),
            ("transposed P V, 8 vectors", op => op.ApplyPlan(Plan(), vectors, many, transpose: true)),
            ("transport cost", op => op.TransportCost(Plan(), f, g)),
        ];
        using ICostOperator first = managed.Bind(geometry, precision),
            second = native.Bind(geometry, precision);
        foreach ((string name, Action<ICostOperator> operation) in all)
        {
            // Plans and hard minima are made in doubles, whatever is streamed, and beyond a few coordinates take too long to be timed here.
            bool exact = name != "iteration" && !name.StartsWith("soft", StringComparison.Ordinal);
            bool timed = geometry is not PointCloud cloud || (precision == Precision.Float64 && (cloud.Dimension is 2 or 16));
            if (!name.Contains(pattern, StringComparison.Ordinal) || (exact && !timed))
                continue;
            Array.Clear(f);
            Array.Clear(g);
            Row(name, costs, precision, (double)n * n, () => operation(first), () => operation(second));
        }
    }

    static void Row(string name, string costs, Precision precision, double entries, Action managed, Action native)
    {
        int managedRepeats = Calibrate(managed),
            nativeRepeats = Calibrate(native);
        double[] m = new double[Rounds],
            n = new double[Rounds];
        for (int k = 0; k < Rounds; k++)
        {
            m[k] = Time(managed, managedRepeats) / entries;
            n[k] = Time(native, nativeRepeats) / entries;
        }
        Array.Sort(m);
        Array.Sort(n);
        (double a, double b) = (m[Rounds / 2], n[Rounds / 2]);
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"| {name} | {costs} | {precision} | {a:F4} | {b:F4} | {b / a:F2} |")
        );
    }

    /// <summary>Warms up, and gives how often a round must repeat.</summary>
    static int Calibrate(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        int calls = 0;
        do
        {
            action();
            calls++;
        } while (Stopwatch.GetElapsedTime(start).TotalSeconds < Warmup);
        return Math.Max(1, (int)(Round * calls / Stopwatch.GetElapsedTime(start).TotalSeconds));
    }

    static double Time(Action action, int repeats)
    {
        long start = Stopwatch.GetTimestamp();
        for (int r = 0; r < repeats; r++)
            action();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / repeats;
    }
}
