using System.Numerics;
using System.Runtime.CompilerServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>
/// Sinkhorn iterations in one pass over the rows: what gives f_i gives the plan's row too, so each chunk of rows hands its column sums to the update of g.
/// </summary>
/// <remarks>
/// A subclass sweeps rows (<see cref="SweepChunk"/>), in whatever language. Chunks depend on n alone and their column sums are added in order: same bits for any thread count.
/// </remarks>
internal abstract class FusedIteration : ManagedOperator
{
    /// <summary>Exponents are kept in base 2.</summary>
    protected const double Log2E = 1.4426950408889634;

    const int ReduceWidth = 1024;

    readonly bool _single;
    readonly double[] _chunkRowErrors;
    readonly double[] _blockErrors;
    readonly ChunkWork _chunkWork;
    readonly ReduceWork _reduceWork;
    readonly SumWork _sumWork;
    readonly double[]?[] _chunkColumns;
    double[] _columnSums = [];
    FusedIteration? _other;

    /// <summary>Room for the errors of every chunk and block of columns.</summary>
    /// <param name="geometry">The costs.</param>
    /// <param name="blocks">The parallel loop.</param>
    /// <param name="description">What runs.</param>
    /// <param name="single">Whether rows are swept in floats, whose column sums lose their last terms sooner.</param>
    /// <param name="cancellation">Watched by the sweeps.</param>
    protected FusedIteration(Geometry geometry, RowBlocks blocks, string description, bool single, CancellationToken cancellation)
        : base(geometry, blocks, description, cancellation)
    {
        _single = single;
        _chunkRowErrors = new double[Chunks];
        _chunkColumns = new double[]?[Chunks];
        _blockErrors = new double[(Columns + ReduceWidth - 1) / ReduceWidth];
        _chunkWork = new ChunkWork(this);
        _reduceWork = new ReduceWork(this);
        _sumWork = new SumWork(this);
    }

    /// <summary>Bytes of what is kept here, for a shape.</summary>
    protected static long IterationBytes(int rows, int columns) =>
        ((long)columns * sizeof(double) * (ChunkCount(rows) + 2L)) + ((long)rows * sizeof(double) * 2);

    /// <summary>Whether rows are swept in floats.</summary>
    public bool IsSingle => _single;

    /// <summary>What the present iteration keeps fixed.</summary>
    protected SinkhornStep Step { get; private set; } = null!;

    /// <summary>Source potential: a guess before a row is swept, its new value after.</summary>
    protected double[] F { get; private set; } = [];

    /// <summary>Target potential that rows are swept with.</summary>
    protected double[] G { get; private set; } = [];

    /// <summary>Room for the column sums of a chunk; made when first asked for.</summary>
    protected double[] ChunkColumns(int chunk) => _chunkColumns[chunk] ??= new double[Columns];

    /// <summary>Column sums of the rows swept last, all chunks together.</summary>
    public ReadOnlySpan<double> ColumnSums => _columnSums;

    /// <inheritdoc/>
    public override double PlanMass => _other is null ? Summation.Sum(_columnSums) : _other.PlanMass;

    /// <summary>The operator that iterates in this one's place at an ε that it cannot resolve; null, the default, where it can.</summary>
    protected virtual FusedIteration? Instead(double epsilon) => null;

    /// <summary>Called before the rows are swept: ε and g are fixed, biases are made.</summary>
    protected abstract void PrepareSweep();

    /// <summary>Updates F on a chunk of rows and gives the sums of the plan's columns over it.</summary>
    /// <param name="chunk">Which rows, see <see cref="ManagedOperator.ChunkRows"/>.</param>
    /// <param name="worker">Whose memory to use.</param>
    /// <param name="columns">Receives the column sums, m.</param>
    /// <returns>What the rows' marginals are off; 0 without relaxation.</returns>
    protected abstract double SweepChunk(int chunk, int worker, double[] columns);

    /// <summary>
    /// Whether row sums lost no precision: what underflowed in a row is less than the smallest number over the row's sum, and must lie below what the update of g
    /// asks of a column.
    /// </summary>
    protected bool AreSafe(ReadOnlySpan<double> sums)
    {
        double low = _single ? 1e-8 : 1e-50,
            high = _single ? 1e20 : 1e200;
        foreach (double sum in sums)
        {
            if (!(sum >= low && sum <= high))
                return false;
        }
        return true;
    }

