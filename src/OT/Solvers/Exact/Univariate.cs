using OT.Problems;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>Univariate.</summary>
public sealed class Univariate(ExactOptions? options = null) : ISolver<LinearProblem, TransportResult>
{
    readonly ExactOptions _options = options ?? new();

    /// <summary>Whether this solver takes the problem.</summary>
    public static bool Supports(LinearProblem problem) => problem is not null;

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) => throw new NotSupportedException(_options.ToString());
}
