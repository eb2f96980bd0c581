using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Blocks of rows of squared distances by dot products in registers, the widest there are.</summary>
internal static class TiledCosts
{
    /// <summary>Blocks by the packed points that are given where they suit, else by others.</summary>
    public static CostBlocks Of(PointCloud cloud, CentredCloud<double>? points) =>
        Simd.Width switch
        {
            512 => new Tiled<Simd512<double>, Vector512<double>>(cloud, points),
            256 => new Tiled<Simd256<double>, Vector256<double>>(cloud, points),
            128 => new Tiled<Simd128<double>, Vector128<double>>(cloud, points),
            _ => new Tiled<SimdScalar<double>, double>(cloud, points),
        };

    /// <summary>Bytes at most, with the room of so many workers for costs too.</summary>
    public static long Bytes(int rows, int columns, int dimension, int threads) =>
        CentredCloud<double>.Bytes(rows, Padded(columns), dimension) + CostBlocks.RoomBytes(columns, dimension, threads);

    static int Padded(int columns) => checked((columns + 63) / 64 * 64);

    sealed class Tiled<TSimd, TVector>(PointCloud cloud, CentredCloud<double>? points) : CostBlocks(cloud, Packed(cloud, points))
        where TSimd : struct, ISimd<TVector, double>
    {
        static CentredCloud<double> Packed(PointCloud cloud, CentredCloud<double>? points)
        {
            int panel = DotTile<TSimd, TVector, double>.Panel;
            return points?.Panel == panel ? points : new CentredCloud<double>(cloud, Padded(cloud.Columns), panel, colour: 0);
        }

        protected override int ProductColumns => TileColumns;

        protected override void Multiply(
            CentredCloud<double> points,
            Room room,
            int count,
            int tile,
            int width,
            Span<double> to,
            int stride
        )
        {
            int panel = DotTile<TSimd, TVector, double>.Panel,
                panels = (width + panel - 1) / panel * panel;
            ref double products = ref room.Products.Start;
            DotTile<TSimd, TVector, double>.Multiply(points, room.Scaled, count, tile, panels, ref products, TileColumns);
            for (int r = 0; r < count; r++)
                room.Products.Span.Slice(r * TileColumns, width).CopyTo(to[(r * stride)..]);
        }
    }
}
