using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Solvers.Sparse;

/// <summary>Transport with at most k entries in each column, or in each row: <c>min ⟨C, P⟩ + γ/2 ‖P‖²</c> over such plans, by its convex relaxation.</summary>
/// <remarks>
/// <para>
/// k = 1 is the exact problem, k ≥ n the quadratic one, and the smoothness between them grows with k. The semi-dual of the relaxation is maximised by Newton's method, ties at rank k smoothed less and less. One pass over the costs a step, memory
/// O(n + m) and k entries a line; a limit on columns transposes a stored matrix. Deterministic: of tied entries the lower index wins.
/// </para>
/// <para>See docs/theory/sparse.md. Source: Liu, Puigcerver and Blondel, ICLR 2023.</para>
/// </remarks>
public sealed class KSparseDual : ISolver<LinearProblem, KSparseResult>
{
    readonly KSparseOptions _options;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance and limits; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public KSparseDual(KSparseOptions? options = null)
    {
        _options = options ?? new KSparseOptions();
        _options.Validate();
    }

    /// <summary>Whether this solver takes the problem: a sparsity regulariser and hard marginals.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is SparsityRegularizer && problem.IsBalanced;
    }

    /// <summary>Solves from a start of the solver's own.</summary>
    /// <inheritdoc/>
    public KSparseResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, start: null, cancellation);

    /// <summary>Starts from given potentials, of a problem with another k perhaps.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="start">Potentials; null for none.</param>
    /// <param name="cancellation">Stops with status Cancelled and the last iterate.</param>
    /// <exception cref="NotSupportedException">A marginal is penalised, or the regulariser is another: the message names a solver.</exception>
    /// <exception cref="ArgumentException">k is larger than the length of a line, or the potentials do not fit.</exception>
    public KSparseResult Solve(LinearProblem problem, Potentials? start, CancellationToken cancellation = default)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "KSparseDual needs Regularizer.Sparsity and hard marginals: use QuadraticDual without a limit on entries, Sinkhorn for penalised marginals."
            );
        }
        var limit = (SparsityRegularizer)problem.Regularizer;
        CheckLimit(problem, limit);
        if (start is not null)
        {
            Guard.Length(start.F.Length, problem.A.Count, nameof(start));
            Guard.Length(start.G.Length, problem.B.Count, nameof(start));
        }
        return SolverResult.Timed(null, () => new KSparseRun(problem, limit, _options, cancellation).Solve(start));
    }

    static void CheckLimit(LinearProblem problem, SparsityRegularizer limit)
    {
        (int length, string line) = limit.Axis == SparseAxis.Columns ? (problem.A.Count, "column") : (problem.B.Count, "row");
        if (limit.MaxNonZeros > length)
        {
            throw new ArgumentException(
                $"k is {limit.MaxNonZeros}: a {line} has {length} entries, and k must be at most that.",
                nameof(problem)
            );
        }
    }

    /// <summary>Solves for several k, from the largest to the smallest, each from the potentials of the one before.</summary>
    /// <param name="problem">The problem; its own k is not looked at.</param>
    /// <param name="maxNonZeros">The limits, in any order.</param>
    /// <param name="cancellation">Cancels; limits not reached have no result.</param>
    /// <returns>One result per limit, in the order given.</returns>
    public IReadOnlyList<KSparseResult> SolvePath(
        LinearProblem problem,
        ReadOnlySpan<int> maxNonZeros,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (problem.Regularizer is not SparsityRegularizer limit)
            throw new NotSupportedException("A path over k needs Regularizer.Sparsity.");
        int[] limits = maxNonZeros.ToArray();
        foreach (int most in limits)
            CheckLimit(problem, (SparsityRegularizer)Regularizer.Sparsity(limit.Gamma, most, limit.Axis));
        var results = new KSparseResult[limits.Length];
        Potentials? warm = null;
        foreach (int at in Enumerable.Range(0, limits.Length).OrderByDescending(k => limits[k]))
        {
            results[at] = Solve(
                problem with
                {
                    Regularizer = Regularizer.Sparsity(limit.Gamma, limits[at], limit.Axis),
                },
                warm,
                cancellation
            );
            warm = results[at].Relaxed.Potentials ?? warm;
        }
        return results;
    }
}
