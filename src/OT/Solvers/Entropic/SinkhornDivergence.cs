using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>
/// The Sinkhorn divergence, <c>S(a, b) = OT(a, b) − OT(a, a)/2 − OT(b, b)/2 + (ε/2)(m_a − m_b)²</c>: entropic transport without its bias, 0 where a = b, with
/// gradients in points and weights.
/// </summary>
/// <remarks>
/// <para>
/// All three terms share one absolute ε and one ground cost. The cross term is solved by <see cref="Sinkhorn"/>, the terms of a measure with itself by the
/// symmetric iteration, which takes some tens of passes at any ε. Streamed over points: O(nm + n² + m²) time per iteration, O(n + m) memory. Not negative, but for the
/// tolerance, for costs |x − y| and |x − y|²; other costs have no such promise.
/// </para>
/// <para>See docs/theory/divergence.md. Sources: Genevay et al. 2018; Feydy et al. 2019; Séjourné et al. 2019 (penalties).</para>
/// </remarks>
public sealed class SinkhornDivergence : ISolver<LinearProblem, DivergenceResult>
{
    readonly SinkhornOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance, precision and acceleration of each term, time limit of all three; defaults when left out.</param>
    /// <param name="backend">Where the O(nm) work runs; a managed back end on all processors when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range, or is <see cref="SinkhornOptions.Round"/>, <see cref="SinkhornOptions.Checkpoint"/> or no <see cref="SinkhornOptions.StopEarly"/>, which mean nothing here.</exception>
    public SinkhornDivergence(SinkhornOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new SinkhornOptions();
        _options.Validate();
        if (_options.Round || _options.Checkpoint is not null || !_options.StopEarly)
        {
            throw new ArgumentException(
                "A divergence has three plans, each as accurate as the tolerance: none of Round, Checkpoint and StopEarly = false applies.",
                nameof(options)
            );
        }
        _backend = backend;
    }

