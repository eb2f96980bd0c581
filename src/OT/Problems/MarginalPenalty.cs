using OT.Numerics;

namespace OT.Problems;

/// <summary>How strictly a marginal is held: exactly, or by <c>ρ KL(P1 | a)</c>.</summary>
public readonly record struct MarginalPenalty
{
    readonly double _inverseRho;

    MarginalPenalty(double inverseRho) => _inverseRho = inverseRho;

    /// <summary>The marginal is a hard constraint.</summary>
    public static MarginalPenalty Exact => default;

    /// <summary>The marginal may be missed at the price <c>ρ KL(P1 | a)</c>; ρ in cost units, positive. <c>+∞</c> is <see cref="Exact"/>.</summary>
    public static MarginalPenalty KullbackLeibler(double rho) =>
        double.IsPositiveInfinity(rho) ? default : new(1 / Guard.Positive(rho));

    /// <summary>Whether the marginal is a hard constraint.</summary>
    public bool IsExact => _inverseRho == 0;

    /// <summary>ρ in cost units; <c>+∞</c> for a hard constraint.</summary>
    public double Rho => 1 / _inverseRho;

    /// <summary><c>τ = ρ / (ρ + ε)</c>, the damping of the potential's update; 1 for a hard constraint.</summary>
    internal double Tau(double epsilon) => 1 / (1 + (epsilon * _inverseRho));
}
