using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>Options of <see cref="ImplicitGradient"/>: how accurately its linear system is solved.</summary>
public sealed record ImplicitGradientOptions
{
    /// <summary>L2 norm of the residual over that of the right-hand side; 1e-10 by default, must be positive. Below about 1e-14 rounding decides.</summary>
    public double Tolerance { get; init; } = 1e-10;

    /// <summary>Iterations of conjugate gradients at most, where the system is too large for elimination; 500 by default, at least 0.</summary>
    public int MaxIterations { get; init; } = 500;

    /// <summary>Nodes up to which the graph is factored; for tests.</summary>
    internal int MaxNodes { get; init; } = 1024;

    internal void Validate()
    {
        Guard.Positive(Tolerance);
        ArgumentOutOfRangeException.ThrowIfNegative(MaxIterations);
    }
}
