using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Blas;

/// <summary>A table of squared distances, block by block of rows.</summary>
sealed class CostTable : IBlockWork
{
    readonly int _columns;
    readonly int _rows;
    readonly int _together;
    readonly CostBlocks _blocks;
    readonly double[] _costs;
    readonly CostBlocks.Room?[] _rooms;

    CostTable(PointCloud cloud, BlasLibrary blas, int threads)
    {
        (_rows, _columns, _together) = (cloud.Rows, cloud.Columns, CostBlocks.RowsTogether(cloud.Columns));
        _blocks = new ProductCosts(cloud, blas);
        _rooms = new CostBlocks.Room?[threads];
        // Every element is written, so none need be cleared.
        _costs = GC.AllocateUninitializedArray<double>(Guard.ArrayLength(_rows, _columns, "a cost matrix"));
    }

    /// <summary>Bytes beside the table.</summary>
    public static long WorkspaceBytes(PointCloud cloud, int threads) =>
        CentredCloud<double>.Bytes(cloud.Rows, cloud.Columns, cloud.Dimension)
        + ((long)threads * CostBlocks.RowsTogether(cloud.Columns) * cloud.Dimension * sizeof(double));

    /// <summary>Makes the table.</summary>
    public static CostMatrix Of(PointCloud cloud, BlasLibrary blas, RowBlocks loop, string maker)
    {
        var table = new CostTable(cloud, blas, loop.Threads);
        loop.Run((cloud.Rows + table._together - 1) / table._together, table);
        return CostMatrix.OfFinite(cloud.Rows, cloud.Columns, table._costs, maker);
    }

    public void Run(int block, int worker)
    {
        int row = block * _together,
            count = Math.Min(_together, _rows - row);
        _blocks.Fill(row, count, _costs.AsSpan(row * _columns, count * _columns), _rooms[worker] ??= _blocks.NewRoom());
    }
}
