using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Squared Euclidean costs from points, never stored: one dot product per entry and memory O((n + m) d).</summary>
/// <remarks>
/// With <c>C_ij = s|x_i|² + s|y_j|² − 2s x_i·y_j</c> the norms join the potentials, so an exponent is a bias plus a dot product (FlashSinkhorn, arXiv 2602.03067).
/// Both clouds are first moved to their common mean, which keeps the norms, and the cancellation between them, small; where ε is so small beside the
/// largest cost that what cancels would still be seen, rows of differences are used instead.
/// </remarks>
internal sealed class PointCloudOperator<TSimd, TVector, T> : FusedOperator<TSimd, TVector, T>
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
{
    readonly PointCloud _cloud;
    readonly CentredCloud<T> _centred;
    readonly int _dimension;
    readonly int _stride;
    readonly AlignedBuffer<T> _target;
    double _toExponent;
    PointCloudOperator<TSimd, TVector, T>? _transposed;
    RowOperator<TSimd, TVector, T>? _differences;

    public PointCloudOperator(PointCloud cloud, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(cloud, blocks, description, cancellation)
    {
        _cloud = cloud;
        _stride = AlignedBuffer<T>.Stride(Padded);
        _centred = new CentredCloud<T>(cloud, Padded, panel: _stride);
        (_dimension, _target) = (cloud.Dimension, _centred.Target);
    }

    protected override ReadOnlySpan<double> ColumnOffsets => _centred.TargetNorms;

    protected override void Prepare(double epsilon) => _toExponent = Log2E / epsilon;

    protected override FusedIteration? Instead(double epsilon) => Resolves(epsilon) ? null : Differences;

    public override void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        if (Resolves(epsilon))
        {
            base.SoftMinRows(g, logB, epsilon, f);
            return;
        }
        Differences.SoftMinRows(g, logB, epsilon, f);
        StopWith(Differences);
    }

    /// <summary>Whether the rounding of norms as large as the largest cost is small beside ε.</summary>
    bool Resolves(double epsilon) => epsilon == 0 || Centred.Resolves<T>(_cloud.MagnitudeBound, epsilon);

    RowOperator<TSimd, TVector, T> Differences => _differences ??= new(_cloud, Blocks, Description, Cancellation);

    public override void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        _transposed ??= new(new PointCloud(_cloud.Target, _cloud.Source, _cloud.GroundCost), Blocks, Description, Cancellation);
        _transposed.SoftMinRows(f, logA, epsilon, g);
        StopWith(_transposed);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Exponents(int row, int count, bool exponentiate, Scratch scratch)
    {
        // Per row: the shift, then the coordinates times 2s log₂e/ε. Shifts are relative to the whole exponent, the sweep's own lacks the row's norm.
        int own = _dimension + 1;
        if (scratch.Own.Length == 0)
            scratch.Own = new T[RowGroup * own];
        double dot = 2 * _centred.Scale * _toExponent;
        for (int r = 0; r < count; r++)
        {
            double norm = _centred.SourceNorms[row + r] * _toExponent;
            T shift = T.CreateSaturating(scratch.Shifts[r] - norm);
            scratch.Shifts[r] = double.CreateTruncating(shift) + norm;
            scratch.Own[r * own] = shift;
            for (int k = 0; k < _dimension; k++)
                scratch.Own[(r * own) + 1 + k] = T.CreateSaturating(dot * _centred.Source[((row + r) * _dimension) + k]);
        }
        if ((count & 1) == 1)
            scratch.Own.AsSpan((count - 1) * own, own).CopyTo(scratch.Own.AsSpan(count * own));
        for (int tile = 0; tile < Padded; tile += TileColumns)
        {
            int stop = Math.Min(tile + TileColumns, Padded);
            for (int r = 0; r < count; r += 2)
            {
                if (!exponentiate)
                    General<Raw>(r, tile, stop, scratch);
                else if (_dimension == 1)
                    Small<One>(r, tile, stop, scratch);
                else if (_dimension == 2)
                    Small<Two>(r, tile, stop, scratch);
                else if (_dimension == 3)
                    Small<Three>(r, tile, stop, scratch);
                else
                    General<Exponential>(r, tile, stop, scratch);
            }
        }
    }

    /// <summary>Exponentials of two rows over one tile, in one to three dimensions: coordinates of both points stay in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // hot from its first call on: no slow first tier
    void Small<TDimension>(int r, nint tile, nint stop, Scratch scratch)
        where TDimension : struct, IDimension
    {
        ref T bias = ref Bias.Start;
        ref T y0 = ref _target.Start;
        ref T y1 = ref Unsafe.Add(ref y0, TDimension.Count > 1 ? _stride : 0);
        ref T y2 = ref Unsafe.Add(ref y0, TDimension.Count > 2 ? 2 * _stride : 0);
        ref T columns = ref scratch.Columns.Start;
        ref T e0 = ref Unsafe.Add(ref scratch.Rows.Start, r * RowStride);
        ref T e1 = ref Unsafe.Add(ref e0, RowStride);
        ReadOnlySpan<T> x0 = scratch.Own.AsSpan(r * (TDimension.Count + 1), TDimension.Count + 1);
        ReadOnlySpan<T> x1 = scratch.Own.AsSpan((r + 1) * (TDimension.Count + 1), TDimension.Count + 1);
        TVector w0 = TSimd.Fill(scratch.Weights[r]),
            w1 = TSimd.Fill(scratch.Weights[r + 1]);
        TVector s0 = TSimd.Fill(x0[0]),
            s1 = TSimd.Fill(x1[0]);
        TVector x00 = TSimd.Fill(x0[1]),
            x10 = TSimd.Fill(x1[1]);
        TVector x01 = TDimension.Count > 1 ? TSimd.Fill(x0[2]) : TSimd.Zero,
            x11 = TDimension.Count > 1 ? TSimd.Fill(x1[2]) : TSimd.Zero;
        TVector x02 = TDimension.Count > 2 ? TSimd.Fill(x0[3]) : TSimd.Zero,
            x12 = TDimension.Count > 2 ? TSimd.Fill(x1[3]) : TSimd.Zero;
        TVector p0 = TSimd.Zero,
            p1 = TSimd.Zero;
        for (nint j = tile; j < stop; j += TSimd.Count)
        {
            AddPending(ref columns, ref e0, ref e1, j, w0, w1);
            TVector c = TSimd.Load(ref bias, j);
            TVector y = TSimd.Load(ref y0, j);
            TVector t0 = TSimd.MultiplyAdd(x00, y, TSimd.Add(c, s0)),
                t1 = TSimd.MultiplyAdd(x10, y, TSimd.Add(c, s1));
            if (TDimension.Count > 1)
            {
                y = TSimd.Load(ref y1, j);
                t0 = TSimd.MultiplyAdd(x01, y, t0);
                t1 = TSimd.MultiplyAdd(x11, y, t1);
            }
            if (TDimension.Count > 2)
            {
                y = TSimd.Load(ref y2, j);
                t0 = TSimd.MultiplyAdd(x02, y, t0);
                t1 = TSimd.MultiplyAdd(x12, y, t1);
            }
            t0 = TSimd.Exp2(t0);
            t1 = TSimd.Exp2(t1);
            TSimd.Store(t0, ref e0, j);
            TSimd.Store(t1, ref e1, j);
            p0 = TSimd.Add(p0, t0);
            p1 = TSimd.Add(p1, t1);
        }
        scratch.Sums[r] += double.CreateTruncating(TSimd.Sum(p0));
        scratch.Sums[r + 1] += double.CreateTruncating(TSimd.Sum(p1));
    }

    /// <summary>Two rows over one tile in any dimension: the dot products of two registers of columns are summed before the exponential.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void General<TMode>(int r, nint tile, nint stop, Scratch scratch)
        where TMode : struct, IMode
    {
        ref T bias = ref Bias.Start;
        ref T columns = ref scratch.Columns.Start;
        ref T e0 = ref Unsafe.Add(ref scratch.Rows.Start, r * RowStride);
        ref T e1 = ref Unsafe.Add(ref e0, RowStride);
        ReadOnlySpan<T> x0 = scratch.Own.AsSpan(r * (_dimension + 1), _dimension + 1);
        ReadOnlySpan<T> x1 = scratch.Own.AsSpan((r + 1) * (_dimension + 1), _dimension + 1);
        TVector w0 = TSimd.Fill(scratch.Weights[r]),
            w1 = TSimd.Fill(scratch.Weights[r + 1]);
        TVector s0 = TSimd.Fill(x0[0]),
            s1 = TSimd.Fill(x1[0]);
        TVector p0 = TSimd.Zero,
            p1 = TSimd.Zero;
        for (nint j = tile; j < stop; j += 2 * TSimd.Count)
        {
            TVector c = TSimd.Load(ref bias, j),
                d = TSimd.Load(ref bias, j + TSimd.Count);
            TVector t00 = TSimd.Add(c, s0),
                t01 = TSimd.Add(d, s0),
                t10 = TSimd.Add(c, s1),
                t11 = TSimd.Add(d, s1);
            ref T y = ref Unsafe.Add(ref _target.Start, j);
            for (int k = 1; k < x0.Length; k++)
            {
                TVector u = TSimd.Load(ref y, 0),
                    v = TSimd.Load(ref y, TSimd.Count);
                TVector a = TSimd.Fill(x0[k]),
                    b = TSimd.Fill(x1[k]);
                t00 = TSimd.MultiplyAdd(a, u, t00);
                t01 = TSimd.MultiplyAdd(a, v, t01);
                t10 = TSimd.MultiplyAdd(b, u, t10);
                t11 = TSimd.MultiplyAdd(b, v, t11);
                y = ref Unsafe.Add(ref y, _stride);
            }
            if (TMode.Exponentiate)
            {
                AddPending(ref columns, ref e0, ref e1, j, w0, w1);
                AddPending(ref columns, ref e0, ref e1, j + TSimd.Count, w0, w1);
                t00 = TSimd.Exp2(t00);
                t01 = TSimd.Exp2(t01);
                t10 = TSimd.Exp2(t10);
                t11 = TSimd.Exp2(t11);
                p0 = TSimd.Add(p0, TSimd.Add(t00, t01));
                p1 = TSimd.Add(p1, TSimd.Add(t10, t11));
            }
            TSimd.Store(t00, ref e0, j);
            TSimd.Store(t01, ref e0, j + TSimd.Count);
            TSimd.Store(t10, ref e1, j);
            TSimd.Store(t11, ref e1, j + TSimd.Count);
        }
        scratch.Sums[r] += double.CreateTruncating(TSimd.Sum(p0));
        scratch.Sums[r + 1] += double.CreateTruncating(TSimd.Sum(p1));
    }

    interface IDimension
    {
        static abstract int Count { get; }
    }

    readonly struct One : IDimension
    {
        public static int Count => 1;
    }

    readonly struct Two : IDimension
    {
        public static int Count => 2;
    }

    readonly struct Three : IDimension
    {
        public static int Count => 3;
    }
}
