namespace OT.Problems;

/// <summary><c>min F(P)</c> over plans <c>P ≥ 0, P1 = a, Pᵀ1 = b</c>. F ought to be convex; one that is not is solved without any bound.</summary>
/// <param name="Objective">F, for n × m plans.</param>
/// <param name="A">Source marginal a, n weights.</param>
/// <param name="B">Target marginal b, m weights, of a's mass up to the slack of their precision.</param>
public sealed record ConvexProblem(TransportObjective Objective, Measure A, Measure B)
{
    /// <summary>F, for n × m plans.</summary>
    public TransportObjective Objective { get; } = Checked(Objective, A, B);

    /// <summary>Source marginal a, n weights.</summary>
    public Measure A { get; } = A;

    /// <summary>Target marginal b, m weights.</summary>
    public Measure B { get; } = B;

    static TransportObjective Checked(TransportObjective objective, Measure a, Measure b)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Count != objective.Rows)
            throw new ArgumentException($"There are {a.Count} source weights for {objective.Rows} rows of the plan.", nameof(a));
        if (b.Count != objective.Columns)
            throw new ArgumentException(
                $"There are {b.Count} target weights for {objective.Columns} columns of the plan.",
                nameof(b)
            );
        if (!(objective.LargestStep > 0))
            throw new ArgumentException(
                FormattableString.Invariant($"The objective's LargestStep is {objective.LargestStep}: it must be positive."),
                nameof(objective)
            );
        return objective;
    }
}
