using System.Buffers;
using System.Globalization;
using System.Text;

namespace OT.Cli;

/// <summary>Reads a table of numbers from text: fields separated by commas, tabs, semicolons or spaces, an optional header, <c>#</c> comments.</summary>
/// <remarks>
/// The first line that is neither empty nor a comment decides: the separator is the first of comma, tab, semicolon, space that occurs in it, and it is
/// a header when none of its fields is a number. Lines are parsed in place as UTF-8, one at a time, so memory is that of the numbers.
/// </remarks>
sealed class CsvReader
{
    readonly string _name;
    byte _separator;
    string[]? _header;
    int _columns;
    int _line;
    int _headerLine;
    double[] _values = new double[1024];
    int _count;
    readonly List<int> _lines = [];

    CsvReader(string name) => _name = name;

    /// <summary>Reads to the end of a stream.</summary>
    /// <param name="stream">UTF-8 text.</param>
    /// <param name="name">The file, for messages.</param>
    /// <param name="cancellation">Watched once per buffer.</param>
    public static Table Read(Stream stream, string name, CancellationToken cancellation = default)
    {
        var reader = new CsvReader(name);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        try
        {
            int held = 0;
            bool first = true;
            while (true)
            {
                cancellation.ThrowIfCancellationRequested();
                int got = stream.Read(buffer, held, buffer.Length - held);
                held += got;
                ReadOnlySpan<byte> rest = buffer.AsSpan(0, held);
                if (first && (held >= 3 || got == 0))
                {
                    first = false;
                    if (rest.StartsWith(Encoding.UTF8.Preamble))
                        rest = rest[Encoding.UTF8.Preamble.Length..];
                }
                for (int end = rest.IndexOf((byte)'\n'); end >= 0; end = rest.IndexOf((byte)'\n'))
                {
                    reader.Line(rest[..end]);
                    rest = rest[(end + 1)..];
                }
                if (got == 0)
                {
                    reader.Line(rest);
                    return reader.ToTable();
                }
                held = rest.Length;
                rest.CopyTo(buffer);
                if (held == buffer.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.CopyTo(larger, 0);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Lines that end in a part of a file: what the parts before must tell for this one to know its first line's number.</summary>
    public static long CountLines(string path, int part, int parts, CancellationToken cancellation)
    {
        using FileStream stream = TableReader.Open(path);
        (long start, long end) = Bytes(stream.Length, part, parts);
        stream.Position = start;
        var buffer = new byte[1 << 16];
        long lines = 0;
        while (stream.Position < end)
        {
            cancellation.ThrowIfCancellationRequested();
            int got = stream.Read(buffer, 0, (int)Math.Min(buffer.Length, end - stream.Position));
            if (got == 0)
                break;
            lines += buffer.AsSpan(0, got).Count((byte)'\n');
        }
        return lines;
    }

    /// <summary>The rows whose lines begin in a part of a file; null for none. Separator and header are those of the file's first lines.</summary>
    /// <param name="path">A file, not a pipe.</param>
    /// <param name="part">Which part of its bytes, from 0.</param>
    /// <param name="parts">How many parts there are.</param>
    /// <param name="linesBefore">Lines that end in the parts before.</param>
    /// <param name="cancellation">Watched once per buffer.</param>
    public static Table? ReadPart(string path, int part, int parts, int linesBefore, CancellationToken cancellation = default)
    {
        using FileStream stream = TableReader.Open(path);
        (long start, long end) = Bytes(stream.Length, part, parts);
        var reader = new CsvReader(path);
        // The file's head, which every part goes by; the row in it, if there is one, belongs to the part where it lies.
        using (var head = new LineSource(stream, 0))
        {
            while (reader._columns == 0 && head.TryNext(out ReadOnlySpan<byte> line, out _))
                reader.Line(line);
        }
        (reader._count, reader._line) = (0, linesBefore);
        reader._lines.Clear();
        using var lines = new LineSource(stream, start);
        if (start > 0 && lines.IsInsideLine() && lines.TryNext(out _, out _))
            reader._line++;
        int headerLine = reader._headerLine;
        while (lines.TryNext(out ReadOnlySpan<byte> line, out long at) && at < end)
        {
            cancellation.ThrowIfCancellationRequested();
            if (reader._line + 1 == headerLine)
                reader._line++;
            else
                reader.Line(line);
        }
        return reader._lines.Count == 0 ? null : reader.ToTable();
    }

    static (long Start, long End) Bytes(long length, int part, int parts) =>
        ((long)((Int128)length * part / parts), (long)((Int128)length * (part + 1) / parts));

    /// <summary>Lines of a file from a place on, and where each begins.</summary>
    sealed class LineSource(FileStream stream, long position) : IDisposable
    {
        byte[] _buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        int _from;
        int _to;
        long _position = position;

        /// <summary>Whether the place is within a line that began before it.</summary>
        public bool IsInsideLine()
        {
            stream.Position = _position - 1;
            return stream.ReadByte() != '\n';
        }

        public bool TryNext(out ReadOnlySpan<byte> line, out long start)
        {
            start = _position;
            int searched = 0;
            while (true)
            {
                int end = _buffer.AsSpan(_from + searched, _to - _from - searched).IndexOf((byte)'\n');
                if (end >= 0)
                {
                    line = Take(searched + end, 1);
                    break;
                }
                searched = _to - _from;
                if (!Fill())
                {
                    line = Take(searched, 0);
                    if (searched == 0)
                        return false;
                    break;
                }
            }
            if (start == 0 && line.StartsWith(Encoding.UTF8.Preamble))
                line = line[Encoding.UTF8.Preamble.Length..];
            return true;
        }

        ReadOnlySpan<byte> Take(int length, int ending)
        {
            ReadOnlySpan<byte> line = _buffer.AsSpan(_from, length);
            _from += length + ending;
            _position += length + ending;
            return line;
        }

        bool Fill()
        {
            _buffer.AsSpan(_from, _to - _from).CopyTo(_buffer);
            (_from, _to) = (0, _to - _from);
            if (_to == _buffer.Length)
            {
                byte[] larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
                _buffer.CopyTo(larger, 0);
                ArrayPool<byte>.Shared.Return(_buffer);
                _buffer = larger;
            }
            stream.Position = _position + _to;
            int got = stream.Read(_buffer, _to, _buffer.Length - _to);
            _to += got;
            return got > 0;
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
    }

    Table ToTable()
    {
        if (_lines.Count == 0)
            throw new InputException(
                $"{_name}: {(_header is null ? "is empty" : "holds a header alone")}: at least one row of numbers is wanted."
            );
        Array.Resize(ref _values, _count);
        return new Table(_name, _header, _columns, _values, [.. _lines]);
    }

    void Line(ReadOnlySpan<byte> line)
    {
        _line++;
        // A leading or trailing tab is an empty field where tabs separate.
        line = line.TrimEnd((byte)'\r');
        ReadOnlySpan<byte> content = line.Trim(" \t"u8);
        if (content.IsEmpty || content[0] == '#')
            return;
        if (_columns == 0)
        {
            _separator = Separator(content);
            string[] fields = Fields(line);
            _columns = fields.Length;
            if (Array.TrueForAll(fields, field => !TryNumber(Encoding.UTF8.GetBytes(field), out _)))
            {
                if (Array.TrueForAll(fields, LooksLikeNumber))
                    throw new InputException(
                        $"{_name}, line {_line}, column 1: '{Shown(Encoding.UTF8.GetBytes(fields[0]))}': every field must be a number."
                    );
                (_header, _headerLine) = (fields, _line);
                return;
            }
        }
        if (_separator is (byte)' ')
            line = content;
        int column = 0;
        while (true)
        {
            ReadOnlySpan<byte> field = NextField(ref line, out bool last);
            if (column < _columns)
                Add(field, column);
            column++;
            if (last)
                break;
        }
        if (column != _columns)
        {
            string expected = _header is null ? "the first row has" : "the header has";
            throw new InputException(
                $"{_name}, line {_line}: {column} fields where {expected} {_columns}: every row must have as many."
            );
        }
        _lines.Add(_line);
    }

    void Add(ReadOnlySpan<byte> field, int column)
    {
        if (!TryNumber(field, out double value))
        {
            string place = _header is null ? $"column {column + 1}" : $"column '{_header[column]}'";
            throw new InputException(
                field.IsEmpty
                    ? $"{_name}, line {_line}, {place}: is empty: every field must be a number."
                    : $"{_name}, line {_line}, {place}: '{Shown(field)}': every field must be a number."
            );
        }
        if (_count == _values.Length)
        {
            if (_count == Array.MaxLength)
                throw new InputException($"{_name}: more than {Array.MaxLength} numbers do not fit in one array.");
            Array.Resize(ref _values, (int)Math.Min(2L * _count, Array.MaxLength));
        }
        _values[_count++] = value;
    }

    /// <summary>A field as a message may show it: short, and on one line.</summary>
    static string Shown(ReadOnlySpan<byte> field)
    {
        const int longest = 40;
        string text = Encoding.UTF8.GetString(field.Length > longest ? field[..longest] : field);
        return string.Concat(text.Select(c => char.IsControl(c) ? '?' : c)) + (field.Length > longest ? "..." : "");
    }

    static byte Separator(ReadOnlySpan<byte> line)
    {
        foreach (byte candidate in ",\t; "u8)
        {
            if (line.Contains(candidate))
                return candidate;
        }
        return (byte)',';
    }

    string[] Fields(ReadOnlySpan<byte> line)
    {
        if (_separator is (byte)' ')
            line = line.Trim(" \t"u8);
        var fields = new List<string>();
        bool last = false;
        while (!last)
            fields.Add(Encoding.UTF8.GetString(NextField(ref line, out last)));
        return [.. fields];
    }

    /// <summary>Cuts one field off the line: trimmed, and without the quotes around it.</summary>
    ReadOnlySpan<byte> NextField(ref ReadOnlySpan<byte> line, out bool last)
    {
        ReadOnlySpan<byte> start = line.TrimStart((byte)' ');
        int from = 0;
        if (!start.IsEmpty && start[0] == '"' && start[1..].IndexOf((byte)'"') is var quote and >= 0)
            from = line.Length - start.Length + quote + 2;
        int end = line[from..].IndexOf(_separator);
        last = end < 0;
        ReadOnlySpan<byte> field = last ? line : line[..(from + end)];
        if (!last)
        {
            line = line[(from + end + 1)..];
            if (_separator is (byte)' ')
                line = line.TrimStart(" \t"u8);
        }
        field = field.Trim(" \t"u8);
        return field.Length >= 2 && field[0] == '"' && field[^1] == '"' ? field[1..^1] : field;
    }

    /// <summary>Text that somebody meant as a number: hexadecimal, with a typographic minus, in another notation.</summary>
    static bool LooksLikeNumber(string field) =>
        field.TrimStart('+', '-', '\u2212', '.') is [var first, ..] rest
        && char.IsDigit(first)
        && (rest.Length < field.Length || !rest.Any(c => char.IsLetter(c) && !"xXeEdDfF".Contains(c, StringComparison.Ordinal)));

    static bool TryNumber(ReadOnlySpan<byte> field, out double value)
    {
        // Infinity is written, never the result of too many digits.
        if (double.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out value))
            return double.IsFinite(value) || !field.ContainsAnyInRange((byte)'0', (byte)'9');
        ReadOnlySpan<byte> word = field.TrimStart("+-"u8);
        value = field.StartsWith("-"u8) ? double.NegativeInfinity : double.PositiveInfinity;
        return word.Length == 3 && Ascii.EqualsIgnoreCase(word, "inf"u8);
    }
}
