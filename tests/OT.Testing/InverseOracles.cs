namespace OT.Testing;

/// <summary>Inverse transport by double loops over stored terms: what the fast code is held against.</summary>
public static class InverseOracles
{
    /// <summary>The entropic plan of a cost and its value <c>⟨C, P⟩ + ε KL(P | a ⊗ b)</c>, by plain iterations in logarithms; weights positive, total 1.</summary>
    public static (double[,] Plan, double Value) Entropic(
        double[,] cost,
        double[] a,
        double[] b,
        double epsilon,
        double tolerance = 1e-14
    )
    {
        ArgumentNullException.ThrowIfNull(cost);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        const int most = 100_000;
        int n = a.Length,
            m = b.Length;
        double[] f = new double[n],
            g = new double[m];
        var plan = new double[n, m];
        for (int iteration = 0; iteration < most; iteration++)
        {
            for (int i = 0; i < n; i++)
                f[i] = -epsilon * LogSum(m, j => Math.Log(b[j]) + ((g[j] - cost[i, j]) / epsilon));
            for (int j = 0; j < m; j++)
                g[j] = -epsilon * LogSum(n, i => Math.Log(a[i]) + ((f[i] - cost[i, j]) / epsilon));
            double error = 0;
            for (int i = 0; i < n; i++)
            {
                double sum = 0;
                for (int j = 0; j < m; j++)
                    sum += plan[i, j] = a[i] * b[j] * Math.Exp((f[i] + g[j] - cost[i, j]) / epsilon);
                error += Math.Abs(sum - a[i]);
            }
            if (error <= tolerance)
                break;
        }
        double value = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
                value += plan[i, j] * (f[i] + g[j]);
        }
        return (plan, value);
    }

    /// <summary><c>Σ_k θ_k c_k</c>.</summary>
    public static double[,] Cost(double[][,] terms, double[] theta)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(theta);
        var cost = new double[terms[0].GetLength(0), terms[0].GetLength(1)];
        for (int k = 0; k < terms.Length; k++)
        {
            for (int i = 0; i < cost.GetLength(0); i++)
            {
                for (int j = 0; j < cost.GetLength(1); j++)
                    cost[i, j] += theta[k] * terms[k][i, j];
            }
        }
        return cost;
    }

    /// <summary><c>L(θ) = ⟨c_θ, P̂⟩ + ε KL(P̂ | a ⊗ b) − OT_ε</c> and its gradient; a and b are P̂'s marginals, positive.</summary>
    public static (double Loss, double[] Gradient) Loss(double[][,] terms, double[] theta, double[,] observed, double epsilon)
    {
        ArgumentNullException.ThrowIfNull(observed);
        (double[] a, double[] b) = Marginals(observed);
        double[,] cost = Cost(terms, theta);
        (double[,] plan, double value) = Entropic(cost, a, b, epsilon);
        double loss = -value;
        var gradient = new double[terms.Length];
        for (int i = 0; i < a.Length; i++)
        {
            for (int j = 0; j < b.Length; j++)
            {
                double mass = observed[i, j];
                loss += mass * cost[i, j];
                if (mass > 0)
                    loss += epsilon * mass * Math.Log(mass / (a[i] * b[j]));
                for (int k = 0; k < terms.Length; k++)
                    gradient[k] += terms[k][i, j] * (mass - plan[i, j]);
            }
        }
        return (loss, gradient);
    }

    /// <summary>
    /// <c>min L(θ) + λ|θ|₁</c> by one Sinkhorn update of f, one of g and one soft-thresholded gradient step each time (Carlier, Dupuy, Galichon, Sun 2023), with a fixed step.
    /// </summary>
    public static double[] Sista(double[][,] terms, double[,] observed, double epsilon, double lambda, int iterations)
    {
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(observed);
        (double[] a, double[] b) = Marginals(observed);
        int n = a.Length,
            m = b.Length;
        double largest = 0;
        foreach (double[,] term in terms)
            largest = Math.Max(largest, term.Cast<double>().Max(Math.Abs));
        double step = epsilon / (terms.Length * largest * largest); // |H| ≤ Σ_k max c_k² / ε
        double[] theta = new double[terms.Length],
            f = new double[n],
            g = new double[m];
        for (int t = 0; t < iterations; t++)
        {
            double[,] cost = Cost(terms, theta);
            for (int i = 0; i < n; i++)
                f[i] = -epsilon * LogSum(m, j => Math.Log(b[j]) + ((g[j] - cost[i, j]) / epsilon));
            for (int j = 0; j < m; j++)
                g[j] = -epsilon * LogSum(n, i => Math.Log(a[i]) + ((f[i] - cost[i, j]) / epsilon));
            for (int k = 0; k < terms.Length; k++)
            {
                double slope = 0;
                for (int i = 0; i < n; i++)
                {
                    for (int j = 0; j < m; j++)
                        slope +=
                            terms[k][i, j] * (observed[i, j] - (a[i] * b[j] * Math.Exp((f[i] + g[j] - cost[i, j]) / epsilon)));
                }
                double moved = theta[k] - (step * slope);
                theta[k] = Math.Sign(moved) * Math.Max(0, Math.Abs(moved) - (step * lambda));
            }
        }
        return theta;
    }

    /// <summary>Row and column sums.</summary>
    public static (double[] A, double[] B) Marginals(double[,] observed)
    {
        ArgumentNullException.ThrowIfNull(observed);
        double[] a = new double[observed.GetLength(0)],
            b = new double[observed.GetLength(1)];
        for (int i = 0; i < a.Length; i++)
        {
            for (int j = 0; j < b.Length; j++)
            {
                a[i] += observed[i, j];
                b[j] += observed[i, j];
            }
        }
        return (a, b);
    }

    static double LogSum(int count, Func<int, double> term)
    {
        double max = double.NegativeInfinity;
        for (int k = 0; k < count; k++)
            max = Math.Max(max, term(k));
        double sum = 0;
        for (int k = 0; k < count; k++)
            sum += Math.Exp(term(k) - max);
        return max + Math.Log(sum);
    }
}
