using System.Runtime.InteropServices;
using OT.Backends;
using OT.Geometries;

namespace OT.Accelerators.Gpu;

/// <summary>Soft minima, iterations and plans on a device; subclasses bring the sweeps over pairs. See docs/theory/gpu.md.</summary>
/// <remarks>
/// An iteration is a sweep for the rows, their new potentials and biases, a sweep for the columns, theirs, and a judgement of the error: all on the device, many
/// iterations for each look of the host. A sweep longer than a step is cut into launches, between which the host waits and looks at its token.
/// </remarks>
abstract partial class GpuOperator : ICostOperator
{
    const double Log2E = 1.4426950408889634;
    const int GroupSize = 256;
    const int StepLength = 8;
    const int FlagCount = 4;
    const int FigureCount = 2;

    /// <summary>Pairs that a processor of the device makes in one step, roughly: some milliseconds of a large device, some tens of a small one.</summary>
    const long StepPairs = 4 << 20;

    /// <summary>Iterations, in pairs, between two looks of the host where they are short.</summary>
    const int MostPairs = 8;

    readonly CancellationToken _cancellation;
    readonly GpuBuffer _step;
    readonly GpuBuffer _flags;
    readonly GpuBuffer _figures;
    readonly GpuModule _vectors;
    readonly IGpuKernel _makeBias;
    readonly IGpuKernel _readMinimum;
    readonly IGpuKernel _update;
    readonly IGpuKernel _judge;
    readonly IGpuSequence?[] _pairs = new IGpuSequence?[2];
    volatile bool _interrupted;
    bool _withNorms;

    /// <summary>Takes the memory of the vectors.</summary>
    private protected GpuOperator(
        IGpuDevice device,
        Geometry geometry,
        GpuReal real,
        GpuLayout rows,
        GpuLayout columns,
        string description,
        CancellationToken cancellation
    )
    {
        (Device, Geometry, Real, Description, _cancellation) = (device, geometry, real, description, cancellation);
        Memory = new GpuMemory(device);
        try
        {
            GpuReal wide = Wide;
            RowSide = new GpuSide(Memory, geometry.Rows, rows, isColumns: false, real, wide);
            ColumnSide = new GpuSide(Memory, geometry.Columns, columns, isColumns: true, real, wide);
            _step = Memory.Allocate(StepLength, wide);
            _flags = Memory.Allocate(FlagCount * sizeof(int));
            _figures = Memory.Allocate(FigureCount, wide);
            _vectors = new(GpuProgram.Vectors, real, real, wide);
            _makeBias = device.Kernel(_vectors, "make_bias");
            _readMinimum = device.Kernel(_vectors, "read_minimum");
            _update = device.Kernel(_vectors, "update");
            _judge = device.Kernel(_vectors, "judge");
        }
        catch
        {
            Memory.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the vectors of both sides, in iterations and in plans.</summary>
    protected static long Bytes(IGpuDevice device, Geometry geometry, GpuReal real, GpuLayout rows, GpuLayout columns) =>
        GpuSide.Bytes(geometry.Rows, rows, real, WideOf(device))
        + GpuSide.Bytes(geometry.Columns, columns, real, WideOf(device))
        + ((StepLength + FigureCount) * GpuMemory.SizeOf(WideOf(device)))
        + (FlagCount * sizeof(int))
        + PlanBytes(device, geometry, rows, columns);

    /// <summary>Potentials, weights and final sums: doubles wherever the device has them.</summary>
    protected static GpuReal WideOf(IGpuDevice device) => device.HasDoubles ? GpuReal.Double : GpuReal.Single;

    /// <inheritdoc/>
    public int Rows => Geometry.Rows;

    /// <inheritdoc/>
    public int Columns => Geometry.Columns;

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public bool Interrupted => _interrupted;

    /// <inheritdoc/>
    public double PlanMass { get; private set; }

    protected IGpuDevice Device { get; }
    protected Geometry Geometry { get; }
    protected GpuMemory Memory { get; }
    protected GpuReal Real { get; }
    protected GpuReal Wide => WideOf(Device);
    protected GpuSide RowSide { get; }
    protected GpuSide ColumnSide { get; }

    /// <summary>Whether costs are made from dot products at this ε, their norms being folded into the biases.</summary>
    protected virtual bool FoldsNorms(double epsilon) => false;

    /// <summary>Called before the first launch with or without norms: gets kernels and memory ready.</summary>
    protected abstract void Prepare(bool withNorms);

    /// <summary>How many coordinates' worth of work a pair is.</summary>
    protected virtual int WorkPerPair => 1;

    /// <summary>Queues groups of a sweep that serves <paramref name="own"/>: largest exponent and sum of powers per segment.</summary>
    protected abstract void LaunchSoftMin(GpuSide own, bool withNorms, int firstGroup, long groups);

    GpuSide Other(GpuSide own) => own.IsColumns ? RowSide : ColumnSide;

    /// <summary>What kernels read in a step; see <c>vectors.cl</c>.</summary>
    protected GpuBuffer Step => _step;

    /// <summary>What tells kernels to do nothing more.</summary>
    protected GpuBuffer Flags => _flags;

    /// <inheritdoc/>
    public void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f) =>
        SoftMin(RowSide, g, logB, epsilon, f);

    /// <inheritdoc/>
    public void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g) =>
        SoftMin(ColumnSide, f, logA, epsilon, g);

