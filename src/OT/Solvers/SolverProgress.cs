namespace OT.Solvers;

/// <summary>A look at a running solver.</summary>
/// <param name="Iteration">Iterations made so far.</param>
/// <param name="Error">Current error in the norm of the tolerance; NaN where the solver has none yet.</param>
/// <param name="Elapsed">Time since the solve began.</param>
/// <param name="Fraction">Estimated share of the work that is done, 0 to 1; NaN where no estimate is possible.</param>
public readonly record struct SolverProgress(int Iteration, double Error, TimeSpan Elapsed, double Fraction)
{
    /// <summary>Iterations per second.</summary>
    public double Rate => Elapsed > TimeSpan.Zero ? Iteration / Elapsed.TotalSeconds : double.NaN;

    /// <summary>Time left at the present rate; null where no estimate is possible.</summary>
    public TimeSpan? Remaining =>
        Fraction > 0 && Fraction <= 1
            ? TimeSpan.FromSeconds(Math.Min(Elapsed.TotalSeconds * (1 - Fraction) / Fraction, 1e9))
            : null;
}
