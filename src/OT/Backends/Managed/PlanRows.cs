namespace OT.Backends.Managed;

/// <summary>Rows of a Gibbs plan in doubles, from rows of costs.</summary>
internal sealed class PlanRows(GibbsPlan plan)
{
    readonly double[] _f = plan.F.ToArray();
    readonly double[] _g = plan.G.ToArray();
    readonly double[] _logA = plan.LogA.ToArray();
    readonly double[] _logB = plan.LogB.ToArray();
    readonly double _inverse = 1 / plan.Epsilon;

    /// <summary>Puts the plan's entries in the places of row i's costs.</summary>
    public void Fill(int i, Span<double> costs) => PlanSweep.Entries(costs, _g, _logB, _f[i], _logA[i], _inverse);

    /// <summary>Mass and cost of row i, whose entries are added to <paramref name="columns"/>. Costs are finite.</summary>
    public (double Mass, double Cost) Sweep(int i, ReadOnlySpan<double> costs, Span<double> columns) =>
        double.IsNegativeInfinity(_logA[i]) ? default : PlanSweep.Row(costs, _g, _logB, _f[i], _logA[i], _inverse, columns);
}
