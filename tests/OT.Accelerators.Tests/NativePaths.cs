using System.Runtime.InteropServices;
using Xunit;

namespace OT.Accelerators.Tests;

/// <summary>Tests that set <c>OT_NATIVE_PATH</c> run one after the other.</summary>
[CollectionDefinition(Name)]
public static class NativePaths
{
    public const string Name = "OT_NATIVE_PATH";

    /// <summary>A native library that every machine with the runtime has: a part of the runtime itself.</summary>
    public static string SomeLibrary { get; } =
        new[] { "libSystem.Native.so", "libSystem.Native.dylib", "System.IO.Compression.Native.dll" }
            .Select(file => Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), file))
            .First(File.Exists);

    /// <summary>Sets the variable until disposed.</summary>
    internal sealed class Set : IDisposable
    {
        readonly string? _before = Environment.GetEnvironmentVariable(NativeLoader.PathVariable);

        public Set(params string[] places) =>
            Environment.SetEnvironmentVariable(NativeLoader.PathVariable, string.Join(Path.PathSeparator, places));

        public void Dispose() => Environment.SetEnvironmentVariable(NativeLoader.PathVariable, _before);
    }

    /// <summary>An empty folder, removed when disposed.</summary>
    internal sealed class Folder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("ot-loader-").FullName;

        public string File(string name) => System.IO.Path.Combine(Path, name);

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
