using System.Diagnostics;
using System.Globalization;
using System.Text;
using OT.Backends;
using OT.Numerics;
using OT.Results;

namespace OT.Pairwise;

/// <summary>A file that keeps each entry of a matrix as it is computed, so that a run that ended early can go on and parts can be joined.</summary>
/// <remarks>
/// Lines of text, appended and never changed: a header with a fingerprint of the inputs, what is asked and what it is computed with, then <c>row column value status error checksum</c> for each entry, in
/// digits that read back to the same bits. A last line that was not written whole is dropped; any other damage is refused. Each line reaches the operating system at once,
/// the disk every few seconds. Not thread-safe, and open to one writer at a time.
/// </remarks>
public sealed class PairwiseJournal : IDisposable
{
    const string Magic = "ot-pairwise-journal";
    const string Version = "2";
    const string HowAfter = " | ";
    const int LongestLine = 1 << 12;
    const StringComparison Ordinal = StringComparison.Ordinal;
    static readonly TimeSpan s_flushEvery = TimeSpan.FromSeconds(5);

    readonly FileStream _stream;
    readonly List<PairwiseEntry> _entries;
    long _flushed = Stopwatch.GetTimestamp();
    IOException? _failure;

    PairwiseJournal(FileStream stream, List<PairwiseEntry> entries) => (_stream, _entries) = (stream, entries);

    /// <summary>Begins a journal.</summary>
    /// <param name="path">A file that is not there yet.</param>
    /// <param name="problem">What is computed.</param>
    /// <param name="options">Tolerance and iterations, which the header holds where they change entries; defaults when left out.</param>
    /// <param name="backend">Where entropic pairs run, as given to <see cref="PairwiseDistances"/>: the header holds its name.</param>
    /// <exception cref="IOException">The file exists, or cannot be written.</exception>
    public static PairwiseJournal Create(
        string path,
        PairwiseProblem problem,
        PairwiseOptions? options = null,
        IBackend? backend = null
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        string header = Header.Of(problem, options ?? new(), backend).ToString();
        var journal = new PairwiseJournal(Open(path, FileMode.CreateNew), []);
        journal.Append(header);
        return journal;
    }

    /// <summary>Goes on with a journal, or begins one where there is none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="problem">What is computed: the journal's must be the same.</param>
    /// <param name="options">Tolerance and iterations, which must be the same where they change entries; defaults when left out.</param>
    /// <param name="backend">Where entropic pairs run, as given to <see cref="PairwiseDistances"/>: must be of the same name.</param>
    /// <exception cref="InvalidDataException">The file is not a journal, is damaged, or belongs to other inputs or options.</exception>
    /// <exception cref="IOException">The file cannot be read or written, or is being written by another run.</exception>
    public static PairwiseJournal Resume(
        string path,
        PairwiseProblem problem,
        PairwiseOptions? options = null,
        IBackend? backend = null
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        var header = Header.Of(problem, options ?? new(), backend);
        FileStream stream = Open(path, FileMode.OpenOrCreate);
        try
        {
            (Header? found, List<PairwiseEntry> entries, long end) = Read(stream, path);
            header.Check(found, path);
            stream.SetLength(end);
            stream.Position = end;
            var journal = new PairwiseJournal(stream, entries);
            if (found is null)
                journal.Append(header.ToString());
            return journal;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The entries of a journal of the same problem, which is left as it is: for one, that of another process or of a run that was divided otherwise.</summary>
    /// <inheritdoc cref="Resume" path="/param"/>
    /// <inheritdoc cref="Resume" path="/exception"/>
    public static IReadOnlyList<PairwiseEntry> Read(
        string path,
        PairwiseProblem problem,
        PairwiseOptions? options = null,
        IBackend? backend = null
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        using FileStream stream = File.OpenRead(path);
        (Header? found, List<PairwiseEntry> entries, _) = Read(stream, path);
        Header.Of(problem, options ?? new(), backend).Check(found, path);
        return entries;
    }

    /// <summary>Joins journals of the same problem, as those of its parts, into one result. Its status is <see cref="SolverStatus.Cancelled"/> where entries are missing.</summary>
    /// <param name="paths">One journal or more, finished or not.</param>
    /// <exception cref="InvalidDataException">A file is not a journal, is damaged, or belongs to another problem, or two files disagree on an entry.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static PairwiseResult Merge(params IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        ArgumentOutOfRangeException.ThrowIfZero(paths.Count, nameof(paths));
        Header? common = null;
        Entries? all = null;
        foreach (string path in paths)
        {
            using FileStream stream = File.OpenRead(path);
            (Header? header, List<PairwiseEntry> entries, _) = Read(stream, path);
            if (header is null)
                continue; // begun and not yet written to
            common ??= header;
            if (header != common)
                throw new InvalidDataException(
                    $"{path}: belongs to another problem: it was begun for {header}, {paths[0]} for {common}."
                );
            all ??= new Entries(header.Pairs);
            foreach (PairwiseEntry entry in entries)
            {
                if (all[entry.Row, entry.Column] is { } known && !known.Equals(entry))
                    throw new InvalidDataException(
                        FormattableString.Invariant(
                            $"{path}: entry ({entry.Row}, {entry.Column}) is {entry.Value:R} ({entry.Status}), another file has {known.Value:R} ({known.Status})."
                        )
                    );
                all.Take(entry);
            }
        }
        if (all is null)
            throw new InvalidDataException($"{paths[0]}: is empty: no journal was begun.");
        int missing = all.Count(null);
        return new PairwiseResult(all)
        {
            Status = missing > 0 ? SolverStatus.Cancelled : all.Gravest(1, 1),
            Iterations = 0,
            Message = missing > 0 ? $"{missing} of {all.Pairs.Count} entries are missing." : "",
        };
    }

    /// <summary>The entries in the file: those found when it was opened, and those added since.</summary>
    public IReadOnlyList<PairwiseEntry> Entries => _entries;

    /// <summary>Appends an entry; meant for <see cref="PairwiseOptions.Finished"/>.</summary>
    /// <exception cref="IOException">The file cannot be written, for one because the disk is full: entries before are kept, and <see cref="Resume"/> goes on from them.</exception>
    public void Add(PairwiseEntry entry)
    {
        Append(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{entry.Row} {entry.Column} {entry.Value:R} {entry.Status} {entry.Error:R}"
            )
        );
        _entries.Add(entry);
    }

