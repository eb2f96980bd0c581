using System.Collections.Immutable;

namespace OT.Applications.Rebasin;

/// <summary>Loss and accuracy along the straight line between two networks, as <see cref="LinearModeConnectivity.Evaluate"/> found them.</summary>
public sealed class BarrierReport
{
    /// <summary>t of each point, from 0 (the first network) to 1 (the second), evenly spaced.</summary>
    public required ImmutableArray<double> Positions { get; init; }

    /// <summary>Mean loss at each point.</summary>
    public required ImmutableArray<double> Losses { get; init; }

    /// <summary>Share of right classes at each point; NaN for a regression.</summary>
    public required ImmutableArray<double> Accuracies { get; init; }

    /// <summary><c>max_t L(t) − ((1 − t) L(0) + t L(1))</c> over the points: 0 or more, in units of the loss.</summary>
    public double Barrier => Positions.Select((t, i) => Losses[i] - (((1 - t) * Losses[0]) + (t * Losses[^1]))).Max();

    /// <summary>The least accuracy of any point; NaN for a regression.</summary>
    public double LowestAccuracy => Accuracies.Min();
}
