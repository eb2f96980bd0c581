namespace OT.Solvers.Convex;

/// <summary>Which mean of the iterates of <see cref="MirrorSinkhorn"/> is kept beside the last one.</summary>
public enum Averaging
{
    /// <summary>All iterates count the same.</summary>
    Uniform,

    /// <summary>Each iterate counts by the step taken from it; what the bound of the theory is about, slower in practice.</summary>
    StepWeighted,

    /// <summary>The second half of <see cref="SolverOptions.MaxIterations"/>; all iterates until then.</summary>
    Suffix,
}