    /// <summary>Closes the file, its last lines on the disk.</summary>
    public void Dispose()
    {
        if (_failure is null)
            _stream.Flush(flushToDisk: true);
        _stream.Dispose();
    }

    void Append(string line)
    {
        // A line behind one that was not written whole would make a torn end look like damage.
        if (_failure is not null)
            throw _failure;
        try
        {
            _stream.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{line} {Checksum(line):x8}\n")));
            if (Stopwatch.GetElapsedTime(_flushed) < s_flushEvery)
                return;
            _stream.Flush(flushToDisk: true);
            _flushed = Stopwatch.GetTimestamp();
        }
        catch (IOException e)
        {
            _failure = new IOException(
                $"{_stream.Name}: cannot be written: {e.Message} Its {_entries.Count} entries are kept: make room and resume.",
                e
            );
            throw _failure;
        }
    }

    // Unbuffered: a line goes to the operating system as it is written, and outlives this process.
    static FileStream Open(string path, FileMode mode) => new(path, mode, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);

    static uint Checksum(string line)
    {
        var print = new Fingerprint();
        print.Add(line);
        return (uint)print.Value;
    }

    /// <summary>Header (null in a file without a whole line), entries, and the byte behind the last whole line.</summary>
    static (Header? Header, List<PairwiseEntry> Entries, long End) Read(FileStream stream, string path)
    {
        Header? header = null;
        var entries = new List<PairwiseEntry>();
        long end = 0;
        int number = 0,
            firstBad = 0;
        foreach ((string line, long lineEnd) in Lines(stream, path))
        {
            number++;
            bool whole = TryUnseal(line, out string content) && lineEnd > 0;
            bool begun = lineEnd == 0 && (line.StartsWith(Magic, Ordinal) || Magic.StartsWith(line, Ordinal));
            if (number == 1 && !(whole ? line.StartsWith(Magic, Ordinal) : begun))
                throw new InvalidDataException($"{path}: is not a journal of distances.");
            if (!whole)
            {
                firstBad = firstBad == 0 ? number : firstBad;
                continue;
            }
            if (firstBad > 0)
                throw new InvalidDataException($"{path}: line {firstBad} is damaged, and whole ones follow it.");
            if (header is null)
                header = Header.Parse(content, path);
            else
                entries.Add(Entry(content, header.Pairs, $"{path}, line {number}"));
            end = lineEnd;
        }
        return (header, entries, end);
    }

