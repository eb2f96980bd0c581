namespace OT.Solvers.Exact;

/// <summary>Options of <see cref="Sliced"/>.</summary>
public sealed record SlicedOptions
{
    /// <summary>Random directions of the mean; 100 by default, at least 1. The standard error falls with its square root.</summary>
    public int Projections { get; init; } = 100;

    /// <summary>Seed of the directions; the same seed gives the same directions on every platform. 0 by default.</summary>
    public ulong Seed { get; init; }

    /// <summary>Starts of the search for the largest projection, 8 by default, at least 1: the direction of the means' difference first, random ones after.</summary>
    public int Restarts { get; init; } = 8;

    /// <summary>Ascent steps per start; 50 by default, 0 or more.</summary>
    public int AscentSteps { get; init; } = 50;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Projections);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Restarts);
        ArgumentOutOfRangeException.ThrowIfNegative(AscentSteps);
    }
}
