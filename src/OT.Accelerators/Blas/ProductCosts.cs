using OT.Backends.Managed;
using OT.Geometries;

namespace OT.Accelerators.Blas;

/// <summary>Blocks of rows of squared distances by matrix products of BLAS, in place.</summary>
sealed class ProductCosts(PointCloud cloud, BlasLibrary blas, CentredCloud<double>? points = null)
    : CostBlocks(cloud, points ?? new CentredCloud<double>(cloud, cloud.Columns, DotProducts.Panel, colour: 0))
{
    protected override int ProductColumns => 0;

    protected override void Multiply(
        CentredCloud<double> points,
        Room room,
        int count,
        int tile,
        int width,
        Span<double> to,
        int stride
    ) => DotProducts.Multiply(blas, points, room.Scaled, count, tile, width, ref to[0], stride);
}
