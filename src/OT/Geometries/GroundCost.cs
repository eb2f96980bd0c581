using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>The cost of a pair of points chosen by the user.</summary>
/// <param name="x">Source point, d coordinates.</param>
/// <param name="y">Target point, d coordinates.</param>
/// <returns>A finite cost, or <c>+∞</c> to forbid the pair.</returns>
public delegate double PointCost(ReadOnlySpan<double> x, ReadOnlySpan<double> y);

/// <summary>The gradient of a <see cref="PointCost"/> in its first point.</summary>
/// <param name="x">Source point, d coordinates.</param>
/// <param name="y">Target point, d coordinates.</param>
/// <param name="gradient">Receives d partial derivatives in x.</param>
public delegate void PointCostGradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient);

/// <summary>The cost of moving one unit of mass between two points, with its gradient. Immutable.</summary>
public abstract partial class GroundCost
{
    /// <summary><c>|x − y|²</c>, with no factor one half.</summary>
    public static GroundCost SquaredEuclidean { get; } = new SquaredEuclideanCost(1);

    /// <summary><c>|x − y|² / 2</c>.</summary>
    public static GroundCost HalfSquaredEuclidean { get; } = new SquaredEuclideanCost(0.5);

    /// <summary><c>|x − y|</c>.</summary>
    public static GroundCost Euclidean { get; } = new EuclideanCost();

    /// <summary><c>Σ_k |x_k − y_k|</c>, also called L1 or Manhattan.</summary>
    public static GroundCost CityBlock { get; } = new CityBlockCost();

    /// <summary><c>max_k |x_k − y_k|</c>.</summary>
    public static GroundCost Chebyshev { get; } = new ChebyshevCost();

    /// <summary><c>1 − x·y / (|x| |y|)</c>. Not defined at the origin, which is refused.</summary>
    public static GroundCost Cosine { get; } = new CosineCost();

    /// <summary>The angle between x and y in radians: the geodesic distance of their directions on the unit sphere. The origin is refused.</summary>
    public static GroundCost SphereGeodesic { get; } = new SphereGeodesicCost();

    /// <summary><c>(Σ_k |x_k − y_k|^p)^(1/p)</c> for p ≥ 1.</summary>
    public static GroundCost Minkowski(double p) =>
        Guard.InRange(p, 1, double.MaxValue) switch
        {
            1 => CityBlock,
            2 => Euclidean,
            _ => new MinkowskiCost(p),
        };

    /// <summary>A cost given as a function, with its gradient where gradients are wanted. Both are called from several threads at once.</summary>
    public static GroundCost Custom(PointCost cost, PointCostGradient? gradient = null)
    {
        ArgumentNullException.ThrowIfNull(cost);
        return new CustomCost(cost, gradient);
    }

    /// <summary>This cost raised to a power: <c>c(x, y)^p</c>, p &gt; 0. <c>Euclidean.ToPower(2)</c> is <see cref="SquaredEuclidean"/>.</summary>
    public GroundCost ToPower(double p)
    {
        Guard.Positive(p);
        if (p == 1)
            return this;
        return this is EuclideanCost && p == 2 ? SquaredEuclidean : new PowerCost(this, p);
    }

    /// <summary>A short name, as the command line spells it.</summary>
    public abstract string Name { get; }

