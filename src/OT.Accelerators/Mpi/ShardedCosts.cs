using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Mpi;

/// <summary>An explicit n × m cost matrix whose rows lie with the ranks of an MPI job, each with its own: no process holds the whole.</summary>
/// <remarks>
/// For <see cref="DistributedBackend"/>. Statistics were gathered when it was made, so that every rank knows them. Asking for a cost in another rank's row throws, so solvers that look at all pairs in one
/// process refuse; Sinkhorn, SparseNewton and MirrorSinkhorn look at their own rows.
/// </remarks>
public sealed class ShardedCosts : Geometry
{
    readonly MpiCommunicator _ranks;
    readonly CostStatistics _statistics;
    readonly int _start;

    /// <summary>Joins the blocks of all ranks. Collective.</summary>
    /// <param name="ranks">The processes.</param>
    /// <param name="block">The rows of this rank: those that <see cref="MpiCommunicator.RowsOf"/> gives for the rows of all blocks together.</param>
    /// <exception cref="ArgumentException">The ranks' blocks have different columns or storage, or other rows than they should: all ranks throw.</exception>
    public ShardedCosts(MpiCommunicator ranks, CostMatrix block)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        ArgumentNullException.ThrowIfNull(block);
        (_ranks, Block) = (ranks, block);
        long[] shapes = ranks.Gather<long>([block.Rows, block.Columns, block.IsSingle ? 1 : 0]);
        long rows = 0;
        for (int r = 0; r < ranks.Size; r++)
            rows += shapes[3 * r];
        if (rows > Array.MaxLength)
            throw new ArgumentException(
                $"{rows} rows: more than {Array.MaxLength} have no potential that fits in one array.",
                nameof(block)
            );
        Rows = (int)rows;
        for (int r = 0; r < ranks.Size; r++)
        {
            int wanted = ranks.Border(Rows, r + 1) - ranks.Border(Rows, r);
            if (shapes[3 * r] != wanted)
                throw new ArgumentException(
                    $"Rank {r} holds {shapes[3 * r]} of {rows} rows: over {ranks.Size} ranks it must hold {wanted}.",
                    nameof(block)
                );
            if (shapes[(3 * r) + 1] != shapes[1] || shapes[(3 * r) + 2] != shapes[2])
                throw new ArgumentException(
                    $"Rank {r} holds rows of {shapes[(3 * r) + 1]} costs in {Storage(shapes[(3 * r) + 2])}, rank 0 of {shapes[1]} in {Storage(shapes[2])}: they must be alike.",
                    nameof(block)
                );
        }
        _start = ranks.RowsOf(Rows).Start;
        _statistics = Together(block.Statistics);
        HasForbiddenPairs = ranks.Gather<byte>([block.HasForbiddenPairs ? (byte)1 : (byte)0]).Contains((byte)1);
    }

    /// <summary>Moves rows that the ranks hold in any portions, in the order of the ranks, to where they belong. Collective.</summary>
    /// <param name="ranks">The processes.</param>
    /// <param name="columns">m, the same on all ranks.</param>
    /// <param name="costs">Whole rows, any number of them.</param>
    /// <exception cref="ArgumentException">A cost is NaN or <c>-∞</c>, or there are fewer rows than ranks.</exception>
    public static ShardedCosts FromPortions(MpiCommunicator ranks, int columns, ReadOnlySpan<double> costs)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        long[] counts = ranks.Gather<long>([costs.Length / columns]);
        long total = counts.Sum(),
            from = counts.Take(ranks.Rank).Sum(),
            to = from + counts[ranks.Rank];
        if (total < ranks.Size)
            throw new ArgumentException(
                $"{ranks.Size} ranks for {total} rows: start at most as many ranks as there are rows.",
                nameof(costs)
            );
        var sent = new long[ranks.Size];
        for (int r = 0; r < ranks.Size; r++)
        {
            long start = Math.Max(from, total * r / ranks.Size),
                end = Math.Min(to, total * (r + 1) / ranks.Size);
            sent[r] = Math.Max(0, end - start) * columns;
        }
        double[] own = ranks.Exchange(costs, sent);
        CostMatrix? block = null;
        string? failure = null;
        try
        {
            block = new CostMatrix(own.Length / columns, columns, own);
        }
        catch (ArgumentException refused)
        {
            failure = refused.Message;
        }
        if (ranks.FirstFailure(failure) is { } first)
            throw new ArgumentException(first, nameof(costs));
        return new ShardedCosts(ranks, block!);
    }

    /// <inheritdoc/>
    public override int Rows { get; }

    /// <inheritdoc/>
    public override int Columns => Block.Columns;

    /// <summary>The rows of this rank.</summary>
    public CostMatrix Block { get; }

    /// <summary>Whether the costs are stored as floats.</summary>
    public bool IsSingle => Block.IsSingle;

    /// <inheritdoc/>
    public override bool HasForbiddenPairs { get; }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The row lies with another rank.</exception>
    public override double Cost(int row, int column) => Block.Cost(Own(row), column);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The row lies with another rank.</exception>
    public override void CostRow(int row, Span<double> costs) => Block.CostRow(Own(row), costs);

    internal override IRowShare Share => _ranks;

    internal override ulong Fingerprint()
    {
        ulong sum = 0;
        foreach (ulong part in _ranks.Gather<ulong>([Block.Fingerprint(_start)]))
            sum += part;
        return sum;
    }

    internal override bool MeanNeedsScan => false;

    internal override CostStatistics Scan(CancellationToken cancellation) => _statistics;

    int Own(int row)
    {
        Guard.Index(row, Rows);
        int own = row - _start;
        return own >= 0 && own < Block.Rows
            ? own
            : throw new InvalidOperationException(
                $"The costs of row {row} are not on rank {_ranks.Rank}, which has rows {_start} to {_start + Block.Rows - 1}: what looks at all pairs in one process needs a CostMatrix."
            );
    }

    static string Storage(long single) => single == 1 ? "float" : "double";

    /// <summary>Statistics of all blocks, joined in the order of the ranks.</summary>
    CostStatistics Together(CostStatistics own)
    {
        double[] all = _ranks.Gather<double>([own.Min, own.Max, own.Mean, own.StandardDeviation, own.FiniteCount]);
        double min = double.PositiveInfinity,
            max = double.NegativeInfinity,
            count = 0;
        for (int r = 0; r < all.Length; r += 5)
        {
            if (all[r + 4] == 0)
                continue;
            (min, max, count) = (Math.Min(min, all[r]), Math.Max(max, all[r + 1]), count + all[r + 4]);
        }
        if (count == 0)
            return new CostStatistics(0, 0, 0, 0, 0);
        Compensated sum = default;
        for (int r = 0; r < all.Length; r += 5)
            sum.Add((all[r + 2] - all[2]) * (all[r + 4] / count));
        double mean = all[2] + sum.Value;
        // The spread within the blocks and that between them, in units that do not overflow.
        double unit = Math.Max((max / 2) - (min / 2), double.Epsilon);
        Compensated squares = default;
        for (int r = 0; r < all.Length; r += 5)
        {
            double within = all[r + 3] / unit,
                between = (all[r + 2] - mean) / unit;
            squares.Add(((within * within) + (between * between)) * (all[r + 4] / count));
        }
        return new CostStatistics(min, max, mean, unit * Math.Sqrt(squares.Value), (long)count);
    }
}
