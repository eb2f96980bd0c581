using OT.Geometries;
using OT.Numerics;
using OT.Problems;

namespace OT.Testing;

/// <summary>Ways to turn one problem into another whose answer follows from the first.</summary>
public static class ProblemChanges
{
    /// <summary>The problem with its ε made absolute, so that a changed cost does not change it.</summary>
    public static LinearProblem WithAbsoluteEpsilon(this LinearProblem problem, double factor = 1)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is EntropyRegularizer entropy
            ? problem with
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(factor * entropy.Epsilon.Resolve(problem.Geometry))),
            }
            : problem;
    }

    /// <summary>The problem over other bins: row i of the new one is row <c>rows[i]</c> of the old, columns likewise, with the given weights.</summary>
    public static LinearProblem Rearrange(this LinearProblem problem, int[] rows, int[] columns, double[] a, double[] b)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(columns);
        var costs = new double[rows.Length, columns.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            for (int j = 0; j < columns.Length; j++)
                costs[i, j] = problem.Geometry.Cost(rows[i], columns[j]);
        }
        return Like(problem, new CostMatrix(costs), Measure.Of(a), Measure.Of(b));
    }

    /// <summary>Rows and columns in another order.</summary>
    public static LinearProblem Permute(this LinearProblem problem, int[] rows, int[] columns)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(columns);
        double[] a = problem.A.Weights.ToArray(),
            b = problem.B.Weights.ToArray();
        return problem.Rearrange(rows, columns, Array.ConvertAll(rows, i => a[i]), Array.ConvertAll(columns, j => b[j]));
    }

    /// <summary>Source and target exchanged.</summary>
    public static LinearProblem Transpose(this LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return Like(problem, Oracles.Transposed(problem.Geometry), problem.B, problem.A) with
        {
            PenaltyA = problem.PenaltyB,
            PenaltyB = problem.PenaltyA,
        };
    }

    /// <summary>The cost <c>factor · C + u 1ᵀ + 1 vᵀ</c>, everything else as it was.</summary>
    public static LinearProblem ChangeCost(
        this LinearProblem problem,
        double factor,
        ReadOnlySpan<double> u,
        ReadOnlySpan<double> v
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        Geometry old = problem.Geometry;
        var costs = new double[old.Rows, old.Columns];
        for (int i = 0; i < old.Rows; i++)
        {
            for (int j = 0; j < old.Columns; j++)
                costs[i, j] = (factor * old.Cost(i, j)) + u[i] + v[j];
        }
        return Like(problem, new CostMatrix(costs), problem.A, problem.B);
    }

    /// <summary>A permutation of 0 … count − 1 that follows from a seed.</summary>
    public static int[] Permutation(int count, ulong seed) => new SeededRandom(seed).NextPermutation(count);

    static LinearProblem Like(LinearProblem problem, Geometry geometry, Measure a, Measure b) =>
        new(geometry, a, b)
        {
            Regularizer = problem.WithAbsoluteEpsilon().Regularizer,
            PenaltyA = problem.PenaltyA,
            PenaltyB = problem.PenaltyB,
        };
}
