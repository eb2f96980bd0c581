using System.Numerics;
using System.Runtime.CompilerServices;
using OT.Backends;
using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Blas;

/// <summary>Squared distances in many dimensions, never stored: a block of rows of dot products at a time comes from BLAS.</summary>
/// <remarks>
/// Products become exponentials where they lie; their row sums give f, and the rows, weighted, are added to the column sums. The size of a block depends on the
/// shape alone: same bits for any thread count. See <c>docs/theory/blas.md</c>.
/// </remarks>
sealed partial class GemmOperator<TSimd, TVector, T> : FusedIteration
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Rows of a block at most, and at least where there are so many: fewer slow the product down, since every call packs all columns.</summary>
    const int MostRows = 96;
    const int FewestRows = 32;

    /// <summary>Bytes of a block, within those bounds: what a core may keep of a shared third-level cache.</summary>
    const int BlockBytes = 8 << 20;

    /// <summary>Columns of a tile: with the rows of a block, what the second-level cache holds; a row's sum over them is added to a double.</summary>
    const int TileColumns = 1024;

    /// <summary>Rows after which column sums in <typeparamref name="T"/> are added to doubles.</summary>
    const int FlushRows = 64;

    readonly PointCloud _cloud;
    readonly BlasLibrary _blas;
    readonly DotProducts<T> _points;
    readonly AlignedBuffer<T> _bias;
    readonly Scratch[] _scratch;
    double _toExponent;
    GemmOperator<TSimd, TVector, T>? _transposed;
    RowOperator<TSimd, TVector, T>? _differences;

    public GemmOperator(PointCloud cloud, BlasLibrary blas, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(cloud, blocks, description, single: typeof(T) == typeof(float), cancellation)
    {
        (_cloud, _blas) = (cloud, blas);
        _points = new DotProducts<T>(blas, cloud);
        _bias = new AlignedBuffer<T>(_points.Padded, colour: 5);
        _scratch = new Scratch[blocks.Threads];
        for (int w = 0; w < _scratch.Length; w++)
            _scratch[w] = new Scratch(BlockRows(Rows, Columns), _points);
        _costRooms = new CostRoom?[blocks.Threads];
    }

    /// <summary>Rows of a block, a function of the shape alone.</summary>
    static int BlockRows(int rows, int columns)
    {
        int stride = AlignedBuffer<T>.Stride(columns);
        int most = (int)Math.Clamp(BlockBytes / ((long)stride * Unsafe.SizeOf<T>()), FewestRows, MostRows);
        return Math.Min(most, (rows / ChunkCount(rows)) + 4);
    }

    /// <summary>Bytes of an operator with all that it makes when first asked.</summary>
    public static long Bytes(PointCloud cloud, int threads)
    {
        (int n, int m, int d) = (cloud.Rows, cloud.Columns, cloud.Dimension);
        return OneSide(n, m) + OneSide(m, n) + CostBytes(n, m, d, threads) + CostBytes(m, n, d, threads);

        long OneSide(int rows, int columns) =>
            DotProducts<T>.Bytes(rows, columns, d)
            + IterationBytes(rows, columns)
            + ((long)columns * Unsafe.SizeOf<T>() * (threads + 1L))
            + ((long)BlockRows(rows, columns) * Unsafe.SizeOf<T>() * threads * (AlignedBuffer<T>.Stride(columns) + d));
    }

    /// <summary>What one worker computes in.</summary>
    sealed class Scratch
    {
        public Scratch(int rows, DotProducts<T> points)
        {
            Stride = AlignedBuffer<T>.Stride(points.Padded);
            Products = new AlignedBuffer<T>(checked(rows * Stride), colour: 0);
            Scaled = new AlignedBuffer<T>(rows * points.Dimension, colour: 0);
            Columns = new AlignedBuffer<T>(points.Padded, colour: 4);
            (Sums, Shifts, Factors) = (new double[rows], new double[rows], new T[rows]);
        }

        /// <summary>Dot products, then exponentials, <see cref="Stride"/> elements a row.</summary>
        public AlignedBuffer<T> Products { get; }
        public int Stride { get; }
        public AlignedBuffer<T> Scaled { get; }
        public AlignedBuffer<T> Columns { get; }
        public double[] Sums { get; }
        public double[] Shifts { get; }

        /// <summary>What exponents of a row have added, then what its exponentials are multiplied by.</summary>
        public T[] Factors { get; }

        public ref T Row(int r) => ref Unsafe.Add(ref Products.Start, (nint)r * Stride);
    }

    protected override FusedIteration? Instead(double epsilon) => Resolves(epsilon) ? null : Differences;

    public override void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        if (epsilon == 0)
            HardMinima(g, logB, f);
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

    GemmOperator<TSimd, TVector, T> Transposed =>
        _transposed ??= new(
            new PointCloud(_cloud.Target, _cloud.Source, _cloud.GroundCost),
            _blas,
            Blocks,
            Description,
            Cancellation
        );

    protected override void PrepareSweep() => PrepareBias(Step.Epsilon, G, Step.LogB.Span);

    /// <summary>Biases <c>log₂e (g_j − s|y_j|²)/ε + log₂ b_j</c>.</summary>
    void PrepareBias(double epsilon, ReadOnlySpan<double> g, ReadOnlySpan<double> logB)
    {
        _toExponent = Log2E / epsilon;
        T lowest = Simd.Lowest<T>();
        Span<T> bias = _bias.Span;
        for (int j = 0; j < g.Length; j++)
        {
            double exponent = (_toExponent * (g[j] - _points.TargetNorms[j])) + (Log2E * logB[j]);
            bias[j] = double.IsNegativeInfinity(logB[j]) ? lowest : T.Max(T.CreateSaturating(exponent), lowest);
        }
        bias[g.Length..].Fill(lowest);
    }

    /// <summary>The blocks of a chunk, of nearly equal size.</summary>
    (int Row, int Count) Block(int chunk, int block, int most)
    {
        (int start, int end) = ChunkRows(chunk);
        int blocks = (end - start + most - 1) / most;
        if (block >= blocks || Cancelled())
            return (end, 0);
        int row = start + (int)((long)(end - start) * block / blocks);
        return (row, start + (int)((long)(end - start) * (block + 1) / blocks) - row);
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
            double norm = _points.SourceNorms[row + r] * _toExponent;
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
            // Some column is allowed, as points have no forbidden pairs.
            T top = Largest(ref scratch.Row(r));
            scratch.Factors[r] = -top;
            scratch.Shifts[r] = (_points.SourceNorms[row + r] * _toExponent) - double.CreateTruncating(top);
            for (int tile = 0; tile < _points.Padded; tile += TileColumns)
                Exponentiate(r, 1, tile, scratch);
        }
    }

    /// <summary>Products of a block, tile by tile of columns, each turned into exponentials while it is in the second-level cache.</summary>
    void Multiply(int row, int count, Scratch scratch, bool exponentiate)
    {
        _points.Scaled(row, count, 2 * _points.Scale * _toExponent, scratch.Scaled);
        for (int tile = 0; tile < _points.Padded; tile += TileColumns)
        {
            int width = Math.Min(TileColumns, _points.Padded - tile);
            _points.Multiply(
                scratch.Scaled,
                count,
                tile,
                width,
                ref Unsafe.Add(ref scratch.Products.Start, tile),
                scratch.Stride
            );
            if (exponentiate)
                Exponentiate(0, count, tile, scratch);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    T Largest(ref T row)
    {
        TVector max = TSimd.Fill(Simd.Lowest<T>());
        for (nint j = 0; j < _points.Padded; j += TSimd.Count)
            max = TSimd.Max(max, TSimd.Add(TSimd.Load(ref row, j), TSimd.Load(ref _bias.Start, j)));
        return TSimd.MaxAcross(max);
    }

    void Exponentiate(int first, int count, int tile, Scratch scratch)
    {
        int end = Math.Min(tile + TileColumns, _points.Padded);
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
        for (nint j = 0; j < _points.Padded; j += 4 * TSimd.Count)
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

    sealed class SoftMinWork(GemmOperator<TSimd, TVector, T> owner) : IBlockWork
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
