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

    [Fact]
    public void A_shape_must_hold_the_values() => Assert.Throws<ArgumentException>(() => new NpyArray([1.0, 2, 3], 2, 2));

    static NpyArray Read(string base64)
    {
        byte[] bytes = Convert.FromBase64String(base64);
        return NpyFile.Read(new MemoryStream(bytes), "x.npy", bytes.Length);
    }
}
