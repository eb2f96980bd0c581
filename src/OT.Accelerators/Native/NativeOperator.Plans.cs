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
        EnsureExact();
        fixed (
            double* v = vectors,
                to = result,
                doubles = _doubles
        )
        fixed (
            double* f = plan.F,
                logA = plan.LogA,
                g = plan.G,
                logB = plan.LogB
        )
        fixed (float* singles = _singles)
        {
            LibOt.Geometry geometry = Exact(doubles, singles);
            LibOt.Plan gibbs = Plan(plan.Epsilon, f, logA, g, logB);
            LibOt.Geometry* costs = &geometry;
            LibOt.Plan* entries = &gibbs;
            double* input = v,
                output = to;
            if (!transpose)
            {
                OverRows(
                    count,
                    (_, start, end) => LibOt.ot_apply_plan_f64(_isa, costs, entries, count, input, output, start, end)
                );
                return;
            }
            result.Clear();
            OverColumns(
                count,
                (first, last, start, end) =>
                    LibOt.ot_apply_transpose_f64(_isa, costs, entries, count, input, output, first, last, start, end)
            );
        }
    }

    /// <inheritdoc/>
    public override double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
        EnsureExact();
        var costsOfRows = new double[Rows];
        for (int c = 0; c < Chunks; c++)
            Array.Clear(ChunkColumns(c));
        fixed (
            double* sums = rowSums,
                rowCosts = costsOfRows,
                doubles = _doubles
        )
        fixed (
            double* f = plan.F,
                logA = plan.LogA,
                g = plan.G,
                logB = plan.LogB
        )
        fixed (float* singles = _singles)
        {
            LibOt.Geometry geometry = Exact(doubles, singles);
            LibOt.Plan gibbs = Plan(plan.Epsilon, f, logA, g, logB);
            LibOt.Geometry* costs = &geometry;
            LibOt.Plan* entries = &gibbs;
            double* rows = sums,
                row = rowCosts;
            OverRows(
                0,
                (chunk, _, start, end) =>
                {
                    fixed (double* columns = ChunkColumns(chunk))
                        return LibOt.ot_sum_plan_f64(_isa, costs, entries, rows, row, columns, start, end);
                }
            );
        }
        ChunkColumns(0).CopyTo(columnSums);
        for (int c = 1; c < Chunks; c++)
            AddTo(columnSums, ChunkColumns(c));
        return Summation.Sum(costsOfRows);
    }

    /// <summary><c>f_i = min over j with finite logB of C_ij − g_j</c>.</summary>
    void MinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, Span<double> f)
    {
        EnsureExact();
        fixed (
            double* offsets = Offsets(g, logB),
                to = f,
                doubles = _doubles
        )
        fixed (float* singles = _singles)
        {
            LibOt.Geometry geometry = Exact(doubles, singles);
            LibOt.Geometry* costs = &geometry;
            double* potential = offsets,
                output = to;
            OverRows(0, (_, start, end) => LibOt.ot_min_rows_f64(_isa, costs, potential, output, start, end));
        }
    }

    /// <summary><c>g_j = min over i with finite logA of C_ij − f_i</c>.</summary>
    void MinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, Span<double> g)
    {
        EnsureExact();
        g.Fill(double.PositiveInfinity);
        fixed (
            double* offsets = Offsets(f, logA),
                to = g,
                doubles = _doubles
        )
        fixed (float* singles = _singles)
        {
            LibOt.Geometry geometry = Exact(doubles, singles);
            LibOt.Geometry* costs = &geometry;
            double* potential = offsets,
                output = to;
            OverColumns(
                0,
                (first, last, start, end) => LibOt.ot_min_columns_f64(_isa, costs, potential, output, first, last, start, end)
            );
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
                totals = sums,
                doubles = _doubles
        )
        fixed (float* singles = _singles)
        {
            LibOt.Geometry geometry = Exact(doubles, singles);
            LibOt.Geometry* costs = &geometry;
            double* input = potential,
                logs = weights,
                tops = highest,
                under = totals;
            OverColumns(
                0,
                (first, last, start, end) =>
                    LibOt.ot_softmin_columns_f64(_isa, costs, epsilon, input, logs, tops, under, first, last, start, end)
            );
        }
        for (int j = 0; j < g.Length; j++)
        {
            g[j] = top[j] <= Lowest / 2 ? double.PositiveInfinity : -epsilon * (top[j] + Math.Log2(sums[j])) / Log2E;
        }
    }

    /// <summary>A potential that takes out what has no weight.</summary>
    static double[] Offsets(ReadOnlySpan<double> potential, ReadOnlySpan<double> logWeights)
    {
        double[] offsets = potential.ToArray();
        for (int k = 0; k < offsets.Length; k++)
        {
            if (double.IsNegativeInfinity(logWeights[k]))
                offsets[k] = double.NegativeInfinity;
        }
        return offsets;
    }

    static LibOt.Plan Plan(double epsilon, double* f, double* logA, double* g, double* logB) =>
        new()
        {
            Epsilon = epsilon,
            F = f,
            LogA = logA,
            G = g,
            LogB = logB,
        };

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
