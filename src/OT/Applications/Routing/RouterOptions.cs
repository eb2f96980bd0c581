using System.Collections.Immutable;
using OT.Numerics;

namespace OT.Applications.Routing;

/// <summary>How <see cref="ExpertRouter"/> routes.</summary>
public sealed record RouterOptions
{
    /// <summary>Whose number of partners is limited. Default <see cref="RoutingMode.ExpertsChoose"/>.</summary>
    public RoutingMode Mode { get; init; } = RoutingMode.ExpertsChoose;

    /// <summary>
    /// Room for tokens in multiples of what is needed. The capacity of every expert is <c>⌈tokens · k · factor / experts⌉</c> rounded up to a multiple of 4 and at most the number of tokens, k of
    /// <see cref="ExpertsPerToken"/> where tokens choose, else 1. Positive; below 1 tokens are dropped. Default 1. Not looked at where <see cref="Capacities"/> are given.
    /// </summary>
    public double CapacityFactor { get; init; } = 1;

    /// <summary>Tokens that each expert takes at most, of one group; from 1 to the number of tokens. Empty (the default): by <see cref="CapacityFactor"/>.</summary>
    public ImmutableArray<int> Capacities { get; init; } = [];

    /// <summary>Experts that a token goes to at most where tokens choose, from 1 to the number of experts. Default 1.</summary>
    public int ExpertsPerToken { get; init; } = 1;

    /// <summary>What is kept as much of as possible. Default <see cref="RoutingSimilarity.Softmax"/>.</summary>
    public RoutingSimilarity Similarity { get; init; } = RoutingSimilarity.Softmax;

    /// <summary>Combine weights. Default <see cref="CombineWeights.Gates"/>.</summary>
    public CombineWeights Weights { get; init; } = CombineWeights.Gates;

    /// <summary>γ of the squared norm, in units of the similarity: large values spread a token's mass over its experts. Default 1.</summary>
    public double Gamma { get; init; } = 1;

    /// <summary>Share of the tokens by which the prices may miss loads and limits before the lists are repaired. Default 2e-3. Lists are within the capacities whatever it is.</summary>
    public double Tolerance { get; init; } = 2e-3;

    /// <summary>Passes over all tokens at most while prices are sought. Default 30.</summary>
    public int MaxPasses { get; init; } = 30;

    /// <summary>Threads, the caller's included; changes no bit of a result. Default: all processors.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    internal void Validate()
    {
        if (!Enum.IsDefined(Mode))
            throw new ArgumentOutOfRangeException(nameof(Mode), Mode, "Mode is not one of the two.");
        if (!Enum.IsDefined(Similarity))
            throw new ArgumentOutOfRangeException(nameof(Similarity), Similarity, "Similarity is not one of the two.");
        if (!Enum.IsDefined(Weights))
            throw new ArgumentOutOfRangeException(nameof(Weights), Weights, "Weights is not one of the two.");
        Guard.Positive(CapacityFactor);
        Guard.Positive(Gamma);
        Guard.Positive(Tolerance);
        ArgumentOutOfRangeException.ThrowIfLessThan(ExpertsPerToken, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxPasses, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Threads, 1);
    }
}
