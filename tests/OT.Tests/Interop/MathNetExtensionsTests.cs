using MathNet.Numerics.LinearAlgebra;
using OT.Interop;
using Xunit;
using Matrix = OT.Numerics.Matrix;

namespace OT.Tests.Interop;

public sealed class MathNetExtensionsTests
{
    [Fact]
    public void Round_trip_keeps_rows_and_columns()
    {
        var matrix = new Matrix(2, 3, [1, 2, 3, 4, 5, 6]);
        Matrix<double> theirs = matrix.ToMathNet();
        Assert.Equal((2, 3), (theirs.RowCount, theirs.ColumnCount));
        Assert.Equal(6, theirs[1, 2]);
        Assert.Equal(4, theirs[1, 0]);
        Assert.Equal(matrix.Values.ToArray(), theirs.ToMatrix().Values.ToArray());
    }

    [Fact]
    public void Sparse_storage_comes_over_dense()
    {
        Matrix<double> sparse = Matrix<double>.Build.Sparse(2, 2);
        sparse[0, 1] = 7;
        Assert.Equal([0.0, 7, 0, 0], sparse.ToMatrix().Values.ToArray());
    }

    [Fact]
    public void The_copy_is_independent()
    {
        var matrix = new Matrix(1, 1, [1]);
        Matrix<double> theirs = matrix.ToMathNet();
        theirs[0, 0] = 2;
        Assert.Equal(1, matrix[0, 0]);
    }

    [Fact]
    public void Empty_matrices_have_no_counterpart() => Assert.Throws<ArgumentException>(() => new Matrix(0, 2).ToMathNet());
}
