using System.Runtime.ExceptionServices;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>Another geometry read from target to source: <c>Cᵀ</c>.</summary>
internal sealed class Transposed : Geometry
{
    readonly Geometry _inner;

    Transposed(Geometry inner) => _inner = inner;

    /// <summary>The transpose: clouds swapped, a table transposed where it fits in <paramref name="tableBytes"/>, and else costs asked for one by one.</summary>
    public static Geometry Of(Geometry geometry, long tableBytes)
    {
        // A cost of the user's own need not be symmetric.
        if (geometry is PointCloud { GroundCost.IsSymmetric: true } cloud)
            return new PointCloud(cloud.Target, cloud.Source, cloud.GroundCost);
        if (sizeof(double) * (long)geometry.Rows * geometry.Columns > tableBytes)
            return new Transposed(geometry);
        int n = geometry.Rows,
            m = geometry.Columns;
        var costs = new double[Guard.ArrayLength(n, m, "a transposed cost matrix")];
        const int together = 16; // rows, so that columns are written a cache line at a time
        void Turn(int block)
        {
            int start = block * together,
                count = Math.Min(together, n - start);
            var rows = new double[count * m];
            geometry.CostRows(start, count, rows);
            for (int j = 0; j < m; j++)
            {
                for (int i = 0; i < count; i++)
                    costs[((long)j * n) + start + i] = rows[(i * m) + j];
            }
        }
        try
        {
            Parallel.For(0, (n + together - 1) / together, Turn);
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]); // a cost of the caller's own
        }
        return new CostMatrix(m, n, costs);
    }

    /// <inheritdoc/>
    public override int Rows => _inner.Columns;

    /// <inheritdoc/>
    public override int Columns => _inner.Rows;

    /// <inheritdoc/>
    public override bool HasForbiddenPairs => _inner.HasForbiddenPairs;

    /// <inheritdoc/>
    public override double MagnitudeBound => _inner.MagnitudeBound;

    /// <inheritdoc/>
    public override double Cost(int row, int column) => _inner.Cost(column, row);
}
