namespace OT.Backends;

/// <summary>What stays fixed while Sinkhorn iterations run.</summary>
public sealed record SinkhornStep
{
    /// <summary>ε in cost units.</summary>
    public required double Epsilon { get; init; }

    /// <summary>Source weights a, length n.</summary>
    public required ReadOnlyMemory<double> A { get; init; }

    /// <summary>Target weights b, length m.</summary>
    public required ReadOnlyMemory<double> B { get; init; }

    /// <summary>log a; <c>-∞</c> where a is 0.</summary>
    public required ReadOnlyMemory<double> LogA { get; init; }

    /// <summary>log b; <c>-∞</c> where b is 0.</summary>
    public required ReadOnlyMemory<double> LogB { get; init; }

    /// <summary><c>ρ_a/(ρ_a + ε)</c>; 1 where the source marginal is exact or has a bound.</summary>
    public double TauA { get; init; } = 1;

    /// <summary><c>ρ_b/(ρ_b + ε)</c>; 1 where the target marginal is exact or has a bound.</summary>
    public double TauB { get; init; } = 1;

    /// <summary>Largest size of f: ρ_a where the source marginal has a total variation penalty; <c>+∞</c>, none, by default.</summary>
    public double BoundA { get; init; } = double.PositiveInfinity;

    /// <summary>Largest size of g: ρ_b where the target marginal has a total variation penalty; <c>+∞</c>, none, by default.</summary>
    public double BoundB { get; init; } = double.PositiveInfinity;

    /// <summary>Over-relaxation ω in [1, 2): <c>f ← (1−ω) f + ω τ softmin(g)</c>, kept between the bounds, g likewise.</summary>
    public double Relaxation { get; init; } = 1;

    /// <summary>Error at which iterations end early; 0 by default, never.</summary>
    public double Tolerance { get; init; }
}
