namespace OT.Solvers.Sparse;

/// <summary>Options of <see cref="KSparseDual"/>.</summary>
/// <remarks>
/// <see cref="SolverOptions.Tolerance"/>, 1e-6 by default, bounds the error of the marginals relative to the mass, and the gap of the relaxation relative to its value.
/// <see cref="SolverOptions.MaxIterations"/> counts Newton's steps over all stages.
/// </remarks>
public sealed record KSparseOptions : SolverOptions
{
    /// <summary>Defaults: 2000 steps.</summary>
    public KSparseOptions() => MaxIterations = 2000;

    /// <summary>Threads, 1 and more; all processors when left out. They change no bit of the answer.</summary>
    public int? Threads { get; init; }

    internal override void Validate()
    {
        base.Validate();
        if (Threads is { } threads)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads, nameof(Threads));
    }
}
