using OT.Results;

namespace OT.Solvers;

/// <summary>An algorithm: configured once, applied to any number of problems. Solvers are safe to share between threads unless they say otherwise.</summary>
/// <typeparam name="TProblem">What it solves.</typeparam>
/// <typeparam name="TResult">What it answers.</typeparam>
public interface ISolver<in TProblem, out TResult>
    where TResult : SolverResult
{
    /// <summary>Solves one problem. Never throws for non-convergence, cancellation or infeasibility: see <see cref="SolverResult.Status"/>.</summary>
    /// <exception cref="ArgumentException">The problem is malformed.</exception>
    /// <exception cref="NotSupportedException">The solver cannot take this kind of problem; the message names one that can.</exception>
    TResult Solve(TProblem problem, CancellationToken cancellation = default);
}
