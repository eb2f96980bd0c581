using System.Text;
using OT.Cli;
using Xunit;

namespace OT.Tests.Cli;

public sealed class CsvReaderTests
{
    [Theory]
    [InlineData("1,2\n3,4\n")]
    [InlineData("1,2\n3,4")]
    [InlineData("1,2\r\n3,4\r\n")]
    [InlineData("1\t2\n3\t4\n")]
    [InlineData("1;2\n3;4\n")]
    [InlineData("1 2\n3   4\n")]
    [InlineData("  1 2  \n3 4\n")]
    [InlineData("x,y\n1,2\n3,4\n")]
    [InlineData("\"x, the first\",\"y\"\n1,2\n3,4\n")]
    [InlineData("# a comment, with commas\n\n1,2\n# another\n3,4\n\n")]
    [InlineData("\uFEFF1,2\n3,4\n")]
    [InlineData(" 1 , 2 \n \"3\" ,4e0\n")]
    public void Every_spelling_of_one_table(string text)
    {
        Table table = Read(text);
        Assert.Equal((2, 2), (table.Rows, table.Columns));
        Assert.Equal([1.0, 2, 3, 4], table.ToDoubles());
    }

    [Fact]
    public void Header_names_columns_and_lines_are_counted_from_one()
    {
        Table table = Read("# c\n,age,\"the weight\"\n1,2,3\n\n4,5,6\n");
        Assert.Equal(["", "age", "the weight"], table.Header!);
        Assert.Equal("t.csv, line 5", table.Place(1));
    }

    [Fact]
    public void Numbers_read_back_to_the_same_double()
    {
        double[] values = [Math.PI, double.Epsilon, double.MaxValue, -1e-300, 0.1, 123456789012345678];
        Table table = Read(
            string.Join('\n', values.Select(value => value.ToString("R", System.Globalization.CultureInfo.InvariantCulture)))
        );
        Assert.Equal(values, table.ToDoubles());
    }

    [Fact]
    public void Infinities_and_nan_are_numbers_here_and_judged_by_their_use()
    {
        Table table = Read("inf,-Inf,nan,Infinity\n");
        Assert.Equal([double.PositiveInfinity, double.NegativeInfinity, double.NaN, double.PositiveInfinity], table.ToDoubles());
    }

    [Theory]
    [InlineData("1e999,1\n", "1e999")]
    [InlineData("\u22121,\u22122\n0,1\n", "\u22121")] // not a header, but numbers with a typographic minus
    [InlineData("0x10,0x11\n0,1\n", "0x10")]
    public void What_was_meant_as_a_number_and_is_none_is_refused(string text, string shown) =>
        Assert.Contains($"'{shown}'", Assert.Throws<InputException>(() => Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_line_longer_than_the_buffer_and_many_lines()
    {
        string line = string.Join(',', Enumerable.Range(0, 30_000));
        Table table = Read(string.Join('\n', Enumerable.Repeat(line, 20)));
        Assert.Equal((20, 30_000), (table.Rows, table.Columns));
        Assert.Equal(29_999, table[19, 29_999]);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("\n# only a comment\n", "is empty")]
    [InlineData("x,y\n", "header alone")]
    [InlineData("1,2\n3\n", "line 2: 1 fields")]
    [InlineData("1,2\n3,4,5\n", "line 2: 3 fields")]
    [InlineData("x,y\n1,2,3\n", "line 2: 3 fields where the header has 2")]
    [InlineData("1,2\n3,abc\n", "line 2, column 2: 'abc'")]
    [InlineData("x,y\n1,2\n3,abc\n", "line 3, column 'y': 'abc'")]
    [InlineData("1,2\n3,\n", "line 2, column 2: is empty")]
    [InlineData("1,b\n", "line 1, column 2: 'b'")]
    [InlineData("1,2\n3,1.2.3\n", "'1.2.3'")]
    public void What_is_no_table_is_refused_with_its_place(string text, string expected)
    {
        InputException e = Assert.Throws<InputException>(() => Read(text));
        Assert.StartsWith("t.csv", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Binary_content_leaves_one_short_line()
    {
        var bytes = new byte[5000];
        new Random(3).NextBytes(bytes);
        InputException e = Assert.Throws<InputException>(() =>
            CsvReader.Read(new MemoryStream([(byte)'1', (byte)'\n', .. bytes]), "t.csv")
        );
        Assert.InRange(e.Message.Length, 1, 200);
        Assert.DoesNotContain('\n', e.Message);
    }

    static Table Read(string text) => CsvReader.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), "t.csv");
}
