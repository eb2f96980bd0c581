using OT.IO;

namespace OT.Cli;

/// <summary>Opens what the command line names: text, .npy, .npz or .npz:member, or <c>-</c> for standard input.</summary>
sealed class TableReader(Func<Stream> standardInput, CancellationToken cancellation)
{
    const string ArchiveMember = ".npz:";
    bool _inputTaken;

    public Table Read(string path)
    {
        if (path is "-")
            return ReadInput();
        string? member = null;
        string file = path;
        if (path.LastIndexOf(ArchiveMember, StringComparison.Ordinal) is var at and > 0)
        {
            file = path[..(at + ArchiveMember.Length - 1)];
            member = path[(at + ArchiveMember.Length)..];
        }
        using FileStream opened = Open(file);
        using Stream stream = opened.CanSeek ? opened : Copied(opened);
        return ReadContent(stream, file, path, member);
    }

    /// <summary>Opens a file for reading, with a message that names it as the user did.</summary>
    public static FileStream Open(string path)
    {
        if (Directory.Exists(path))
            throw new InputException($"{path}: is a directory: a file is wanted.");
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file.");
        return File.OpenRead(path);
    }

    Table ReadInput()
    {
        if (_inputTaken)
            throw new InputException("standard input ('-') can be read once only.");
        _inputTaken = true;
        using Stream input = standardInput();
        using MemoryStream copy = Copied(input);
        return ReadContent(copy, "standard input", "standard input", null);
    }

    /// <summary>What comes through a pipe, so that its first bytes can be looked at.</summary>
    static MemoryStream Copied(Stream pipe)
    {
        var copy = new MemoryStream();
        pipe.CopyTo(copy);
        copy.Position = 0;
        return copy;
    }

    /// <summary>The first bytes say what a file is; its extension is not asked.</summary>
    Table ReadContent(Stream stream, string file, string name, string? member)
    {
        Span<byte> start = stackalloc byte[NpyFile.Magic.Length];
        ReadOnlySpan<byte> got = start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        stream.Position = 0;
        if (got.StartsWith("PK"u8) || member is not null)
            return Table.Of(NpzFile.Read(stream, file, member), name);
        if (got.SequenceEqual(NpyFile.Magic) || Path.GetExtension(name) is ".npy")
            return Table.Of(NpyFile.Read(stream, name, stream.Length), name);
        if (Path.GetExtension(name) is ".npz")
            throw new InputException($"{name}: not a .npz archive.");
        return CsvReader.Read(stream, name, cancellation);
    }
}
