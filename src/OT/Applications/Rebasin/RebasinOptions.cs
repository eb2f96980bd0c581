using OT.Neural;
using OT.Numerics;
using OT.Solvers;

namespace OT.Applications.Rebasin;

/// <summary>Options of <see cref="SinkhornRebasin"/>.</summary>
/// <remarks><see cref="SolverOptions.MaxIterations"/>, here of steps, is 200 by default; <see cref="SolverOptions.Tolerance"/>, here of the soft permutations' row and column sums, 1e-9.</remarks>
public sealed record RebasinOptions : SolverOptions
{
    /// <summary>200 steps, row and column sums to 1e-9.</summary>
    public RebasinOptions()
    {
        MaxIterations = 200;
        Tolerance = 1e-9;
    }

    /// <summary>τ of <see cref="SoftPermutation"/>; 1 by default, positive. Far below, derivatives vanish; far above, all permutations look alike.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>
    /// Steps of the scores; by default a learning rate of 0.1, a weight decay of 0.01, and a floor of 1e-16, since derivatives of a mean over all parameters are small.
    /// </summary>
    public AdamOptions Adam { get; init; } =
        new()
        {
            LearningRate = 0.1,
            WeightDecay = 0.01,
            Floor = 1e-16,
        };

    /// <summary>Standard deviation of the noise added to the first scores, the identity; 0.1 by default, not negative.</summary>
    public double InitialNoise { get; init; } = 0.1;

    /// <summary>Steps between looks at the hard permutations; 10 by default, at least 1. The last step is looked at too.</summary>
    public int CheckEvery { get; init; } = 10;

    /// <summary>Examples for each step of <see cref="RebasinObjective.MidPoint"/> and <see cref="RebasinObjective.RandomPoint"/>; 256 by default, at least 1.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Everything random follows from it: noise, batches, points of the segment; 0 by default.</summary>
    public ulong Seed { get; init; }

    internal override void Validate()
    {
        base.Validate();
        Guard.Positive(Temperature);
        ArgumentNullException.ThrowIfNull(Adam);
        Adam.Validate();
        Guard.NonNegative(InitialNoise);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(CheckEvery);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(BatchSize);
    }
}
