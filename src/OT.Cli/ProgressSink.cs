using OT.Solvers;

namespace OT.Cli;

/// <summary>The latest look at a running solver, handed from its thread to the one that draws.</summary>
sealed class ProgressSink : IProgress<SolverProgress>
{
    readonly Lock _lock = new();
    SolverProgress? _latest;

    /// <summary>What is going on, in a word.</summary>
    public string Phase { get; set; } = "reading";

    public SolverProgress? Latest
    {
        get
        {
            lock (_lock)
                return _latest;
        }
    }

    public void Report(SolverProgress value)
    {
        lock (_lock)
            _latest = value;
    }
}
