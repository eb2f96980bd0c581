using System.IO.Compression;

namespace OT.IO;

/// <summary>Reads and writes NumPy's .npz archives: zip files of named .npy arrays.</summary>
public static class NpzFile
{
    /// <summary>The names of the arrays, in the archive's order.</summary>
    /// <exception cref="InvalidDataException">The file is not a zip archive.</exception>
    public static IReadOnlyList<string> Members(string path)
    {
        using FileStream stream = File.OpenRead(path);
        using ZipArchive archive = Open(stream, path);
        return Members(archive);
    }

    /// <summary>Reads one array.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="member">The array's name, or null for the only one.</param>
    /// <exception cref="InvalidDataException">The archive is damaged, has no such member, or has several and none was named.</exception>
    public static NpyArray Read(string path, string? member = null)
    {
        using FileStream stream = File.OpenRead(path);
        return Read(stream, path, member);
    }

    /// <summary>Reads one array from a stream.</summary>
    /// <param name="stream">Left open; read into memory where it cannot seek.</param>
    /// <param name="name">What to call the stream in messages.</param>
    /// <param name="member">The array's name, or null for the only one.</param>
    /// <inheritdoc cref="Read(string, string?)"/>
    public static NpyArray Read(Stream stream, string name, string? member = null)
    {
        using ZipArchive archive = Open(stream, name);
        List<string> members = Members(archive);
        if (member is null)
        {
            if (members.Count != 1)
                throw new InvalidDataException(
                    $"{name}: holds {members.Count} arrays ({string.Join(", ", members)}): name one as {name}:MEMBER."
                );
            member = members[0];
        }
        ZipArchiveEntry entry =
            archive.GetEntry(member + Extension)
            ?? throw new InvalidDataException($"{name}: has no member '{member}': there are {string.Join(", ", members)}.");
        return ReadEntry(entry, $"{name}:{member}");
    }

    /// <summary>Reads every array.</summary>
    /// <exception cref="InvalidDataException">The archive or one of its arrays is damaged.</exception>
    public static IReadOnlyDictionary<string, NpyArray> ReadAll(string path)
    {
        using FileStream stream = File.OpenRead(path);
        using ZipArchive archive = Open(stream, path);
        var arrays = new Dictionary<string, NpyArray>(StringComparer.Ordinal);
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            if (entry.FullName.EndsWith(Extension, StringComparison.Ordinal))
                arrays[entry.FullName[..^Extension.Length]] = ReadEntry(entry, $"{path}:{entry.FullName}");
        }
        return arrays;
    }

    /// <summary>Writes an archive, uncompressed as <c>numpy.savez</c> does.</summary>
    /// <param name="path">Created, or replaced as a whole.</param>
    /// <param name="arrays">Names and arrays, in the order wanted.</param>
    public static void Write(string path, params ReadOnlySpan<(string Name, NpyArray Array)> arrays)
    {
        (string Name, NpyArray Array)[] members = arrays.ToArray();
        AtomicFile.Write(path, stream => Write(stream, members));
    }

    /// <summary>Writes an archive to a stream, left open.</summary>
    /// <inheritdoc cref="Write(string, ReadOnlySpan{ValueTuple{string, NpyArray}})"/>
    public static void Write(Stream stream, params ReadOnlySpan<(string Name, NpyArray Array)> arrays)
    {
        using var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
        foreach ((string name, NpyArray array) in arrays)
        {
            ZipArchiveEntry entry = archive.CreateEntry(name + Extension, CompressionLevel.NoCompression);
            using Stream body = entry.Open();
            NpyFile.Write(body, array);
        }
    }

    const string Extension = ".npy";

    static ZipArchive Open(Stream stream, string name)
    {
        try
        {
            return new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{name}: not a .npz archive, or cut short: {e.Message}", e);
        }
    }

    static List<string> Members(ZipArchive archive) =>
        [
            .. archive
                .Entries.Select(entry => entry.FullName)
                .Where(entry => entry.EndsWith(Extension, StringComparison.Ordinal))
                .Select(entry => entry[..^Extension.Length]),
        ];

    static NpyArray ReadEntry(ZipArchiveEntry entry, string name)
    {
        try
        {
            using var body = new CheckedStream(entry.Open());
            NpyArray array = NpyFile.Read(body, name, entry.Length);
            if (body.Checksum() != entry.Crc32)
                throw new InvalidDataException($"{name}: damaged: its checksum is wrong.");
            return array;
        }
        catch (InvalidDataException e) when (!e.Message.StartsWith(name, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{name}: damaged: {e.Message}", e);
        }
    }
}
