using OT.Accelerators.Gpu.Cuda;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>The laws on a real device, skipped where there is none; with <c>cuda</c> in <c>OT_REQUIRE</c> absence is a failure.</summary>
public sealed class CudaHardwareTests
{
    static CudaBackend Open()
    {
        try
        {
            return new CudaBackend();
        }
        catch (BackendException e)
        {
            string required = Environment.GetEnvironmentVariable("OT_REQUIRE") ?? "";
            Assert.SkipUnless(required.Split(',').Contains("cuda", StringComparer.Ordinal), e.Message);
            throw;
        }
    }

    public static TheoryData<string> Kinds => [.. OpenCl.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void All_laws_hold(string kind)
    {
        using CudaBackend backend = Open();
        foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
        {
            var laws = new BackendLaws(backend, precision) { PlanRounding = precision == Precision.Float64 ? 1e-13 : 1e-7 };
            laws.Minima(kind);
            laws.Iterations(kind);
            laws.Plans(kind);
            laws.Repeats(kind, 70, 90);
            laws.Cancellation(kind);
        }
        Assert.Equal(0, backend.AllocatedBytes);
    }

    [Fact]
    public void Batches_and_slices_are_those_of_the_host()
    {
        Open().Dispose(); // or skip
        using var device = new CudaDevice(CudaDriver.Open());
        GpuBatchTests.IterateAsAlone(device, "forbidden");
        SlicedOnDeviceTests.SortsStably(device, 100_000);
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(100)]
    public void Tensor_cores_are_as_accurate_as_they_promise(int d)
    {
        using CudaBackend backend = Open();
        using var managed = new ManagedBackend();
        const int n = 300,
            m = 500;
        var random = new SeededRandom((ulong)d);
        var cloud = new PointCloud(
            new Matrix(n, d, SomeGeometry.Draw(random, n * d)),
            new Matrix(m, d, SomeGeometry.Draw(random, m * d))
        );
        double epsilon = 0.1 * cloud.MagnitudeBound;
        double[] SoftMin(IBackend on, Precision precision)
        {
            using ICostOperator op = on.Bind(cloud, precision);
            var f = new double[n];
            op.SoftMinRows(new double[m], new double[m], epsilon, f);
            return f;
        }
        double[] exact = SoftMin(managed, Precision.Float64);
        // Tensor cores truncate where they add: twice the bound of rounding to nearest.
        double bound = Math.ScaleB(1, -21) + (2 * ((3 * d) + 16) * Math.ScaleB(1, -24));
        Approx.Equal(exact, SoftMin(backend, Precision.Float32), bound * cloud.MagnitudeBound, "three products");
        Approx.Equal(exact, SoftMin(backend, Precision.TensorFloat32), Math.ScaleB(1, -10) * cloud.MagnitudeBound, "one product");
    }
}
