using OT.Problems;

namespace OT.Results;

/// <summary>What a reviewer can check without the solver: a feasible plan's value, a dual bound, and the gap between them.</summary>
/// <remarks>
/// Every number is recomputed from the problem, the plan and the potentials by streaming passes over <c>Geometry.CostRow</c>
/// that share no code with the solvers, with the rounding error of the sums counted against the bound.
/// </remarks>
public sealed class Certificate
{
    /// <summary>L1 error of both marginals of the plan as given (for penalised marginals the L1 norm of the dual gradient).</summary>
    public required double MarginalError { get; init; }

    /// <summary>Largest error of a single marginal entry of the plan as given.</summary>
    public required double MaxMarginalError { get; init; }

    /// <summary><c>⟨C, P⟩</c> of the plan as given.</summary>
    public required double PlanTransportCost { get; init; }

    /// <summary>The whole objective at the plan as given: to be compared with the solver's reported value.</summary>
    public required double PlanValue { get; init; }

    /// <summary>The rounded plan: exactly feasible up to rounding. Equal to the given plan when marginals carry penalties.</summary>
    public required TransportPlan FeasiblePlan { get; init; }

    /// <summary><c>⟨C, P̂⟩</c> of the feasible plan: an upper bound of the exact transport cost of a balanced problem.</summary>
    public required double TransportCost { get; init; }

    /// <summary>The whole objective at the feasible plan: an upper bound of the problem's optimum.</summary>
    public required double PrimalValue { get; init; }

    /// <summary>The dual objective: a lower bound of the problem's optimum. Null without potentials.</summary>
    public double? DualValue { get; init; }

    /// <summary>A lower bound of the unregularised balanced transport cost, from c-transformed potentials. Null where there is none.</summary>
    public double? LowerBound { get; init; }

    /// <summary>
    /// Unregularised problems: <see cref="TransportCost"/> less <see cref="LowerBound"/>; others: <see cref="PrimalValue"/> less <see cref="DualValue"/>. Null without a bound.
    /// </summary>
    public double? Gap { get; init; }

    /// <summary>Recomputes everything for a plan made by anyone.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="plan">A plan of the problem's shape.</param>
    /// <param name="potentials">Dual potentials, or null.</param>
    /// <param name="cancellation">Watched once per row.</param>
    /// <exception cref="ArgumentException">Shapes differ, or the plan holds a negative or non-finite mass.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static Certificate Verify(
        LinearProblem problem,
        TransportPlan plan,
        Potentials? potentials = null,
        CancellationToken cancellation = default
    ) => throw new NotSupportedException();
}
