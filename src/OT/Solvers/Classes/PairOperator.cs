using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using OT.Numerics;

namespace OT.Solvers.Classes;

/// <summary>A pair of rows as the iteration sees it: it penalises <c>Radius |First · x_I − Second · x_K|</c>.</summary>
internal readonly record struct PairTerm(int I, int K, double First, double Second, double Radius);

/// <summary>What a pass over pairs does with the dual vectors.</summary>
internal enum PairPass
{
    /// <summary>Nothing is kept: adjoint and penalty at the point that a plain step would reach.</summary>
    Look,

    /// <summary>A reflected step, drawn towards the anchor (Halpern).</summary>
    Mix,

    /// <summary>A plain step, which becomes the anchor.</summary>
    Anchor,

    /// <summary>The dual vectors of the smoothed penalty, kept where there is memory for them.</summary>
    Smooth,

    /// <summary>The penalty alone.</summary>
    Value,
}

/// <summary>
/// The differences <c>(K X)_e = First_e x_I − Second_e x_K</c> of the rows x of a table, or of its columns, with one dual vector in a ball for each: steps in the dual and <c>Kᵀ Z</c>.
/// </summary>
/// <remarks>
/// A pass goes over the pairs twice, for the lengths of the moved vectors and then to write them down, and each time tile by tile of coordinates: as many as let the tile's share of all vectors x and of Kᵀ Z stay in
/// the second-level cache, so that dual vectors alone come from memory. Threads take tiles, whose sums are added in their order: same bits for any number of threads. Memory: two numbers for each pair and tile, and two dual vectors, filled up to whole registers, for each pair
/// once <see cref="Allocate"/> was called.
/// </remarks>
internal sealed class PairOperator
{
    const int CacheBytes = 1 << 19;
    const int WidestTile = 64;
    const int Lanes = 8; // of Vector512<double>

    readonly bool _ofColumns;
    readonly int _length;
    readonly int _width;
    readonly int _tiles;
    readonly RowBlocks _blocks;
    readonly double[][] _points; // per worker, the tile's share of the vectors x
    readonly double[][] _others; // and of where the penalty is wanted, then of Kᵀ Z
    readonly double[] _nothing;
    readonly double[] _squares; // per tile and pair, |moved|²
    readonly double[] _apart; // per tile and pair, |difference|² where the penalty is wanted
    readonly double[] _shrink; // per pair
    double[] _dual = []; // tile after tile, in each pair after pair
    double[] _anchor = [];

    /// <summary>Pairs of rows, or of columns, of tables with so many rows and columns.</summary>
    public PairOperator(int rows, int columns, bool ofColumns, PairTerm[] terms, RowBlocks blocks)
    {
        (_ofColumns, Terms, _blocks) = (ofColumns, terms, blocks);
        (Count, _length) = ofColumns ? (columns, rows) : (rows, columns);
        int all = (_length + Lanes - 1) / Lanes * Lanes,
            cached = CacheBytes / sizeof(double) / Count / Lanes * Lanes;
        _width = Math.Min(all, Math.Clamp(cached, Lanes, WidestTile));
        _tiles = (_length + _width - 1) / _width;
        (_points, _others) = (Rooms(), Rooms());
        _nothing = new double[_width];
        int partial = Guard.ArrayLength(_tiles, terms.Length, "sums of all pairs");
        (_squares, _apart, _shrink) = (new double[partial], new double[partial], new double[terms.Length]);

        double[][] Rooms() =>
            [.. Enumerable.Range(0, blocks.Threads).Select(_ => new double[terms.Length == 0 ? 0 : Count * _width])];
    }

    /// <summary>Number of vectors x.</summary>
    public int Count { get; }

    public PairTerm[] Terms { get; }

    /// <summary>Takes the memory of dual vectors, all zero.</summary>
    public void Allocate()
    {
        int size = Guard.ArrayLength(Terms.Length, _tiles * _width, "dual vectors of all pairs");
        (_dual, _anchor) = (new double[size], new double[size]);
    }