    void SoftMin(GpuSide own, ReadOnlySpan<double> potential, ReadOnlySpan<double> logs, double epsilon, Span<double> result)
    {
        bool hard = epsilon == 0;
        Begin(!hard && FoldsNorms(epsilon));
        GpuSide other = Other(own);
        other.Potentials[0].Write(potential);
        other.Logs.Write(logs);
        WriteStep(hard ? 1 : Log2E / epsilon, hard ? 0 : Log2E);
        WriteFlags(1);
        MakeBias(other, 0);
        if (!Sweep(own))
            return;
        Device.Launch(
            _readMinimum,
            own.Groups,
            GroupSize,
            [
                own.Tops,
                own.Sums,
                own.Norms,
                _step,
                own.Potentials[1].Buffer,
                own.Count,
                own.Padded,
                own.Layout.Segments,
                _withNorms ? 1 : 0,
                hard ? 1 : 0,
            ]
        );
        own.Potentials[1].Forget();
        own.Potentials[1].Read(result[..own.Count]);
    }

    /// <inheritdoc/>
    public int Iterate(int count, SinkhornStep step, Span<double> f, Span<double> g, out double error)
    {
        ArgumentNullException.ThrowIfNull(step);
        error = double.NaN;
        if (count <= 0 || Cancelled())
            return 0;
        Begin(FoldsNorms(step.Epsilon));
        RowSide.Potentials[0].Write(f);
        RowSide.Weights.Write(step.A.Span);
        RowSide.Logs.Write(step.LogA.Span);
        ColumnSide.Potentials[0].Write(g);
        ColumnSide.Weights.Write(step.B.Span);
        ColumnSide.Logs.Write(step.LogB.Span);
        WriteStep(Log2E / step.Epsilon, Log2E, step.Relaxation, step.Tolerance, step.TauA, step.TauB, step.BoundA, step.BoundB);
        WriteFlags(count);
        MakeBias(ColumnSide, 0);
        MakeBias(RowSide, 0); // for its padding: iterations write the rest
        foreach (GpuSide side in (ReadOnlySpan<GpuSide>)[RowSide, ColumnSide])
        {
            side.Potentials[0].Forget();
            side.Potentials[1].Forget();
        }
        (int made, bool failed) = IsOneStep(RowSide) && IsOneStep(ColumnSide) ? RunPairs(count) : RunSteps(count);
        if (made > 0)
        {
            RowSide.Potentials[made % 2].Read(f[..Rows]);
            ColumnSide.Potentials[made % 2].Read(g[..Columns]);
            Span<double> figures = stackalloc double[FigureCount];
            Memory.Read(_figures, figures, Wide);
            PlanMass = figures[1];
            if (!failed && !_interrupted)
                error = figures[0];
        }
        return made;
    }

    /// <summary>Iterations that are queued many at a time, in pairs that lead from one set of potentials to the other and back.</summary>
    (int Made, bool Failed) RunPairs(int count)
    {
        int mode = _withNorms ? 1 : 0;
        IGpuSequence pairs = _pairs[mode] ??= Device.Record(() =>
        {
            QueueIteration(0);
            QueueIteration(1);
        });
        long work = Math.Max(2 * (long)Rows * Columns * WorkPerPair / Device.Processors, 1);
        int most = (int)Math.Clamp(StepPairs / work, 1, MostPairs);
        while (true)
        {
            int[] flags = ReadFlags();
            if (flags[0] != 0 || Cancelled())
                return (flags[1], flags[2] != 0);
            pairs.Run(Math.Min(most, ((count - flags[1] - 1) / 2) + 1));
        }
    }

