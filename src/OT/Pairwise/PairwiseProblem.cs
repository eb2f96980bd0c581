using System.Collections.Immutable;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Entropic;

namespace OT.Pairwise;

/// <summary>Which number is wanted between which measures: a symmetric K × K matrix of one list, or a K × L matrix of two. Immutable.</summary>
public sealed class PairwiseProblem
{
    PairwiseProblem(
        PairwiseQuantity quantity,
        IReadOnlyList<Measure> rows,
        IReadOnlyList<Measure>? columns,
        GroundCost? cost,
        Geometry? shared
    )
    {
        (Quantity, Rows, Columns) = (quantity, [.. rows], [.. columns ?? rows]);
        (Cost, Shared, IsOneList) = (cost, shared, columns is null);
        if (Rows.IsEmpty)
            throw new ArgumentException("There are no measures: at least one is wanted.", nameof(rows));
        if (Columns.IsEmpty)
            throw new ArgumentException("There are no measures for the columns: at least one is wanted.", nameof(columns));
    }

    /// <summary>Measures on points of their own, of any number.</summary>
    /// <param name="quantity">What is computed.</param>
    /// <param name="rows">K measures with points, all of as many coordinates.</param>
    /// <param name="columns">L measures; when left out, the rows themselves: every pair of them once.</param>
    /// <param name="cost">Ground cost: Euclidean for <see cref="PairwiseQuantity.Wasserstein"/>, which wants a distance, squared Euclidean otherwise; none for <see cref="PairwiseQuantity.Sliced"/>.</param>
    /// <exception cref="ArgumentException">A list is empty, a measure has no points, the coordinates differ in number, or the cost is not defined at a point; the message names the measure.</exception>
    public static PairwiseProblem OfClouds(
        PairwiseQuantity quantity,
        IReadOnlyList<Measure> rows,
        IReadOnlyList<Measure>? columns = null,
        GroundCost? cost = null
    )
    {
        ArgumentNullException.ThrowIfNull(quantity);
        ArgumentNullException.ThrowIfNull(rows);
        if (quantity is SlicedQuantity && cost is not null)
            throw new ArgumentException("Sliced distances are those of the Euclidean distance: give no cost.", nameof(cost));
        cost ??= quantity is WassersteinQuantity or SlicedQuantity ? GroundCost.Euclidean : GroundCost.SquaredEuclidean;
        var problem = new PairwiseProblem(quantity, rows, columns, cost, null);
        int d = problem.Rows[0]?.Points?.Columns ?? 0;
        CheckClouds(problem.Rows, d, cost, nameof(rows));
        if (!problem.IsOneList)
            CheckClouds(problem.Columns, d, cost, nameof(columns));
        return problem;
    }

    /// <summary>Histograms over the bins of one geometry.</summary>
    /// <param name="quantity">What is computed; not <see cref="PairwiseQuantity.Sliced"/>, which needs points.</param>
    /// <param name="costs">n × m costs from the bins of the rows to those of the columns; distances for <see cref="PairwiseQuantity.Wasserstein"/>.</param>
    /// <param name="rows">K measures of n weights.</param>
    /// <param name="columns">L measures of m weights; when left out, the rows themselves, and n = m.</param>
    /// <exception cref="ArgumentException">A list is empty or a length is wrong; the message names the measure. Or a distance is negative.</exception>
    /// <exception cref="NotSupportedException">The quantity needs points, or a divergence symmetric costs within one set of bins.</exception>
    public static PairwiseProblem OfHistograms(
        PairwiseQuantity quantity,
        Geometry costs,
        IReadOnlyList<Measure> rows,
        IReadOnlyList<Measure>? columns = null
    )
    {
        ArgumentNullException.ThrowIfNull(quantity);
        ArgumentNullException.ThrowIfNull(costs);
        ArgumentNullException.ThrowIfNull(rows);
        if (quantity is SlicedQuantity)
            throw new NotSupportedException("Sliced distances need points: use PairwiseProblem.OfClouds.");
        var problem = new PairwiseProblem(quantity, rows, columns, null, costs);
        CheckLengths(problem.Rows, costs.Rows, nameof(rows));
        CheckLengths(problem.Columns, costs.Columns, nameof(columns));
        if (quantity is WassersteinQuantity && costs.Statistics.Min < 0)
            throw new ArgumentException(
                FormattableString.Invariant($"The smallest distance is {costs.Statistics.Min}: distances are 0 or more."),
                nameof(costs)
            );
        if (
            quantity is EntropicQuantity { Part: EntropicPart.Divergence } entropic
            && SinkhornDivergence.WhyNot(problem.Pair(0, 0, Regularizer.Entropy(entropic.Epsilon))) is { } reason
        )
            throw new NotSupportedException(reason);
        problem.HasSymmetricCosts = SinkhornDivergence.IsSymmetric(costs);
        problem.HasNoCostOfStaying =
            quantity is not EntropicQuantity && problem.HasSymmetricCosts && IsZeroOnDiagonal(costs) && costs.Statistics.Min >= 0;
        return problem;
    }

