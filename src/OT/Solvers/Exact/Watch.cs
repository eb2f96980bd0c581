using System.Diagnostics;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>Tells a running solver when to stop, and the caller how far it is.</summary>
internal sealed class Watch(ExactOptions options, CancellationToken cancellation)
{
    // About a millisecond of work between two looks at the clock.
    const long WorkBetweenLooks = 1 << 20;
    static readonly TimeSpan ProgressEvery = TimeSpan.FromMilliseconds(100);

    readonly long _start = Stopwatch.GetTimestamp();
    long _work;
    TimeSpan _reported;

    /// <summary>Iterations made.</summary>
    public int Iterations { get; private set; }

    /// <summary>Why the solver has to stop, or <see cref="SolverStatus.Converged"/> while it need not.</summary>
    public SolverStatus Status { get; private set; }

    /// <summary>What is left of the time limit.</summary>
    public TimeSpan Remaining
    {
        get
        {
            if (options.TimeLimit == Timeout.InfiniteTimeSpan)
                return options.TimeLimit;
            TimeSpan left = options.TimeLimit - Stopwatch.GetElapsedTime(_start);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Counts one iteration that cost about <paramref name="work"/> arithmetic operations; true when the solver has to stop.</summary>
    public bool Step(long work)
    {
        if (Iterations >= options.MaxIterations)
        {
            Status = SolverStatus.IterationLimit;
            return true;
        }
        Iterations++;
        return Stop(work);
    }

    /// <summary>Counts work outside iterations; true when the solver has to stop.</summary>
    public bool Stop(long work)
    {
        if (Status != SolverStatus.Converged)
            return true;
        _work += work + 1;
        if (_work < WorkBetweenLooks && (Iterations & 63) != 1)
            return false;
        _work = 0;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
        if (cancellation.IsCancellationRequested)
            Status = SolverStatus.Cancelled;
        else if (options.TimeLimit != Timeout.InfiniteTimeSpan && elapsed >= options.TimeLimit)
            Status = SolverStatus.TimeLimit;
        if (options.Progress is { } progress && (_reported == default || elapsed - _reported >= ProgressEvery))
        {
            _reported = elapsed;
            progress.Report(new SolverProgress(Iterations, double.NaN, elapsed, double.NaN));
        }
        return Status != SolverStatus.Converged;
    }
}
