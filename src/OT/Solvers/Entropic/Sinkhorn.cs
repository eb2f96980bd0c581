using OT.Backends;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Entropic optimal transport by Sinkhorn's iteration.</summary>
public sealed class Sinkhorn(SinkhornOptions? options = null, IBackend? backend = null) : ISolver<LinearProblem, TransportResult>
{
    readonly SinkhornOptions _options = options ?? new();
    readonly IBackend? _backend = backend;

    /// <summary>Whether this solver takes the problem.</summary>
    public static bool Supports(LinearProblem problem) => problem.Regularizer is EntropyRegularizer;

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) => throw new NotSupportedException(_options.ToString() + _backend);

    /// <summary>Starts from given potentials.</summary>
    public TransportResult Solve(LinearProblem problem, Potentials start, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Goes on from a checkpoint.</summary>
    public TransportResult Solve(LinearProblem problem, SinkhornState state, CancellationToken cancellation = default) => throw new NotSupportedException();
}
