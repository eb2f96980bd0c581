using OT.Geometries;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Solvers.Convex;

/// <summary>Which pairs may carry mass: cost 0, or <c>+∞</c> where forbidden.</summary>
internal sealed class SupportGeometry(int rows, int columns, Func<int, int, bool>? isForbidden) : Geometry
{
    public override int Rows => rows;

    public override int Columns => columns;

    public override bool HasForbiddenPairs => isForbidden is not null;

    public override double MagnitudeBound => 0;

    public override double Cost(int row, int column) =>
        isForbidden is not null && isForbidden(row, column) ? double.PositiveInfinity : 0;

    public override void CostRow(int row, Span<double> costs)
    {
        if (isForbidden is null)
            costs[..columns].Clear();
        else
            base.CostRow(row, costs);
    }

    /// <summary>Why no plan has these marginals; null where one has. A maximum flow where pairs are forbidden.</summary>
    public static string? WhyInfeasible(Geometry support, Measure a, Measure b, CancellationToken cancellation)
    {
        var problem = new LinearProblem(support, a, b);
        if (problem.MassesAgree && !support.HasForbiddenPairs)
            return null;
        TransportResult flow = new NetworkSimplex().Solve(problem, cancellation);
        return flow.Status == SolverStatus.Infeasible ? flow.Message : null;
    }
}
