using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>Exact transport on the line for a convex cost of the difference: sort both sides and match the cumulative weights.</summary>
/// <remarks>
/// O(n + m) beside the powers: points are sorted by their digits, the two sides, and then plan and potentials, on two threads; the same bits for any number
/// of them. O(n + m) memory. The plan has at most n + m − 1 entries. Takes point clouds of dimension 1 with squared Euclidean, Euclidean, city block,
/// Chebyshev or Minkowski cost, or a power of these that is convex. Sources: Santambrogio, Optimal Transport for Applied Mathematicians, 2015, ch. 2; Delon, Salomon,
/// Sobolevski, SIAM J. Appl. Math. 70, 2010 (circle); docs/theory/exact.md.
/// </remarks>
/// <param name="options">Checked, and watched for cancellation before the sort; there is nothing to iterate.</param>
public sealed class Univariate(ExactOptions? options = null) : ISolver<LinearProblem, TransportResult>
{
    const int Piece = 512; // ways that stay in the first-level cache

    readonly ExactOptions _options = ExactOptions.Checked(options);

    /// <summary>Whether this solver takes the problem: points on the line, a cost <c>s |x − y|^p</c> with p ≥ 1, no regulariser, both marginals exact.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return ExactProblem.Takes(problem)
            && problem.Geometry is PointCloud { Dimension: 1, GroundCost.DifferenceExponent: >= 1 };
    }

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default)
    {
        var exact = ExactProblem.Of(problem, nameof(Univariate));
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "Univariate needs points of dimension 1 and a convex cost of their difference; use NetworkSimplex."
            );
        }
        if (exact.RefuseUnequalMasses() is { } refusal)
            return refusal;
        var watch = new Watch(_options, cancellation);
        bool stopped = watch.Step(0) || watch.Stop(long.MaxValue / 2);
        var cloud = (PointCloud)problem.Geometry;
        // A stopped solve leaves the points in the order given: a feasible plan, not an optimal one.
        int count = exact.Rows + exact.Columns;
        int[] x = [],
            y = [];
        Fork.Join(
            count,
            () => x = stopped ? [.. Enumerable.Range(0, exact.Rows)] : RadixSort.Order(cloud.Source.Values),
            () => y = stopped ? [.. Enumerable.Range(0, exact.Columns)] : RadixSort.Order(cloud.Target.Values)
        );
        var line = new Line(exact, cloud, x, y);
        (SparsePlan Plan, double Cost, double MarginalError) found = default;
        Potentials? potentials = null;
        Fork.Join(count, () => found = line.Plan(), () => potentials = stopped ? null : line.Potentials());
        return exact.Answer(watch.Status, stopped ? 0 : 1, found.Plan!, found.Cost, found.MarginalError, potentials);
    }

    /// <summary><c>W_p = (min Σ P_ij |x_i − y_j|^p)^(1/p)</c> on the line; the p-th root is taken, masses are not normalised.</summary>
    /// <param name="x">n positions, in any order.</param>
    /// <param name="a">n weights; empty for 1/n each.</param>
    /// <param name="y">m positions.</param>
    /// <param name="b">m weights of the same total up to 1e-9 relative; empty for 1/m each.</param>
    /// <param name="p">p ≥ 1, 2 by default; <c>+∞</c> gives the longest way of any mass.</param>
    /// <remarks>O(n + m). With as many points on both sides and equal weights the i-th goes to the i-th: two sorts of the positions and a sum.</remarks>
    /// <exception cref="ArgumentException">Lengths or masses differ, a value is not finite, a weight is negative, p &lt; 1, or the longest way overflows.</exception>
    public static double Distance(
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> y,
        ReadOnlySpan<double> b,
        double p = 2
    )
    {
        CheckExponent(p);
        (Side source, Side target) = Side.Pair(x, a, y, b);
        double far = Farthest(source, target);
        if (!double.IsFinite(far))
            throw new ArgumentException("The longest way overflows: scale the positions down.", nameof(x));
        if (double.IsPositiveInfinity(p) || far == 0)
            return far;
        // Dividing by the longest way first keeps the powers between 0 and 1.
        return far * Math.Pow(Power(source, target, p, far), 1 / p);
    }

    /// <summary><c>W_p</c> on a circle, with the shorter of the two arcs between points as their distance; the p-th root is taken.</summary>
    /// <remarks>p = 1 by the weighted median of F − G, O((n + m) log(n + m)); p &gt; 1 by minimising a convex piecewise linear function of the shift.</remarks>
    /// <param name="x">n positions; any real number, taken modulo the circumference.</param>
    /// <param name="a">n weights; empty for 1/n each.</param>
    /// <param name="y">m positions.</param>
    /// <param name="b">m weights of the same total up to 1e-9 relative; empty for 1/m each.</param>
    /// <param name="p">1 ≤ p ≤ 32; 2 by default. Beyond, the rounding of levels, which sends a sliver of mass to a neighbour, would be what is measured.</param>
    /// <param name="circumference">Length of the circle; 1 by default.</param>
    /// <exception cref="ArgumentException">Lengths or masses differ, a value is not finite, a weight is negative, p is out of range, or the circumference is not positive.</exception>
    public static double CircleDistance(
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> y,
        ReadOnlySpan<double> b,
        double p = 2,
        double circumference = 1
    )
    {
        const double largestPower = 32;
        Guard.Positive(circumference);
        Guard.InRange(p, 1, largestPower);
        (Side source, Side target) = Side.Pair(x, a, y, b, circumference);
        // On the circle of length 1 powers stay between 0 and a few.
        return circumference * (p == 1 ? Circle.FirstPower(source, target) : Circle.Power(source, target, p));
    }

    static void CheckExponent(double p)
    {
        if (!(p >= 1))
            throw new ArgumentOutOfRangeException(nameof(p), ExactProblem.Text($"p is {p}: it must be 1 or more."));
    }

    /// <summary>The longest way of any mass in the monotone plan.</summary>
    static double Farthest(Side source, Side target)
    {
        double far = 0;
        if (source.IsEven && target.IsEven && source.Count == target.Count)
        {
            Span<double> ways = stackalloc double[Piece];
            for (int start = 0; start < source.Count; start += Piece)
                far = Math.Max(far, TensorPrimitives.Max(Ways(source.Positions, target.Positions, start, ways)));
            return far;
        }
        var stairs = new Staircase(source.WrittenWeights(), target.WrittenWeights());
        do
        {
            if (stairs.Mass > 0)
                far = Math.Max(far, Math.Abs(source.Positions[stairs.I] - target.Positions[stairs.J]));
        } while (stairs.Advance());
        return far;
    }

    static double Power(Side source, Side target, double p, double unit) =>
        source.IsEven && target.IsEven && source.Count == target.Count
            ? source.Mass / source.Count * EvenPower(source.Positions, target.Positions, p, unit)
            : Power(source.Positions, source.WrittenWeights(), target.Positions, target.WrittenWeights(), p, unit);

    /// <summary><c>Σ P |(x − y)/unit|^p</c> over the monotone plan of two sorted sides of equal mass.</summary>
    internal static double Power(
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> y,
        ReadOnlySpan<double> b,
        double p,
        double unit = 1
    )
    {
        Compensated sum = default;
        var stairs = new Staircase(a, b);
        do
        {
            if (stairs.Mass > 0)
                sum.Add(stairs.Mass * Power(Math.Abs(x[stairs.I] - y[stairs.J]) / unit, p));
        } while (stairs.Advance());
        return sum.Value;
    }

    /// <summary><c>Σ |(x_i − y_i)/unit|^p</c> of as many sorted positions on both sides: with equal weights the i-th goes to the i-th.</summary>
    internal static double EvenPower(ReadOnlySpan<double> x, ReadOnlySpan<double> y, double p, double unit = 1)
    {
        var sum = new CompensatedLanes();
        Span<double> buffer = stackalloc double[Piece];
        for (int start = 0; start < x.Length; start += Piece)
        {
            Span<double> ways = Ways(x, y, start, buffer);
            if (unit != 1)
                TensorPrimitives.Divide(ways, unit, ways);
            if (p == 2)
            {
                TensorPrimitives.Multiply(ways, ways, ways);
            }
            else if (p != 1)
            {
                foreach (ref double way in ways)
                    way = Math.Pow(way, p);
            }
            sum.Add(ways);
        }
        return sum.Value;
    }

    /// <summary><c>|x_i − y_i|</c> of the next piece.</summary>
    static Span<double> Ways(ReadOnlySpan<double> x, ReadOnlySpan<double> y, int start, Span<double> buffer)
    {
        int count = Math.Min(buffer.Length, x.Length - start);
        Span<double> ways = buffer[..count];
        TensorPrimitives.Subtract(x.Slice(start, count), y.Slice(start, count), ways);
        TensorPrimitives.Abs(ways, ways);
        return ways;
    }

    internal static double Power(double distance, double p) =>
        p switch
        {
            1 => distance,
            2 => distance * distance,
            _ => Math.Pow(distance, p),
        };
}
