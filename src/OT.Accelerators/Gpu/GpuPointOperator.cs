using OT.Backends;
using OT.Backends.Managed;
using OT.Geometries;

namespace OT.Accelerators.Gpu;

/// <summary>Costs of points, made where they are needed: memory O((n + m) d).</summary>
/// <remarks>
/// Squared distances are <c>s|x|² + s|y|² − 2s x·y</c> with the norms in the biases, so that a pair costs one product per coordinate; where ε is so small beside the largest
/// cost that what cancels would be seen, and in plans, they are sums of squared differences, as other ground costs are sums of their own.
/// </remarks>
sealed class GpuPointOperator : GpuOperator
{
    const int Tile = GpuSide.Pad;
    const int LeastSegment = 4 * Tile;

    /// <summary>Coordinates that weigh as much as all else that a pair costs.</summary>
    const int FreeCoordinates = 16;

    /// <summary>Coordinates from which on tensor cores take the products.</summary>
    const int TensorDimension = 32;

    readonly PointCloud _cloud;
    readonly GpuGroundCost _cost;
    readonly GpuProgram _dotProgram;
    readonly GpuClouds? _dotClouds;

    /// <summary>The points as they are, in floats and in doubles: those that sweeps of differences and plans have asked for.</summary>
    readonly GpuClouds?[] _clouds = new GpuClouds?[2];
    IGpuKernel? _dots;
    IGpuKernel? _differences;
    IGpuKernel? _apply;
    IGpuKernel? _transport;

