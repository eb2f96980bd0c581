using System.Globalization;

namespace OT.IO;

/// <summary>The header of a .npy file: a Python dictionary of three known entries.</summary>
sealed record NpyHeader(string Descr, bool FortranOrder, int[] Shape)
{
    /// <summary>NumPy's letter: f, i, u, b, U.</summary>
    public char Kind { get; init; }

    /// <summary>Bytes of one value.</summary>
    public int ItemSize { get; init; }

    public bool BigEndian { get; init; }

    /// <summary>Number of values; a header that promises more bytes than a long counts is damaged.</summary>
    public long Count { get; private init; }

    public static NpyHeader Parse(string text, string name)
    {
        try
        {
            string descr = Entry(text, "'descr'");
            if (descr is not ['\'', .., '\''])
                throw new InvalidDataException($"{name}: holds records ({descr}): a plain array of numbers is wanted.");
            descr = descr[1..^1];
            bool fortran = Entry(text, "'fortran_order'") switch
            {
                "True" => true,
                "False" => false,
                string other => throw new FormatException(other),
            };
            string shape = Entry(text, "'shape'");
            int[] lengths =
            [
                .. shape[1..^1]
                    .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                    .Select(part => int.Parse(part, NumberStyles.None, CultureInfo.InvariantCulture)),
            ];
            string type = descr.TrimStart('<', '>', '|', '=');
            if (type.StartsWith('O'))
                throw new InvalidDataException($"{name}: holds pickled Python objects: save numbers instead.");
            if (!int.TryParse(type.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out int size))
                throw new InvalidDataException(
                    $"{name}: holds values of type '{descr}': floats, integers and booleans can be read."
                );
            int itemSize = type[0] == 'U' ? checked(size * 4) : size;
            long bytes = itemSize,
                count = 1;
            foreach (int length in lengths)
                (bytes, count) = checked((bytes * length, count * length));
            return new NpyHeader(descr, fortran, lengths)
            {
                Kind = type[0],
                ItemSize = itemSize,
                Count = count,
                BigEndian = descr.StartsWith('>'),
            };
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException or IndexOutOfRangeException)
        {
            throw new InvalidDataException($"{name}: the .npy header is damaged: {text.Trim()}", e);
        }
    }

    /// <summary>The text of one entry, up to the comma that ends it.</summary>
    static string Entry(string text, string key)
    {
        int at = text.IndexOf(key, StringComparison.Ordinal);
        if (at < 0)
            throw new FormatException(key);
        at = text.IndexOf(':', at + key.Length) + 1;
        int depth = 0;
        for (int end = at; end < text.Length; end++)
        {
            char c = text[end];
            depth +=
                c is '(' or '[' ? 1
                : c is ')' or ']' ? -1
                : 0;
            if (depth == 0 && c is ',' or '}')
                return text[at..end].Trim();
        }
        throw new FormatException(key);
    }
}
