using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using OT.Backends;
using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Native;

/// <summary>A matrix of costs, or squared Euclidean costs of points on the fly, in libot's kernels: iterations and soft minima of rows in T, the rest in doubles.</summary>
/// <remarks>
/// Threads take chunks of rows, or blocks of columns; each makes native calls of a few milliseconds and looks at the token between them. What was cut where never shows in the
/// results. Memory is the collector's, pinned where native code sees it for longer than a call.
/// </remarks>
sealed unsafe partial class NativeOperator<T> : FusedIteration
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>
    /// Work of one native call: entries times 8, the price of an exponential, and the number of coordinates and vectors. About 40 ms in plain code, 1 ms in AVX-512.
    /// </summary>
    const long CallWork = 1L << 25;

    readonly LibOt.Isa _isa;
    readonly PointCloud? _cloud;
    readonly CentredCloud<T>? _centred;
    readonly double[]? _doubles;
    readonly float[]? _singles;
    readonly float[]? _streamed;
    readonly AlignedBuffer<T> _bias;
    readonly Scratch[] _scratch;
    readonly int _padded;
    double[] _exactSource = [];
    AlignedBuffer<double>? _exactTarget;
    NativeOperator<T>? _reversed;

    public NativeOperator(Geometry geometry, RowBlocks blocks, LibOt.Isa isa, string description, CancellationToken cancellation)
        : base(geometry, blocks, description, single: typeof(T) == typeof(float), cancellation)
    {
        _isa = isa;
        _padded = Pad(Columns);
        _bias = new AlignedBuffer<T>(_padded, colour: 5);
        _scratch = new Scratch[blocks.Threads];
        if (geometry is CostMatrix matrix)
        {
            (_doubles, _singles) = (matrix.Doubles, matrix.Singles);
            _streamed = _singles;
            if (typeof(T) == typeof(float) && _singles is null)
            {
                _streamed = new float[_doubles!.Length];
                TensorPrimitives.ConvertSaturating<double, float>(_doubles, _streamed);
            }
        }
        else
        {
            _cloud = (PointCloud)geometry;
            _centred = new CentredCloud<T>(_cloud, _padded, panel: AlignedBuffer<T>.Stride(_padded));
        }
        for (int w = 0; w < _scratch.Length; w++)
            _scratch[w] = new Scratch(_padded, _cloud?.Dimension ?? 0);
    }

    /// <summary>Bytes of an operator, with all that is made at the first use of an operation.</summary>
    public static long Bytes(Geometry geometry, int threads)
    {
        long bytes = IterationBytes(geometry.Rows, geometry.Columns) + Workspace(geometry.Columns, threads);
        if (geometry is PointCloud cloud)
        {
            // Packed both ways, the second for soft minima of columns; and for differences, in doubles.
            long padded = (long)Pad(cloud.Rows) + Pad(cloud.Columns),
                d = cloud.Dimension;
            return bytes
                + Workspace(cloud.Rows, threads)
                + (padded * (d + 1) * (sizeof(T) + sizeof(double)))
                + (2 * padded * d * sizeof(double));
        }
        return geometry is CostMatrix { IsSingle: false } && typeof(T) == typeof(float)
            ? bytes + ((long)geometry.Rows * geometry.Columns * sizeof(float))
            : bytes;
    }

    /// <summary>Biases, and what each worker keeps.</summary>
    static long Workspace(int columns, int threads) => (long)Pad(columns) * sizeof(T) * (1 + (3L * threads));

    static int Pad(int columns) => checked((columns + LibOt.Padding - 1) / LibOt.Padding * LibOt.Padding);

    /// <summary>Memory one worker uses.</summary>
    sealed class Scratch(int padded, int dimension)
    {
        public readonly AlignedBuffer<T> Kept = new(2 * AlignedBuffer<T>.Stride(padded), colour: 0);
        public readonly AlignedBuffer<T> Sums = new(padded, colour: 4);
        public readonly AlignedBuffer<T> Coordinates = new(2 * (dimension + 1), colour: 3);
    }

    /// <inheritdoc/>
    protected override void PrepareSweep() => PrepareBias(Step.Epsilon, G, Step.LogB.Span);

    /// <inheritdoc/>
    protected override void Forget()
    {
        foreach (Scratch scratch in _scratch)
            scratch.Kept.Span.Clear(); // what is left there times a weight of 0 must be 0
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override double SweepChunk(int chunk, int worker, double[] columns)
    {
        Scratch scratch = _scratch[worker];
        Array.Clear(columns);
        scratch.Sums.Span.Clear();
        fixed (
            double* potentials = F,
                weights = Step.A.Span,
                sums = columns,
                doubles = _doubles
        )
        fixed (float* singles = _streamed)
        fixed (
            T* bias = _bias.Span,
                kept = scratch.Kept.Span,
                partial = scratch.Sums.Span,
                own = scratch.Coordinates.Span
        )
        {
            LibOt.Geometry geometry = Streamed(doubles, singles, Step.Epsilon);
            var sweep = new LibOt.Sweep
            {
                Epsilon = Step.Epsilon,
                Tau = Step.TauA,
                Bound = Step.BoundA,
                Relaxation = Step.Relaxation,
                Weights = weights,
                Potentials = potentials,
                Padded = _padded,
                Bias = bias,
                Kept = kept,
                KeptStride = AlignedBuffer<T>.Stride(_padded),
                Sums = partial,
                Coordinates = own,
                Columns = sums,
            };
            (int start, int end) = ChunkRows(chunk);
            int rows = CallRows(Columns, 0);
            for (int row = start; row < end; row += rows)
            {
                if (Cancelled())
                    return 0;
                int stop = Math.Min(row + rows, end);
                LibOt.Check(
                    typeof(T) == typeof(double)
                        ? LibOt.ot_sweep_rows_f64(_isa, &geometry, &sweep, row, stop)
                        : LibOt.ot_sweep_rows_f32(_isa, &geometry, &sweep, row, stop)
                );
            }
            LibOt.Check(
                typeof(T) == typeof(double)
                    ? LibOt.ot_flush_columns_f64(_isa, &geometry, &sweep)
                    : LibOt.ot_flush_columns_f32(_isa, &geometry, &sweep)
            );
            GC.KeepAlive(this);
            return sweep.RowError;
        }
    }

    /// <inheritdoc/>
    public override void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        if (epsilon == 0)
        {
            HardMinima(g, logB, f, ofColumns: false);
            return;
        }
        PrepareBias(epsilon, g, logB);
        fixed (
            double* to = f,
                doubles = _doubles
        )
        fixed (float* singles = _streamed)
        fixed (T* bias = _bias.Span)
        {
            LibOt.Geometry geometry = Streamed(doubles, singles, epsilon);
            LibOt.Geometry* at = &geometry;
            double* output = to;
            T* biases = bias;
            OverRows(
                0,
                (worker, start, end) =>
                {
                    fixed (T* own = _scratch[worker].Coordinates.Span)
                    {
                        return typeof(T) == typeof(double)
                            ? LibOt.ot_softmin_rows_f64(_isa, at, epsilon, biases, _padded, own, output, start, end)
                            : LibOt.ot_softmin_rows_f32(_isa, at, epsilon, biases, _padded, own, output, start, end);
                    }
                }
            );
        }
    }

    /// <inheritdoc/>
    public override void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        if (epsilon == 0)
            HardMinima(f, logA, g, ofColumns: true);
        else if (_cloud is null)
            StoredSoftMinColumns(f, logA, epsilon, g);
        else
        {
            _reversed ??= new(
                new PointCloud(_cloud.Target, _cloud.Source, _cloud.GroundCost),
                Blocks,
                _isa,
                Description,
                Cancellation
            );
            _reversed.SoftMinRows(f, logA, epsilon, g);
            StopWith(_reversed);
        }
    }

    void PrepareBias(double epsilon, ReadOnlySpan<double> g, ReadOnlySpan<double> logB)
    {
        bool dots = ByDots(epsilon);
        if (!dots)
            EnsureExact();
        FillBias(_bias.Span, epsilon, g, dots ? _centred!.TargetNorms : [], logB);
    }

    /// <summary>Whether exponents come from dot products: points, and an ε that is not lost in the rounding of their norms.</summary>
    bool ByDots(double epsilon) => _cloud is not null && Centred.Resolves<T>(_cloud.MagnitudeBound, epsilon);

    /// <summary>The costs in the form that exponents are made from; of a matrix the one pointer that is not null.</summary>
    LibOt.Geometry Streamed(double* doubles, float* singles, double epsilon)
    {
        if (!ByDots(epsilon))
            return Exact(doubles, singles);
        return new LibOt.Geometry
        {
            Costs = LibOt.Costs.Dots,
            Rows = Rows,
            Columns = Columns,
            Stride = AlignedBuffer<T>.Stride(_padded),
            Dimension = _cloud!.Dimension,
            Scale = _centred!.Scale,
            Source = Pointer(_centred.Source),
            SourceNorms = Pointer(_centred.SourceNorms),
            Target = Unsafe.AsPointer(ref _centred.Target.Start),
        };
    }

    /// <summary>The costs themselves; of points after <see cref="EnsureExact"/>.</summary>
    LibOt.Geometry Exact(double* doubles, float* singles)
    {
        if (_cloud is null)
        {
            return new LibOt.Geometry
            {
                Costs = singles is not null ? LibOt.Costs.StoredSingles : LibOt.Costs.StoredDoubles,
                Rows = Rows,
                Columns = Columns,
                Stride = Columns,
                Matrix = singles is not null ? singles : doubles,
            };
        }
        return new LibOt.Geometry
        {
            Costs = LibOt.Costs.Points,
            Rows = Rows,
            Columns = Columns,
            Stride = _padded,
            Dimension = _cloud.Dimension,
            Scale = _centred!.Scale,
            Source = Pointer(_exactSource),
            Target = Unsafe.AsPointer(ref _exactTarget!.Start),
        };
    }

    /// <summary>Points as they are given, the targets by coordinates: what differences are taken of.</summary>
    void EnsureExact()
    {
        if (_cloud is null || _exactTarget is not null)
            return;
        int d = _cloud.Dimension;
        _exactSource = GC.AllocateArray<double>(Rows * d, pinned: true);
        _cloud.Source.Values.CopyTo(_exactSource);
        _exactTarget = new AlignedBuffer<double>(checked(d * _padded), colour: 6);
        Span<double> target = _exactTarget.Span;
        for (int j = 0; j < Columns; j++)
        {
            for (int k = 0; k < d; k++)
                target[(k * _padded) + j] = _cloud.Target[j, k];
        }
    }

    static double* Pointer(double[] pinned) => (double*)Unsafe.AsPointer(ref pinned[0]);
}
