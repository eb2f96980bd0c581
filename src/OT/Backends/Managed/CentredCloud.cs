using System.Numerics;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Two clouds moved to their common mean and packed for costs by dot products: <c>C_ij = s|x_i|² + s|y_j|² − 2s x_i·y_j</c>.</summary>
/// <remarks>
/// The mean keeps the norms, and the cancellation between them, small. Squared distances, their half, and the cosine cost, which is half the squared distance of unit
/// vectors. Arrays are never moved by the collector.
/// </remarks>
internal sealed class CentredCloud<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Packs both clouds.</summary>
    /// <param name="cloud">Points whose cost has a scale, see <see cref="Centred.ScaleOf"/>.</param>
    /// <param name="padded">Columns with those that are added, as points at the centre.</param>
    /// <param name="panel">Targets that lie together, coordinate by coordinate: 1 for point after point, all for coordinate after coordinate.</param>
    /// <param name="colour">Where the targets start in a page.</param>
    public CentredCloud(PointCloud cloud, int padded, int panel, int colour = 6)
    {
        Matrix source = cloud.GroundCost.Prepared(cloud.Source),
            target = cloud.GroundCost.Prepared(cloud.Target);
        int n = source.Rows,
            m = target.Rows;
        (Dimension, Scale, Panel) = (cloud.Dimension, Centred.ScaleOf(cloud.GroundCost)!.Value, panel);
        double[] centre = Centred.Mean(source, target);
        Source = GC.AllocateArray<double>(n * Dimension, pinned: true);
        SourceNorms = GC.AllocateArray<double>(n, pinned: true);
        Target = new AlignedBuffer<T>(checked((padded + panel - 1) / panel * panel * Dimension), colour);
        TargetNorms = new double[m];
        for (int i = 0; i < n; i++)
        {
            double norm = 0;
            for (int k = 0; k < Dimension; k++)
            {
                double x = source[i, k] - centre[k];
                Source[(i * Dimension) + k] = x;
                norm += x * x;
            }
            SourceNorms[i] = Scale * norm;
        }
        Span<T> packed = Target.Span;
        for (int j = 0; j < m; j++)
        {
            double norm = 0;
            int start = PanelStart(j) + (j % panel);
            for (int k = 0; k < Dimension; k++)
            {
                // The norm belongs to the point as it is stored, or the exponent would not be that of a squared distance.
                T y = T.CreateTruncating(target[j, k] - centre[k]);
                packed[start + (k * panel)] = y;
                norm += double.CreateTruncating(y) * double.CreateTruncating(y);
            }
            TargetNorms[j] = Scale * norm;
        }
    }

    /// <summary>Bytes of what is kept here.</summary>
    public static long Bytes(int rows, int padded, int dimension) =>
        ((long)padded * ((dimension * (long)System.Runtime.CompilerServices.Unsafe.SizeOf<T>()) + sizeof(double)))
        + (rows * (dimension + 1L) * sizeof(double));

    /// <summary>Targets that lie together.</summary>
    public int Panel { get; }

    /// <summary>Number of coordinates, d.</summary>
    public int Dimension { get; }

    /// <summary>s: 1, or a half.</summary>
    public double Scale { get; }

    /// <summary>Source points, n × d.</summary>
    public double[] Source { get; }

    /// <summary>s|x_i|².</summary>
    public double[] SourceNorms { get; }

    /// <summary>Targets by panels: coordinate k of target j at <c>PanelStart(j) + k · panel + j mod panel</c>.</summary>
    public AlignedBuffer<T> Target { get; }

    /// <summary>s|y_j|².</summary>
    public double[] TargetNorms { get; }

    /// <summary>Where the panel of target j starts.</summary>
    public int PanelStart(int j) => j / Panel * Panel * Dimension;

    /// <summary>Source points <paramref name="row"/> … times a scale.</summary>
    public void Scaled(int row, int count, double scale, Span<T> rows)
    {
        ReadOnlySpan<double> from = Source.AsSpan(row * Dimension, count * Dimension);
        for (int k = 0; k < from.Length; k++)
            rows[k] = T.CreateSaturating(scale * from[k]);
    }
}
