using OT.Numerics;

namespace OT.Problems;

/// <summary>How strictly a marginal is held: exactly, or by <c>ρ KL(P1 | a)</c>.</summary>
public readonly record struct MarginalPenalty
{
    /// <summary>ρ, or 0 for a hard constraint, so that <c>default</c> is one.</summary>
    readonly double _rho;

    MarginalPenalty(double rho) => _rho = rho;

    /// <summary>The marginal is a hard constraint.</summary>
    public static MarginalPenalty Exact => default;

    /// <summary>The marginal may be missed at the price <c>ρ KL(P1 | a)</c>; ρ in cost units, positive. <c>+∞</c> is <see cref="Exact"/>.</summary>
    public static MarginalPenalty KullbackLeibler(double rho) =>
        double.IsPositiveInfinity(rho) ? default : new(Guard.Positive(rho));

    /// <summary>Whether the marginal is a hard constraint.</summary>
    public bool IsExact => _rho == 0;

    /// <summary>ρ in cost units; <c>+∞</c> for a hard constraint.</summary>
    public double Rho => IsExact ? double.PositiveInfinity : _rho;

    /// <summary><c>τ = ρ / (ρ + ε)</c>, the damping of the potential's update; 1 for a hard constraint.</summary>
    internal double Tau(double epsilon) => 1 / (1 + (epsilon / Rho));
}
