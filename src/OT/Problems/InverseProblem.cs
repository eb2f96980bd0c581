using OT.Geometries;
using OT.Numerics;

namespace OT.Problems;

/// <summary>
/// Which cost explains an observed coupling P̂:
/// <c>min over θ of L(θ) + λ R(θ)</c>, <c>L(θ) = ⟨c_0 + c_θ, P̂⟩ + ε KL(P̂ | a ⊗ b) − OT_ε(a, b; c_0 + c_θ) ≥ 0</c>, a and b the marginals of P̂.
/// </summary>
/// <remarks>
/// Convex; 0 exactly where the entropic plan of the cost is P̂. Only θ/ε is identified: ε is a unit. Terms of the form u(x) + v(y) are not identified, and neither are combinations of that form.
/// Source: Andrade, Peyré, Poon, ICLR 2024, arXiv 2310.05461; docs/theory/inverse.md.
/// </remarks>
/// <param name="Dictionary">The terms c_k, n × m each.</param>
/// <param name="Observed">P̂, n × m.</param>
public sealed record InverseProblem(CostDictionary Dictionary, ObservedCoupling Observed)
{
    /// <summary>The terms c_k, n × m each.</summary>
    public CostDictionary Dictionary { get; } = Checked(Dictionary, Observed);

    /// <summary>P̂, n × m.</summary>
    public ObservedCoupling Observed { get; } = Observed;

    /// <summary>c_0, a part of the cost that is known, in cost units in either convention; none by default. <c>+∞</c> forbids a pair, which P̂ must not use.</summary>
    public Geometry? FixedCost { get; init; }

    /// <summary>ε in cost units, positive; 1 by default.</summary>
    public double Epsilon
    {
        get;
        init => field = Guard.Positive(value, nameof(Epsilon));
    } = 1;

    /// <summary>λ, 0 or more; 0 by default.</summary>
    public double Lambda
    {
        get;
        init => field = Guard.NonNegative(value, nameof(Lambda));
    }

    /// <summary>R; the sum of absolute values by default.</summary>
    public ParameterPenalty Penalty
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    } = ParameterPenalty.L1;

    /// <summary>What θ must be; anything by default.</summary>
    public ParameterConstraint Constraint { get; init; }

    /// <summary>What θ and ε mean; <see cref="CostConvention.Cost"/> by default.</summary>
    public CostConvention Convention { get; init; }

    /// <summary>ε of the entropic problem in cost units.</summary>
    internal double CostEpsilon => Convention == CostConvention.Surplus ? Epsilon / 2 : Epsilon;

    /// <summary>The cost's parameter over the problem's own.</summary>
    internal int CostSign => Convention == CostConvention.Surplus ? -1 : 1;

    /// <summary>Matched pairs <c>(x_k, y_k)</c> and a dictionary over their points. Equal points are merged and their weights added, which changes no estimate and saves time.</summary>
    /// <param name="source">x_k, one row per pair.</param>
    /// <param name="target">y_k, as many rows.</param>
    /// <param name="dictionary">Terms between the different sources and the different targets; <see cref="CostDictionary.Bilinear"/> when left out.</param>
    /// <exception cref="ArgumentException">No pair, unequal counts, a coordinate that is not finite, or a dictionary of another shape.</exception>
    public static InverseProblem FromPairs(Matrix source, Matrix target, Func<Matrix, Matrix, CostDictionary>? dictionary = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        if (source.Rows != target.Rows)
            throw new ArgumentException(
                $"There are {source.Rows} source points for {target.Rows} target points: pairs need as many of both.",
                nameof(target)
            );
        Guard.Finite(source.Values, nameof(source));
        Guard.Finite(target.Values, nameof(target));
        (Matrix x, int[] rows) = Merged(source);
        (Matrix y, int[] columns) = Merged(target);
        return new InverseProblem(
            (dictionary ?? CostDictionary.Bilinear)(x, y),
            ObservedCoupling.OfPairs(rows, columns, x.Rows, y.Rows)
        );
    }

    /// <summary>The different rows in the order of their first occurrence, and the place of each row among them.</summary>
    static (Matrix Points, int[] Places) Merged(Matrix points)
    {
        var first = new List<int>();
        var places = new int[points.Rows];
        var seen = new Dictionary<ulong, List<int>>();
        for (int i = 0; i < points.Rows; i++)
        {
            ulong hash = BitHash.Of(0, points.Row(i));
            if (!seen.TryGetValue(hash, out List<int>? alike))
                seen[hash] = alike = [];
            int place = alike.FindIndex(at => points.Row(first[at]).SequenceEqual(points.Row(i)));
            if (place < 0)
            {
                alike.Add(first.Count);
                first.Add(i);
            }
            places[i] = place < 0 ? first.Count - 1 : alike[place];
        }
        return (first.Count == points.Rows ? points : points.SelectRows([.. first]), places);
    }

    static CostDictionary Checked(CostDictionary dictionary, ObservedCoupling observed)
    {
        ArgumentNullException.ThrowIfNull(dictionary);
        ArgumentNullException.ThrowIfNull(observed);
        if (dictionary.Rows != observed.Masses.Rows || dictionary.Columns != observed.Masses.Columns)
            throw new ArgumentException(
                $"The terms are {dictionary.Rows} x {dictionary.Columns}, the observed coupling is {observed.Masses.Rows} x {observed.Masses.Columns}: shapes must be equal.",
                nameof(observed)
            );
        return dictionary;
    }
}
