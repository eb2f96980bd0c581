using OT.Geometries;
using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>How a <see cref="PlanMap"/> goes on from the points that it was fitted to.</summary>
public enum Extension
{
    /// <summary><see cref="Entropic"/> where the plan is known by its potentials, else <see cref="Nearest"/>.</summary>
    Automatic,

    /// <summary>The displacement of the nearest fitted point: <c>x + T(x_i) − x_i</c>; the mean of those that are equally near. Jumps between cells.</summary>
    Nearest,

    /// <summary>The plan's own row at a new point, <c>T(x) = Σ_j y_j b_j exp((g_j − c(x, y_j))/ε) / Σ_j b_j exp((g_j − c(x, y_j))/ε)</c>: smooth. For entropic plans alone.</summary>
    Entropic,

    /// <summary>
    /// A displacement that is smooth for any plan: <c>T(x) = x + v + Σ_i w_i exp(−|x − x_i|²/(2σ²))</c>, v the mean displacement and w by ridge regression. Does not reproduce the
    /// images of fitted points exactly; far away it is the translation by v. O(n³) to fit.
    /// </summary>
    Gaussian,
}

/// <summary>Options of <see cref="PlanMap.Fit"/>.</summary>
public sealed record PlanMapOptions
{
    /// <summary>The cost of a pair; squared Euclidean by default. With <see cref="GroundCost.CityBlock"/> images are medians coordinate by coordinate, otherwise means.</summary>
    public GroundCost Cost { get; init; } = GroundCost.SquaredEuclidean;

    /// <summary>What becomes of new points; automatic by default.</summary>
    public Extension Extension { get; init; }

    /// <summary>σ of <see cref="Extension.Gaussian"/>, in units of the points, positive; the root mean square distance of the points from their mean when left out.</summary>
    public double? Bandwidth { get; init; }

    /// <summary>
    /// Weight of the penalty on curvature of <see cref="Extension.Gaussian"/>, λ in <c>(K + λ diag(1/a)) w = displacements − v</c>; 1e-3 by default, positive. Small values follow the plan's images closely, large
    /// ones smooth them.
    /// </summary>
    public double Ridge { get; init; } = 1e-3;

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Cost);
        if (!Enum.IsDefined(Extension))
            throw new ArgumentOutOfRangeException(nameof(Extension), $"{Extension} is not an extension.");
        if (Bandwidth is { } bandwidth)
            Guard.Positive(bandwidth, nameof(Bandwidth));
        Guard.Positive(Ridge);
    }
}
