using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.Cuda;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Studies;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>The CUDA back end on the fake driver: tensor cores, memory, cancellation, whole solves.</summary>
[Collection(FakeCuda.Name)]
public sealed class CudaBackendTests
{
    static void Check(Action<CudaBackend> action, long memory = 1L << 30)
    {
        using (var backend = new CudaBackend(FakeCuda.Driver(memory: memory)))
        {
            action(backend);
            Assert.Equal(0, backend.AllocatedBytes);
        }
        FakeCuda.AssertNothingIsLeft();
    }

    static PointCloud Cloud(int d, int n = 70, int m = 130)
    {
        var random = new SeededRandom((ulong)d);
        return new(new Matrix(n, d, SomeGeometry.Draw(random, n * d)), new Matrix(m, d, SomeGeometry.Draw(random, m * d)));
    }

    static double[] SoftMin(IBackend backend, PointCloud cloud, Precision precision, double epsilon, out string description)
    {
        using ICostOperator op = backend.Bind(cloud, precision);
        description = op.Description;
        var f = new double[cloud.Rows];
        op.SoftMinRows(SomeGeometry.Draw(new SeededRandom(5), cloud.Columns), new double[cloud.Columns], epsilon, f);
        return f;
    }

    /// <summary>Three products are as good as floats; one is within the bound of 10-bit mantissas and, to be sure that it is what ran, not much better.</summary>
    [Theory]
    [InlineData(32)]
    [InlineData(45)]
    [InlineData(64)]
    [InlineData(100)]
    public void Tensor_cores_are_as_accurate_as_they_promise(int d) =>
        Check(backend =>
        {
            PointCloud cloud = Cloud(d);
            using var managed = new ManagedBackend(1);
            double epsilon = 0.1 * cloud.MagnitudeBound;
            double[] exact = SoftMin(managed, cloud, Precision.Float64, epsilon, out _),
                three = SoftMin(backend, cloud, Precision.Float32, epsilon, out _),
                one = SoftMin(backend, cloud, Precision.TensorFloat32, epsilon, out _);
            // Products and their sum: docs/theory/cuda.md, with |x||y| at most a quarter of the largest cost about the mean; the exponents' own roundings besides.
            Approx.Equal(
                exact,
                three,
                (Math.ScaleB(1, -21) + ((3 * d) + 16) * Math.ScaleB(1, -24)) * cloud.MagnitudeBound,
                "three products"
            );
            Approx.Equal(exact, one, Math.ScaleB(1, -10) * cloud.MagnitudeBound, "one product");
            Assert.Contains(exact.Zip(one), pair => Math.Abs(pair.First - pair.Second) > 1e-5 * epsilon);
        });

    /// <summary>What is streamed with one product are the costs of rounded points, the same in both directions: iterations reach any error.</summary>
    [Fact]
    public void One_product_converges_to_the_transport_of_rounded_points() =>
        Check(backend =>
        {
            PointCloud cloud = Cloud(40, 20, 30);
            using ICostOperator op = backend.Bind(cloud, Precision.TensorFloat32);
            SinkhornStep step = OpenClShapeTests.Step(20, 30, 0.2 * cloud.MagnitudeBound) with { Tolerance = 1e-6 };
            int made = op.Iterate(2000, step, new double[20], new double[30], out double error);
            Assert.True(made < 2000 && error <= 1e-6, $"{error:E} after {made}");
        });

    [Fact]
    public void NoTf32UnlessAsked() =>
        Check(backend =>
        {
            foreach (int d in (int[])[2, 31, 32, 64])
            {
                foreach (Precision precision in Enum.GetValues<Precision>())
                {
                    using ICostOperator op = backend.Bind(Cloud(d), precision);
                    bool tensor = d >= 32 && precision == Precision.TensorFloat32;
                    Assert.Equal(tensor, op.Description.Contains("TensorFloat32", StringComparison.Ordinal));
                    Assert.EndsWith(
                        precision == Precision.Float64 ? ", Float64"
                            : tensor ? ", tensor cores, TensorFloat32"
                            : ", Float32",
                        op.Description,
                        StringComparison.Ordinal
                    );
                }
            }
        });

    [Fact]
    public void DoubleStaysDouble() =>
        Check(backend =>
        {
            PointCloud cloud = Cloud(64);
            using var managed = new ManagedBackend(1);
            double epsilon = 0.1 * cloud.MagnitudeBound;
            double[] exact = SoftMin(managed, cloud, Precision.Float64, epsilon, out _),
                here = SoftMin(backend, cloud, Precision.Float64, epsilon, out string description);
            Assert.Contains("Float64", description, StringComparison.Ordinal);
            Approx.Equal(exact, here, 1e-13 * cloud.MagnitudeBound, "doubles");
        });

    /// <summary>At an ε where norms would cancel, differences in floats take over from tensor cores.</summary>
    [Fact]
    public void Tiny_epsilon_uses_differences() =>
        Check(backend =>
        {
            PointCloud cloud = Cloud(40);
            using var managed = new ManagedBackend(1);
            double epsilon = 1e-5 * cloud.MagnitudeBound;
            double[] exact = SoftMin(managed, cloud, Precision.Float64, epsilon, out _);
            foreach (Precision precision in (Precision[])[Precision.Float32, Precision.TensorFloat32])
                Approx.Equal(
                    exact,
                    SoftMin(backend, cloud, precision, epsilon, out _),
                    1e-6 * cloud.MagnitudeBound,
                    $"{precision}"
                );
        });

