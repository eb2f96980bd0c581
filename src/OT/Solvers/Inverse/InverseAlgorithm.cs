namespace OT.Solvers.Inverse;

/// <summary>How the parameter of an inverse problem is found.</summary>
public enum InverseAlgorithm
{
    /// <summary>Newton where penalty and constraint are sums over terms or groups, else the proximal gradient.</summary>
    Auto,

    /// <summary>Proximal Newton on the active terms with the exact Hessian: a handful of steps, each a pass over the plan and a linear system for each active term. Not for nuclear norms and semidefinite parameters.</summary>
    Newton,

    /// <summary>Proximal gradient with momentum, backtracking and restarts: gradients alone, any penalty and constraint.</summary>
    ProximalGradient,
}
