using OT.Numerics;

namespace OT.Problems;

/// <summary>How strictly a marginal is held: exactly, by <c>ρ KL(P1 | a)</c>, or by <c>ρ |P1 − a|₁</c>. A bin of weight 0 holds no mass under any of them.</summary>
public readonly record struct MarginalPenalty
{
    /// <summary>ρ, or 0 for a hard constraint, so that <c>default</c> is one.</summary>
    readonly double _rho;

    MarginalPenalty(double rho, bool isTotalVariation) => (_rho, IsTotalVariation) = (rho, isTotalVariation);

    /// <summary>The marginal is a hard constraint.</summary>
    public static MarginalPenalty Exact => default;

    /// <summary>The marginal may be missed at the price <c>ρ KL(P1 | a)</c>; ρ in cost units, positive. <c>+∞</c> is <see cref="Exact"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">ρ is zero, negative or NaN: a marginal without a price needs no penalty, and a problem without any moves no mass.</exception>
    public static MarginalPenalty KullbackLeibler(double rho) =>
        double.IsPositiveInfinity(rho) ? default : new(Guard.Positive(rho), isTotalVariation: false);

    /// <summary>
    /// The marginal may be missed at the price <c>ρ |P1 − a|₁</c>: creating or destroying a unit of mass costs ρ, in cost units, positive. <c>+∞</c> is <see cref="Exact"/>.
    /// </summary>
    /// <remarks>The potential stays between −ρ and ρ. Where it stays strictly between on its own, the marginal is met exactly: a large ρ is a hard constraint.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">ρ is zero, negative or NaN.</exception>
    public static MarginalPenalty TotalVariation(double rho) =>
        double.IsPositiveInfinity(rho) ? default : new(Guard.Positive(rho), isTotalVariation: true);

    /// <summary>Whether the marginal is a hard constraint.</summary>
    public bool IsExact => _rho == 0;

    /// <summary>Whether the price is <c>ρ |P1 − a|₁</c>.</summary>
    public bool IsTotalVariation { get; }

    /// <summary>ρ in cost units; <c>+∞</c> for a hard constraint.</summary>
    public double Rho => IsExact ? double.PositiveInfinity : _rho;

    /// <summary><c>τ = ρ / (ρ + ε)</c>, the damping of the potential's update with Kullback-Leibler; 1 otherwise.</summary>
    internal double Tau(double epsilon) => IsTotalVariation ? 1 : 1 / (1 + (epsilon / Rho));

    /// <summary>Largest size of the potential: ρ with total variation, <c>+∞</c> otherwise.</summary>
    internal double Bound => IsTotalVariation ? _rho : double.PositiveInfinity;

    /// <summary>The best potential of a bin whose soft-min is given: <c>τ softmin</c>, kept between the bounds.</summary>
    internal double Update(double softMin, double epsilon) => Math.Clamp(Tau(epsilon) * softMin, -Bound, Bound);

    /// <summary>
    /// Size of the dual's (super)gradient at one bin: <c>|marginal − weight|</c> of a hard constraint, <c>|marginal − weight exp(−potential/ρ)|</c> with
    /// Kullback-Leibler; with total variation only what is above the weight counts at the bound ρ, and what is below it at −ρ.
    /// </summary>
    internal double Missed(double marginal, double weight, double potential)
    {
        if (potential >= Bound)
            return Math.Max(marginal - weight, 0);
        if (potential <= -Bound)
            return Math.Max(weight - marginal, 0);
        return Math.Abs(marginal - (IsExact || IsTotalVariation ? weight : weight * Math.Exp(-potential / _rho)));
    }
}
