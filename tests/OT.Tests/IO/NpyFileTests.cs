using OT.IO;
using Xunit;

namespace OT.Tests.IO;

public sealed class NpyFileTests
{
    static readonly double[] s_table = [0, 1, 2, 3, 4, 250];

    [Theory]
    [MemberData(nameof(NumpyFiles.Tables), MemberType = typeof(NumpyFiles))]
    public void Reads_what_numpy_writes(string kind, string base64)
    {
        NpyArray array = Read(base64);
        Assert.Equal([2, 3], array.Shape);
        Assert.Equal(s_table, array.ToDoubles());
        Assert.Equal(
            kind.Contains("f4", StringComparison.Ordinal) || kind.Contains("f2", StringComparison.Ordinal),
            array.IsSingle
        );
    }

    [Fact]
    public void Reads_booleans_and_signed_bytes_and_text()
    {
        Assert.Equal([1.0, 0, 1], Read(NumpyFiles.Booleans).ToDoubles());
        Assert.Equal([-3.0, 7], Read(NumpyFiles.SignedBytes).ToDoubles());
        Assert.Equal("grün", Read(NumpyFiles.Text).Text);
    }

    [Fact]
    public void Fortran_order_of_three_axes_becomes_row_major()
    {
        NpyArray array = Read(NumpyFiles.ThreeAxes);
        Assert.Equal([2, 3, 4], array.Shape);
        Assert.Equal(Enumerable.Range(0, 24).Select(k => (double)k), array.ToDoubles());
    }

    [Fact]
    public void Writes_the_same_bytes_as_numpy()
    {
        string expected = (string)NumpyFiles.Tables.Single(row => row.Data.Item1 == "<f8 C").Data.Item2;
        using var stream = new MemoryStream();
        NpyFile.Write(stream, new NpyArray(s_table, 2, 3));
        Assert.Equal(expected, Convert.ToBase64String(stream.ToArray()));
    }

    [Fact]
    public void Round_trip_keeps_every_bit()
    {
        using var folder = new TemporaryFolder();
        double[] values = [double.Epsilon, -0.0, double.MaxValue, Math.PI, double.NaN, double.NegativeInfinity];
        NpyFile.Write(folder["x.npy"], values, 6);
        Assert.Equal(
            values.Select(BitConverter.DoubleToInt64Bits),
            NpyFile.Read(folder["x.npy"]).ToDoubles().Select(BitConverter.DoubleToInt64Bits)
        );
    }

