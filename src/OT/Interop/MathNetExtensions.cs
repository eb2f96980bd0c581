using OT.Numerics;

namespace OT.Interop;

/// <summary>Matrices to and from MathNet.Numerics.</summary>
public static class MathNetExtensions
{
    /// <summary>A copy as our row-major matrix, whatever storage MathNet uses.</summary>
    public static Matrix ToMatrix(this MathNet.Numerics.LinearAlgebra.Matrix<double> matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        return new Matrix(matrix.RowCount, matrix.ColumnCount, matrix.ToRowMajorArray());
    }

    /// <summary>A copy as a dense MathNet matrix.</summary>
    /// <exception cref="ArgumentException">The matrix has no row or no column, which MathNet cannot hold.</exception>
    public static MathNet.Numerics.LinearAlgebra.Matrix<double> ToMathNet(this Matrix matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        if (matrix.Rows == 0 || matrix.Columns == 0)
            throw new ArgumentException("An empty matrix has no MathNet counterpart.", nameof(matrix));
        // MathNet stores columns one after the other: our transpose in memory.
        return new MathNet.Numerics.LinearAlgebra.Double.DenseMatrix(
            matrix.Rows,
            matrix.Columns,
            matrix.Transpose().Values.ToArray()
        );
    }
}
