using OT.Solvers;

namespace OT.Pairwise;

/// <summary>How a matrix of distances is computed; nothing here but tolerance and iterations changes an entry.</summary>
/// <remarks>
/// <see cref="SolverOptions.Tolerance"/> and <see cref="SolverOptions.MaxIterations"/> are those of each entropic solve and mean nothing to other quantities.
/// <see cref="SolverOptions.TimeLimit"/> is that of the whole matrix. <see cref="SolverOptions.Progress"/> counts pairs as iterations.
/// </remarks>
public sealed record PairwiseOptions : SolverOptions
{
    /// <summary>Threads at most, the caller's included; all processors when left out. Changes no bit of an entry.</summary>
    public int? Threads { get; init; }

    /// <summary>Which share of the pairs is computed, 1 to <see cref="Parts"/>; 1 by default. Every <see cref="Parts"/>-th pair belongs to a part, so parts are equally hard.</summary>
    public int Part { get; init; } = 1;

    /// <summary>Into how many shares the pairs are dealt, for many machines or cluster jobs; 1 by default. The journals of all parts are joined by <see cref="PairwiseJournal.Merge"/>.</summary>
    public int Parts { get; init; } = 1;

    /// <summary>
    /// Receives each entry as soon as it is computed: one at a time, in any order, from any thread. What it throws ends the run. Null by default;
    /// <see cref="PairwiseJournal.Add"/> is meant for it.
    /// </summary>
    public Action<PairwiseEntry>? Finished { get; init; }

    internal override void Validate()
    {
        base.Validate();
        if (Threads is { } threads)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads, nameof(Threads));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Parts);
        if (Part < 1 || Part > Parts)
            throw new ArgumentOutOfRangeException(nameof(Part), $"Part is {Part} of {Parts}: it must lie in [1, {Parts}].");
    }
}
