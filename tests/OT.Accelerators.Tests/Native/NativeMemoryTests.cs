using System.Runtime.CompilerServices;
using OT.Accelerators.Native;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Native;

/// <summary>What the native back end takes, gives back, refuses and hands over.</summary>
[Collection(NativePaths.Name)]
public sealed class NativeMemoryTests
{
    static readonly string[] Kinds = ["doubles", "floats", "points2", "points7"];

    /// <summary>Kernels allocate nothing (native/test/kernels_test.c); the pinned memory they see is the collector's, and nothing else holds a disposed operator.</summary>
    [Fact]
    public void NativeBytesReturnToZero()
    {
        NativeLibrary.Require();
        using var backend = new NativeBackend(1);
        foreach (string kind in Kinds)
        {
            WeakReference disposed = UseAndDispose(backend, SomeGeometry.Of(kind, 90, 80));
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            Assert.False(disposed.IsAlive, kind);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static WeakReference UseAndDispose(NativeBackend backend, Geometry geometry)
    {
        using ICostOperator op = backend.Bind(geometry);
        BackendLaws.Bits(op, geometry);
        return new WeakReference(op);
    }

    [Fact]
    public void ByteCeilingHonoured()
    {
        NativeLibrary.Require();
        const int n = 600,
            m = 3000;
        foreach (string kind in Kinds)
        {
            Geometry geometry = SomeGeometry.Of(kind, n, m);
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                using var open = new NativeBackend(1);
                long estimate = open.EstimateBytes(geometry, precision);
                using var tight = new NativeBackend(1, estimate - 1);
                var refusal = Assert.Throws<BackendException>(() => tight.Bind(geometry, precision));
                Assert.Contains($"{estimate:N0}", refusal.Message, StringComparison.Ordinal);
                using var enough = new NativeBackend(1, estimate);
                UseAll(enough, geometry, precision); // what is compiled or made lazily elsewhere
                long before = GC.GetAllocatedBytesForCurrentThread();
                UseAll(enough, geometry, precision);
                long taken = GC.GetAllocatedBytesForCurrentThread() - before;
                // Beside what is kept: copies of potentials and sums for one call each, and up to a page for each buffer that starts at a place of its own.
                long passing = 20 * sizeof(double) * (n + m);
                Assert.True(
                    taken <= (1.05 * estimate) + passing + (40 * 4096),
                    $"{kind}, {precision}: {taken:N0} bytes taken, {estimate:N0} estimated"
                );
            }
        }
    }

    static void UseAll(NativeBackend backend, Geometry geometry, Precision precision)
    {
        using ICostOperator op = backend.Bind(geometry, precision);
        BackendLaws.Bits(op, geometry);
    }

    [Fact]
    public void Iterations_allocate_nothing()
    {
        NativeLibrary.Require();
        using var backend = new NativeBackend(1);
        foreach (string kind in Kinds)
        {
            Geometry geometry = SomeGeometry.Of(kind, 90, 80);
            double[] a = SomeGeometry.Weights(new SeededRandom(1), 90),
                b = SomeGeometry.Weights(new SeededRandom(2), 80);
            var step = new SinkhornStep
            {
                Epsilon = 0.1,
                A = a,
                B = b,
                LogA = Array.ConvertAll(a, Math.Log),
                LogB = Array.ConvertAll(b, Math.Log),
            };
            using ICostOperator op = backend.Bind(geometry);
            double[] f = new double[90],
                g = new double[80];
            op.Iterate(2, step, f, g, out _);
            long before = GC.GetAllocatedBytesForCurrentThread();
            op.Iterate(5, step, f, g, out _);
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    [Theory]
    [InlineData("grid")]
    [InlineData("euclidean")]
    [InlineData("sparse")]
    [InlineData("own class")]
    public void What_has_no_kernel_is_managed_and_says_so(string kind)
    {
        NativeLibrary.Require();
        using var backend = new NativeBackend(2);
        using (ICostOperator op = backend.Bind(SomeGeometry.Of(kind, 20, 30)))
            Assert.StartsWith("managed", op.Description, StringComparison.Ordinal);
        new BackendLaws(backend, Precision.Float64).Iterations(kind);
    }

    [Theory]
    [InlineData("doubles", "stored costs, Float32")]
    [InlineData("points3", "points on the fly, Float32")]
    public void What_has_a_kernel_says_in_which_instruction_set_it_runs(string kind, string form)
    {
        NativeLibrary.Require();
        using var backend = new NativeBackend(2);
        using ICostOperator op = backend.Bind(SomeGeometry.Of(kind, 20, 30), Precision.Float32);

        Assert.Equal($"native-{LibOt.NameOf(LibOt.BestIsa)}", backend.Name);
        Assert.Equal($"{backend.Name}, {form}", op.Description);
    }

    [Fact]
    public void Arguments_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new NativeBackend(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NativeBackend(5000));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NativeBackend(1, -1));
        NativeLibrary.Require();
        using var backend = new NativeBackend(1);
        Assert.Throws<ArgumentNullException>(() => backend.Bind(null!));
        var absent = Enum.GetValues<LibOt.Isa>().First(isa => isa > LibOt.BestIsa || !NativeLibrary.Isas.Contains(isa));
        var thrown = Assert.Throws<BackendException>(() => new NativeBackend(1, null, absent));
        Assert.Contains("no such instruction set", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_its_library_the_message_lists_the_places_tried()
    {
        NativeLoader.Opened library = NativeLoader.Open(LibOt.Library);
        Assert.SkipWhen(library.Found, "libot is here.");
        var thrown = Assert.Throws<BackendException>(() => new NativeBackend());
        Assert.All(library.Attempts, attempt => Assert.Contains(attempt.ToString(), thrown.Message, StringComparison.Ordinal));
    }

    /// <summary>One solve over several strengths: the same answer as on the managed back end, up to the tolerance asked for.</summary>
    [Theory]
    [InlineData("doubles")]
    [InlineData("points2")]
    [InlineData("forbidden")]
    public void A_solve_agrees_with_the_managed_back_end(string kind)
    {
        NativeLibrary.Require();
        Geometry geometry = SomeGeometry.Of(kind, 120, 90);
        var problem = new LinearProblem(
            geometry,
            Measure.Of(SomeGeometry.Weights(new SeededRandom(1), 120, 9)),
            Measure.Of(SomeGeometry.Weights(new SeededRandom(2), 90, 9))
        )
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.01)),
        };
        var options = new SinkhornOptions { Tolerance = 1e-9 };
        using var managed = new ManagedBackend(1);
        using var native = new NativeBackend(2);
        var expected = new Sinkhorn(options, managed).Solve(problem);
        var found = new Sinkhorn(options, native).Solve(problem);

        Assert.True(found.Converged);
        // Values differ by less than the error of the marginals times the size of the potentials.
        Approx.Equal(expected.Value, found.Value, 10 * options.Tolerance * (1 + Approx.CostScale(geometry)), "value");
    }
}
