using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

public abstract partial class GroundCost
{
    /// <summary>|x| as <c>Largest · Ratio</c>, so that no square leaves the range of doubles; Largest is 1 where it need not be.</summary>
    readonly record struct Size(double Largest, double Ratio)
    {
        public static Size Of(ReadOnlySpan<double> x)
        {
            // Squares of coordinates this small or large lose digits or overflow.
            const double low = 1e-140,
                high = 1e140;
            double norm = TensorPrimitives.Norm(x);
            if (norm is > low and < high)
                return new(1, norm);
            double largest = Math.Abs(TensorPrimitives.MaxMagnitude(x));
            double squares = 0;
            foreach (double v in x)
                squares += v / largest * (v / largest);
            return new(largest, Math.Sqrt(squares));
        }

        /// <summary>value / |x|.</summary>
        public double Divide(double value) => value / Largest / Ratio;
    }

    static void CheckNoOrigin(Matrix points, string name, string cost)
    {
        for (int i = 0; i < points.Rows; i++)
        {
            if (!points.Row(i).ContainsAnyExcept(0))
                throw new ArgumentException($"Row {i} of {name} is the origin, where the {cost} cost is not defined.", name);
        }
    }

    internal sealed class CosineCost : CoordinateCost
    {
        public override string Name => "cosine";

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            // 1 − cos = |u − v|² / 2 for unit vectors: exact where x and y nearly agree.
            Size nx = Size.Of(x),
                ny = Size.Of(y);
            double sum = 0;
            for (int k = 0; k < x.Length; k++)
            {
                double d = nx.Divide(x[k]) - ny.Divide(y[k]);
                sum += d * d;
            }
            return sum / 2;
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            Size nx = Size.Of(x),
                ny = Size.Of(y);
            double cosine = 0;
            for (int k = 0; k < x.Length; k++)
                cosine += nx.Divide(x[k]) * ny.Divide(y[k]);
            for (int k = 0; k < x.Length; k++)
                gradient[k] = nx.Divide((cosine * nx.Divide(x[k])) - ny.Divide(y[k]));
        }

        internal override void CheckPoints(Matrix points, string name) => CheckNoOrigin(points, name, "cosine");

        internal override double Bound(Matrix source, Matrix target) => 2;

        /// <summary>Unit vectors.</summary>
        internal override Matrix Prepared(Matrix points)
        {
            var units = new double[points.Values.Length];
            for (int i = 0; i < points.Rows; i++)
            {
                Size size = Size.Of(points.Row(i));
                for (int k = 0; k < points.Columns; k++)
                    units[(i * points.Columns) + k] = size.Divide(points[i, k]);
            }
            return new Matrix(points.Rows, points.Columns, units);
        }

        private protected override void Finish(ReadOnlySpan<double> x, Span<double> sum, Span<double> scratch) =>
            TensorPrimitives.Divide(sum, 2, sum);
    }

    sealed class SphereGeodesicCost : GroundCost
    {
        public override string Name => "sphere";

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            // Kahan's angle: accurate for small, right and flat angles alike.
            Size nx = Size.Of(x),
                ny = Size.Of(y);
            double difference = 0,
                sum = 0;
            for (int k = 0; k < x.Length; k++)
            {
                double u = nx.Divide(x[k]),
                    v = ny.Divide(y[k]);
                difference += (u - v) * (u - v);
                sum += (u + v) * (u + v);
            }
            return 2 * Math.Atan2(Math.Sqrt(difference), Math.Sqrt(sum));
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            // d angle / dx = (cos·u − v) / (|x| sin), and 0 where the angle is 0 or π.
            Size nx = Size.Of(x),
                ny = Size.Of(y);
            double angle = Evaluate(x, y);
            (double sin, double cos) = Math.SinCos(angle);
            for (int k = 0; k < x.Length; k++)
                gradient[k] = sin < 1e-15 ? 0 : nx.Divide(((cos * nx.Divide(x[k])) - ny.Divide(y[k])) / sin);
        }

        internal override void CheckPoints(Matrix points, string name) => CheckNoOrigin(points, name, "sphere");

        internal override double Bound(Matrix source, Matrix target) => Math.PI;
    }
}
