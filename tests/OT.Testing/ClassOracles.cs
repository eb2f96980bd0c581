using OT.Problems;
using OT.Results;

namespace OT.Testing;

/// <summary>Sums of norms and class terms by their definitions, in plain loops.</summary>
public static class ClassOracles
{
    /// <summary><c>λ (Σ R_ii' min(a_i, a_i') |P_i/a_i − P_i'/a_i'| + Σ S_jj' …)</c> of a plan; without the weights where the regulariser compares plans as they stand.</summary>
    public static double Penalty(LinearProblem problem, TransportPlan plan)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(plan);
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        double[,] p = plan.ToDense().ToArray();
        int n = p.GetLength(0),
            m = p.GetLength(1);
        double sum = 0;
        foreach (WeightedPair pair in regularizer.Rows.Pairs)
        {
            sum +=
                pair.Weight
                * Norm(
                    m,
                    problem.A.Weights[pair.First],
                    problem.A.Weights[pair.Second],
                    regularizer.NormalizesByMass,
                    j => p[pair.First, j],
                    j => p[pair.Second, j]
                );
        }
        foreach (WeightedPair pair in regularizer.Columns.Pairs)
        {
            sum +=
                pair.Weight
                * Norm(
                    n,
                    problem.B.Weights[pair.First],
                    problem.B.Weights[pair.Second],
                    regularizer.NormalizesByMass,
                    i => p[i, pair.First],
                    i => p[i, pair.Second]
                );
        }
        return regularizer.Lambda * sum;
    }

    /// <summary><c>⟨C, P⟩</c> and <see cref="Penalty"/> together.</summary>
    public static double Objective(LinearProblem problem, TransportPlan plan)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(plan);
        double[,] p = plan.ToDense().ToArray();
        double cost = 0;
        for (int i = 0; i < p.GetLength(0); i++)
        {
            for (int j = 0; j < p.GetLength(1); j++)
                cost += p[i, j] == 0 ? 0 : p[i, j] * problem.Geometry.Cost(i, j);
        }
        return cost + Penalty(problem, plan);
    }

    /// <summary><c>Σ_j Σ_c |(P_ij) for i in c|₂</c> over labels from 0.</summary>
    public static double GroupNorms(TransportPlan plan, int[] labels)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(labels);
        double[,] p = plan.ToDense().ToArray();
        double sum = 0;
        for (int j = 0; j < p.GetLength(1); j++)
        {
            foreach (int label in labels.Where(label => label >= 0).Distinct())
            {
                double squares = 0;
                for (int i = 0; i < labels.Length; i++)
                    squares += labels[i] == label ? p[i, j] * p[i, j] : 0;
                sum += Math.Sqrt(squares);
            }
        }
        return sum;
    }

    static double Norm(int length, double first, double second, bool normalizes, Func<int, double> x, Func<int, double> y)
    {
        if (normalizes && (first == 0 || second == 0))
            return 0;
        double squares = 0;
        for (int k = 0; k < length; k++)
        {
            double difference = normalizes ? Math.Min(first, second) * ((x(k) / first) - (y(k) / second)) : x(k) - y(k);
            squares += difference * difference;
        }
        return Math.Sqrt(squares);
    }
}
