using System.Numerics;
using System.Runtime.CompilerServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Squared distances in many dimensions, never stored: dot products of a block of rows with a tile of columns at a time.</summary>
/// <remarks>
/// A subclass multiplies (<see cref="Multiply(int, int, int, Scratch)"/>). Products become exponentials where they lie; their row sums give f, and the rows, weighted, are added to the
/// column sums. The size of a block depends on the shape alone: same bits for any thread count. See <c>docs/theory/blas.md</c>.
/// </remarks>
internal abstract partial class BlockedOperator<TSimd, TVector, T> : FusedIteration
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Columns of a tile: with the rows of a block, what the second-level cache holds; a row's sum over them is added to a double.</summary>
    protected const int TileColumns = 1024;

    /// <summary>Rows that are multiplied together: blocks are whole groups of them, but for the last rows of all.</summary>
    protected const int RowGroup = DotTile<TSimd, TVector, T>.RowGroup;

    /// <summary>Rows after which column sums in <typeparamref name="T"/> are added to doubles.</summary>
    const int FlushRows = 64;

    readonly PointCloud _cloud;
    readonly AlignedBuffer<T> _bias;
    readonly Scratch[] _scratch;
    double _toExponent;
    BlockedOperator<TSimd, TVector, T>? _transposed;
    RowOperator<TSimd, TVector, T>? _differences;

    /// <summary>Room for a block of rows per thread.</summary>
    /// <param name="cloud">The points.</param>
    /// <param name="panel">How targets are packed, see <see cref="CentredCloud{T}"/>.</param>
    /// <param name="blockRows">Rows of a block at most: a function of the shape.</param>
    /// <param name="blocks">The parallel loop.</param>
    /// <param name="description">What runs.</param>
    /// <param name="cancellation">Watched by the sweeps.</param>
    protected BlockedOperator(
        PointCloud cloud,
        int panel,
        int blockRows,
        RowBlocks blocks,
        string description,
        CancellationToken cancellation
    )
        : base(cloud, blocks, description, single: typeof(T) == typeof(float), cancellation)
    {
        _cloud = cloud;
        Padded = Pad(Columns);
        Points = new CentredCloud<T>(cloud, Padded, panel, colour: 0);
        _bias = new AlignedBuffer<T>(Padded, colour: 5);
        _costRooms = new (AlignedBuffer<double>, CostBlocks.Room)?[blocks.Threads];
        _scratch = new Scratch[blocks.Threads];
        for (int w = 0; w < _scratch.Length; w++)
            _scratch[w] = new Scratch(blockRows, Padded, cloud.Dimension);
    }

    /// <summary>Rows of a block: <paramref name="most"/>, but no more than a chunk or an array has room for, in whole groups.</summary>
    protected static int BlockRows(int rows, int columns, int most)
    {
        int chunk = (rows / ChunkCount(rows)) + RowGroup,
            room = (Array.MaxLength / AlignedBuffer<T>.Stride(Pad(columns))) - 1;
        return Math.Max(Math.Min(Math.Min(most, chunk), room) / RowGroup * RowGroup, RowGroup);
    }

    /// <summary>Bytes of an operator for one direction, with what differences take where dot products do not resolve ε.</summary>
    protected static long Bytes(int rows, int columns, int dimension, int blockRows, int threads)
    {
        int padded = Pad(columns);
        return CentredCloud<T>.Bytes(rows, padded, dimension)
            + IterationBytes(rows, columns)
            + ((long)padded * Unsafe.SizeOf<T>() * (threads + 1L))
            + ((long)blockRows * Unsafe.SizeOf<T>() * threads * (AlignedBuffer<T>.Stride(padded) + dimension))
            + RowOperator<TSimd, TVector, T>.Bytes(rows, columns, threads)
            + (((long)rows + columns) * dimension * sizeof(double)); // what a cloud keeps for rows of differences
    }

    /// <summary>Columns rounded up to four registers of the widest kind, by points at the centre, whose products are 0.</summary>
    static int Pad(int columns) => checked((columns + 63) / 64 * 64);

    /// <summary>Columns with the padding.</summary>
    protected int Padded { get; }

    /// <summary>The points.</summary>
    protected CentredCloud<T> Points { get; }

    /// <summary>What one worker computes in.</summary>
    protected sealed class Scratch
    {
        /// <summary>Room for so many rows.</summary>
        public Scratch(int rows, int padded, int dimension)
        {
            Stride = AlignedBuffer<T>.Stride(padded);
            Products = new AlignedBuffer<T>(checked(rows * Stride), colour: 0);
            Scaled = new AlignedBuffer<T>(checked(rows * dimension), colour: 0);
            Columns = new AlignedBuffer<T>(padded, colour: 4);
            (Sums, Shifts, Factors) = (new double[rows], new double[rows], new T[rows]);
        }

        /// <summary>Dot products, then exponentials, <see cref="Stride"/> elements a row.</summary>
        public AlignedBuffer<T> Products { get; }

        /// <summary>Elements from one row of products to the next.</summary>
        public int Stride { get; }

        /// <summary>Source points, scaled so that a dot product is what it adds to an exponent.</summary>
        public AlignedBuffer<T> Scaled { get; }

        /// <summary>Column sums not yet in doubles.</summary>
        public AlignedBuffer<T> Columns { get; }

        /// <summary>Row sums.</summary>
        public double[] Sums { get; }

        /// <summary>What rows are shifted by, in base 2.</summary>
        public double[] Shifts { get; }

        /// <summary>What exponents of a row have added, then what its exponentials are multiplied by.</summary>
        public T[] Factors { get; }

        /// <summary>The start of a row of products.</summary>
        public ref T Row(int r) => ref Unsafe.Add(ref Products.Start, (nint)r * Stride);
    }

    /// <summary>Dot products of the scaled rows with a tile of columns, to their places in the rows of products.</summary>
    /// <param name="count">Rows.</param>
    /// <param name="tile">First column.</param>
    /// <param name="width">Columns, a multiple of 64.</param>
    /// <param name="scratch">Where the rows are, and the products go.</param>
    protected abstract void Multiply(int count, int tile, int width, Scratch scratch);

    /// <summary>An operator of the same kind for the columns.</summary>
    protected abstract BlockedOperator<TSimd, TVector, T> Transpose(PointCloud swapped);

    protected override FusedIteration? Instead(double epsilon) => Resolves(epsilon) ? null : Differences;

    public override void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        if (epsilon == 0)
            HardMinRows(g, logB, f);
        else if (!Resolves(epsilon))
        {
            Differences.SoftMinRows(g, logB, epsilon, f);
            StopWith(Differences);
        }
        else
        {
            EnsureVectors();
            PrepareBias(epsilon, g, logB);
            Blocks.Run(Chunks, new SoftMinWork(this));
            F.CopyTo(f);
        }
    }

    public override void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        Transposed.SoftMinRows(f, logA, epsilon, g);
        StopWith(Transposed);
    }

    bool Resolves(double epsilon) => Centred.Resolves<T>(_cloud.MagnitudeBound, epsilon);

    RowOperator<TSimd, TVector, T> Differences => _differences ??= new(_cloud, Blocks, Description, Cancellation);

    /// <summary>The operator of the columns.</summary>
    protected BlockedOperator<TSimd, TVector, T> Transposed =>
        _transposed ??= Transpose(new PointCloud(_cloud.Target, _cloud.Source, _cloud.GroundCost));

    protected override void PrepareSweep() => PrepareBias(Step.Epsilon, G, Step.LogB.Span);

    void PrepareBias(double epsilon, ReadOnlySpan<double> g, ReadOnlySpan<double> logB)
    {
        _toExponent = Log2E / epsilon;
        FillBias(_bias.Span, epsilon, g, Points.TargetNorms, logB);
    }

    /// <summary>The blocks of a chunk, of nearly equal size in whole groups of rows; <paramref name="most"/> is whole groups too.</summary>
    protected (int Row, int Count) Block(int chunk, int block, int most)
    {
        (int start, int end) = ChunkRows(chunk);
        int blocks = (end - start + most - 1) / most;
        if (block >= blocks || Cancelled())
            return (end, 0);
        int row = Border(block);
        return (row, Border(block + 1) - row);

        // Rounded up: rounded down, the last block could be longer than the others may be.
        int Border(int k) =>
            k == blocks ? end : start + ((int)(((long)(end - start) * k / blocks) + RowGroup - 1) / RowGroup * RowGroup);
    }

    protected override double SweepChunk(int chunk, int worker, double[] columns)
    {
        Scratch scratch = _scratch[worker];
        Array.Clear(columns);
        ReadOnlySpan<double> a = Step.A.Span;
        double missed = 0;
        for (int block = 0; Block(chunk, block, scratch.Sums.Length) is (var row, > 0 and var count); block++)
        {
            FromGuess(row, count, scratch);
            if (!AreSafe(scratch.Sums.AsSpan(0, count)))
                FromMaximum(row, count, scratch);
            for (int r = 0; r < count; r++)
            {
                double weight = UpdateRow(row + r, a[row + r], scratch.Shifts[r], scratch.Sums[r], ref missed);
                scratch.Factors[r] = T.CreateSaturating(weight);
            }
            for (int r = 0; r < count; r += FlushRows)
            {
                AddToColumns(r, Math.Min(count, r + FlushRows), scratch);
                FusedOperator<TSimd, TVector, T>.Flush(scratch.Columns, columns);
            }
        }
        return missed;
    }

    /// <summary>Exponentials of a block of rows, each shifted by its previous potential.</summary>
    void FromGuess(int row, int count, Scratch scratch)
    {
        for (int r = 0; r < count; r++)
        {
            // The shift is one of the whole exponent, which has the row's norm; the products lack it.
            double norm = Points.SourceNorms[row + r] * _toExponent;
            T added = T.CreateSaturating((F[row + r] * _toExponent) - norm);
            scratch.Factors[r] = added;
            scratch.Shifts[r] = double.CreateTruncating(added) + norm;
        }
        scratch.Sums.AsSpan().Clear();
        Multiply(row, count, scratch, exponentiate: true);
    }

    /// <summary>Exponentials of a block of rows, each shifted by its maximum.</summary>
    void FromMaximum(int row, int count, Scratch scratch)
    {
        Multiply(row, count, scratch, exponentiate: false);
        scratch.Sums.AsSpan().Clear();
        for (int r = 0; r < count; r++)
        {
            T top = Largest(ref scratch.Row(r));
            if (top <= Simd.Lowest<T>() / T.CreateTruncating(2))
            {
                // No column is allowed.
                scratch.Products.Span.Slice(r * scratch.Stride, Padded).Clear();
                continue;
            }
            scratch.Factors[r] = -top;
            scratch.Shifts[r] = (Points.SourceNorms[row + r] * _toExponent) - double.CreateTruncating(top);
            for (int tile = 0; tile < Padded; tile += TileColumns)
                Exponentiate(r, 1, tile, scratch);
        }
    }

    /// <summary>Products of a block, tile by tile of columns, each turned into exponentials while it is in the second-level cache.</summary>
    void Multiply(int row, int count, Scratch scratch, bool exponentiate)
    {
        Points.Scaled(row, count, 2 * Points.Scale * _toExponent, scratch.Scaled.Span);
        for (int tile = 0; tile < Padded; tile += TileColumns)
        {
            Multiply(count, tile, Math.Min(TileColumns, Padded - tile), scratch);
            if (exponentiate)
                Exponentiate(0, count, tile, scratch);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    T Largest(ref T row)
    {
        TVector max = TSimd.Fill(Simd.Lowest<T>());
        for (nint j = 0; j < Padded; j += TSimd.Count)
            max = TSimd.Max(max, TSimd.Add(TSimd.Load(ref row, j), TSimd.Load(ref _bias.Start, j)));
        return TSimd.MaxAcross(max);
    }

    void Exponentiate(int first, int count, int tile, Scratch scratch)
    {
        int end = Math.Min(tile + TileColumns, Padded);
        for (int r = first; r < first + count; r++)
            scratch.Sums[r] += Exponentiate(ref scratch.Row(r), scratch.Factors[r], tile, end);
    }

    /// <summary><c>e_j ← 2^(e_j + bias_j + shift)</c> over a tile; returns their sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    double Exponentiate(ref T e, T shift, nint tile, nint end)
    {
        ref T bias = ref _bias.Start;
        TVector s = TSimd.Fill(shift),
            lowest = TSimd.Fill(Simd.Lowest<T>()),
            p0 = TSimd.Zero,
            p1 = TSimd.Zero;
        for (nint j = tile; j < end; j += 2 * TSimd.Count)
        {
            nint k = j + TSimd.Count;
            TVector t0 = TSimd.Add(TSimd.Load(ref e, j), TSimd.Add(TSimd.Load(ref bias, j), s)),
                t1 = TSimd.Add(TSimd.Load(ref e, k), TSimd.Add(TSimd.Load(ref bias, k), s));
            t0 = TSimd.Exp2(TSimd.Max(t0, lowest));
            t1 = TSimd.Exp2(TSimd.Max(t1, lowest));
            TSimd.Store(t0, ref e, j);
            TSimd.Store(t1, ref e, k);
            p0 = TSimd.Add(p0, t0);
            p1 = TSimd.Add(p1, t1);
        }
        return double.CreateTruncating(TSimd.Sum(TSimd.Add(p0, p1)));
    }

    /// <summary><c>columns_j = Σ_r weight_r e_rj</c>, four registers of columns at a time down the rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void AddToColumns(int first, int end, Scratch scratch)
    {
        ref T columns = ref scratch.Columns.Start;
        for (nint j = 0; j < Padded; j += 4 * TSimd.Count)
        {
            TVector c0 = TSimd.Zero,
                c1 = TSimd.Zero,
                c2 = TSimd.Zero,
                c3 = TSimd.Zero;
            ref T e = ref Unsafe.Add(ref scratch.Row(first), j);
            for (int r = first; r < end; r++)
            {
                TVector w = TSimd.Fill(scratch.Factors[r]);
                c0 = TSimd.MultiplyAdd(w, TSimd.Load(ref e, 0), c0);
                c1 = TSimd.MultiplyAdd(w, TSimd.Load(ref e, TSimd.Count), c1);
                c2 = TSimd.MultiplyAdd(w, TSimd.Load(ref e, 2 * TSimd.Count), c2);
                c3 = TSimd.MultiplyAdd(w, TSimd.Load(ref e, 3 * TSimd.Count), c3);
                e = ref Unsafe.Add(ref e, scratch.Stride);
            }
            TSimd.Store(c0, ref columns, j);
            TSimd.Store(c1, ref columns, j + TSimd.Count);
            TSimd.Store(c2, ref columns, j + (2 * TSimd.Count));
            TSimd.Store(c3, ref columns, j + (3 * TSimd.Count));
        }
    }

    sealed class SoftMinWork(BlockedOperator<TSimd, TVector, T> owner) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            Scratch scratch = owner._scratch[worker];
            for (int k = 0; owner.Block(block, k, scratch.Sums.Length) is (var row, > 0 and var count); k++)
            {
                owner.FromMaximum(row, count, scratch);
                for (int r = 0; r < count; r++)
                    owner.F[row + r] = (scratch.Shifts[r] - Math.Log2(scratch.Sums[r])) / owner._toExponent;
            }
        }
    }
}
