namespace OT.Backends;

/// <summary>Where time went: what a first use costs, what every use has to move, and the work itself.</summary>
/// <param name="Setup">Making ready: kernels compiled, libraries opened. Zero where a back end has nothing of the kind.</param>
/// <param name="Transfer">Moving costs, points and potentials to and from where the work runs. Zero where that is this machine's memory.</param>
/// <param name="Solve">The rest.</param>
public readonly record struct BackendTimings(TimeSpan Setup, TimeSpan Transfer, TimeSpan Solve)
{
    /// <summary>The three together.</summary>
    public TimeSpan Total => Setup + Transfer + Solve;
}
