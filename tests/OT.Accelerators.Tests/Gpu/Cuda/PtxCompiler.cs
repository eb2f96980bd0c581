using System.Diagnostics;
using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.Cuda;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>Makes PTX of the kernels with clang 19, which needs no CUDA toolkit, and finds the files of it.</summary>
static class PtxCompiler
{
    const string Compiler = "clang-19";

    /// <summary>The folder <c>native/gpu</c>.</summary>
    public static string Kernels { get; } = Path.Combine(Root(), "native", "gpu");

    /// <summary>Where a module's PTX lies.</summary>
    public static string FileOf(GpuModule module) => Path.Combine(Kernels, "ptx", module.Name + ".ptx");

    /// <summary>The compiler's version, or null where there is none.</summary>
    public static string? Version()
    {
        try
        {
            (int status, string output, _) = Run(Compiler, "--version");
            return status == 0 ? VersionIn(output) : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>The text of a module's file: what it was made of, then PTX.</summary>
    public static string Make(GpuModule module)
    {
        (int status, string ptx, string errors) = Run(
            Compiler,
            [
                .. PtxSource.Flags.Split(' '),
                .. module.Defines.Replace("-D ", "-D", StringComparison.Ordinal).Split(' '),
                "-S",
                module.File,
                "-o",
                "-",
            ]
        );
        if (status != 0)
            throw new InvalidOperationException($"{module.Name}: {errors}");
        return $"""
            // Module: {module.Name}
            // File: {module.File}
            // Defines: {module.Defines}
            {PtxSource.HashMark}{PtxSource.Hash(module)}
            // Compiler: clang {Version()} {PtxSource.Flags}
            // Made by ./build.sh --target=Ptx; not to be edited.
            {ptx}
            """.ReplaceLineEndings("\n");
    }

    static string VersionIn(string text) => text.Split("version ", 2)[1].Split([' ', '\n', '+'], 2)[0];

    static (int Status, string Output, string Errors) Run(string file, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(file, arguments)
            {
                UseShellExecute = false,
                WorkingDirectory = Kernels,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }

    // Not by the path of this file: a deterministic build maps that away.
    static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "OT.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("There is no OT.sln above the tests.");
    }
}
