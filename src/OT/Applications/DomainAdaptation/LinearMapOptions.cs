using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>Options of <see cref="LinearMap.Fit"/>.</summary>
public sealed record LinearMapOptions
{
    /// <summary>
    /// What is added to the variance in every direction on both sides, relative to their mean variance <c>(tr Σ_s + tr Σ_t)/(2d)</c>; 0 by default, 0 or above. It keeps directions in
    /// which few points say little from being stretched by chance, and makes every map invertible; covariances are then matched only about.
    /// </summary>
    public double Regularization { get; init; }

    /// <summary>
    /// Whether covariances are divided by <c>1 − Σ w²</c> (n − 1 in place of n for equal weights), which makes their expectation that of the population; false by default. It changes
    /// the map only where the two sides have different numbers of points. A side with one point has no such covariance and keeps 0.
    /// </summary>
    public bool UnbiasedCovariance { get; init; }

    internal void Validate() => Guard.NonNegative(Regularization);
}
