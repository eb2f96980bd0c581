using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Gpu;

/// <summary>A ground cost that kernels can make: <c>(scale · gathered)^power</c> of what a program gathers over coordinates.</summary>
/// <param name="Program">What is gathered: squares, roots of their sum, differences, the largest or a Minkowski distance.</param>
/// <param name="Scale">Factor of what is gathered.</param>
/// <param name="Order">p of Minkowski's distance; 1 elsewhere.</param>
/// <param name="Power">Taken of the whole.</param>
/// <param name="Points">What the points are before anything is gathered: themselves, or unit vectors.</param>
sealed record GpuGroundCost(GpuProgram Program, double Scale, double Order, double Power, Func<Matrix, Matrix> Points)
{
    /// <summary>Whether dot products and norms can stand for differences.</summary>
    public bool HasDots => Program == GpuProgram.Squared && Power == 1;

    /// <summary>How what is gathered grows with the unit of length: its square, or itself.</summary>
    public int Degree => Program == GpuProgram.Squared ? 2 : 1;

    /// <summary>The formula of a ground cost, or null where kernels have none.</summary>
    public static GpuGroundCost? Of(GroundCost cost) =>
        cost switch
        {
            GroundCost.SquaredEuclideanCost squared => new(GpuProgram.Squared, squared.Scale, 1, 1, Same),
            GroundCost.MinkowskiCost minkowski => new(GpuProgram.Minkowski, 1, minkowski.Order, 1, Same),
            GroundCost.PowerCost power => Of(power.Inner) is { } inner
                ? inner with
                {
                    Power = inner.Power * power.Exponent,
                }
                : null,
            // 1 − cos = |u − v|² / 2 for unit vectors.
            _ when cost == GroundCost.Cosine => new(GpuProgram.Squared, 0.5, 1, 1, cost.Prepared),
            _ when cost == GroundCost.Euclidean => new(GpuProgram.Euclidean, 1, 1, 1, Same),
            _ when cost == GroundCost.CityBlock => new(GpuProgram.CityBlock, 1, 1, 1, Same),
            _ when cost == GroundCost.Chebyshev => new(GpuProgram.Chebyshev, 1, 1, 1, Same),
            _ => null,
        };

    static Matrix Same(Matrix points) => points;
}
