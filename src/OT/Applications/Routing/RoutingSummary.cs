using OT.Results;

namespace OT.Applications.Routing;

/// <summary>How one group was routed. Values are per token, in units of the similarity.</summary>
public readonly record struct RoutingSummary
{
    /// <summary>
    /// <see cref="SolverStatus.Converged"/> where the prices miss loads and limits by no more than the tolerance, else why they were sought no further. The lists are within the capacities either way.
    /// </summary>
    public SolverStatus Status { get; init; }

    /// <summary>Passes over the tokens that the prices took, those over samples counted in parts, that for the lists not counted.</summary>
    public double Passes { get; init; }

    /// <summary>Share of the mass by which the plan at the prices misses loads and limits: L1, before the lists are made.</summary>
    public double Error { get; init; }

    /// <summary>The dual at the prices: no plan with the expected loads and limits has a smaller <c>(⟨C, P⟩ + γ/2 ‖P‖²)/tokens</c>, to the rounding of floats.</summary>
    public double DualBound { get; init; }

    /// <summary><c>(⟨C, P⟩ + γ/2 ‖P‖²)/tokens</c> of the masses on the lists.</summary>
    public double Value { get; init; }

    /// <summary>
    /// What the lists lose at most against any plan whose experts have the masses that these lists give them: <see cref="Value"/> less the dual with those masses in place of the expected ones. Zero proves the lists optimal among such. It is below zero by
    /// rounding alone, which is not hidden: about 1e-7 of the largest similarity and γ.
    /// </summary>
    public double Gap { get; init; }

    /// <summary>Tokens that no expert took; 0 where the capacities have room for all.</summary>
    public int Dropped { get; init; }

    /// <summary>Tokens of the expert that has fewest.</summary>
    public int MinLoad { get; init; }

    /// <summary>Tokens of the expert that has most: never more than its capacity.</summary>
    public int MaxLoad { get; init; }

    /// <summary>Tokens of an expert on average.</summary>
    public double MeanLoad { get; init; }

    /// <summary>Sum of the similarities of all pairs on the lists, divided by the tokens.</summary>
    public double Similarity { get; init; }
}
