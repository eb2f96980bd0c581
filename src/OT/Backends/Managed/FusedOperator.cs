using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Rows swept with one exponential per entry, in vector registers: the exponentials that give f_i, divided by their sum, are the plan's row.</summary>
/// <remarks>
/// A subclass supplies <see cref="Exponents"/>, the base-2 logarithms <c>t_ij = bias_j − log₂e C_ij/ε</c> up to a constant of the row.
/// Row i is then shifted by its previous potential, so no pass for the maximum is needed; a row whose sum leaves the safe range is redone with its maximum.
/// </remarks>
internal abstract class FusedOperator<TSimd, TVector, T> : FusedIteration
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Rows whose exponentials are kept at a time. More of them overfill the second-level cache on unlucky addresses and gain nothing.</summary>
    protected const int RowGroup = 2;

    /// <summary>Rows after which column sums in <typeparamref name="T"/> are added to doubles.</summary>
    const int FlushRows = 64;

    readonly AlignedBuffer<T> _bias;
    readonly Scratch[] _scratch;

    protected FusedOperator(Geometry geometry, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(geometry, blocks, description, single: typeof(T) == typeof(float), cancellation)
    {
        Padded = Pad(Columns);
        RowStride = AlignedBuffer<T>.Stride(Padded);
        _bias = new AlignedBuffer<T>(Padded, colour: 5);
        _scratch = new Scratch[blocks.Threads];
        for (int w = 0; w < _scratch.Length; w++)
            _scratch[w] = new Scratch(Padded, Columns);
    }

    /// <summary>Columns rounded up to whole registers, so that inner loops have no tail.</summary>
    protected int Padded { get; }

    /// <summary>Elements from one kept row to the next.</summary>
    protected int RowStride { get; }

    /// <summary>Columns rounded up to whole registers of the widest kind.</summary>
    public static int Pad(int columns) => checked((columns + 31) / 32 * 32);

    /// <summary>Bytes of workspace for a shape, beyond what a subclass stores.</summary>
    public static long WorkspaceBytes(int rows, int columns, int threads) =>
        ((long)Pad(columns) * Unsafe.SizeOf<T>() * (1 + ((RowGroup + 1L) * threads)))
        + IterationBytes(rows, columns)
        + ((long)columns * sizeof(double) * (threads + 1L));

    /// <summary>
    /// For a group of rows: <c>t_rj = bias_j + shift_r − log₂e C_rj/ε</c>, stored as <c>2^t</c> with their sums, or as they are.
    /// </summary>
    /// <remarks>
    /// With exponentials, the same sweep first adds the rows it is about to overwrite to the column sums, times <c>scratch.Weights</c>
    /// (<see cref="AddPending"/>): loads and stores of the sums then hide behind the arithmetic of the exponentials.
    /// The sweep goes by tiles of columns, all pairs of rows in each, so that biases and column sums stay in the first-level cache.
    /// </remarks>
    /// <param name="row">First row.</param>
    /// <param name="count">Rows in the group, at most <see cref="RowGroup"/>. An odd last row is paired with itself, one place further.</param>
    /// <param name="exponentiate">Whether to store <c>2^t</c> and sum it.</param>
    /// <param name="scratch">Holds the base-2 shifts, which are rounded to <typeparamref name="T"/> in place; receives the rows in <c>Rows</c> and the sums in <c>Sums</c>.</param>
    protected abstract void Exponents(int row, int count, bool exponentiate, Scratch scratch);

    /// <summary>columns[j] += w0 · e0[j] + w1 · e1[j] for one register of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected static void AddPending(ref T columns, ref T e0, ref T e1, nint j, TVector w0, TVector w1)
    {
        TVector sum = TSimd.MultiplyAdd(w0, TSimd.Load(ref e0, j), TSimd.Load(ref columns, j));
        TSimd.Store(TSimd.MultiplyAdd(w1, TSimd.Load(ref e1, j), sum), ref columns, j);
    }

    /// <summary>Chooses, at compile time, between exponentials and bare exponents.</summary>
    protected interface IMode
    {
        static abstract bool Exponentiate { get; }
    }

    /// <summary>Store 2^t.</summary>
    protected readonly struct Exponential : IMode
    {
        public static bool Exponentiate => true;
    }

    /// <summary>Store t.</summary>
    protected readonly struct Raw : IMode
    {
        public static bool Exponentiate => false;
    }

    /// <summary>Called once per iteration, before the first <see cref="Exponents"/>: ε is fixed, biases are about to be made.</summary>
    protected abstract void Prepare(double epsilon);

    /// <summary>What the column's bias takes off g: 0, or the squared-norm term of a point cloud.</summary>
    protected abstract ReadOnlySpan<double> ColumnOffsets { get; }

    /// <summary>Biases <c>log₂e (g_j − offset_j)/ε + log₂ b_j</c> of the present iteration.</summary>
    protected AlignedBuffer<T> Bias => _bias;

    /// <summary>Memory one worker uses; nothing in it outlives a group of rows but the column sums.</summary>
    protected sealed class Scratch(int padded, int columns)
    {
        public readonly AlignedBuffer<T> Rows = new(RowGroup * AlignedBuffer<T>.Stride(padded), colour: 0);
        public readonly AlignedBuffer<T> Columns = new(padded, colour: 4);
        public readonly double[] Costs = new double[columns];
        public readonly double[] Sums = new double[RowGroup];
        public readonly double[] Shifts = new double[RowGroup];
        public readonly T[] Weights = new T[RowGroup];

        /// <summary>What a subclass keeps per group of rows.</summary>
        public T[] Own = [];
    }

    /// <inheritdoc/>
    protected override void PrepareSweep() => PrepareBias(Step.Epsilon, G, Step.LogB.Span);

    /// <inheritdoc/>
    protected override void Forget()
    {
        foreach (Scratch scratch in _scratch)
            scratch.Rows.Span.Clear(); // what is left there times a weight of 0 must be 0
    }

    /// <inheritdoc/>
    public override void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        if (epsilon == 0)
        {
            HardMinRows(g, logB, f);
            return;
        }
        EnsureVectors();
        PrepareBias(epsilon, g, logB);
        Blocks.Run(Chunks, new SoftMinWork(this, epsilon));
        F.CopyTo(f);
    }

    void PrepareBias(double epsilon, ReadOnlySpan<double> g, ReadOnlySpan<double> logB)
    {
        Prepare(epsilon);
        FillBias(_bias.Span, epsilon, g, ColumnOffsets, logB);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override double SweepChunk(int chunk, int worker, double[] columns)
    {
        Scratch scratch = _scratch[worker];
        (int start, int end) = ChunkRows(chunk);
        Array.Clear(columns);
        scratch.Columns.Span.Clear();
        scratch.Weights.AsSpan().Clear();
        double toLog2 = Log2E / Step.Epsilon,
            rowError = 0;
        ReadOnlySpan<double> a = Step.A.Span;
        int unflushed = 0;
        for (int row = start; row < end; row += RowGroup)
        {
            if (Cancelled())
                return 0;
            int count = Math.Min(RowGroup, end - row);
            for (int r = 0; r < count; r++)
                scratch.Shifts[r] = F[row + r] * toLog2;
            scratch.Sums.AsSpan().Clear();
            if (count < RowGroup)
                AddLastRows(scratch); // a shorter group would leave some rows of the one before behind
            Exponents(row, count, exponentiate: true, scratch);
            scratch.Weights.AsSpan().Clear();
            if (!AreSafe(scratch.Sums.AsSpan(0, count)))
                RedoRows(row, count, scratch);
            for (int r = 0; r < count; r++)
            {
                scratch.Weights[r] = T.CreateSaturating(
                    UpdateRow(row + r, a[row + r], scratch.Shifts[r], scratch.Sums[r], ref rowError)
                );
            }
            unflushed += count;
            if (unflushed >= FlushRows)
            {
                Flush(scratch.Columns, columns);
                unflushed = 0;
            }
        }
        AddLastRows(scratch);
        Flush(scratch.Columns, columns);
        return rowError;
    }

    /// <summary>Exponentials of a group of rows, each shifted by its maximum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void RedoRows(int row, int count, Scratch scratch)
    {
        scratch.Shifts.AsSpan().Clear();
        Exponents(row, count, exponentiate: false, scratch);
        for (int r = 0; r < count; r++)
        {
            ref T t = ref Unsafe.Add(ref scratch.Rows.Start, r * RowStride);
            TVector max = TSimd.Fill(Simd.Lowest<T>());
            for (nint j = 0; j < Padded; j += TSimd.Count)
                max = TSimd.Max(max, TSimd.Load(ref t, j));
            T top = TSimd.MaxAcross(max);
            if (top <= Simd.Lowest<T>() / T.CreateTruncating(2))
            {
                scratch.Rows.Span.Slice(r * RowStride, Padded).Clear();
                scratch.Sums[r] = 0;
                continue;
            }
            TVector shift = TSimd.Fill(-top),
                lowest = TSimd.Fill(Simd.Lowest<T>());
            double sum = 0;
            for (nint tile = 0; tile < Padded; tile += TileColumns)
            {
                TVector partial = TSimd.Zero;
                nint stop = Math.Min(tile + TileColumns, Padded);
                for (nint j = tile; j < stop; j += TSimd.Count)
                {
                    TVector e = TSimd.Exp2(TSimd.Max(TSimd.Add(TSimd.Load(ref t, j), shift), lowest));
                    TSimd.Store(e, ref t, j);
                    partial = TSimd.Add(partial, e);
                }
                sum += double.CreateTruncating(TSimd.Sum(partial));
            }
            scratch.Sums[r] = sum;
            scratch.Shifts[r] -= double.CreateTruncating(top);
        }
    }

    /// <summary>Columns swept at a time; a row's sum over them is then added to a double. Shorter sweeps lose the memory's rhythm.</summary>
    protected const int TileColumns = 8192;

    /// <summary>Adds the last group of rows to the column sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a process with one processor stays in its slow first tier for a second
    void AddLastRows(Scratch scratch)
    {
        for (int r = 0; r < RowGroup; r += 2)
        {
            ref T e0 = ref Unsafe.Add(ref scratch.Rows.Start, r * RowStride);
            ref T e1 = ref Unsafe.Add(ref e0, RowStride);
            TVector w0 = TSimd.Fill(scratch.Weights[r]),
                w1 = TSimd.Fill(scratch.Weights[r + 1]);
            for (nint j = 0; j < Padded; j += TSimd.Count)
                AddPending(ref scratch.Columns.Start, ref e0, ref e1, j, w0, w1);
        }
        scratch.Weights.AsSpan().Clear();
    }

    /// <summary>Adds column sums to doubles and clears them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Flush(AlignedBuffer<T> columns, double[] sums)
    {
        // Plain vectors, not TensorPrimitives: this runs inside the first iteration, when library code is not yet compiled for speed.
        Span<T> partial = columns.Span;
        if (typeof(T) == typeof(double))
        {
            ReadOnlySpan<double> doubles = MemoryMarshal.Cast<T, double>(partial);
            AddTo(sums, doubles[..sums.Length]);
        }
        else
        {
            ReadOnlySpan<float> singles = MemoryMarshal.Cast<T, float>(partial);
            int width = Vector<double>.Count,
                j = 0;
            for (; j <= sums.Length - (2 * width); j += 2 * width)
            {
                Vector.Widen(new Vector<float>(singles[j..]), out Vector<double> low, out Vector<double> high);
                (new Vector<double>(sums.AsSpan(j)) + low).CopyTo(sums, j);
                (new Vector<double>(sums.AsSpan(j + width)) + high).CopyTo(sums, j + width);
            }
            for (; j < sums.Length; j++)
                sums[j] += singles[j];
        }
        partial.Clear();
    }

    sealed class SoftMinWork(FusedOperator<TSimd, TVector, T> owner, double epsilon) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            Scratch scratch = owner._scratch[worker];
            (int start, int end) = owner.ChunkRows(block);
            for (int row = start; row < end && !owner.Cancelled(); row += RowGroup)
            {
                int count = Math.Min(RowGroup, end - row);
                owner.RedoRows(row, count, scratch);
                for (int r = 0; r < count; r++)
                    owner.F[row + r] = (scratch.Shifts[r] - Math.Log2(scratch.Sums[r])) * epsilon / Log2E;
            }
        }
    }
}
