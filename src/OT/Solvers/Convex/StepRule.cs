namespace OT.Solvers.Convex;

/// <summary>How long the steps of <see cref="MirrorSinkhorn"/> are; never above 1/B.</summary>
public enum StepRule
{
    /// <summary><c>η_t = (1/B) √(δ/t)</c>, δ = |log a|_∞ + |log b|_∞ for masses 1: any number of iterations.</summary>
    InverseSqrt,

    /// <summary><c>η = (1/B) √(2K/T)</c>, K = min(H(a), H(b)), T = <see cref="SolverOptions.MaxIterations"/>: for a run that goes all the way.</summary>
    Constant,
}
