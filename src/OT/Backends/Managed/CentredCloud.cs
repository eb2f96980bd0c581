using System.Numerics;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Two clouds moved to their common mean and packed for costs by dot products: <c>C_ij = s|x_i|² + s|y_j|² − 2s x_i·y_j</c>.</summary>
/// <remarks>The mean keeps the norms, and the cancellation between them, small. Arrays are never moved by the collector.</remarks>
internal sealed class CentredCloud<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Packs both clouds; targets are padded with zeros to <paramref name="padded"/> columns.</summary>
    public CentredCloud(PointCloud cloud, int padded)
    {
        int n = cloud.Rows,
            m = cloud.Columns,
            d = cloud.Dimension;
        Scale = ((GroundCost.SquaredEuclideanCost)cloud.GroundCost).Scale;
        double[] centre = Centred.Mean(cloud.Source, cloud.Target);
        Stride = AlignedBuffer<T>.Stride(padded);
        Source = GC.AllocateArray<double>(n * d, pinned: true);
        SourceNorms = GC.AllocateArray<double>(n, pinned: true);
        Target = new AlignedBuffer<T>(d * Stride, colour: 6);
        TargetNorms = new double[m];
        for (int i = 0; i < n; i++)
        {
            double norm = 0;
            for (int k = 0; k < d; k++)
            {
                double x = cloud.Source[i, k] - centre[k];
                Source[(i * d) + k] = x;
                norm += x * x;
            }
            SourceNorms[i] = Scale * norm;
        }
        for (int j = 0; j < m; j++)
        {
            double norm = 0;
            for (int k = 0; k < d; k++)
            {
                // The norm belongs to the point as it is stored, or the exponent would not be that of a squared distance.
                T y = T.CreateTruncating(cloud.Target[j, k] - centre[k]);
                Target.Span[(k * Stride) + j] = y;
                norm += double.CreateTruncating(y) * double.CreateTruncating(y);
            }
            TargetNorms[j] = Scale * norm;
        }
    }

    /// <summary>s: 1, or a half.</summary>
    public double Scale { get; }

    /// <summary>Source points, n × d.</summary>
    public double[] Source { get; }

    /// <summary>s|x_i|².</summary>
    public double[] SourceNorms { get; }

    /// <summary>Target coordinates: coordinate k of all points starts at k times <see cref="Stride"/>.</summary>
    public AlignedBuffer<T> Target { get; }

    /// <summary>Elements from one coordinate of the targets to the next.</summary>
    public int Stride { get; }

    /// <summary>s|y_j|².</summary>
    public double[] TargetNorms { get; }
}
