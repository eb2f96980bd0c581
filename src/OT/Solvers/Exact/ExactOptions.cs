namespace OT.Solvers.Exact;

/// <summary>Options of the exact solvers.</summary>
public sealed record ExactOptions : SolverOptions
{
    /// <summary>Defaults: no limit on pivots or augmentations.</summary>
    public ExactOptions() => MaxIterations = int.MaxValue;
}