    /// <summary>Dual vectors to start from, one after another; the next anchoring pass brings them into their balls.</summary>
    public void Start(double[] dual) => EachPart((at, part) => dual.AsSpan(at, part.Length).CopyTo(part));

    /// <summary>The dual vectors, one after another.</summary>
    public double[] DualVectors()
    {
        var dual = new double[Terms.Length * _length];
        EachPart((at, part) => part.CopyTo(dual.AsSpan(at)));
        return dual;
    }

    delegate void PartAction(int at, Span<double> part);

    /// <summary>The parts of dual vectors as they are kept, and where they are in one vector after another.</summary>
    void EachPart(PartAction action)
    {
        for (int tile = 0; tile < _tiles; tile++)
        {
            int start = tile * _width,
                length = Math.Min(_width, _length - start);
            for (int e = 0; e < Terms.Length; e++)
                action((e * _length) + start, _dual.AsSpan(((tile * Terms.Length) + e) * _width, length));
        }
    }

    /// <summary>The penalty at a table.</summary>
    public double Penalty(double[] at) => Run(PairPass.Value, at, at, 0, 0, []).Penalty;

    /// <summary>One pass; Kᵀ Z is added to the adjoint, and the sums over all pairs returned.</summary>
    /// <param name="pass">What is done with Z.</param>
    /// <param name="point">X: what Z moves along.</param>
    /// <param name="at">Where the penalty is wanted; null for nowhere.</param>
    /// <param name="step">σ; 1/μ for <see cref="PairPass.Smooth"/>.</param>
    /// <param name="keep">Share of the reflected step in a mixture, the rest being the anchor's.</param>
    /// <param name="adjoint">A table as X is, to which Kᵀ Z is added.</param>
    /// <returns><c>|T(Z) − Z|²</c>, <c>|T(Z) − anchor|²</c>, and the penalty.</returns>
    public (double Movement, double Travel, double Penalty) Run(
        PairPass pass,
        double[] point,
        double[]? at,
        double step,
        double keep,
        double[] adjoint
    )
    {
        if (Terms.Length == 0)
            return default;
        var work = new TileWork(this, pass, point, at, step, keep, adjoint);
        _blocks.Run(_tiles, work);
        double penalty = Shorten(at is not null);
        if (pass == PairPass.Value)
            return (0, 0, penalty);
        work.Moves = true;
        _blocks.Run(_tiles, work);
        return (work.Movement.Sum(), work.Travel.Sum(), penalty);
    }

    /// <summary>What moved vectors are multiplied by to be in their balls; returns the penalty.</summary>
    double Shorten(bool penalised)
    {
        double penalty = 0;
        for (int e = 0; e < Terms.Length; e++)
        {
            double radius = Terms[e].Radius,
                square = 0,
                apart = 0;
            for (int tile = 0; tile < _tiles; tile++)
            {
                square += _squares[(tile * Terms.Length) + e];
                apart += _apart[(tile * Terms.Length) + e];
            }
            double norm = Math.Sqrt(square);
            _shrink[e] = norm > radius ? radius / norm : 1;
            penalty += penalised ? radius * Math.Sqrt(apart) : 0;
        }
        return penalty;
    }

