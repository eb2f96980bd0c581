using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Backends;

public class ManagedBackendTests
{
    public static TheoryData<string> Kinds => [.. SomeGeometry.All];

    static SinkhornStep Step(Geometry geometry, double epsilon = 0.1)
    {
        var random = new SeededRandom(5);
        double[] a = SomeGeometry.Weights(random, geometry.Rows, 5),
            b = SomeGeometry.Weights(random, geometry.Columns, 5);
        return new SinkhornStep
        {
            Epsilon = epsilon,
            A = a,
            B = b,
            LogA = Array.ConvertAll(a, Math.Log),
            LogB = Array.ConvertAll(b, Math.Log),
        };
    }

    static long[] Bits(Geometry geometry, Precision precision, int threads)
    {
        using var backend = new ManagedBackend(threads);
        using ICostOperator op = backend.Bind(geometry, precision);
        return BackendLaws.Bits(op, geometry);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void SameBitsAnyThreadCount(string kind)
    {
        Geometry geometry = SomeGeometry.Of(kind, 300, 130);
        foreach (Precision precision in Enum.GetValues<Precision>())
        {
            long[] one = Bits(geometry, precision, 1);
            foreach (int threads in (int[])[1, 2, 3, 5])
            {
                long[] bits = Bits(geometry, precision, threads);
                int at = Enumerable.Range(0, one.Length).FirstOrDefault(k => one[k] != bits[k], -1);
                Assert.True(
                    at < 0,
                    $"{precision}, {threads} threads: number {at} is {BitConverter.Int64BitsToDouble(bits[Math.Max(at, 0)]):R}, {BitConverter.Int64BitsToDouble(one[Math.Max(at, 0)]):R} on one thread"
                );
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Rows_with_no_allowed_column_are_infinitely_far(string kind)
    {
        Geometry geometry = SomeGeometry.Of(kind, 30, 20);
        var none = new double[20];
        Array.Fill(none, double.NegativeInfinity);
        using var backend = new ManagedBackend(2);
        foreach (Precision precision in Enum.GetValues<Precision>())
        {
            using ICostOperator op = backend.Bind(geometry, precision);
            foreach (double epsilon in (double[])[0, 0.5])
            {
                var f = new double[30];
                op.SoftMinRows(new double[20], none, epsilon, f);
                Assert.All(f, value => Assert.Equal(double.PositiveInfinity, value));
            }
        }
    }

    /// <summary>Points need memory for points, whatever the cost: no hidden table of all pairs, on the way there or in the column's direction.</summary>
    [Fact]
    public void TileHonouredForEveryCost()
    {
        const int n = 2000;
        using var backend = new ManagedBackend(1);
        foreach (string kind in SomeGeometry.Dense)
        {
            Geometry geometry = SomeGeometry.Of(kind, n, n);
            if (geometry is not PointCloud)
                continue;
            double[] f = new double[n],
                g = new double[n];
            SinkhornStep step = Step(geometry);
            long before = GC.GetAllocatedBytesForCurrentThread();
            using (ICostOperator op = backend.Bind(geometry))
            {
                op.Iterate(1, step, f, g, out _);
                op.SoftMinColumns(f, step.LogA.Span, step.Epsilon, g);
            }
            long taken = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(taken < sizeof(double) * n * n / 4, $"{kind}: {taken:N0} bytes taken");
        }
    }

    [Fact]
    public void ByteCeilingHonoured()
    {
        foreach (string kind in SomeGeometry.All)
        {
            Geometry geometry = SomeGeometry.Of(kind, 600, 3000);
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                using var open = new ManagedBackend(2);
                long estimate = open.EstimateBytes(geometry, precision);
                using var tight = new ManagedBackend(2, estimate - 1);
                var refusal = Assert.Throws<BackendException>(() => tight.Bind(geometry, precision));
                Assert.Contains($"{estimate:N0}", refusal.Message, StringComparison.Ordinal);
                using var enough = new ManagedBackend(2, estimate);
                double[] f = new double[600],
                    g = new double[3000];
                SinkhornStep step = Step(geometry);
                Use(enough, geometry, precision, step, f, g); // what is compiled or made lazily elsewhere
                long before = GC.GetAllocatedBytesForCurrentThread();
                ICostOperator op = enough.Bind(geometry, precision);
                long taken = GC.GetAllocatedBytesForCurrentThread() - before;
                op.Dispose();
                // Buffers that start at a place of their own take up to a page more each; objects and small arrays a few kilobytes.
                Assert.True(
                    taken <= (1.05 * estimate) + (40 * 4096),
                    $"{kind}, {precision}: {taken:N0} bytes taken, {estimate:N0} estimated"
                );
            }
        }

        static void Use(ManagedBackend backend, Geometry geometry, Precision precision, SinkhornStep step, double[] f, double[] g)
        {
            using ICostOperator op = backend.Bind(geometry, precision);
            op.Iterate(1, step, f, g, out _);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Iterations_allocate_nothing(string kind)
    {
        Geometry geometry = SomeGeometry.Of(kind, 60, 80);
        foreach (Precision precision in Enum.GetValues<Precision>())
        {
            using var backend = new ManagedBackend(1);
            using ICostOperator op = backend.Bind(geometry, precision);
            double[] f = new double[60],
                g = new double[80];
            SinkhornStep step = Step(geometry);
            op.Iterate(3, step, f, g, out _);
            // Code that the runtime has not optimised yet may box; the best of many tries has none of that.
            long least = long.MaxValue;
            for (int attempt = 0; attempt < 100 && least > 300; attempt++)
            {
                least = Math.Min(least, Allocated(101) - Allocated(1));
                Thread.Sleep(least > 300 ? 10 : 0);
            }
            Assert.True(least <= 300, $"{precision}: {least} bytes in 100 iterations");

            long Allocated(int count)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                op.Iterate(count, step, f, g, out _);
                return GC.GetAllocatedBytesForCurrentThread() - before;
            }
        }
    }

    [Fact]
    public void An_exception_of_a_users_cost_comes_out_and_the_back_end_lives_on()
    {
        bool fail = false;
        Geometry geometry = new PointCloud(
            new Matrix(90, 1, SomeGeometry.Draw(new SeededRandom(1), 90)),
            new Matrix(20, 1, SomeGeometry.Draw(new SeededRandom(2), 20)),
            GroundCost.Custom((x, y) => fail && x[0] < 0.5 ? throw new InvalidOperationException("mine") : Math.Abs(x[0] - y[0]))
        );
        fail = true; // not before: the geometry looks at its largest cost
        using var backend = new ManagedBackend(3);
        double[] f = new double[90],
            g = new double[20];
        using (ICostOperator op = backend.Bind(geometry))
        {
            Assert.Equal(
                "mine",
                Assert.Throws<InvalidOperationException>(() => op.Iterate(1, Step(geometry), f, g, out _)).Message
            );
        }
        fail = false;
        double[] expectedF = new double[90],
            expectedG = new double[20];
        Naive.Iterate(geometry, 2, Step(geometry), expectedF, expectedG);
        using ICostOperator again = backend.Bind(geometry);
        Array.Clear(f);
        Array.Clear(g);
        again.Iterate(2, Step(geometry), f, g, out _);
        Approx.Equal(expectedF, f, 1e-12, "f");
        Approx.Equal(expectedG, g, 1e-12, "g");
    }

    /// <summary>Where floats cannot hold the costs, doubles are streamed and the description says so.</summary>
    [Theory]
    [InlineData(1e50)]
    [InlineData(1e-60)]
    public void Costs_outside_the_range_of_floats_are_streamed_in_doubles(double scale)
    {
        var random = new SeededRandom(4);
        double[] costs = Array.ConvertAll(SomeGeometry.Draw(random, 30 * 20), c => scale * c),
            points = Array.ConvertAll(SomeGeometry.Draw(random, 30), x => Math.Sqrt(scale) * x);
        Geometry[] both =
        [
            new CostMatrix(30, 20, costs),
            new PointCloud(new Matrix(30, 1, points), new Matrix(30, 1, [.. points.Reverse()])),
        ];
        using var backend = new ManagedBackend(1);
        foreach (Geometry geometry in both)
        {
            using ICostOperator op = backend.Bind(geometry, Precision.Float32);
            Assert.Contains("Float64", op.Description, StringComparison.Ordinal);
            SinkhornStep step = Step(geometry, 0.1 * scale);
            double[] f = new double[geometry.Rows],
                g = new double[geometry.Columns],
                expectedF = [.. f],
                expectedG = [.. g];
            op.Iterate(2, step, f, g, out _);
            Naive.Iterate(geometry, 2, step, expectedF, expectedG);
            Approx.Equal(expectedF, f, 1e-12 * scale, "f");
            Approx.Equal(expectedG, g, 1e-12 * scale, "g");
        }
    }

    [Fact]
    public void Names_threads_and_limits_are_told_and_nonsense_is_refused()
    {
        using var backend = new ManagedBackend(3, 1 << 20);
        Assert.Equal((3, 1L << 20), (backend.Threads, backend.MemoryLimit));
        Assert.StartsWith("managed-", backend.Name, StringComparison.Ordinal);
        using ICostOperator op = backend.Bind(SomeGeometry.Of("points2", 4, 5), Precision.Float32);
        Assert.Equal((4, 5), (op.Rows, op.Columns));
        Assert.Contains(backend.Name, op.Description, StringComparison.Ordinal);
        Assert.Contains("Float32", op.Description, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ManagedBackend(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ManagedBackend(1, -1));
        Assert.Throws<ArgumentNullException>(() => backend.Bind(null!));
    }
}
