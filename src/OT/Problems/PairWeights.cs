using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Problems;

/// <summary>Weights of pairs of bins of one side: which rows (or columns) of a plan are to be alike, and how much. Symmetric; a pair is listed once.</summary>
/// <remarks>Solvers take O(pairs × bins of the other side) time per iteration: neighbours, not all pairs, beyond some hundred bins.</remarks>
public sealed class PairWeights
{
    PairWeights(int count, ImmutableArray<WeightedPair> pairs) => (Count, Pairs) = (count, pairs);

    /// <summary>Number of bins.</summary>
    public int Count { get; }

    /// <summary>The pairs of positive weight, first bin before second, in order.</summary>
    public ImmutableArray<WeightedPair> Pairs { get; }

    /// <summary>No pairs.</summary>
    /// <param name="count">Number of bins, positive.</param>
    public static PairWeights None(int count) => Of(count, []);

    /// <summary>Pairs of one's own. Pairs listed twice, in whatever order, have their weights summed; those of weight 0 are left out.</summary>
    /// <param name="count">Number of bins, positive.</param>
    /// <param name="pairs">Two different bins and a finite weight, zero or positive.</param>
    /// <exception cref="ArgumentException">A bin is out of range or paired with itself, or a weight is negative or not finite, or those of one pair sum to infinity.</exception>
    public static PairWeights Of(int count, params ReadOnlySpan<WeightedPair> pairs)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        var list = new WeightedPair[pairs.Length];
        for (int k = 0; k < list.Length; k++)
        {
            (int first, int second, double weight) = pairs[k];
            Guard.Index(first, count, $"pairs[{k}].First");
            Guard.Index(second, count, $"pairs[{k}].Second");
            Guard.NonNegative(weight, $"pairs[{k}].Weight");
            if (first == second)
                throw new ArgumentException($"pairs[{k}] joins bin {first} with itself: a pair needs two bins.", nameof(pairs));
            list[k] = new(Math.Min(first, second), Math.Max(first, second), weight);
        }
        var pairWeights = new PairWeights(
            count,
            [
                .. list.GroupBy(pair => (pair.First, pair.Second))
                    .Select(group => new WeightedPair(group.Key.First, group.Key.Second, group.Sum(pair => pair.Weight)))
                    .Where(pair => pair.Weight > 0)
                    .OrderBy(pair => pair.First)
                    .ThenBy(pair => pair.Second),
            ]
        );
        foreach ((int first, int second, double weight) in pairWeights.Pairs)
        {
            if (double.IsInfinity(weight))
                throw new ArgumentException($"The weights of bins {first} and {second} sum to infinity.", nameof(pairs));
        }
        return pairWeights;
    }

    /// <summary>All pairs, of weight 1. For small sides: count² / 2 pairs.</summary>
    /// <param name="count">Number of bins, positive.</param>
    public static PairWeights Complete(int count) => FromLabels(new int[count]);

    /// <summary>Weight 1 for bins of one label.</summary>
    /// <param name="labels">One for each bin, from 0 and with any gaps; −1 for a bin that belongs to no pair.</param>
    /// <exception cref="ArgumentException">There are no labels, or one is below −1.</exception>
    public static PairWeights FromLabels(ReadOnlySpan<int> labels)
    {
        ClassLabels.Check(labels, labels.Length);
        var pairs = ImmutableArray.CreateBuilder<WeightedPair>();
        for (int i = 0; i < labels.Length; i++)
        {
            for (int k = i + 1; k < labels.Length && labels[i] >= 0; k++)
            {
                if (labels[k] == labels[i])
                    pairs.Add(new(i, k, 1));
            }
        }
        return new(labels.Length, pairs.ToImmutable());
    }

    /// <summary>
    /// Each point and its nearest ones, with weights <c>exp(−|x − x'|² / (2 s²))</c>: a pair is there where either is among the other's nearest. Ties go to the earlier point.
    /// </summary>
    /// <param name="points">Points, n × d, finite.</param>
    /// <param name="neighbours">k, at least 1; all others where there are fewer. 10 by default.</param>
    /// <param name="bandwidth">s, positive; the median distance to the k-th neighbour when left out (where that is 0, all weights are 1).</param>
    /// <remarks>O(n² d) time.</remarks>
    public static PairWeights Nearest(Matrix points, int neighbours = 10, double? bandwidth = null)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(points.Rows, nameof(points));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(neighbours);
        if (bandwidth is { } given)
            Guard.Positive(given, nameof(bandwidth));
        Guard.Finite(points.Values, nameof(points));
        int n = points.Rows,
            k = Math.Min(neighbours, n - 1);
        if (k == 0)
            return None(n);
        var near = new Dictionary<(int, int), double>();
        var furthest = new double[n];
        // In units of a power of two: squares neither vanish nor overflow, and no digit changes.
        double largest = points.Values.IsEmpty ? 0 : Math.Abs(TensorPrimitives.MaxMagnitude(points.Values)),
            unit = largest > 0 ? Math.ScaleB(1, Math.Clamp(-Math.ILogB(largest), -1000, 1000)) : 1;
        double[] coordinates = points.Transpose().Values.ToArray(),
            squares = new double[n],
            point = new double[points.Columns];
        TensorPrimitives.Multiply(coordinates, unit, coordinates);
        var order = new int[n];
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.Multiply(points.Row(i), unit, point);
            if (points.Columns > 0)
                SquaredDistances.Fill(point, points.Columns, coordinates, squares);
            squares[i] = double.PositiveInfinity;
            for (int j = 0; j < n; j++)
                order[j] = j;
            double[] keys = [.. squares];
            Array.Sort(keys, order);
            // Sorting is not stable: everything as near as the k-th is put in order of its place.
            double last = keys[k - 1];
            int end = k;
            while (end < n && keys[end] == last)
                end++;
            int[] chosen = [.. order.Take(end).OrderBy(j => squares[j]).ThenBy(j => j).Take(k)];
            foreach (int j in chosen)
                near[(Math.Min(i, j), Math.Max(i, j))] = squares[j];
            furthest[i] = Math.Sqrt(last);
        }
        Array.Sort(furthest);
        double s = bandwidth is { } own ? Math.Max(own * unit, double.Epsilon) : 0.5 * (furthest[(n - 1) / 2] + furthest[n / 2]);
        return Of(
            n,
            [
                .. near.Select(pair => new WeightedPair(
                    pair.Key.Item1,
                    pair.Key.Item2,
                    s > 0 ? Math.Exp(-0.5 * Math.Pow(Math.Sqrt(pair.Value) / s, 2)) : 1
                )),
            ]
        );
    }

    /// <summary>The pairs among these whose bins have one label; a bin without label (−1) keeps none.</summary>
    /// <param name="labels">One for each bin.</param>
    /// <exception cref="ArgumentException">There are not as many labels as bins, or one is below −1.</exception>
    public PairWeights Within(ReadOnlySpan<int> labels)
    {
        ClassLabels.Check(labels, Count);
        int[] copy = labels.ToArray();
        return new(Count, [.. Pairs.Where(pair => copy[pair.First] >= 0 && copy[pair.First] == copy[pair.Second])]);
    }

    /// <summary>The connected components: one number for each bin, from 0 in the order of first bins.</summary>
    public int[] Components() => Components(Count, Pairs);

    internal static int[] Components(int count, IEnumerable<WeightedPair> pairs)
    {
        var parent = new int[count];
        for (int i = 0; i < count; i++)
            parent[i] = i;
        int Root(int i)
        {
            while (parent[i] != i)
                i = parent[i] = parent[parent[i]];
            return i;
        }
        foreach (WeightedPair pair in pairs)
        {
            int first = Root(pair.First),
                second = Root(pair.Second);
            parent[Math.Max(first, second)] = Math.Min(first, second);
        }
        var component = new int[count];
        int next = 0;
        for (int i = 0; i < count; i++)
            component[i] = Root(i) == i ? next++ : component[Root(i)];
        return component;
    }
}
