using OT.Numerics;

namespace OT.Geometries;

/// <summary>What moving mass costs: an n × m table of costs, stored or computed. Immutable; knows no epsilon and no device.</summary>
/// <remarks>
/// A new geometry needs <see cref="Rows"/>, <see cref="Columns"/> and <see cref="Cost"/> alone and then works with
/// every solver and back end; <see cref="CostRow"/> is the one place to make it fast.
/// <c>+∞</c> marks a forbidden pair. NaN and <c>-∞</c> never occur.
/// </remarks>
public abstract class Geometry
{
    readonly Lock _scanning = new();
    readonly Lazy<double> _median;
    CostStatistics? _statistics;

    /// <summary>Prepares the lazily computed statistics.</summary>
    protected Geometry() => _median = new(() => CostStatistics.MedianOf(this));

    /// <summary>Number of sources, n.</summary>
    public abstract int Rows { get; }

    /// <summary>Number of targets, m.</summary>
    public abstract int Columns { get; }

    /// <summary>The cost of moving one unit from a row to a column: the definition, and every back end's oracle.</summary>
    public abstract double Cost(int row, int column);

    /// <summary>One row of costs.</summary>
    /// <param name="row">0 ≤ row &lt; <see cref="Rows"/>.</param>
    /// <param name="costs">Receives <see cref="Columns"/> costs.</param>
    public virtual void CostRow(int row, Span<double> costs)
    {
        for (int j = 0; j < Columns; j++)
            costs[j] = Cost(row, j);
    }

    /// <summary>Rows <paramref name="start"/> … of C, count × m values.</summary>
    internal virtual void CostRows(int start, int count, Span<double> block)
    {
        for (int r = 0; r < count; r++)
            CostRow(start + r, block.Slice(r * Columns, Columns));
    }

    /// <summary>Smallest, largest, mean and spread of the finite costs. One pass over all pairs, made once.</summary>
    public CostStatistics Statistics => Scan(CancellationToken.None);

    /// <summary>Mean of the finite costs, unweighted.</summary>
    public virtual double MeanCost => Statistics.Mean;

    /// <summary>Median of the finite costs; above 10⁷ pairs the median of 10⁶ pairs drawn with a fixed seed.</summary>
    public double MedianCost => _median.Value;

    /// <summary>A cheap upper bound of the finite |C|, used to judge what a precision can resolve.</summary>
    public virtual double MagnitudeBound => Statistics.MaxMagnitude;

    /// <summary>Whether some pair may be forbidden (cost <c>+∞</c>). True unless a geometry knows better: solvers then look at every pair once more.</summary>
    public virtual bool HasForbiddenPairs => true;

    /// <summary>Whether <see cref="MeanCost"/> looks at every pair.</summary>
    internal virtual bool MeanNeedsScan => true;

    /// <summary>The rows whose costs this process can tell; all of them unless they lie with several processes.</summary>
    internal virtual IRowShare Share => RowShare.Whole;

    /// <summary>A number that is another for other costs, as far as it looks: some costs here, all of them where they are stored.</summary>
    internal virtual ulong Fingerprint()
    {
        const int looks = 256;
        var random = new SeededRandom(7);
        var costs = new double[looks];
        for (int k = 0; k < looks; k++)
            costs[k] = Cost(random.NextInt(Rows), random.NextInt(Columns));
        return BitHash.Of(0, costs);
    }

    /// <summary>The statistics, by a pass that can be cancelled.</summary>
    internal virtual CostStatistics Scan(CancellationToken cancellation)
    {
        lock (_scanning)
            return _statistics ??= CostStatistics.Of(this, cancellation);
    }
}
