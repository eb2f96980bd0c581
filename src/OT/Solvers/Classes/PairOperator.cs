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
/// The differences <c>(K X)_e = First_e X_I − Second_e X_K</c> of rows of a matrix, with one dual vector in a ball for each: steps in the dual and <c>Kᵀ Z</c>, in one pass over the pairs.
/// </summary>
/// <remarks>
/// Rows are dealt to groups, and pairs of groups meet in rounds in which each group plays once: threads never write to the same row, and every row is added to in an order that does not depend on them.
/// Memory: two dual vectors for each pair once <see cref="Allocate"/> was called.
/// </remarks>
internal sealed class PairOperator : IBlockWork
{
    const int Groups = 16; // even

    readonly int _length;
    readonly RowBlocks _blocks;
    readonly int[][][] _rounds; // round, task, pairs
    readonly (double Movement, double Travel, double Penalty)[] _sums;
    readonly double[][] _scratch;
    double[] _anchor = [];
    int[][] _tasks = [];
    Arguments _now;

    /// <summary>What all pairs of one pass share.</summary>
    record struct Arguments(PairPass Pass, double[] Point, double[]? At, double[] Adjoint, double Step, double Keep);

    public PairOperator(int count, int length, PairTerm[] terms, RowBlocks blocks)
    {
        (Count, _length, Terms, _blocks) = (count, length, terms, blocks);
        _rounds = Schedule(terms);
        _sums = new (double, double, double)[_rounds.Max(round => round.Length)];
        _scratch = [.. Enumerable.Range(0, blocks.Threads).Select(_ => new double[length])];
    }

    public int Count { get; }

    public PairTerm[] Terms { get; }

    /// <summary>The dual vectors, one after another.</summary>
    public double[] Dual { get; private set; } = [];

    /// <summary>Takes the memory of dual vectors, all zero.</summary>
    public void Allocate()
    {
        int size = Guard.ArrayLength(Terms.Length, _length, "dual vectors of all pairs");
        (Dual, _anchor) = (new double[size], new double[size]);
    }

    /// <summary>Starts from given dual vectors, which the next anchoring pass brings into their balls.</summary>
    public void Start(double[] dual) => dual.CopyTo(Dual, 0);

    /// <summary>The penalty at a matrix.</summary>
    public double Penalty(double[] at) => Run(PairPass.Value, at, at, 0, 0, []).Penalty;

