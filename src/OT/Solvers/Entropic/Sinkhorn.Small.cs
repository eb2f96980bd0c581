using System.Collections.Immutable;
using System.Globalization;
using OT.Geometries;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Small problems, where setting up the large engine would cost more than the solve.</summary>
public sealed partial class Sinkhorn
{
    /// <summary>One workspace per thread that solves small problems: at most a few hundred kilobytes.</summary>
    [ThreadStatic]
    static SmallSinkhorn? t_small;

    [ThreadStatic]
    static double[]? t_costs;

    /// <summary>Whether a problem of this size may be solved by the small engine: no back end was asked for, and no option that it lacks.</summary>
    internal bool MayBeSmall(long pairs) => _backend is null && pairs <= SmallSinkhorn.MaxPairs && _honoured;

    /// <summary>The answer of the small engine, or null where the large one is needed.</summary>
    TransportResult? SolveSmall(LinearProblem problem, double epsilon)
    {
        int n = problem.A.Count,
            m = problem.B.Count;
        if (!MayBeSmall((long)n * m))
            return null;
        SmallSinkhorn solver = t_small ??= new SmallSinkhorn();
        double[] f = new double[n],
            g = new double[m];
        SmallProblem small = ViewOf(problem, epsilon);
        if (!solver.Solve(small, _options, f, g, made: 0, out SmallAnswer answer))
            return null;
        return ResultOf(problem, epsilon, f, g, answer, SolverStatus.Converged, small.TargetScale, [.. solver.Errors]);
    }

    static SmallProblem ViewOf(LinearProblem problem, double epsilon) =>
        new()
        {
            Costs = CostsOf(problem.Geometry),
            A = problem.A.Weights,
            B = problem.B.Weights,
            MassA = problem.A.Mass,
            MassB = problem.B.Mass,
            MassSlack = Math.Max(problem.A.MassSlack, problem.B.MassSlack),
            Epsilon = epsilon,
            Bound = problem.Geometry.MagnitudeBound,
            PenaltyA = problem.PenaltyA,
            PenaltyB = problem.PenaltyB,
        };

    /// <summary>The costs of a small geometry, row after row; valid until the thread's next call.</summary>
    static ReadOnlySpan<double> CostsOf(Geometry geometry)
    {
        if (geometry is CostMatrix { Doubles: { } stored })
            return stored;
        int m = geometry.Columns,
            pairs = geometry.Rows * m;
        // A cost may solve a problem of its own meanwhile, on this thread: it must not find this table.
        double[] costs = t_costs ?? new double[SmallSinkhorn.MaxPairs];
        t_costs = null;
        for (int i = 0; i < geometry.Rows; i++)
            geometry.CostRow(i, costs.AsSpan(i * m, m));
        t_costs = costs;
        return costs.AsSpan(0, pairs);
    }

    /// <summary>A result in the form of the large engine's.</summary>
    internal static TransportResult ResultOf(
        LinearProblem problem,
        double epsilon,
        ReadOnlySpan<double> f,
        ReadOnlySpan<double> g,
        in SmallAnswer answer,
        SolverStatus status,
        double targetScale,
        ImmutableArray<double> errors,
        string? backend = null
    )
    {
        Measure b = targetScale == 1 ? problem.B : problem.B.Scale(targetScale);
        var potentials = new Potentials(f, g);
        return new TransportResult
        {
            Problem = targetScale == 1 ? problem : problem.WithTarget(b),
            Status = status,
            Iterations = answer.Iterations,
            Errors = errors,
            Backend = backend ?? SmallSinkhorn.Description,
            Message =
                targetScale == 1
                    ? ""
                    : string.Create(
                        CultureInfo.InvariantCulture,
                        $"Target weights were scaled by {targetScale:G17} to the source mass."
                    ),
            Plan = new PotentialPlan(problem.Geometry, problem.A, b, potentials, epsilon),
            Potentials = potentials,
            Epsilon = epsilon,
            TransportCost = answer.TransportCost,
            RegularizerValue = answer.Entropy,
            PenaltyValueA = answer.PenaltyA,
            PenaltyValueB = answer.PenaltyB,
            MarginalError = answer.Error,
        };
    }
}
