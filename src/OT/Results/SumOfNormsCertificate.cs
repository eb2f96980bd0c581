using System.Collections.Immutable;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;

namespace OT.Results;

/// <summary>What can be said about a problem with <see cref="SumOfNormsRegularizer"/> from a plan and dual vectors, without trusting whoever made them.</summary>
/// <remarks>Plain loops over pairs and entries that share no code with the solvers; upper bounds are rounded up, lower bounds down. docs/theory/sum-of-norms.md</remarks>
public sealed class SumOfNormsCertificate
{
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    /// <summary>L1 error of both marginals of the plan as given.</summary>
    public required double MarginalError { get; init; }

    /// <summary>The plan moved to the marginals.</summary>
    public required TransportPlan FeasiblePlan { get; init; }

    /// <summary><c>⟨C, P̂⟩</c> of the feasible plan, rounded up; <c>+∞</c> when it uses forbidden pairs.</summary>
    public required double TransportCost { get; init; }

    /// <summary>The regulariser at the feasible plan, rounded up.</summary>
    public required double Penalty { get; init; }

    /// <summary>An upper bound of the optimum: the sum of both.</summary>
    public double PrimalValue => (TransportCost + Penalty).RoundedUp();

    /// <summary>A lower bound of the optimum, rounded down; null where no potentials were given.</summary>
    public required double? LowerBound { get; init; }

    /// <summary><see cref="PrimalValue"/> less <see cref="LowerBound"/>.</summary>
    public double? Gap => PrimalValue - LowerBound;

    /// <summary>Recomputes everything.</summary>
    /// <param name="problem">Balanced, with a <see cref="SumOfNormsRegularizer"/>.</param>
    /// <param name="plan">Any nonnegative plan of the problem's shape.</param>
    /// <param name="duals">Any finite vectors; one that is too long is shortened. Null for zeros.</param>
    /// <param name="potentials">Any finite potentials, best those of exact transport at the costs <c>C + K_Rᵀ Z + K_Sᵀ W</c>; null for no lower bound.</param>
    /// <param name="cancellation">Watched once per row.</param>
    /// <remarks>O(|R| m + |S| n + nm) time, one n × m table.</remarks>
    /// <exception cref="ArgumentException">Shapes differ, or the plan holds a negative or non-finite mass.</exception>
    /// <exception cref="NotSupportedException">The problem has penalties on its marginals, or another regulariser.</exception>
    public static SumOfNormsCertificate Verify(
        LinearProblem problem,
        TransportPlan plan,
        PairDuals? duals = null,
        Potentials? potentials = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(plan);
        if (problem.Regularizer is not SumOfNormsRegularizer regularizer || !problem.IsBalanced)
        {
            throw new NotSupportedException(
                "This certificate is for exact marginals and Regularizer.SumOfNorms: use Certificate.Verify."
            );
        }
        var exact = new LinearProblem(problem.Geometry, problem.A, problem.B);
        var upper = Certificate.Verify(exact, plan, cancellation: cancellation);
        return new SumOfNormsCertificate
        {
            MarginalError = upper.MarginalError,
            FeasiblePlan = upper.FeasiblePlan,
            TransportCost = upper.TransportCost,
            Penalty = PenaltyBound(problem, regularizer, upper.FeasiblePlan),
            LowerBound = potentials is null
                ? null
                : LowerBoundAt(problem, regularizer, upper.FeasiblePlan, duals, potentials, cancellation),
        };
    }

    /// <summary>The sum of norms by its definition, and its rounding errors added: a norm of k terms is known to (k + 8) units.</summary>
    static double PenaltyBound(LinearProblem problem, SumOfNormsRegularizer regularizer, TransportPlan plan)
    {
        Matrix dense = plan.ToDense();
        var sum = new Compensated();
        foreach ((int i, int k, double weight) in regularizer.Rows.Pairs)
        {
            (double first, double second) = regularizer.Factors(problem.A.Weights[i], problem.A.Weights[k]);
            sum.Add(weight * Distance(dense.Row(i), dense.Row(k), first, second));
        }
        Matrix transposed = regularizer.Columns.Pairs.Length > 0 ? dense.Transpose() : dense;
        foreach ((int j, int k, double weight) in regularizer.Columns.Pairs)
        {
            (double first, double second) = regularizer.Factors(problem.B.Weights[j], problem.B.Weights[k]);
            sum.Add(weight * Distance(transposed.Row(j), transposed.Row(k), first, second));
        }
        double value = regularizer.Lambda * sum.Value;
        // What cancels in a difference is known to a unit of what was subtracted: 4 units of λ Σ weights at most, as no row is longer than its mass.
        double cancelled =
            4 * Unit * regularizer.Lambda * (MassOf(regularizer.Rows, problem.A) + MassOf(regularizer.Columns, problem.B));
        return (value * (1 + ((problem.A.Count + problem.B.Count + 16) * Unit)))
            + cancelled
            + MissedBound(problem, regularizer, dense);
    }

