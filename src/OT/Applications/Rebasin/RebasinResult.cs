using System.Collections.Immutable;
using OT.Neural;
using OT.Results;

namespace OT.Applications.Rebasin;

/// <summary>Permutations that align one network with another, and how well they do.</summary>
public sealed class RebasinResult : SolverResult
{
    /// <summary>One for each hidden layer, as of <see cref="Mlp.Permute"/>: unit i of the aligned network is A's unit <c>Permutations[l][i]</c>.</summary>
    public required IReadOnlyList<int[]> Permutations { get; init; }

    /// <summary>A with its hidden units permuted: the same function as A.</summary>
    public required Mlp Aligned { get; init; }

    /// <summary>The objective of the hard permutations: of <see cref="RebasinObjective"/>, with the whole task for a loss; for weight matching L2.</summary>
    public required double Objective { get; init; }

    /// <summary><c>|θ' − θ_B|₂</c> of the aligned parameters.</summary>
    public required double Distance { get; init; }

    /// <summary>The objective of the hard permutations at the start and at each later look; the least of them is <see cref="Objective"/>.</summary>
    public required ImmutableArray<double> History { get; init; }
}