    [Theory]
    [InlineData(NumpyFiles.Objects, "pickled")]
    [InlineData(NumpyFiles.Records, "records")]
    [InlineData(NumpyFiles.Complex, "<c16")]
    public void Other_kinds_are_refused_by_name(string base64, string word)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Read(base64));
        Assert.Contains("x.npy", e.Message, StringComparison.Ordinal);
        Assert.Contains(word, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        byte[] whole = Convert.FromBase64String((string)NumpyFiles.Tables.First().Data.Item2);
        for (int length = 0; length < whole.Length; length++)
        {
            using var cut = new MemoryStream(whole, 0, length);
            Assert.Throws<InvalidDataException>(() => NpyFile.Read(cut, "x.npy", length));
            cut.Position = 0;
            Assert.Throws<InvalidDataException>(() => NpyFile.Read(cut, "x.npy"));
        }
    }

    [Fact]
    public void A_changed_header_byte_gives_data_or_a_clear_error()
    {
        byte[] whole = Convert.FromBase64String((string)NumpyFiles.Tables.First().Data.Item2);
        int refused = 0;
        for (int at = 0; at < 128; at++)
        {
            foreach (byte value in (byte[])[0, (byte)'(', (byte)'\'', (byte)'9', 0xff])
            {
                var damaged = (byte[])whole.Clone();
                damaged[at] = value;
                try
                {
                    NpyFile.Read(new MemoryStream(damaged), "x.npy", damaged.Length);
                }
                catch (InvalidDataException e)
                {
                    refused++;
                    Assert.Contains("x.npy", e.Message, StringComparison.Ordinal);
                }
            }
        }
        Assert.InRange(refused, 100, 640);
    }

    [Fact]
    public void A_header_that_promises_more_than_the_file_holds_takes_no_memory()
    {
        using var stream = new MemoryStream();
        NpyFile.WriteHeader(stream, 46_340, 46_340);
        stream.Position = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => NpyFile.Read(stream, "x.npy", stream.Length));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Contains("cut short", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(NumpyFiles.Tables), MemberType = typeof(NumpyFiles))]
    public void Rows_are_those_of_the_whole(string kind, string base64)
    {
        Assert.NotEmpty(kind);
        CheckRows(base64);
    }

    [Fact]
    public void Rows_of_three_axes_in_fortran_order_are_those_of_the_whole() => CheckRows(NumpyFiles.ThreeAxes);

    [Fact]
    public void Rows_that_are_not_there_are_refused()
    {
        using var folder = new TemporaryFolder();
        NpyFile.Write(folder["x.npy"], s_table, 2, 3);
        foreach ((int start, int count) in ((int, int)[])[(-1, 1), (0, -1), (0, 3), (3, 0), (2, 1), (int.MaxValue, int.MaxValue)])
            Assert.Throws<ArgumentOutOfRangeException>(() => NpyFile.ReadRows(folder["x.npy"], start, count));
        NpyFile.Write(folder["one.npy"], [1.0]);
        Assert.Throws<InvalidDataException>(() => NpyFile.ReadRows(folder["one.npy"], 0, 1));
        byte[] whole = File.ReadAllBytes(folder["x.npy"]);
        File.WriteAllBytes(folder["cut.npy"], whole[..^1]);
        // Even where the rows asked for are all there: the file is not what its header says.
        Assert.Throws<InvalidDataException>(() => NpyFile.ReadRows(folder["cut.npy"], 0, 1));
    }

    [Fact]
    public void Rows_of_a_file_beyond_one_array_are_read_where_they_lie()
    {
        const int columns = 1 << 16;
        using var folder = new TemporaryFolder();
        using (FileStream stream = File.Create(folder["large.npy"]))
        {
            NpyFile.WriteHeader(stream, columns, columns);
            long body = stream.Position;
            long bytes = (long)columns * columns * sizeof(double);
            stream.SetLength(body + bytes); // a hole, not 32 GiB of disk
            stream.Position = body + bytes - (columns * sizeof(double));
            NpyFile.WriteValues(stream, [7.0]);
        }
        Assert.Equal([columns, columns], NpyFile.ReadShape(folder["large.npy"]));
        NpyArray last = NpyFile.ReadRows(folder["large.npy"], columns - 1, 1);
        Assert.Equal([1, columns], last.Shape);
        Assert.Equal(7.0, last.ToDoubles()[0]);
        Assert.Throws<InvalidDataException>(() => NpyFile.ReadRows(folder["large.npy"], 0, columns));
    }

    static void CheckRows(string base64)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["x.npy"], Convert.FromBase64String(base64));
        NpyArray whole = NpyFile.Read(folder["x.npy"]);
        Assert.Equal(whole.Shape, NpyFile.ReadShape(folder["x.npy"]));
        int rows = whole.Shape[0],
            width = whole.Count / rows;
        for (int start = 0; start <= rows; start++)
        {
            for (int count = 0; start + count <= rows; count++)
            {
                NpyArray part = NpyFile.ReadRows(folder["x.npy"], start, count);
                Assert.Equal([count, .. whole.Shape[1..]], part.Shape);
                Assert.Equal(whole.IsSingle, part.IsSingle);
                Assert.Equal(whole.ToDoubles()[(start * width)..((start + count) * width)], part.ToDoubles());
            }
        }
    }

    [Fact]
    public void A_shape_must_hold_the_values() => Assert.Throws<ArgumentException>(() => new NpyArray([1.0, 2, 3], 2, 2));

    static NpyArray Read(string base64)
    {
        byte[] bytes = Convert.FromBase64String(base64);
        return NpyFile.Read(new MemoryStream(bytes), "x.npy", bytes.Length);
    }
}
