using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>Options of the exact solvers.</summary>
/// <remarks><see cref="SolverOptions.MaxIterations"/> counts pivots (simplex) or augmentations (assignment); <see cref="SolverOptions.Tolerance"/> is not used: they stop at optimality.</remarks>
public sealed record ExactOptions : SolverOptions
{
    /// <summary>Defaults: no limit on pivots or augmentations.</summary>
    public ExactOptions() => MaxIterations = int.MaxValue;

    /// <summary>
    /// Bytes that a table of costs may take; 2 GiB by default. Costs that are computed (points, grids, floats) are tabulated up to this size, 8nm bytes, and
    /// evaluated again row by row beyond it: about twice the time, O(n + m) memory. 0 never tabulates.
    /// </summary>
    public long TableBytes { get; init; } = DefaultTableBytes;

    internal const long DefaultTableBytes = 2L << 30;

    internal override void Validate()
    {
        base.Validate();
        Guard.NonNegative(TableBytes);
    }

    internal static ExactOptions Checked(ExactOptions? options)
    {
        options ??= new();
        options.Validate();
        return options;
    }
}
