using OT.Problems;

namespace OT.Solvers.Entropic;

/// <summary>A problem small enough for <see cref="SmallSinkhorn"/>, as views of memory that belongs to others.</summary>
internal readonly ref struct SmallProblem
{
    /// <summary>C, n × m, row after row; <c>+∞</c> forbids a pair.</summary>
    public required ReadOnlySpan<double> Costs { get; init; }

    /// <summary>n source weights.</summary>
    public required ReadOnlySpan<double> A { get; init; }

    /// <summary>m target weights.</summary>
    public required ReadOnlySpan<double> B { get; init; }

    /// <summary>Sum of the source weights.</summary>
    public required double MassA { get; init; }

    /// <summary>Sum of the target weights.</summary>
    public required double MassB { get; init; }

    /// <summary>Relative difference of the masses that counts as rounding.</summary>
    public required double MassSlack { get; init; }

    /// <summary>ε in cost units.</summary>
    public required double Epsilon { get; init; }

    /// <summary>An upper bound of |C|.</summary>
    public required double Bound { get; init; }

    /// <summary>How strictly a is held.</summary>
    public required MarginalPenalty PenaltyA { get; init; }

    /// <summary>How strictly b is held.</summary>
    public required MarginalPenalty PenaltyB { get; init; }

    public bool IsBalanced => PenaltyA.IsExact && PenaltyB.IsExact;

    /// <summary>What target weights are multiplied by so that hard marginals have one mass: 1 where they have it but for rounding.</summary>
    public double TargetScale => ScaleOf(IsBalanced, MassA, MassB);

    public static double ScaleOf(bool balanced, double massA, double massB) =>
        balanced && Math.Abs(massA - massB) > MassRounding * massA ? massA / massB : 1;

    /// <summary>Masses that differ by less are equal: they are sums of rounded weights.</summary>
    const double MassRounding = 1e-14;
}

/// <summary>What <see cref="SmallSinkhorn"/> found, beside the potentials.</summary>
internal readonly record struct SmallAnswer(
    int Iterations,
    double TransportCost,
    double Entropy,
    double PenaltyA,
    double PenaltyB,
    double Error
);
