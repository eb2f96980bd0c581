using System.Numerics.Tensors;
using OT.Backends;
using OT.Backends.Managed;
using OT.Numerics;

namespace OT.Accelerators.Blas;

/// <summary>What needs the costs themselves, in doubles whatever is streamed: hard minima, products with a plan, its cost.</summary>
sealed unsafe partial class GemmOperator<TSimd, TVector, T>
{
    readonly CostRoom?[] _costRooms;
    CostBlocks? _costs;

    CostBlocks Costs => _costs ??= new CostBlocks(_cloud, _blas, Points as CentredCloud<double>);

    static long CostBytes(int rows, int columns, int d, int threads)
    {
        long points = typeof(T) == typeof(double) ? 0 : CentredCloud<double>.Bytes(rows, columns, d);
        return points + ((long)CostBlocks.RowsTogether(columns) * (columns + d) * sizeof(double) * threads);
    }

    /// <summary>What one worker makes costs in.</summary>
    sealed record CostRoom(AlignedBuffer<double> Costs, AlignedBuffer<double> Scaled);

    delegate void CostAction(int chunk, int row, int count, AlignedBuffer<double> costs);

    /// <summary>Runs an action over blocks of rows of C; count × m costs each, which it may overwrite.</summary>
    void OverCosts(CostAction action)
    {
        _ = Costs; // made by one thread
        Blocks.Run(Chunks, new CostWork(this, action));
    }

    sealed class CostWork(GemmOperator<TSimd, TVector, T> owner, CostAction action) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            int m = owner.Columns,
                most = CostBlocks.RowsTogether(m);
            CostRoom room = owner._costRooms[worker] ??= new(new(checked(most * m), colour: 0), owner.Costs.Room());
            for (int k = 0; owner.Block(block, k, most) is (var row, > 0 and var count); k++)
            {
                owner.Costs.Fill(row, count, room.Costs.Span, room.Scaled);
                action(block, row, count, room.Costs);
            }
        }
    }

    protected override void HardMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, Span<double> f)
    {
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
        if (transpose)
        {
            var swapped = new GibbsPlan
            {
                F = plan.G,
                G = plan.F,
                LogA = plan.LogB,
                LogB = plan.LogA,
                Epsilon = plan.Epsilon,
            };
            Transposed.ApplyPlan(swapped, vectors, result);
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
                fixed (
                    double* v = input,
                        p = &costs.Start,
                        to = output
                )
                    _blas.MultiplyTransposed(k, count, m, v, m, p, m, to + row, n);
            }
        );
        output.CopyTo(result);
    }

    /// <inheritdoc/>
    public override double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
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
