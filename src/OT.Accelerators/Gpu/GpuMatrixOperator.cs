using System.Buffers;
using System.Runtime.InteropServices;
using OT.Geometries;

namespace OT.Accelerators.Gpu;

/// <summary>Stored costs, sent once and read once per sweep: floats stay floats, doubles bound in float are rounded.</summary>
sealed class GpuMatrixOperator : GpuOperator
{
    const int RowTile = 4;
    const int ColumnTile = 256;
    const int RowUnit = 1024;
    const int ColumnUnit = 64;

    readonly GpuBuffer _costs;
    readonly GpuReal _stored;
    readonly IGpuKernel _rows;
    readonly IGpuKernel _columns;
    IGpuKernel? _applyRows;
    IGpuKernel? _applyColumns;
    IGpuKernel? _transport;

    /// <summary>Sends the costs.</summary>
    public GpuMatrixOperator(
        IGpuDevice device,
        CostMatrix matrix,
        GpuReal real,
        string description,
        CancellationToken cancellation
    )
        : base(device, matrix, real, RowLayout(device, matrix), ColumnLayout(device, matrix), description, cancellation)
    {
        try
        {
            _stored = StoredAs(matrix, real);
            _costs = Memory.Allocate((long)matrix.Rows * matrix.Columns, _stored);
            Send(matrix);
            GpuModule module = new(GpuProgram.Matrix, Real, _stored, Wide);
            _rows = device.Kernel(module, "softmin_rows");
            _columns = device.Kernel(module, "softmin_columns");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes that an operator takes at most.</summary>
    public static long Bytes(IGpuDevice device, CostMatrix matrix, GpuReal real) =>
        Bytes(device, matrix, real, RowLayout(device, matrix), ColumnLayout(device, matrix))
        + ((long)matrix.Rows * matrix.Columns * GpuMemory.SizeOf(StoredAs(matrix, real)));

    static GpuReal StoredAs(CostMatrix matrix, GpuReal real) => matrix.IsSingle ? GpuReal.Single : real;

    static GpuLayout RowLayout(IGpuDevice device, CostMatrix matrix) =>
        GpuLayout.For(matrix.Rows, matrix.Columns, RowTile, RowUnit, RowUnit, device.Processors);

    static GpuLayout ColumnLayout(IGpuDevice device, CostMatrix matrix) =>
        GpuLayout.For(matrix.Columns, matrix.Rows, ColumnTile, ColumnUnit, ColumnUnit, device.Processors);

    void Send(CostMatrix matrix)
    {
        if (matrix.Singles is { } singles)
            Device.Write(_costs, MemoryMarshal.AsBytes<float>(singles));
        else if (_stored == GpuReal.Double)
            Device.Write(_costs, MemoryMarshal.AsBytes<double>(matrix.Doubles));
        else
        {
            // Rounded a piece at a time: no second matrix on the host.
            const int piece = 1 << 20;
            double[] costs = matrix.Doubles!;
            for (int start = 0; start < costs.Length; start += piece)
                Memory.Write(_costs, costs.AsSpan(start, Math.Min(piece, costs.Length - start)), _stored, start);
        }
    }

    protected override void Prepare(bool withNorms) { }

    protected override void LaunchSoftMin(GpuSide own, bool withNorms, int firstGroup, long groups) =>
        Device.Launch(
            own.IsColumns ? _columns : _rows,
            groups,
            256,
            [
                _costs,
                (own.IsColumns ? RowSide : ColumnSide).Bias,
                Step,
                Flags,
                own.Tops,
                own.Sums,
                Rows,
                Columns,
                own.Padded,
                own.Layout.Segments,
                own.Layout.SegmentLength,
                firstGroup,
            ]
        );

    protected override void PreparePlans()
    {
        GpuModule module = new(GpuProgram.Matrix, PlanReal, _stored, Wide);
        _applyRows ??= Device.Kernel(module, "plan_apply_rows");
        _applyColumns ??= Device.Kernel(module, "plan_apply_columns");
        _transport ??= Device.Kernel(module, "plan_cost_rows");
    }

    protected override void LaunchApply(GpuSide own, PlanBuffers buffers, int firstGroup, long groups) =>
        Device.Launch(
            own.IsColumns ? _applyColumns! : _applyRows!,
            groups,
            256,
            [
                _costs,
                buffers.Own,
                buffers.Bias,
                buffers.Vectors,
                Step,
                buffers.Partial,
                Rows,
                Columns,
                own.Padded,
                (own.IsColumns ? RowSide : ColumnSide).Padded,
                own.Layout.Segments,
                own.Layout.SegmentLength,
                firstGroup,
            ]
        );

    protected override void LaunchCost(PlanBuffers buffers, int firstGroup, long groups) =>
        Device.Launch(
            _transport!,
            groups,
            256,
            [
                _costs,
                buffers.Own,
                buffers.Bias,
                Step,
                buffers.Partial,
                Rows,
                Columns,
                RowSide.Padded,
                RowSide.Layout.Segments,
                RowSide.Layout.SegmentLength,
                firstGroup,
            ]
        );
}
