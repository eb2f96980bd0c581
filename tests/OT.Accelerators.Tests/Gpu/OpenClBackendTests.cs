using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.OpenCl;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu;

/// <summary>Devices, memory, refusals, cancellation, threads, and whole solves.</summary>
public sealed class OpenClBackendTests
{
    [Fact]
    public void The_device_says_what_it_is()
    {
        using OpenClBackend backend = OpenCl.Open();
        Assert.StartsWith("opencl ", backend.Name, StringComparison.Ordinal);
        Assert.Contains("driver", backend.Driver, StringComparison.Ordinal);
        Assert.Contains(
            OpenClBackend.Devices(),
            device => device.StartsWith(backend.Name["opencl ".Length..], StringComparison.Ordinal)
        );
        using ICostOperator op = backend.Bind(new CostMatrix(2, 2, [1.0, 2, 3, 4]), Precision.Float32);
        Assert.Contains(backend.Name, op.Description, StringComparison.Ordinal);
        Assert.Contains("Float32", op.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_disposed_says_so()
    {
        OpenClBackend backend = OpenCl.Open();
        var geometry = new CostMatrix(2, 2, [1.0, 2, 3, 4]);
        ICostOperator op = backend.Bind(geometry);
        backend.Dispose();
        // Drivers end the process when they are given a handle that was released.
        Assert.Throws<ObjectDisposedException>(() => backend.Bind(geometry));
        Assert.Throws<ObjectDisposedException>(() => op.SoftMinRows(new double[2], new double[2], 1, new double[2]));
        op.Dispose();
        Assert.Equal(0, backend.AllocatedBytes);
        backend.Dispose();
    }

    [Fact]
    public void A_device_that_is_not_there_is_refused_with_those_that_are()
    {
        using OpenClBackend backend = OpenCl.Open();
        var thrown = Assert.Throws<BackendException>(() => new OpenClBackend(device: "no such device"));
        Assert.Contains("no such device", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(backend.Name["opencl ".Length..], thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Doubles_are_refused_where_there_are_none()
    {
        using OpenClBackend backend = OpenCl.Open(withDoubles: false);
        var matrix = new CostMatrix(1, 1, [1.0]);
        var thrown = Assert.Throws<BackendException>(() => backend.Bind(matrix));
        Assert.Contains("no doubles", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<BackendException>(() => backend.EstimateBytes(matrix, Precision.Float64));
        using ICostOperator op = backend.Bind(matrix, Precision.Float32);
    }

    [Theory]
    [InlineData("custom")]
    [InlineData("sphere")]
    [InlineData("grid")]
    [InlineData("sum")]
    [InlineData("own class")]
    [InlineData("sparse")]
    public void Geometries_without_kernels_are_refused_by_name(string kind)
    {
        using OpenClBackend backend = OpenCl.Open();
        Geometry geometry = SomeGeometry.Of(kind, 4, 6);
        var thrown = Assert.Throws<BackendException>(() => backend.Bind(geometry));
        Assert.Contains("managed", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<BackendException>(() => backend.EstimateBytes(geometry, Precision.Float64));
        Assert.Equal(0, backend.AllocatedBytes);
    }

    [Theory]
    [InlineData("points3")]
    [InlineData("doubles")]
    [InlineData("floats")]
    public void NativeBytesReturnToZero(string kind)
    {
        using OpenClBackend backend = OpenCl.Open();
        Geometry geometry = SomeGeometry.Of(kind, 300, 70);
        foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
        {
            using (ICostOperator op = backend.Bind(geometry, precision))
            {
                Assert.InRange(backend.AllocatedBytes, 1, backend.EstimateBytes(geometry, precision));
                BackendLaws.Bits(op, geometry);
                // Once plans have been asked for, all that was told beforehand is taken and not a byte more.
                Assert.Equal(backend.EstimateBytes(geometry, precision), backend.AllocatedBytes);
            }
            Assert.Equal(0, backend.AllocatedBytes);
        }
    }

    [Fact]
    public void ByteCeilingHonoured()
    {
        using OpenClBackend free = OpenCl.Open();
        Geometry geometry = SomeGeometry.Of("points2", 100, 100);
        long needed = free.EstimateBytes(geometry, Precision.Float64);
        using (var enough = new OpenClBackend(needed))
            enough.Bind(geometry).Dispose();
        using var tight = new OpenClBackend(needed - 1);
        var thrown = Assert.Throws<BackendException>(() => tight.Bind(geometry));
        Assert.Contains("limit", thrown.Message, StringComparison.Ordinal);
        Assert.Equal(0, tight.AllocatedBytes);
    }

    [Fact]
    public void Memory_that_the_device_has_not_is_refused_with_both_figures()
    {
        using var device = Device();
        var thrown = Assert.Throws<BackendException>(() => device.Allocate(device.TotalBytes + 1));
        Assert.Contains(
            (device.TotalBytes + 1).ToString("N0", System.Globalization.CultureInfo.InvariantCulture),
            thrown.Message,
            StringComparison.Ordinal
        );
        Assert.Equal(0, device.AllocatedBytes);
    }

    [Fact]
    public void A_kernel_that_is_not_in_the_source_is_an_error_with_its_name()
    {
        using var device = Device();
        var module = new GpuModule(GpuProgram.Vectors, GpuReal.Single, GpuReal.Single, GpuReal.Single);
        var thrown = Assert.Throws<BackendException>(() => device.Kernel(module, "nothing"));
        Assert.Contains("nothing", thrown.Message, StringComparison.Ordinal);
        Assert.Equal("opencl", thrown.Backend);
        Assert.NotEqual(0, thrown.NativeCode);
    }

    [Fact]
    public void A_module_that_does_not_build_comes_with_the_drivers_log()
    {
        using var device = Device();
        // A ground cost that points.cl does not know.
        var module = new GpuModule((GpuProgram)99, GpuReal.Single, GpuReal.Single, GpuReal.Single);
        var thrown = Assert.Throws<BackendException>(() => device.Kernel(module, "softmin"));
        Assert.Contains("COST", thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("doubles")]
    [InlineData("points2")]
    public void Cancellation_is_told(string kind)
    {
        using OpenClBackend backend = OpenCl.Open();
        new BackendLaws(backend, Precision.Float64).Cancellation(kind);
        Assert.Equal(0, backend.AllocatedBytes);
    }

    /// <summary>An endless run ends at the token, and holds the iterate that so many iterations give.</summary>
    [Fact]
    public void CancellationBound()
    {
        using OpenClBackend backend = OpenCl.Open();
        const int n = 300,
            m = 400;
        PointCloud cloud = OpenClShapeTests.Cloud(n, m, 2, GroundCost.SquaredEuclidean);
        SinkhornStep step = OpenClShapeTests.Step(n, m, 0.5) with { Tolerance = -1 };
        using var source = new CancellationTokenSource();
        double[] f = new double[n],
            g = new double[m],
            expectedF = new double[n],
            expectedG = new double[m];
        int made;
        using (ICostOperator op = backend.Bind(cloud, Precision.Float64, source.Token))
        {
            op.Iterate(1, step, new double[n], new double[m], out _); // kernels are compiled here, so that the run below makes way
            source.CancelAfter(TimeSpan.FromSeconds(1));
            made = op.Iterate(int.MaxValue, step, f, g, out double error);
            Assert.True(op.Interrupted);
            Assert.True(double.IsNaN(error));
        }
        Assert.True(made > 0);
        using ICostOperator again = backend.Bind(cloud);
        Assert.Equal(made, again.Iterate(made, step, expectedF, expectedG, out _));
        Assert.Equal(expectedF, f);
        Assert.Equal(expectedG, g);
    }

    [Theory]
    [InlineData("points3")]
    [InlineData("forbidden")]
    public void SameBitsOnRepeat(string kind)
    {
        using OpenClBackend backend = OpenCl.Open();
        foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
            new BackendLaws(backend, precision).Repeats(kind, 130, 500);
    }

    [Fact]
    public void Two_threads_with_an_operator_each_get_what_one_gets()
    {
        using OpenClBackend backend = OpenCl.Open();
        Geometry[] geometries = [SomeGeometry.Of("points2", 90, 200), SomeGeometry.Of("doubles", 120, 70)];
        long[][] alone = Array.ConvertAll(geometries, Run);
        var together = new long[geometries.Length][];
        for (int round = 0; round < 5; round++)
        {
            Parallel.For(0, geometries.Length, k => together[k] = Run(geometries[k]));
            for (int k = 0; k < geometries.Length; k++)
                Assert.Equal(alone[k], together[k]);
        }

        long[] Run(Geometry geometry)
        {
            using ICostOperator op = backend.Bind(geometry);
            return BackendLaws.Bits(op, geometry);
        }
    }

    /// <summary>Iterations end on the device where the tolerance is met, wherever the host would have looked next.</summary>
    [Fact]
    public void Iterations_stop_at_the_tolerance()
    {
        using OpenClBackend backend = OpenCl.Open();
        using var managed = new ManagedBackend(1);
        PointCloud cloud = OpenClShapeTests.Cloud(40, 30, 2, GroundCost.SquaredEuclidean);
        SinkhornStep step = OpenClShapeTests.Step(40, 30, 0.05) with { Tolerance = 1e-4 };
        int[] made = new int[2];
        double[] errors = new double[2];
        foreach ((int k, IBackend which) in (ReadOnlySpan<(int, IBackend)>)[(0, backend), (1, managed)])
        {
            using ICostOperator op = which.Bind(cloud);
            made[k] = op.Iterate(1000, step, new double[40], new double[30], out errors[k]);
        }
        Assert.InRange(made[0], 2, 999);
        Assert.Equal(made[1], made[0]);
        Assert.Equal(errors[1], errors[0], 1e-12);
    }

    [Fact]
    public void What_is_not_finite_ends_iterations_with_the_last_finite_iterate()
    {
        using OpenClBackend backend = OpenCl.Open();
        PointCloud cloud = OpenClShapeTests.Cloud(5, 4, 2, GroundCost.SquaredEuclidean);
        double[] f = [1, 2, 3, 4, 5],
            g = [0, double.NaN, 0, 0];
        using ICostOperator op = backend.Bind(cloud);
        Assert.Equal(0, op.Iterate(7, OpenClShapeTests.Step(5, 4, 0.1), f, g, out double error));
        Assert.True(double.IsNaN(error));
        Assert.False(op.Interrupted);
        Assert.Equal([1, 2, 3, 4, 5], f);
    }

    [Theory]
    [InlineData("points2", Precision.Float64)]
    [InlineData("euclidean", Precision.Float64)]
    [InlineData("doubles", Precision.Float64)]
    [InlineData("forbidden", Precision.Float64)]
    [InlineData("points3", Precision.Float32)]
    public void A_whole_solve_is_that_of_the_managed_back_end(string kind, Precision precision)
    {
        using OpenClBackend backend = OpenCl.Open();
        using var managed = new ManagedBackend(1);
        const int n = 60,
            m = 45;
        var random = new SeededRandom(4);
        var problem = new LinearProblem(
            SomeGeometry.Of(kind, n, m),
            Measure.Of(SomeGeometry.Weights(random, n, 6)),
            Measure.Of(SomeGeometry.Weights(random, m, 6))
        )
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.05)),
        };
        // Floats resolve marginals to a few 2⁻²⁴ of C/ε.
        double tolerance = precision == Precision.Float64 ? 1e-9 : 1e-4;
        var options = new SinkhornOptions { Tolerance = tolerance, Precision = precision };
        TransportResult ours = new Sinkhorn(options, backend).Solve(problem),
            expected = new Sinkhorn(options, managed).Solve(problem);
        Assert.Equal(SolverStatus.Converged, expected.Status);
        Assert.Equal(SolverStatus.Converged, ours.Status);
        Assert.Contains("opencl", ours.Backend, StringComparison.Ordinal);
        Assert.InRange(ours.MarginalError, 0, tolerance);
        // Two plans whose marginals are off by the tolerance differ in value by that times the potentials, of the size of the costs, at most.
        double scale = Approx.CostScale(problem.Geometry);
        Assert.Equal(expected.Value, ours.Value, 2 * tolerance * scale);
        Assert.Equal(expected.TransportCost, ours.TransportCost, 20 * tolerance * scale);
        Assert.Equal(0, backend.AllocatedBytes);
    }

    /// <summary>Asked for floats, costs that floats cannot hold are streamed in doubles, as on the managed back end.</summary>
    [Theory]
    [InlineData("points3", 1e25)]
    [InlineData("points3", 1e-25)]
    [InlineData("euclidean", 1e40)]
    [InlineData("doubles", 1e38)]
    [InlineData("doubles", 1e-40)]
    public void Costs_beyond_floats_are_streamed_in_doubles(string kind, double factor)
    {
        Geometry geometry = Scaled(SomeGeometry.Of(kind, 30, 40), factor);
        var problem = new LinearProblem(geometry, Measure.Uniform(30), Measure.Uniform(40))
        {
            Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(0.1)),
        };
        var options = new SinkhornOptions { Precision = Precision.Float32, Tolerance = 1e-6 };
        using OpenClBackend backend = OpenCl.Open();
        using var managed = new ManagedBackend(1);
        TransportResult ours = new Sinkhorn(options, backend).Solve(problem),
            expected = new Sinkhorn(options, managed).Solve(problem);
        Assert.Equal(SolverStatus.Converged, ours.Status);
        Assert.Contains("Float64", ours.Backend, StringComparison.Ordinal);
        Assert.Equal(expected.Value, ours.Value, 4e-6 * Approx.CostScale(geometry));
        Assert.Equal(0, backend.AllocatedBytes);

        using OpenClBackend narrow = OpenCl.Open(withDoubles: false);
        var refusal = Assert.Throws<BackendException>(() => narrow.Bind(geometry, Precision.Float32));
        Assert.Contains("floats hold costs from 1E-24 to 1E+36", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<BackendException>(() => narrow.EstimateBytes(geometry, Precision.Float32));
    }

    static Geometry Scaled(Geometry geometry, double factor)
    {
        if (geometry is PointCloud cloud)
            return new PointCloud(Times(cloud.Source), Times(cloud.Target), cloud.GroundCost);
        return new CostMatrix(
            geometry.Rows,
            geometry.Columns,
            Array.ConvertAll(((CostMatrix)geometry).Doubles!, c => c * factor)
        );

        Matrix Times(Matrix points) =>
            new(points.Rows, points.Columns, Array.ConvertAll(points.Values.ToArray(), x => x * factor));
    }

    /// <summary>A plan asked for before the first sweep shares its points with it.</summary>
    [Theory]
    [InlineData("euclidean")]
    [InlineData("points3")]
    public void Plans_before_sweeps_take_no_more_memory_than_was_told(string kind)
    {
        using OpenClBackend backend = OpenCl.Open();
        Geometry geometry = SomeGeometry.Of(kind, 70, 50);
        foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
        {
            using ICostOperator op = backend.Bind(geometry, precision);
            var zeros = new double[70];
            var plan = new GibbsPlan
            {
                F = zeros,
                G = zeros.AsSpan(0, 50),
                LogA = zeros,
                LogB = zeros.AsSpan(0, 50),
                Epsilon = 1,
            };
            op.ApplyPlan(plan, zeros.AsSpan(0, 50), new double[70]);
            op.SoftMinRows(zeros.AsSpan(0, 50), zeros.AsSpan(0, 50), 1e-14, new double[70]); // too small an ε for folded norms
            op.SoftMinRows(zeros.AsSpan(0, 50), zeros.AsSpan(0, 50), 1, new double[70]);
            Assert.InRange(backend.AllocatedBytes, 1, backend.EstimateBytes(geometry, precision));
        }
    }

    [Fact]
    public void Time_is_told_by_what_it_went_to()
    {
        using OpenClBackend backend = OpenCl.Open();
        using (ICostOperator op = backend.Bind(SomeGeometry.Of("points2", 50, 50)))
            op.SoftMinRows(new double[50], new double[50], 0.1, new double[50]);
        Assert.All(
            (TimeSpan[])[backend.Timings.Compile, backend.Timings.Upload, backend.Timings.Run, backend.Timings.Download],
            time => Assert.True(time > TimeSpan.Zero)
        );
    }

    static OpenClDevice Device()
    {
        OpenCl.Open().Dispose(); // or skip
        (nint platform, nint device) = LibOpenCl.Devices()[0];
        return new OpenClDevice(platform, device);
    }
}
