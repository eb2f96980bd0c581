using System.Collections.Immutable;

namespace OT.Accelerators;

/// <summary>A native library by the name that imports use, the file names it goes by on this system, and the test it must pass once open.</summary>
/// <param name="Name">The name in <c>LibraryImport</c>.</param>
/// <param name="FileNames">File names, the first choice first.</param>
/// <param name="Reject">Given the open library, says why it cannot serve, or null when it can. A library that is turned down is closed.</param>
sealed record NativeLibraryName(string Name, ImmutableArray<string> FileNames, Func<nint, string?> Reject)
{
    /// <summary>Picks the file names of the system we run on.</summary>
    public static ImmutableArray<string> ForThisSystem(
        ImmutableArray<string> linux,
        ImmutableArray<string> windows,
        ImmutableArray<string> mac
    ) =>
        OperatingSystem.IsWindows() ? windows
        : OperatingSystem.IsMacOS() ? mac
        : linux;
}
