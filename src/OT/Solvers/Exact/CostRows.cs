using OT.Geometries;

namespace OT.Solvers.Exact;

/// <summary>Rows of a dense cost: read in place, tabulated up to a number of bytes, or evaluated when asked for. Not for two threads.</summary>
internal sealed class CostRows
{
    readonly Geometry _geometry;
    readonly double[]? _table;
    readonly double[] _row;
    int _inRow = -1;

    CostRows(Geometry geometry, double[]? table)
    {
        _geometry = geometry;
        _table = table;
        _row = table is null ? new double[geometry.Columns] : [];
    }

    /// <summary>Chooses how the rows are read; a stop while tabulating leaves the evaluated form.</summary>
    public static CostRows Of(Geometry geometry, long tableBytes, Watch watch)
    {
        if (geometry is CostMatrix { Doubles: { } stored })
            return new CostRows(geometry, stored);
        long pairs = (long)geometry.Rows * geometry.Columns;
        if (pairs > Array.MaxLength || pairs * sizeof(double) > tableBytes)
            return new CostRows(geometry, null);
        var table = new double[pairs];
        for (int i = 0; i < geometry.Rows; i++)
        {
            if (watch.Stop(geometry.Columns))
                return new CostRows(geometry, null);
            geometry.CostRow(i, table.AsSpan(i * geometry.Columns, geometry.Columns));
        }
        return new CostRows(geometry, table);
    }

    public int Rows => _geometry.Rows;

    public int Columns => _geometry.Columns;

    /// <summary>One row, valid until the next is asked for.</summary>
    public ReadOnlySpan<double> this[int row]
    {
        get
        {
            if (_table is not null)
                return _table.AsSpan(row * Columns, Columns);
            if (_inRow != row)
            {
                _geometry.CostRow(row, _row);
                _inRow = row;
            }
            return _row;
        }
    }
}
