using System.Collections.Immutable;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Sparse;

/// <summary>The answer to a problem with at most k entries a line: a plan that has no more, the optimum of the relaxation that bounds it, and where the two differ.</summary>
public sealed class KSparseResult : SolverResult
{
    /// <summary>The problem that was solved.</summary>
    public required LinearProblem Problem { get; init; }

    /// <summary>
    /// The answer with at most k entries in each limited line. Those lines have their mass exactly; the other marginal is met within the tolerance where <see cref="Ties"/> is empty or a plan was found
    /// on the entries kept, and missed by its <see cref="TransportResult.MarginalError"/> else. Never rounded: that would fill it.
    /// </summary>
    public required TransportResult Limited { get; init; }

    /// <summary>
    /// The optimum of the convex relaxation, with its potentials: feasible within the tolerance, with more than k entries in <see cref="Ties"/> alone. Its certificate bounds the relaxation from both sides, and so
    /// the constrained optimum from below.
    /// </summary>
    public required TransportResult Relaxed { get; init; }

    /// <summary>Limited lines (columns, or rows) whose k-th and next entries tie at the optimum of the relaxation; empty where <see cref="Limited"/> solves both problems.</summary>
    public ImmutableArray<int> Ties { get; init; } = [];

    /// <summary>The plan of <see cref="Limited"/>.</summary>
    public SparsePlan Plan => (SparsePlan)Limited.Plan;

    /// <summary>The objective at <see cref="Plan"/>; an upper bound of the optimum where the plan meets both marginals.</summary>
    public double Value => Limited.Value;

    /// <summary>L1 error of both marginals of <see cref="Plan"/>.</summary>
    public double MarginalError => Limited.MarginalError;

    /// <summary>The dual at the potentials found, a lower bound of the relaxation and of the constrained problem up to rounding.</summary>
    public double DualValue { get; init; }
}
