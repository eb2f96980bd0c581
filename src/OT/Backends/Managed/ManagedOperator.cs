using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>What all managed operators share: row chunks, cancellation, and the reductions in doubles that run once per solve or rarely.</summary>
/// <remarks>Chunks of rows depend on n alone and are combined in order: same bits for any thread count.</remarks>
internal abstract class ManagedOperator : ICostOperator
{
    const int MinChunkRows = 32;
    const int MaxChunks = 64;

    readonly CancellationToken _cancellation;
    volatile bool _interrupted;
    double _planMass;
    double[] _rowMin = [];
    double[] _columnMin = [];
    double[] _nextF = [];
    double[] _nextG = [];

    protected ManagedOperator(Geometry geometry, RowBlocks blocks, string description, CancellationToken cancellation)
    {
        Geometry = geometry;
        Blocks = blocks;
        Description = description;
        _cancellation = cancellation;
        Rows = geometry.Rows;
        Columns = geometry.Columns;
        Chunks = ChunkCount(Rows);
    }

    /// <inheritdoc/>
    public int Rows { get; }

    /// <inheritdoc/>
    public int Columns { get; }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public bool Interrupted => _interrupted;

    /// <summary>The costs.</summary>
    protected Geometry Geometry { get; }

    /// <summary>The parallel loop.</summary>
    protected RowBlocks Blocks { get; }

    /// <summary>Number of row chunks, a function of n alone.</summary>
    protected int Chunks { get; }

    /// <summary>The token operators were bound with.</summary>
    protected CancellationToken Cancellation => _cancellation;

    /// <summary>Chunks for n rows: at least 32 rows each, at most 64 chunks.</summary>
    protected static int ChunkCount(int rows) => Math.Clamp(rows / MinChunkRows, 1, MaxChunks);

    /// <summary>Rows of a chunk, borders on multiples of 4.</summary>
    protected (int Start, int End) ChunkRows(int chunk) => (Border(chunk), Border(chunk + 1));

    int Border(int chunk) => chunk == Chunks ? Rows : (int)((long)Rows * chunk / Chunks / 4 * 4);

    /// <summary>Looks at the token; once it asks to stop, the operator stays interrupted.</summary>
    protected bool Cancelled()
    {
        if (_cancellation.IsCancellationRequested)
            _interrupted = true;
        return _interrupted;
    }

    /// <summary>Takes over the interruption of an operator that did part of the work.</summary>
    protected void StopWith(ManagedOperator part) => _interrupted |= part._interrupted;