    /// <summary>What is computed for each pair.</summary>
    public PairwiseQuantity Quantity { get; }

    /// <summary>The measures of the rows, K.</summary>
    public ImmutableArray<Measure> Rows { get; }

    /// <summary>The measures of the columns, L; the same as the rows where one list was given.</summary>
    public ImmutableArray<Measure> Columns { get; }

    /// <summary>The ground cost between points, or null for histograms.</summary>
    public GroundCost? Cost { get; }

    /// <summary>The costs that all pairs of histograms share, or null for points.</summary>
    public Geometry? Shared { get; }

    /// <summary>
    /// Whether each pair of the one list is computed once and stands on both sides of the diagonal: where the costs are known to be symmetric. A ground cost of the user's
    /// own is not: all ordered pairs are computed.
    /// </summary>
    public bool IsSymmetric => IsOneList && HasSymmetricCosts;

    /// <summary>
    /// Whether the diagonal is 0 without computing: sliced distances, divergences and, where staying costs nothing and moving not less, exact ones. Entropic values are not
    /// 0 between equals and are computed.
    /// </summary>
    public bool HasZeroDiagonal =>
        IsOneList
        && Quantity switch
        {
            SlicedQuantity or EntropicQuantity { Part: EntropicPart.Divergence } => true,
            EntropicQuantity => false,
            _ => HasNoCostOfStaying,
        };

    internal bool IsOneList { get; }

    bool HasSymmetricCosts
    {
        get => field || Cost is { IsSymmetric: true };
        set;
    }

    bool HasNoCostOfStaying
    {
        get => field || Cost is { IsSymmetric: true }; // the library's own ground costs are 0 at x = y and nowhere negative
        set;
    }

    internal PairList Pairs => new(Rows.Length, Columns.Length, IsSymmetric, HasZeroDiagonal);

    /// <summary>One pair by itself.</summary>
    internal LinearProblem Pair(int row, int column, Regularizer regularizer) =>
        new(GeometryOf(Rows[row], Columns[column]), Rows[row], Columns[column]) { Regularizer = regularizer };

    internal Geometry GeometryOf(Measure a, Measure b) => Shared ?? new PointCloud(a.Points!, b.Points!, Cost);

    /// <summary>A number that tells these inputs from others, on every machine. A ground cost of the user's own counts by its name alone.</summary>
    internal ulong Fingerprint()
    {
        var print = new Fingerprint();
        print.Add([IsOneList ? 1 : 0]);
        print.Add(Cost?.Name ?? "shared");
        if (Shared is not null)
            Add(ref print, Shared);
        foreach (Measure measure in IsOneList ? Rows : [.. Rows, .. Columns])
        {
            print.Add([measure.Count]);
            print.Add(measure.Weights);
            if (Shared is null)
                print.Add(measure.Points!.Values);
        }
        return print.Value;
    }

    static void Add(ref Fingerprint print, Geometry costs)
    {
        print.Add([costs.Rows, costs.Columns]);
        switch (costs)
        {
            case PointCloud cloud:
                print.Add(cloud.GroundCost.Name);
                print.Add(cloud.Source.Values);
                print.Add(cloud.Target.Values);
                return;
            case Grid grid:
                foreach (Matrix axis in grid.AxisCosts)
                    print.Add(axis.Values);
                return;
        }
        var row = new double[costs.Columns];
        for (int i = 0; i < costs.Rows; i++)
        {
            costs.CostRow(i, row);
            print.Add(row);
        }
    }

    static bool IsZeroOnDiagonal(Geometry costs)
    {
        for (int i = 0; i < costs.Rows; i++)
        {
            if (costs.Cost(i, i) != 0)
                return false;
        }
        return true;
    }

    static void CheckClouds(ImmutableArray<Measure> measures, int d, GroundCost cost, string name)
    {
        for (int k = 0; k < measures.Length; k++)
        {
            Matrix points =
                measures[k]?.Points ?? throw new ArgumentException($"{name}[{k}] has no points: every measure needs some.", name);
            if (points.Columns != d)
                throw new ArgumentException(
                    $"{name}[{k}] has {points.Columns} coordinates, the first of the rows {d}: all points need as many.",
                    name
                );
            try
            {
                _ = new PointCloud(points, points, cost);
            }
            catch (ArgumentException refused)
            {
                throw new ArgumentException($"{name}[{k}]: {refused.Message}", name, refused);
            }
        }
    }

    static void CheckLengths(ImmutableArray<Measure> measures, int bins, string name)
    {
        for (int k = 0; k < measures.Length; k++)
        {
            if (measures[k] is null || measures[k].Count != bins)
                throw new ArgumentException(
                    $"{name}[{k}] has {measures[k]?.Count ?? 0} weights for the {bins} bins of the costs: the counts must be equal.",
                    name
                );
        }
    }
}
