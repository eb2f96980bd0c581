using System.Globalization;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Exact;

namespace OT.Pairwise;

/// <summary>The number that is computed for each pair of measures. No root is taken but where a member says so.</summary>
public abstract record PairwiseQuantity
{
    private protected PairwiseQuantity() { }

    /// <summary><c>min ⟨C, P⟩</c>, exact: the transport cost, for any cost.</summary>
    public static PairwiseQuantity TransportCost { get; } = new TransportCostQuantity();

    /// <summary><c>W_p = (min Σ P_ij d_ij^p)^(1/p)</c>, exact, its root taken. The costs of the problem are distances d here; they are raised to the power p.</summary>
    /// <param name="order">p, at least 1; 2 by default.</param>
    public static PairwiseQuantity Wasserstein(double order = 2) =>
        new WassersteinQuantity(Guard.InRange(order, 1, double.MaxValue));

    /// <summary><c>min ⟨C, P⟩ + ε KL(P | a ⊗ b)</c>: the value of entropic transport. Not 0 between equals.</summary>
    /// <param name="epsilon">One strength for all pairs, resolved as <see cref="PairwiseResult.Epsilon"/> says; 0.05 of the mean cost when left out.</param>
    public static PairwiseQuantity EntropicValue(Epsilon? epsilon = null) =>
        new EntropicQuantity(epsilon ?? Epsilon.Default, EntropicPart.Value);

    /// <summary><c>⟨C, P⟩</c> of the entropic plan, without the entropy: what other libraries call a Sinkhorn distance. Not 0 between equals.</summary>
    /// <inheritdoc cref="EntropicValue"/>
    public static PairwiseQuantity EntropicCost(Epsilon? epsilon = null) =>
        new EntropicQuantity(epsilon ?? Epsilon.Default, EntropicPart.Cost);

    /// <summary><c>S = OT(a, b) − OT(a, a)/2 − OT(b, b)/2</c>: the Sinkhorn divergence, 0 between equals. The terms of a measure with itself are solved once for each measure.</summary>
    /// <inheritdoc cref="EntropicValue"/>
    public static PairwiseQuantity Divergence(Epsilon? epsilon = null) =>
        new EntropicQuantity(epsilon ?? Epsilon.Default, EntropicPart.Divergence);

    /// <summary><c>SW_p</c>, its root taken: the mean over directions of one-dimensional transport, the same directions for all pairs. Points only, Euclidean.</summary>
    /// <param name="order">p, at least 1; 2 by default.</param>
    /// <param name="options">Number of directions and seed.</param>
    public static PairwiseQuantity Sliced(double order = 2, SlicedOptions? options = null)
    {
        options ??= new();
        options.Validate();
        return new SlicedQuantity(Guard.InRange(order, 1, double.MaxValue), options);
    }
}

/// <summary>min ⟨C, P⟩.</summary>
sealed record TransportCostQuantity : PairwiseQuantity
{
    public override string ToString() => "transport cost";
}

/// <summary>W_p.</summary>
sealed record WassersteinQuantity(double Order) : PairwiseQuantity
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"wasserstein p={Order:R}");
}

/// <summary>Which number of an entropic solve.</summary>
enum EntropicPart
{
    Value,
    Cost,
    Divergence,
}

/// <summary>A number of entropic transport.</summary>
sealed record EntropicQuantity(Epsilon Epsilon, EntropicPart Part) : PairwiseQuantity
{
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{(Part == EntropicPart.Divergence ? "divergence" : Part == EntropicPart.Cost ? "entropic cost" : "entropic value")} epsilon={Epsilon.Factor:R} {Epsilon.Scale}"
        );
}

/// <summary>SW_p.</summary>
sealed record SlicedQuantity(double Order, SlicedOptions Options) : PairwiseQuantity
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"sliced p={Order:R} projections={Options.Projections} seed={Options.Seed}");
}
