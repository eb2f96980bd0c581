namespace OT.Geometries;

/// <summary>A geometry that was looked at and forbids nothing, so that its weight may be negative.</summary>
internal sealed class FiniteGeometry(Geometry whole) : Geometry
{
    public override int Rows => whole.Rows;

    public override int Columns => whole.Columns;

    public override bool HasForbiddenPairs => false;

    public override double MagnitudeBound => whole.MagnitudeBound;

    public override double Cost(int row, int column) => whole.Cost(row, column);

    public override void CostRow(int row, Span<double> costs) => whole.CostRow(row, costs);
}