    [Theory]
    [InlineData(Precision.Float64, "Float64")]
    [InlineData(Precision.Float32, "three products on tensor cores, Float32")]
    [InlineData(Precision.TensorFloat32, "tensor cores, TensorFloat32")]
    public void A_whole_solve_names_what_ran_and_agrees_with_the_managed_back_end(Precision precision, string what) =>
        Check(backend =>
        {
            PointCloud cloud = Cloud(33, 25, 31);
            var problem = new LinearProblem(cloud, Measure.Uniform(25), Measure.Uniform(31))
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1 * cloud.MagnitudeBound)),
            };
            var options = new SinkhornOptions
            {
                Precision = precision,
                Tolerance = precision == Precision.TensorFloat32 ? 1e-2 : 1e-6,
            };
            TransportResult here = new Sinkhorn(options, backend).Solve(problem),
                there = new Sinkhorn(new() { Tolerance = 1e-9 }).Solve(problem);
            Assert.True(here.Converged, here.Message);
            Assert.Contains(what, here.Backend, StringComparison.Ordinal);
            Assert.Equal(there.Value, here.Value, 10 * options.Tolerance * cloud.MagnitudeBound);
        });

    [Fact]
    public void Laws_at_borders_of_tiles() =>
        Check(backend =>
        {
            var laws = new BackendLaws(backend, Precision.Float64);
            laws.WildGuesses("points2");
            laws.OutOfRange();
            laws.Repeats("points3", 70, 90);
            laws.Repeats("doubles", 70, 90);
            laws.Cancellation("points2");
        });

    [Fact]
    public void ByteCeilingHonoured()
    {
        PointCloud cloud = Cloud(40);
        using (var backend = new CudaBackend(FakeCuda.Driver()))
        {
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                long estimate = backend.EstimateBytes(cloud, precision);
                using var small = new CudaBackend(FakeCuda.Driver(), memoryLimit: estimate - 1);
                Assert.Throws<BackendException>(() => small.Bind(cloud, precision).Dispose());
                using ICostOperator op = backend.Bind(cloud, precision);
                _ = op.TransportCost(
                    new GibbsPlan
                    {
                        F = new double[70],
                        G = new double[130],
                        LogA = new double[70],
                        LogB = new double[130],
                        Epsilon = 100,
                    },
                    new double[70],
                    new double[130]
                );
                op.SoftMinRows(new double[130], new double[130], 1e-9, new double[70]);
                op.SoftMinRows(new double[130], new double[130], 100, new double[70]);
                Assert.InRange(backend.AllocatedBytes, 1, estimate);
            }
        }
        FakeCuda.AssertNothingIsLeft();
    }

    /// <summary>A failure at any allocation or copy of a bind gives everything back.</summary>
    [Theory]
    [InlineData("cuMemAlloc_v2", FakeCuda.OutOfMemory)]
    [InlineData("cuMemcpyHtoDAsync_v2", FakeCuda.LaunchFailed)]
    [InlineData("cuModuleLoadDataEx", FakeCuda.InvalidPtx)]
    public void A_bind_that_fails_leaks_nothing(string function, int status)
    {
        for (int after = 0; after < 40; after += 7)
        {
            using (var backend = new CudaBackend(FakeCuda.Driver()))
            {
                FakeCuda.Fail(function, status, after);
                try
                {
                    _ = SoftMin(backend, Cloud(32), Precision.Float32, 10, out _);
                    FakeCuda.Fail(function, status, int.MaxValue); // fewer calls than that were made
                }
                catch (BackendException e)
                {
                    Assert.Equal(status, e.NativeCode);
                }
                Assert.Equal(0, backend.AllocatedBytes);
            }
            FakeCuda.AssertNothingIsLeft();
        }
    }

    [Fact]
    public void A_batch_is_iterated_as_its_problems_alone()
    {
        using (CudaDevice device = FakeCuda.Device())
            GpuBatchTests.IterateAsAlone(device, "penalised");
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void Slices_are_sorted()
    {
        using (CudaDevice device = FakeCuda.Device())
            SlicedOnDeviceTests.SortsStably(device, 1025);
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void The_study_runs_and_says_where_there_is_no_device()
    {
        string folder = Directory.CreateTempSubdirectory("ot-gpu-study-").FullName;
        try
        {
            using var output = new StringWriter();
            var study = new GpuStudy(() => new CudaBackend(FakeCuda.Driver()));
            Assert.True(study.Run(isShort: true, folder, output), output.ToString());
            Assert.Contains(
                "tensor cores, TensorFloat32",
                File.ReadAllText(Path.Combine(folder, "gpu.md")),
                StringComparison.Ordinal
            );
            FakeCuda.AssertNothingIsLeft();

            using var none = new StringWriter();
            Assert.False(new GpuStudy(() => new CudaBackend(FakeCuda.Driver(devices: 0))).Run(isShort: true, folder, none));
            Assert.Contains("no CUDA-capable device is detected", none.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
