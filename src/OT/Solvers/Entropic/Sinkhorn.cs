using System.Globalization;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Solvers.Entropic;

/// <summary>
/// Entropic optimal transport, balanced or with Kullback-Leibler or total variation penalties, by Sinkhorn's iteration:
/// <c>f ← τ_a softmin_ε(C − g)</c>, <c>g ← τ_b softmin_ε(C − f)</c> in the log domain, kept between −ρ and ρ with total variation.
/// </summary>
/// <remarks>
/// <para>
/// Maximises <c>⟨a, f⟩ + ⟨b, g⟩ − ε Σ a_i b_j (exp((f_i + g_j − C_ij)/ε) − 1)</c> (with penalties <c>ρ Σ a (1 − exp(−f/ρ))</c>, or <c>Σ a min(f, ρ)</c>, for the linear terms).
/// Each iteration reads or evaluates C once and takes one exponential per entry; memory is O(n + m) beyond the geometry.
/// Zero weights are legal; their potentials are the soft c-transform of the others.
/// </para>
/// <para>See docs/theory/sinkhorn.md. Sources: Cuturi 2013; Schmitzer 2019; Thibault et al. 2021; Séjourné, Vialard, Peyré 2022.</para>
/// </remarks>
public sealed partial class Sinkhorn : ISolver<LinearProblem, TransportResult>
{
    /// <summary>Exponents <c>C/ε</c> are trusted to 2⁻⁸: ε must be at least this share of the largest cost.</summary>
    const double Float64Resolution = 1.0 / (1L << 44);
    const double Float32Resolution = 1.0 / (1L << 15);

    /// <summary>ε KL rounds to 2⁻⁵³ ε: with a larger multiple of the largest cost, costs are no longer seen to six digits.</summary>
    const double LargestEpsilon = 1L << 30;

    /// <summary>A smaller ε has no finite reciprocal, or nearly so; costs and potentials near it lose digits to underflow.</summary>
    const double SmallestEpsilon = 1e-290;

    /// <summary>The mass of <c>a ⊗ b</c> is the square of this, which must neither vanish nor overflow.</summary>
    const double LargestMass = 1e150;

