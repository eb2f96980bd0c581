namespace OT.Solvers.Inverse;

/// <summary>Options of <see cref="InverseTransport"/>.</summary>
/// <remarks>
/// <see cref="SolverOptions.Tolerance"/> is the largest residual of the optimality conditions, each term in units of its standard deviation under a ⊗ b; marginal errors of inner solves
/// are held a tenth below what it can see. <see cref="SolverOptions.MaxIterations"/> counts outer steps.
/// </remarks>
public sealed record InverseTransportOptions : SolverOptions
{
    /// <summary>Defaults: 1000 outer steps.</summary>
    public InverseTransportOptions() => MaxIterations = 1000;

    /// <summary>How the parameter is found; <see cref="InverseAlgorithm.Auto"/> by default.</summary>
    public InverseAlgorithm Algorithm { get; init; }

    internal override void Validate()
    {
        base.Validate();
        if (!Enum.IsDefined(Algorithm))
            throw new ArgumentOutOfRangeException(nameof(Algorithm), $"{Algorithm} is not an algorithm.");
    }
}