    /// <summary>c(x, y).</summary>
    public abstract double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y);

    /// <summary>The gradient of c(·, y) at x; where c has a kink, the subgradient 0.</summary>
    /// <exception cref="NotSupportedException">A custom cost came without its gradient.</exception>
    public abstract void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient);

    /// <summary>Whether <c>c(x, y) = c(y, x)</c> for sure; a custom cost has to be asked pair by pair.</summary>
    internal virtual bool IsSymmetric => true;

    /// <summary>Refuses a pair whose cost differs between its directions.</summary>
    /// <exception cref="NotSupportedException">c(x, y) is not c(y, x).</exception>
    internal virtual void CheckSymmetric(ReadOnlySpan<double> x, ReadOnlySpan<double> y) { }

    /// <summary>Whether the cost is a sum over coordinates, <c>Σ_k h(x_k − y_k)</c>.</summary>
    internal virtual bool IsSeparable => false;

    /// <summary>p where the cost of one-dimensional points is a multiple of <c>|x − y|^p</c>; null otherwise.</summary>
    internal virtual double? DifferenceExponent => null;

    /// <summary>
    /// Where <see cref="DifferenceExponent"/> is set: the largest relative error of <see cref="Evaluate"/> on the line for differences above 1e-150, in units of 2⁻⁵³
    /// and but for underflow; null where none is known.
    /// </summary>
    internal virtual double? DifferenceError => DifferenceExponent is null ? null : 4;

    /// <summary>Refuses points where the cost is not defined.</summary>
    internal virtual void CheckPoints(Matrix points, string name) { }

    /// <summary>Upper bound of the finite |c| over all pairs of the two clouds.</summary>
    internal abstract double Bound(Matrix source, Matrix target);

    /// <summary><see cref="Bound"/>, and whether some pair of the two clouds is forbidden.</summary>
    internal virtual (double Bound, bool Forbids) Range(Matrix source, Matrix target) => (Bound(source, target), false);

    /// <summary>Mean cost over all pairs in O((n + m) d), or null where no such formula is known.</summary>
    internal virtual double? Mean(Matrix source, Matrix target) => null;

    /// <summary>What is computed once per point, for <see cref="EvaluateRow"/> to start from; the points themselves by default.</summary>
    internal virtual Matrix Prepared(Matrix points) => points;

    /// <summary>Costs from one point to every row of <paramref name="target"/>.</summary>
    /// <param name="x">Source point, prepared.</param>
    /// <param name="target">m × d target points, as given.</param>
    /// <param name="coordinates">Prepared target points, coordinate after coordinate: d × m.</param>
    /// <param name="costs">Receives m costs.</param>
    internal virtual void EvaluateRow(ReadOnlySpan<double> x, Matrix target, ReadOnlySpan<double> coordinates, Span<double> costs)
    {
        for (int j = 0; j < costs.Length; j++)
            costs[j] = Evaluate(x, target.Row(j));
    }

    /// <summary>Costs from some points, prepared and one after another, to every row of <paramref name="target"/>: m costs for each.</summary>
    internal virtual void EvaluateRows(
        ReadOnlySpan<double> points,
        Matrix target,
        ReadOnlySpan<double> coordinates,
        Span<double> block
    )
    {
        int d = target.Columns,
            m = target.Rows;
        for (int r = 0; r < points.Length / d; r++)
            EvaluateRow(points.Slice(r * d, d), target, coordinates, block.Slice(r * m, m));
    }

    /// <summary>Squared Euclidean diameter of the bounding box of both clouds; <paramref name="power"/> 1 sums the sides, 0 takes the longest.</summary>
    static double BoxBound(Matrix source, Matrix target, int power)
    {
        double total = 0;
        for (int k = 0; k < source.Columns; k++)
        {
            double low = double.PositiveInfinity,
                high = double.NegativeInfinity;
            foreach (Matrix cloud in (ReadOnlySpan<Matrix>)[source, target])
            {
                if (cloud.Columns == 1)
                {
                    low = Math.Min(low, TensorPrimitives.Min(cloud.Values));
                    high = Math.Max(high, TensorPrimitives.Max(cloud.Values));
                    continue;
                }
                for (int i = 0; i < cloud.Rows; i++)
                {
                    low = Math.Min(low, cloud[i, k]);
                    high = Math.Max(high, cloud[i, k]);
                }
            }
            double side = high - low;
            total = power switch
            {
                0 => Math.Max(total, side),
                1 => total + side,
                _ => total + (side * side),
            };
        }
        return total;
    }

    /// <summary>A cost whose rows are made coordinate by coordinate, a vector of targets at a time. Sums squared differences unless told otherwise.</summary>
    internal abstract class CoordinateCost : GroundCost
    {
        internal override void EvaluateRow(
            ReadOnlySpan<double> x,
            Matrix target,
            ReadOnlySpan<double> coordinates,
            Span<double> costs
        )
        {
            const int tile = 512; // two tiles and the coordinates of one stay in the first-level cache
            Span<double> scratch = stackalloc double[tile];
            int m = target.Rows;
            for (int start = 0; start < m; start += tile)
            {
                int count = Math.Min(tile, m - start);
                Span<double> sum = costs.Slice(start, count);
                sum.Clear();
                Span<double> term = scratch[..count];
                for (int k = 0; k < x.Length; k++)
                    Accumulate(x[k], coordinates.Slice((k * m) + start, count), term, sum);
                Finish(x, sum, term);
            }
        }

        /// <summary>Adds one coordinate's share to <paramref name="sum"/>.</summary>
        private protected virtual void Accumulate(double x, ReadOnlySpan<double> y, Span<double> scratch, Span<double> sum)
        {
            TensorPrimitives.Subtract(y, x, scratch);
            TensorPrimitives.MultiplyAdd(scratch, scratch, sum, sum);
        }

        /// <summary>Turns accumulated sums into costs.</summary>
        private protected virtual void Finish(ReadOnlySpan<double> x, Span<double> sum, Span<double> scratch) { }
    }

    internal sealed class SquaredEuclideanCost(double scale) : CoordinateCost
    {
        /// <summary>1, or 1/2.</summary>
        public double Scale => scale;

        internal override double? DifferenceExponent => 2;

        public override string Name => scale == 1 ? "sqeuclidean" : "half-sqeuclidean";

        internal override bool IsSeparable => true;

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            double sum = 0;
            for (int k = 0; k < x.Length; k++)
                sum += (x[k] - y[k]) * (x[k] - y[k]);
            return scale * sum;
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            for (int k = 0; k < x.Length; k++)
                gradient[k] = 2 * scale * (x[k] - y[k]);
        }

        internal override double Bound(Matrix source, Matrix target) => scale * BoxBound(source, target, 2);

        internal override double? Mean(Matrix source, Matrix target)
        {
            // mean |x−y|² = Σ_k [var(x_k) + var(y_k) + (mean(x_k) − mean(y_k))²], free of cancellation.
            double sum = 0;
            for (int k = 0; k < source.Columns; k++)
            {
                (double mx, double vx) = Moments(source, k);
                (double my, double vy) = Moments(target, k);
                sum += vx + vy + ((mx - my) * (mx - my));
            }
            return scale * sum;
        }

        static (double Mean, double Variance) Moments(Matrix points, int k)
        {
            Compensated sum = default,
                squares = default;
            for (int i = 0; i < points.Rows; i++)
                sum.Add(points[i, k]);
            double mean = sum.Value / points.Rows;
            for (int i = 0; i < points.Rows; i++)
                squares.Add((points[i, k] - mean) * (points[i, k] - mean));
            return (mean, squares.Value / points.Rows);
        }

        internal override void EvaluateRow(
            ReadOnlySpan<double> x,
            Matrix target,
            ReadOnlySpan<double> coordinates,
            Span<double> costs
        ) => EvaluateRows(x, target, coordinates, costs);

        internal override void EvaluateRows(
            ReadOnlySpan<double> points,
            Matrix target,
            ReadOnlySpan<double> coordinates,
            Span<double> block
        )
        {
            SquaredDistances.Fill(points, target.Columns, coordinates, block);
            if (scale != 1)
                TensorPrimitives.Multiply(block, scale, block);
        }
    }

    sealed class EuclideanCost : CoordinateCost
    {
        internal override double? DifferenceExponent => 1;

        public override string Name => "euclidean";

        /// <summary>Distances whose squares neither overflow nor lose digits to underflow.</summary>
        static bool IsSafe(double distance) => distance is >= 1e-140 and <= double.MaxValue;

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            double distance = Math.Sqrt(SquaredEuclidean.Evaluate(x, y));
            if (IsSafe(distance))
                return distance;
            // In units of the largest difference.
            double unit = 0,
                sum = 0;
            for (int k = 0; k < x.Length; k++)
                unit = Math.Max(unit, Math.Abs(x[k] - y[k]));
            for (int k = 0; k < x.Length && unit > 0; k++)
                sum += (x[k] - y[k]) / unit * ((x[k] - y[k]) / unit);
            return unit * Math.Sqrt(sum);
        }

        internal override void EvaluateRow(
            ReadOnlySpan<double> x,
            Matrix target,
            ReadOnlySpan<double> coordinates,
            Span<double> costs
        )
        {
            base.EvaluateRow(x, target, coordinates, costs);
            // Beside a distance of ordinary size, what a tiny one lost is nothing.
            if (IsSafe(TensorPrimitives.Max<double>(costs)))
                return;
            for (int j = 0; j < costs.Length; j++)
                costs[j] = Evaluate(x, target.Row(j));
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            double distance = Evaluate(x, y);
            for (int k = 0; k < x.Length; k++)
                gradient[k] = distance == 0 ? 0 : (x[k] - y[k]) / distance;
        }

        internal override double Bound(Matrix source, Matrix target)
        {
            double diagonal = Math.Sqrt(BoxBound(source, target, 2));
            return IsSafe(diagonal) ? diagonal : Math.Sqrt(source.Columns) * BoxBound(source, target, 0);
        }

        private protected override void Finish(ReadOnlySpan<double> x, Span<double> sum, Span<double> scratch) =>
            TensorPrimitives.Sqrt(sum, sum);
    }

    sealed class CityBlockCost : CoordinateCost
    {
        internal override double? DifferenceExponent => 1;

        public override string Name => "cityblock";

        internal override bool IsSeparable => true;

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            double sum = 0;
            for (int k = 0; k < x.Length; k++)
                sum += Math.Abs(x[k] - y[k]);
            return sum;
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            for (int k = 0; k < x.Length; k++)
                gradient[k] = Math.Sign(x[k] - y[k]);
        }

        internal override double Bound(Matrix source, Matrix target) => BoxBound(source, target, 1);

        private protected override void Accumulate(double x, ReadOnlySpan<double> y, Span<double> scratch, Span<double> sum)
        {
            TensorPrimitives.Subtract(y, x, scratch);
            TensorPrimitives.Abs(scratch, scratch);
            TensorPrimitives.Add(sum, scratch, sum);
        }
    }

    sealed class ChebyshevCost : CoordinateCost
    {
        internal override double? DifferenceExponent => 1;

        public override string Name => "chebyshev";

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            double max = 0;
            for (int k = 0; k < x.Length; k++)
                max = Math.Max(max, Math.Abs(x[k] - y[k]));
            return max;
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            gradient.Clear();
            int at = 0;
            for (int k = 1; k < x.Length; k++)
            {
                if (Math.Abs(x[k] - y[k]) > Math.Abs(x[at] - y[at]))
                    at = k;
            }
            gradient[at] = Math.Sign(x[at] - y[at]);
        }

        internal override double Bound(Matrix source, Matrix target) => BoxBound(source, target, 0);

        private protected override void Accumulate(double x, ReadOnlySpan<double> y, Span<double> scratch, Span<double> sum)
        {
            TensorPrimitives.Subtract(y, x, scratch);
            TensorPrimitives.MaxMagnitude(sum, scratch, sum);
            TensorPrimitives.Abs(sum, sum);
        }
    }

    internal sealed class MinkowskiCost(double p) : GroundCost
    {
        /// <summary>p.</summary>
        public double Order => p;

        internal override double? DifferenceExponent => 1;

        public override string Name => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"minkowski:{p}");

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            // Dividing by the longest side first keeps the powers between 0 and 1.
            double max = Chebyshev.Evaluate(x, y);
            if (max == 0)
                return 0;
            double sum = 0;
            for (int k = 0; k < x.Length; k++)
                sum += Math.Pow(Math.Abs(x[k] - y[k]) / max, p);
            return max * Math.Pow(sum, 1 / p);
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            double distance = Evaluate(x, y);
            for (int k = 0; k < x.Length; k++)
            {
                double d = x[k] - y[k];
                gradient[k] = distance == 0 ? 0 : Math.Sign(d) * Math.Pow(Math.Abs(d) / distance, p - 1);
            }
        }

        internal override double Bound(Matrix source, Matrix target) => BoxBound(source, target, 1);
    }

    internal sealed class PowerCost(GroundCost inner, double p) : GroundCost
    {
        /// <summary>The cost that is raised.</summary>
        public GroundCost Inner => inner;

        /// <summary>p.</summary>
        public double Exponent => p;

        internal override double? DifferenceExponent => p * inner.DifferenceExponent;

        internal override double? DifferenceError => inner is PowerCost ? null : (p * inner.DifferenceError) + 4;

        public override string Name => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{inner.Name}^{p}");

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            double value = inner.Evaluate(x, y);
            ThrowIfNegative(value);
            return Math.Pow(value, p);
        }

        static void ThrowIfNegative(double value)
        {
            if (value < 0)
                throw new ArgumentException($"A cost is {value}: only costs of 0 and more have a power.");
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            double value = inner.Evaluate(x, y);
            inner.Gradient(x, y, gradient);
            double outer = value == 0 ? 0 : p * Math.Pow(value, p - 1);
            foreach (ref double g in gradient)
                g *= outer;
        }

        internal override void CheckPoints(Matrix points, string name) => inner.CheckPoints(points, name);

        internal override bool IsSymmetric => inner.IsSymmetric;

        internal override void CheckSymmetric(ReadOnlySpan<double> x, ReadOnlySpan<double> y) => inner.CheckSymmetric(x, y);

        internal override Matrix Prepared(Matrix points) => inner.Prepared(points);

        internal override double Bound(Matrix source, Matrix target) => Math.Pow(inner.Bound(source, target), p);

        internal override (double Bound, bool Forbids) Range(Matrix source, Matrix target)
        {
            (double bound, bool forbids) = inner.Range(source, target);
            return (Math.Pow(bound, p), forbids);
        }

        internal override void EvaluateRow(
            ReadOnlySpan<double> x,
            Matrix target,
            ReadOnlySpan<double> coordinates,
            Span<double> costs
        )
        {
            inner.EvaluateRow(x, target, coordinates, costs);
            ThrowIfNegative(TensorPrimitives.Min<double>(costs));
            TensorPrimitives.Pow(costs, p, costs);
        }
    }
}
