using System.Collections.Immutable;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>The answer to an <see cref="InverseProblem"/>: the parameter, the cost that it makes, and what proves it.</summary>
public sealed class InverseTransportResult : SolverResult
{
    InverseCertificate? _certificate;

    /// <summary>The problem that was solved.</summary>
    public required InverseProblem Problem { get; init; }

    /// <summary>θ, p numbers in the problem's convention; exact zeros off the support.</summary>
    public required ImmutableArray<double> Theta { get; init; }

    /// <summary>θ as a d × d' matrix; null where the dictionary has no shape.</summary>
    public Matrix? Parameter => Problem.Dictionary.Shape is { } shape ? new Matrix(shape.Rows, shape.Columns, [.. Theta]) : null;

    /// <summary>Terms whose parameter is not 0, ascending.</summary>
    public ImmutableArray<int> Support => [.. Enumerable.Range(0, Theta.Length).Where(k => Theta[k] != 0)];

    /// <summary>The learned cost <c>c_0 + c_θ</c> in cost units, for any solver.</summary>
    public required Geometry LearnedCost { get; init; }

    /// <summary>The entropic plan of the learned cost, to be compared with the observed coupling.</summary>
    public required TransportPlan Plan { get; init; }

    /// <summary>Its potentials.</summary>
    public required Potentials Potentials { get; init; }

    /// <summary>ε of the entropic problem in cost units.</summary>
    public required double Epsilon { get; init; }

    /// <summary><c>L(θ) ≥ 0</c>; 0 where the plan is the observed coupling.</summary>
    public required double Loss { get; init; }

    /// <summary><c>R(θ)</c>, without λ.</summary>
    public required double PenaltyValue { get; init; }

    /// <summary><c>L(θ) + λ R(θ)</c>.</summary>
    public double Objective => PenaltyValue == 0 ? Loss : Loss + (Problem.Lambda * PenaltyValue);

    /// <summary>
    /// A lower bound of the optimum, up to the inner solve's error: the value of the dual at the found plan moved towards the observed one until no term misses it by more than λ.
    /// <see cref="Certify"/> proves one. Null where a term is free of the penalty.
    /// </summary>
    public double? LowerBound { get; init; }

    /// <summary><see cref="Objective"/> less <see cref="LowerBound"/>.</summary>
    public double? Gap => LowerBound is { } bound ? Math.Max(0, Objective - bound) : null;

    /// <summary>The gradient of L in θ: what the plan misses of each observed mean, in the problem's convention.</summary>
    public required ImmutableArray<double> Gradient { get; init; }

    /// <summary>Largest distance of −<see cref="Gradient"/> from <c>λ ∂R(θ)</c>, each term in units of its standard deviation under a ⊗ b: the optimality certificate.</summary>
    public required double KktResidual { get; init; }

    /// <summary><c>−Gradient/λ</c>: at most 1 in size off the support, the sign of θ on it; empty where λ is 0.</summary>
    public ImmutableArray<double> DualCertificate =>
        Problem.Lambda == 0 ? [] : [.. Gradient.Select(value => -value / Problem.Lambda)];

    /// <summary>The least λ whose answer is θ = 0 (but for terms that are free of the penalty).</summary>
    public required double LambdaMax { get; init; }

    /// <summary>L1 error of the plan's marginals.</summary>
    public required double MarginalError { get; init; }

    /// <summary>Terms that are, on the pairs that the fixed cost allows, a function of x plus a function of y: no coupling shows their parameter, which stays 0.</summary>
    public required ImmutableArray<int> InvisibleTerms { get; init; }

    /// <summary>
    /// Directions in θ, one a row, orthonormal, along which the cost changes by a function of x plus a function of y only: θ is identified up to these. Terms of <see cref="InvisibleTerms"/> are left out.
    /// Null where there is none.
    /// </summary>
    public required Matrix? NullSpace { get; init; }

    /// <summary>Bounds of the optimum from a plan that meets its marginals exactly, with rounding errors on the safe side. Made once; a few passes over all pairs and terms.</summary>
    public InverseCertificate Certify() => _certificate ??= InverseCertificate.Of(this);
}
