using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>Exact transport on the line for a convex cost of the difference: sort both sides and match the cumulative weights.</summary>
/// <remarks>
/// O(n log n + m log m), O(n + m) memory. The plan has at most n + m − 1 entries. Takes point clouds of dimension 1 with squared Euclidean, Euclidean, city block,
/// Chebyshev or Minkowski cost, or a power of these that is convex. Sources: Santambrogio, Optimal Transport for Applied Mathematicians, 2015, ch. 2; Delon, Salomon,
/// Sobolevski, SIAM J. Appl. Math. 70, 2010 (circle); docs/theory/exact.md.
/// </remarks>
/// <param name="options">Checked, and watched for cancellation before the sort; there is nothing to iterate.</param>
public sealed class Univariate(ExactOptions? options = null) : ISolver<LinearProblem, TransportResult>
{
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
        int[] x = stopped ? [.. Enumerable.Range(0, exact.Rows)] : Order(cloud.Source.Values);
        int[] y = stopped ? [.. Enumerable.Range(0, exact.Columns)] : Order(cloud.Target.Values);

        var shipments = new List<(int Row, int Column, double Mass)>(x.Length + y.Length);
        var f = new double[x.Length];
        var g = new double[y.Length];
        Compensated runningF = default,
            runningG = default;
        runningG.Add(problem.Geometry.Cost(x[0], y[0]));
        g[y[0]] = runningG.Value;
        var stairs = new Staircase(exact.Supply, x, exact.Demand, y);
        for (bool more = true; more; )
        {
            (int i, int j, double mass) = (x[stairs.I], y[stairs.J], stairs.Mass);
            if (mass > 0)
                shipments.Add((i, j, mass));
            more = stairs.Advance();
            (int nextI, int nextJ) = (x[stairs.I], y[stairs.J]);
            // Every step of the staircase is tight: the new potential differs from the last of its side by the difference of two costs.
            double step = problem.Geometry.Cost(nextI, nextJ);
            if (nextI != i)
            {
                runningF.Add(step);
                runningF.Add(-problem.Geometry.Cost(i, j));
                f[nextI] = runningF.Value;
            }
            else if (nextJ != j)
            {
                runningG.Add(step);
                runningG.Add(-problem.Geometry.Cost(i, j));
                g[nextJ] = runningG.Value;
            }
        }
        Potentials? potentials = stopped ? null : new Potentials(f, g).Centred(problem.A, problem.B);
        return exact.Answer(watch.Status, stopped ? 0 : 1, shipments, potentials);
    }

    /// <summary><c>W_p = (min Σ P_ij |x_i − y_j|^p)^(1/p)</c> on the line; the p-th root is taken, masses are not normalised.</summary>
    /// <param name="x">n positions, in any order.</param>
    /// <param name="a">n weights; empty for 1/n each.</param>
    /// <param name="y">m positions.</param>
    /// <param name="b">m weights of the same total up to 1e-9 relative; empty for 1/m each.</param>
    /// <param name="p">p ≥ 1, 2 by default; <c>+∞</c> gives the longest way of any mass.</param>
    /// <exception cref="ArgumentException">Lengths or masses differ, a value is not finite, a weight is negative, or p &lt; 1.</exception>
    public static double Distance(
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> y,
        ReadOnlySpan<double> b,
        double p = 2
    )
    {
        var source = Side.Of(x, a, nameof(x), nameof(a));
        var target = Side.Of(y, b, nameof(y), nameof(b)).WithMass(source.Mass);
        CheckExponent(p);
        return Distance(source, target, p);
    }

    /// <summary><c>W_p</c> on a circle, with the shorter of the two arcs between points as their distance; the p-th root is taken.</summary>
    /// <remarks>p = 1 by the weighted median of F − G, O((n + m) log(n + m)); p &gt; 1 by minimising a convex piecewise linear function of the shift.</remarks>
    /// <param name="x">n positions; any real number, taken modulo the circumference.</param>
    /// <param name="a">n weights; empty for 1/n each.</param>
    /// <param name="y">m positions.</param>
    /// <param name="b">m weights of the same total up to 1e-9 relative; empty for 1/m each.</param>
    /// <param name="p">1 ≤ p &lt; ∞; 2 by default.</param>
    /// <param name="circumference">Length of the circle; 1 by default.</param>
    /// <exception cref="ArgumentException">Lengths or masses differ, a value is not finite, a weight is negative, p &lt; 1, or the circumference is not positive.</exception>
    public static double CircleDistance(
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> y,
        ReadOnlySpan<double> b,
        double p = 2,
        double circumference = 1
    )
    {
        Guard.Positive(circumference);
        Guard.InRange(p, 1, double.MaxValue);
        var source = Side.Of(x, a, nameof(x), nameof(a), circumference);
        var target = Side.Of(y, b, nameof(y), nameof(b), circumference).WithMass(source.Mass);
        // On the circle of length 1 powers stay between 0 and a few.
        return circumference * (p == 1 ? Circle.FirstPower(source, target) : Circle.Power(source, target, p));
    }

    internal static void CheckExponent(double p)
    {
        if (!(p >= 1))
            throw new ArgumentOutOfRangeException(nameof(p), ExactProblem.Text($"p is {p}: it must be 1 or more."));
    }

    /// <summary>W_p of two sorted sides of equal mass.</summary>
    internal static double Distance(in Side source, in Side target, double p)
    {
        double far = 0;
        var stairs = new Staircase(source.Weights, target.Weights);
        do
        {
            if (stairs.Mass > 0)
                far = Math.Max(far, Math.Abs(source.Positions[stairs.I] - target.Positions[stairs.J]));
        } while (stairs.Advance());
        if (double.IsPositiveInfinity(p) || far == 0)
            return far;
        // Dividing by the longest way first keeps the powers between 0 and 1.
        return far * Math.Pow(Power(source, target, p, far), 1 / p);
    }

    /// <summary><c>Σ P |(x − y)/unit|^p</c> over the monotone plan of two sorted sides of equal mass.</summary>
    internal static double Power(in Side source, in Side target, double p, double unit = 1)
    {
        Compensated sum = default;
        var stairs = new Staircase(source.Weights, target.Weights);
        do
        {
            if (stairs.Mass > 0)
                sum.Add(stairs.Mass * Power(Math.Abs(source.Positions[stairs.I] - target.Positions[stairs.J]) / unit, p));
        } while (stairs.Advance());
        return sum.Value;
    }

    internal static double Power(double distance, double p) =>
        p switch
        {
            1 => distance,
            2 => distance * distance,
            _ => Math.Pow(distance, p),
        };

    static int[] Order(ReadOnlySpan<double> positions)
    {
        double[] keys = positions.ToArray();
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        Array.Sort(keys, order);
        return order;
    }
}
