using OT.Geometries;

namespace OT.Problems;

/// <summary>
/// <c>min over P ≥ 0 of ⟨C, P⟩ + R(P) + ρ_a KL(P1 | a) + ρ_b KL(Pᵀ1 | b)</c>, or <c>ρ_a |P1 − a|₁</c> and so on; an exact penalty stands for the constraint
/// P1 = a or Pᵀ1 = b.
/// </summary>
/// <remarks>Holds everything that changes the answer, and nothing that changes only how it is found.</remarks>
/// <param name="Geometry">The costs C, n × m.</param>
/// <param name="A">Source marginal a, n weights.</param>
/// <param name="B">Target marginal b, m weights.</param>
public sealed record LinearProblem(Geometry Geometry, Measure A, Measure B)
{
    /// <summary>The costs C, n × m.</summary>
    public Geometry Geometry { get; } = Checked(Geometry, A, B);

    /// <summary>Source marginal a, n weights.</summary>
    public Measure A { get; } = A;

    /// <summary>Target marginal b, m weights.</summary>
    public Measure B { get; } = B;

    /// <summary>The regulariser R with its strength; none by default.</summary>
    public Regularizer Regularizer
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    } = Regularizer.None;

    /// <summary>How strictly the source marginal is held; exactly by default.</summary>
    public MarginalPenalty PenaltyA { get; init; } = MarginalPenalty.Exact;

    /// <summary>How strictly the target marginal is held; exactly by default.</summary>
    public MarginalPenalty PenaltyB { get; init; } = MarginalPenalty.Exact;

    /// <summary>Whether both marginals are hard constraints.</summary>
    public bool IsBalanced => PenaltyA.IsExact && PenaltyB.IsExact;

    /// <summary>Whether both hard marginals have the same mass up to the slack of their precision, so that some plan may exist.</summary>
    public bool MassesAgree => !IsBalanced || MassesWouldAgree;

    /// <summary>Whether the masses agree up to the slack of their precision, hard marginals or not.</summary>
    internal bool MassesWouldAgree => Math.Abs(A.Mass - B.Mass) <= Math.Max(A.MassSlack, B.MassSlack) * Math.Max(A.Mass, B.Mass);

    /// <summary>The same problem with another target marginal of the same length.</summary>
    internal LinearProblem WithTarget(Measure b) =>
        new(Geometry, A, b)
        {
            Regularizer = Regularizer,
            PenaltyA = PenaltyA,
            PenaltyB = PenaltyB,
        };

    static Geometry Checked(Geometry geometry, Measure a, Measure b)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Count != geometry.Rows)
            throw new ArgumentException($"There are {a.Count} source weights for {geometry.Rows} rows of costs.", nameof(a));
        if (b.Count != geometry.Columns)
            throw new ArgumentException(
                $"There are {b.Count} target weights for {geometry.Columns} columns of costs.",
                nameof(b)
            );
        return geometry;
    }
}
