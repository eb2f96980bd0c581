using OT.Numerics;

namespace OT.Solvers;

/// <summary>What changes how, how fast and how accurately an answer is found, never the answer itself.</summary>
public abstract record SolverOptions
{
    /// <summary>
    /// L1 error of both marginals, relative to the larger total mass, at which iterative solvers stop; 1e-6 by default, must be positive. Exact solvers stop at optimality.
    /// </summary>
    public double Tolerance { get; init; } = 1e-6;

    /// <summary>Iterations at most, in the solver's own unit; 10 000 by default for iterative solvers, no limit for exact ones.</summary>
    public int MaxIterations { get; init; } = 10_000;

    /// <summary>Wall-clock time at most; infinite by default. Checked once per progress step.</summary>
    public TimeSpan TimeLimit { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Receives progress while the solver runs, on the solver's thread; null by default.</summary>
    public IProgress<SolverProgress>? Progress { get; init; }

    /// <summary>Cancelled with the caller's token or at the time limit. Timers count at most 49 days; a longer limit is none.</summary>
    internal CancellationTokenSource Limit(CancellationToken cancellation)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (TimeLimit == TimeSpan.Zero)
            limit.Cancel();
        else if (TimeLimit != Timeout.InfiniteTimeSpan && TimeLimit.TotalMilliseconds < int.MaxValue)
            limit.CancelAfter(TimeLimit);
        return limit;
    }

    /// <summary>Refuses values out of range; called by solvers' constructors.</summary>
    internal virtual void Validate()
    {
        Guard.Positive(Tolerance);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxIterations);
        if (TimeLimit < TimeSpan.Zero && TimeLimit != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(TimeLimit), $"TimeLimit is {TimeLimit}: it must not be negative.");
    }
}
