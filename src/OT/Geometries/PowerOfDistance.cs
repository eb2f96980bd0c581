using OT.Numerics;

namespace OT.Geometries;

/// <summary><c>(c(x_i, y_j) / unit)^p</c> for a power that would leave the range of doubles in the cost's own units. What overflows nevertheless is forbidden.</summary>
/// <param name="source">n × d source points.</param>
/// <param name="target">m × d target points.</param>
/// <param name="cost">A distance c.</param>
/// <param name="p">p.</param>
/// <param name="unit">A distance that some optimal plan never exceeds by much: powers stay near 1 where mass moves.</param>
internal sealed class PowerOfDistance(Matrix source, Matrix target, GroundCost cost, double p, double unit) : Geometry
{
    /// <summary>Powers beyond this forbid a pair: beside costs up to 1, less than 1e-290 of the mass could go there.</summary>
    const double Largest = 1e290;

    public override int Rows => source.Rows;

    public override int Columns => target.Rows;

    public override double MagnitudeBound => Largest;

    public override bool HasForbiddenPairs => true;

    public override double Cost(int row, int column)
    {
        double power = Math.Pow(cost.Evaluate(source.Row(row), target.Row(column)) / unit, p);
        return power <= Largest ? power : double.PositiveInfinity;
    }
}
