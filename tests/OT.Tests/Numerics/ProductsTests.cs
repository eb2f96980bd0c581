using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class ProductsTests
{
    [Fact]
    public void Products_equal_loops()
    {
        var random = new SeededRandom(5);
        Matrix Draw(int rows, int columns) =>
            new(rows, columns, [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextNormal())]);
        foreach ((int n, int k, int m) in ((int, int, int)[])[(1, 1, 1), (3, 1, 17), (5, 33, 16), (16, 7, 1), (19, 12, 40)])
        {
            Matrix a = Draw(n, k),
                b = Draw(k, m);
            double[] expected = new double[n * m];
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < m; j++)
                {
                    for (int l = 0; l < k; l++)
                        expected[(i * m) + j] = Math.FusedMultiplyAdd(a[i, l], b[l, j], expected[(i * m) + j]);
                }
            }
            foreach (
                Matrix product in (Matrix[])
                    [Products.Times(a, b), Products.TimesTransposed(a, b.Transpose()), Products.TransposedTimes(a.Transpose(), b)]
            )
            {
                Assert.Equal((n, m), (product.Rows, product.Columns));
                Assert.Equal(expected, product.Values.ToArray());
            }
        }
        Assert.Throws<ArgumentException>(() => Products.Times(Draw(2, 3), Draw(2, 3)));
    }
}
