using System.Runtime.CompilerServices;
using OT.Numerics;

namespace OT.Benchmarks;

/// <summary>
/// The half iteration at the machine's limit: one read or evaluation of C and one exponential per entry, summed along rows and nothing else.
/// The fused full iteration is measured against it.
/// </summary>
/// <remarks>Two rows at a time over aligned memory, with the same 2^x as the library: what a hand-written kernel of this form does, without its purpose.</remarks>
sealed class HalfIteration<TSimd, TVector, T> : IBlockWork
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
{
    const int Blocks = 64;
    const int Tile = 1024;

    readonly int _n;
    readonly int _dimension;
    readonly int _stride;
    readonly AlignedBuffer<T> _bias;
    readonly AlignedBuffer<T> _target;
    readonly T[] _source;
    readonly T[]? _costs;
    readonly double[] _sums;

    /// <summary>Points in <paramref name="dimension"/> dimensions, or stored costs when they are given.</summary>
    public HalfIteration(int n, int dimension, T[]? costs = null)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(n % TSimd.Count, 0);
        (_n, _dimension, _costs) = (n, dimension, costs);
        _stride = AlignedBuffer<T>.Stride(n);
        _bias = new AlignedBuffer<T>(n, colour: 5);
        _target = new AlignedBuffer<T>(Math.Max(dimension, 1) * _stride, colour: 6);
        _source = new T[n * Math.Max(dimension, 1)];
        _sums = new double[n];
        var random = new SeededRandom(1);
        foreach (ref T b in _bias.Span)
            b = T.CreateTruncating(-10 * random.NextDouble());
        foreach (ref T y in _target.Span)
            y = T.CreateTruncating(random.NextNormal());
        foreach (ref T x in _source.AsSpan())
            x = T.CreateTruncating(random.NextNormal());
    }

    public double Run(RowBlocks blocks)
    {
        blocks.Run(Blocks, this);
        return _sums[0];
    }

    public void Run(int block, int worker)
    {
        int start = 2 * (_n / 2 * block / Blocks),
            end = 2 * (_n / 2 * (block + 1) / Blocks);
        for (int i = start; i < end; i += 2)
        {
            double sum0 = 0,
                sum1 = 0;
            for (int tile = 0; tile < _n; tile += Tile)
            {
                int tileEnd = Math.Min(tile + Tile, _n);
                (double s0, double s1) =
                    _costs is not null ? Stored(i, tile, tileEnd)
                    : _dimension == 2 ? Plane(i, tile, tileEnd)
                    : Space(i, tile, tileEnd);
                sum0 += s0;
                sum1 += s1;
            }
            (_sums[i], _sums[i + 1]) = (sum0, sum1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    (double, double) Stored(int i, nint tile, nint end)
    {
        ref T bias = ref _bias.Start;
        ref T c0 = ref _costs![(long)i * _n];
        ref T c1 = ref _costs[(long)(i + 1) * _n];
        TVector scale = TSimd.Fill(T.CreateTruncating(-1.5)),
            s0 = TSimd.Fill(T.CreateTruncating(-3)),
            s1 = TSimd.Fill(T.CreateTruncating(-2)),
            p0 = TSimd.Zero,
            p1 = TSimd.Zero;
        for (nint j = tile; j < end; j += TSimd.Count)
        {
            TVector b = TSimd.Load(ref bias, j);
            p0 = TSimd.Add(p0, TSimd.Exp2(TSimd.MultiplyAdd(TSimd.Load(ref c0, j), scale, TSimd.Add(b, s0))));
            p1 = TSimd.Add(p1, TSimd.Exp2(TSimd.MultiplyAdd(TSimd.Load(ref c1, j), scale, TSimd.Add(b, s1))));
        }
        return (double.CreateTruncating(TSimd.Sum(p0)), double.CreateTruncating(TSimd.Sum(p1)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    (double, double) Plane(int i, nint tile, nint end)
    {
        ref T bias = ref _bias.Start;
        ref T y0 = ref _target.Start;
        ref T y1 = ref Unsafe.Add(ref y0, _stride);
        TVector x00 = TSimd.Fill(_source[2 * i]),
            x01 = TSimd.Fill(_source[(2 * i) + 1]),
            x10 = TSimd.Fill(_source[(2 * i) + 2]),
            x11 = TSimd.Fill(_source[(2 * i) + 3]);
        TVector s0 = TSimd.Fill(T.CreateTruncating(-3)),
            s1 = TSimd.Fill(T.CreateTruncating(-2)),
            p0 = TSimd.Zero,
            p1 = TSimd.Zero;
        for (nint j = tile; j < end; j += TSimd.Count)
        {
            TVector b = TSimd.Load(ref bias, j),
                u = TSimd.Load(ref y0, j),
                v = TSimd.Load(ref y1, j);
            TVector t0 = TSimd.MultiplyAdd(x01, v, TSimd.MultiplyAdd(x00, u, TSimd.Add(b, s0)));
            TVector t1 = TSimd.MultiplyAdd(x11, v, TSimd.MultiplyAdd(x10, u, TSimd.Add(b, s1)));
            p0 = TSimd.Add(p0, TSimd.Exp2(t0));
            p1 = TSimd.Add(p1, TSimd.Exp2(t1));
        }
        return (double.CreateTruncating(TSimd.Sum(p0)), double.CreateTruncating(TSimd.Sum(p1)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    (double, double) Space(int i, nint tile, nint end)
    {
        ref T bias = ref _bias.Start;
        ref T y0 = ref _target.Start;
        ref T y1 = ref Unsafe.Add(ref y0, _stride);
        ref T y2 = ref Unsafe.Add(ref y1, _stride);
        TVector x00 = TSimd.Fill(_source[3 * i]),
            x01 = TSimd.Fill(_source[(3 * i) + 1]),
            x02 = TSimd.Fill(_source[(3 * i) + 2]),
            x10 = TSimd.Fill(_source[(3 * i) + 3]),
            x11 = TSimd.Fill(_source[(3 * i) + 4]),
            x12 = TSimd.Fill(_source[(3 * i) + 5]);
        TVector s0 = TSimd.Fill(T.CreateTruncating(-3)),
            s1 = TSimd.Fill(T.CreateTruncating(-2)),
            p0 = TSimd.Zero,
            p1 = TSimd.Zero;
        for (nint j = tile; j < end; j += TSimd.Count)
        {
            TVector b = TSimd.Load(ref bias, j),
                u = TSimd.Load(ref y0, j),
                v = TSimd.Load(ref y1, j),
                w = TSimd.Load(ref y2, j);
            TVector t0 = TSimd.MultiplyAdd(x02, w, TSimd.MultiplyAdd(x01, v, TSimd.MultiplyAdd(x00, u, TSimd.Add(b, s0))));
            TVector t1 = TSimd.MultiplyAdd(x12, w, TSimd.MultiplyAdd(x11, v, TSimd.MultiplyAdd(x10, u, TSimd.Add(b, s1))));
            p0 = TSimd.Add(p0, TSimd.Exp2(t0));
            p1 = TSimd.Add(p1, TSimd.Exp2(t1));
        }
        return (double.CreateTruncating(TSimd.Sum(p0)), double.CreateTruncating(TSimd.Sum(p1)));
    }
}
