using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>Epsilon scaling: solve with a large ε first and shrink it geometrically, <c>ε_k = max(ε, start · decay^k)</c>.</summary>
/// <remarks>Schmitzer, "Stabilized sparse scaling algorithms", SISC 2019. Potentials are kept between levels, never scalings.</remarks>
public sealed record EpsilonSchedule
{
    /// <summary>No annealing: iterations start at the target.</summary>
    public static EpsilonSchedule None { get; } = new() { Start = double.Epsilon };

    /// <summary>First level as a multiple of the largest |C|; 1 by default, positive.</summary>
    public double Start { get; init; } = 1;

    /// <summary>Factor between levels in (0, 1); 0.5 by default. Near 1 there are many levels, near 0 annealing does nothing.</summary>
    public double Decay { get; init; } = 0.5;

    /// <summary>Iterations at each level above the target; 2 by default, at least 1.</summary>
    public int IterationsPerLevel { get; init; } = 2;

    internal void Validate()
    {
        Guard.Positive(Start);
        if (!(Decay > 0 && Decay < 1))
            throw new ArgumentOutOfRangeException(nameof(Decay), $"Decay is {Decay}: it must lie in (0, 1).");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(IterationsPerLevel);
    }
}
