using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Entropic transport of a measure to itself for a symmetric cost: both potentials are one, found by <c>f ← (f + τ softmin(f)) / 2</c>.</summary>
/// <remarks>
/// Where exp(−C/ε) is positive semidefinite, as for |x − y| and |x − y|², the error about halves with each iteration, whatever ε is. Where it is not, the
/// iteration may crawl, and <see cref="Sinkhorn"/> goes on from where it got to; its two potentials are then averaged, for the exchanged pair is optimal too and
/// the dual concave. See docs/theory/divergence.md.
/// </remarks>
/// <param name="options">Tolerance, limits and precision.</param>
/// <param name="backend">Where the O(n²) work runs.</param>
internal sealed class SymmetricSinkhorn(SinkhornOptions options, IBackend backend)
{
    /// <summary>Halving 60 times is more than doubles hold; what has not converged by three times that does not halve.</summary>
    const int PatientIterations = 180;

    /// <summary>Solves.</summary>
    /// <param name="problem">Equal marginals and penalties, a symmetric cost, an absolute ε.</param>
    /// <param name="epsilon">That ε.</param>
    /// <param name="limit">Stops the iteration: the caller's token, or the end of the time.</param>
    /// <param name="cancellation">The caller's token alone, which also stops the evaluation.</param>
    public TransportResult Solve(LinearProblem problem, double epsilon, CancellationToken limit, CancellationToken cancellation)
    {
        var f = new double[problem.A.Count];
        (int iterations, SolverStatus status) = Iterate(problem, epsilon, f, limit);
        string message = "";
        if (status == SolverStatus.IterationLimit && iterations < options.MaxIterations)
        {
            SinkhornOptions rest = options with { MaxIterations = options.MaxIterations - iterations };
            bool usable = double.IsFinite(Summation.Sum(f));
            TransportResult result = usable
                ? new Sinkhorn(rest, backend).Solve(problem, new Potentials(f, f), limit)
                : new Sinkhorn(rest, backend).Solve(problem, limit);
            if (result.Potentials is not { } potentials)
                return result;
            for (int i = 0; i < f.Length; i++)
                f[i] = (potentials.F[i] + potentials.G[i]) / 2;
            (iterations, status, message) = (iterations + result.Iterations, result.Status, result.Message);
        }
        if (status == SolverStatus.Cancelled && !cancellation.IsCancellationRequested)
            status = SolverStatus.TimeLimit;
        return Evaluate(problem, epsilon, f, iterations, status, message, cancellation);
    }

    (int Iterations, SolverStatus Status) Iterate(LinearProblem problem, double epsilon, double[] f, CancellationToken limit)
    {
        ReadOnlySpan<double> weights = problem.A.Weights;
        double[] log = VectorMath.LogWeights(weights),
            next = new double[f.Length];
        double rho = problem.PenaltyA.Rho,
            tau = problem.PenaltyA.Tau(epsilon),
            bound = Math.Max(problem.Geometry.MagnitudeBound, epsilon);
        // A penalty weighs errors by ρ, a hard marginal by the costs.
        double target = problem.A.Mass * options.Tolerance * (double.IsFinite(rho) ? Math.Min(1, bound / rho) : 1);
        using ICostOperator op = backend.Bind(problem.Geometry, options.Precision, limit);
        for (int iteration = 0; iteration < Math.Min(options.MaxIterations, PatientIterations); iteration++)
        {
            op.SoftMinRows(f, log, epsilon, next);
            if (op.Interrupted)
                return (iteration, SolverStatus.Cancelled);
            // Both marginals of the plan of (f, f) are w exp((f − softmin)/ε).
            double error = 0;
            for (int i = 0; i < f.Length; i++)
            {
                if (weights[i] > 0)
                    error += 2 * weights[i] * Math.Abs(Math.Exp((f[i] - next[i]) / epsilon) - Math.Exp(-f[i] / rho));
            }
            if (error <= target)
                return (iteration, SolverStatus.Converged);
            if (!double.IsFinite(error))
                return (iteration, SolverStatus.IterationLimit);
            // Empty bins follow the others at once: no error tells how far they are behind.
            for (int i = 0; i < f.Length; i++)
                f[i] = weights[i] > 0 ? (f[i] + (tau * next[i])) / 2 : tau * next[i];
        }
        return (Math.Min(options.MaxIterations, PatientIterations), SolverStatus.IterationLimit);
    }

    /// <summary>Every part of the value at the plan of (f, f), in doubles.</summary>
    TransportResult Evaluate(
        LinearProblem problem,
        double epsilon,
        double[] f,
        int iterations,
        SolverStatus status,
        string message,
        CancellationToken cancellation
    )
    {
        var potentials = new Potentials(f, f);
        double[] log = VectorMath.LogWeights(problem.A.Weights),
            rows = new double[f.Length],
            columns = new double[f.Length];
        using ICostOperator op = backend.Bind(problem.Geometry, Precision.Float64, cancellation);
        double cost = op.TransportCost(
            new GibbsPlan
            {
                F = f,
                G = f,
                LogA = log,
                LogB = log,
                Epsilon = epsilon,
            },
            rows,
            columns
        );
        if (op.Interrupted)
            (cost, status) = (double.NaN, SolverStatus.Cancelled);
        ReadOnlySpan<double> weights = problem.A.Weights;
        double error = 0;
        for (int i = 0; i < f.Length; i++)
        {
            if (weights[i] == 0)
                continue;
            error += 2 * Math.Abs(rows[i] - (weights[i] * Math.Exp(-f[i] / problem.PenaltyA.Rho)));
        }
        if (status == SolverStatus.Converged && error > options.Tolerance * problem.A.Mass)
            (status, message) = (
                SolverStatus.Stalled,
                $"{message} Rounding allows no smaller error in {options.Precision}.".TrimStart()
            );
        double penalty = SinkhornRun.Penalty(rows, weights, problem.PenaltyA);
        double mass = problem.IsBalanced ? problem.A.Mass : Summation.Sum(rows);
        return new TransportResult
        {
            Problem = problem,
            Status = status,
            Iterations = iterations,
            Epsilon = epsilon,
            Plan = new PotentialPlan(problem.Geometry, problem.A, problem.A, potentials, epsilon),
            Potentials = potentials,
            TransportCost = cost,
            // ε Σ P log(P/ab) = Σ P (2f − C)
            RegularizerValue = (2 * Summation.Dot(rows, f)) - cost - (epsilon * (mass - (problem.A.Mass * problem.A.Mass))),
            PenaltyValueA = penalty,
            PenaltyValueB = penalty,
            MarginalError = error,
            Backend = op.Description,
            Message = message,
        };
    }
}
