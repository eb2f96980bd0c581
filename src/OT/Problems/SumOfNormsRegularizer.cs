using OT.Numerics;

namespace OT.Problems;

/// <summary>
/// Draws rows, and columns, of a plan together: <c>λ (Σ R_ii' min(a_i, a_i') |P_i/a_i − P_i'/a_i'|₂ + Σ S_jj' min(b_j, b_j') |P_:j/b_j − P_:j'/b_j'|₂)</c>,
/// which is <c>λ (Σ R_ii' |P_i − P_i'|₂ + Σ S_jj' |P_:j − P_:j'|₂)</c> where weights are equal.
/// </summary>
/// <remarks>
/// Rows of unequal sums can never be equal, which is why they are compared per unit of mass; <see cref="NormalizesByMass"/> turns that off. As λ grows, rows that R connects become equal (to their share), then
/// whole connected components do: the plan is constant on blocks. Convex, homogeneous of degree 1 in P. docs/theory/sum-of-norms.md
/// </remarks>
public sealed record SumOfNormsRegularizer : Regularizer
{
    /// <summary>Gives strength and pairs.</summary>
    /// <param name="lambda">λ, cost units; finite, zero or positive.</param>
    /// <param name="rows">R, pairs among the n rows; <see cref="PairWeights.None"/> for none.</param>
    /// <param name="columns">S, pairs among the m columns.</param>
    public SumOfNormsRegularizer(double lambda, PairWeights rows, PairWeights columns)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(columns);
        Lambda = Guard.NonNegative(lambda);
        (Rows, Columns) = (rows, columns);
    }

    /// <summary>λ, in cost units.</summary>
    public double Lambda { get; }

    /// <summary>R.</summary>
    public PairWeights Rows { get; }

    /// <summary>S.</summary>
    public PairWeights Columns { get; }

    /// <summary>Whether rows and columns are compared per unit of mass, as above; true by default. It changes nothing where weights are equal.</summary>
    public bool NormalizesByMass { get; init; } = true;

    /// <summary>The factors of two bins in the difference whose norm is penalised: <c>min(a, a')/a</c> and <c>min(a, a')/a'</c>, or 1 and 1. Both 0 where a bin is empty.</summary>
    internal (double First, double Second) Factors(double first, double second)
    {
        if (!NormalizesByMass)
            return (1, 1);
        double least = Math.Min(first, second);
        return least > 0 ? (least / first, least / second) : (0, 0);
    }
}
