using System.Diagnostics;
using System.Runtime.CompilerServices;
using OT.Backends;
using Xunit;

namespace OT.Accelerators.Tests;

[Collection(NativePaths.Name)]
public sealed class BackendCatalogTests
{
    const string ChildVariable = "OT_TEST_CHILD";

    [Fact]
    public void Auto_is_managed_and_says_why_not_the_others()
    {
        using IBackend backend = BackendCatalog.Open("auto", threads: 1, memoryLimit: null, out string why);

        Assert.IsType<ManagedBackend>(backend);
        Assert.Equal(1, backend.Threads);
        Assert.All(BackendCatalog.Names, name => Assert.Contains(name, why, StringComparison.Ordinal));
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
        Assert.Contains(candidate.Reason, thrown.Message, StringComparison.Ordinal);
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
        var candidates = BackendCatalog.Describe();

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
