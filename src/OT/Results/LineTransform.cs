using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Results;

/// <summary>c-transforms of points on the line for a convex cost of the difference, in O((n + m) log(n + m)), and never above the true ones.</summary>
/// <remarks>
/// The costs of sorted points are a Monge matrix: from one target to the next, the best source moves one way only. The best source of the middle target splits the
/// sources of the targets on either side. A rounded value misleads a split by at most 2δ, so that after t splits a minimum found is at most (2t + 2)δ above
/// the true one; that much is taken off. docs/theory/certificate.md.
/// </remarks>
internal sealed class LineTransform
{
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³
    const double Tiny = 1e-150; // differences below it may lose all digits when they are squared
    const int ManyTargets = 1 << 14; // below, no thread is worth the memory that asking for one takes

    readonly GroundCost _cost;
    readonly double _exponent;
    readonly double _scale;
    readonly double[] _x;
    readonly double[] _potentials;
    readonly double[] _y;
    readonly double[] _minima;
    readonly CancellationToken _cancellation;

    LineTransform(GroundCost cost, double[] x, double[] potentials, double[] y, CancellationToken cancellation)
    {
        _cost = cost;
        _exponent = cost.DifferenceExponent!.Value;
        _scale = cost.Evaluate([1], [0]);
        (_x, _potentials, _y, _minima, _cancellation) = (x, potentials, y, new double[y.Length], cancellation);
    }

    /// <summary>Whether the transforms of a geometry are made here.</summary>
    public static bool Takes(Geometry geometry) =>
        geometry is PointCloud { Dimension: 1, GroundCost: { DifferenceExponent: >= 1, DifferenceError: not null } };

    /// <summary><c>min_i (c(x_i, y_j) − φ_i)</c> for every target j, up to rounding and not above it; <c>+∞</c> where no source counts.</summary>
    /// <param name="cost">A cost that <see cref="Takes"/> knows.</param>
    /// <param name="sources">x, in any order.</param>
    /// <param name="potentials">φ.</param>
    /// <param name="weights">Sources without weight do not count.</param>
    /// <param name="targets">y, in any order.</param>
    /// <param name="cancellation">Watched now and then.</param>
    public static double[] Minima(
        GroundCost cost,
        ReadOnlySpan<double> sources,
        double[] potentials,
        double[] weights,
        ReadOnlySpan<double> targets,
        CancellationToken cancellation
    )
    {
        int[] counted = Array.FindAll(Sorted(sources), i => weights[i] > 0);
        int[] order = Sorted(targets);
        var minima = new double[targets.Length];
        Array.Fill(minima, double.PositiveInfinity);
        if (counted.Length == 0)
            return minima;
        var transform = new LineTransform(
            cost,
            Pick(sources, counted),
            Pick(potentials, counted),
            Pick(targets, order),
            cancellation
        );
        int depth = transform.Split(0, order.Length, 0, counted.Length - 1, 0);
        double slack = ((2 * depth) + 2) * transform.Error();
        for (int j = 0; j < order.Length; j++)
            minima[order[j]] = transform._minima[j] - slack;
        return minima;
    }

    /// <summary>Minima of targets <paramref name="start"/> … <paramref name="end"/> − 1 over sources <paramref name="low"/> … <paramref name="high"/>; the number of splits.</summary>
    int Split(int start, int end, int low, int high, int depth)
    {
        if (start >= end)
            return depth;
        _cancellation.ThrowIfCancellationRequested();
        int middle = start + ((end - start) / 2);
        int best = Best(middle, low, high);
        return end - start >= ManyTargets
            ? SplitTogether(start, middle, end, low, best, high, depth + 1)
            : Math.Max(Split(start, middle, low, best, depth + 1), Split(middle + 1, end, best, high, depth + 1));
    }

    int SplitTogether(int start, int middle, int end, int low, int best, int high, int depth)
    {
        int left = 0,
            right = 0;
        Fork.Join(
            end - start,
            () => left = Split(start, middle, low, best, depth),
            () => right = Split(middle + 1, end, best, high, depth)
        );
        return Math.Max(left, right);
    }

    /// <summary>The first best source of a target, whose value becomes its minimum.</summary>
    int Best(int target, int low, int high)
    {
        double y = _y[target],
            scale = _scale,
            exponent = _exponent;
        ReadOnlySpan<double> x = _x.AsSpan(low, high - low + 1),
            potentials = _potentials.AsSpan(low, x.Length);
        double least = double.PositiveInfinity;
        int best = 0;
        if (exponent == 2)
        {
            for (int i = 0; i < x.Length; i++)
            {
                double value = (scale * ((x[i] - y) * (x[i] - y))) - potentials[i];
                if (value < least)
                    (least, best) = (value, i);
            }
        }
        else
        {
            for (int i = 0; i < x.Length; i++)
            {
                double difference = Math.Abs(x[i] - y);
                double value = (scale * (exponent == 1 ? difference : Math.Pow(difference, exponent))) - potentials[i];
                if (value < least)
                    (least, best) = (value, i);
            }
        }
        _minima[target] = least;
        return low + best;
    }

    /// <summary>δ: how far a value here, or a cost as the geometry evaluates it, may lie from the same with real numbers.</summary>
    double Error()
    {
        double far = Math.Max(Math.Abs(_x[^1] - _y[0]), Math.Abs(_y[^1] - _x[0]));
        double largest = _scale * Math.Pow(far, _exponent) * (1 + 1e-9);
        double relative = _cost.DifferenceError!.Value + _exponent + 8;
        double potential = TensorPrimitives.MaxMagnitude<double>(_potentials);
        return (Unit * ((relative * largest) + (2 * (largest + Math.Abs(potential))))) + (_scale * Tiny) + (Tiny * Tiny);
    }

    /// <summary>Indices in ascending order of the values, checked to be so.</summary>
    static int[] Sorted(ReadOnlySpan<double> values)
    {
        int[] order = RadixSort.Order(values);
        var seen = new bool[values.Length];
        for (int k = 0; k < order.Length; k++)
        {
            if (seen[order[k]] || (k > 0 && !(values[order[k - 1]] <= values[order[k]])))
                throw new System.Diagnostics.UnreachableException("The points were not sorted.");
            seen[order[k]] = true;
        }
        return order;
    }

    static double[] Pick(ReadOnlySpan<double> values, int[] indices)
    {
        var picked = new double[indices.Length];
        for (int k = 0; k < indices.Length; k++)
            picked[k] = values[indices[k]];
        return picked;
    }
}
