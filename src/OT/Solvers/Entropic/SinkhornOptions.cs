using OT.Backends;

namespace OT.Solvers.Entropic;

/// <summary>Options of <see cref="Sinkhorn"/>.</summary>
public sealed record SinkhornOptions : SolverOptions
{
    /// <summary>Iterations between tests of the stopping rule, progress reports and looks at the clock; 10 by default, at least 1.</summary>
    public int CheckEvery { get; init; } = 10;

    /// <summary>Log domain, scalings over a stored kernel, or the faster of the two where both are safe (default).</summary>
    public SinkhornDomain Domain { get; init; } = SinkhornDomain.Auto;

    /// <summary>What the operator stores and streams; doubles by default. Floats halve time and memory and resolve ε down to about 1e-4 of the largest cost.</summary>
    public Precision Precision { get; init; } = Precision.Float64;

    /// <summary>Epsilon scaling; none by default.</summary>
    public EpsilonSchedule? Schedule { get; init; }

    /// <summary>Acceleration of the tail; <see cref="Acceleration.Auto"/> by default.</summary>
    public Acceleration Acceleration { get; init; } = Acceleration.Auto;

    /// <summary>Whether the result's plan is rounded to exact feasibility; false by default. The rounded plan is dense: 8nm bytes.</summary>
    public bool Round { get; init; }

    /// <summary>Receives the state every <see cref="CheckpointEvery"/> iterations, to be resumed from; null by default.</summary>
    public Action<SinkhornState>? Checkpoint { get; init; }

    /// <summary>Iterations between checkpoints; 100 by default, at least 1.</summary>
    public int CheckpointEvery { get; init; } = 100;

    internal override void Validate()
    {
        base.Validate();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(CheckEvery);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(CheckpointEvery);
        Schedule?.Validate();
    }
}
