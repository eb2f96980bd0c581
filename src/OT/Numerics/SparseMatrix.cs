namespace OT.Numerics;

/// <summary>A sparse matrix in compressed rows: row i holds entries <c>RowStarts[i] .. RowStarts[i+1]</c>.</summary>
/// <remarks>Columns are strictly increasing inside a row. Immutable; the arrays given are shared, not copied.</remarks>
public sealed class SparseMatrix
{
    readonly long[] _rowStarts;
    readonly int[] _columnIndices;
    readonly double[] _values;

    /// <summary>Wraps the three arrays of the compressed-row format.</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <param name="rowStarts">Length <c>rows + 1</c>, non-decreasing, from 0 to the number of entries.</param>
    /// <param name="columnIndices">Column of each entry, strictly increasing inside a row.</param>
    /// <param name="values">Value of each entry.</param>
    /// <exception cref="ArgumentException">The arrays do not describe such a matrix.</exception>
    public SparseMatrix(int rows, int columns, long[] rowStarts, int[] columnIndices, double[] values)
    {
        ArgumentNullException.ThrowIfNull(rowStarts);
        ArgumentNullException.ThrowIfNull(columnIndices);
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        if (rowStarts.Length != rows + 1L)
            throw new ArgumentException(
                $"rowStarts has length {rowStarts.Length}: it must have length {rows + 1L}.",
                nameof(rowStarts)
            );
        Guard.Length(columnIndices.Length, values.Length, nameof(columnIndices));
        if (rowStarts[0] != 0 || rowStarts[rows] != values.Length)
            throw new ArgumentException($"rowStarts must run from 0 to {values.Length}.", nameof(rowStarts));
        for (int i = 0; i < rows; i++)
        {
            if (rowStarts[i + 1] < rowStarts[i] || rowStarts[i + 1] > values.Length)
                throw new ArgumentException(
                    $"rowStarts decreases at row {i}, or passes the number of entries.",
                    nameof(rowStarts)
                );
            for (long k = rowStarts[i]; k < rowStarts[i + 1]; k++)
            {
                if ((uint)columnIndices[k] >= (uint)columns)
                    throw new ArgumentException($"Row {i} names column {columnIndices[k]} of {columns}.", nameof(columnIndices));
                if (k > rowStarts[i] && columnIndices[k] <= columnIndices[k - 1])
                    throw new ArgumentException($"Columns of row {i} do not increase strictly.", nameof(columnIndices));
            }
        }
        (Rows, Columns, _rowStarts, _columnIndices, _values) = (rows, columns, rowStarts, columnIndices, values);
    }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Number of columns.</summary>
    public int Columns { get; }

    /// <summary>Number of stored entries.</summary>
    public int NonZeros => _values.Length;

    /// <summary>Where each row's entries begin; length <c>Rows + 1</c>.</summary>
    public ReadOnlySpan<long> RowStarts => _rowStarts;

    /// <summary>Column of each entry.</summary>
    public ReadOnlySpan<int> ColumnIndices => _columnIndices;

    /// <summary>Value of each entry.</summary>
    public ReadOnlySpan<double> Values => _values;

    /// <summary>Columns of the entries of one row.</summary>
    public ReadOnlySpan<int> RowColumns(int row) => _columnIndices.AsSpan(Range(row));

    /// <summary>Values of the entries of one row.</summary>
    public ReadOnlySpan<double> RowValues(int row) => _values.AsSpan(Range(row));

    /// <summary>Builds a matrix from triples in any order; entries of the same place are added.</summary>
    /// <exception cref="ArgumentException">Lengths differ, or an index is out of range.</exception>
    public static SparseMatrix FromTriples(
        int rows,
        int columns,
        ReadOnlySpan<int> rowIndices,
        ReadOnlySpan<int> columnIndices,
        ReadOnlySpan<double> values
    )
    {
        Guard.Length(rowIndices.Length, values.Length, nameof(rowIndices));
        Guard.Length(columnIndices.Length, values.Length, nameof(columnIndices));
        var keys = new long[values.Length];
        for (int k = 0; k < keys.Length; k++)
        {
            Guard.Index(rowIndices[k], rows, $"rowIndices[{k}]");
            Guard.Index(columnIndices[k], columns, $"columnIndices[{k}]");
            keys[k] = ((long)rowIndices[k] * columns) + columnIndices[k];
        }
        double[] sorted = values.ToArray();
        // A stable order keeps the sum of repeated entries independent of the sort.
        var order = new int[keys.Length];
        for (int k = 0; k < order.Length; k++)
            order[k] = k;
        Array.Sort(order, (x, y) => keys[x] != keys[y] ? keys[x].CompareTo(keys[y]) : x.CompareTo(y));

        var starts = new long[rows + 1];
        var outColumns = new List<int>(keys.Length);
        var outValues = new List<double>(keys.Length);
        long previous = -1;
        foreach (int k in order)
        {
            if (keys[k] == previous)
            {
                outValues[^1] += sorted[k];
                continue;
            }
            previous = keys[k];
            starts[(keys[k] / columns) + 1]++;
            outColumns.Add((int)(keys[k] % columns));
            outValues.Add(sorted[k]);
        }
        for (int i = 0; i < rows; i++)
            starts[i + 1] += starts[i];
        return new SparseMatrix(rows, columns, starts, [.. outColumns], [.. outValues]);
    }

    /// <summary>The transpose, a new matrix. Cost: O(NonZeros + Rows + Columns).</summary>
    public SparseMatrix Transpose()
    {
        var starts = new long[Columns + 1];
        foreach (int j in _columnIndices)
            starts[j + 1]++;
        for (int j = 0; j < Columns; j++)
            starts[j + 1] += starts[j];
        var next = starts.AsSpan(0, Columns).ToArray();
        var indices = new int[NonZeros];
        var values = new double[NonZeros];
        for (int i = 0; i < Rows; i++)
        {
            for (long k = _rowStarts[i]; k < _rowStarts[i + 1]; k++)
            {
                long to = next[_columnIndices[k]]++;
                (indices[to], values[to]) = (i, _values[k]);
            }
        }
        return new SparseMatrix(Columns, Rows, starts, indices, values);
    }

    /// <summary>A dense copy.</summary>
    public Matrix ToDense()
    {
        var dense = new double[Guard.ArrayLength(Rows, Columns, "a dense matrix")];
        for (int i = 0; i < Rows; i++)
        {
            for (long k = _rowStarts[i]; k < _rowStarts[i + 1]; k++)
                dense[((long)i * Columns) + _columnIndices[k]] = _values[k];
        }
        return new Matrix(Rows, Columns, dense);
    }

    Range Range(int row)
    {
        Guard.Index(row, Rows);
        return (int)_rowStarts[row]..(int)_rowStarts[row + 1];
    }
}
