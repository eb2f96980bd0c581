using OT.Backends;
using OT.Numerics;

namespace OT.Accelerators.Native;

/// <content>Plans, hard minima and soft minima of columns: in doubles, from the costs themselves.</content>
sealed unsafe partial class NativeOperator<T>
{
    /// <summary>2^x is 0 there, and half of it says that nothing was larger.</summary>
    static readonly double Lowest = Simd.Lowest<double>();

    /// <inheritdoc/>
    public override void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false)
    {
        int length = transpose ? Rows : Columns,
            count = vectors.Length / length;
        Guard.Length(vectors.Length, count * length, nameof(vectors));
        Guard.Length(result.Length, count * (transpose ? Columns : Rows), nameof(result));
        result.Clear();
        fixed (
            double* v = vectors,
                to = result
        )
        {
            double* input = v,
                output = to;
            WithPlan(
                plan,
                (costs, entries) =>
                {
                    if (transpose)
                    {
                        OverColumns(
                            count,
                            (first, last, start, end) =>
                                LibOt.ot_apply_transpose_f64(_isa, costs, entries, count, input, output, first, last, start, end)
                        );
                        return;
                    }
                    OverRows(
                        count,
                        (_, start, end) => LibOt.ot_apply_plan_f64(_isa, costs, entries, count, input, output, start, end)
                    );
                }
            );
        }
    }

    /// <inheritdoc/>
    public override double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
        var costsOfRows = new double[Rows];
        for (int c = 0; c < Chunks; c++)
            Array.Clear(ChunkColumns(c));
        fixed (
            double* sums = rowSums,
                rowCosts = costsOfRows
        )
        {
            double* rows = sums,
                row = rowCosts;
            WithPlan(
                plan,
                (costs, entries) =>
                    OverRows(
                        0,
                        (chunk, _, start, end) =>
                        {
                            fixed (double* columns = ChunkColumns(chunk))
                                return LibOt.ot_sum_plan_f64(_isa, costs, entries, rows, row, columns, start, end);
                        }
                    )
            );
        }
        ChunkColumns(0).CopyTo(columnSums);
        for (int c = 1; c < Chunks; c++)
            AddTo(columnSums, ChunkColumns(c));
        return Summation.Sum(costsOfRows);
    }

    /// <summary><c>f_i = min over j with finite logB of C_ij − g_j</c>, or the like of the columns.</summary>
    void HardMinima(ReadOnlySpan<double> potential, ReadOnlySpan<double> logWeights, Span<double> minima, bool ofColumns)
    {
        minima.Fill(double.PositiveInfinity);
        fixed (
            double* offsets = Allowed(potential, logWeights),
                to = minima
        )
        {
            double* input = offsets,
                output = to;
            WithExact(costs =>
            {
                if (ofColumns)
                {
                    OverColumns(
                        0,
                        (first, last, start, end) => LibOt.ot_min_columns_f64(_isa, costs, input, output, first, last, start, end)
                    );
                    return;
                }
                OverRows(0, (_, start, end) => LibOt.ot_min_rows_f64(_isa, costs, input, output, start, end));
            });
        }
    }

    void StoredSoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        var top = new double[Columns];
        Array.Fill(top, Lowest);
        var sums = new double[Columns];
        fixed (
            double* potential = f,
                weights = logA,
                highest = top,
                totals = sums
        )
        {
            double* input = potential,
                logs = weights,
                tops = highest,
                under = totals;
            WithExact(costs =>
                OverColumns(
                    0,
                    (first, last, start, end) =>
                        LibOt.ot_softmin_columns_f64(_isa, costs, epsilon, input, logs, tops, under, first, last, start, end)
                )
            );
        }
        for (int j = 0; j < g.Length; j++)
        {
            g[j] = top[j] <= Lowest / 2 ? double.PositiveInfinity : -epsilon * (top[j] + Math.Log2(sums[j])) / Log2E;
        }
    }

    /// <summary>What is done with the costs themselves, pinned for its while.</summary>
    delegate void CostAction(LibOt.Geometry* costs);

    delegate void PlanAction(LibOt.Geometry* costs, LibOt.Plan* plan);

    void WithExact(CostAction action)
    {
        EnsureExact();
        fixed (double* doubles = _doubles)
        fixed (float* singles = _singles)
        {
            LibOt.Geometry geometry = Exact(doubles, singles);
            action(&geometry);
        }
    }

    void WithPlan(in GibbsPlan plan, PlanAction action)
    {
        fixed (
            double* f = plan.F,
                logA = plan.LogA,
                g = plan.G,
                logB = plan.LogB
        )
        {
            var gibbs = new LibOt.Plan
            {
                Epsilon = plan.Epsilon,
                F = f,
                LogA = logA,
                G = g,
                LogB = logB,
            };
            LibOt.Plan* entries = &gibbs;
            WithExact(costs => action(costs, entries));
        }
    }

    /// <summary>Rows of one native call over so many columns: a multiple of 4.</summary>
    int CallRows(int columns, int vectors)
    {
        long work = columns * (8L + (_cloud?.Dimension ?? 0) + vectors);
        return (int)Math.Clamp(CallWork / work / 4 * 4, 4, int.MaxValue / 4 * 4 / 2);
    }

    /// <summary>A native call for some rows, which gives its status.</summary>
    delegate int RowCall(int worker, int start, int end);

    delegate int ChunkCall(int chunk, int worker, int start, int end);

    /// <summary>A native call for a block of columns and some rows.</summary>
    delegate int ColumnCall(int firstRow, int lastRow, int start, int end);

    /// <summary>Calls for all rows, chunk by chunk in parallel.</summary>
    void OverRows(int vectors, RowCall call) => OverRows(vectors, (_, worker, start, end) => call(worker, start, end));

    void OverRows(int vectors, ChunkCall call)
    {
        Blocks.Run(Chunks, new RowWork(this, CallRows(Columns, vectors), call));
        GC.KeepAlive(this); // its pinned arrays were seen by native code alone
    }

    /// <summary>Calls for blocks of columns in parallel, each over all rows in order. Blocks depend on m alone.</summary>
    void OverColumns(int vectors, ColumnCall call)
    {
        int width = Math.Clamp(Pad(Columns / 16), LibOt.Padding, 512);
        Blocks.Run((Columns + width - 1) / width, new ColumnWork(this, width, CallRows(width, vectors), call));
        GC.KeepAlive(this);
    }

    sealed class RowWork(NativeOperator<T> owner, int rows, ChunkCall call) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            (int start, int end) = owner.ChunkRows(block);
            for (int row = start; row < end && !owner.Cancelled(); row += rows)
                LibOt.Check(call(block, worker, row, Math.Min(row + rows, end)));
        }
    }

    sealed class ColumnWork(NativeOperator<T> owner, int width, int rows, ColumnCall call) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            int start = block * width,
                end = Math.Min(start + width, owner.Columns);
            for (int row = 0; row < owner.Rows && !owner.Cancelled(); row += rows)
                LibOt.Check(call(row, Math.Min(row + rows, owner.Rows), start, end));
        }
    }
}
