using OT.Numerics;

namespace OT.Solvers.Convex;

/// <summary>Options of <see cref="MirrorSinkhorn"/>.</summary>
/// <remarks><see cref="SolverOptions.Tolerance"/> is not used: answers are rounded to the marginals. Recorded errors are the marginal errors before that, relative to the mass.</remarks>
public sealed record MirrorSinkhornOptions : SolverOptions
{
    /// <summary>Defaults: 1000 iterations.</summary>
    public MirrorSinkhornOptions() => MaxIterations = 1000;

    /// <summary>How long the steps are; <see cref="StepRule.InverseSqrt"/> by default.</summary>
    public StepRule Step { get; init; }

    /// <summary>The mean that is kept of the iterates; <see cref="Averaging.Uniform"/> by default. Linear problems without a table keep none.</summary>
    public Averaging Averaging { get; init; }

    /// <summary>
    /// B, a bound of <c>max G − min G</c> over gradients or their samples, in cost units, positive; the spreads seen so far when left out. A bound that is too small makes steps too long, one that is too large wastes iterations.
    /// </summary>
    public double? GradientBound { get; init; }

    /// <summary>Iterations between certificates, recorded errors and progress reports; 50 by default, 0 for one at the end only. A certificate costs about as much as ten iterations.</summary>
    public int CertificateEvery { get; init; } = 50;

    /// <summary>
    /// Converged when the certified gap is at most this share of B times the mass; 1e-3 by default, 0 to make all iterations. The gap falls like 1/√t.
    /// </summary>
    public double GapTolerance { get; init; } = 1e-3;

    /// <summary>Seed of sampled gradients; the same seed gives the same bits. 0 by default.</summary>
    public ulong Seed { get; init; }

    internal override void Validate()
    {
        base.Validate();
        if (!Enum.IsDefined(Step))
            throw new ArgumentOutOfRangeException(nameof(Step), $"{Step} is not a step rule.");
        if (!Enum.IsDefined(Averaging))
            throw new ArgumentOutOfRangeException(nameof(Averaging), $"{Averaging} is not an average.");
        if (GradientBound is { } bound)
            Guard.Positive(bound, nameof(GradientBound));
        ArgumentOutOfRangeException.ThrowIfNegative(CertificateEvery);
        Guard.NonNegative(GapTolerance);
    }
}
