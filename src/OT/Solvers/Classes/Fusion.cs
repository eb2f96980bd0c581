using OT.Numerics;
using OT.Problems;

namespace OT.Solvers.Classes;

/// <summary>
/// From which λ the rows of every class are equal per unit of mass, whatever the rest does: dual vectors that absorb the differences of costs within classes are written down as an electrical flow, and λ is what
/// makes them short enough.
/// </summary>
/// <remarks>
/// Within a class, with conductances <c>R_ii' min(a_i, a_i')</c>, X solves <c>L X = a (C − mean of the class)</c>, and <c>Z_ii' = R_ii' (X_i − X_i')</c> takes the differences of costs away; it is in its ball where
/// <c>|X_i − X_i'| ≤ λ</c>. A pair between classes pulls with λ R at most, in a direction that is the same for all pairs of the same two classes: with x solving <c>L x = </c> its pulls, centred, the condition is
/// <c>|X_i − X_i'| + λ Σ |x_i − x_i'| ≤ λ</c>.
/// </remarks>
internal static class Fusion
{
    const double Accuracy = 1e-10;

    /// <summary>C as a table, for both sides.</summary>
    public static Matrix Costs(LinearProblem problem, CancellationToken cancellation)
    {
        (int n, int m) = (problem.A.Count, problem.B.Count);
        var costs = new double[Guard.ArrayLength(n, m, "a table of costs")];
        for (int i = 0; i < n; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            problem.Geometry.CostRow(i, costs.AsSpan(i * m, m));
        }
        return new Matrix(n, m, costs);
    }

    public static double OfRows(LinearProblem problem, Matrix costs, int[] classes, CancellationToken cancellation)
    {
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        return Least(regularizer, regularizer.Rows, problem.A, problem.B, costs, classes, cancellation);
    }

    public static double OfColumns(LinearProblem problem, Matrix costs, int[] classes, CancellationToken cancellation)
    {
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        return Least(regularizer, regularizer.Columns, problem.B, problem.A, costs.Transpose(), classes, cancellation);
    }

    /// <summary>The least such λ that this construction proves; <c>+∞</c> where a class is not connected by its own pairs, where pairs are forbidden, or where outer pairs pull too unevenly.</summary>
    static double Least(
        SumOfNormsRegularizer regularizer,
        PairWeights weights,
        Measure measure,
        Measure other,
        Matrix costs,
        int[] classes,
        CancellationToken cancellation
    )
    {
        WeightedPair[] inner = [.. weights.Pairs.Where(p => Conducts(p) && classes[p.First] == classes[p.Second])];
        if (inner.Length == 0)
            return Connects(measure, classes, inner) ? 0 : double.PositiveInfinity;
        foreach (double cost in costs.Values)
        {
            if (!double.IsFinite(cost))
                return double.PositiveInfinity;
        }
        if (!Connects(measure, classes, inner))
            return double.PositiveInfinity;
        int n = measure.Count;
        var squares = new double[inner.Length];
        double[] rowMeans = RowMeans(costs, other);
        for (int j = 0; j < costs.Columns; j++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (other.Weights[j] == 0)
                continue;
            var right = new double[n];
            for (int i = 0; i < n; i++)
                right[i] = measure.Weights[i] * (costs[i, j] - rowMeans[i]);
            double[] x = Solve(measure, classes, inner, Conductance, right);
            for (int e = 0; e < inner.Length; e++)
                squares[e] += Math.Pow(x[inner[e].First] - x[inner[e].Second], 2);
        }
        double[] pulls = Pulls(weights, measure, classes, inner, Conductance);
        double least = 0;
        for (int e = 0; e < inner.Length; e++)
        {
            if (pulls[e] >= 1)
                return double.PositiveInfinity;
            least = Math.Max(least, Math.Sqrt(squares[e]) / (1 - pulls[e]));
        }
        return double.IsNaN(least) ? double.PositiveInfinity : least * (1 + (1e3 * Accuracy)); // NaN: a system was not solved

        bool Conducts(WeightedPair p) => Conductance(p) > 0 && measure.Weights[p.First] > 0 && measure.Weights[p.Second] > 0;

        double Conductance(WeightedPair p) =>
            regularizer.NormalizesByMass ? p.Weight * Math.Min(measure.Weights[p.First], measure.Weights[p.Second])
            : measure.Weights[p.First] == measure.Weights[p.Second] ? p.Weight * measure.Weights[p.First]
            : 0; // unequal rows that are compared as they stand are never equal
    }

