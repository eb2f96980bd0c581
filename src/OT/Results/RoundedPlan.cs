using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Results;

/// <summary>A plan moved to the given marginals without being stored: <c>P̂ = diag(x) P diag(y) + R ≥ 0</c>.</summary>
/// <remarks>
/// R is the product <c>e wᵀ</c> of what each row still has to ship and how the columns share it (Altschuler, Weed and Rigollet, NeurIPS 2017,
/// Algorithm 2), or a sparse matrix where the product would touch forbidden pairs. A row costs what a row of P costs, plus O(m). Memory O(n + m) beyond P.
/// </remarks>
public sealed class RoundedPlan : TransportPlan
{
    readonly TransportPlan _plan;
    readonly double[] _x;
    readonly double[] _y;
    readonly double[]? _rowTargets;
    readonly double[]? _rowRepair;
    readonly double[]? _columnShares;
    readonly SparseMatrix? _repair;

    RoundedPlan(
        TransportPlan plan,
        double[] x,
        double[] y,
        double[]? rowTargets,
        double[]? rowRepair,
        double[]? columnShares,
        SparseMatrix? repair
    )
    {
        (_plan, _x, _y) = (plan, x, y);
        (_rowTargets, _rowRepair, _columnShares, _repair) = (rowTargets, rowRepair, columnShares, repair);
    }

    /// <summary>Each row is topped up to its target, the difference shared among the columns in proportion to <paramref name="columnShares"/> (sum 1).</summary>
    internal static RoundedPlan ToppedUp(
        TransportPlan plan,
        double[] x,
        double[] y,
        double[] rowTargets,
        double[]? columnShares
    ) => new(plan, x, y, rowTargets, null, columnShares, null);

    /// <summary>A given product is added: <c>e_i w_j</c>.</summary>
    internal static RoundedPlan WithProduct(TransportPlan plan, double[] x, double[] y, double[] rows, double[]? columns) =>
        new(plan, x, y, null, rows, columns, null);

    /// <summary>A sparse matrix is added.</summary>
    internal static RoundedPlan WithSparse(TransportPlan plan, double[] x, double[] y, SparseMatrix? repair) =>
        new(plan, x, y, null, null, null, repair);

    /// <inheritdoc/>
    public override int Rows => _plan.Rows;

    /// <inheritdoc/>
    public override int Columns => _plan.Columns;

    /// <inheritdoc/>
    public override void Row(int row, Span<double> masses)
    {
        Guard.Index(row, Rows);
        masses = masses[..Columns];
        _plan.Row(row, masses);
        TensorPrimitives.Multiply(masses, _y, masses);
        TensorPrimitives.Multiply(masses, _x[row], masses);
        if (_columnShares is not null)
        {
            double amount = _rowTargets is null ? _rowRepair![row] : Math.Max(0, _rowTargets[row] - AccurateSum.Of(masses));
            if (amount > 0)
                TensorPrimitives.MultiplyAdd(_columnShares, amount, masses, masses);
        }
        if (_repair is not null)
        {
            ReadOnlySpan<int> columns = _repair.RowColumns(row);
            ReadOnlySpan<double> values = _repair.RowValues(row);
            for (int k = 0; k < columns.Length; k++)
                masses[columns[k]] = Math.Max(0, masses[columns[k]] + values[k]); // a repair may take mass back, to the last bit of it
        }
    }
}
