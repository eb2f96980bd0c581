using System.Runtime.CompilerServices;
using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Blas;

/// <summary>
/// A point cloud whose costs are <c>s|x_i|² + s|y_j|² − 2s x_i·y_j</c>: points about their common mean, norms, and dot products of blocks of them by BLAS.
/// </summary>
/// <remarks>Squared distances and their half; the cosine cost is half the squared distance of unit vectors.</remarks>
sealed unsafe class DotProducts<T>
    where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
{
    readonly BlasLibrary _blas;
    readonly double[] _source;
    readonly AlignedBuffer<T> _target;

    /// <summary>Moves both clouds to their common mean.</summary>
    public DotProducts(BlasLibrary blas, PointCloud cloud)
    {
        Matrix source = cloud.GroundCost.Prepared(cloud.Source),
            target = cloud.GroundCost.Prepared(cloud.Target);
        int d = cloud.Dimension;
        (_blas, Dimension, Scale, Padded) = (blas, d, ScaleOf(cloud.GroundCost)!.Value, Pad(target.Rows));
        double[] centre = Centred.Mean(source, target);
        _source = new double[source.Rows * d];
        SourceNorms = new double[source.Rows];
        for (int i = 0; i < source.Rows; i++)
        {
            double norm = 0;
            for (int k = 0; k < d; k++)
            {
                double x = source[i, k] - centre[k];
                _source[(i * d) + k] = x;
                norm += x * x;
            }
            SourceNorms[i] = Scale * norm;
        }
        _target = new AlignedBuffer<T>(checked(Padded * d), colour: 0);
        TargetNorms = new double[target.Rows];
        for (int j = 0; j < target.Rows; j++)
        {
            double norm = 0;
            for (int k = 0; k < d; k++)
            {
                // The norm belongs to the point as it is stored, or the exponent would not be that of a squared distance.
                T y = T.CreateTruncating(target[j, k] - centre[k]);
                _target.Span[(j * d) + k] = y;
                norm += double.CreateTruncating(y) * double.CreateTruncating(y);
            }
            TargetNorms[j] = Scale * norm;
        }
    }

    /// <summary>s: 1, or 1/2.</summary>
    public double Scale { get; }

    /// <summary>Number of coordinates, d.</summary>
    public int Dimension { get; }

    /// <summary>Columns rounded up to four registers of the widest kind, by points at the centre, whose products are 0.</summary>
    public int Padded { get; }

    /// <summary><c>s|x_i|²</c>.</summary>
    public double[] SourceNorms { get; }

    /// <summary><c>s|y_j|²</c>.</summary>
    public double[] TargetNorms { get; }

    /// <summary>s where the cost is a multiple of the squared distance of <see cref="GroundCost.Prepared"/> points; else null.</summary>
    public static double? ScaleOf(GroundCost cost) =>
        cost switch
        {
            GroundCost.SquaredEuclideanCost squared => squared.Scale,
            GroundCost.CosineCost => 0.5,
            _ => null,
        };

    /// <summary>Bytes of what is kept here.</summary>
    public static long Bytes(int rows, int columns, int dimension) =>
        ((long)Pad(columns) * dimension * sizeof(T)) + (((rows * (dimension + 1L)) + columns) * sizeof(double));

    /// <summary><c>scale x_i·y_j</c> of some rows with the first columns.</summary>
    /// <param name="row">First row.</param>
    /// <param name="count">Rows.</param>
    /// <param name="scale">What the dot products are multiplied by.</param>
    /// <param name="scaled">Room for the rows times the scale.</param>
    /// <param name="to">Receives the products.</param>
    /// <param name="width">Columns: m, or <see cref="Padded"/>.</param>
    /// <param name="stride">Elements from one row of products to the next.</param>
    public void Multiply(int row, int count, double scale, AlignedBuffer<T> scaled, ref T to, int width, int stride)
    {
        int d = Dimension;
        ReadOnlySpan<double> from = _source.AsSpan(row * d, count * d);
        for (int k = 0; k < from.Length; k++)
            scaled.Span[k] = T.CreateSaturating(scale * from[k]);
        fixed (
            T* x = &scaled.Start,
                y = &_target.Start,
                products = &to
        )
            _blas.MultiplyTransposed(count, width, d, x, d, y, d, products, stride);
    }

    static int Pad(int columns) => checked((columns + 63) / 64 * 64);
}