    /// <summary>Centred by rows: a number for each row changes no plan.</summary>
    static double[] RowMeans(Matrix costs, Measure other)
    {
        var means = new double[costs.Rows];
        int count = 0;
        foreach (double weight in other.Weights)
            count += weight > 0 ? 1 : 0;
        for (int i = 0; i < means.Length; i++)
        {
            for (int j = 0; j < costs.Columns; j++)
                means[i] += other.Weights[j] > 0 ? costs[i, j] / count : 0;
        }
        return means;
    }

    static bool Connects(Measure measure, int[] classes, WeightedPair[] inner)
    {
        int[] parts = PairWeights.Components(measure.Count, inner);
        var partOf = new Dictionary<int, int>();
        for (int i = 0; i < parts.Length; i++)
        {
            if (measure.Weights[i] > 0 && !partOf.TryAdd(classes[i], parts[i]) && partOf[classes[i]] != parts[i])
                return false;
        }
        return true;
    }

    /// <summary>The potentials of currents that are first centred in every class.</summary>
    static double[] Solve(
        Measure measure,
        int[] classes,
        WeightedPair[] inner,
        Func<WeightedPair, double> conductance,
        double[] right
    )
    {
        int n = measure.Count,
            kinds = classes.Max() + 1;
        double[] sums = new double[kinds],
            masses = new double[kinds],
            diagonal = new double[n],
            x = new double[n];
        for (int i = 0; i < n; i++)
        {
            sums[classes[i]] += right[i];
            masses[classes[i]] += measure.Weights[i];
        }
        for (int i = 0; i < n; i++)
            right[i] -= masses[classes[i]] > 0 ? sums[classes[i]] * (measure.Weights[i] / masses[classes[i]]) : 0;
        foreach (WeightedPair pair in inner)
        {
            diagonal[pair.First] += conductance(pair);
            diagonal[pair.Second] += conductance(pair);
        }
        ConjugateGradient.Outcome outcome = ConjugateGradient.Solve(
            (v, result) =>
            {
                result.Clear();
                foreach (WeightedPair pair in inner)
                {
                    double current = conductance(pair) * (v[pair.First] - v[pair.Second]);
                    result[pair.First] += current;
                    result[pair.Second] -= current;
                }
                return true;
            },
            right,
            Array.ConvertAll(diagonal, d => d > 0 ? 1 / d : 0),
            false,
            Accuracy,
            10 * n,
            x
        );
        if (outcome.Residual > Accuracy)
            Array.Fill(x, double.PositiveInfinity); // what is not absorbed proves nothing: no λ is known then
        return x;
    }

    /// <summary>How much of λ the pairs that leave a class may take up on each inner pair.</summary>
    static double[] Pulls(
        PairWeights weights,
        Measure measure,
        int[] classes,
        WeightedPair[] inner,
        Func<WeightedPair, double> conductance
    )
    {
        var pulls = new double[inner.Length];
        var towards = new Dictionary<int, double[]>(); // another class: how hard each bin is drawn there
        foreach (WeightedPair pair in weights.Pairs)
        {
            if (classes[pair.First] == classes[pair.Second])
                continue;
            Of(classes[pair.Second])[pair.First] += conductance(pair);
            Of(classes[pair.First])[pair.Second] += conductance(pair);
        }
        foreach (double[] drawn in towards.Values)
        {
            double[] x = Solve(measure, classes, inner, conductance, drawn);
            for (int e = 0; e < inner.Length; e++)
                pulls[e] += Math.Abs(x[inner[e].First] - x[inner[e].Second]);
        }
        return pulls;

        double[] Of(int kind)
        {
            if (!towards.TryGetValue(kind, out double[]? drawn))
                towards[kind] = drawn = new double[measure.Count];
            return drawn;
        }
    }
}
