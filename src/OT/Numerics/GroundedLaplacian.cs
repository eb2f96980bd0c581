using System.Numerics.Tensors;

namespace OT.Numerics;

/// <summary>
/// The matrix of a weighted graph with leaks, <c>L = diag(W1 + loss) − W</c> with W symmetric and loss ≥ 0, factored without one subtraction.
/// </summary>
/// <remarks>
/// Grassmann, Taksar and Heyman, Operations Research 1985: a pivot is the sum of what leaves the node, so that couplings of 1e-100 keep their digits beside
/// couplings of 1, and no shift of the diagonal is needed. Cost: k³/6 multiply-adds once, k² for each right-hand side.
/// </remarks>
internal sealed class GroundedLaplacian
{
    readonly double[][] _shares;
    readonly double[] _pivots;

    /// <summary>Factors the matrix, in place.</summary>
    /// <param name="couplings">W below its diagonal: row i has i entries. Taken over.</param>
    /// <param name="losses">What leaks at each node. Taken over.</param>
    /// <param name="cancellation">Watched once per node.</param>
    /// <exception cref="OperationCanceledException">The token asked to stop.</exception>
    public GroundedLaplacian(double[][] couplings, double[] losses, CancellationToken cancellation)
    {
        int k = losses.Length;
        (_shares, _pivots) = (couplings, new double[k]);
        for (int p = k - 1; p >= 0; p--)
        {
            cancellation.ThrowIfCancellationRequested();
            double[] row = couplings[p];
            double pivot = TensorPrimitives.Sum<double>(row) + losses[p];
            _pivots[p] = pivot;
            for (int to = 0; to < p; to++)
            {
                double share = row[to] == 0 ? 0 : row[to] / pivot;
                if (share == 0)
                    continue;
                TensorPrimitives.MultiplyAdd(row.AsSpan(0, to), share, couplings[to], couplings[to]);
                losses[to] += share * losses[p];
            }
            if (pivot > 0)
                TensorPrimitives.Divide(row, pivot, row);
        }
    }

    /// <summary>Solves <c>L x = right</c>; of the solutions of a graph without leaks, one.</summary>
    /// <param name="right">The right-hand side; overwritten.</param>
    /// <param name="size">What each entry is the difference of: a net flow of no more than <paramref name="rounding"/> of it is none. Overwritten.</param>
    /// <param name="rounding">Relative rounding of the right-hand side.</param>
    /// <param name="solution">Receives x.</param>
    /// <returns>False when a part of the graph that neither leaks nor is connected has a net flow: there is no solution, and 0 is returned there.</returns>
    public bool Solve(Span<double> right, Span<double> size, double rounding, Span<double> solution)
    {
        bool solvable = true;
        for (int p = right.Length - 1; p >= 0; p--)
        {
            // Between parts that hardly touch, the rounding of what flows inside them would be taken for a flow across.
            if (Math.Abs(right[p]) <= rounding * size[p])
                right[p] = 0;
            if (_pivots[p] == 0)
            {
                solvable &= right[p] == 0;
                continue;
            }
            TensorPrimitives.MultiplyAdd(_shares[p], right[p], right[..p], right[..p]);
            TensorPrimitives.MultiplyAdd(_shares[p], size[p], size[..p], size[..p]);
        }
        for (int p = 0; p < right.Length; p++)
        {
            double own = _pivots[p] == 0 ? 0 : right[p] / _pivots[p];
            solution[p] = own + TensorPrimitives.Dot<double>(_shares[p], solution[..p]);
        }
        return solvable;
    }
}