    /// <summary>Whether this solver takes the problem: entropy, equal penalties on both sides, and points or one set of bins with symmetric costs.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return WhyNot(problem) is null;
    }

    /// <inheritdoc/>
    /// <param name="problem">
    /// The cross term. Its geometry is a <see cref="PointCloud"/>, whose two clouds have costs of their own, or a square symmetric <see cref="CostMatrix"/> or
    /// <see cref="Grid"/>: costs within the one set of bins that both measures live on. A relative ε is resolved on these costs.
    /// </param>
    /// <param name="cancellation">Ends with <see cref="SolverStatus.Cancelled"/>; terms that were not reached are null and values NaN.</param>
    public DivergenceResult Solve(LinearProblem problem, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (WhyNot(problem) is { } reason)
            throw new NotSupportedException(reason);
        using ManagedBackend? own = _backend is null ? new ManagedBackend() : null;
        IBackend backend = _backend ?? own!;
        using AgreedToken stop = backend.Share.Agree(cancellation);
        bool small = _backend is null && (long)problem.Geometry.Rows * problem.Geometry.Columns <= SmallSinkhorn.MaxPairs;
        var run = new Run(problem, _options, backend, small ? null : backend, cancellation, stop.Token);
        return SolverResult.Timed(backend, run.Solve);
    }

    internal static string? WhyNot(LinearProblem problem)
    {
        if (!Sinkhorn.Supports(problem))
            return "A Sinkhorn divergence needs an entropic regulariser: set LinearProblem.Regularizer to Regularizer.Entropy(...).";
        if (problem.PenaltyA != problem.PenaltyB)
            return "A Sinkhorn divergence needs the same penalty on both sides: the terms of a measure with itself have only one.";
        if (problem.PenaltyA.IsTotalVariation)
            return "A Sinkhorn divergence is made of Kullback-Leibler penalties or hard marginals: set MarginalPenalty.KullbackLeibler(...).";
        return problem.Geometry is PointCloud || (problem.Geometry is Grid or CostMatrix && IsSymmetric(problem.Geometry))
            ? null
            : "A Sinkhorn divergence needs the costs within each measure, too: give points (PointCloud), or costs within one set of bins, square and symmetric (CostMatrix, Grid).";
    }

    /// <summary>Whether C is square and equal to its transpose, to the last bit. O(n²), but for grids and one cloud of points.</summary>
    internal static bool IsSymmetric(Geometry costs) =>
        costs switch
        {
            Grid grid => grid.AxisCosts.All(axis => IsSymmetric(axis.Rows, axis.Columns, (i, j) => axis[i, j])),
            PointCloud { GroundCost.IsSymmetric: true } cloud when ReferenceEquals(cloud.Source, cloud.Target) => true,
            _ => IsSymmetric(costs.Rows, costs.Columns, costs.Cost),
        };

    static bool IsSymmetric(int rows, int columns, Func<int, int, double> cost)
    {
        for (int i = 0; i < rows && rows == columns; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (cost(i, j) != cost(j, i))
                    return false;
            }
        }
        return rows == columns;
    }

    /// <summary>Refuses a user's cost that is not symmetric within a cloud. O(n²) evaluations for such costs, nothing for others.</summary>
    internal static void CheckSymmetric(GroundCost cost, Matrix points, CancellationToken cancellation)
    {
        for (int i = 0; i < points.Rows && !cost.IsSymmetric && !cancellation.IsCancellationRequested; i++)
        {
            for (int j = 0; j < i; j++)
                cost.CheckSymmetric(points.Row(i), points.Row(j));
        }
    }

    /// <summary>Whether both measures are the same, to the last bit.</summary>
    internal static bool IsSelf(LinearProblem problem) =>
        problem.A.Weights.SequenceEqual(problem.B.Weights)
        && (
            problem.Geometry is not PointCloud cloud
            || (cloud.Source.Columns == cloud.Target.Columns && cloud.Source.Values.SequenceEqual(cloud.Target.Values))
        );

    /// <summary>One solve: the caller's token for what agrees on one by itself, the agreed one for what is decided here.</summary>
    sealed class Run(
        LinearProblem problem,
        SinkhornOptions options,
        IBackend backend,
        IBackend? crossBackend,
        CancellationToken cancellation,
        CancellationToken agreed
    )
    {
        readonly Stopwatch _clock = Stopwatch.StartNew();

        public DivergenceResult Solve()
        {
            TransportResult cross = new Sinkhorn(Rest(), crossBackend).Solve(problem, cancellation);
            if (cross.Potentials is null || agreed.IsCancellationRequested)
                return Report(cross, null, null);
            // The cross term holds the absolute ε, and b scaled to a's mass.
            LinearProblem solved = cross.Problem;
            (Geometry sourceCosts, Geometry targetCosts) = SelfCosts();
            TransportResult xx = Self(sourceCosts, solved.A, cross);
            if (IsSelf(solved))
                return Report(xx, xx, xx); // one and the same problem: S is 0 to the last bit
            TransportResult? yy = agreed.IsCancellationRequested ? null : Self(targetCosts, solved.B, cross);
            return Report(cross, xx, yy);
        }

        /// <summary>The options with the time that is left.</summary>
        SinkhornOptions Rest()
        {
            if (options.TimeLimit == Timeout.InfiniteTimeSpan)
                return options;
            TimeSpan rest = options.TimeLimit - _clock.Elapsed;
            return options with { TimeLimit = rest > TimeSpan.Zero ? rest : TimeSpan.Zero };
        }

        /// <summary>A measure with itself, at the cross term's absolute ε and with the penalties that it was solved with.</summary>
        TransportResult Self(Geometry costs, Measure measure, TransportResult cross)
        {
            double epsilon = cross.Epsilon;
            var term = new LinearProblem(costs, measure, measure)
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
                PenaltyA = cross.Problem.PenaltyA,
                PenaltyB = cross.Problem.PenaltyB,
            };
            SinkhornOptions rest = Rest() with { Progress = null };
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            if (rest.TimeLimit != Timeout.InfiniteTimeSpan && rest.TimeLimit.TotalMilliseconds < int.MaxValue)
                limited.CancelAfter(rest.TimeLimit);
            using AgreedToken limit = backend.Share.Agree(limited.Token);
            return new SymmetricSinkhorn(rest, backend).Solve(term, epsilon, limit.Token, agreed);
        }

        (Geometry Source, Geometry Target) SelfCosts()
        {
            if (problem.Geometry is not PointCloud cloud)
                return (problem.Geometry, problem.Geometry);
            CheckSymmetric(cloud.GroundCost, cloud.Source, agreed);
            CheckSymmetric(cloud.GroundCost, cloud.Target, agreed);
            return (
                new PointCloud(cloud.Source, cloud.Source, cloud.GroundCost),
                new PointCloud(cloud.Target, cloud.Target, cloud.GroundCost)
            );
        }

        DivergenceResult Report(TransportResult cross, TransportResult? xx, TransportResult? yy)
        {
            double[] a = ImplicitGradient.NotComputed(problem.A.Count),
                b = ImplicitGradient.NotComputed(problem.B.Count);
            double value = double.NaN;
            if (xx?.Potentials is not null && yy?.Potentials is not null)
            {
                double shift = cross.Problem.IsBalanced ? 0 : cross.Epsilon * (problem.A.Mass - problem.B.Mass);
                EntropicGradient both = EntropicGradient.Of(cross);
                a = Difference(both.A, EntropicGradient.Of(xx).A, shift);
                b = Difference(both.B, EntropicGradient.Of(yy).A, -shift);
                value = ReferenceEquals(cross, xx)
                    ? 0
                    : Dual(cross) - (Dual(xx) / 2) - (Dual(yy) / 2) + DivergenceResult.MassTerm(cross.Problem, cross.Epsilon);
            }
            SolverStatus status = Worst(cross, xx, yy);
            if (status == SolverStatus.Converged && !double.IsFinite(value))
                status = agreed.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.NumericalFailure;
            return new DivergenceResult(a, b)
            {
                Status = status,
                Iterations = cross.Iterations + (xx?.Iterations ?? 0) + (yy?.Iterations ?? 0),
                Value = value,
                Epsilon = cross.Epsilon,
                Cross = cross,
                SelfSource = xx,
                SelfTarget = yy,
                Backend = cross.Backend,
                Message = string.Join(
                    ' ',
                    ((TransportResult?[])[cross, xx, yy])
                        .Select(t => t?.Message)
                        .Where(t => t is { Length: > 0 })
                        .Distinct(StringComparer.Ordinal)
                ),
            };
        }

        double Dual(TransportResult term) => EntropicDual.Value(term, backend, agreed);

        /// <summary>The cross term's gradient less the self term's, and the change of <c>(ε/2)(m_a − m_b)²</c>.</summary>
        static double[] Difference(ReadOnlySpan<double> cross, ReadOnlySpan<double> self, double shift)
        {
            var difference = new double[cross.Length];
            for (int k = 0; k < difference.Length; k++)
                difference[k] = cross[k] - self[k] + shift;
            return difference;
        }

        /// <summary>The status that says most about why the value is not what was asked for.</summary>
        static SolverStatus Worst(params ReadOnlySpan<TransportResult?> terms)
        {
            SolverStatus[] gravest =
            [
                SolverStatus.Infeasible,
                SolverStatus.NumericalFailure,
                SolverStatus.Cancelled,
                SolverStatus.TimeLimit,
                SolverStatus.IterationLimit,
                SolverStatus.Stalled,
            ];
            foreach (SolverStatus status in gravest)
            {
                foreach (TransportResult? term in terms)
                {
                    if (term?.Status == status)
                        return status;
                }
            }
            return SolverStatus.Converged;
        }
    }
}
