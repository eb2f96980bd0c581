using System.Numerics.Tensors;

namespace OT.Numerics;

/// <summary>A dense matrix of doubles, row-major: element (i, j) is <c>Values[i * Columns + j]</c>.</summary>
/// <remarks>The array given to the constructor is shared, not copied; it must not be written afterwards.</remarks>
public sealed class Matrix
{
    readonly double[] _values;

    /// <summary>Wraps a row-major array of length <c>rows × columns</c>, without a copy.</summary>
    /// <exception cref="ArgumentException">The length does not match, or a count is negative.</exception>
    public Matrix(int rows, int columns, double[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        Guard.Length(values.Length, Guard.ArrayLength(rows, columns, "a matrix"), nameof(values));
        (Rows, Columns, _values) = (rows, columns, values);
    }

    /// <summary>A matrix of zeros.</summary>
    public Matrix(int rows, int columns)
        : this(rows, columns, new double[Guard.ArrayLength(rows, columns, "a matrix")]) { }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of columns.</summary>
    public int Columns { get; }

    /// <summary>All values, row after row.</summary>
    public ReadOnlySpan<double> Values => _values;

    /// <summary>The element in row <paramref name="row"/> and column <paramref name="column"/>.</summary>
    public double this[int row, int column]
    {
        get
        {
            Guard.Index(row, Rows);
            Guard.Index(column, Columns);
            return _values[((long)row * Columns) + column];
        }
    }

    /// <summary>One row.</summary>
    public ReadOnlySpan<double> Row(int row)
    {
        Guard.Index(row, Rows);
        return _values.AsSpan(row * Columns, Columns);
    }

    /// <summary>Copies a two-dimensional array.</summary>
    public static Matrix From(double[,] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return From(new ReadOnlyTensorSpan<double>(values));
    }

    /// <summary>Copies a tensor span of rank 2; its strides are honoured.</summary>
    /// <exception cref="ArgumentException">The rank is not 2.</exception>
    public static Matrix From(ReadOnlyTensorSpan<double> values)
    {
        double[] copy = Flatten(values, out int rows, out int columns);
        return new Matrix(rows, columns, copy);
    }

    /// <summary>Copies a tensor span of floats of rank 2, widened; its strides are honoured.</summary>
    /// <exception cref="ArgumentException">The rank is not 2.</exception>
    public static Matrix From(ReadOnlyTensorSpan<float> values)
    {
        float[] copy = Flatten(values, out int rows, out int columns);
        var wide = new double[copy.Length];
        TensorPrimitives.ConvertTruncating<float, double>(copy, wide);
        return new Matrix(rows, columns, wide);
    }

    /// <summary>Copies a list of rows of equal length.</summary>
    /// <exception cref="ArgumentException">The rows differ in length.</exception>
    public static Matrix From(params ReadOnlySpan<double[]> rows)
    {
        int columns = rows.Length == 0 ? 0 : rows[0].Length;
        var matrix = new Matrix(rows.Length, columns);
        for (int i = 0; i < rows.Length; i++)
        {
            Guard.Length(rows[i].Length, columns, $"row {i}");
            rows[i].CopyTo(matrix._values.AsSpan(i * columns));
        }
        return matrix;
    }

    /// <summary>The transpose, a new matrix.</summary>
    public Matrix Transpose()
    {
        var result = new double[_values.Length];
        for (int i = 0; i < Rows; i++)
        {
            ReadOnlySpan<double> row = Row(i);
            for (int j = 0; j < row.Length; j++)
                result[((long)j * Rows) + i] = row[j];
        }
        return new Matrix(Columns, Rows, result);
    }

    /// <summary>The rows with the given indices, in that order: a new matrix.</summary>
    public Matrix SelectRows(ReadOnlySpan<int> rows)
    {
        var result = new Matrix(rows.Length, Columns);
        for (int i = 0; i < rows.Length; i++)
            Row(rows[i]).CopyTo(result._values.AsSpan(i * Columns));
        return result;
    }

    /// <summary>A copy as a two-dimensional array.</summary>
    public double[,] ToArray()
    {
        var result = new double[Rows, Columns];
        // By span: a byte count would overflow above 2³¹ bytes.
        if (_values.Length > 0)
            _values.CopyTo(System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref result[0, 0], _values.Length));
        return result;
    }

    internal static T[] Flatten<T>(ReadOnlyTensorSpan<T> values, out int rows, out int columns)
    {
        if (values.Rank != 2)
            throw new ArgumentException($"The tensor has rank {values.Rank}: it must have rank 2.", nameof(values));
        rows = checked((int)values.Lengths[0]);
        columns = checked((int)values.Lengths[1]);
        var copy = new T[Guard.ArrayLength(rows, columns, "a tensor")];
        values.FlattenTo(copy);
        return copy;
    }
}