    void QueueIteration(int from)
    {
        LaunchSoftMin(RowSide, _withNorms, 0, RowSide.Layout.Groups);
        LaunchUpdate(RowSide, from);
        LaunchSoftMin(ColumnSide, _withNorms, 0, ColumnSide.Layout.Groups);
        LaunchUpdate(ColumnSide, from);
        LaunchJudge();
    }

    /// <summary>Iterations of many steps each.</summary>
    (int Made, bool Failed) RunSteps(int count)
    {
        for (int made = 0; made < count; made++)
        {
            if (!Sweep(RowSide))
                return (made, false);
            LaunchUpdate(RowSide, made % 2);
            if (!Sweep(ColumnSide))
                return (made, false);
            LaunchUpdate(ColumnSide, made % 2);
            LaunchJudge();
            int[] flags = ReadFlags();
            if (flags[0] != 0)
                return (flags[1], flags[2] != 0);
        }
        return (count, false);
    }

    /// <inheritdoc/>
    public void CostRows(int start, int count, Span<double> block) => Geometry.CostRows(start, count, block);

    /// <summary>Gives all memory of the device back.</summary>
    public void Dispose()
    {
        foreach (IGpuSequence? sequence in _pairs)
            sequence?.Dispose();
        Memory.Dispose();
    }

    void Begin(bool withNorms)
    {
        Prepare(withNorms);
        _withNorms = withNorms;
    }

    /// <summary>Looks at the token; once it asks to stop, the operator stays interrupted.</summary>
    bool Cancelled()
    {
        if (_cancellation.IsCancellationRequested)
            _interrupted = true;
        return _interrupted;
    }

    void WriteStep(
        double slope,
        double logs,
        double relaxation = 1,
        double tolerance = 0,
        double tauA = 1,
        double tauB = 1,
        double boundA = double.PositiveInfinity,
        double boundB = double.PositiveInfinity
    ) => Memory.Write(_step, [slope, logs, relaxation, tolerance, tauA, tauB, boundA, boundB], Wide);

    void WriteFlags(int count) => Device.Write(_flags, MemoryMarshal.AsBytes<int>([0, 0, 0, count]));

    int[] ReadFlags()
    {
        var flags = new int[FlagCount];
        Device.Read(_flags, MemoryMarshal.AsBytes(flags.AsSpan()));
        return flags;
    }

    void MakeBias(GpuSide side, int potential) =>
        Device.Launch(
            _makeBias,
            GpuLayout.Ceiling(side.Padded, GroupSize),
            GroupSize,
            [
                side.Potentials[potential].Buffer,
                side.Logs.Buffer,
                side.Norms,
                _step,
                side.Bias,
                side.Count,
                side.Padded,
                _withNorms ? 1 : 0,
            ]
        );

    void LaunchUpdate(GpuSide side, int from) =>
        Device.Launch(
            _update,
            side.Groups,
            GroupSize,
            [
                side.Tops,
                side.Sums,
                side.Norms,
                side.Weights.Buffer,
                side.Logs.Buffer,
                side.Potentials[from].Buffer,
                _step,
                _flags,
                side.Potentials[1 - from].Buffer,
                side.Bias,
                side.Errors,
                side.Masses,
                side.Count,
                side.Padded,
                side.Layout.Segments,
                _withNorms ? 1 : 0,
                side.IsColumns ? 1 : 0,
            ]
        );

    void LaunchJudge() =>
        Device.Launch(
            _judge,
            1,
            GroupSize,
            [RowSide.Errors, ColumnSide.Errors, ColumnSide.Masses, _step, _flags, _figures, RowSide.Groups, ColumnSide.Groups]
        );

    bool Sweep(GpuSide own) => InSteps(own, (first, groups) => LaunchSoftMin(own, _withNorms, first, groups));

    bool IsOneStep(GpuSide own) => GroupsPerStep(own) >= own.Layout.Groups;

    /// <summary>At least two groups for each processor, however long they take.</summary>
    long GroupsPerStep(GpuSide own)
    {
        long pairs = (long)own.Layout.Tile * own.Layout.SegmentLength * WorkPerPair;
        return Math.Max(2L * Device.Processors, StepPairs * Device.Processors / pairs);
    }

    /// <summary>Queues all groups of a sweep; where it is more than a step, waits after each and looks at the token.</summary>
    /// <returns>Whether all was done.</returns>
    bool InSteps(GpuSide own, Action<int, long> launch)
    {
        long groups = own.Layout.Groups,
            each = GroupsPerStep(own);
        for (long first = 0; first < groups; first += each)
        {
            if (Cancelled())
                return false;
            launch((int)first, Math.Min(each, groups - first));
            if (each < groups)
                Device.Finish();
        }
        return true;
    }
}
