using System.Collections.Immutable;
using OT.Numerics;

namespace OT.Problems;

/// <summary>R(θ), what the strength λ of an <see cref="InverseProblem"/> multiplies.</summary>
public abstract record ParameterPenalty
{
    private protected ParameterPenalty() { }

    /// <summary><c>Σ_k |θ_k|</c>: few terms.</summary>
    public static ParameterPenalty L1 { get; } = new L1Penalty([]);

    /// <summary><c>Σ_k w_k |θ_k|</c>; a weight of 0 leaves its term free.</summary>
    /// <param name="weights">One weight per term, finite and not negative.</param>
    /// <exception cref="ArgumentException">A weight is negative or not finite, or there is none.</exception>
    public static ParameterPenalty WeightedL1(params ReadOnlySpan<double> weights)
    {
        if (weights.IsEmpty)
            throw new ArgumentException("There are no weights: one per term is needed.", nameof(weights));
        for (int k = 0; k < weights.Length; k++)
        {
            if (!(weights[k] >= 0) || double.IsInfinity(weights[k]))
                Guard.ThrowElement(nameof(weights), k, weights[k], "a weight must be finite and not negative");
        }
        return new L1Penalty([.. weights]);
    }

    /// <summary><c>Σ_g (Σ_{k in g} θ_k²)^½</c>: few groups of terms.</summary>
    /// <param name="groups">The group of each term: any integers, equal ones belong together.</param>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static ParameterPenalty Group(params ReadOnlySpan<int> groups) =>
        groups.IsEmpty
            ? throw new ArgumentException("There are no groups: one per term is needed.", nameof(groups))
            : new GroupPenalty([.. groups]);

    /// <summary>The sum of the singular values of θ as a matrix: low rank. For dictionaries with a <c>Shape</c>.</summary>
    public static ParameterPenalty Nuclear { get; } = new NuclearPenalty();
}

/// <summary><c>Σ_k w_k |θ_k|</c>.</summary>
/// <param name="Weights">One per term; empty for 1 each.</param>
public sealed record L1Penalty(ImmutableArray<double> Weights) : ParameterPenalty;

/// <summary><c>Σ_g |θ_g|₂</c>.</summary>
/// <param name="Groups">The group of each term.</param>
public sealed record GroupPenalty(ImmutableArray<int> Groups) : ParameterPenalty;

/// <summary>The sum of the singular values.</summary>
public sealed record NuclearPenalty : ParameterPenalty
{
    internal NuclearPenalty() { }
}
