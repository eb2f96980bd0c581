using OT.Numerics;

namespace OT.Solvers.Classes;

/// <summary>Options of <see cref="LpL1"/> and <see cref="EntropicGroupLasso"/>. <see cref="SolverOptions.MaxIterations"/> counts outer iterations, 10 by default.</summary>
public sealed record ClassRegularizedOptions : SolverOptions
{
    /// <summary>Defaults: 10 outer iterations.</summary>
    public ClassRegularizedOptions() => MaxIterations = 10;

    /// <summary>η, the strength of the class term, in cost units; 0.1 by default, zero or positive. 0 is Sinkhorn.</summary>
    public double Eta { get; init; } = 0.1;

    /// <summary>A relative change of the objective between outer iterations at which they end; 1e-7 by default, zero or positive.</summary>
    public double Change { get; init; } = 1e-7;

    /// <summary>Iterations of each inner entropic problem at most; 1000 by default. They stop at <see cref="SolverOptions.Tolerance"/>.</summary>
    public int InnerIterations { get; init; } = 1000;

    internal override void Validate()
    {
        base.Validate();
        Guard.NonNegative(Eta);
        Guard.NonNegative(Change);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(InnerIterations);
    }
}
