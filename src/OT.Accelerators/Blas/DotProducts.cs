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

    /// <summary>Rows of the source times a scale, as <see cref="Multiply"/> takes them.</summary>
    public void Scaled(int row, int count, double scale, AlignedBuffer<T> rows)
    {
        ReadOnlySpan<double> from = _source.AsSpan(row * Dimension, count * Dimension);
        Span<T> to = rows.Span;
        for (int k = 0; k < from.Length; k++)
            to[k] = T.CreateSaturating(scale * from[k]);
    }

    /// <summary>Dot products of rows with a tile of columns.</summary>
    /// <param name="rows">See <see cref="Scaled"/>.</param>
    /// <param name="count">Rows.</param>
    /// <param name="tile">First column.</param>
    /// <param name="width">Columns, up to <see cref="Padded"/>.</param>
    /// <param name="to">Receives the products, the first row's first.</param>
    /// <param name="stride">Elements from one row of products to the next.</param>
    public void Multiply(AlignedBuffer<T> rows, int count, int tile, int width, ref T to, int stride)
    {
        fixed (
            T* x = &rows.Start,
                y = &Unsafe.Add(ref _target.Start, (nint)tile * Dimension),
                products = &to
        )
            _blas.MultiplyTransposed(count, width, Dimension, x, Dimension, y, Dimension, products, stride);
    }

    static int Pad(int columns) => checked((columns + 63) / 64 * 64);
}