    /// <summary>Updates f_i from <c>S = Σ_j e_j</c>, where <c>e_j = 2^(shift + log₂ b_j + log₂e (g_j − C_ij)/ε)</c>.</summary>
    /// <param name="i">The row.</param>
    /// <param name="a">Its weight.</param>
    /// <param name="shift">The row's shift, in base 2.</param>
    /// <param name="sum">S.</param>
    /// <param name="missed">What a relaxed row's marginal is off is added.</param>
    /// <returns>w with <c>w e_j = P_ij</c> of the new f_i.</returns>
    protected double UpdateRow(int i, double a, double shift, double sum, ref double missed)
    {
        double epsilon = Step.Epsilon,
            toLog2 = Log2E / epsilon,
            omega = Step.Relaxation,
            tau = Step.TauA,
            bound = Step.BoundA;
        // softmin_i = −ε (ln S − shift), the whole of it in base 2 until here.
        double softMin = (shift - Math.Log2(sum)) / toLog2;
        if (!double.IsFinite(softMin))
        {
            F[i] = 0; // no column is allowed
            return 0;
        }
        double f = Math.Clamp(((1 - omega) * F[i]) + (omega * tau * softMin), -bound, bound);
        F[i] = f;
        // At its own soft-min a row has the mass of its weight; an empty one has none, wherever its potential is kept.
        double weight = f == softMin || a == 0 ? a / sum : a * Math.Pow(2, (f * toLog2) - shift);
        if (omega != 1 && a != 0)
            missed += Missed(weight * sum, a, f, tau, bound, epsilon);
        return weight;
    }

    /// <summary>Called after an iteration was interrupted or left the range of numbers: what it left behind is not to be used again.</summary>
    protected virtual void Forget() { }

    /// <inheritdoc/>
    public override int Iterate(int count, SinkhornStep step, Span<double> f, Span<double> g, out double error)
    {
        _other = Instead(step.Epsilon);
        if (_other is not null)
        {
            int made = _other.Iterate(count, step, f, g, out error);
            StopWith(_other);
            return made;
        }
        Step = step;
        EnsureVectors();
        EnsureColumns();
        f.CopyTo(F);
        g.CopyTo(G);
        error = double.NaN;
        for (int k = 0; k < count; k++)
        {
            double sum = Iteration();
            if (Interrupted || !double.IsFinite(sum))
            {
                Forget();
                error = double.NaN;
                return k;
            }
            error = sum;
            F.CopyTo(f);
            G.CopyTo(g);
            if (error <= step.Tolerance)
                return k + 1;
        }
        return count;
    }

    double Iteration()
    {
        PrepareSweep();
        Blocks.Run(Chunks, _chunkWork);
        return Interrupted ? double.NaN : UpdateColumns();
    }

    /// <summary>Half an iteration, for rows that are not all there are: f from g, and what the rows add to the column sums that <see cref="UpdateColumns(SinkhornStep, int, ReadOnlySpan{double}, Span{double}, bool)"/> takes.</summary>
    /// <param name="step">What stays fixed; a and log a of these rows.</param>
    /// <param name="f">In: the previous source potential of these rows. Out: the last one, unless the result is not finite.</param>
    /// <param name="g">Target potential.</param>
    /// <param name="columnSums">Receives the column sums, m.</param>
    /// <returns>What the rows' marginals are off; NaN when interrupted.</returns>
    public double SweepRows(SinkhornStep step, Span<double> f, ReadOnlySpan<double> g, Span<double> columnSums)
    {
        _other = Instead(step.Epsilon);
        if (_other is not null)
        {
            double missed = _other.SweepRows(step, f, g, columnSums);
            StopWith(_other);
            return missed;
        }
        Step = step;
        EnsureVectors();
        EnsureColumns();
        f.CopyTo(F);
        g.CopyTo(G);
        PrepareSweep();
        Blocks.Run(Chunks, _chunkWork);
        if (Interrupted)
        {
            Forget();
            return double.NaN;
        }
        Blocks.Run(_blockErrors.Length, _sumWork);
        _columnSums.CopyTo(columnSums);
        F.CopyTo(f);
        double error = 0;
        foreach (double e in _chunkRowErrors)
            error += e;
        if (!double.IsFinite(Summation.Sum(_columnSums)))
            Forget();
        return error;
    }

    /// <summary>Makes room for both potentials.</summary>
    protected void EnsureVectors()
    {
        if (F.Length == 0)
            (F, G) = (new double[Rows], new double[Columns]);
    }

    /// <summary>Makes room for the column sums.</summary>
    void EnsureColumns()
    {
        if (_columnSums.Length == 0)
            _columnSums = new double[Columns];
    }

    /// <summary>g from the column sums: <c>softmin_j = g_j + ε log(b_j / c_j)</c>.</summary>
    double UpdateColumns()
    {
        Blocks.Run(_blockErrors.Length, _reduceWork);
        RepairColumns();
        double error = 0;
        foreach (double e in _blockErrors)
            error += e;
        foreach (double e in _chunkRowErrors)
            error += e;
        return error;
    }

    /// <summary>One thread takes the chunks in their order, so it adds each as it comes, from one room that stays in its cache; the same bits.</summary>
    bool AddsAsItGoes => Blocks.Threads == 1;

    void SweepAndAdd(int chunk, int worker)
    {
        double[] columns = ChunkColumns(AddsAsItGoes ? 0 : chunk);
        _chunkRowErrors[chunk] = SweepChunk(chunk, worker, columns);
        if (!AddsAsItGoes)
            return;
        if (chunk == 0)
            columns.CopyTo(_columnSums);
        else
            AddTo(_columnSums, columns);
    }

