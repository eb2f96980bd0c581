using System.Globalization;
using System.Text.RegularExpressions;
using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.Cuda;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>The committed PTX, looked at without a GPU. After a change of kernels: <c>./build.sh --target=Ptx</c>, which runs these with <c>OT_PTX=write</c>.</summary>
public sealed partial class PtxTests
{
    const int SharedLimit = 48 << 10;

    public static TheoryData<string> Names => [.. PtxSource.Modules.Select(module => module.Name)];

    static GpuModule Module(string name) => PtxSource.Modules.Single(module => module.Name == name);

    [Theory]
    [MemberData(nameof(Names))]
    public void Ptx_was_made_from_the_present_sources(string name)
    {
        GpuModule module = Module(name);
        string file = PtxCompiler.FileOf(module);
        if (Environment.GetEnvironmentVariable("OT_PTX") == "write")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, PtxCompiler.Make(module));
        }
        Assert.True(File.Exists(file), $"{file} is missing: run ./build.sh --target=Ptx.");
        string text = File.ReadAllText(file).ReplaceLineEndings("\n");
        Assert.Contains($"// Module: {module.Name}\n", text, StringComparison.Ordinal);
        Assert.Contains($"{PtxSource.HashMark}{PtxSource.Hash(module)}\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Making_it_again_gives_the_same_text(string name)
    {
        string? version = PtxCompiler.Version();
        Assert.SkipWhen(version is null, "clang-19 is not installed.");
        string text = File.ReadAllText(PtxCompiler.FileOf(Module(name))).ReplaceLineEndings("\n");
        Assert.SkipUnless(
            text.Contains($"clang {version} ", StringComparison.Ordinal),
            $"the PTX was made by another clang than {version}."
        );
        Assert.Equal(text, PtxCompiler.Make(Module(name)));
    }

    /// <summary>What the driver is handed is the file, closed by a zero byte.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void The_assembly_carries_the_file(string name) =>
        Assert.Equal([.. File.ReadAllBytes(PtxCompiler.FileOf(Module(name))), 0], PtxSource.Read(Module(name)));

    /// <summary>Nothing is called that PTX has not got, and shared memory fits every device.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Kernels_stand_alone_and_fit_every_device(string name)
    {
        string text = File.ReadAllText(PtxCompiler.FileOf(Module(name)));
        Assert.Contains(".target sm_80", text, StringComparison.Ordinal);
        Assert.DoesNotContain(".extern", text, StringComparison.Ordinal);
        Assert.DoesNotContain("call.uni", text, StringComparison.Ordinal);
        // Sweeps over dot products keep all they hold in registers; those of other costs in doubles spill 128 bytes of costs.
        if (Module(name).Program is GpuProgram.Dot or GpuProgram.Tensor or GpuProgram.TensorHeads or GpuProgram.Vectors)
            Assert.DoesNotContain(".local", text, StringComparison.Ordinal);
        Assert.NotEmpty(Entry().Matches(text));
        string[] kernels = Entry().Split(text);
        foreach (string kernel in kernels[1..])
        {
            int shared = SharedArray()
                .Matches(kernel)
                .Sum(array => int.Parse(array.Groups["bytes"].Value, CultureInfo.InvariantCulture));
            Assert.InRange(shared, 0, SharedLimit);
            Assert.Contains(".maxntid", kernel, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex(@"\.visible \.entry \w+\(", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Entry();

    [GeneratedRegex(@"\.shared \.align \d+ \.b8 \w+\[(?<bytes>\d+)\]", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex SharedArray();
}