    /// <inheritdoc/>
    public abstract void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f);

    /// <inheritdoc/>
    public virtual int Iterate(int count, SinkhornStep step, Span<double> f, Span<double> g, out double error)
    {
        if (_rowMin.Length == 0)
            (_rowMin, _columnMin, _nextF, _nextG) = (
                new double[Rows],
                new double[Columns],
                new double[Rows],
                new double[Columns]
            );
        double[] rowMin = _rowMin,
            columnMin = _columnMin,
            nextF = _nextF,
            nextG = _nextG;
        ReadOnlySpan<double> a = step.A.Span,
            b = step.B.Span;
        double eps = step.Epsilon,
            omega = step.Relaxation;
        error = double.NaN;
        for (int k = 0; k < count; k++)
        {
            error = double.NaN;
            SoftMinRows(g, step.LogB.Span, eps, rowMin);
            if (Interrupted)
                return k;
            double sum = 0;
            for (int i = 0; i < a.Length; i++)
            {
                nextF[i] = double.IsFinite(rowMin[i])
                    ? Math.Clamp(((1 - omega) * f[i]) + (omega * step.TauA * rowMin[i]), -step.BoundA, step.BoundA)
                    : 0;
                if (omega != 1 && a[i] != 0)
                    sum += Missed(a[i] * Math.Exp((nextF[i] - rowMin[i]) / eps), a[i], nextF[i], step.TauA, step.BoundA, eps);
            }
            SoftMinColumns(nextF, step.LogA.Span, eps, columnMin);
            if (Interrupted)
                return k;
            double mass = 0;
            for (int j = 0; j < b.Length; j++)
            {
                nextG[j] = g[j];
                if (b[j] == 0)
                    continue;
                double column = b[j] * Math.Exp((g[j] - columnMin[j]) / eps);
                mass += column;
                sum += Missed(column, b[j], g[j], step.TauB, step.BoundB, eps);
                nextG[j] = Math.Clamp(((1 - omega) * g[j]) + (omega * step.TauB * columnMin[j]), -step.BoundB, step.BoundB);
            }
            if (!double.IsFinite(sum))
                return k;
            nextF.CopyTo(f);
            nextG.CopyTo(g);
            (error, _planMass) = (sum, mass);
            if (error <= step.Tolerance)
                return k + 1;
        }
        return count;
    }

    /// <inheritdoc/>
    public virtual double PlanMass => _planMass;

    /// <summary>
    /// What a marginal is off: from its weight, from <c>weight exp(−f/ρ)</c> where it is penalised (τ &lt; 1), or in the one direction that is left at a bound.
    /// </summary>
    internal static double Missed(double marginal, double weight, double f, double tau, double bound, double epsilon)
    {
        if (f >= bound)
            return Math.Max(marginal - weight, 0);
        if (f <= -bound)
            return Math.Max(weight - marginal, 0);
        return Math.Abs(marginal - (tau == 1 ? weight : weight * Math.Exp(-f * (1 - tau) / (epsilon * tau))));
    }

    /// <inheritdoc/>
    public virtual void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        // First the largest exponent of each column, then the sum of exponentials below it.
        double[] potential = f.ToArray(),
            logs = logA.ToArray();
        double inverse = epsilon == 0 ? 1 : 1 / epsilon;
        double[] max = OverChunks(
            double.NegativeInfinity,
            (i, row, partial) =>
            {
                if (ColumnExponents(i, potential[i], epsilon == 0 && double.IsFinite(logs[i]) ? 0 : logs[i], inverse, row))
                    TensorPrimitives.Max(partial, row, partial);
            },
            static (total, partial) => TensorPrimitives.Max(total, partial, total)
        );
        if (epsilon == 0)
        {
            TensorPrimitives.Negate(max, g);
            return;
        }
        double[] sums = OverChunks(
            0,
            (i, row, partial) =>
            {
                if (!ColumnExponents(i, potential[i], logs[i], inverse, row))
                    return;
                for (int j = 0; j < row.Length; j++)
                    row[j] = double.IsNegativeInfinity(max[j]) ? double.NegativeInfinity : row[j] - max[j];
                VectorMath.Exp(row);
                TensorPrimitives.Add(partial, row, partial);
            },
            static (total, partial) => TensorPrimitives.Add(total, partial, total)
        );
        for (int j = 0; j < sums.Length; j++)
            g[j] = -epsilon * (max[j] + Math.Log(sums[j]));
    }

    bool ColumnExponents(int i, double f, double logA, double inverse, Span<double> row)
    {
        if (double.IsNegativeInfinity(logA))
            return false;
        Geometry.CostRow(i, row);
        TensorPrimitives.Subtract(f, row, row);
        TensorPrimitives.Multiply(row, inverse, row);
        TensorPrimitives.Add(row, logA, row);
        return true;
    }

    /// <inheritdoc/>
    public virtual void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false)
    {
        int n = Rows,
            m = Columns;
        int count = vectors.Length / (transpose ? n : m);
        Guard.Length(vectors.Length, count * (transpose ? n : m), nameof(vectors));
        Guard.Length(result.Length, count * (transpose ? m : n), nameof(result));
        double[] input = vectors.ToArray();
        PlanRows rows = new(plan);
        if (transpose)
        {
            double[] sums = OverChunks(
                0,
                (i, row, partial) =>
                {
                    Geometry.CostRow(i, row);
                    rows.Fill(i, row);
                    for (int k = 0; k < count; k++)
                        TensorPrimitives.MultiplyAdd(row, input[(k * n) + i], partial.Slice(k * m, m), partial.Slice(k * m, m));
                },
                static (total, partial) => TensorPrimitives.Add(total, partial, total),
                count * m
            );
            sums.CopyTo(result);
            return;
        }
        var output = new double[count * n];
        OverChunks(
            0,
            (i, row, _) =>
            {
                Geometry.CostRow(i, row);
                rows.Fill(i, row);
                for (int k = 0; k < count; k++)
                    output[(k * n) + i] = TensorPrimitives.Dot(row, input.AsSpan(k * m, m));
            },
            static (_, _) => { },
            0
        );
        output.CopyTo(result);
    }

    /// <inheritdoc/>
    public virtual double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
        double[] f = plan.F.ToArray(),
            g = plan.G.ToArray(),
            logA = plan.LogA.ToArray(),
            logB = plan.LogB.ToArray();
        double inverse = 1 / plan.Epsilon;
        var sums = new double[Rows];
        var costs = new double[Rows];
        bool forbidden = Geometry.HasForbiddenPairs;
        double[] columns = OverChunks(
            0,
            (i, row, partial) =>
            {
                if (double.IsNegativeInfinity(logA[i]))
                    return;
                Geometry.CostRow(i, row);
                ReadOnlySpan<double> weights = logB;
                if (forbidden)
                {
                    Span<double> allowed = partial.Slice(Columns, Columns);
                    logB.CopyTo(allowed);
                    for (int j = 0; j < row.Length; j++)
                    {
                        if (double.IsPositiveInfinity(row[j]))
                            (row[j], allowed[j]) = (0, double.NegativeInfinity);
                    }
                    weights = allowed;
                }
                (sums[i], costs[i]) = PlanSweep.Row(row, g, weights, f[i], logA[i], inverse, partial[..Columns]);
            },
            (total, partial) => TensorPrimitives.Add(total[..Columns], partial[..Columns], total[..Columns]),
            2 * Columns
        );
        sums.CopyTo(rowSums);
        columns.AsSpan(0, Columns).CopyTo(columnSums);
        return Summation.Sum(costs);
    }

    /// <inheritdoc/>
    public void CostRows(int start, int count, Span<double> block) => Geometry.CostRows(start, count, block);

    /// <inheritdoc/>
    public virtual void Dispose() { }

    /// <summary><c>f_i = min over j with finite logB of C_ij − g_j</c>.</summary>
    protected virtual void HardMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, Span<double> f)
    {
        double[] offsets = Allowed(g, logB);
        var minima = new double[Rows];
        OverChunks(
            0,
            (i, row, _) =>
            {
                Geometry.CostRow(i, row);
                TensorPrimitives.Subtract(row, offsets, row);
                minima[i] = TensorPrimitives.Min<double>(row);
            },
            static (_, _) => { },
            0
        );
        minima.CopyTo(f);
    }

    /// <summary>A potential that takes out what has no weight: hard minima subtract it from costs.</summary>
    protected static double[] Allowed(ReadOnlySpan<double> potential, ReadOnlySpan<double> logWeights)
    {
        double[] allowed = potential.ToArray();
        for (int k = 0; k < allowed.Length; k++)
        {
            if (double.IsNegativeInfinity(logWeights[k]))
                allowed[k] = double.NegativeInfinity;
        }
        return allowed;
    }

    /// <summary>What to do with one row, given room for a row and the chunk's partial result.</summary>
    protected delegate void RowAction(int i, Span<double> row, Span<double> partial);

    /// <summary>How a chunk's partial result joins the total.</summary>
    protected delegate void Combine(Span<double> total, Span<double> partial);

    /// <summary>Runs an action over all rows, chunk by chunk in parallel, and combines the chunks' partial results in order.</summary>
    protected double[] OverChunks(double initial, RowAction action, Combine combine, int partialLength = -1)
    {
        var work = new ChunkedRows(this, action, initial, partialLength < 0 ? Columns : partialLength);
        Blocks.Run(Chunks, work);
        for (int c = 1; c < Chunks; c++)
            combine(work.Partials[0], work.Partials[c]);
        return work.Partials[0];
    }

    sealed class ChunkedRows(ManagedOperator owner, RowAction action, double initial, int partialLength) : IBlockWork
    {
        public readonly double[][] Partials = new double[owner.Chunks][];

        public void Run(int block, int worker)
        {
            var partial = new double[partialLength];
            Array.Fill(partial, initial);
            Partials[block] = partial;
            var row = new double[owner.Columns];
            (int start, int end) = owner.ChunkRows(block);
            for (int i = start; i < end && !owner.Cancelled(); i++)
                action(i, row, partial);
        }
    }
}
