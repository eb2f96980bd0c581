using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;

namespace OT.Results;

/// <summary>Values and conjugates of the regularisers that are sums over lines of the plan, recomputed line by line from the costs.</summary>
/// <remarks>Bounds share no code with the solvers, which take their reported value from here. Rounding: u = 2⁻⁵³; bounds count more operations than there are.</remarks>
internal static class SparseObjective
{
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    /// <summary>Whether the regulariser is one of those.</summary>
    public static bool Takes(Regularizer regularizer) =>
        regularizer is QuadraticRegularizer or GroupLassoRegularizer or SparsityRegularizer;

    /// <summary>The regulariser's term at a plan; with a limit on entries that of the convex relaxation, γ/2 times the squared k-support norm of each line.</summary>
    public static double Value(Regularizer regularizer, SparseMatrix plan) =>
        regularizer switch
        {
            QuadraticRegularizer quadratic => 0.5 * quadratic.Gamma * Squares(plan),
            GroupLassoRegularizer lasso => (0.5 * lasso.Gamma * Squares(plan))
                + (lasso.Gamma * lasso.Mu * GroupNorms(lasso, plan)),
            SparsityRegularizer sparsity => 0.5
                * sparsity.Gamma
                * SupportNorms(sparsity.Axis == SparseAxis.Rows ? plan : plan.Transpose(), sparsity.MaxNonZeros),
            _ => 0,
        };

    /// <summary>The same, raised by what rounding may hide, and by what moving <paramref name="missed"/> more mass to its place can add.</summary>
    /// <remarks>Every norm N of a line is at most the line's mass, and <c>(N + δ)² ≤ N² + 2Nδ + δ²</c> for a change of mass δ; the norm of a group changes by no more than δ.</remarks>
    public static double UpperBound(Regularizer regularizer, SparseMatrix plan, double missed)
    {
        double value = Value(regularizer, plan),
            mass = Summation.Sum(plan.Values),
            moved = 2 * missed; // taken here, put there
        double added = 0.5 * Gamma(regularizer) * moved * ((2 * mass) + moved);
        if (regularizer is GroupLassoRegularizer lasso)
            added += lasso.Gamma * lasso.Mu * moved;
        // Sums of squares are compensated, those inside the norms of groups are not.
        double roundings = regularizer is GroupLassoRegularizer ? plan.Rows + 16 : 16;
        return value + added + (roundings * Unit * (value + added));
    }

    static double Gamma(Regularizer regularizer) =>
        regularizer switch
        {
            QuadraticRegularizer quadratic => quadratic.Gamma,
            GroupLassoRegularizer lasso => lasso.Gamma,
            SparsityRegularizer sparsity => sparsity.Gamma,
            _ => 0,
        };

    /// <summary>An upper bound of <c>Σ D(X)</c>, <c>X_ij = f_i + g_j − C_ij</c>: what the dual gives back.</summary>
    /// <param name="regularizer">The regulariser.</param>
    /// <param name="geometry">The costs.</param>
    /// <param name="f">Source potential.</param>
    /// <param name="g">Target potential.</param>
    /// <param name="cancellation">Watched once per line.</param>
    public static double Conjugate(
        Regularizer regularizer,
        Geometry geometry,
        double[] f,
        double[] g,
        CancellationToken cancellation
    )
    {
        bool byRows = regularizer is QuadraticRegularizer or SparsityRegularizer { Axis: SparseAxis.Rows };
        int lines = byRows ? f.Length : g.Length;
        int length = byRows ? g.Length : f.Length;
        var parts = new double[lines];
        Parallel.For(
            0,
            lines,
            new ParallelOptions { CancellationToken = cancellation },
            () => new double[length],
            (line, _, x) =>
            {
                if (byRows)
                {
                    geometry.CostRow(line, x);
                    for (int j = 0; j < length; j++)
                        x[j] = Positive(f[line], g[j], x[j]);
                }
                else
                {
                    for (int i = 0; i < length; i++)
                        x[i] = Positive(f[i], g[line], geometry.Cost(i, line));
                }
                parts[line] = OfLine(regularizer, x);
                return x;
            },
            _ => { }
        );
        return Summation.Sum(parts) * (1 + (16 * Unit));
    }