    /// <summary>One pass; the adjoint <c>Kᵀ Z</c> is filled, and the sums over all pairs returned.</summary>
    /// <param name="pass">What is done with Z.</param>
    /// <param name="point">X, Count × length: what Z moves along.</param>
    /// <param name="at">Where the penalty is wanted; null for nowhere.</param>
    /// <param name="step">σ; 1/μ for <see cref="PairPass.Smooth"/>.</param>
    /// <param name="keep">Share of the reflected step in a mixture, the rest being the anchor's.</param>
    /// <param name="adjoint">Receives Kᵀ Z, Count × length.</param>
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
        Array.Clear(adjoint);
        _now = new(pass, point, at, adjoint, step, keep);
        (double movement, double travel, double penalty) = (0, 0, 0);
        foreach (int[][] round in _rounds)
        {
            _tasks = round;
            _blocks.Run(round.Length, this);
            for (int task = 0; task < round.Length; task++)
            {
                movement += _sums[task].Movement;
                travel += _sums[task].Travel;
                penalty += _sums[task].Penalty;
            }
        }
        return (movement, travel, penalty);
    }

    void IBlockWork.Run(int block, int worker)
    {
        (double movement, double travel, double penalty) = (0, 0, 0);
        foreach (int e in _tasks[block])
        {
            (double m, double t, double p) = One(e, _scratch[worker]);
            movement += m;
            travel += t;
            penalty += p;
        }
        _sums[block] = (movement, travel, penalty);
    }

    (double Movement, double Travel, double Penalty) One(int e, double[] scratch)
    {
        PairTerm term = Terms[e];
        (PairPass pass, double[] point, double[]? at, double[] adjoint, double step, double keep) = _now;
        double penalty = at is null
            ? 0
            : term.Radius * Math.Sqrt(Move(default, Row(at, term.I), Row(at, term.K), term.First, term.Second, default));
        if (pass == PairPass.Value)
            return (0, 0, penalty);
        Span<double> z = Dual.Length > 0 ? Dual.AsSpan(e * _length, _length) : default,
            start = pass == PairPass.Smooth ? default : z,
            moved = pass == PairPass.Smooth && !z.IsEmpty ? z : scratch.AsSpan(0, _length);
        double norm = Math.Sqrt(
            Move(start, Row(point, term.I), Row(point, term.K), step * term.First, step * term.Second, moved)
        );
        double shrink = norm > term.Radius ? term.Radius / norm : 1;
        Span<double> first = Row(adjoint, term.I),
            second = Row(adjoint, term.K);
        if (pass is PairPass.Look or PairPass.Smooth)
        {
            Scatter(moved, shrink, term, first, second);
            if (pass == PairPass.Smooth && !z.IsEmpty)
                System.Numerics.Tensors.TensorPrimitives.Multiply(z, shrink, z);
            return (0, 0, penalty);
        }
        Span<double> anchor = _anchor.AsSpan(e * _length, _length);
        (double movement, double travel) =
            pass == PairPass.Mix ? Mix(z, anchor, moved, shrink, keep) : Anchor(z, anchor, moved, shrink);
        Scatter(z, 1, term, first, second);
        return (movement, travel, penalty);
    }

    Span<double> Row(double[] matrix, int row) => matrix.AsSpan(row * _length, _length);

    /// <summary><c>moved = z + first x − second y</c> (without z or without a place to write where they are empty) and its squared norm.</summary>
    static double Move(
        ReadOnlySpan<double> z,
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> y,
        double first,
        double second,
        Span<double> moved
    )
    {
        ref double x0 = ref MemoryMarshal.GetReference(x),
            y0 = ref MemoryMarshal.GetReference(y),
            z0 = ref MemoryMarshal.GetReference(z),
            t0 = ref MemoryMarshal.GetReference(moved);
        bool adds = !z.IsEmpty,
            writes = !moved.IsEmpty;
        Vector256<double> a = Vector256.Create(first),
            b = Vector256.Create(-second),
            squares = default;
        int j = 0;
        for (; j <= x.Length - 4; j += 4)
        {
            Vector256<double> start = adds ? Vector256.LoadUnsafe(ref z0, (nuint)j) : default;
            Vector256<double> t =
                start + (a * Vector256.LoadUnsafe(ref x0, (nuint)j)) + (b * Vector256.LoadUnsafe(ref y0, (nuint)j));
            squares += t * t;
            if (writes)
                t.StoreUnsafe(ref t0, (nuint)j);
        }
        double sum = Vector256.Sum(squares);
        for (; j < x.Length; j++)
        {
            double t = (adds ? z[j] : 0) + (first * x[j]) - (second * y[j]);
            sum += t * t;
            if (writes)
                moved[j] = t;
        }
        return sum;
    }

    /// <summary><c>z ← keep (2 s t − z) + (1 − keep) anchor</c>.</summary>
    static (double Movement, double Travel) Mix(
        Span<double> z,
        ReadOnlySpan<double> anchor,
        ReadOnlySpan<double> moved,
        double shrink,
        double keep
    )
    {
        ref double z0 = ref MemoryMarshal.GetReference(z),
            a0 = ref MemoryMarshal.GetReference(anchor),
            t0 = ref MemoryMarshal.GetReference(moved);
        Vector256<double> movement = default,
            travel = default,
            s = Vector256.Create(shrink),
            c = Vector256.Create(keep),
            rest = Vector256.Create(1 - keep);
        int j = 0;
        for (; j <= z.Length - 4; j += 4)
        {
            Vector256<double> old = Vector256.LoadUnsafe(ref z0, (nuint)j),
                from = Vector256.LoadUnsafe(ref a0, (nuint)j),
                plain = s * Vector256.LoadUnsafe(ref t0, (nuint)j),
                moves = plain - old,
                away = plain - from;
            movement += moves * moves;
            travel += away * away;
            ((c * (plain + moves)) + (rest * from)).StoreUnsafe(ref z0, (nuint)j);
        }
        (double m, double t) = (Vector256.Sum(movement), Vector256.Sum(travel));
        for (; j < z.Length; j++)
        {
            double plain = shrink * moved[j],
                moves = plain - z[j],
                away = plain - anchor[j];
            m += moves * moves;
            t += away * away;
            z[j] = (keep * (plain + moves)) + ((1 - keep) * anchor[j]);
        }
        return (m, t);
    }

    /// <summary><c>z ← anchor ← s t</c>.</summary>
    static (double Movement, double Travel) Anchor(Span<double> z, Span<double> anchor, ReadOnlySpan<double> moved, double shrink)
    {
        double movement = 0,
            travel = 0;
        for (int j = 0; j < z.Length; j++)
        {
            double plain = shrink * moved[j],
                moves = plain - z[j],
                away = plain - anchor[j];
            movement += moves * moves;
            travel += away * away;
            z[j] = anchor[j] = plain;
        }
        return (movement, travel);
    }

    /// <summary><c>first += First s z</c>, <c>second −= Second s z</c>.</summary>
    static void Scatter(ReadOnlySpan<double> z, double shrink, PairTerm term, Span<double> first, Span<double> second)
    {
        ref double z0 = ref MemoryMarshal.GetReference(z),
            x0 = ref MemoryMarshal.GetReference(first),
            y0 = ref MemoryMarshal.GetReference(second);
        double plus = shrink * term.First,
            minus = -shrink * term.Second;
        Vector256<double> a = Vector256.Create(plus),
            b = Vector256.Create(minus);
        int j = 0;
        for (; j <= z.Length - 4; j += 4)
        {
            var v = Vector256.LoadUnsafe(ref z0, (nuint)j);
            (Vector256.LoadUnsafe(ref x0, (nuint)j) + (a * v)).StoreUnsafe(ref x0, (nuint)j);
            (Vector256.LoadUnsafe(ref y0, (nuint)j) + (b * v)).StoreUnsafe(ref y0, (nuint)j);
        }
        for (; j < z.Length; j++)
        {
            first[j] += plus * z[j];
            second[j] += minus * z[j];
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

    /// <summary>A round robin: in each round every group plays one other; in the last, each plays itself.</summary>
    static int[][][] Schedule(PairTerm[] terms)
    {
        var games = new List<int>[Groups, Groups];
        for (int e = 0; e < terms.Length; e++)
        {
            int first = terms[e].I % Groups,
                second = terms[e].K % Groups;
            (games[Math.Min(first, second), Math.Max(first, second)] ??= []).Add(e);
        }
        var rounds = new List<int[][]>();
        for (int round = 0; round < Groups; round++)
        {
            var tasks = new List<int[]>();
            for (int g = 0; g < Groups; g++)
            {
                for (int h = g; h < Groups; h++)
                {
                    // The circle method: the last group stays, the others move on.
                    int meet =
                        g == h ? Groups - 1
                        : h == Groups - 1 ? 2 * g % (Groups - 1)
                        : (g + h) % (Groups - 1);
                    if (meet == round && games[g, h] is { } pairs)
                        tasks.Add([.. pairs]);
                }
            }
            if (tasks.Count > 0)
                rounds.Add([.. tasks]);
        }
        return rounds.Count == 0
            ?
            [
                [],
            ]
            : [.. rounds];
    }
}
