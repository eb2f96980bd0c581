using System.Diagnostics;
using System.Globalization;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>
/// Balanced entropic transport to high accuracy at small ε, by Newton's method on the semi-dual with a thin plan: where Sinkhorn needs thousands of iterations, tens of steps.
/// </summary>
/// <remarks>
/// <para>
/// Minimises <c>J(g) = −⟨a, f(g)⟩ − ⟨b, g⟩</c>, f the soft-minima of g. The Hessian <c>(diag(c) − qᵀ diag(a) q)/ε</c> is thinned to the entries of the plan that matter and
/// factorised sparsely. One pass over the costs for each trial of a step and one for each thin plan; costs may be streamed: memory is O(n + m) beyond the kept
/// entries and their factor. Zero weights are legal.
/// </para>
/// <para>
/// Iterations are warm-up iterations and steps, rejected ones included. Where steps fail, plain iterations and in the end <see cref="Sinkhorn"/>, for at most its own 10 000, go on, and the message says so.
/// <see cref="Sinkhorn"/> takes steps of this kind by itself where they pay; this solver is for those who want the published methods, and for small ε.
/// </para>
/// <para>See docs/theory/sparse-newton.md. Sources: Tang et al., ICLR 2024; Tang and Qiu, NeurIPS 2024; Wang and Qiu, ICML 2025.</para>
/// </remarks>
public sealed class SparseNewton : ISolver<LinearProblem, TransportResult>
{
    /// <summary>Error, relative to the mass, at which annealing is over.</summary>
    const double AnnealedError = 0.02;

    const int AnnealingIterations = 1000;

