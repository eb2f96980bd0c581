using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>The Hessian of the optimal value times a direction: how its gradient changes along that direction.</summary>
public sealed class HessianProduct : SolverResult
{
    /// <summary>At the sources: n × d in points, n × 1 in weights.</summary>
    public required Matrix Source { get; init; }

    /// <summary>At the targets: m × d in points, m × 1 in weights.</summary>
    public required Matrix Target { get; init; }

    /// <summary>As <see cref="PlanGradient.Residual"/>.</summary>
    public required double Residual { get; init; }
}
