using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests;

[Collection(NativePaths.Name)]
public sealed class BackendCatalogTests
{
    const string ChildVariable = "OT_TEST_CHILD";

    [Fact]
    public void Auto_takes_kernels_in_cpp_where_they_are_and_says_why_not_the_others()
    {
        using var backend = (AutoBackend)BackendCatalog.Open("auto", threads: 1);
        Assert.Equal((1, ""), (backend.Threads, backend.Why));

        using ICostOperator bound = backend.Bind(SomeGeometry.Of("points2", 30, 40));

        bool found = BackendCatalog.Describe().Single(c => c.Name == "native").IsUsable;
        Assert.StartsWith(found ? "native" : "managed", bound.Description, StringComparison.Ordinal);
        using ICostOperator grid = backend.Bind(SomeGeometry.Of("grid", 30, 40));
        Assert.StartsWith("managed", grid.Description, StringComparison.Ordinal);
        string[] others = ["native", "blas", "opencl", "cuda"];
        Assert.All(others, name => Assert.Contains(name, backend.Why, StringComparison.Ordinal));
    }

    static PointCloud Cloud(int rows, int columns, int dimension)
    {
        var random = new SeededRandom(5);
        Matrix Points(int count) =>
            new(count, dimension, [.. Enumerable.Range(0, count * dimension).Select(_ => random.NextNormal())]);
        return new PointCloud(Points(rows), Points(columns));
    }

    /// <summary>Tables from 16 dimensions on; where none are kept, managed tiles are faster below 256.</summary>
    [Fact]
    public void Auto_takes_matrix_products_in_many_dimensions_where_there_is_a_blas()
    {
        using var backend = new AutoBackend(threads: 1);
        bool found = BackendCatalog.Describe().Single(c => c.Name == "blas").IsUsable;

        (string name, string why) = backend.Choose(Cloud(70, 90, 256));
        (string streams, string because) = backend.Choose(Cloud(70, 90, 255));
        Geometry table = backend.Prepare(Cloud(70, 90, 16));

        if (found)
            Assert.StartsWith("blas", name, StringComparison.Ordinal);
        Assert.Contains(found ? "many dimensions" : "no usable BLAS", why, StringComparison.Ordinal);
        Assert.DoesNotContain("blas", streams, StringComparison.Ordinal);
        Assert.Contains("256 dimensions", because, StringComparison.Ordinal);
        Assert.Equal(found, Assert.IsType<CostMatrix>(table).Form.Contains("blas", StringComparison.Ordinal));
        new BackendLaws(backend, Precision.Float64).Iterations("points40");
    }

    [Fact]
    public void Auto_passes_over_what_does_not_fit()
    {
        PointCloud squared = Cloud(500, 500, 40);
        var cloud = new PointCloud(squared.Source, squared.Target, GroundCost.Cosine);
        using var wide = new ManagedBackend(1);
        using var backend = new AutoBackend(1, wide.EstimateBytes(cloud, Precision.Float64));

        using ICostOperator bound = backend.Bind(cloud);

        Assert.DoesNotContain("blas", bound.Description, StringComparison.Ordinal);
        using var tight = new AutoBackend(1, memoryLimit: 1000);
        Assert.Throws<BackendException>(() => tight.Bind(cloud));
    }

    [Theory]
    [InlineData("opencl")]
    [InlineData("cuda")]
    public void GpuAskedGpuOrThrow(string name)
    {
        if (BackendCatalog.Describe().Single(c => c.Name == name).IsUsable)
        {
            using IBackend backend = BackendCatalog.Open(name);
            Assert.StartsWith(name, backend.Name, StringComparison.Ordinal);
            return;
        }
        var thrown = Assert.Throws<BackendException>(() => BackendCatalog.Open(name));

        Assert.Equal(name, thrown.Backend);
        BackendCandidate candidate = BackendCatalog.Describe().Single(c => c.Name == name);
        Assert.False(candidate.IsUsable);
        Assert.All(candidate.Attempts, attempt => Assert.Contains(attempt.ToString(), thrown.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void An_unknown_name_is_refused_with_the_choices()
    {
        var thrown = Assert.Throws<ArgumentException>(() => BackendCatalog.Open("gpu"));

        Assert.All(BackendCatalog.Names, name => Assert.Contains(name, thrown.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_candidate_says_what_was_tried()
    {
        ImmutableArray<BackendCandidate> candidates = BackendCatalog.Describe();

        Assert.Equal(BackendCatalog.Names, candidates.Select(c => c.Name));
        Assert.True(candidates[0].IsUsable);
        Assert.All(candidates, c => Assert.True(c.IsFound || !c.IsUsable));
        foreach (BackendCandidate candidate in candidates.Where(c => c.Name != "managed"))
        {
            Assert.NotEmpty(candidate.Attempts);
            Assert.Equal(candidate.IsFound, candidate.Attempts[^1].Failure is null);
            Assert.All(candidate.Attempts[..^1], attempt => Assert.NotNull(attempt.Failure));
        }
    }

    /// <summary>In a process of its own, since other tests here do load libraries.</summary>
    [Fact]
    public async Task NoDeviceTouchedAtLoad()
    {
        if (Environment.GetEnvironmentVariable(ChildVariable) is not null)
        {
            LoadEveryTypeAndOpenTheDefault();
            return;
        }
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet")
            start.ArgumentList.Add(typeof(BackendCatalogTests).Assembly.Location);
        start.ArgumentList.Add("--filter-method");
        start.ArgumentList.Add($"*.{nameof(NoDeviceTouchedAtLoad)}");
        start.Environment[ChildVariable] = "1";

        using Process child = Process.Start(start)!;
        Task<string> errors = child.StandardError.ReadToEndAsync();
        string output = await child.StandardOutput.ReadToEndAsync() + await errors;
        await child.WaitForExitAsync();

        Assert.True(child.ExitCode == 0, output);
    }

    static void LoadEveryTypeAndOpenTheDefault()
    {
        foreach (Type type in typeof(BackendCatalog).Assembly.GetTypes().Where(type => !type.ContainsGenericParameters))
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        BackendCatalog.Open().Dispose();

        using var self = Process.GetCurrentProcess();
        string[] loaded = [.. self.Modules.Cast<ProcessModule>().Select(module => Path.GetFileName(module.FileName))];
        Assert.NotEmpty(loaded);
        string[] accelerators = ["libot.", "mkl_rt", "openblas", "OpenCL", "libcuda", "nvcuda"];
        Assert.DoesNotContain(loaded, file => accelerators.Any(name => file.Contains(name, StringComparison.Ordinal)));
    }
}