    /// <summary><c>[f + g − C]</c>, rounded up; 0 where a potential is −∞ or the pair is forbidden.</summary>
    static double Positive(double f, double g, double cost)
    {
        double x = f + g - cost;
        if (!(x > double.NegativeInfinity))
            return 0;
        double error = 4 * Unit * (Math.Abs(f) + Math.Abs(g) + Math.Abs(cost));
        return Math.Max(0, x + error);
    }

    static double OfLine(Regularizer regularizer, double[] x)
    {
        switch (regularizer)
        {
            case QuadraticRegularizer quadratic:
                return HalfSquares(x, quadratic.Gamma);
            case SparsityRegularizer sparsity:
                if (sparsity.MaxNonZeros < x.Length)
                {
                    Array.Sort(x);
                    Array.Clear(x, 0, x.Length - sparsity.MaxNonZeros);
                }
                return HalfSquares(x, sparsity.Gamma);
            case GroupLassoRegularizer lasso:
                TensorPrimitives.Divide(x, lasso.Gamma, x);
                var groups = new Dictionary<int, double>();
                for (int i = 0; i < x.Length; i++)
                    groups[lasso.RowGroups[i]] = groups.GetValueOrDefault(lasso.RowGroups[i]) + (x[i] * x[i]);
                double sum = 0;
                foreach (double squares in groups.Values)
                {
                    double over = Math.Max(0, (Math.Sqrt(squares) * (1 + (4 * Unit * (x.Length + 5)))) - lasso.Mu);
                    sum += over * over;
                }
                return 0.5 * lasso.Gamma * sum * (1 + (Unit * (x.Length + 8)));
            default:
                return 0;
        }
    }

    /// <summary><c>Σ x²/2γ</c>, of x divided by <c>√(2γ)</c> first: squares of costs may leave the range of doubles.</summary>
    static double HalfSquares(double[] x, double gamma)
    {
        TensorPrimitives.Divide(x, Math.Sqrt(2 * gamma), x);
        return SumOfSquares(x);
    }

    static double SumOfSquares(double[] x) => Summation.Dot(x, x);

    static double Squares(SparseMatrix plan) => Summation.Dot(plan.Values, plan.Values);

    static double GroupNorms(GroupLassoRegularizer lasso, SparseMatrix plan)
    {
        var squares = new Dictionary<(int Group, int Column), double>();
        for (int i = 0; i < plan.Rows; i++)
        {
            ReadOnlySpan<int> columns = plan.RowColumns(i);
            for (int k = 0; k < columns.Length; k++)
            {
                (int, int) key = (lasso.RowGroups[i], columns[k]);
                squares[key] = squares.GetValueOrDefault(key) + (plan.RowValues(i)[k] * plan.RowValues(i)[k]);
            }
        }
        return squares.Values.Sum(Math.Sqrt);
    }

    /// <summary>
    /// Sum of squared k-support norms of the rows: with entries falling, <c>Σ_{i&lt;q} p_i² + (Σ_{i≥q} p_i)²/(k − q)</c> for the one q of 0 … k − 1 with
    /// <c>p_{q−1} &gt; Σ_{i≥q} p_i/(k − q) ≥ p_q</c> (Argyriou, Foygel and Srebro 2012, Proposition 2.1).
    /// </summary>
    static double SupportNorms(SparseMatrix plan, int most)
    {
        Compensated sum = default;
        for (int i = 0; i < plan.Rows; i++)
        {
            double[] p = plan.RowValues(i).ToArray();
            if (p.Length <= most)
            {
                sum.Add(SumOfSquares(p));
                continue;
            }
            Array.Sort(p, (x, y) => y.CompareTo(x));
            double rest = Summation.Sum(p);
            int q = 0;
            while (q < most - 1 && p[q] > rest / (most - q))
                rest = Math.Max(0, rest - p[q++]);
            rest = Summation.Sum(p.AsSpan(q));
            sum.Add(Summation.Dot(p.AsSpan(0, q), p.AsSpan(0, q)) + (rest * rest / (most - q)));
        }
        return sum.Value;
    }
}
