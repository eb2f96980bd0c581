using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>Sliced and max-sliced Wasserstein distances: one-dimensional transport of projections on directions of the unit sphere.</summary>
/// <remarks>
/// O((n + m)(d + log(n + m))) per direction and O(n + m) memory. Both are at most W_p of the full problem with Euclidean cost. Sources: Bonneel, Rabin, Peyré, Pfister, J. Math.
/// Imaging Vis. 51, 2015; Deshpande et al., CVPR 2019 (max-sliced); docs/theory/exact.md.
/// </remarks>
public static class Sliced
{
    /// <summary><c>SW_p^p = E_θ W_p^p(⟨θ, x⟩, ⟨θ, y⟩)</c>, θ uniform on the sphere, estimated by the mean over seeded directions.</summary>
    /// <param name="a">Source weights with points, n × d.</param>
    /// <param name="b">Target weights with points, m × d, of the same total mass up to rounding.</param>
    /// <param name="p">1 ≤ p &lt; ∞; 2 by default.</param>
    /// <param name="options">Number of directions and seed.</param>
    /// <exception cref="ArgumentException">A measure has no points, dimensions or masses differ, or p is out of range.</exception>
    public static SlicedResult Distance(Measure a, Measure b, double p = 2, SlicedOptions? options = null)
    {
        var slices = new Slices(a, b, p);
        options = Checked(options);
        var random = new SeededRandom(options.Seed);
        var theta = new double[slices.Dimension];
        var values = new double[options.Projections];
        foreach (ref double value in values.AsSpan())
        {
            Draw(random, theta);
            value = slices.Value(theta);
        }
        double mean = Summation.Sum(values) / values.Length;
        Compensated squares = default;
        foreach (double value in values)
            squares.Add((value - mean) * (value - mean));
        double error = values.Length == 1 ? double.NaN : Math.Sqrt(squares.Value / (values.Length - 1) / values.Length);
        double distance = Math.Pow(mean, 1 / p);
        return new SlicedResult(distance, mean, error, values.Length, [])
        {
            DistanceStandardError = mean == 0 ? error : error * distance / (p * mean),
        };
    }

    /// <summary>A lower bound of <c>max_θ W_p(⟨θ, x⟩, ⟨θ, y⟩)</c>, and so of W_p, by gradient ascent on the sphere from several starts.</summary>
    /// <inheritdoc cref="Distance"/>
    public static SlicedResult MaxDistance(Measure a, Measure b, double p = 2, SlicedOptions? options = null)
    {
        var slices = new Slices(a, b, p);
        options = Checked(options);
        var random = new SeededRandom(options.Seed);
        var best = new double[slices.Dimension];
        double bestValue = -1;
        var theta = new double[slices.Dimension];
        for (int start = 0; start < options.Restarts; start++)
        {
            if (start > 0 || !slices.MeanDifference(theta))
                Draw(random, theta);
            double value = Ascend(slices, theta, options.AscentSteps);
            if (value > bestValue)
            {
                bestValue = value;
                theta.CopyTo(best, 0);
            }
        }
        return new SlicedResult(Math.Pow(bestValue, 1 / p), bestValue, 0, slices.Evaluations, [.. best]);
    }

    /// <summary>θ ← normalise(θ + t ∇W / |∇W|), t halved until the value grows and doubled after it did.</summary>
    static double Ascend(Slices slices, double[] theta, int steps)
    {
        const double leastStep = 1e-8; // the value is flat to second order: no double shows a smaller turn
        var gradient = new double[theta.Length];
        var trial = new double[theta.Length];
        double value = slices.Gradient(theta, gradient);
        double t = 1;
        for (int step = 0; step < steps; step++)
        {
            double along = TensorPrimitives.Dot<double>(gradient, theta);
            TensorPrimitives.MultiplyAdd(theta, -along, gradient, gradient);
            double norm = TensorPrimitives.Norm<double>(gradient);
            if (norm <= leastStep * Math.Abs(along))
                break;
            while (true)
            {
                TensorPrimitives.MultiplyAdd(gradient, t / norm, theta, trial);
                TensorPrimitives.Divide(trial, TensorPrimitives.Norm<double>(trial), trial);
                if (slices.Value(trial) > value)
                    break;
                t /= 2;
                if (t < leastStep)
                    return value;
            }
            trial.CopyTo(theta, 0);
            value = slices.Gradient(theta, gradient);
            t = Math.Min(2 * t, 1);
        }
        return value;
    }

    static void Draw(SeededRandom random, double[] theta)
    {
        double norm;
        do
        {
            foreach (ref double value in theta.AsSpan())
                value = random.NextNormal();
            norm = TensorPrimitives.Norm<double>(theta);
        } while (!(norm > 0));
        TensorPrimitives.Divide(theta, norm, theta);
    }

    static SlicedOptions Checked(SlicedOptions? options)
    {
        options ??= new();
        options.Validate();
        return options;
    }

