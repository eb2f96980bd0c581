using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Testing;

/// <summary>Answers found in the most obvious way: scalar loops, small sizes, no care for speed. What the fast code is held against.</summary>
public static class Oracles
{
    /// <summary>Left-to-right compensated sum.</summary>
    public static double Sum(IEnumerable<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        double sum = 0,
            correction = 0;
        foreach (double value in values)
        {
            double y = value - correction;
            double total = sum + y;
            correction = total - sum - y;
            sum = total;
        }
        return sum;
    }

    /// <summary><c>f_i = −ε log Σ_j b_j exp((g_j − C_ij)/ε)</c>; with ε = 0 the minimum of <c>C_ij − g_j</c> over positive b_j.</summary>
    public static double[] SoftMinRows(Geometry geometry, ReadOnlySpan<double> g, ReadOnlySpan<double> b, double epsilon)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        var f = new double[geometry.Rows];
        for (int i = 0; i < geometry.Rows; i++)
        {
            double lowest = double.PositiveInfinity;
            for (int j = 0; j < geometry.Columns; j++)
            {
                if (b[j] > 0)
                    lowest = Math.Min(lowest, geometry.Cost(i, j) - g[j]);
            }
            f[i] = lowest;
            if (epsilon == 0 || double.IsInfinity(lowest))
                continue;
            double sum = 0;
            for (int j = 0; j < geometry.Columns; j++)
            {
                if (b[j] > 0)
                    sum += b[j] * Math.Exp((lowest - (geometry.Cost(i, j) - g[j])) / epsilon);
            }
            f[i] = lowest - (epsilon * Math.Log(sum));
        }
        return f;
    }

    /// <summary><c>g_j = −ε log Σ_i a_i exp((f_i − C_ij)/ε)</c>; with ε = 0 the minimum of <c>C_ij − f_i</c> over positive a_i.</summary>
    public static double[] SoftMinColumns(Geometry geometry, ReadOnlySpan<double> f, ReadOnlySpan<double> a, double epsilon) =>
        SoftMinRows(Transposed(geometry), f, a, epsilon);

    /// <summary>The transpose of a geometry as a table.</summary>
    public static CostMatrix Transposed(Geometry geometry)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        var costs = new double[geometry.Columns, geometry.Rows];
        for (int i = 0; i < geometry.Rows; i++)
        {
            for (int j = 0; j < geometry.Columns; j++)
                costs[j, i] = geometry.Cost(i, j);
        }
        return new CostMatrix(costs);
    }

    /// <summary>Row and column sums, entry by entry.</summary>
    public static (double[] Rows, double[] Columns) Marginals(TransportPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var rows = new double[plan.Rows];
        var columns = new double[plan.Columns];
        var row = new double[plan.Columns];
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            for (int j = 0; j < row.Length; j++)
            {
                rows[i] += row[j];
                columns[j] += row[j];
            }
        }
        return (rows, columns);
    }

    /// <summary><c>⟨C, P⟩</c>, entry by entry; <c>+∞</c> when a forbidden pair carries mass.</summary>
    public static double TransportCost(Geometry geometry, TransportPlan plan)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(plan);
        var row = new double[plan.Columns];
        double sum = 0;
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            for (int j = 0; j < row.Length; j++)
            {
                if (row[j] != 0)
                    sum += row[j] * geometry.Cost(i, j);
            }
        }
        return sum;
    }

    /// <summary><c>KL(P | a ⊗ b) = Σ P log(P/(a b)) − P + a b</c>, entry by entry.</summary>
    public static double RelativeEntropy(TransportPlan plan, ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var row = new double[plan.Columns];
        double sum = 0;
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            for (int j = 0; j < row.Length; j++)
                sum += RelativeEntropy(row[j], a[i] * b[j]);
        }
        return sum;
    }

    /// <summary><c>KL(x | y) = Σ x log(x/y) − x + y</c>.</summary>
    public static double RelativeEntropy(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
            sum += RelativeEntropy(x[i], y[i]);
        return sum;
    }

    static double RelativeEntropy(double x, double y) => x == 0 ? y : (x * Math.Log(x / y)) - x + y;

    /// <summary>The staircase plan of two weight vectors of equal mass: fills each row from the first column that still wants mass.</summary>
    public static IEnumerable<(int Row, int Column, double Mass)> Staircase(double[] a, double[] b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        int i = 0,
            j = 0;
        double supply = a[0],
            demand = b[0];
        while (true)
        {
            double mass = Math.Min(supply, demand);
            yield return (i, j, mass);
            supply -= mass;
            demand -= mass;
            if (i == a.Length - 1 && j == b.Length - 1)
                yield break;
            if (j == b.Length - 1 || (supply <= demand && i < a.Length - 1))
                supply = a[++i];
            else
                demand = b[++j];
        }
    }

    /// <summary>The cheapest permutation of an n × n cost by trying all of them; n ≤ 8.</summary>
    public static (double Cost, int[] Permutation) Assignment(Geometry geometry)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentOutOfRangeException.ThrowIfNotEqual(geometry.Columns, geometry.Rows, nameof(geometry));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(geometry.Rows, 8, nameof(geometry));
        int[] current = [.. Enumerable.Range(0, geometry.Rows)];
        int[] best = [.. current];
        double lowest = double.PositiveInfinity;
        Try(0, 0);
        return (lowest, best);

        void Try(int row, double cost)
        {
            if (row == current.Length)
            {
                if (cost < lowest)
                    (lowest, best) = (cost, [.. current]);
                return;
            }
            for (int k = row; k < current.Length; k++)
            {
                (current[row], current[k]) = (current[k], current[row]);
                Try(row + 1, cost + geometry.Cost(row, current[row]));
                (current[row], current[k]) = (current[k], current[row]);
            }
        }
    }

    /// <summary>Log-domain Sinkhorn in double loops, balanced or with penalties, to an L1 error of <paramref name="tolerance"/>.</summary>
    /// <param name="problem">A problem with entropy.</param>
    /// <param name="tolerance">L1 error at which it stops.</param>
    /// <param name="maxIterations">Full iterations at most.</param>
    public static TransportResult Sinkhorn(LinearProblem problem, double tolerance = 1e-12, int maxIterations = 200_000)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (problem.Regularizer is not EntropyRegularizer entropy)
            throw new NotSupportedException("Sinkhorn needs a problem with Regularizer.Entropy.");
        CostMatrix costs = CostMatrix.From(problem.Geometry);
        CostMatrix transposed = Transposed(costs);
        double epsilon = entropy.Epsilon.Resolve(problem.Geometry);
        double[] a = problem.A.Weights.ToArray();
        double scale = problem.IsBalanced ? problem.A.Mass / problem.B.Mass : 1;
        double[] b = Array.ConvertAll(problem.B.Weights.ToArray(), w => w * scale);
        var f = new double[a.Length];
        double[] g = Update(SoftMinRows(transposed, f, a, epsilon), problem.PenaltyB, epsilon);
        double error = double.PositiveInfinity;
        int iteration = 0;
        while (iteration < maxIterations && error > tolerance)
        {
            iteration++;
            double[] softMin = SoftMinRows(costs, g, b, epsilon);
            double[] next = Update(softMin, problem.PenaltyA, epsilon);
            // With columns exact for f, the rows of (f, g) hold a exp((f − softmin)/ε).
            double[] rows = new double[a.Length];
            for (int i = 0; i < a.Length; i++)
                rows[i] = a[i] == 0 ? 0 : a[i] * Math.Exp((f[i] - softMin[i]) / epsilon);
            error = Error(problem.PenaltyA, rows, a, f);
            if (error <= tolerance && iteration > 1)
                break;
            f = next;
            g = Update(SoftMinRows(transposed, f, a, epsilon), problem.PenaltyB, epsilon);
        }
        SolverStatus status = error <= tolerance ? SolverStatus.Converged : SolverStatus.IterationLimit;
        return Report(problem, new Potentials(Finite(f), Finite(g)), a, b, epsilon, status, iteration);
    }

    static TransportResult Report(
        LinearProblem problem,
        Potentials raw,
        double[] a,
        double[] b,
        double epsilon,
        SolverStatus status,
        int iterations
    )
    {
        Potentials potentials = problem.IsBalanced ? raw.Centred(problem.A, problem.B) : raw;
        var masses = new double[a.Length, b.Length];
        for (int i = 0; i < a.Length; i++)
        {
            for (int j = 0; j < b.Length; j++)
            {
                double product = a[i] * b[j];
                if (product > 0)
                    masses[i, j] = product * Math.Exp((raw.F[i] + raw.G[j] - problem.Geometry.Cost(i, j)) / epsilon);
            }
        }
        var plan = new DensePlan(Matrix.From(masses));
        (double[] rows, double[] columns) = Marginals(plan);
        return new TransportResult
        {
            Status = status,
            Iterations = iterations,
            Problem = problem,
            Plan = plan,
            Potentials = potentials,
            Epsilon = epsilon,
            TransportCost = TransportCost(problem.Geometry, plan),
            RegularizerValue = epsilon * RelativeEntropy(plan, a, b),
            PenaltyValueA = Penalty(problem.PenaltyA, rows, a),
            PenaltyValueB = Penalty(problem.PenaltyB, columns, b),
            MarginalError = Error(problem.PenaltyA, rows, a, raw.F) + Error(problem.PenaltyB, columns, b, raw.G),
        };
    }

    /// <summary><c>ρ KL(sums | weights)</c> or <c>ρ |sums − weights|₁</c>, entry by entry; 0 for a hard marginal.</summary>
    public static double Penalty(MarginalPenalty penalty, ReadOnlySpan<double> sums, ReadOnlySpan<double> weights)
    {
        if (penalty.IsExact)
            return 0;
        if (!penalty.IsTotalVariation)
            return penalty.Rho * RelativeEntropy(sums, weights);
        double distance = 0;
        for (int i = 0; i < sums.Length; i++)
            distance += Math.Abs(sums[i] - weights[i]);
        return penalty.Rho * distance;
    }

    /// <summary>L1 norm of the least (super)gradient of the dual in one potential; with total variation mass may be anything from 0 to the weight at ρ, and more than it at −ρ.</summary>
    static double Error(MarginalPenalty penalty, double[] sums, double[] weights, ReadOnlySpan<double> potential)
    {
        double error = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            double low = weights[i],
                high = weights[i];
            if (penalty.IsTotalVariation && potential[i] >= penalty.Rho)
                low = 0;
            else if (penalty.IsTotalVariation && potential[i] <= -penalty.Rho)
                high = double.PositiveInfinity;
            else if (!penalty.IsTotalVariation && !penalty.IsExact && weights[i] > 0)
                low = high = weights[i] * Math.Exp(-potential[i] / penalty.Rho);
            error += Math.Max(Math.Max(low - sums[i], sums[i] - high), 0);
        }
        return error;
    }

    static double[] Update(double[] softMin, MarginalPenalty penalty, double epsilon) =>
        Array.ConvertAll(
            softMin,
            v =>
                penalty.IsExact ? v
                : penalty.IsTotalVariation ? Math.Max(-penalty.Rho, Math.Min(penalty.Rho, v))
                : v * penalty.Rho / (penalty.Rho + epsilon)
        );

    /// <summary>
    /// The least <c>⟨C, P⟩ + ρ_a |P1 − a|₁ + ρ_b |Pᵀ1 − b|₁</c> for costs that are not negative, as a balanced problem with one bin more on each side: a row leaves mass for ρ_a or
    /// sends it where too much arrives for ρ_b, a column gets what it misses for ρ_b or from a row that sends too much for ρ_a. Bins of weight 0 take no part.
    /// </summary>
    public static double ExactTotalVariation(Geometry geometry, double[] a, double[] b, double rhoA, double rhoB)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        (int n, int m) = (a.Length, b.Length);
        var costs = new double[n + 1, m + 1];
        for (int i = 0; i < n; i++)
            costs[i, m] = rhoA;
        for (int j = 0; j < m; j++)
            costs[n, j] = rhoB;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
            {
                costs[i, j] = geometry.Cost(i, j);
                if (b[j] > 0)
                    costs[i, m] = Math.Min(costs[i, m], costs[i, j] + rhoB);
                if (a[i] > 0)
                    costs[n, j] = Math.Min(costs[n, j], costs[i, j] + rhoA);
            }
        }
        var problem = new LinearProblem(new CostMatrix(costs), Measure.Of([.. a, Sum(b)]), Measure.Of([.. b, Sum(a)]));
        return Exact(problem).TransportCost;
    }

    static double[] Finite(double[] potential) => Array.ConvertAll(potential, v => double.IsFinite(v) ? v : 0);

    /// <summary>The exact optimum of a balanced problem by successive shortest paths (Bellman and Ford), with optimal potentials; for n + m up to a hundred or so.</summary>
    public static TransportResult Exact(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (!problem.IsBalanced)
            throw new NotSupportedException("The exact oracle takes balanced problems only.");
        double[] a = problem.A.Weights.ToArray();
        double scale = problem.A.Mass / problem.B.Mass;
        double[] b = Array.ConvertAll(problem.B.Weights.ToArray(), w => w * scale);
        var flow = new ShortestPathFlow(problem.Geometry, a, b);
        bool feasible = flow.Solve();
        var plan = new DensePlan(Matrix.From(flow.Masses));
        (double[] rows, double[] columns) = Marginals(plan);
        (double[] f, double[] g) = flow.Potentials();
        return new TransportResult
        {
            Status = feasible ? SolverStatus.Converged : SolverStatus.Infeasible,
            Iterations = flow.Augmentations,
            Problem = problem,
            Plan = plan,
            Potentials = new Potentials(f, g).Centred(problem.A, problem.B),
            TransportCost = TransportCost(problem.Geometry, plan),
            MarginalError = Error(MarginalPenalty.Exact, rows, a, f) + Error(MarginalPenalty.Exact, columns, b, g),
        };
    }
}
