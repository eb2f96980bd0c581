using System.Runtime.CompilerServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Exponents from rows of costs, wherever the rows come from.</summary>
internal abstract class CostRowOperator<TSimd, TVector, T>(
    Geometry geometry,
    RowBlocks blocks,
    string description,
    CancellationToken cancellation
) : FusedOperator<TSimd, TVector, T>(geometry, blocks, description, cancellation)
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
{
    double _toExponent;

    protected override ReadOnlySpan<double> ColumnOffsets => [];

    protected override void Prepare(double epsilon) => _toExponent = Log2E / epsilon;

    /// <summary>Rounds the shifts to what a sweep will use.</summary>
    protected static void RoundShifts(int count, Scratch scratch)
    {
        for (int r = 0; r < count; r++)
            scratch.Shifts[r] = double.CreateTruncating(T.CreateSaturating(scratch.Shifts[r]));
    }

    /// <summary>Two rows over one tile. Costs are read as they are stored; an infinite one gives the lowest exponent.</summary>
    /// <param name="first">Start of the first row's costs.</param>
    /// <param name="second">Start of the second row's costs.</param>
    /// <param name="length">Costs that may be read in a row; later columns are padding.</param>
    /// <param name="r">Place of the first row in the group.</param>
    /// <param name="secondShift">Place of the second row's shift: the same when the row stands for itself.</param>
    /// <param name="tile">First column.</param>
    /// <param name="stop">Column after the last.</param>
    /// <param name="scratch">The worker's memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected void Sweep<TStored, TMode>(
        ref TStored first,
        ref TStored second,
        nint length,
        int r,
        int secondShift,
        nint tile,
        nint stop,
        Scratch scratch
    )
        where TStored : unmanaged
        where TMode : struct, IMode
    {
        ref T bias = ref Bias.Start;
        ref T columns = ref scratch.Columns.Start;
        ref T e0 = ref Unsafe.Add(ref scratch.Rows.Start, r * RowStride);
        ref T e1 = ref Unsafe.Add(ref e0, RowStride);
        TVector w0 = TSimd.Fill(scratch.Weights[r]),
            w1 = TSimd.Fill(scratch.Weights[r + 1]);
        TVector s0 = TSimd.Fill(T.CreateTruncating(scratch.Shifts[r])),
            s1 = TSimd.Fill(T.CreateTruncating(scratch.Shifts[secondShift]));
        TVector scale = TSimd.Fill(T.CreateSaturating(-_toExponent)),
            lowest = TSimd.Fill(Simd.Lowest<T>());
        TVector p0 = TSimd.Zero,
            p1 = TSimd.Zero;
        Span<TStored> tail = stackalloc TStored[2 * TSimd.Count];
        for (nint j = tile; j < stop; j += TSimd.Count)
        {
            TVector c0,
                c1;
            Prefetch.Line(ref first, j + Prefetch.Distance<TStored>());
            Prefetch.Line(ref second, j + Prefetch.Distance<TStored>());
            if (j + TSimd.Count <= length)
            {
                c0 = Load(ref first, j);
                c1 = Load(ref second, j);
            }
            else
            {
                // The last, partly filled register: padding costs nothing here and is ruled out by its bias.
                tail.Clear();
                for (nint k = j; k < length; k++)
                {
                    tail[(int)(k - j)] = Unsafe.Add(ref first, k);
                    tail[(int)(k - j) + TSimd.Count] = Unsafe.Add(ref second, k);
                }
                c0 = Load(ref tail[0], 0);
                c1 = Load(ref tail[0], TSimd.Count);
            }
            TVector c = TSimd.Load(ref bias, j);
            TVector t0 = TSimd.Max(TSimd.MultiplyAdd(c0, scale, TSimd.Add(c, s0)), lowest),
                t1 = TSimd.Max(TSimd.MultiplyAdd(c1, scale, TSimd.Add(c, s1)), lowest);
            if (TMode.Exponentiate)
            {
                AddPending(ref columns, ref e0, ref e1, j, w0, w1);
                t0 = TSimd.Exp2(t0);
                t1 = TSimd.Exp2(t1);
                p0 = TSimd.Add(p0, t0);
                p1 = TSimd.Add(p1, t1);
            }
            TSimd.Store(t0, ref e0, j);
            TSimd.Store(t1, ref e1, j);
        }
        scratch.Sums[r] += double.CreateTruncating(TSimd.Sum(p0));
        scratch.Sums[r + 1] += double.CreateTruncating(TSimd.Sum(p1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static TVector Load<TStored>(ref TStored costs, nint offset)
        where TStored : unmanaged =>
        typeof(TStored) == typeof(T)
            ? TSimd.Load(ref Unsafe.As<TStored, T>(ref costs), offset)
            : TSimd.LoadSingle(ref Unsafe.As<TStored, float>(ref costs), offset);
}
