using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>Which rows of a plan are equal: connected components of the pairs whose rows, per unit of mass, agree.</summary>
internal static class FusedClasses
{
    public static int[] OfRows(LinearProblem problem, DensePlan plan, double tolerance)
    {
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        return Find(regularizer, regularizer.Rows, problem.A, plan.ToDense(), tolerance);
    }

    public static int[] OfColumns(LinearProblem problem, DensePlan plan, double tolerance)
    {
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        return Find(regularizer, regularizer.Columns, problem.B, plan.ToDense().Transpose(), tolerance);
    }

    static int[] Find(SumOfNormsRegularizer regularizer, PairWeights weights, Measure measure, Matrix rows, double tolerance)
    {
        double longest = 0;
        for (int i = 0; i < rows.Rows; i++)
            longest = Math.Max(longest, System.Numerics.Tensors.TensorPrimitives.Norm(rows.Row(i)));
        return PairWeights.Components(
            measure.Count,
            weights.Pairs.Where(pair =>
            {
                (double first, double second) = regularizer.Factors(measure.Weights[pair.First], measure.Weights[pair.Second]);
                if (first == 0 && second == 0)
                    return false;
                ReadOnlySpan<double> x = rows.Row(pair.First),
                    y = rows.Row(pair.Second);
                double sum = 0;
                for (int j = 0; j < x.Length; j++)
                {
                    double difference = (first * x[j]) - (second * y[j]);
                    sum += difference * difference;
                }
                return Math.Sqrt(sum) <= tolerance * longest;
            })
        );
    }
}
