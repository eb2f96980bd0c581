using OT.Geometries;

namespace OT.Accelerators.Mpi;

/// <summary>Some rows of any geometry, by its <see cref="Geometry.CostRow"/>.</summary>
sealed class RowBlock(Geometry whole, int start, int count) : Geometry
{
    public override int Rows => count;

    public override int Columns => whole.Columns;

    public override double MagnitudeBound => whole.MagnitudeBound;

    public override bool HasForbiddenPairs => whole.HasForbiddenPairs;

    public override double Cost(int row, int column) => whole.Cost(start + row, column);

    public override void CostRow(int row, Span<double> costs) => whole.CostRow(start + row, costs);

    internal override void CostRows(int first, int rows, Span<double> block) => whole.CostRows(start + first, rows, block);
}
