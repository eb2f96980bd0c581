using System.Collections.Immutable;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>A penalised estimate from covariances.</summary>
public sealed class GaussianInverseResult : SolverResult
{
    /// <summary>A, d × d'; exact zeros off the support.</summary>
    public required Matrix Parameter { get; init; }

    /// <summary>L(A), 0 or more.</summary>
    public required double Loss { get; init; }

    /// <summary>The gradient of L: observed less the plan's cross-covariance, row after row.</summary>
    public required ImmutableArray<double> Gradient { get; init; }

    /// <summary>Largest distance of −<see cref="Gradient"/> from <c>λ ∂R(A)</c>, each entry in units of its product of standard deviations.</summary>
    public required double KktResidual { get; init; }

    /// <summary>The least λ whose answer is 0.</summary>
    public required double LambdaMax { get; init; }
}
