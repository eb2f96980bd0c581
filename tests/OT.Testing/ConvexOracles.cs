using OT.Geometries;

namespace OT.Testing;

/// <summary>Convex problems over plans, answered by scalar loops: what the fast code is held against.</summary>
public static class ConvexOracles
{
    /// <summary>Mirror Sinkhorn in double loops over positive weights of equal mass, uniform average, spreads seen so far for B unless it is given.</summary>
    /// <param name="a">Source weights.</param>
    /// <param name="b">Target weights.</param>
    /// <param name="gradient">The gradient at a plan.</param>
    /// <param name="iterations">T.</param>
    /// <param name="bound">B, or null.</param>
    public static (double[,] Last, double[,] Average) MirrorSinkhorn(
        double[] a,
        double[] b,
        Func<double[,], double[,]> gradient,
        int iterations,
        double? bound = null
    )
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(gradient);
        int n = a.Length,
            m = b.Length;
        double mass = Oracles.Sum(a),
            delta = a.Max(w => Math.Abs(Math.Log(w / mass))) + b.Max(w => Math.Abs(Math.Log(w / mass))),
            squares = 0,
            largest = 0;
        var log = new double[n, m];
        Fill(log, (i, j) => Math.Log(a[i]) + Math.Log(b[j]) - Math.Log(mass));
        double[,] plan = Exponentials(log),
            average = (double[,])plan.Clone();
        for (int t = 1; t <= iterations; t++)
        {
            double[,] g = gradient(plan);
            double spread = g.Cast<double>().Max() - g.Cast<double>().Min();
            largest = Math.Max(largest, bound ?? spread);
            squares += Math.Pow(bound ?? spread, 2);
            double eta = largest == 0 ? 0 : Math.Min(Math.Sqrt(delta / squares), 1 / largest);
            Fill(log, (i, j) => log[i, j] - (eta * g[i, j]));
            if (t % 2 == 1)
            {
                for (int j = 0; j < m; j++)
                {
                    double shift = Math.Log(b[j]) - LogSum(n, i => log[i, j]);
                    for (int i = 0; i < n; i++)
                        log[i, j] += shift;
                }
            }
            else
            {
                for (int i = 0; i < n; i++)
                {
                    double shift = Math.Log(a[i]) - LogSum(m, j => log[i, j]);
                    for (int j = 0; j < m; j++)
                        log[i, j] += shift;
                }
            }
            plan = Exponentials(log);
            Fill(average, (i, j) => ((t * average[i, j]) + plan[i, j]) / (t + 1));
        }
        return (plan, average);
    }

    /// <summary>
    /// <c>min ⟨C, P⟩ + (γ/2) Σ P²</c> over plans, by exact ascent of the dual in one potential at a time: <c>P = max(0, (f + g − C)/γ)</c>, rows then columns, until both marginals are met to
    /// <paramref name="tolerance"/> in L1.
    /// </summary>
    public static double[,] QuadraticPlan(Geometry costs, double[] a, double[] b, double gamma, double tolerance = 1e-10)
    {
        ArgumentNullException.ThrowIfNull(costs);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        const int most = 200_000;
        int n = a.Length,
            m = b.Length;
        double[] f = new double[n],
            g = new double[m];
        for (int sweep = 0; sweep < most; sweep++)
        {
            for (int i = 0; i < n; i++)
                f[i] = Level([.. Enumerable.Range(0, m).Select(j => costs.Cost(i, j) - g[j])], gamma * a[i]);
            for (int j = 0; j < m; j++)
                g[j] = Level([.. Enumerable.Range(0, n).Select(i => costs.Cost(i, j) - f[i])], gamma * b[j]);
            var plan = new double[n, m];
            Fill(plan, (i, j) => Math.Max(0, (f[i] + g[j] - costs.Cost(i, j)) / gamma));
            double error = 0;
            for (int i = 0; i < n; i++)
                error += Math.Abs(a[i] - Enumerable.Range(0, m).Sum(j => plan[i, j]));
            if (error <= tolerance)
                return plan;
        }
        throw new LawViolatedException($"The quadratic oracle did not converge in {most} sweeps.");
    }

    /// <summary>The x with <c>Σ max(0, x − v_k) = amount</c>.</summary>
    static double Level(double[] values, double amount)
    {
        Array.Sort(values);
        double sum = 0;
        for (int k = 0; k < values.Length; k++)
        {
            sum += values[k];
            double level = (amount + sum) / (k + 1);
            if (k == values.Length - 1 || level <= values[k + 1])
                return level;
        }
        return double.NaN;
    }

    static double LogSum(int count, Func<int, double> term)
    {
        double max = Enumerable.Range(0, count).Max(term);
        return max + Math.Log(Enumerable.Range(0, count).Sum(k => Math.Exp(term(k) - max)));
    }

    static double[,] Exponentials(double[,] log)
    {
        var plan = new double[log.GetLength(0), log.GetLength(1)];
        Fill(plan, (i, j) => Math.Exp(log[i, j]));
        return plan;
    }

    static void Fill(double[,] table, Func<int, int, double> value)
    {
        for (int i = 0; i < table.GetLength(0); i++)
        {
            for (int j = 0; j < table.GetLength(1); j++)
                table[i, j] = value(i, j);
        }
    }
}
