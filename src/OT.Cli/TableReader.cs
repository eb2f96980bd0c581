using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using OT.Accelerators.Mpi;
using OT.IO;

namespace OT.Cli;

/// <summary>Opens what the command line names: text, .npy, .npz or .npz:member, or <c>-</c> for standard input.</summary>
/// <remarks>Several processes read a text or .npy file together: each the lines or rows of its own part of the bytes, which are then gathered.</remarks>
sealed class TableReader(Func<Stream> standardInput, CancellationToken cancellation, MpiCommunicator? ranks = null)
{
    const string ArchiveMember = ".npz:";
    bool _inputTaken;

    /// <summary>The processes that read together; null for one by itself.</summary>
    public MpiCommunicator? Ranks => ranks;

    public Table Read(string path) => ranks is null ? ReadHere(path) : Gathered(path, ReadOwn(path));

    /// <summary>This process's rows, null for none, and the shape of the whole; all rows for a process by itself.</summary>
    public (Table? Own, int Rows, int Columns) ReadPart(string path, Action<Table> check)
    {
        Table? own = ranks is null ? ReadHere(path) : ReadOwn(path);
        string? failure = null;
        try
        {
            if (own is not null)
                check(own);
        }
        catch (InputException e) when (ranks is not null)
        {
            failure = e.Message;
        }
        if (ranks is null)
            return (own, own!.Rows, own.Columns);
        Settle(failure);
        long[] shapes = ranks.Gather<long>([own?.Rows ?? 0, own?.Columns ?? 0]);
        long rows = 0,
            columns = 0;
        for (int r = 0; r < shapes.Length; r += 2)
            (rows, columns) = (rows + shapes[r], Math.Max(columns, shapes[r + 1]));
        return (own, (int)rows, (int)columns);
    }

    /// <summary>This rank's rows of a file; null where there are none.</summary>
    Table? ReadOwn(string path)
    {
        Table? own = null;
        string? failure = null;
        long lines = 0,
            digest = 0;
        Kind kind = default;
        void Try(Action read)
        {
            try
            {
                read();
            }
            catch (Exception e)
                when (e
                        is InputException
                            or InvalidDataException
                            or IOException
                            or UnauthorizedAccessException
                            or ArgumentException
                )
            {
                failure = CommandLine.OneLine(e);
            }
            Settle(failure);
        }
        Try(() =>
        {
            if (path is "-")
                standardInput().Dispose(); // says why not
            kind = KindOf(path);
            digest = DigestOf(FileOf(path).File);
            if (kind == Kind.Text)
                lines = CsvReader.CountLines(path, ranks!.Rank, ranks.Size, cancellation);
        });
        long[] before = ranks!.Gather<long>([lines]),
            digests = ranks.Gather<long>([digest]);
        // Parts of different files would make a whole that nobody gave.
        if (Array.FindIndex(digests, other => other != digests[0]) is > 0 and var odd)
            throw new InputException($"{path}: is another file on rank {odd} than on rank 0: all must read the same one.");
        Try(() =>
        {
            if (kind == Kind.Text)
                own = CsvReader.ReadPart(path, ranks.Rank, ranks.Size, (int)before.Take(ranks.Rank).Sum(), cancellation);
            else if (kind == Kind.Array)
            {
                ImmutableArray<int> shape = NpyFile.ReadShape(path);
                (int start, int end) = shape.Length is 1 or 2 ? ranks.RowsOf(shape[0]) : (0, 0);
                own =
                    shape.Length is not (1 or 2) ? ReadHere(path)
                    : end == start ? null
                    : Table.Of(NpyFile.ReadRows(path, start, end - start), path);
            }
            else
            {
                Table whole = ReadHere(path);
                (int start, int end) = ranks.RowsOf(whole.Rows);
                own = end == start ? null : whole.Part(start, end);
            }
        });
        return own;
    }

    /// <summary>A digest of the length and of sixteen pieces of a file; small files are looked at whole.</summary>
    static long DigestOf(string path)
    {
        const int pieces = 16,
            pieceLength = 4096;
        using FileStream file = Open(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> bytes = stackalloc byte[pieceLength];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, file.Length);
        hash.AppendData(bytes[..sizeof(long)]);
        long last = Math.Max(file.Length - pieceLength, 0);
        for (int k = 0; k < pieces; k++)
        {
            file.Position = last * k / (pieces - 1);
            hash.AppendData(bytes[..file.ReadAtLeast(bytes, pieceLength, throwOnEndOfStream: false)]);
        }
        return BinaryPrimitives.ReadInt64LittleEndian(hash.GetHashAndReset());
    }

    Table Gathered(string path, Table? own)
    {
        bool single = own?.Singles is not null;
        string[]? header = HeaderOf(own);
        bool allSingle = ranks!.Gather<bool>([own is null || single]).All(yes => yes) && ranks.Any(single);
        int columns = ranks.Gather<int>([own?.Columns ?? 0]).Max();
        int[] lines = ranks.Gather<int>(own?.Lines ?? []);
        float[]? singles = allSingle ? ranks.Gather<float>(own?.Singles ?? []) : null;
        double[]? values = allSingle ? null : ranks.Gather<double>(own?.ToDoubles() ?? []);
        int rows = columns == 0 ? 0 : (singles?.Length ?? values!.Length) / columns;
        if (rows == 0)
            throw new InputException($"{path}: is empty: at least one row of numbers is wanted.");
        return Table.Of(path, header, rows, columns, values, singles, lines.Length == rows ? lines : null);
    }

    /// <summary>The header, which a rank without rows has not seen.</summary>
    string[]? HeaderOf(Table? own)
    {
        const char separator = '\n'; // no field has it
        char[] all = ranks!.Gather<char>(string.Join(separator, own?.Header ?? []), out long[] counts);
        int rank = Array.FindIndex(counts, count => count > 0);
        return rank < 0 ? null : new string(all, 0, (int)counts[rank]).Split(separator);
    }

    void Settle(string? failure)
    {
        if (ranks!.FirstFailure(failure) is { } first)
            throw new InputException(first);
    }

    enum Kind
    {
        Text,
        Array,
        Archive,
    }

    static Kind KindOf(string path)
    {
        if (FileOf(path).Member is not null)
            return Kind.Archive;
        using FileStream stream = Open(path);
        if (!stream.CanSeek)
            throw new InputException($"{path}: is a pipe: several processes read files.");
        Span<byte> start = stackalloc byte[NpyFile.Magic.Length];
        ReadOnlySpan<byte> got = start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        return got.StartsWith("PK"u8) || Path.GetExtension(path) is ".npz" ? Kind.Archive
            : got.SequenceEqual(NpyFile.Magic) || Path.GetExtension(path) is ".npy" ? Kind.Array
            : Kind.Text;
    }

    Table ReadHere(string path)
    {
        if (path is "-")
            return ReadInput();
        (string file, string? member) = FileOf(path);
        using FileStream opened = Open(file);
        using Stream stream = opened.CanSeek ? opened : Copied(opened);
        return ReadContent(stream, file, path, member);
    }

    /// <summary>The two halves of <c>file.npz:member</c>.</summary>
    static (string File, string? Member) FileOf(string path) =>
        path.LastIndexOf(ArchiveMember, StringComparison.Ordinal) is var at and > 0
            ? (path[..(at + ArchiveMember.Length - 1)], path[(at + ArchiveMember.Length)..])
            : (path, null);

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
