using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using OT.Accelerators.Blas;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Benchmarks;

/// <summary>
/// <c>OT.Benchmarks blas [n] [threads]</c>: the streamed iteration of the BLAS back end beside its parts (the matrix product alone, one exponential per entry), the
/// managed back end and stored costs, turn by turn in one run; then tables beside the product and the writing of as many bytes.
/// </summary>
static class BlasRatios
{
    public static int Run(string[] args)
    {
        int n = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 10_000;
        int threads = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 2;
        using var backend = new BlasBackend(threads, tableLimit: 0);
        Console.WriteLine(
            $"{backend.Version}; n = m = {n}, {threads} threads; ns per entry, least of the rounds, turn by turn.\n"
        );
        Console.WriteLine(
            "| d | precision | product alone | exp alone | iteration | iteration / (product + exp) | managed, streamed | stored | product into a table | bytes written | table |"
        );
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (int dimension in (int[])[8, 16, 32, 64, 128, 256])
        {
            Row<double>(backend, n, dimension, Precision.Float64);
            if (dimension is 16 or 64)
                Row<float>(backend, n, dimension, Precision.Float32);
        }
        Console.WriteLine(
            "\nWanted at d = 64, float64: iteration at most 1.3 times product + exp, and no slower than managed; table at most 1.3 times the larger of product into a table and bytes."
        );
        return 0;
    }

