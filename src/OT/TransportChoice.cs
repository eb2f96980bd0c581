namespace OT;

/// <summary>Solvers of linear problems; <see cref="Transport"/> picks from Sinkhorn and the exact ones, the others may be asked for.</summary>
public enum TransportMethod
{
    /// <summary><see cref="Solvers.Entropic.Sinkhorn"/>.</summary>
    Sinkhorn,

    /// <summary><see cref="Solvers.Exact.NetworkSimplex"/>.</summary>
    NetworkSimplex,

    /// <summary><see cref="Solvers.Exact.Assignment"/>.</summary>
    Assignment,

    /// <summary><see cref="Solvers.Exact.Univariate"/>.</summary>
    Univariate,

    /// <summary><see cref="Solvers.Entropic.Greenkhorn"/>, which is never chosen, but may be asked for.</summary>
    Greenkhorn,

    /// <summary><see cref="Solvers.Entropic.SparseNewton"/>, which may be asked for: <see cref="Solvers.Entropic.Sinkhorn"/> takes steps of its kind where they pay.</summary>
    SparseNewton,

    /// <summary><see cref="Solvers.Convex.MirrorSinkhorn"/>, where it is asked for by name.</summary>
    MirrorSinkhorn,

    /// <summary><see cref="Solvers.Sparse.QuadraticDual"/>, for the quadratic and group lasso regularisers.</summary>
    QuadraticDual,

    /// <summary><see cref="Solvers.Sparse.KSparseDual"/>, for a limit on the entries of each line; the answer is the plan within it.</summary>
    KSparseDual,
}

/// <summary>Which solver fits a problem, and why.</summary>
/// <param name="Method">The solver.</param>
/// <param name="Why">The reason, in words.</param>
/// <param name="EstimatedBytes">Memory that the solve would take beyond the problem itself.</param>
public sealed record TransportChoice(TransportMethod Method, string Why, long EstimatedBytes);
