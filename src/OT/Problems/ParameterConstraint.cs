namespace OT.Problems;

/// <summary>What the parameter of an <see cref="InverseProblem"/> must be, in the problem's own <see cref="CostConvention"/>.</summary>
public enum ParameterConstraint
{
    /// <summary>Anything.</summary>
    None,

    /// <summary><c>θ_k ≥ 0</c>.</summary>
    NonNegative,

    /// <summary>A square matrix with <c>θ = θᵀ</c>.</summary>
    Symmetric,

    /// <summary>A symmetric matrix without negative eigenvalues. As a surplus <c>xᵀ θ y</c> this is a Mahalanobis metric <c>θ/2</c>. Statements about supports no longer hold.</summary>
    PositiveSemidefinite,

    /// <summary>A matrix that is 0 off its diagonal.</summary>
    Diagonal,
}
