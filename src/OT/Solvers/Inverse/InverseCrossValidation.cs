using System.Collections.Immutable;

namespace OT.Solvers.Inverse;

/// <summary>Losses of held-out pairs for many λ, and what they choose.</summary>
public sealed class InverseCrossValidation
{
    /// <summary>λ, from large to small.</summary>
    public required ImmutableArray<double> Lambdas { get; init; }

    /// <summary>Mean loss of the held-out pairs at each λ.</summary>
    public required ImmutableArray<double> Losses { get; init; }

    /// <summary>Standard error of each mean over the folds.</summary>
    public required ImmutableArray<double> StandardErrors { get; init; }

    /// <summary>The λ of the smallest mean loss. Good predictions, often more terms than the truth has.</summary>
    public required double Best { get; init; }

    /// <summary>The largest λ whose loss is within one standard error of the smallest.</summary>
    public required double Sparsest { get; init; }

    /// <summary>The answer on all pairs at <see cref="Best"/>.</summary>
    public required InverseTransportResult Result { get; init; }
}
