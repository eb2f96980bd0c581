using System.Diagnostics;
using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Sparse;

/// <summary>Quadratically regularised transport, <c>min ⟨C, P⟩ + γ/2 ‖P‖²</c>, and the group lasso: plans with exact zeros, from the dual.</summary>
/// <remarks>
/// <para>
/// The semi-dual in g alone is maximised, rows in closed form: <c>P_ij = [f_i + g_j − C_ij]/γ</c> with f_i the threshold at which the row has its mass. Newton's steps, damped, γ falling in stages; each is one pass over the
/// costs, which may be streamed, and conjugate gradients on the support. Memory O(n + m) and the support, the plan is never dense. Rows are met exactly, columns to <see cref="SolverOptions.Tolerance"/>.
/// </para>
/// <para>See docs/theory/sparse.md. Sources: Blondel, Seguy and Rolet, AISTATS 2018; Lorenz, Manns and Meyer, AMO 2021.</para>
/// </remarks>
public sealed class QuadraticDual : ISolver<LinearProblem, TransportResult>
{
    readonly QuadraticOptions _options;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance, algorithm, limits; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public QuadraticDual(QuadraticOptions? options = null)
    {
        _options = options ?? new QuadraticOptions();
        _options.Validate();
    }

    /// <summary>Whether this solver takes the problem: a quadratic or group lasso regulariser and hard marginals.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is QuadraticRegularizer or GroupLassoRegularizer && problem.IsBalanced;
    }

    /// <summary>Solves from a start of the solver's own.</summary>
    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, start: null, cancellation);

    /// <summary>Starts from given potentials, of a problem with another γ perhaps.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="start">Potentials; null for none.</param>
    /// <param name="cancellation">Stops with status Cancelled and the last iterate.</param>
    /// <exception cref="NotSupportedException">A marginal is penalised, or the regulariser is another: the message names a solver.</exception>
    /// <exception cref="ArgumentException">The potentials or the groups do not fit the problem.</exception>
    public TransportResult Solve(LinearProblem problem, Potentials? start, CancellationToken cancellation = default)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "QuadraticDual needs Regularizer.Quadratic or Regularizer.GroupLasso and hard marginals: use Sinkhorn for entropy and for penalised marginals, KSparseDual for a limit on entries."
            );
        }
        if (start is not null)
            Guard.Length(start.G.Length, problem.B.Count, nameof(start));
        return SolverResult.Timed(null, () => Run(problem, start, cancellation));
    }

    TransportResult Run(LinearProblem problem, Potentials? start, CancellationToken cancellation)
    {
        using CancellationTokenSource limited = _options.Limit(cancellation);
        using var blocks = new RowBlocks(_options.Threads ?? Environment.ProcessorCount);
        var sparse = new SparseProblem(problem);
        var run = new StagedAscent(sparse, _options, blocks, limited.Token);
        SolverStatus Stopped() => cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;
        try
        {
            (double[]? g, string? infeasible) = start is null || !problem.MassesAgree
                ? sparse.Start(limited.Token)
                : (start.G.ToArray(), null);
            if (infeasible is not null)
                return sparse.Nothing(SolverStatus.Infeasible, infeasible);
            if (g is null)
                return sparse.Nothing(Stopped(), "Stopped before the first pass.");
            return run.Solve(g, ((QuadraticRegularizer)problem.Regularizer).Gamma, Stopped);
        }
        catch (OperationCanceledException)
        {
            return sparse.Nothing(Stopped(), "Stopped before the first pass.");
        }
    }
}
