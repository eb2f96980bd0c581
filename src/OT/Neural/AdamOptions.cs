using OT.Numerics;

namespace OT.Neural;

/// <summary>Options of <see cref="Adam"/>.</summary>
public sealed record AdamOptions
{
    /// <summary>η, about how far each parameter moves in a step; 1e-3 by default, positive.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>β₁, how much of the mean gradient is kept; 0.9 by default, in [0, 1).</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, how much of the mean squared gradient is kept; 0.999 by default, in [0, 1).</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Added to the root of the mean squared gradient; 1e-8 by default, positive. Gradients far below it hardly move anything.</summary>
    public double Floor { get; init; } = 1e-8;

    /// <summary>Decoupled weight decay w: <c>θ ← (1 − η w) θ</c> in each step, outside the means (AdamW); 0 by default.</summary>
    public double WeightDecay { get; init; }

    /// <summary>λ of a penalty <c>λ/2 |θ|²</c>, whose gradient joins the given one; 0 by default.</summary>
    public double L2Penalty { get; init; }

    internal void Validate()
    {
        Guard.Positive(LearningRate);
        Guard.InRange(Beta1, 0, 1 - 1e-12);
        Guard.InRange(Beta2, 0, 1 - 1e-12);
        Guard.Positive(Floor);
        Guard.NonNegative(WeightDecay);
        Guard.NonNegative(L2Penalty);
    }
}
