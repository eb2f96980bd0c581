using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Numerics;

public class SparseMatrixTests
{
    [Fact]
    public void Triples_in_any_order_and_repeated_are_added()
    {
        var matrix = SparseMatrix.FromTriples(3, 4, [2, 0, 2, 0, 2], [1, 3, 0, 0, 1], [5, 2, 4, 1, 0.5]);
        Assert.Equal([0L, 2L, 2L, 4L], matrix.RowStarts.ToArray());
        Assert.Equal([0, 3, 0, 1], matrix.ColumnIndices.ToArray());
        Assert.Equal([1, 2, 4, 5.5], matrix.Values.ToArray());
        Assert.Equal([0, 1], matrix.RowColumns(2).ToArray());
        Assert.Equal([4, 5.5], matrix.RowValues(2).ToArray());
        Assert.True(matrix.RowColumns(1).IsEmpty);
    }

    [Fact]
    public void Dense_and_transposed_agree_with_triples() =>
        Law.Check(
            Cases.Any(9),
            c =>
            {
                var random = new SeededRandom(c.Seed);
                int count = random.NextInt(30);
                int[] rows = [.. Enumerable.Range(0, count).Select(_ => random.NextInt(c.Rows))];
                int[] columns = [.. Enumerable.Range(0, count).Select(_ => random.NextInt(c.Columns))];
                double[] values = [.. Enumerable.Range(0, count).Select(_ => (double)random.NextInt(100))];
                var dense = new double[c.Rows, c.Columns];
                for (int k = 0; k < count; k++)
                    dense[rows[k], columns[k]] += values[k];
                var matrix = SparseMatrix.FromTriples(c.Rows, c.Columns, rows, columns, values);
                Assert.Equal(dense, matrix.ToDense().ToArray());
                Assert.Equal(matrix.ToDense().Transpose().ToArray(), matrix.Transpose().ToDense().ToArray());
                Assert.Equal(matrix.ColumnIndices.ToArray(), matrix.Transpose().Transpose().ColumnIndices.ToArray());
            }
        );

    [Fact]
    public void Arrays_that_describe_no_matrix_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new SparseMatrix(1, 2, [0, 1], [0, 1], [1]));
        Assert.Throws<ArgumentException>(() => new SparseMatrix(1, 2, [0, 3], [0, 1], [1, 1]));
        Assert.Throws<ArgumentException>(() => new SparseMatrix(2, 2, [0, 2, 1], [0], [1]));
        Assert.Contains(
            "column 2 of 2",
            Assert.Throws<ArgumentException>(() => new SparseMatrix(1, 2, [0, 1], [2], [1])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "do not increase",
            Assert.Throws<ArgumentException>(() => new SparseMatrix(1, 2, [0, 2], [1, 0], [1, 1])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "rowIndices[1]",
            Assert.ThrowsAny<ArgumentException>(() => SparseMatrix.FromTriples(2, 2, [0, 2], [0, 0], [1, 1])).Message,
            StringComparison.Ordinal
        );
        Assert.ThrowsAny<ArgumentException>(() => SparseMatrix.FromTriples(2, 2, [0], [0, 0], [1, 1]));
        // Starts far past the end must be an argument error, not an index out of range.
        Assert.Throws<ArgumentException>(() => new SparseMatrix(2, 2, [0, 9, 1], [0], [1]));
        Assert.Throws<ArgumentException>(() => new SparseMatrix(2, 2, [0, -1, 1], [0], [1]));
    }
}