    sealed class TileWork(
        PairOperator owner,
        PairPass pass,
        double[] point,
        double[]? at,
        double step,
        double keep,
        double[] adjoint
    ) : IBlockWork
    {
        readonly PairTerm[] _terms = owner.Terms;
        readonly int _width = owner._width;

        public readonly double[] Movement = new double[owner._tiles];
        public readonly double[] Travel = new double[owner._tiles];

        /// <summary>Whether vectors are written down, or measured.</summary>
        public bool Moves { get; set; }

        public void Run(int block, int worker)
        {
            double[] x = owner._points[worker],
                other = owner._others[worker];
            if (pass != PairPass.Value)
                owner.Load(point, block, x);
            if (Moves)
            {
                Array.Clear(other);
                Move(block, x, other);
                owner.AddTo(adjoint, block, other);
                return;
            }
            if (pass != PairPass.Value)
                Measure(block, x);
            if (at is null)
                return;
            owner.Load(at, block, other);
            Span<double> apart = owner._apart.AsSpan(block * _terms.Length, _terms.Length);
            for (int e = 0; e < _terms.Length; e++)
            {
                PairTerm t = _terms[e];
                apart[e] = Square(ref owner._nothing[0], ref Part(other, t.I), ref Part(other, t.K), t.First, -t.Second, _width);
            }
        }

        void Measure(int tile, double[] x)
        {
            Span<double> squares = owner._squares.AsSpan(tile * _terms.Length, _terms.Length);
            for (int e = 0; e < _terms.Length; e++)
            {
                PairTerm t = _terms[e];
                squares[e] = Square(
                    ref Start(tile, e),
                    ref Part(x, t.I),
                    ref Part(x, t.K),
                    step * t.First,
                    -step * t.Second,
                    _width
                );
            }
        }

        void Move(int tile, double[] x, double[] sums)
        {
            double[] room = new double[_width];
            // Of the plain step, the vector before it and the anchor, the next vector has so much.
            (double plain, double before, double anchored) = pass == PairPass.Mix ? (2 * keep, -keep, 1 - keep) : (1, 0, 0);
            double movement = 0,
                travel = 0;
            for (int e = 0; e < _terms.Length; e++)
            {
                PairTerm t = _terms[e];
                int place = (tile * _terms.Length) + e;
                double shrink = owner._shrink[e],
                    a = shrink * step * t.First,
                    b = -shrink * step * t.Second;
                ref double z = ref Start(tile, e);
                ref double anchor = ref z;
                ref double next = ref room[0];
                if (pass is PairPass.Mix or PairPass.Anchor)
                {
                    anchor = ref Part(owner._anchor, place);
                    next = ref z;
                }
                else if (pass == PairPass.Smooth && owner._dual.Length > 0)
                    next = ref Part(owner._dual, place);
                (double moves, double away) = Combine(
                    ref z,
                    ref anchor,
                    ref Part(x, t.I),
                    ref Part(x, t.K),
                    ref next,
                    new(shrink, a, b, plain, before, anchored),
                    _width
                );
                movement += moves;
                travel += away;
                if (pass == PairPass.Anchor)
                    MemoryMarshal.CreateSpan(ref z, _width).CopyTo(MemoryMarshal.CreateSpan(ref anchor, _width));
                Scatter(ref next, ref Part(sums, t.I), ref Part(sums, t.K), t.First, -t.Second, _width);
            }
            (Movement[tile], Travel[tile]) = (movement, travel);
        }

        /// <summary>The vector that a step is added to: none where the penalty is smoothed.</summary>
        ref double Start(int tile, int e) =>
            ref pass == PairPass.Smooth ? ref owner._nothing[0] : ref Part(owner._dual, (tile * _terms.Length) + e);

        ref double Part(double[] parts, int k) =>
            ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(parts), (nint)k * _width);
    }

    /// <summary><c>|z + a x + b y|²</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Square(ref double z, ref double x, ref double y, double a, double b, nint width)
    {
        Vector512<double> first = Vector512.Create(a),
            second = Vector512.Create(b),
            sum = default;
        for (nint j = 0; j < width; j += Lanes)
        {
            Vector512<double> t = At(ref z, j) + (first * At(ref x, j)) + (second * At(ref y, j));
            sum += t * t;
        }
        return Vector512.Sum(sum);
    }

    /// <summary>Coefficients of <see cref="Combine"/>.</summary>
    readonly record struct Shares(double Shrink, double First, double Second, double Plain, double Before, double Anchored);

    /// <summary><c>t = Shrink z + First x + Second y</c>, <c>next = Plain t + Before z + Anchored anchor</c>; returns |t − z|² and |t − anchor|².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static (double Movement, double Travel) Combine(
        ref double z,
        ref double anchor,
        ref double x,
        ref double y,
        ref double next,
        in Shares shares,
        nint width
    )
    {
        Vector512<double> shrink = Vector512.Create(shares.Shrink),
            first = Vector512.Create(shares.First),
            second = Vector512.Create(shares.Second),
            plain = Vector512.Create(shares.Plain),
            before = Vector512.Create(shares.Before),
            anchored = Vector512.Create(shares.Anchored),
            movement = default,
            travel = default;
        for (nint j = 0; j < width; j += Lanes)
        {
            Vector512<double> old = At(ref z, j),
                from = At(ref anchor, j),
                t = (shrink * old) + (first * At(ref x, j)) + (second * At(ref y, j)),
                moves = t - old,
                away = t - from;
            movement += moves * moves;
            travel += away * away;
            Vector512.StoreUnsafe((plain * t) + (before * old) + (anchored * from), ref next, (nuint)j);
        }
        return (Vector512.Sum(movement), Vector512.Sum(travel));
    }

    /// <summary><c>first += a z</c>, <c>second += b z</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scatter(ref double z, ref double first, ref double second, double a, double b, nint width)
    {
        Vector512<double> plus = Vector512.Create(a),
            minus = Vector512.Create(b);
        for (nint j = 0; j < width; j += Lanes)
        {
            Vector512<double> v = At(ref z, j);
            Vector512.StoreUnsafe(At(ref first, j) + (plus * v), ref first, (nuint)j);
            Vector512.StoreUnsafe(At(ref second, j) + (minus * v), ref second, (nuint)j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<double> At(ref double start, nint j) => Vector512.LoadUnsafe(ref start, (nuint)j);

    /// <summary>The tile's share of every vector, one after another; 0 beyond the last coordinate.</summary>
    void Load(double[] table, int tile, double[] parts)
    {
        int start = tile * _width,
            length = Math.Min(_width, _length - start);
        if (length < _width)
            Array.Clear(parts);
        if (_ofColumns)
        {
            for (int k = 0; k < length; k++)
                Spread(table.AsSpan((start + k) * Count, Count), parts.AsSpan(k));
            return;
        }
        for (int i = 0; i < Count; i++)
            table.AsSpan((i * _length) + start, length).CopyTo(parts.AsSpan(i * _width));
    }

    void Spread(ReadOnlySpan<double> row, Span<double> to)
    {
        for (int i = 0; i < row.Length; i++)
            to[i * _width] = row[i];
    }

    void AddTo(double[] table, int tile, double[] parts)
    {
        int start = tile * _width,
            length = Math.Min(_width, _length - start);
        if (_ofColumns)
        {
            for (int k = 0; k < length; k++)
            {
                Span<double> row = table.AsSpan((start + k) * Count, Count);
                for (int i = 0; i < row.Length; i++)
                    row[i] += parts[(i * _width) + k];
            }
            return;
        }
        for (int i = 0; i < Count; i++)
        {
            Span<double> row = table.AsSpan((i * _length) + start, length);
            TensorPrimitives.Add(row, parts.AsSpan(i * _width, length), row);
        }
    }

    /// <summary>The largest eigenvalue of <c>KᵀK</c>, from above as far as power iteration tells; never more than Gershgorin's bound.</summary>
    public double NormSquared()
    {
        if (Terms.Length == 0)
            return 0;
        var sums = new double[Count]; // of the sizes in a row of KᵀK
        foreach (PairTerm t in Terms)
        {
            sums[t.I] += t.First * (t.First + t.Second);
            sums[t.K] += t.Second * (t.First + t.Second);
        }
        double bound = sums.Max();
        const int rounds = 200;
        const double margin = 1.04;
        var random = new SeededRandom((ulong)Count);
        double[] x = [.. Enumerable.Range(0, Count).Select(_ => random.NextNormal())];
        double value = 0;
        for (int round = 0; round < rounds; round++)
        {
            double norm = Math.Sqrt(x.Sum(v => v * v));
            if (norm == 0)
                return bound;
            var y = new double[Count];
            foreach (PairTerm t in Terms)
            {
                double difference = ((t.First * x[t.I]) - (t.Second * x[t.K])) / norm;
                y[t.I] += t.First * difference;
                y[t.K] -= t.Second * difference;
            }
            value = Math.Sqrt(y.Sum(v => v * v));
            x = y;
        }
        return Math.Min(bound, margin * value);
    }
}
