using OT.Numerics;

namespace OT.Geometries;

/// <summary>Costs of listed pairs only; every pair that is not listed is forbidden. Memory: O(listed pairs).</summary>
public sealed class SparseCost : Geometry
{
    /// <summary>Wraps a sparse matrix whose stored entries, explicit zeros included, are the allowed pairs.</summary>
    /// <exception cref="ArgumentException">A count is zero, or a cost is NaN or infinite.</exception>
    public SparseCost(SparseMatrix costs)
    {
        ArgumentNullException.ThrowIfNull(costs);
        ArgumentOutOfRangeException.ThrowIfZero(costs.Rows, nameof(costs));
        ArgumentOutOfRangeException.ThrowIfZero(costs.Columns, nameof(costs));
        Guard.Finite(costs.Values, nameof(costs));
        Costs = costs;
    }

    /// <summary>The listed costs.</summary>
    public SparseMatrix Costs { get; }

    /// <inheritdoc/>
    public override int Rows => Costs.Rows;

    /// <inheritdoc/>
    public override int Columns => Costs.Columns;

    /// <inheritdoc/>
    public override bool HasForbiddenPairs => Costs.NonZeros < (long)Rows * Columns;

    /// <inheritdoc/>
    public override double Cost(int row, int column)
    {
        Guard.Index(column, Columns);
        int at = Costs.RowColumns(row).BinarySearch(column);
        return at >= 0 ? Costs.RowValues(row)[at] : double.PositiveInfinity;
    }

    /// <inheritdoc/>
    public override void CostRow(int row, Span<double> costs)
    {
        costs[..Columns].Fill(double.PositiveInfinity);
        ReadOnlySpan<int> columns = Costs.RowColumns(row);
        ReadOnlySpan<double> values = Costs.RowValues(row);
        for (int k = 0; k < columns.Length; k++)
            costs[columns[k]] = values[k];
    }
}
