using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>What needs the costs themselves, in doubles whatever is streamed: hard minima, products with a plan, its cost.</summary>
internal abstract partial class BlockedOperator<TSimd, TVector, T>
{
    readonly (AlignedBuffer<double> Costs, CostBlocks.Room Room)?[] _costRooms;
    CostBlocks? _costs;

    /// <summary>What makes the costs.</summary>
    protected abstract CostBlocks MakeCosts(PointCloud cloud);

    /// <summary><c>V Pᵀ</c>, k × count, for rows of a plan and k vectors; element (l, r) goes to <c>to[l · stride + r]</c>.</summary>
    protected virtual void Apply(int k, int count, double[] vectors, AlignedBuffer<double> plan, Span<double> to, int stride)
    {
        for (int l = 0; l < k; l++)
        {
            for (int r = 0; r < count; r++)
                to[(l * stride) + r] = TensorPrimitives.Dot(
                    plan.Span.Slice(r * Columns, Columns),
                    vectors.AsSpan(l * Columns, Columns)
                );
        }
    }

    delegate void CostAction(int chunk, int row, int count, AlignedBuffer<double> costs);

    /// <summary>Runs an action over blocks of rows of C; count × m costs each, which it may overwrite.</summary>
    void OverCosts(CostAction action)
    {
        _costs ??= MakeCosts(_cloud);
        Blocks.Run(Chunks, new CostWork(this, action));
    }

    sealed class CostWork(BlockedOperator<TSimd, TVector, T> owner, CostAction action) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            int m = owner.Columns,
                most = CostBlocks.RowsTogether(m);
            CostBlocks made = owner._costs!;
            (AlignedBuffer<double> costs, CostBlocks.Room room) = owner._costRooms[worker] ??= (
                new(checked(most * m), colour: 0),
                made.NewRoom()
            );
            for (int k = 0; owner.Block(block, k, most) is (var row, > 0 and var count); k++)
            {
                made.Fill(row, count, costs.Span, room);
                action(block, row, count, costs);
            }
        }
    }

    protected override void HardMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, Span<double> f)
    {
        if (!Centred.IsUsual(_cloud))
        {
            base.HardMinRows(g, logB, f);
            return;
        }
        double[] offsets = Allowed(g, logB);
        var minima = new double[Rows];
        OverCosts(
            (_, row, count, costs) =>
            {
                for (int r = 0; r < count; r++)
                {
                    Span<double> own = costs.Span.Slice(r * offsets.Length, offsets.Length);
                    TensorPrimitives.Subtract(own, offsets, own);
                    minima[row + r] = TensorPrimitives.Min<double>(own);
                }
            }
        );
        minima.CopyTo(f);
    }

    /// <inheritdoc/>
    public override void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false)
    {
        if (!Centred.IsUsual(_cloud))
        {
            base.ApplyPlan(plan, vectors, result, transpose);
            return;
        }
        if (transpose)
        {
            Transposed.ApplyPlan(plan.Transposed, vectors, result);
            StopWith(Transposed);
            return;
        }
        int n = Rows,
            m = Columns,
            k = vectors.Length / m;
        Guard.Length(vectors.Length, k * m, nameof(vectors));
        Guard.Length(result.Length, k * n, nameof(result));
        var rows = new PlanRows(plan);
        double[] input = vectors.ToArray(),
            output = new double[k * n];
        OverCosts(
            (_, row, count, costs) =>
            {
                for (int r = 0; r < count; r++)
                    rows.Fill(row + r, costs.Span.Slice(r * m, m));
                Apply(k, count, input, costs, output.AsSpan(row), n);
            }
        );
        output.CopyTo(result);
    }

    /// <inheritdoc/>
    public override double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
        if (!Centred.IsUsual(_cloud))
            return base.TransportCost(plan, rowSums, columnSums);
        int m = Columns;
        var rows = new PlanRows(plan);
        var sums = new double[Rows];
        var totals = new double[Rows];
        for (int c = 0; c < Chunks; c++)
            Array.Clear(ChunkColumns(c)); // the iteration's own, at rest here
        OverCosts(
            (chunk, row, count, costs) =>
            {
                for (int r = 0; r < count; r++)
                    (sums[row + r], totals[row + r]) = rows.Sweep(row + r, costs.Span.Slice(r * m, m), ChunkColumns(chunk));
            }
        );
        columnSums.Clear();
        for (int c = 0; c < Chunks; c++)
            AddTo(columnSums, ChunkColumns(c));
        sums.CopyTo(rowSums);
        return Summation.Sum(totals);
    }
}
