namespace OT.Solvers.Entropic;

/// <summary>How <see cref="SparseNewton"/> solves its linear systems.</summary>
public enum LinearSolver
{
    /// <summary>A sparse factor in an order of few neighbours, dense where it fills up; the same bits for any thread count.</summary>
    SparseCholesky,

    /// <summary>Conjugate gradients with Jacobi's preconditioner, stopped early where the gradient is still large: no memory beyond the kept entries.</summary>
    ConjugateGradient,
}