    /// <summary>Column sums of all chunks, added in order, for a block of columns.</summary>
    Span<double> SumBlock(int block)
    {
        int start = block * ReduceWidth;
        Span<double> sums = _columnSums.AsSpan(start, Math.Min(ReduceWidth, Columns - start));
        if (AddsAsItGoes)
            return sums;
        ChunkColumns(0).AsSpan(start, sums.Length).CopyTo(sums);
        for (int c = 1; c < Chunks; c++)
            AddTo(sums, ChunkColumns(c).AsSpan(start, sums.Length));
        return sums;
    }

    void ReduceBlock(int block)
    {
        Span<double> sums = SumBlock(block);
        int start = block * ReduceWidth;
        _blockErrors[block] = UpdateColumns(Step, start, sums, G.AsSpan(start, sums.Length), _single);
    }

    /// <summary>g of some columns from their sums; what lost precision stays as it is, for a soft-min of its own.</summary>
    /// <param name="step">What stays fixed.</param>
    /// <param name="start">The first column.</param>
    /// <param name="sums">Column sums of the plan of the new f and the old g.</param>
    /// <param name="g">In: the old g of these columns. Out: the new one.</param>
    /// <param name="single">Whether rows were swept in floats.</param>
    /// <returns>What the columns' marginals are off.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static double UpdateColumns(SinkhornStep step, int start, ReadOnlySpan<double> sums, Span<double> g, bool single)
    {
        double epsilon = step.Epsilon,
            tau = step.TauB,
            bound = step.BoundB,
            omega = step.Relaxation,
            error = 0;
        ReadOnlySpan<double> b = step.B.Span.Slice(start, sums.Length),
            logB = step.LogB.Span.Slice(start, sums.Length);
        for (int j = 0; j < sums.Length; j++)
        {
            if (b[j] == 0)
                continue;
            double sum = sums[j];
            error += Missed(sum, b[j], g[j], tau, bound, epsilon);
            if (IsSafe(sum, b[j], single))
            {
                double softMin = g[j] + (epsilon * (logB[j] - Math.Log(sum)));
                g[j] = Math.Clamp(((1 - omega) * g[j]) + (omega * tau * softMin), -bound, bound);
            }
        }
        return error;
    }

    /// <summary>Whether a column sum lost nothing to underflow or overflow.</summary>
    internal static bool IsSafe(double sum, double weight, bool single)
    {
        // Far below its weight a sum is made of underflowing terms, and below the normal range, however small the weight, of lost digits.
        (double share, double normal) = single ? (1e-25, 1e-30) : (1e-250, 1e-290);
        return sum >= Math.Max(weight * share, normal) && double.IsFinite(sum);
    }

    /// <summary>Columns that lost precision get their potential by a soft-min of their own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void RepairColumns()
    {
        ReadOnlySpan<double> b = Step.B.Span;
        double[]? softMin = null;
        for (int j = 0; j < Columns; j++)
        {
            if (b[j] == 0 || IsSafe(_columnSums[j], b[j], _single))
                continue;
            if (softMin is null)
            {
                softMin = new double[Columns];
                SoftMinColumns(F, Step.LogA.Span, Step.Epsilon, softMin);
            }
            double g = ((1 - Step.Relaxation) * G[j]) + (Step.Relaxation * Step.TauB * softMin[j]);
            G[j] = Math.Clamp(g, -Step.BoundB, Step.BoundB);
        }
    }

    /// <summary>
    /// Biases of the columns, <c>log₂e (g_j − offset_j)/ε + log₂ b_j</c>: the lowest exponent where b is 0 and in the padding.
    /// </summary>
    /// <param name="bias">Receives them, padded.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="g">Target potential.</param>
    /// <param name="offsets">What is taken off it; empty for nothing.</param>
    /// <param name="logB">log b.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected static void FillBias<T>(
        Span<T> bias,
        double epsilon,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> offsets,
        ReadOnlySpan<double> logB
    )
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        double scale = Log2E / epsilon;
        T lowest = Simd.Lowest<T>();
        for (int j = 0; j < g.Length; j++)
        {
            double exponent = (scale * (offsets.IsEmpty ? g[j] : g[j] - offsets[j])) + (Log2E * logB[j]);
            bias[j] = double.IsNegativeInfinity(logB[j]) ? lowest : T.Max(T.CreateSaturating(exponent), lowest);
        }
        bias[g.Length..].Fill(lowest);
    }

    /// <summary>sums += terms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected static void AddTo(Span<double> sums, ReadOnlySpan<double> terms)
    {
        int j = 0;
        for (; j <= sums.Length - Vector<double>.Count; j += Vector<double>.Count)
            (new Vector<double>(sums[j..]) + new Vector<double>(terms[j..])).CopyTo(sums[j..]);
        for (; j < sums.Length; j++)
            sums[j] += terms[j];
    }

    sealed class ChunkWork(FusedIteration owner) : IBlockWork
    {
        public void Run(int block, int worker) => owner.SweepAndAdd(block, worker);
    }

    sealed class SumWork(FusedIteration owner) : IBlockWork
    {
        public void Run(int block, int worker) => owner.SumBlock(block);
    }

    sealed class ReduceWork(FusedIteration owner) : IBlockWork
    {
        public void Run(int block, int worker) => owner.ReduceBlock(block);
    }
}
