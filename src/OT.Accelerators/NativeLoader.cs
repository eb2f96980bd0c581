using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Reflection;
using System.Runtime.InteropServices;
using OT.Accelerators.Mpi;
using OT.Accelerators.Native;

namespace OT.Accelerators;

/// <summary>
/// Finds and opens native libraries: the one import resolver of this assembly. Places, in order: every folder or file in the variable
/// <c>OT_NATIVE_PATH</c>, the application's folder, its <c>runtimes/&lt;rid&gt;/native</c>, and the system's own search.
/// </summary>
/// <remarks>
/// Nothing is opened before it is asked for. A library that was opened stays open, so that every import binds to the same file;
/// one that was not found is looked for again at the next request, so a failure can be mended in the running process.
/// </remarks>
static class NativeLoader
{
    /// <summary>Folders or files to look in first, separated as in <c>PATH</c>.</summary>
    public const string PathVariable = "OT_NATIVE_PATH";

    static readonly Lock Gate = new();
    static readonly Dictionary<string, Opened> Libraries = new(StringComparer.Ordinal);

    static NativeLoader() => NativeLibrary.SetDllImportResolver(typeof(NativeLoader).Assembly, Resolve);

    /// <summary>An open library, or <c>Handle == 0</c>; and each place tried, the last one being the one that served.</summary>
    internal sealed record Opened(nint Handle, ImmutableArray<LoadAttempt> Attempts)
    {
        public bool Found => Handle != 0;
    }

    /// <summary>Such as <c>linux-x64</c>: the folder name under <c>runtimes</c>.</summary>
    public static string RuntimeIdentifier { get; } =
        $"{NativeLibraryName.ForThisSystem(["linux"], ["win"], ["osx"])[0]}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";

    /// <summary>Opens a library for good, or tells every place where it was not found and why.</summary>
    public static Opened Open(NativeLibraryName library)
    {
        lock (Gate)
        {
            if (Libraries.TryGetValue(library.Name, out Opened? open))
                return open;
            Opened result = Search(library);
            if (result.Found)
                Libraries.Add(library.Name, result);
            return result;
        }
    }

    static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        NativeLibraryName? library = Array.Find(
            [LibOt.Library, LibOtMpi.Library, SystemLibraries.OpenCl],
            own => string.Equals(own.Name, name, StringComparison.Ordinal)
        );
        if (library is null)
            return 0;
        Opened result = Open(library);
        return result.Found
            ? result.Handle
            : throw new DllNotFoundException($"'{name}' was not found. Tried: {string.Join("; ", result.Attempts)}.");
    }

    static Opened Search(NativeLibraryName library)
    {
        var attempts = ImmutableArray.CreateBuilder<LoadAttempt>();
        foreach (string path in Places(library.FileNames))
        {
            (nint handle, string? failure) = TryOpen(path, library.Reject);
            attempts.Add(new LoadAttempt(path, failure));
            if (handle != 0)
                return new Opened(handle, attempts.ToImmutable());
        }
        return new Opened(0, attempts.ToImmutable());
    }

    static IEnumerable<string> Places(ImmutableArray<string> fileNames)
    {
        string asked = Environment.GetEnvironmentVariable(PathVariable) ?? "";
        foreach (
            string place in asked.Split(
                Path.PathSeparator,
                StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries
            )
        )
        {
            string full = Path.GetFullPath(place);
            if (fileNames.Contains(Path.GetFileName(full), StringComparer.Ordinal))
                yield return full;
            else
            {
                foreach (string file in fileNames)
                    yield return Path.Combine(full, file);
            }
        }
        string application = AppContext.BaseDirectory;
        foreach (string folder in new[] { application, Path.Combine(application, "runtimes", RuntimeIdentifier, "native") })
        {
            foreach (string file in fileNames)
                yield return Path.Combine(folder, file);
        }
        foreach (string file in fileNames)
            yield return file;
    }

    static (nint Handle, string? Failure) TryOpen(string path, Func<nint, string?> reject)
    {
        if (Path.IsPathRooted(path) && !File.Exists(path))
            return (0, "no such file");
        if (OperatingSystem.IsLinux() && Path.IsPathRooted(path) && IsCutShort(path))
            return (0, "cut short: it ends before its own table of sections");
        nint handle;
        try
        {
            handle = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return (0, SystemsWords(e.Message));
        }
        if (reject(handle) is not { } reason)
            return (handle, null);
        NativeLibrary.Free(handle);
        return (0, reason);
    }

    /// <summary>Whether a file in the format of Linux is shorter than its header says: mapped all the same, it would end the process when read.</summary>
    static bool IsCutShort(string path)
    {
        const int header = 64;
        try
        {
            using FileStream file = File.OpenRead(path);
            Span<byte> start = stackalloc byte[header];
            if (
                file.ReadAtLeast(start, header, throwOnEndOfStream: false) < header
                || !start.StartsWith("\u007fELF\u0002\u0001"u8)
            )
                return false; // the system's loader says what is wrong
            long table = BinaryPrimitives.ReadInt64LittleEndian(start[0x28..]);
            int entry = BinaryPrimitives.ReadUInt16LittleEndian(start[0x3A..]),
                count = BinaryPrimitives.ReadUInt16LittleEndian(start[0x3C..]);
            return table > 0 && table + ((long)entry * count) > file.Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // likewise
        }
    }

    /// <summary>The runtime puts advice in the first line and what the system's loader said in those after it.</summary>
    static string SystemsWords(string message)
    {
        string[] lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return string.Join("; ", lines.Length > 1 ? lines[1..] : lines);
    }
}
