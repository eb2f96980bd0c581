using System.Collections.Immutable;
using System.Globalization;
using System.Numerics.Tensors;
using OT.Neural;
using OT.Numerics;
using OT.Results;

namespace OT.Applications.Rebasin;

/// <summary>Permutations that align one network with another, and how well they do.</summary>
public sealed class RebasinResult : SolverResult
{
    /// <summary>Distances below this share of <c>|θ_B|</c> are rounding.</summary>
    const double Rounding = 1e-12;

    const double LargestParameter = 1e100;

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

    internal static double DistanceOf(Mlp a, Mlp b)
    {
        var difference = new double[a.Parameters.Length];
        TensorPrimitives.Subtract<double>(a.Parameters, b.Parameters, difference);
        return Math.Sqrt(Summation.Dot(difference, difference));
    }

    /// <summary>Whether two networks are the same up to rounding.</summary>
    internal static bool AreEqual(Mlp a, Mlp b) =>
        DistanceOf(a, b) <= Rounding * Math.Sqrt(Summation.Dot(b.Parameters, b.Parameters));

    internal static void Check(Mlp a, Mlp b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        a.RequireShapeOf(b, nameof(b));
        CheckParameters(a, nameof(a));
        CheckParameters(b, nameof(b));
    }

    static void CheckParameters(Mlp net, string name)
    {
        Guard.Finite(net.Parameters, name);
        double largest = Math.Abs(TensorPrimitives.MaxMagnitude<double>(net.Parameters));
        if (largest > LargestParameter)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"A parameter of {name} is {largest:G6} in size: beyond {LargestParameter:G1} products overflow."
                ),
                name
            );
        }
    }

    internal static int[][] Identity(Mlp net) => [.. net.Widths[1..^1].Select(width => Enumerable.Range(0, width).ToArray())];
}
