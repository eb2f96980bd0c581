using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Blocks of rows of squared distances in doubles, by dot products: as accurate as differences of coordinates.</summary>
/// <remarks>
/// <c>s|x|² + s|y|² − 2s x·y</c> is wrong by at most <c>(d + 4) 2⁻⁵³ s(|x|² + |y|²)</c>. A cost below 1/16 of the norms' sum is computed again from differences, so the relative error of
/// every cost is below <c>(d + 4) 2⁻⁴⁹</c>, none is negative and a point is at distance 0 from itself.
/// </remarks>
/// <param name="cloud">The points.</param>
/// <param name="points">The same, packed as <see cref="Multiply"/> wants them.</param>
internal abstract class CostBlocks(PointCloud cloud, CentredCloud<double> points)
{
    const double Cancelled = 1.0 / 16;

    /// <summary>Columns looked through together for costs that cancelled.</summary>
    const int Segment = 256;

    /// <summary>Columns of a tile: with its rows, what the second-level cache holds.</summary>
    protected const int TileColumns = 4 * Segment;

    /// <summary>Rows that are made together: as many as let the product run at speed, of at most 8 MiB; a multiple of 4.</summary>
    public static int RowsTogether(int columns) => (int)Math.Clamp((8L << 20) / sizeof(double) / columns / 4 * 4, 16, 128);

    /// <summary>Bytes of the room of so many workers, and of a block of costs each.</summary>
    public static long RoomBytes(int columns, int dimension, int threads) =>
        (long)RowsTogether(columns) * (columns + dimension + TileColumns) * sizeof(double) * threads;

    /// <summary>What one worker computes in.</summary>
    public sealed record Room(AlignedBuffer<double> Scaled, AlignedBuffer<double> Products);

    /// <summary>Room for one worker.</summary>
    public Room NewRoom() =>
        new(
            new(checked(RowsTogether(cloud.Columns) * points.Dimension), colour: 0),
            new(checked(RowsTogether(cloud.Columns) * ProductColumns), colour: 4)
        );

    /// <summary>Columns of products that <see cref="Multiply"/> wants room for.</summary>
    protected abstract int ProductColumns { get; }

    /// <summary>Dot products of <see cref="Room.Scaled"/> with a tile of columns.</summary>
    /// <param name="points">The columns.</param>
    /// <param name="room">Where the rows are.</param>
    /// <param name="count">Rows.</param>
    /// <param name="tile">First column.</param>
    /// <param name="width">Columns, at most <see cref="TileColumns"/>.</param>
    /// <param name="to">Receives the products, the first row's first.</param>
    /// <param name="stride">Elements from one row to the next.</param>
    protected abstract void Multiply(
        CentredCloud<double> points,
        Room room,
        int count,
        int tile,
        int width,
        Span<double> to,
        int stride
    );

    /// <summary>Rows <paramref name="row"/> … of C, one after the other.</summary>
    /// <param name="row">First row.</param>
    /// <param name="count">Rows, at most <see cref="RowsTogether"/>.</param>
    /// <param name="costs">Receives count × m costs.</param>
    /// <param name="room">See <see cref="NewRoom"/>.</param>
    public void Fill(int row, int count, Span<double> costs, Room room)
    {
        int m = cloud.Columns;
        Span<int> mended = stackalloc int[count];
        mended.Clear();
        points.Scaled(row, count, -2 * points.Scale, room.Scaled.Span);
        for (int tile = 0; tile < m; tile += TileColumns)
        {
            int width = Math.Min(TileColumns, m - tile);
            Multiply(points, room, count, tile, width, costs[tile..], m);
            for (int r = 0; r < count; r++)
            {
                if (mended[r] <= m / 16)
                    mended[r] += AddNorms(row + r, tile, costs.Slice((r * m) + tile, width));
            }
        }
        for (int r = 0; r < count; r++)
        {
            // Clusters far from each other: differences throughout are faster than one by one.
            if (mended[r] > m / 16)
                cloud.CostRow(row + r, costs.Slice(r * m, m));
        }
    }

    /// <summary>Makes costs of a row's products; returns how many had to be made from differences.</summary>
    int AddNorms(int row, int tile, Span<double> costs)
    {
        int mended = 0;
        for (int start = 0; start < costs.Length; start += Segment)
        {
            int length = Math.Min(Segment, costs.Length - start);
            Span<double> segment = costs.Slice(start, length);
            if (AddNorms(points.SourceNorms[row], points.TargetNorms.AsSpan(tile + start, length), segment) > 0)
                mended += Mend(row, tile + start, segment);
        }
        return mended;
    }

    int Mend(int row, int start, Span<double> costs)
    {
        int mended = 0;
        for (int j = 0; j < costs.Length; j++)
        {
            double norms = points.SourceNorms[row] + points.TargetNorms[start + j];
            if (costs[j] < Cancelled * norms)
            {
                costs[j] = cloud.Cost(row, start + j);
                mended++;
            }
        }
        return mended;
    }

    /// <summary>Adds the norms to products of −2s; gives a positive number if some cost is below its share of the norms.</summary>
    static double AddNorms(double norm, ReadOnlySpan<double> norms, Span<double> costs) =>
        Simd.Width switch
        {
            512 => AddNorms<Simd512<double>, Vector512<double>>(norm, norms, costs),
            256 => AddNorms<Simd256<double>, Vector256<double>>(norm, norms, costs),
            128 => AddNorms<Simd128<double>, Vector128<double>>(norm, norms, costs),
            _ => AddNorms<SimdScalar<double>, double>(norm, norms, costs),
        };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double AddNorms<TSimd, TVector>(double norm, ReadOnlySpan<double> norms, Span<double> costs)
        where TSimd : struct, ISimd<TVector, double>
    {
        int whole = costs.Length / TSimd.Count * TSimd.Count;
        return Math.Max(
            Part<TSimd, TVector>(norm, norms, costs[..whole]),
            Part<SimdScalar<double>, double>(norm, norms[whole..], costs[whole..])
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static double Part<TSimd, TVector>(double norm, ReadOnlySpan<double> norms, Span<double> costs)
        where TSimd : struct, ISimd<TVector, double>
    {
        ref double y = ref MemoryMarshal.GetReference(norms);
        ref double c = ref MemoryMarshal.GetReference(costs);
        TVector x = TSimd.Fill(norm),
            share = TSimd.Fill(Cancelled),
            minus = TSimd.Fill(-1),
            most = TSimd.Fill(double.NegativeInfinity);
        for (nint j = 0; j < costs.Length; j += TSimd.Count)
        {
            TVector both = TSimd.Add(x, TSimd.Load(ref y, j));
            TVector cost = TSimd.Add(both, TSimd.Load(ref c, j));
            TSimd.Store(cost, ref c, j);
            most = TSimd.Max(most, TSimd.MultiplyAdd(cost, minus, TSimd.Multiply(both, share)));
        }
        return TSimd.MaxAcross(most);
    }
}
