using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>Options of <see cref="SparseNewton"/>.</summary>
public sealed record SparseNewtonOptions : SolverOptions
{
    /// <summary>At most 500 Newton steps by default, rejected ones included; warm-up iterations do not count.</summary>
    public SparseNewtonOptions() => MaxIterations = 500;

    /// <summary>How the plan is thinned and steps are judged; <see cref="SparseNewtonStrategy.Ssns"/> by default.</summary>
    public SparseNewtonStrategy Strategy { get; init; } = SparseNewtonStrategy.Ssns;

    /// <summary>How linear systems are solved; <see cref="LinearSolver.SparseCholesky"/> by default.</summary>
    public LinearSolver LinearSolver { get; init; } = LinearSolver.SparseCholesky;

    /// <summary>Plain Sinkhorn iterations at the target's ε before the first step; 20 by default, at least 1.</summary>
    public int WarmupIterations { get; init; } = 20;

    /// <summary>Epsilon scaling before that. When left out: the default schedule where ε is below a hundredth of the largest cost and no start is given, else none.</summary>
    public EpsilonSchedule? Schedule { get; init; }

    /// <summary>Ssns: mass that may be dropped from a column, relative to the L2 norm of the gradient; 0.01 by default, in (0, 1). Twice as much from a row.</summary>
    public double DroppedShare { get; init; } = 0.01;

    /// <summary>Sns: entries kept for each of max(n, m); 8 by default, at least 1. Plans that are not unique want 15.</summary>
    public int EntriesPerNode { get; init; } = 8;

    /// <summary>Splr: largest share of all entries that is kept; 0.01 by default, in (0, 1]; 10/min(n, m) where that is larger.</summary>
    public double Density { get; init; } = 0.01;

    internal override void Validate()
    {
        base.Validate();
        if (!Enum.IsDefined(Strategy))
            throw new ArgumentOutOfRangeException(nameof(Strategy), $"{Strategy} is not a strategy.");
        if (!Enum.IsDefined(LinearSolver))
            throw new ArgumentOutOfRangeException(nameof(LinearSolver), $"{LinearSolver} is not a linear solver.");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(WarmupIterations);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(EntriesPerNode);
        Guard.Positive(DroppedShare);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(DroppedShare, 1);
        Guard.Positive(Density);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Density, 1);
        Schedule?.Validate();
    }
}