    /// <summary>
    /// What the penalty may grow by when the mass that the plan still misses is put in its place: a mass that is taken or put changes every norm of its row by itself at most, and it goes round
    /// forbidden pairs by n + m − 1 others at most.
    /// </summary>
    static double MissedBound(LinearProblem problem, SumOfNormsRegularizer regularizer, Matrix plan)
    {
        double ratio = problem.A.Mass / problem.B.Mass,
            missed = 4 * Unit * problem.A.Mass; // the sums' own rounding
        Compensated[] rows = new Compensated[plan.Rows],
            columns = new Compensated[plan.Columns];
        for (int i = 0; i < plan.Rows; i++)
        {
            for (int j = 0; j < plan.Columns; j++)
            {
                rows[i].Add(plan[i, j]);
                columns[j].Add(plan[i, j]);
            }
        }
        for (int i = 0; i < rows.Length; i++)
            missed += Math.Abs(rows[i].Value - problem.A.Weights[i]);
        for (int j = 0; j < columns.Length; j++)
            missed += Math.Abs(columns[j].Value - (ratio * problem.B.Weights[j]));
        double moves = problem.Geometry.HasForbiddenPairs ? plan.Rows + plan.Columns : 2;
        return regularizer.Lambda * (MostOf(regularizer.Rows) + MostOf(regularizer.Columns)) * moves * missed;
    }

    /// <summary>The largest sum of weights at one bin.</summary>
    static double MostOf(PairWeights pairs)
    {
        var sums = new double[pairs.Count];
        foreach ((int i, int k, double weight) in pairs.Pairs)
        {
            sums[i] += weight;
            sums[k] += weight;
        }
        return sums.Max();
    }

    static double MassOf(PairWeights pairs, Measure measure)
    {
        double sum = 0;
        foreach ((int i, int k, double weight) in pairs.Pairs)
            sum += weight * (measure.Weights[i] + measure.Weights[k]);
        return sum;
    }

    static double Distance(ReadOnlySpan<double> x, ReadOnlySpan<double> y, double first, double second)
    {
        double largest = 0,
            squares = 0;
        for (int j = 0; j < x.Length; j++)
            largest = Math.Max(largest, Math.Abs((first * x[j]) - (second * y[j])));
        if (largest == 0)
            return 0;
        for (int j = 0; j < x.Length; j++)
        {
            double difference = ((first * x[j]) - (second * y[j])) / largest;
            squares += difference * difference;
        }
        return largest * Math.Sqrt(squares);
    }

    /// <summary>The c-transform's bound for costs that the duals have changed, less what the rounding of these costs may be worth.</summary>
    static double LowerBoundAt(
        LinearProblem problem,
        SumOfNormsRegularizer regularizer,
        TransportPlan feasible,
        PairDuals? duals,
        Potentials potentials,
        CancellationToken cancellation
    )
    {
        int n = problem.A.Count,
            m = problem.B.Count;
        var costs = new double[Guard.ArrayLength(n, m, "changed costs")];
        double largest = 0;
        for (int i = 0; i < n; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            Span<double> row = costs.AsSpan(i * m, m);
            problem.Geometry.CostRow(i, row);
            foreach (double cost in row)
                largest = double.IsFinite(cost) ? Math.Max(largest, Math.Abs(cost)) : largest;
        }
        int terms = 0;
        if (duals is not null)
        {
            (double[] rowSizes, int rowTerms) = Add(regularizer.Rows, duals.Rows, problem.A, m, 1, m);
            (double[] columnSizes, int columnTerms) = Add(regularizer.Columns, duals.Columns, problem.B, n, m, 1);
            largest += rowSizes.Max() + columnSizes.Max();
            terms = rowTerms + columnTerms;
        }
        var changed = new LinearProblem(new CostMatrix(n, m, costs), problem.A, problem.B);
        double bound = Certificate.Verify(changed, feasible, potentials, cancellation: cancellation).LowerBound!.Value;
        double rounding = (terms + 8) * 2 * Unit * largest * problem.A.Mass;
        double lower = (bound - rounding).RoundedDown();
        return double.IsNaN(lower) ? double.NegativeInfinity : lower;

        (double[] Sizes, int Terms) Add(PairWeights pairs, Matrix vectors, Measure measure, int length, int step, int stride)
        {
            Guard.Length(vectors.Rows, pairs.Pairs.Length, "duals");
            if (vectors.Rows > 0)
                Guard.Length(vectors.Columns, length, "a dual vector");
            Guard.Finite(vectors.Values, nameof(duals));
            var sizes = new double[measure.Count];
            var counts = new int[measure.Count];
            for (int e = 0; e < vectors.Rows; e++)
            {
                (int i, int k, double weight) = pairs.Pairs[e];
                (double first, double second) = regularizer.Factors(measure.Weights[i], measure.Weights[k]);
                ReadOnlySpan<double> z = vectors.Row(e);
                double norm = Distance(z, z, 1, 0) * (1 + ((length + 8) * Unit)),
                    radius = regularizer.Lambda * weight,
                    shrink = norm > radius ? radius / norm * (1 - (4 * Unit)) : 1,
                    size = 0;
                for (int j = 0; j < z.Length; j++)
                {
                    double value = shrink * z[j];
                    size = Math.Max(size, Math.Abs(value));
                    costs[(i * stride) + (j * step)] += first * value;
                    costs[(k * stride) + (j * step)] -= second * value;
                }
                sizes[i] += size;
                sizes[k] += size;
                counts[i]++;
                counts[k]++;
            }
            return (sizes, counts.Max());
        }
    }
}

/// <summary>The neighbouring doubles, for bounds.</summary>
file static class Outwards
{
    public static double RoundedUp(this double value) => Math.BitIncrement(value);

    public static double RoundedDown(this double value) => Math.BitDecrement(value);
}
