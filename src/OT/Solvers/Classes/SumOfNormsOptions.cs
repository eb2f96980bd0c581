using OT.Numerics;

namespace OT.Solvers.Classes;

/// <summary>Options of <see cref="SumOfNorms"/>.</summary>
public sealed record SumOfNormsOptions : SolverOptions
{
    /// <summary>Defaults: 20 000 iterations.</summary>
    public SumOfNormsOptions() => MaxIterations = 20_000;

    /// <summary>How it iterates; <see cref="SumOfNormsAlgorithm.PrimalDual"/> by default. The answer is the same within the gap.</summary>
    public SumOfNormsAlgorithm Algorithm { get; init; }

    /// <summary>
    /// The certified gap at which a run has converged, as a share of the value's size (or of 10⁻⁶ of the largest cost times the mass, where the value is smaller); 1e-6 by default, positive.
    /// <see cref="SolverOptions.Tolerance"/> is not used: plans meet their marginals to rounding.
    /// </summary>
    public double RelativeGap { get; init; } = 1e-6;

    /// <summary>Rows (per unit of mass) count as equal where they differ by no more than this share of the longest one, in L2; 1e-6 by default.</summary>
    public double ClusterTolerance { get; init; } = 1e-6;

    /// <summary>Seeds the order of pairs of <see cref="SumOfNormsAlgorithm.Incremental"/>; 0 by default.</summary>
    public ulong Seed { get; init; }

    /// <summary>Threads; when left out, all processors for problems of some hundred bins and more, else one. Changes no bit of the answer.</summary>
    public int? Threads { get; init; }

    internal override void Validate()
    {
        base.Validate();
        Guard.Positive(RelativeGap);
        Guard.NonNegative(ClusterTolerance);
        if (Threads is { } threads)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads, nameof(Threads));
        if (!Enum.IsDefined(Algorithm))
            throw new ArgumentOutOfRangeException(
                nameof(Algorithm),
                $"Algorithm is {Algorithm}: it must be one of the named ones."
            );
    }
}
