using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text;

namespace OT.IO;

/// <summary>Reads and writes single arrays in NumPy's .npy format.</summary>
/// <remarks>
/// Reads versions 1 to 3, either byte order, C and Fortran order, floats of 2, 4 and 8 bytes, every integer, booleans and single texts.
/// Writes version 1, little-endian, C order. A file that is not what it says is refused with an <see cref="InvalidDataException"/> that names it.
/// <see href="https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"/>
/// </remarks>
public static class NpyFile
{
    const int Alignment = 64;
    const int MaxHeader = 1 << 20;

    /// <summary>The six bytes that every .npy file begins with.</summary>
    public static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">The file is not a .npy file, is cut short, or holds another kind of value.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static NpyArray Read(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Read(stream, path, stream.CanSeek ? stream.Length : null);
    }

    /// <summary>The length of each axis, from the header alone: what to divide before <see cref="ReadRows"/>.</summary>
    /// <exception cref="InvalidDataException">The file is not a .npy file, or is cut short.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ImmutableArray<int> ReadShape(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return [.. ReadHeader(stream, path, stream.CanSeek ? stream.Length : null).Shape];
    }

    /// <summary>Reads some rows, the first axis cut and the others whole, and of the file only their bytes.</summary>
    /// <remarks>A file of more values than one array holds can be read so, piece by piece. Fortran order takes one read for each column, and the bytes of the rows twice.</remarks>
    /// <param name="path">A file of one axis or more.</param>
    /// <param name="start">The first row, from 0.</param>
    /// <param name="count">How many, 0 included; start + count is at most the length of the first axis.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rows are not in the file.</exception>
    /// <exception cref="InvalidDataException">The file is not a .npy file, is cut short, or holds no rows of numbers.</exception>
    /// <exception cref="IOException">The file cannot be read, or is a pipe.</exception>
    public static NpyArray ReadRows(string path, int start, int count)
    {
        using FileStream stream = File.OpenRead(path);
        if (!stream.CanSeek)
            throw new IOException($"{path}: is a pipe: rows are read from a file.");
        NpyHeader header = ReadHeader(stream, path, stream.Length);
        if (header.Shape.Length == 0)
            throw new InvalidDataException($"{path}: holds a single value: it has no rows.");
        int rows = header.Shape[0];
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (start > rows - count)
            throw new ArgumentOutOfRangeException(
                nameof(count),
                $"{path}: has {rows} rows: {start} + {count} are beyond its last."
            );
        long width = rows == 0 ? 0 : header.Count / rows;
        long values = width * count;
        if (values > Array.MaxLength || (header.FortranOrder && values * header.ItemSize > Array.MaxLength))
            throw new InvalidDataException(
                $"{path}: {count} rows of {width} values do not fit in one array: read fewer at once."
            );
        NpyHeader part = header with { Shape = [count, .. header.Shape[1..]] };
        long body = stream.Position;
        if (!header.FortranOrder)
        {
            stream.Position = body + (start * width * header.ItemSize);
            return Body(stream, part, (int)values, path);
        }
        var runs = new byte[values * header.ItemSize];
        int run = count * header.ItemSize;
        for (int k = 0; k < width; k++)
        {
            stream.Position = body + ((((long)k * rows) + start) * header.ItemSize);
            Fill(stream, runs.AsSpan(k * run, run), path);
        }
        return Body(new MemoryStream(runs), part, (int)values, path);
    }

    /// <summary>Reads an array from a stream.</summary>
    /// <param name="stream">Left open, just behind the array.</param>
    /// <param name="name">What to call the stream in messages.</param>
    /// <param name="length">Bytes from the array's first to the stream's last, where known: a header that promises more is refused before memory is taken.</param>
    /// <inheritdoc cref="Read(string)"/>
    public static NpyArray Read(Stream stream, string name, long? length = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        NpyHeader header = ReadHeader(stream, name, length);
        if (header.Count > Array.MaxLength)
            throw new InvalidDataException($"{name}: {header.Count} values do not fit in one array.");
        return Body(stream, header, (int)header.Count, name);
    }

    /// <summary>The header, and whether the file is as long as it promises; leaves the stream at the first value.</summary>
    static NpyHeader ReadHeader(Stream stream, string name, long? length)
    {
        var prefix = new byte[8];
        if (!TryFill(stream, prefix) || !prefix.AsSpan(0, 6).SequenceEqual(Magic))
            throw new InvalidDataException($"{name}: not a .npy file: it does not begin with \\x93NUMPY.");
        if (prefix[6] is < 1 or > 3)
            throw new InvalidDataException($"{name}: .npy version {prefix[6]}.{prefix[7]}: versions 1 to 3 can be read.");
        var size = new byte[prefix[6] == 1 ? 2 : 4];
        Fill(stream, size, name);
        uint headerLength =
            size.Length == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(size) : BinaryPrimitives.ReadUInt32LittleEndian(size);
        if (headerLength > MaxHeader)
            throw new InvalidDataException($"{name}: a header of {headerLength} bytes: the file is damaged.");
        var text = new byte[headerLength];
        Fill(stream, text, name);
        NpyHeader header = NpyHeader.Parse((prefix[6] == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(text), name);

        long bytes = header.Count * header.ItemSize;
        long? held = length - prefix.Length - size.Length - headerLength;
        if (held < bytes)
            throw new InvalidDataException($"{name}: cut short: {header.Count} values need {bytes} bytes, {held} are there.");
        return header;
    }

    /// <summary>Writes doubles.</summary>
    /// <param name="path">Created, or replaced.</param>
    /// <param name="values">Row-major values.</param>
    /// <param name="shape">Length of each axis.</param>
    /// <exception cref="ArgumentException">The shape does not hold as many values.</exception>
    public static void Write(string path, double[] values, params ReadOnlySpan<int> shape)
    {
        var array = new NpyArray(values, shape);
        using FileStream stream = File.Create(path);
        Write(stream, array);
    }

    /// <summary>Writes an array.</summary>
    public static void Write(Stream stream, NpyArray array)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(array);
        if (array.Text is not null)
        {
            byte[] text = Encoding.UTF32.GetBytes(array.Text);
            WriteHeader(stream, $"<U{text.Length / 4}", array.Shape.AsSpan());
            stream.Write(text);
        }
        else if (array.Singles is not null)
        {
            WriteHeader(stream, "<f4", array.Shape.AsSpan());
            WriteValues<float>(stream, array.Singles);
        }
        else if (array.Integers is not null)
        {
            WriteHeader(stream, "<i8", array.Shape.AsSpan());
            WriteValues<long>(stream, array.Integers);
        }
        else
        {
            WriteHeader(stream, "<f8", array.Shape.AsSpan());
            WriteValues<double>(stream, array.ToDoubles());
        }
    }

    /// <summary>Writes the header of a matrix of doubles; <see cref="WriteValues"/> then writes its rows, as many as announced.</summary>
    public static void WriteHeader(Stream stream, int rows, int columns) => WriteHeader(stream, "<f8", [rows, columns]);

    /// <summary>Writes doubles behind a header.</summary>
    public static void WriteValues(Stream stream, ReadOnlySpan<double> values) => WriteValues<double>(stream, values);

    static void WriteHeader(Stream stream, string descr, ReadOnlySpan<int> shape)
    {
        ArgumentNullException.ThrowIfNull(stream);
        string lengths = shape.Length switch
        {
            0 => "()",
            1 => $"({shape[0]},)",
            _ => $"({string.Join(", ", shape.ToArray())})",
        };
        string header = $"{{'descr': '{descr}', 'fortran_order': False, 'shape': {lengths}, }}";
        int unpadded = Magic.Length + 4 + header.Length + 1;
        header = header.PadRight(header.Length + ((Alignment - (unpadded % Alignment)) % Alignment)) + "\n";
        Span<byte> size = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(size, (ushort)header.Length);
        stream.Write(Magic);
        stream.Write([1, 0]);
        stream.Write(size);
        stream.Write(Encoding.Latin1.GetBytes(header));
    }

    static void WriteValues<T>(Stream stream, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (BitConverter.IsLittleEndian)
        {
            // In pieces: the bytes of a large array are more than one span can count.
            const int piece = 1 << 20;
            for (int start = 0; start < values.Length; start += piece)
                stream.Write(MemoryMarshal.AsBytes(values.Slice(start, Math.Min(piece, values.Length - start))));
            return;
        }
        throw new PlatformNotSupportedException(".npy files are written on little-endian machines.");
    }

    static NpyArray Body(Stream stream, NpyHeader header, int count, string name) =>
        (header.Kind, header.ItemSize) switch
        {
            ('f', 8) => new NpyArray(Values<double>(stream, header, count, name), header.Shape),
            ('f', 4) => new NpyArray(Values<float>(stream, header, count, name), header.Shape),
            ('f', 2) => new NpyArray(Convert<Half, float>(stream, header, count, name), header.Shape),
            ('i', 8) => new NpyArray(Values<long>(stream, header, count, name), header.Shape),
            ('i', 4) => new NpyArray(Convert<int, long>(stream, header, count, name), header.Shape),
            ('i', 2) => new NpyArray(Convert<short, long>(stream, header, count, name), header.Shape),
            ('i', 1) => new NpyArray(Convert<sbyte, long>(stream, header, count, name), header.Shape),
            ('u', 8) => new NpyArray(Convert<ulong, double>(stream, header, count, name), header.Shape),
            ('u', 4) => new NpyArray(Convert<uint, long>(stream, header, count, name), header.Shape),
            ('u', 2) => new NpyArray(Convert<ushort, long>(stream, header, count, name), header.Shape),
            ('u' or 'b', 1) => new NpyArray(Convert<byte, long>(stream, header, count, name), header.Shape),
            ('U' or 'S', _) when header.Shape.Length == 0 => new NpyArray(Text(stream, header, name)),
            _ => throw new InvalidDataException(
                $"{name}: holds values of type '{header.Descr}': floats, integers and booleans can be read."
            ),
        };

    static TTo[] Convert<TFrom, TTo>(Stream stream, NpyHeader header, int count, string name)
        where TFrom : unmanaged, INumberBase<TFrom>
        where TTo : unmanaged, INumberBase<TTo>
    {
        TFrom[] values = Values<TFrom>(stream, header, count, name);
        var converted = new TTo[count];
        TensorPrimitives.ConvertTruncating<TFrom, TTo>(values, converted);
        return converted;
    }

    static T[] Values<T>(Stream stream, NpyHeader header, int count, string name)
        where T : unmanaged
    {
        var values = new T[count];
        const int piece = 1 << 20;
        for (int start = 0; start < count; start += piece)
        {
            Span<byte> bytes = MemoryMarshal.AsBytes(values.AsSpan(start, Math.Min(piece, count - start)));
            Fill(stream, bytes, name);
            if (header.BigEndian == BitConverter.IsLittleEndian && header.ItemSize > 1)
            {
                for (int at = 0; at < bytes.Length; at += header.ItemSize)
                    bytes.Slice(at, header.ItemSize).Reverse();
            }
        }
        return header.FortranOrder && header.Shape.Length > 1 ? RowMajor(values, header.Shape) : values;
    }

    /// <summary>Reorders values stored first axis fastest to last axis fastest.</summary>
    static T[] RowMajor<T>(T[] values, int[] shape)
    {
        var result = new T[values.Length];
        var index = new int[shape.Length];
        var strides = new int[shape.Length];
        int stride = 1;
        for (int k = 0; k < shape.Length; k++)
            (strides[k], stride) = (stride, stride * shape[k]);
        int from = 0;
        for (int to = 0; to < result.Length; to++)
        {
            result[to] = values[from];
            for (int k = shape.Length - 1; k >= 0; k--)
            {
                from += strides[k];
                if (++index[k] < shape[k])
                    break;
                from -= strides[k] * shape[k];
                index[k] = 0;
            }
        }
        return result;
    }

    static string Text(Stream stream, NpyHeader header, string name)
    {
        var bytes = new byte[header.ItemSize];
        Fill(stream, bytes, name);
        Encoding encoding = header.Kind == 'S' ? Encoding.Latin1 : new UTF32Encoding(header.BigEndian, byteOrderMark: false);
        return encoding.GetString(bytes).TrimEnd('\0');
    }

    static bool TryFill(Stream stream, Span<byte> bytes) =>
        stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length;

    static void Fill(Stream stream, Span<byte> bytes, string name)
    {
        if (!TryFill(stream, bytes))
            throw new InvalidDataException($"{name}: cut short: the file ends before its last value.");
    }
}
