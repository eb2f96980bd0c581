using OT.Solvers;

namespace OT.Cli;

/// <summary>The latest look at a running solver, handed from its thread to the one that draws.</summary>
sealed class ProgressSink : IProgress<SolverProgress>, IProgress<double>
{
    readonly Lock _lock = new();
    SolverProgress? _latest;

    double _share = double.NaN;

    /// <summary>What is going on, in a word.</summary>
    public string Phase
    {
        get;
        set
        {
            field = value;
            Volatile.Write(ref _share, double.NaN);
        }
    } = "reading";

    /// <summary>How much of a phase that is no solve is done, 0 to 1; NaN where it does not say.</summary>
    public double Share => Volatile.Read(ref _share);

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

    public void Report(double value) => Volatile.Write(ref _share, value);
}
