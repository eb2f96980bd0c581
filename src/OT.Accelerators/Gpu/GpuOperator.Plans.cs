using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Gpu;

/// <summary>Plans: always in the widest numbers that the device has, whatever iterations stream.</summary>
abstract partial class GpuOperator
{
    /// <summary>Vectors that a sweep multiplies at a time.</summary>
    protected const int VectorsAtATime = 4;

    PlanMemory? _plan;

    /// <summary>Numbers that plans are made in.</summary>
    protected GpuReal PlanReal => Wide;

    /// <summary>Memory of plans, taken when the first one is asked for.</summary>
    sealed class PlanMemory
    {
        public PlanMemory(IGpuDevice device, GpuMemory memory, GpuSide rows, GpuSide columns, GpuReal real)
        {
            GpuModule vectors = new(GpuProgram.Vectors, real, real, WideOf(device));
            MakeBias = device.Kernel(vectors, "make_bias");
            SumSegments = device.Kernel(vectors, "sum_segments");
            RowBias = memory.Allocate(rows.Padded, real);
            ColumnBias = memory.Allocate(columns.Padded, real);
            Vectors = memory.Allocate(VectorsAtATime * (long)Math.Max(rows.Padded, columns.Padded), real);
            Partial = memory.Allocate(
                VectorsAtATime
                    * Math.Max((long)rows.Layout.Segments * rows.Padded, (long)columns.Layout.Segments * columns.Padded),
                real
            );
            Result = memory.Allocate(VectorsAtATime * (long)Math.Max(rows.Count, columns.Count), WideOf(device));
        }

        public IGpuKernel MakeBias { get; }
        public IGpuKernel SumSegments { get; }
        public GpuBuffer RowBias { get; }
        public GpuBuffer ColumnBias { get; }

        /// <summary>Four vectors, padded with zeros.</summary>
        public GpuBuffer Vectors { get; }

        /// <summary>Per segment and vector, what a sweep has summed.</summary>
        public GpuBuffer Partial { get; }
        public GpuBuffer Result { get; }
    }

    static long PlanBytes(IGpuDevice device, Geometry geometry, GpuLayout rows, GpuLayout columns)
    {
        long n = GpuSide.PaddedCount(geometry.Rows),
            m = GpuSide.PaddedCount(geometry.Columns);
        long numbers =
            n
            + m
            + (
                VectorsAtATime
                * (Math.Max(n, m) + Math.Max(rows.Segments * n, columns.Segments * m) + Math.Max(geometry.Rows, geometry.Columns))
            );
        return numbers * GpuMemory.SizeOf(WideOf(device));
    }

    /// <summary>Called before the first launch of a plan: gets kernels and memory ready.</summary>
    protected abstract void PreparePlans();

    /// <summary>Queues groups of a sweep: sums of P v per segment, for four vectors.</summary>
    protected abstract void LaunchApply(GpuSide own, PlanBuffers buffers, int firstGroup, long groups);

    /// <summary>Queues groups of a sweep for the rows: sums of P and of P C per segment.</summary>
    protected abstract void LaunchCost(PlanBuffers buffers, int firstGroup, long groups);

    /// <summary>What a sweep of a plan reads and writes.</summary>
    /// <param name="Own">Bias of the side that is served.</param>
    /// <param name="Bias">Bias of the other side.</param>
    /// <param name="Vectors">Over the other side.</param>
    /// <param name="Partial">Result per segment.</param>
    protected readonly record struct PlanBuffers(GpuBuffer Own, GpuBuffer Bias, GpuBuffer Vectors, GpuBuffer Partial);

    /// <inheritdoc/>
    public void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false)
    {
        GpuSide own = transpose ? ColumnSide : RowSide,
            other = Other(own);
        int count = vectors.Length / other.Count;
        Guard.Length(vectors.Length, count * other.Count, nameof(vectors));
        Guard.Length(result.Length, count * own.Count, nameof(result));
        PlanMemory memory = BeginPlan(plan);
        for (int v = 0; v < count; v += VectorsAtATime)
        {
            int now = Math.Min(VectorsAtATime, count - v);
            if (!Apply(memory, own, vectors.Slice(v * other.Count, now * other.Count), now))
                return;
            Memory.Read(memory.Result, result.Slice(v * own.Count, now * own.Count), Wide);
        }
    }

    /// <inheritdoc/>
    public double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
        PlanMemory memory = BeginPlan(plan);
        PlanBuffers buffers = new(memory.RowBias, memory.ColumnBias, memory.Vectors, memory.Partial);
        if (!InSteps(RowSide, (first, groups) => LaunchCost(buffers, first, groups)))
            return double.NaN;
        SumSegments(memory, RowSide, 2, 2);
        var costs = new double[Rows];
        Memory.Read(memory.Result, rowSums[..Rows], Wide);
        Memory.Read(memory.Result, costs, Wide, Rows);
        var ones = new double[Rows];
        Array.Fill(ones, 1);
        if (!Apply(memory, ColumnSide, ones, 1))
            return double.NaN;
        Memory.Read(memory.Result, columnSums[..Columns], Wide);
        return Summation.Sum(costs);
    }

    PlanMemory BeginPlan(in GibbsPlan plan)
    {
        PlanMemory memory = _plan ??= new(Device, Memory, RowSide, ColumnSide, PlanReal);
        PreparePlans();
        WriteStep(Log2E / plan.Epsilon, Log2E);
        WritePlanBias(memory, RowSide, plan.F, plan.LogA, memory.RowBias);
        WritePlanBias(memory, ColumnSide, plan.G, plan.LogB, memory.ColumnBias);
        return memory;
    }

    void WritePlanBias(PlanMemory memory, GpuSide side, ReadOnlySpan<double> potential, ReadOnlySpan<double> logs, GpuBuffer bias)
    {
        side.Potentials[0].Write(potential);
        side.Logs.Write(logs);
        Device.Launch(
            memory.MakeBias,
            GpuLayout.Ceiling(side.Padded, GroupSize),
            GroupSize,
            [side.Potentials[0].Buffer, side.Logs.Buffer, side.Norms, _step, bias, side.Count, side.Padded, 0]
        );
    }

    /// <summary>Products of the plan with up to four vectors, left in the memory's result.</summary>
    bool Apply(PlanMemory memory, GpuSide own, ReadOnlySpan<double> vectors, int count)
    {
        GpuSide other = Other(own);
        var padded = new double[VectorsAtATime * other.Padded];
        for (int v = 0; v < count; v++)
            vectors.Slice(v * other.Count, other.Count).CopyTo(padded.AsSpan(v * other.Padded));
        Memory.Write(memory.Vectors, padded, PlanReal);
        PlanBuffers buffers = own.IsColumns
            ? new(memory.ColumnBias, memory.RowBias, memory.Vectors, memory.Partial)
            : new(memory.RowBias, memory.ColumnBias, memory.Vectors, memory.Partial);
        if (!InSteps(own, (first, groups) => LaunchApply(own, buffers, first, groups)))
            return false;
        SumSegments(memory, own, VectorsAtATime, count);
        return true;
    }

    void SumSegments(PlanMemory memory, GpuSide own, int width, int count) =>
        Device.Launch(
            memory.SumSegments,
            own.Groups,
            GroupSize,
            [memory.Partial, memory.Result, own.Count, own.Padded, own.Layout.Segments, width, count]
        );
}