    /// <summary>Sends the points.</summary>
    public GpuPointOperator(
        IGpuDevice device,
        PointCloud cloud,
        GpuGroundCost cost,
        Precision precision,
        string description,
        CancellationToken cancellation
    )
        : base(
            device,
            cloud,
            RealOf(precision),
            LayoutOf(device, cloud.Rows, cloud.Columns),
            LayoutOf(device, cloud.Columns, cloud.Rows),
            $"{description}, {FormOf(DotProgram(device, cloud, cost, precision), precision)}",
            cancellation
        )
    {
        (_cloud, _cost) = (cloud, cost);
        _dotProgram = DotProgram(device, cloud, cost, precision);
        try
        {
            if (cost.HasDots)
            {
                _dotClouds = new GpuClouds(Memory, cloud, cost, Real, Parts(_dotProgram));
                Memory.Write(RowSide.Norms, _dotClouds.SourceNorms, Wide);
                Memory.Write(ColumnSide.Norms, _dotClouds.TargetNorms, Wide);
            }
            if (_dotProgram == GpuProgram.Dot)
                CloudsIn(Real) = _dotClouds;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes that an operator takes at most.</summary>
    public static long Bytes(IGpuDevice device, PointCloud cloud, Precision precision)
    {
        GpuReal real = RealOf(precision);
        int parts = GpuGroundCost.Of(cloud.GroundCost) is { } cost ? Parts(DotProgram(device, cloud, cost, precision)) : 0;
        return Bytes(
                device,
                cloud,
                real,
                LayoutOf(device, cloud.Rows, cloud.Columns),
                LayoutOf(device, cloud.Columns, cloud.Rows)
            )
            + GpuClouds.Bytes(cloud, real)
            + (parts == 0 ? 0 : GpuClouds.Bytes(cloud, real, parts))
            + (real == WideOf(device) ? 0 : GpuClouds.Bytes(cloud, WideOf(device)));
    }

    /// <summary>What makes dot products: tensor cores for floats in many dimensions where there are any, with 10-bit mantissas only if asked for.</summary>
    static GpuProgram DotProgram(IGpuDevice device, PointCloud cloud, GpuGroundCost cost, Precision precision) =>
        !device.HasTensorCores || !cost.HasDots || cloud.Dimension < TensorDimension || precision == Precision.Float64
            ? GpuProgram.Dot
        : precision == Precision.TensorFloat32 ? GpuProgram.TensorHeads
        : GpuProgram.Tensor;

    static int Parts(GpuProgram program) =>
        program switch
        {
            GpuProgram.Tensor => 2,
            GpuProgram.TensorHeads => 1,
            _ => 0,
        };

    static string FormOf(GpuProgram program, Precision precision) =>
        program switch
        {
            GpuProgram.Tensor => $"three products on tensor cores, {Precision.Float32}",
            GpuProgram.TensorHeads => $"tensor cores, {Precision.TensorFloat32}",
            _ => precision == Precision.Float64 ? $"{Precision.Float64}" : $"{Precision.Float32}",
        };

    static GpuReal RealOf(Precision precision) => precision == Precision.Float64 ? GpuReal.Double : GpuReal.Single;

    static GpuLayout LayoutOf(IGpuDevice device, int count, int other) =>
        GpuLayout.For(count, other, Tile, Tile, LeastSegment, device.Processors);

    protected override int WorkPerPair => 1 + (_cloud.Dimension / FreeCoordinates);

    /// <summary>Whether the rounding of norms as large as the largest cost is small beside ε: as the managed operator decides it.</summary>
    protected override bool FoldsNorms(double epsilon) =>
        _cost.HasDots
        && (
            Real == GpuReal.Double
                ? Centred.Resolves<double>(_cloud.MagnitudeBound, epsilon)
                : Centred.Resolves<float>(_cloud.MagnitudeBound, epsilon)
        );

    protected override void Prepare(bool withNorms)
    {
        if (withNorms)
        {
            _dots ??= Device.Kernel(Module(_dotProgram, Real), "softmin");
            return;
        }
        CloudsIn(Real) ??= new GpuClouds(Memory, _cloud, _cost, Real);
        _differences ??= Device.Kernel(Module(_cost.Program, Real), "softmin");
    }

    ref GpuClouds? CloudsIn(GpuReal real) => ref _clouds[real == GpuReal.Double ? 1 : 0];

    GpuModule Module(GpuProgram program, GpuReal real) => new(program, real, real, Wide);

    protected override void LaunchSoftMin(GpuSide own, bool withNorms, int firstGroup, long groups)
    {
        GpuClouds clouds = (withNorms ? _dotClouds : CloudsIn(Real))!;
        (GpuBuffer x, GpuBuffer y, int xStride, int yStride) = Points(clouds, own);
        GpuModule module = Module(withNorms ? _dotProgram : _cost.Program, Real);
        GpuSide other = own.IsColumns ? RowSide : ColumnSide;
        Device.Launch(
            withNorms ? _dots! : _differences!,
            groups,
            256,
            [
                x,
                y,
                other.Bias,
                Step,
                Flags,
                own.Tops,
                own.Sums,
                module.AsWide(withNorms ? 2 * clouds.Scale : CostScale(clouds)),
                module.AsReal(_cost.Power),
                module.AsReal(_cost.Order),
                xStride,
                yStride,
                clouds.Dimension,
                own.Layout.Segments,
                own.Layout.SegmentLength,
                firstGroup,
            ]
        );
    }

    /// <summary>Minus what the gathered value, raised to its power, is multiplied by.</summary>
    double CostScale(GpuClouds clouds) => -Math.Pow(clouds.Scale, _cost.Power);

    (GpuBuffer X, GpuBuffer Y, int XStride, int YStride) Points(GpuClouds clouds, GpuSide own) =>
        own.IsColumns
            ? (clouds.Target, clouds.Source, ColumnSide.Padded, RowSide.Padded)
            : (clouds.Source, clouds.Target, RowSide.Padded, ColumnSide.Padded);

    protected override void PreparePlans()
    {
        CloudsIn(PlanReal) ??= new GpuClouds(Memory, _cloud, _cost, PlanReal);
        _apply ??= Device.Kernel(Module(_cost.Program, PlanReal), "plan_apply");
        _transport ??= Device.Kernel(Module(_cost.Program, PlanReal), "plan_cost");
    }

    protected override void LaunchApply(GpuSide own, PlanBuffers buffers, int firstGroup, long groups)
    {
        GpuClouds clouds = CloudsIn(PlanReal)!;
        (GpuBuffer x, GpuBuffer y, int xStride, int yStride) = Points(clouds, own);
        GpuModule module = Module(_cost.Program, PlanReal);
        Device.Launch(
            _apply!,
            groups,
            256,
            [
                x,
                y,
                buffers.Own,
                buffers.Bias,
                buffers.Vectors,
                Step,
                buffers.Partial,
                module.AsWide(CostScale(clouds)),
                module.AsReal(_cost.Power),
                module.AsReal(_cost.Order),
                xStride,
                yStride,
                _cloud.Dimension,
                own.Layout.Segments,
                own.Layout.SegmentLength,
                firstGroup,
            ]
        );
    }

    protected override void LaunchCost(PlanBuffers buffers, int firstGroup, long groups)
    {
        GpuClouds clouds = CloudsIn(PlanReal)!;
        GpuModule module = Module(_cost.Program, PlanReal);
        Device.Launch(
            _transport!,
            groups,
            256,
            [
                clouds.Source,
                clouds.Target,
                buffers.Own,
                buffers.Bias,
                Step,
                buffers.Partial,
                module.AsWide(CostScale(clouds)),
                module.AsReal(_cost.Power),
                module.AsReal(_cost.Order),
                RowSide.Padded,
                ColumnSide.Padded,
                _cloud.Dimension,
                RowSide.Layout.Segments,
                RowSide.Layout.SegmentLength,
                firstGroup,
            ]
        );
    }
}
