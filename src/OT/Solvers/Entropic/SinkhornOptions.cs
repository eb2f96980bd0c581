using OT.Backends;

namespace OT.Solvers.Entropic;

/// <summary>Options of <see cref="Sinkhorn"/>.</summary>
public sealed record SinkhornOptions : SolverOptions
{
    /// <summary>Iterations between recorded errors and progress reports; 10 by default, at least 1. The stopping rule is looked at after every iteration.</summary>
    public int CheckEvery { get; init; } = 10;

    /// <summary>What the operator stores and streams; doubles by default. Floats halve time and memory and resolve ε down to about 1e-4 of the largest cost.</summary>
    public Precision Precision { get; init; } = Precision.Float64;

    /// <summary>
    /// Whether a solve in doubles makes its first iterations in floats, at half the time each, and only the last ones in doubles; true by default.
    /// The answer is the same: the stopping rule and all values are those of doubles. It happens for stored costs and squared Euclidean points of at least
    /// 250 000 pairs, where ε is large enough for floats and the back end's memory limit allows.
    /// </summary>
    public bool FloatsFirst { get; init; } = true;

    /// <summary>
    /// Whether the run ends when the tolerance is met or rounding allows no better; true by default. Otherwise exactly <see cref="SolverOptions.MaxIterations"/> iterations are
    /// made, whatever the input: from zeros or the given start, in <see cref="Precision"/> alone, without schedule or acceleration unless one is asked for
    /// (<see cref="Acceleration.Auto"/> is none). Plain ones are <c>f ← τ softmin(g)</c>, <c>g ← τ softmin(f)</c> and nothing else, as an unrolled loop has them.
    /// The status is Converged where the error is within <see cref="SolverOptions.Tolerance"/> in the end, else IterationLimit; the time limit still stops.
    /// </summary>
    public bool StopEarly { get; init; } = true;

    /// <summary>Epsilon scaling. When left out: the default schedule where ε is below a hundredth of the largest cost and no start is given, else <see cref="EpsilonSchedule.None"/>.</summary>
    public EpsilonSchedule? Schedule { get; init; }

    /// <summary>Acceleration of the tail; <see cref="Acceleration.Auto"/> by default.</summary>
    public Acceleration Acceleration { get; init; } = Acceleration.Auto;

    /// <summary>Whether the plan of a balanced problem is rounded to exact feasibility; false by default. Values are then the rounded plan's. Takes four more passes over the costs.</summary>
    public bool Round { get; init; }

    /// <summary>Receives the state every <see cref="CheckpointEvery"/> iterations, to be resumed from; null by default. Acceleration starts anew at each one. Of several processes, those receive it that ask for it, all at the shortest interval asked for.</summary>
    public Action<SinkhornState>? Checkpoint { get; init; }

    /// <summary>Iterations between checkpoints; 100 by default, at least 1.</summary>
    public int CheckpointEvery { get; init; } = 100;

    internal override void Validate()
    {
        base.Validate();
        if (!Enum.IsDefined(Precision))
            throw new ArgumentOutOfRangeException(nameof(Precision), $"{Precision} is not a precision.");
        if (!Enum.IsDefined(Acceleration))
            throw new ArgumentOutOfRangeException(nameof(Acceleration), $"{Acceleration} is not an acceleration.");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(CheckEvery);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(CheckpointEvery);
        Schedule?.Validate();
    }
}