    /// <summary>Lines and the byte behind each; 0 for a last one without its end.</summary>
    static IEnumerable<(string Line, long End)> Lines(FileStream stream, string path)
    {
        var line = new StringBuilder();
        var buffer = new byte[1 << 16];
        long at = 0;
        int got;
        while ((got = stream.Read(buffer)) > 0)
        {
            for (int k = 0; k < got; k++, at++)
            {
                if (buffer[k] != '\n')
                {
                    line.Append((char)buffer[k]);
                    continue;
                }
                yield return (line.ToString(), at + 1);
                line.Clear();
            }
            if (line.Length > LongestLine)
                throw new InvalidDataException($"{path}: is not a journal of distances.");
        }
        if (line.Length > 0)
            yield return (line.ToString(), 0);
    }

    /// <summary>Takes the checksum off a line; false where it does not fit.</summary>
    static bool TryUnseal(string line, out string content)
    {
        int at = line.LastIndexOf(' ');
        content = at < 0 ? "" : line[..at];
        return at >= 0
            && uint.TryParse(line.AsSpan(at + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint sum)
            && sum == Checksum(content);
    }

    static PairwiseEntry Entry(string line, PairList pairs, string place)
    {
        string[] fields = line.Split(' ');
        return
            fields.Length == 5
            && int.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out int row)
            && int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out int column)
            && double.TryParse(fields[2], NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && Enum.TryParse(fields[3], out SolverStatus status)
            && double.TryParse(fields[4], NumberStyles.Float, CultureInfo.InvariantCulture, out double error)
            && row < pairs.Rows
            && column < pairs.Columns
            && pairs.IndexOf(row, column) >= 0
            ? new(row, column, value, status, error)
            : throw new InvalidDataException($"{place}: is no entry of a {pairs.Rows} x {pairs.Columns} matrix: {line}");
    }

    /// <summary>The first line: which problem, the shape of its answer, and all else that changes an entry.</summary>
    sealed record Header(ulong Fingerprint, PairList Pairs, string Quantity, string How)
    {
        public static Header Of(PairwiseProblem problem, PairwiseOptions options, IBackend? backend) =>
            new(problem.Fingerprint(), problem.Pairs, problem.Quantity.ToString()!, HowOf(problem.Quantity, options, backend));

        /// <summary>What entries are computed with: versions, registers and back ends round differently, and entropic solves stop by their options.</summary>
        static string HowOf(PairwiseQuantity quantity, PairwiseOptions options, IBackend? backend) =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"version {typeof(PairwiseJournal).Assembly.GetName().Version}, registers of {Simd.Width} bits{(
                    quantity is EntropicQuantity
                        ? string.Create(CultureInfo.InvariantCulture, $", tolerance {options.Tolerance:R}, {options.MaxIterations} iterations, {(backend is null ? "no back end" : $"back end {backend.Name}")}")
                        : ""
                )}"
            );

        /// <summary>Throws where a journal was begun for anything else.</summary>
        public void Check(Header? found, string path)
        {
            if (found is null || found == this)
                return;
            string differs =
                found with { Fingerprint = Fingerprint } == this
                    ? "it was begun for other measures or costs"
                    : $"it was begun for {found}, asked for is {this}";
            throw new InvalidDataException(
                $"{path}: belongs to other inputs or options: {differs}. Ask for the same to go on from it, or delete it to start anew."
            );
        }

        public static Header Parse(string line, string path)
        {
            string[] fields = line.Split(' ', 8);
            if (fields.Length > 1 && fields[1] is not Version)
                throw new InvalidDataException(
                    $"{path}: was written by another version, {fields[1]}: this one reads {Version}. Delete it to start anew."
                );
            int how = fields.Length == 8 ? fields[7].IndexOf(HowAfter, Ordinal) : -1;
            return
                how >= 0
                && ulong.TryParse(fields[2], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong print)
                && int.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out int rows)
                && int.TryParse(fields[4], NumberStyles.None, CultureInfo.InvariantCulture, out int columns)
                ? new(
                    print,
                    new PairList(rows, columns, fields[5] is "1", fields[6] is "1"),
                    fields[7][..how],
                    fields[7][(how + HowAfter.Length)..]
                )
                : throw new InvalidDataException($"{path}: line 1 is no header: {line}");
        }

        public override string ToString() =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Magic} {PairwiseJournal.Version} {Fingerprint:x16} {Pairs.Rows} {Pairs.Columns} {(Pairs.IsSymmetric ? 1 : 0)} {(Pairs.HasZeroDiagonal ? 1 : 0)} {Quantity}{HowAfter}{How}"
            );
    }
}
