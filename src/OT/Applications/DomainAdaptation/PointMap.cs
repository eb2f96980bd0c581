using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>Where any point goes: one direction of a <see cref="PlanMap"/>.</summary>
abstract class PointMap
{
    /// <summary>The image of one point.</summary>
    public abstract void Map(ReadOnlySpan<double> point, Span<double> image);

    /// <summary>The images of many, on all threads; each is its own business, so their number changes no bit.</summary>
    public Matrix Map(Matrix points)
    {
        int d = points.Columns;
        var images = new double[points.Rows * d];
        Parallel.For(0, points.Rows, i => Map(points.Row(i), images.AsSpan(i * d, d)));
        return new Matrix(points.Rows, d, images);
    }
}
