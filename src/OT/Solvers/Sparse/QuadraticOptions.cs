namespace OT.Solvers.Sparse;

/// <summary>How <see cref="QuadraticDual"/> maximises the dual.</summary>
public enum QuadraticAlgorithm
{
    /// <summary><see cref="Newton"/> where the support fits in memory, else <see cref="SemiDual"/>. The group lasso is always solved by <see cref="Dual"/>.</summary>
    Auto,

    /// <summary>Damped semismooth Newton on the semi-dual, strengths in stages: tens of steps to 1e-12.</summary>
    Newton,

    /// <summary>L-BFGS on the semi-dual, O(n + m) memory.</summary>
    SemiDual,

    /// <summary>L-BFGS on the dual in both potentials, O(n + m) memory.</summary>
    Dual,
}

/// <summary>Options of <see cref="QuadraticDual"/>.</summary>
/// <remarks><see cref="SolverOptions.MaxIterations"/> counts Newton's steps over all stages, or steps of L-BFGS.</remarks>
public sealed record QuadraticOptions : SolverOptions
{
    /// <summary>Defaults: an error of 1e-8, 2000 steps.</summary>
    public QuadraticOptions() => (Tolerance, MaxIterations) = (1e-8, 2000);

    /// <summary>The algorithm; <see cref="QuadraticAlgorithm.Auto"/> by default.</summary>
    public QuadraticAlgorithm Algorithm { get; init; }

    /// <summary>Threads, 1 and more; all processors when left out. They change no bit of the answer.</summary>
    public int? Threads { get; init; }

    internal override void Validate()
    {
        base.Validate();
        if (!Enum.IsDefined(Algorithm))
            throw new ArgumentOutOfRangeException(nameof(Algorithm), $"{Algorithm} is not an algorithm.");
        if (Threads is { } threads)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads, nameof(Threads));
    }
}
