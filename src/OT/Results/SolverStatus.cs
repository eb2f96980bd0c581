namespace OT.Results;

/// <summary>Why a solver stopped.</summary>
public enum SolverStatus
{
    /// <summary>The stopping rule was met.</summary>
    Converged,

    /// <summary>The iteration limit came first; the last iterate is kept and usable.</summary>
    IterationLimit,

    /// <summary>The time limit came first; the last iterate is kept and usable.</summary>
    TimeLimit,

    /// <summary>The caller cancelled; the last iterate is kept and usable.</summary>
    Cancelled,

    /// <summary>Progress ended above the tolerance: rounding allows no better.</summary>
    Stalled,

    /// <summary>A value became NaN or infinite; the last finite iterate is kept.</summary>
    NumericalFailure,

    /// <summary>No plan satisfies the constraints; <see cref="SolverResult.Message"/> says why.</summary>
    Infeasible,
}
