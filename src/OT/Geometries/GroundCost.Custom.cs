using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using OT.Numerics;

namespace OT.Geometries;

public abstract partial class GroundCost
{
    sealed class CustomCost(PointCost cost, PointCostGradient? gradientOf) : GroundCost
    {
        public override string Name => "custom";

        public override double Evaluate(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            double value = cost(x, y);
            if (double.IsNaN(value) || double.IsNegativeInfinity(value))
                throw new ArgumentException($"The custom cost returned {value}: it must be finite, or +∞ to forbid the pair.");
            return value;
        }

        public override void Gradient(ReadOnlySpan<double> x, ReadOnlySpan<double> y, Span<double> gradient)
        {
            if (gradientOf is null)
                throw new NotSupportedException("This custom cost came without a gradient: pass one to GroundCost.Custom.");
            gradientOf(x, y, gradient);
        }

        internal override bool IsSymmetric => false;

        internal override void CheckSymmetric(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            const double rounding = 1e-9; // of a cost that is computed in another order
            double there = cost(x, y),
                back = cost(y, x);
            if (there != back && !(Math.Abs(there - back) <= rounding * Math.Max(Math.Abs(there), Math.Abs(back))))
            {
                throw new NotSupportedException(
                    FormattableString.Invariant(
                        $"This custom cost is not symmetric: c(x, y) = {there}, c(y, x) = {back} at some pair, and its gradient is in x alone. Only symmetric costs have derivatives in the target points."
                    )
                );
            }
        }

        internal override double Bound(Matrix source, Matrix target) => Range(source, target).Bound;

        /// <summary>One pass over all pairs, rows side by side: the function is called once a pair.</summary>
        internal override (double Bound, bool Forbids) Range(Matrix source, Matrix target)
        {
            var bounds = new double[source.Rows];
            int forbidden = 0;
            void Row(int i)
            {
                for (int j = 0; j < target.Rows; j++)
                {
                    double value = Math.Abs(Evaluate(source.Row(i), target.Row(j)));
                    if (double.IsFinite(value))
                        bounds[i] = Math.Max(bounds[i], value);
                    else
                        Volatile.Write(ref forbidden, 1);
                }
            }
            try
            {
                Parallel.For(0, source.Rows, Row);
            }
            catch (AggregateException failures)
            {
                ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
            }
            return (TensorPrimitives.Max<double>(bounds), forbidden != 0);
        }
    }
}
