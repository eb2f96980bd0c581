using System.Numerics;
using System.Runtime.CompilerServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Squared Euclidean costs of points in many dimensions by dot products in registers.</summary>
/// <remarks>All targets come once per block of rows, where <see cref="PointCloudOperator{TSimd, TVector, T}"/> reads them for every two rows.</remarks>
internal sealed class BlockedCloudOperator<TSimd, TVector, T> : BlockedOperator<TSimd, TVector, T>
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Least number of coordinates from which blocks are no slower at any shape (measured: docs/theory/blas.md).</summary>
    public const int FewestDimensions = 8;

    /// <summary>Rows of a block at most: reading the targets for so many hides behind the arithmetic. More gain nothing.</summary>
    const int MostRows = 16;

    public BlockedCloudOperator(PointCloud cloud, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(
            cloud,
            DotTile<TSimd, TVector, T>.Panel,
            BlockRows(cloud.Rows, cloud.Columns, MostRows),
            blocks,
            description,
            cancellation
        ) { }

    /// <summary>Bytes of an operator with all that it makes when first asked.</summary>
    public static long Bytes(PointCloud cloud, int threads)
    {
        (int n, int m, int d) = (cloud.Rows, cloud.Columns, cloud.Dimension);
        return Bytes(n, m, d, BlockRows(n, m, MostRows), threads)
            + Bytes(m, n, d, BlockRows(m, n, MostRows), threads)
            + TiledCosts.Bytes(n, m, d, threads)
            + TiledCosts.Bytes(m, n, d, threads);
    }

    protected override BlockedOperator<TSimd, TVector, T> Transpose(PointCloud swapped) =>
        new BlockedCloudOperator<TSimd, TVector, T>(swapped, Blocks, Description, Cancellation);

    protected override void Multiply(int count, int tile, int width, Scratch scratch) =>
        DotTile<TSimd, TVector, T>.Multiply(
            Points,
            scratch.Scaled,
            count,
            tile,
            width,
            ref Unsafe.Add(ref scratch.Products.Start, tile),
            scratch.Stride
        );

    protected override CostBlocks MakeCosts(PointCloud cloud) => TiledCosts.Of(cloud, Points as CentredCloud<double>);
}
