using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Convex;

/// <summary>
/// Any convex objective over plans with hard marginals, by one gradient and one rescaling per iteration: <c>log Q = log P − η G</c>, then the rows or the columns of Q are brought to their weights.
/// </summary>
/// <remarks>
/// <para>
/// <see cref="ConvexProblem"/>: O(nm) per iteration, one exponential per entry, on one thread; five n × m tables. Answers with the better of the rounded average and the rounded last iterate, with a
/// certified lower bound where the objective is convex. Converges like 1/√t; noisy gradients are fine.
/// </para>
/// <para>
/// <see cref="LinearProblem"/>: the same iteration on potentials, Sinkhorn at a falling temperature, in O(n + m) memory on any geometry and back end; answers with the rounded last iterate. Deterministic: no seed is used.
/// </para>
/// <para>Sources: Ballu and Berthet, ICML 2023, Algorithm 1 and Theorem 3.1; docs/theory/mirror-sinkhorn.md.</para>
/// </remarks>
public sealed class MirrorSinkhorn : ISolver<ConvexProblem, MirrorSinkhornResult>, ISolver<LinearProblem, TransportResult>
{
    readonly MirrorSinkhornOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Steps, average, limits; defaults when left out.</param>
    /// <param name="backend">Where linear problems run; a managed back end on all processors when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public MirrorSinkhorn(MirrorSinkhornOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new MirrorSinkhornOptions();
        _options.Validate();
        _backend = backend;
    }

    /// <summary>Whether this solver takes the linear problem: no regulariser, both marginals exact. Entropy is an objective: <see cref="TransportObjective.Entropic"/>.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is NoRegularizer && problem.IsBalanced;
    }

    /// <summary>Minimises a convex objective. Never throws for what the objective throws: <see cref="SolverResult.Status"/> and <see cref="SolverResult.Message"/> tell.</summary>
    /// <exception cref="ArgumentException">The n × m table does not fit in an array.</exception>
    public MirrorSinkhornResult Solve(ConvexProblem problem, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return new MirrorRun(problem, _options, cancellation).Solve();
    }

    /// <summary>Minimises <c>⟨C, P⟩</c> without an n × m table.</summary>
    /// <exception cref="NotSupportedException">The problem has a regulariser or penalties.</exception>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "MirrorSinkhorn takes linear problems without a regulariser and with exact marginals: use Sinkhorn, or a ConvexProblem with TransportObjective.Entropic."
            );
        }
        using ManagedBackend? own = _backend is null ? new ManagedBackend() : null;
        IBackend backend = _backend ?? own!;
        using CancellationTokenSource limited = _options.Limit(cancellation);
        using AgreedToken stop = backend.Share.Agree(cancellation),
            limit = backend.Share.Agree(limited.Token);
        using var run = new AnnealedRun(problem, _options, backend, stop.Token, limit.Token);
        return SolverResult.Timed(backend, run.Solve);
    }
}
