using System.Buffers;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>Some rows and columns of a geometry.</summary>
internal sealed class SelectedGeometry : Geometry
{
    readonly Geometry _whole;
    readonly int[] _rows;
    readonly int[] _columns;

    public SelectedGeometry(Geometry whole, int[] rows, int[] columns)
    {
        ArgumentOutOfRangeException.ThrowIfZero(rows.Length, nameof(rows));
        ArgumentOutOfRangeException.ThrowIfZero(columns.Length, nameof(columns));
        foreach (int row in rows)
            Guard.Index(row, whole.Rows, nameof(rows));
        foreach (int column in columns)
            Guard.Index(column, whole.Columns, nameof(columns));
        (_whole, _rows, _columns) = (whole, rows, columns);
    }

    public override int Rows => _rows.Length;

    public override int Columns => _columns.Length;

    public override bool HasForbiddenPairs => _whole.HasForbiddenPairs;

    public override double Cost(int row, int column) => _whole.Cost(_rows[row], _columns[column]);

    public override void CostRow(int row, Span<double> costs)
    {
        double[] rented = ArrayPool<double>.Shared.Rent(_whole.Columns);
        try
        {
            _whole.CostRow(_rows[row], rented.AsSpan(0, _whole.Columns));
            for (int j = 0; j < _columns.Length; j++)
                costs[j] = rented[_columns[j]];
        }
        finally
        {
            ArrayPool<double>.Shared.Return(rented);
        }
    }
}
