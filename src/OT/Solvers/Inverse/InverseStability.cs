using System.Collections.Immutable;
using OT.Numerics;

namespace OT.Solvers.Inverse;

/// <summary>How often each term is chosen from half of the pairs (Meinshausen and Bühlmann 2010).</summary>
public sealed class InverseStability
{
    /// <summary>λ, from large to small.</summary>
    public required ImmutableArray<double> Lambdas { get; init; }

    /// <summary>Share of the draws that chose a term: one row for each λ, one column for each term.</summary>
    public required Matrix Frequencies { get; init; }

    /// <summary>Terms whose share reaches a threshold at some λ, ascending.</summary>
    /// <param name="threshold">In (0, 1]; 0.8 by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The threshold is out of range.</exception>
    public ImmutableArray<int> StableTerms(double threshold = 0.8)
    {
        const double rounding = 1e-9; // of a sum of shares
        Guard.InRange(threshold, double.Epsilon, 1);
        return
        [
            .. Enumerable
                .Range(0, Frequencies.Columns)
                .Where(term => Enumerable.Range(0, Frequencies.Rows).Any(k => Frequencies[k, term] >= threshold - rounding)),
        ];
    }
}
