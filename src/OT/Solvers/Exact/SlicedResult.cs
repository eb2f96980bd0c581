using System.Collections.Immutable;

namespace OT.Solvers.Exact;

/// <summary>An estimate of the sliced distance, or a lower bound of the max-sliced one.</summary>
/// <param name="Distance">The p-th root of <paramref name="Value"/>.</param>
/// <param name="Value">Mean over directions of <c>W_p^p</c>, or the largest one found.</param>
/// <param name="StandardError">Monte-Carlo standard error of <paramref name="Value"/>; NaN for a single direction, 0 for the max-sliced bound, which is no estimate.</param>
/// <param name="Projections">Directions evaluated.</param>
/// <param name="Direction">The unit direction that attains the max-sliced value; empty for the mean.</param>
public sealed record SlicedResult(
    double Distance,
    double Value,
    double StandardError,
    int Projections,
    ImmutableArray<double> Direction
)
{
    /// <summary>Standard error of <see cref="Distance"/> to first order: <c>StandardError · Distance / (p · Value)</c>; 0 where both are 0.</summary>
    public double DistanceStandardError { get; init; }
}