    readonly SparseNewtonOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Strategy, tolerance, limits; defaults when left out.</param>
    /// <param name="backend">Where passes over the costs run; a managed back end on all processors when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public SparseNewton(SparseNewtonOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new SparseNewtonOptions();
        _options.Validate();
        _backend = backend;
    }

    /// <summary>Whether this solver takes the problem: an entropic regulariser and hard marginals.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is EntropyRegularizer && problem.IsBalanced;
    }

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, start: null, cancellation);

    /// <summary>Starts from given potentials, without epsilon scaling.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="start">Potentials; null for none.</param>
    /// <param name="cancellation">Stops with status Cancelled and the last iterate.</param>
    /// <exception cref="NotSupportedException">A marginal is penalised, or the regulariser is not entropy: the message names a solver.</exception>
    /// <exception cref="ArgumentException">The potentials do not fit the problem.</exception>
    public TransportResult Solve(LinearProblem problem, Potentials? start, CancellationToken cancellation = default) =>
        SolverResult.Timed(_backend, () => Run(problem, start, cancellation));

    TransportResult Run(LinearProblem problem, Potentials? start, CancellationToken cancellation)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "SparseNewton needs an entropic regulariser and hard marginals: use Sinkhorn for penalised marginals, or NetworkSimplex for exact transport."
            );
        }
        using ManagedBackend? own = _backend is null ? new ManagedBackend() : null;
        IBackend backend = _backend ?? own!;
        var clock = Stopwatch.StartNew();
        using AgreedToken stop = backend.Share.Agree(cancellation);
        TransportResult warm = WarmUp(problem, start, backend, clock, cancellation);
        if (warm.Status is not SolverStatus.IterationLimit || warm.Potentials is null)
            return warm;

        using CancellationTokenSource limited = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        TimeSpan left = TimeLeft(clock);
        if (left != Timeout.InfiniteTimeSpan && left.TotalMilliseconds < int.MaxValue)
            limited.CancelAfter(left);
        using AgreedToken limit = backend.Share.Agree(limited.Token);
        SparseNewtonOptions options = _options with { Progress = ProgressAfter(warm.Iterations, clock) };
        using var run = new SparseNewtonRun(warm.Problem, warm.Epsilon, options, backend, limit.Token);
        SparseNewtonRun.Ending ending = run.Solve(warm.Potentials);

        // Sinkhorn's own run evaluates what was reached, and goes on where Newton gave up.
        bool goesOn = ending == SparseNewtonRun.Ending.NoWay;
        TransportResult result = new Sinkhorn(
            new SinkhornOptions
            {
                Tolerance = _options.Tolerance,
                MaxIterations = goesOn ? new SinkhornOptions().MaxIterations : 1,
                Schedule = EpsilonSchedule.None,
                CheckEvery = 1,
                Acceleration = goesOn ? Acceleration.Auto : Acceleration.None,
                FloatsFirst = false,
                TimeLimit = goesOn ? TimeLeft(clock) : Timeout.InfiniteTimeSpan,
                Progress = goesOn ? ProgressAfter(warm.Iterations + run.Steps, clock) : null,
            },
            backend
        ).Solve(warm.Problem, new Potentials(run.F, run.G), cancellation);
        return Together(warm, run, result, ending, stop.Token);
    }

    TimeSpan TimeLeft(Stopwatch clock)
    {
        if (_options.TimeLimit == Timeout.InfiniteTimeSpan)
            return _options.TimeLimit;
        TimeSpan left = _options.TimeLimit - clock.Elapsed;
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    ProgressAfter? ProgressAfter(int iterations, Stopwatch clock) =>
        _options.Progress is { } next ? new(next, iterations, clock.Elapsed) : null;

    /// <summary>Epsilon scaling where it pays, then a few plain iterations; refuses what Sinkhorn refuses.</summary>
    TransportResult WarmUp(
        LinearProblem problem,
        Potentials? start,
        IBackend backend,
        Stopwatch clock,
        CancellationToken cancellation
    )
    {
        var plain = new SinkhornOptions
        {
            Tolerance = _options.Tolerance,
            Acceleration = Acceleration.None,
            CheckEvery = 1,
            TimeLimit = _options.TimeLimit,
            Progress = _options.Progress,
            Schedule = EpsilonSchedule.None,
            MaxIterations = _options.WarmupIterations,
        };
        TransportResult Run(SinkhornOptions options) =>
            start is null
                ? new Sinkhorn(options, backend) { LooksForProof = false }.Solve(problem, cancellation)
                : new Sinkhorn(options, backend) { LooksForProof = false }.Solve(problem, start, cancellation);
        bool anneals = start is null && _options.Schedule != EpsilonSchedule.None;
        if (!anneals)
            return Run(plain);
        TransportResult annealed = Run(
            plain with
            {
                Tolerance = Math.Max(AnnealedError, _options.Tolerance),
                MaxIterations = AnnealingIterations,
                Schedule = _options.Schedule,
            }
        );
        if (annealed.Status is not (SolverStatus.Converged or SolverStatus.IterationLimit) || annealed.Potentials is null)
            return annealed;
        start = annealed.Potentials;
        problem = annealed.Problem;
        TransportResult warm = Run(
            plain with
            {
                TimeLimit = TimeLeft(clock),
                Progress = ProgressAfter(annealed.Iterations, clock),
            }
        );
        return With(warm, warm.Status, annealed.Iterations + warm.Iterations, [.. annealed.Errors, .. warm.Errors], warm.Message);
    }

    static TransportResult Together(
        TransportResult warm,
        SparseNewtonRun run,
        TransportResult result,
        SparseNewtonRun.Ending ending,
        CancellationToken cancellation
    )
    {
        bool goesOn = ending == SparseNewtonRun.Ending.NoWay;
        string account = string.Create(
            CultureInfo.InvariantCulture,
            $"{warm.Iterations} Sinkhorn iterations, {run.Steps} Newton steps, {run.Analyses} analyses; at most {run.MostEntries} entries kept, fill {run.MostFill}, dense tail {run.LargestTail}."
        );
        if (goesOn)
            account +=
                $" Newton's steps made no way at an error of {run.Error.ToString("E1", CultureInfo.InvariantCulture)}: Sinkhorn went on, {result.Iterations} iterations.";
        SolverStatus status = ending switch
        {
            SparseNewtonRun.Ending.Stopped => cancellation.IsCancellationRequested
                ? SolverStatus.Cancelled
                : SolverStatus.TimeLimit,
            SparseNewtonRun.Ending.StepLimit when !result.Converged => SolverStatus.IterationLimit,
            SparseNewtonRun.Ending.Converged when result.Status == SolverStatus.IterationLimit => SolverStatus.Stalled,
            _ => result.Status,
        };
        int iterations = warm.Iterations + run.Steps + (goesOn ? result.Iterations : 0);
        return With(
            result,
            status,
            iterations,
            [.. warm.Errors, .. run.Errors, .. goesOn ? result.Errors : []],
            $"{warm.Message} {account} {result.Message}".Trim()
        );
    }

    static TransportResult With(
        TransportResult result,
        SolverStatus status,
        int iterations,
        System.Collections.Immutable.ImmutableArray<double> errors,
        string message
    ) =>
        new()
        {
            Problem = result.Problem,
            Status = status,
            Iterations = iterations,
            Errors = errors,
            Backend = result.Backend,
            Message = message,
            Plan = result.Plan,
            Potentials = result.Potentials,
            Epsilon = result.Epsilon,
            TransportCost = result.TransportCost,
            RegularizerValue = result.RegularizerValue,
            PenaltyValueA = result.PenaltyValueA,
            PenaltyValueB = result.PenaltyValueB,
            MarginalError = result.MarginalError,
        };
}
