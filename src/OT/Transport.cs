using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT;

/// <summary>The front door: picks a solver for a problem and says which and why.</summary>
public static class Transport
{
    /// <summary>Solves a linear problem; see <see cref="SolverResult.Why"/> for the solver and the reason.</summary>
    public static TransportResult Solve(LinearProblem problem, IBackend? backend = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    /// <summary>W_p between two uniformly weighted clouds: the p-th root is taken.</summary>
    public static double Distance(Matrix x, Matrix y, double p = 2) => throw new NotSupportedException();
}
