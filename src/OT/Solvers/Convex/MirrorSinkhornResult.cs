using OT.Problems;
using OT.Results;

namespace OT.Solvers.Convex;

/// <summary>The answer to a <see cref="ConvexProblem"/>: a feasible plan, its value, and a bound where F is convex.</summary>
public sealed class MirrorSinkhornResult : SolverResult
{
    /// <summary>The problem that was solved.</summary>
    public required ConvexProblem Problem { get; init; }

    /// <summary>
    /// The better of the average and the last iterate, each rounded to the marginals; the rounded average where F has no values. Unrounded where <see cref="SolverResult.Message"/> says that
    /// no rounding was found, and all zeros where no plan exists.
    /// </summary>
    public required TransportPlan Plan { get; init; }

    /// <summary>The average of the iterates; misses both marginals a little.</summary>
    public required TransportPlan AveragePlan { get; init; }

    /// <summary>The last iterate; meets the marginal that was rescaled last: columns after an odd number of iterations, rows after an even one.</summary>
    public required TransportPlan LastIterate { get; init; }

    /// <summary>F at <see cref="Plan"/>; NaN where F is known by samples alone. An upper bound of the optimum when the plan is feasible.</summary>
    public double Value { get; init; } = double.NaN;

    /// <summary>A certified lower bound of the optimum, the largest one seen, rounded down; null where F is not convex or not known.</summary>
    public double? LowerBound { get; init; }

    /// <summary><see cref="Value"/> less <see cref="LowerBound"/>; null where there is no bound.</summary>
    public double? Gap => Value - LowerBound;

    /// <summary>L1 error of both marginals of <see cref="Plan"/>.</summary>
    public double MarginalError { get; init; }
}
