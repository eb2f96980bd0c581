using OT.Pairwise;
using Xunit;

namespace OT.Tests.Pairwise;

public class PairListTests
{
    [Theory]
    [InlineData(1, 1, true, true)]
    [InlineData(1, 1, true, false)]
    [InlineData(5, 5, true, true)]
    [InlineData(5, 5, true, false)]
    [InlineData(5, 5, false, true)]
    [InlineData(4, 7, false, false)]
    [InlineData(7, 1, false, false)]
    public void Numbers_and_places_are_inverse_to_each_other(int rows, int columns, bool symmetric, bool zeroDiagonal)
    {
        var pairs = new PairList(rows, columns, symmetric, zeroDiagonal);
        (int, int)[] expected =
        [
            .. from i in Enumerable.Range(0, rows)
            from j in Enumerable.Range(0, columns)
            where (!symmetric || i <= j) && (!zeroDiagonal || i != j)
            select (i, j),
        ];
        Assert.Equal(expected, Enumerable.Range(0, pairs.Count).Select(pairs.At));
        Assert.Equal(Enumerable.Range(0, pairs.Count), expected.Select(place => pairs.IndexOf(place.Item1, place.Item2)));
        for (int i = 0; i < rows && symmetric; i++)
        {
            for (int j = 0; j < i; j++)
                Assert.Equal(pairs.IndexOf(j, i), pairs.IndexOf(i, j));
        }
        Assert.True(!zeroDiagonal || pairs.IndexOf(0, 0) == -1);
    }

    [Fact]
    public void Lists_beyond_an_array_are_refused() =>
        Assert.Throws<ArgumentException>(() => new PairList(70_000, 70_000, true, true));
}
