using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class RowPanelsTests
{
    [Fact]
    public void Products_have_the_bits_of_one_chain_of_fused_additions_at_every_width()
    {
        var random = new SeededRandom(3);
        double[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextNormal())];
        foreach (int n in (int[])[1, 15, 16, 17, 40])
        {
            foreach (int d in (int[])[1, 2, 7, 64])
            {
                var matrix = new Matrix(n, d, Draw(n * d));
                for (int count = 1; count <= 9; count++)
                {
                    double[] vectors = Draw(count * d);
                    foreach (int width in (int[])[0, 128, 256, 512])
                    {
                        if (width > Simd.Width)
                            continue;
                        var panels = new RowPanels(matrix, width);
                        var products = new double[count * panels.Stride];
                        panels.Multiply(vectors, products);
                        for (int v = 0; v < count; v++)
                        {
                            for (int i = 0; i < n; i++)
                            {
                                double expected = 0;
                                for (int k = 0; k < d; k++)
                                    expected = Math.FusedMultiplyAdd(matrix[i, k], vectors[(v * d) + k], expected);
                                Assert.Equal(expected, products[(v * panels.Stride) + i]);
                            }
                        }
                    }
                }
            }
        }
    }
}
