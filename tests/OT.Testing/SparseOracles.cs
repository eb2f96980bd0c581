using OT.Problems;

namespace OT.Testing;

/// <summary>Sparse transport by scalar loops: what the fast solvers are held against.</summary>
public static class SparseOracles
{
    /// <summary>
    /// The quadratic problem by block coordinate ascent: each potential in turn at the threshold where its row or column has its mass. Linear convergence; small problems of positive weights and allowed pairs.
    /// </summary>
    /// <param name="problem">The problem; its regulariser is not looked at.</param>
    /// <param name="gamma">γ.</param>
    /// <param name="sweeps">Sweeps at most.</param>
    /// <returns>The plan, and what its marginals miss.</returns>
    public static (double[,] Plan, double Error) Quadratic(LinearProblem problem, double gamma, int sweeps = 200_000)
    {
        ArgumentNullException.ThrowIfNull(problem);
        double[] a = problem.A.Weights.ToArray(),
            b = problem.B.Weights.ToArray();
        int n = a.Length,
            m = b.Length;
        var costs = new double[n, m];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
                costs[i, j] = problem.Geometry.Cost(i, j);
        }
        double[] f = new double[n],
            g = new double[m];
        double error = double.PositiveInfinity;
        for (int sweep = 0; sweep < sweeps && error > 1e-15; sweep++)
        {
            for (int i = 0; i < n; i++)
                f[i] = Threshold([.. Enumerable.Range(0, m).Select(j => g[j] - costs[i, j])], gamma * a[i]);
            for (int j = 0; j < m; j++)
                g[j] = Threshold([.. Enumerable.Range(0, n).Select(i => f[i] - costs[i, j])], gamma * b[j]);
            error = 0;
            for (int i = 0; i < n; i++)
                error += Math.Abs(Enumerable.Range(0, m).Sum(j => Math.Max(0, f[i] + g[j] - costs[i, j])) / gamma - a[i]);
        }
        var plan = new double[n, m];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
                plan[i, j] = Math.Max(0, f[i] + g[j] - costs[i, j]) / gamma;
        }
        return (plan, error);
    }

    /// <summary>t with <c>Σ max(0, t + v) = mass</c>, by sorting.</summary>
    public static double Threshold(double[] values, double mass)
    {
        ArgumentNullException.ThrowIfNull(values);
        double[] sorted = [.. values.OrderDescending()];
        double sum = 0,
            best = double.NaN;
        for (int r = 0; r < sorted.Length; r++)
        {
            sum += sorted[r];
            double t = (mass - sum) / (r + 1);
            if (t + sorted[r] > 0)
                best = t;
        }
        return best;
    }

    /// <summary><c>max over y ≥ 0, Σ y = mass, at most k entries, of ⟨v, y⟩ − γ/2 ‖y‖²</c>, over every set of k entries.</summary>
    public static double LargestResponse(double[] values, double mass, double gamma, int most)
    {
        ArgumentNullException.ThrowIfNull(values);
        double best = double.NegativeInfinity;
        for (int set = 1; set < 1 << values.Length; set++)
        {
            int[] kept = [.. Enumerable.Range(0, values.Length).Where(j => (set >> j & 1) == 1)];
            if (kept.Length > most)
                continue;
            double[] v = Array.ConvertAll(kept, j => values[j]);
            double t = Threshold(v, gamma * mass);
            double[] y = Array.ConvertAll(v, x => Math.Max(0, t + x) / gamma);
            best = Math.Max(best, v.Zip(y, (x, p) => (x * p) - (0.5 * gamma * p * p)).Sum());
        }
        return best;
    }
}
