using OT.Neural;
using OT.Numerics;
using OT.Results;

namespace OT.Applications.Rebasin;

/// <summary>
/// Aligns two networks by coordinate descent on <c>|π_P(A) − B|²</c>: with all other layers fixed, the best permutation of a layer is an assignment problem.
/// </summary>
/// <remarks>
/// The distance never grows. At the end no change of a single layer makes it smaller, which is a local optimum: other seeds visit the layers in another order.
/// A sweep takes O(h³) for each layer of width h. Source: Ainsworth, Hayase, Srinivasa 2023, algorithm 1; docs/theory/rebasin.md.
/// </remarks>
public static class WeightMatching
{
    /// <summary>More sweeps than any finite descent is seen to take: the limit is there for ties that rounding breaks in turns.</summary>
    const int MaxSweeps = 1000;

    /// <summary>Aligns A with B, starting from the identity.</summary>
    /// <param name="a">The network to permute.</param>
    /// <param name="b">The network to come close to, of the same widths and activation.</param>
    /// <param name="seed">Chooses the order of layers in each sweep.</param>
    /// <param name="cancellation">Watched once per layer.</param>
    /// <returns>One iteration is one sweep; Converged when a sweep changed nothing.</returns>
    /// <exception cref="ArgumentException">The networks differ in shape, or a parameter is not finite.</exception>
    public static RebasinResult Align(Mlp a, Mlp b, ulong seed = 0, CancellationToken cancellation = default)
    {
        Alignment.Check(a, b);
        var random = new SeededRandom(seed);
        int[][] permutations = Alignment.Identity(a);
        Matrix[] plans = Array.ConvertAll(permutations, Alignment.ToMatrix);
        double squared = Squared(a, b, permutations);
        List<double> history = [squared / a.Parameters.Length];
        SolverStatus status = SolverStatus.IterationLimit;
        int sweeps = 0;
        while (status == SolverStatus.IterationLimit && sweeps < MaxSweeps)
        {
            sweeps++;
            status = SolverStatus.Converged;
            foreach (int layer in random.NextPermutation(permutations.Length))
            {
                if (cancellation.IsCancellationRequested)
                {
                    status = SolverStatus.Cancelled;
                    break;
                }
                int[] before = permutations[layer];
                permutations[layer] = SoftPermutation.Harden(Alignment.PlanGradient(a, b.Parameters, plans, layer));
                double found = Squared(a, b, permutations);
                // Among permutations that are as good up to rounding the present one stays.
                if (!(found < squared))
                {
                    permutations[layer] = before;
                    continue;
                }
                squared = found;
                plans[layer] = Alignment.ToMatrix(permutations[layer]);
                status = SolverStatus.IterationLimit;
            }
            history.Add(squared / a.Parameters.Length);
        }
        Mlp aligned = a.Permute(permutations);
        return new RebasinResult
        {
            Status = status,
            Iterations = sweeps,
            Permutations = permutations,
            Aligned = aligned,
            Objective = squared / a.Parameters.Length,
            Distance = Alignment.Distance(aligned, b),
            History = [.. history],
        };
    }

    static double Squared(Mlp a, Mlp b, int[][] permutations)
    {
        double distance = Alignment.Distance(a.Permute(permutations), b);
        return distance * distance;
    }
}