    readonly SinkhornOptions _options;
    readonly IBackend? _backend;
    readonly bool _honoured;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance, limits, acceleration; defaults when left out.</param>
    /// <param name="backend">Where the O(nm) work runs; a managed back end on all processors when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public Sinkhorn(SinkhornOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new SinkhornOptions();
        _options.Validate();
        _backend = backend;
        _honoured = SmallSinkhorn.Honours(_options);
    }

    /// <summary>Problems up to so many pairs get an epsilon and an answer even when the time limit is zero.</summary>
    internal const long UninterruptedPairs = 1_000_000;

    /// <summary>Whether a run over forbidden pairs that did not converge is followed by a look for a proof that no plan exists; not so for a warm-up.</summary>
    internal bool LooksForProof { get; init; } = true;

    /// <summary>Whether this solver takes the problem: it needs an entropic regulariser.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is EntropyRegularizer;
    }

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, null, null, cancellation);

    /// <summary>Starts from given potentials, which changes the number of iterations and never the optimum.</summary>
    /// <exception cref="ArgumentException">The potentials do not fit the problem.</exception>
    public TransportResult Solve(LinearProblem problem, Potentials start, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(start);
        return Solve(problem, start, null, cancellation);
    }

    /// <summary>Goes on from a checkpoint, with the same bits as the run that wrote it.</summary>
    /// <exception cref="ArgumentException">The state belongs to another problem.</exception>
    public TransportResult Solve(LinearProblem problem, SinkhornState state, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(state);
        state.Validate();
        return Solve(problem, state.Potentials, state, cancellation);
    }

    TransportResult Solve(LinearProblem problem, Potentials? start, SinkhornState? state, CancellationToken cancellation) =>
        SolverResult.Timed(_backend, () => Run(problem, start, state, cancellation));

    TransportResult Run(LinearProblem problem, Potentials? start, SinkhornState? state, CancellationToken cancellation)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "Sinkhorn needs an entropic regulariser: set LinearProblem.Regularizer to Regularizer.Entropy(...), or use NetworkSimplex for exact transport."
            );
        }
        CheckMass(problem.A.Mass, "source");
        CheckMass(problem.B.Mass, "target");
        IRowShare share = _backend?.Share ?? RowShare.Whole;
        using CancellationTokenSource limited = _options.Limit(cancellation);
        using AgreedToken stop = share.Agree(cancellation),
            limit = share.Agree(limited.Token);
        double epsilon = double.NaN;
        (bool[] Rows, bool[] Columns) partners;
        try
        {
            // Problems of a million pairs and less are looked at in milliseconds, whatever the limit.
            CancellationToken scan = (long)problem.A.Count * problem.B.Count > UninterruptedPairs ? limit.Token : default;
            epsilon = ((EntropyRegularizer)problem.Regularizer).Epsilon.Resolve(problem.Geometry, scan);
            CheckResolution(problem.Geometry.MagnitudeBound, epsilon, _options.Precision);
            partners = WithPartners(problem, share, scan);
        }
        catch (OperationCanceledException)
        {
            return WithoutPlan(
                problem,
                epsilon,
                stop.Token.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit,
                "Stopped in a first look at the costs, before any iteration."
            );
        }
        if (start is not null)
        {
            Guard.Length(start.F.Length, problem.Geometry.Rows, nameof(start));
            Guard.Length(start.G.Length, problem.Geometry.Columns, nameof(start));
        }
        if (state is not null && Math.Abs(state.Epsilon - epsilon) > 1e-12 * epsilon)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The state was written at epsilon {state.Epsilon}, the problem has {epsilon}."
                ),
                nameof(state)
            );
        }
        if (share.Gather<bool>([state is null]).Distinct().Count() > 1)
            throw new ArgumentException("Some processes were given a state to go on from, others none: give all the same.");
        if (state is { Problem: not 0 } && state.Problem != SinkhornState.ProblemOf(problem))
            throw new ArgumentException("The state was written for other costs, weights or penalties.", nameof(state));
        if (WhyInfeasible(problem, partners.Rows, partners.Columns) is { } reason)
            return WithoutPlan(problem, epsilon, SolverStatus.Infeasible, reason);
        if (start is null && !limit.Token.IsCancellationRequested && SolveSmall(problem, epsilon) is { } small)
            return small;

        using ManagedBackend? own = _backend is null ? new ManagedBackend() : null;
        using var run = new SinkhornRun(
            problem,
            epsilon,
            _options,
            _backend ?? own!,
            start,
            state,
            partners,
            stop.Token,
            limit.Token
        );
        TransportResult result = run.Solve();
        // An exact solver looks at all pairs in one process.
        bool proves = LooksForProof && ReferenceEquals(share, RowShare.Whole);
        return proves && _options.StopEarly && WhyNoPlanExists(result, limit.Token) is { } proof
            ? WithoutPlan(problem, epsilon, SolverStatus.Infeasible, proof)
            : result;
    }

    /// <summary>Bytes of a solve beside its operator: potentials, weights, the history of the acceleration, and a table where costs are tabulated.</summary>
    internal static long OwnBytes(Geometry geometry, IBackend backend) =>
        checked(
            backend.TableBytes(geometry)
            + (sizeof(double) * ((10L * geometry.Rows) + ((12 + (2L * SinkhornRun.AndersonMemory)) * geometry.Columns)))
        );

    /// <summary>Whether the square of a mass stays in the range of doubles.</summary>
    internal static bool TakesMass(double mass) => mass is >= 1 / LargestMass and <= LargestMass;

    internal static void CheckMass(double mass, string side)
    {
        if (!TakesMass(mass))
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The {side} mass is {mass:G6}. KL(P | a ⊗ b) holds its square: scale the weights to a mass between {1 / LargestMass:G1} and {LargestMass:G1}."
                )
            );
        }
    }

    /// <summary>The smallest epsilon that is taken with costs up to a bound.</summary>
    internal static double LeastEpsilon(double bound, Precision precision) =>
        Math.Max(SmallestEpsilon, bound * (precision == Precision.Float64 ? Float64Resolution : Float32Resolution));

    internal static void CheckResolution(double bound, double epsilon, Precision precision)
    {
        double smallest = LeastEpsilon(bound, precision);
        if (epsilon < smallest)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Epsilon {epsilon:G6} is below what {precision} resolves for these costs: the smallest is {smallest:G6}."
                )
            );
        }
        double largest = bound * LargestEpsilon;
        if (epsilon > largest && largest > 0)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Epsilon {epsilon:G6} hides these costs behind the rounding of the entropy: the largest is {largest:G6}."
                )
            );
        }
    }

    /// <summary>Which bins have weight and an allowed partner with weight; empty where no pair is forbidden.</summary>
    internal static (bool[] Rows, bool[] Columns) WithPartners(
        LinearProblem problem,
        IRowShare share,
        CancellationToken cancellation
    )
    {
        if (!problem.Geometry.HasForbiddenPairs)
            return ([], []);
        ReadOnlySpan<double> a = problem.A.Weights,
            b = problem.B.Weights;
        var costs = new double[b.Length];
        var rows = new bool[a.Length];
        var columns = new bool[b.Length];
        (int start, int end) = share.RowsOf(a.Length);
        for (int i = start; i < end; i++)
        {
            if (a[i] == 0)
                continue;
            cancellation.ThrowIfCancellationRequested();
            problem.Geometry.CostRow(i, costs);
            for (int j = 0; j < costs.Length; j++)
            {
                if (b[j] > 0 && !double.IsPositiveInfinity(costs[j]))
                    rows[i] = columns[j] = true;
            }
        }
        rows = share.Gather<bool>(rows.AsSpan(start..end));
        bool[] all = share.Gather<bool>(columns);
        for (int k = 0; k < all.Length; k++)
            columns[k % columns.Length] |= all[k];
        return (rows, columns);
    }

    /// <summary>Masses that differ, or a positive weight all of whose pairs are forbidden.</summary>
    internal static string? WhyInfeasible(LinearProblem problem, bool[] rows, bool[] columns)
    {
        if (!problem.MassesAgree)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"The source mass is {problem.A.Mass:G17}, the target mass {problem.B.Mass:G17}: hard marginals need equal masses."
            );
        }
        for (int i = 0; i < rows.Length && problem.PenaltyA.IsExact; i++)
        {
            double a = problem.A.Weights[i];
            if (a > 0 && !rows[i])
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"Row {i} holds {a:G6} and every one of its pairs is forbidden."
                );
        }
        for (int j = 0; j < columns.Length && problem.PenaltyB.IsExact; j++)
        {
            double b = problem.B.Weights[j];
            if (b > 0 && !columns[j])
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"Column {j} needs {b:G6} and every one of its pairs is forbidden."
                );
        }
        return null;
    }

    /// <summary>Where pairs are forbidden and the iteration did not converge, an exact solver decides whether any plan exists.</summary>
    internal static string? WhyNoPlanExists(TransportResult result, CancellationToken limit)
    {
        LinearProblem problem = result.Problem;
        bool undecided = result.Status is SolverStatus.IterationLimit or SolverStatus.Stalled or SolverStatus.NumericalFailure;
        if (!undecided || !problem.IsBalanced || !problem.Geometry.HasForbiddenPairs)
            return null;
        TransportResult exact = new NetworkSimplex().Solve(new LinearProblem(problem.Geometry, problem.A, problem.B), limit);
        return exact.Status == SolverStatus.Infeasible ? exact.Message : null;
    }

    internal static TransportResult WithoutPlan(LinearProblem problem, double epsilon, SolverStatus status, string reason)
    {
        int n = problem.Geometry.Rows,
            m = problem.Geometry.Columns;
        return new TransportResult
        {
            Problem = problem,
            Status = status,
            Iterations = 0,
            Epsilon = epsilon,
            Plan = new SparsePlan(new SparseMatrix(n, m, new long[n + 1], [], [])),
            TransportCost = double.NaN,
            MarginalError = problem.A.Mass + problem.B.Mass,
            Message = reason,
        };
    }
}
