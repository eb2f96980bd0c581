using System.Numerics;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Squared distances as norms and dot products: <c>|x − y|² = |x|² + |y|² − 2 x·y</c>, about a centre that keeps what cancels small.</summary>
internal static class Centred
{
    /// <summary>The mean of the means of two clouds.</summary>
    public static double[] Mean(Matrix source, Matrix target)
    {
        var mean = new double[source.Columns];
        for (int k = 0; k < mean.Length; k++)
        {
            double sum = 0;
            for (int i = 0; i < source.Rows; i++)
                sum += source[i, k] / source.Rows;
            for (int j = 0; j < target.Rows; j++)
                sum += target[j, k] / target.Rows;
            mean[k] = sum / 2;
        }
        return mean;
    }

    /// <summary>s where the cost is s times the squared distance of <see cref="GroundCost.Prepared"/> points; else null.</summary>
    public static double? ScaleOf(GroundCost cost) =>
        cost switch
        {
            GroundCost.SquaredEuclideanCost squared => squared.Scale,
            GroundCost.CosineCost => 0.5,
            _ => null,
        };

    /// <summary>Whether no square or product of coordinates overflows, and none that matters underflows.</summary>
    public static bool IsUsual(PointCloud cloud) => cloud.MagnitudeBound is >= 1e-280 and <= 1e300;

    /// <summary>Whether the rounding of norms as large as the largest cost, in <typeparamref name="T"/>, is small beside ε.</summary>
    /// <remarks>An exponent may be wrong by 1e-10 in doubles and 1e-3 in floats: far below the errors that each precision is asked for.</remarks>
    public static bool Resolves<T>(double largestCost, double epsilon)
        where T : IBinaryFloatingPointIeee754<T>
    {
        double rounding = typeof(T) == typeof(double) ? 1e-10 : 1e-3;
        return double.CreateTruncating(T.BitIncrement(T.One) - T.One) * largestCost <= rounding * epsilon;
    }
}
