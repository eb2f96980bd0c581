using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.OpenCl;
using OT.Backends;
using OT.Numerics;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu;

/// <summary>Projections sorted on a device: the host's chains of multiply-adds and the host's order, so the host's bits.</summary>
public sealed class SlicedOnDeviceTests
{
    public static TheoryData<int, int, int> Shapes =>
        new()
        {
            { 1, 1, 1 },
            { 1, 7, 3 },
            { 300, 1, 2 },
            { 512, 512, 2 },
            { 513, 90, 5 },
            { 2500, 2500, 3 },
            { 700, 3000, 40 },
        };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_distance_is_that_of_the_host(int n, int m, int d)
    {
        using OpenClBackend backend = OpenCl.Open();
        foreach (double p in (double[])[1, 2, 3.5])
        {
            foreach (bool even in (bool[])[true, false])
            {
                (Measure x, Measure y) = (Cloud(n, d, even, 1), Cloud(m, d, even, 2));
                var options = new SlicedOptions { Projections = 33, Seed = 5 };
                SlicedResult expected = Sliced.Distance(x, y, p, options),
                    actual = Sliced.Distance(x, y, p, options, backend);
                Assert.True(
                    expected.Value == actual.Value,
                    $"{n}, {m} points in {d} dimensions, p = {p}, {(even ? "even" : "uneven")}: {actual.Value:R}, on the host {expected.Value:R}"
                );
                Assert.Equal(expected, actual);
            }
        }
        Assert.Equal(0, backend.AllocatedBytes);
    }

    [Fact]
    public void Coincident_points_and_zero_weights_are_as_on_the_host()
    {
        using OpenClBackend backend = OpenCl.Open();
        double[] x = [.. Enumerable.Range(0, 2 * 700).Select(i => (double)(i % 6))],
            y = [.. Enumerable.Range(0, 2 * 700).Select(i => (double)(i % 4))],
            weights = [.. Enumerable.Range(0, 700).Select(i => i % 3 == 0 ? 0.0 : i)];
        double mass = weights.Sum();
        var a = Measure.Of([.. weights.Select(w => w / mass)], new Matrix(700, 2, x));
        var b = Measure.Uniform(new Matrix(700, 2, y));
        Assert.Equal(Sliced.Distance(a, b).Value, Sliced.Distance(a, b, backend: backend).Value);
        Assert.Equal(0, Sliced.Distance(a, a, backend: backend).Value);
        // Beyond the range of squares, coordinates are divided first.
        Measure far = Measure.Uniform(new Matrix(2, 1, [1e200, -1e200])),
            near = Measure.Uniform(new Matrix(2, 1, [0, 0]));
        Assert.Equal(1e200, Sliced.Distance(far, near, backend: backend).Distance, 1e187);
    }

    /// <summary>Orders of whole slices, ties by their points, against a sort of the keys themselves.</summary>
    [Theory]
    [InlineData(5)]
    [InlineData(512)]
    [InlineData(1025)]
    [InlineData(5000)]
    public void Orders_are_stable(int n)
    {
        using OpenClDevice device = Device();
        SortsStably(device, n);
    }

    internal static void SortsStably(IGpuDevice device, int n)
    {
        var random = new SeededRandom(6);
        double[] x = [.. Enumerable.Range(0, n).Select(_ => (double)random.NextInt(n / 2 + 1))];
        double[] thetas = [1, -1, 0];
        double[] positions = new double[3 * n];
        var points = new int[3 * n];
        using (var slices = new GpuSlices(device, new Matrix(n, 1, x), new Matrix(1, 1, [0.0]), 3))
            slices.Sort(target: false, thetas, positions, points);
        for (int s = 0; s < 3; s++)
        {
            int[] order = [.. Enumerable.Range(0, n).OrderBy(i => thetas[s] * x[i])];
            Assert.Equal(order, points[(s * n)..((s + 1) * n)]);
            Assert.Equal(order.Select(i => thetas[s] * x[i]), positions[(s * n)..((s + 1) * n)]);
        }
        Assert.Equal(0, device.AllocatedBytes);
    }

    [Fact]
    public void A_ceiling_takes_fewer_directions_at_a_time_and_changes_no_bit()
    {
        (Measure x, Measure y) = (Cloud(800, 3, true, 1), Cloud(600, 3, false, 2));
        (long points, long direction) = GpuSlices.Bytes(x.Points!, y.Points!);
        var options = new SlicedOptions { Projections = 20 };
        using OpenClBackend free = OpenCl.Open();
        using (var tight = new OpenClBackend(points + (3 * direction)))
            Assert.Equal(Sliced.Distance(x, y, 2, options, free).Value, Sliced.Distance(x, y, 2, options, tight).Value);
        using var tooTight = new OpenClBackend(points + direction - 1);
        var refusal = Assert.Throws<BackendException>(() => Sliced.Distance(x, y, 2, options, tooTight));
        Assert.Contains("limit", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, tooTight.AllocatedBytes);
        using OpenClBackend narrow = OpenCl.Open(withDoubles: false);
        Assert.Throws<BackendException>(() => Sliced.Distance(x, y, 2, options, narrow));
    }

    [Fact]
    public void Back_ends_that_sort_nothing_leave_it_to_the_host()
    {
        (Measure x, Measure y) = (Cloud(80, 3, true, 1), Cloud(60, 3, false, 2));
        using var managed = new ManagedBackend(1);
        Assert.Equal(Sliced.Distance(x, y).Value, Sliced.Distance(x, y, backend: managed).Value);
    }

    static Measure Cloud(int n, int d, bool even, ulong seed)
    {
        var random = new SeededRandom(seed);
        var points = new Matrix(n, d, SomeGeometry.Draw(random, n * d));
        if (even)
            return Measure.Uniform(points);
        double[] weights = SomeGeometry.Weights(random, n, 5);
        double mass = weights.Sum();
        return Measure.Of([.. weights.Select(w => w / mass)], points);
    }

    static OpenClDevice Device()
    {
        OpenCl.Open().Dispose(); // or skip
        (nint platform, nint device) = LibOpenCl.Devices()[0];
        return new OpenClDevice(platform, device);
    }
}
