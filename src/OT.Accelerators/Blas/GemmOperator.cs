using System.Numerics;
using System.Runtime.CompilerServices;
using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Blas;

/// <summary>Squared distances in many dimensions, never stored: the dot products of a block of rows with a tile of columns come from BLAS.</summary>
sealed unsafe class GemmOperator<TSimd, TVector, T> : BlockedOperator<TSimd, TVector, T>
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Rows of a block at most, and at least where there are so many: fewer slow the product down, since every call packs all columns.</summary>
    const int MostRows = 96;
    const int FewestRows = 32;

    /// <summary>Bytes of a block, within those bounds: what a core may keep of a shared third-level cache.</summary>
    const int BlockBytes = 8 << 20;

    readonly BlasLibrary _blas;

    public GemmOperator(PointCloud cloud, BlasLibrary blas, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(cloud, DotProducts.Panel, BlockRows(cloud.Rows, cloud.Columns), blocks, description, cancellation)
    {
        _blas = blas;
    }

    static int BlockRows(int rows, int columns) =>
        BlockRows(rows, columns, (int)Math.Clamp(BlockBytes / ((long)columns * Unsafe.SizeOf<T>()), FewestRows, MostRows));

    /// <summary>Bytes of an operator with all that it makes when first asked.</summary>
    public static long Bytes(PointCloud cloud, int threads)
    {
        (int n, int m, int d) = (cloud.Rows, cloud.Columns, cloud.Dimension);
        return Bytes(n, m, d, BlockRows(n, m), threads)
            + Bytes(m, n, d, BlockRows(m, n), threads)
            + CostBytes(n, m, d, threads)
            + CostBytes(m, n, d, threads);
    }

    static long CostBytes(int rows, int columns, int d, int threads) =>
        CostBlocks.RoomBytes(columns, d, threads)
        + (typeof(T) == typeof(double) ? 0 : CentredCloud<double>.Bytes(rows, columns, d));

    protected override BlockedOperator<TSimd, TVector, T> Transpose(PointCloud swapped) =>
        new GemmOperator<TSimd, TVector, T>(swapped, _blas, Blocks, Description, Cancellation);

    protected override void Multiply(int count, int tile, int width, Scratch scratch) =>
        DotProducts.Multiply(
            _blas,
            Points,
            scratch.Scaled,
            count,
            tile,
            width,
            ref Unsafe.Add(ref scratch.Products.Start, tile),
            scratch.Stride
        );

    protected override CostBlocks MakeCosts(PointCloud cloud) => new ProductCosts(cloud, _blas, Points as CentredCloud<double>);

    protected override void Apply(int k, int count, double[] vectors, AlignedBuffer<double> plan, Span<double> to, int stride)
    {
        fixed (
            double* v = vectors,
                p = &plan.Start,
                result = to
        )
            _blas.MultiplyTransposed(k, count, Columns, v, Columns, p, Columns, result, stride);
    }
}
