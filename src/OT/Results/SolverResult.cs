using System.Collections.Immutable;
using System.Diagnostics;
using OT.Backends;

namespace OT.Results;

/// <summary>What every solver reports.</summary>
public abstract class SolverResult
{
    string _why = "";

    /// <summary>Why the solver stopped.</summary>
    public required SolverStatus Status { get; init; }

    /// <summary>Iterations made, in the solver's own unit.</summary>
    public required int Iterations { get; init; }

    /// <summary>One error per check, in the norm of <c>SolverOptions.Tolerance</c>.</summary>
    public ImmutableArray<double> Errors { get; init; } = [];

    /// <summary>What ran, in which precision; empty for solvers without a back end.</summary>
    public string Backend { get; init; } = "";

    /// <summary>Which solver answered, why it was chosen, and, where a solver chooses its means as it goes, which it took.</summary>
    public string Why
    {
        get => _why;
        init => _why = value;
    }

    /// <summary>
    /// Wall-clock time of the solve, in parts: what the back end spent on setup and on transfers, and the rest. <c>default</c> for results of solvers without a back end.
    /// </summary>
    public BackendTimings Timings { get; private set; }

    /// <summary>What the reader should know: the reason of a failure, a rescaled marginal. Empty when there is nothing to say.</summary>
    public string Message { get; init; } = "";

    /// <summary>Whether the stopping rule was met.</summary>
    public bool Converged => Status == SolverStatus.Converged;

    /// <summary>Solves, and sets <see cref="Timings"/> on the result, which nobody else has seen yet.</summary>
    internal static T Timed<T>(IBackend? backend, Func<T> solve)
        where T : SolverResult
    {
        BackendTimings before = backend?.Spent ?? default;
        long start = Stopwatch.GetTimestamp();
        T result = solve();
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        BackendTimings after = backend?.Spent ?? default;
        (TimeSpan setup, TimeSpan transfer) = (after.Setup - before.Setup, after.Transfer - before.Transfer);
        // A device may copy while it works, or for another solve: no part is longer than the whole.
        result.Timings = new(setup, transfer, elapsed > setup + transfer ? elapsed - setup - transfer : TimeSpan.Zero);
        return result;
    }

    /// <summary>Set by the front door on a result that nobody else has seen yet.</summary>
    internal void Explain(string why) => _why = _why.Length == 0 ? why : $"{why}; {_why}";

    /// <summary>Throws unless the stopping rule was met, for callers who want an exception.</summary>
    /// <exception cref="InvalidOperationException">The status is not <see cref="SolverStatus.Converged"/>.</exception>
    public void EnsureConverged()
    {
        if (!Converged)
            throw new InvalidOperationException(
                $"The solver stopped with {Status} after {Iterations} iterations. {Message}".TrimEnd()
            );
    }
}
