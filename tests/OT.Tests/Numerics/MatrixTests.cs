using System.Numerics.Tensors;
using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class MatrixTests
{
    static readonly double[,] Values =
    {
        { 1, 2, 3 },
        { 4, 5, 6 },
    };

    [Fact]
    public void Row_major_by_element_row_and_copy()
    {
        Matrix matrix = Matrix.From(Values);
        Assert.Equal((2, 3), (matrix.Rows, matrix.Columns));
        Assert.Equal(6, matrix[1, 2]);
        Assert.Equal([4.0, 5.0, 6.0], matrix.Row(1).ToArray());
        Assert.Equal([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], matrix.Values.ToArray());
        Assert.Equal(Values, matrix.ToArray());
        Assert.Equal(new double[0, 3], new Matrix(0, 3).ToArray());
    }

    [Fact]
    public void Constructor_shares_and_factories_copy()
    {
        double[] shared = [1, 2];
        var matrix = new Matrix(1, 2, shared);
        shared[1] = 7;
        Assert.Equal(7, matrix[0, 1]);
        double[,] copied =
        {
            { 1, 2 },
        };
        Matrix copy = Matrix.From(copied);
        copied[0, 0] = 9;
        Assert.Equal(1, copy[0, 0]);
    }

    [Fact]
    public void Transposed_and_selected()
    {
        Matrix matrix = Matrix.From(Values);
        Matrix transpose = matrix.Transpose();
        for (int i = 0; i < 2; i++)
        {
            for (int j = 0; j < 3; j++)
                Assert.Equal(matrix[i, j], transpose[j, i]);
        }
        Assert.Equal([4.0, 5.0, 6.0, 4.0, 5.0, 6.0, 1.0, 2.0, 3.0], matrix.SelectRows([1, 1, 0]).Values.ToArray());
    }

    [Fact]
    public void Strides_are_honoured()
    {
        double[] buffer = [1, 2, 99, 3, 4, 99];
        var padded = new ReadOnlyTensorSpan<double>(buffer, [2, 2], [3, 1]);
        Assert.Equal([1.0, 2.0, 3.0, 4.0], Matrix.From(padded).Values.ToArray());
        float[] columns = [1, 2, 3, 4, 5, 6];
        var transposed = new ReadOnlyTensorSpan<float>(columns, [3, 2], [1, 3]);
        Assert.Equal([1.0, 4.0, 2.0, 5.0, 3.0, 6.0], Matrix.From(transposed).Values.ToArray());
    }

    [Fact]
    public void LengthMismatchThrows()
    {
        Assert.Throws<ArgumentException>(() => new Matrix(2, 2, new double[3]));
        Assert.Throws<ArgumentException>(() => Matrix.From([1.0], [1.0, 2.0]));
        Assert.Throws<ArgumentException>(() => Matrix.From(new ReadOnlyTensorSpan<double>(new double[3])));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Matrix(-1, 2, []));
        Assert.ThrowsAny<ArgumentException>(() => Matrix.From(Values)[0, 3]);
        Assert.Contains(
            "PointCloud",
            Assert.Throws<ArgumentException>(() => new Matrix(70_000, 70_000)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(-1, 0)]
    [InlineData(0, 3)]
    public void Indices_out_of_range_are_named(int row, int column)
    {
        var matrix = new Matrix(2, 3, [1, 2, 3, 4, 5, 6]);
        var costs = new OT.Geometries.CostMatrix(2, 3, [1.0, 2, 3, 4, 5, 6]);
        string name = column == 3 ? "column" : "row";
        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => matrix[row, column]).ParamName);
        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => costs.Cost(row, column)).ParamName);
        if (name != "row")
            return;
        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => matrix.Row(row).Length).ParamName);
        Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => costs.CostRow(row, new double[3])).ParamName);
    }
}
