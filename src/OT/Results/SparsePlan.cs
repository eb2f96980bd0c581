using OT.Numerics;

namespace OT.Results;

/// <summary>A plan stored in compressed rows, as exact and sparse solvers return it. Never densified by the library.</summary>
public sealed class SparsePlan : TransportPlan
{
    /// <summary>Wraps a sparse matrix of masses, shared.</summary>
    /// <exception cref="ArgumentException">A mass is NaN or infinite.</exception>
    public SparsePlan(SparseMatrix values)
    {
        ArgumentNullException.ThrowIfNull(values);
        Guard.Finite(values.Values, nameof(values));
        Values = values;
    }

    /// <summary>The masses.</summary>
    public SparseMatrix Values { get; }

    /// <inheritdoc/>
    public override int Rows => Values.Rows;

    /// <inheritdoc/>
    public override int Columns => Values.Columns;

    /// <summary>Number of stored entries.</summary>
    public int NonZeros => Values.NonZeros;

    /// <inheritdoc/>
    public override void Row(int row, Span<double> masses)
    {
        masses[..Columns].Clear();
        ReadOnlySpan<int> columns = Values.RowColumns(row);
        ReadOnlySpan<double> values = Values.RowValues(row);
        for (int k = 0; k < columns.Length; k++)
            masses[columns[k]] = values[k];
    }

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<double> vector, Span<double> result)
    {
        Guard.Length(vector.Length, Columns, nameof(vector));
        Guard.Length(result.Length, Rows, nameof(result));
        for (int i = 0; i < Rows; i++)
        {
            ReadOnlySpan<int> columns = Values.RowColumns(i);
            ReadOnlySpan<double> values = Values.RowValues(i);
            double sum = 0;
            for (int k = 0; k < columns.Length; k++)
                sum += values[k] * vector[columns[k]];
            result[i] = sum;
        }
    }

    /// <inheritdoc/>
    public override void ApplyTranspose(ReadOnlySpan<double> vector, Span<double> result)
    {
        Guard.Length(vector.Length, Rows, nameof(vector));
        Guard.Length(result.Length, Columns, nameof(result));
        result.Clear();
        for (int i = 0; i < Rows; i++)
        {
            ReadOnlySpan<int> columns = Values.RowColumns(i);
            ReadOnlySpan<double> values = Values.RowValues(i);
            for (int k = 0; k < columns.Length; k++)
                result[columns[k]] += values[k] * vector[i];
        }
    }

    /// <inheritdoc/>
    public override (double[] Rows, double[] Columns) Marginals()
    {
        var rowSums = new double[Rows];
        var columnSums = new Compensated[Columns];
        for (int i = 0; i < Rows; i++)
        {
            ReadOnlySpan<int> columns = Values.RowColumns(i);
            ReadOnlySpan<double> values = Values.RowValues(i);
            rowSums[i] = Summation.Sum(values);
            for (int k = 0; k < columns.Length; k++)
                columnSums[columns[k]].Add(values[k]);
        }
        return (rowSums, Array.ConvertAll(columnSums, sum => sum.Value));
    }

    /// <inheritdoc/>
    public override Matrix ToDense() => Values.ToDense();

    /// <inheritdoc/>
    public override SparseMatrix ToSparse(double threshold = 0) =>
        threshold == 0 && Values.Values.IndexOfAnyInRange(double.MinValue, 0) < 0 ? Values : base.ToSparse(threshold);
}