    static void Row<T>(BlasBackend backend, int n, int dimension, Precision precision)
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        var random = new SeededRandom(1);
        Matrix Cloud(double shift) =>
            new(n, dimension, [.. Enumerable.Range(0, n * dimension).Select(_ => random.NextNormal() + shift)]);
        var cloud = new PointCloud(Cloud(0), Cloud(0.3));
        var weights = new double[n];
        Array.Fill(weights, 1.0 / n);
        var logs = new double[n];
        Array.Fill(logs, -Math.Log(n));
        var step = new SinkhornStep
        {
            Epsilon = 0.05 * cloud.MeanCost,
            A = weights,
            B = weights,
            LogA = logs,
            LogB = logs,
        };
        using var managed = new ManagedBackend(backend.Threads);
        using ICostOperator streamed = backend.Stream(cloud, precision, default),
            direct = managed.Bind(cloud, precision),
            stored = managed.Bind(backend.Tabulate(cloud), precision);
        using var blocks = new RowBlocks(backend.Threads);
        var product = new ProductAlone<T>(cloud, blocks.Threads);
        var exponentials = new ExponentialsAlone<T>(n);
        var iterations = new Iterations(step, n);
        Action[] parts =
        [
            () => blocks.Run(product.Blocks, product),
            () => blocks.Run(ExponentialsAlone<T>.Blocks, exponentials),
            () => iterations.Run(streamed),
            () => iterations.Run(direct),
            () => iterations.Run(stored),
            () => product.IntoTable(blocks),
            () => WriteTable(n, blocks),
            () => backend.Tabulate(cloud),
        ];
        double[] least = Least(parts, n);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {dimension} | {(precision == Precision.Float32 ? "float32" : "float64")} | {least[0]:F3} | {least[1]:F3} | {least[2]:F3} | {least[2] / (least[0] + least[1]):F2} | {least[3]:F3} | {least[4]:F3} | {least[5]:F3} | {least[6]:F3} | {least[7]:F3} |"
            )
        );
    }

    /// <summary>Least nanoseconds per entry of each part over rounds in turn, the first of which warms up.</summary>
    static double[] Least(Action[] parts, int n)
    {
        const int rounds = 6;
        var least = new double[parts.Length];
        Array.Fill(least, double.PositiveInfinity);
        for (int round = 0; round < rounds; round++)
        {
            for (int k = 0; k < parts.Length; k++)
            {
                long start = Stopwatch.GetTimestamp();
                parts[k]();
                double time = Stopwatch.GetElapsedTime(start).TotalNanoseconds / n / n;
                if (round > 0)
                    least[k] = Math.Min(least[k], time);
            }
        }
        return least;
    }

    sealed class Iterations(SinkhornStep step, int n)
    {
        readonly double[] _f = new double[n];
        readonly double[] _g = new double[n];

        public void Run(ICostOperator op)
        {
            op.Iterate(1, step, _f, _g, out double error);
            if (!double.IsFinite(error))
                throw new InvalidOperationException("The iteration overflowed.");
        }
    }

    /// <summary>Products of the points in tiles of 256 × 2048, each written over the one before; or of 256 rows into a fresh table.</summary>
    sealed class ProductAlone<T>(PointCloud cloud, int threads) : IBlockWork
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        const int RowsTogether = 256;
        const int ColumnsTogether = 2048;

        readonly BlasLibrary _blas = BlasLibrary.Open();
        readonly T[] _source = Convert(cloud.Source);
        readonly T[] _target = Convert(cloud.Target);
        readonly AlignedBuffer<T>[] _tiles =
        [
            .. Enumerable.Range(0, threads).Select(_ => new AlignedBuffer<T>(RowsTogether * ColumnsTogether, colour: 0)),
        ];
        T[]? _table;

        public int Blocks => (cloud.Rows + RowsTogether - 1) / RowsTogether;

        public void IntoTable(RowBlocks blocks)
        {
            _table = GC.AllocateUninitializedArray<T>(cloud.Rows * cloud.Columns);
            blocks.Run(Blocks, this);
            _table = null;
        }

        public unsafe void Run(int block, int worker)
        {
            int row = block * RowsTogether,
                count = Math.Min(RowsTogether, cloud.Rows - row),
                d = cloud.Dimension,
                m = cloud.Columns;
            fixed (
                T* x = &_source[row * d],
                    y = _target,
                    table = _table,
                    tile = &_tiles[worker].Start
            )
            {
                if (table is not null)
                {
                    _blas.MultiplyTransposed(count, m, d, x, d, y, d, table + ((nint)row * m), m);
                    return;
                }
                for (int start = 0; start < m; start += ColumnsTogether)
                {
                    int width = Math.Min(ColumnsTogether, m - start);
                    _blas.MultiplyTransposed(count, width, d, x, d, y + (start * d), d, tile, ColumnsTogether);
                }
            }
        }

        static T[] Convert(Matrix points) => [.. points.Values.ToArray().Select(T.CreateTruncating)];
    }

    /// <summary>One exponential per entry of a block that stays in the second-level cache, as the operators take it.</summary>
    sealed class ExponentialsAlone<T> : IBlockWork
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        public const int Blocks = 64;

        readonly int _n;
        readonly T[] _sums = new T[Blocks];
        readonly AlignedBuffer<T> _exponents;

        public ExponentialsAlone(int n)
        {
            _n = n;
            _exponents = new AlignedBuffer<T>(n / 64 * 64, colour: 0);
            var random = new SeededRandom(1);
            foreach (ref T x in _exponents.Span)
                x = T.CreateTruncating(-20 * random.NextDouble());
        }

        public void Run(int block, int worker)
        {
            int rows = (_n * (block + 1) / Blocks) - (_n * block / Blocks);
            for (int r = 0; r < rows; r++)
            {
                _sums[block] += Simd.Width switch
                {
                    512 => Sum<Simd512<T>, Vector512<T>>(r),
                    256 => Sum<Simd256<T>, Vector256<T>>(r),
                    _ => Sum<Simd128<T>, Vector128<T>>(r),
                };
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        T Sum<TSimd, TVector>(int row)
            where TSimd : struct, ISimd<TVector, T>
        {
            TVector shift = TSimd.Fill(T.CreateTruncating(-row)),
                p = TSimd.Zero,
                q = TSimd.Zero;
            ref T e = ref _exponents.Start;
            for (nint j = 0; j < _exponents.Length; j += 2 * TSimd.Count)
            {
                p = TSimd.Add(p, TSimd.Exp2(TSimd.Add(TSimd.Load(ref e, j), shift)));
                q = TSimd.Add(q, TSimd.Exp2(TSimd.Add(TSimd.Load(ref e, j + TSimd.Count), shift)));
            }
            return TSimd.Sum(TSimd.Add(p, q));
        }
    }

    /// <summary>As many bytes as a table has, written to fresh memory.</summary>
    static void WriteTable(int n, RowBlocks blocks) =>
        blocks.Run(64, new Writing(GC.AllocateUninitializedArray<double>(n * n), n));

    sealed class Writing(double[] table, int n) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            int start = (int)((long)n * block / 64),
                end = (int)((long)n * (block + 1) / 64);
            table.AsSpan(start * n, (end - start) * n).Fill(block);
        }
    }
}