    /// <summary>Two clouds and the workspace to project them.</summary>
    sealed class Slices
    {
        readonly Matrix _x;
        readonly Matrix _y;
        readonly double[] _a;
        readonly double[] _b;
        readonly double _mass;
        readonly double _p;
        readonly double[] _projectedX;
        readonly double[] _projectedY;
        readonly double[] _sortedA;
        readonly double[] _sortedB;
        readonly int[] _orderX;
        readonly int[] _orderY;

        public Slices(Measure a, Measure b, double p)
        {
            ArgumentNullException.ThrowIfNull(a);
            ArgumentNullException.ThrowIfNull(b);
            _x = a.Points ?? throw new ArgumentException("The source measure has no points.", nameof(a));
            _y = b.Points ?? throw new ArgumentException("The target measure has no points.", nameof(b));
            if (_x.Columns != _y.Columns || _x.Columns == 0)
            {
                throw new ArgumentException(
                    ExactProblem.Text(
                        $"Source points have {_x.Columns} coordinates, target points {_y.Columns}: the counts must be equal and positive."
                    ),
                    nameof(b)
                );
            }
            if (Math.Abs(a.Mass - b.Mass) > Math.Max(a.MassSlack, b.MassSlack) * Math.Max(a.Mass, b.Mass))
            {
                throw new ArgumentException(
                    ExactProblem.Text($"The masses differ: {a.Mass:G17} against {b.Mass:G17}. A distance needs equal masses."),
                    nameof(b)
                );
            }
            _p = Guard.InRange(p, 1, double.MaxValue);
            _a = a.Weights.ToArray();
            _b = b.Weights.ToArray();
            _mass = a.Mass;
            TensorPrimitives.Multiply(_b, a.Mass / b.Mass, _b);
            (_projectedX, _projectedY) = (new double[a.Count], new double[b.Count]);
            (_sortedA, _sortedB) = (new double[a.Count], new double[b.Count]);
            (_orderX, _orderY) = (new int[a.Count], new int[b.Count]);
        }

        public int Dimension => _x.Columns;

        public int Evaluations { get; private set; }

        /// <summary>W_p^p of the projections.</summary>
        public double Value(ReadOnlySpan<double> theta)
        {
            Project(theta);
            return Univariate.Power(_projectedX, _sortedA, _projectedY, _sortedB, _p);
        }

        /// <summary>W_p^p of the projections, and its gradient <c>Σ P_ij p |d|^(p−1) sign(d) (x_i − y_j)</c> in θ.</summary>
        public double Gradient(ReadOnlySpan<double> theta, Span<double> gradient)
        {
            Project(theta);
            gradient.Clear();
            Compensated value = default;
            var stairs = new Staircase(_sortedA, _sortedB);
            do
            {
                double d = _projectedX[stairs.I] - _projectedY[stairs.J];
                if (stairs.Mass == 0 || d == 0)
                    continue;
                value.Add(stairs.Mass * Univariate.Power(Math.Abs(d), _p));
                double slope = stairs.Mass * _p * Math.Sign(d) * Univariate.Power(Math.Abs(d), _p - 1);
                TensorPrimitives.MultiplyAdd(_x.Row(_orderX[stairs.I]), slope, gradient, gradient);
                TensorPrimitives.MultiplyAdd(_y.Row(_orderY[stairs.J]), -slope, gradient, gradient);
            } while (stairs.Advance());
            return value.Value;
        }

        /// <summary>The unit vector between the means; false when they coincide.</summary>
        public bool MeanDifference(Span<double> theta)
        {
            theta.Clear();
            for (int i = 0; i < _x.Rows; i++)
                TensorPrimitives.MultiplyAdd(_x.Row(i), _a[i] / _mass, theta, theta);
            for (int j = 0; j < _y.Rows; j++)
                TensorPrimitives.MultiplyAdd(_y.Row(j), -_b[j] / _mass, theta, theta);
            double norm = TensorPrimitives.Norm<double>(theta);
            if (!(norm > 0))
                return false;
            TensorPrimitives.Divide(theta, norm, theta);
            return true;
        }

        void Project(ReadOnlySpan<double> theta)
        {
            Evaluations++;
            Project(_x, _a, theta, _projectedX, _orderX, _sortedA);
            Project(_y, _b, theta, _projectedY, _orderY, _sortedB);
        }

        static void Project(
            Matrix points,
            double[] weights,
            ReadOnlySpan<double> theta,
            double[] projected,
            int[] order,
            double[] sorted
        )
        {
            for (int i = 0; i < projected.Length; i++)
            {
                projected[i] = TensorPrimitives.Dot(points.Row(i), theta);
                order[i] = i;
            }
            Array.Sort(projected, order);
            for (int i = 0; i < order.Length; i++)
                sorted[i] = weights[order[i]];
        }
    }
}
