using System.Numerics.Tensors;
using OT.Numerics;
using OT.Problems;

namespace OT.Results;

/// <summary>What a reviewer can check without the solver: a feasible plan's value, a dual bound, and the gap between them.</summary>
/// <remarks>
/// Every number is recomputed from the problem, the plan and the potentials by at most two streaming passes over <c>Geometry.CostRow</c>
/// and <see cref="TransportPlan.Row"/> that share no code with the solvers (a third where forbidden pairs keep the rounding from its product form).
/// Upper bounds have the rounding error of their sums added, lower bounds have it taken away, so that no gap is negative, whatever plan and potentials are given.
/// Where the masses of the two hard marginals differ within their slack, b is scaled to a's mass. docs/theory/certificate.md derives every line.
/// </remarks>
public sealed class Certificate
{
    /// <summary>
    /// L1 error of both marginals of the plan as given. A penalised marginal counts with its part of the dual gradient,
    /// <c>|P1 − a exp(−f/ρ_a)|₁</c> with Kullback-Leibler, and with 0 when no potentials are given. With total variation <c>|P1 − a|₁</c>, where a bin at ρ is free to
    /// send less than its weight and one at −ρ to send more.
    /// </summary>
    public required double MarginalError { get; init; }

    /// <summary>Largest error of a single marginal entry of the plan as given.</summary>
    public required double MaxMarginalError { get; init; }

    /// <summary><c>⟨C, P⟩</c> of the plan as given.</summary>
    public required double PlanTransportCost { get; init; }

    /// <summary>
    /// <c>Σ a_i b_j |C_ij| / Σ a</c> over allowed pairs: the cost of shipping without looking, beside which a gap is small or large. An upper bound of it for sparse
    /// plans on the line.
    /// </summary>
    public required double IndependentCost { get; init; }

    /// <summary>The whole objective at the plan as given: to be compared with the solver's reported value.</summary>
    public required double PlanValue { get; init; }

    /// <summary>
    /// The rounded plan: feasible up to rounding, never stored as n × m masses unless the given plan was. Sparse where the given plan was sparse and both marginals are hard.
    /// The given plan itself when both marginals carry penalties or the masses do not agree.
    /// </summary>
    public required TransportPlan FeasiblePlan { get; init; }

    /// <summary>
    /// <c>⟨C, P̂⟩</c> of the feasible plan, rounded up: an upper bound of the exact transport cost of a balanced problem. <c>+∞</c> when the
    /// plan uses forbidden pairs, or could not be made feasible without them.
    /// </summary>
    public required double TransportCost { get; init; }

    /// <summary>
    /// The whole objective at the feasible plan, rounded up: an upper bound of the problem's optimum. With a limit on entries that of the convex relaxation, the same where the feasible plan keeps to the limit.
    /// </summary>
    public required double PrimalValue { get; init; }

    /// <summary>
    /// The dual objective, rounded down: a lower bound of the problem's optimum. Without a regulariser it is taken at the c-transformed potentials
    /// and equals <see cref="LowerBound"/> when balanced; with a quadratic term, alone or not, it is the larger of the dual objective and <see cref="LowerBound"/>. Null without potentials.
    /// </summary>
    public double? DualValue { get; init; }

    /// <summary>
    /// A lower bound of the unregularised balanced transport cost, from c-transformed potentials, rounded down: <c>⟨f̃, a⟩ + ⟨g̃, b⟩</c> with
    /// <c>f̃_i = min_j (C_ij − g_j)</c> and <c>g̃_j = min_i (C_ij − f̃_i)</c>. Null without potentials or with penalties.
    /// </summary>
    public double? LowerBound { get; init; }

    /// <summary>
    /// Unregularised problems: <see cref="TransportCost"/> less <see cref="LowerBound"/>; others: <see cref="PrimalValue"/> less <see cref="DualValue"/>. Null without a bound.
    /// </summary>
    public double? Gap { get; init; }

    /// <summary>Recomputes everything for a plan made by anyone.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="plan">A plan of the problem's shape; any nonnegative one, feasible or not.</param>
    /// <param name="potentials">Dual potentials, or null; any finite ones, feasible or not.</param>
    /// <param name="progress">Receives the share of the work that is done, 0 to 1, from several threads at once; null for none.</param>
    /// <param name="cancellation">Watched once per row.</param>
    /// <exception cref="ArgumentException">Shapes differ, or the plan holds a negative or non-finite mass.</exception>
    /// <exception cref="NotSupportedException">The regulariser is not one of none, entropy, and, with hard marginals, the quadratic, group lasso and sparsity ones.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <remarks>
    /// Cost O(nm) over all processors, the same bits for any number of them; a custom ground cost or geometry is called from several threads. A sparse plan between points
    /// on the line, for a convex cost of the difference and without a regulariser: O((n + m) log(n + m)) from four million pairs on.
    /// </remarks>
    public static Certificate Verify(
        LinearProblem problem,
        TransportPlan plan,
        Potentials? potentials = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        return VerifyShared(problem, plan, potentials, progress, problem.Geometry.Share, cancellation);
    }

    /// <summary>The same by several processes, each over its own rows.</summary>
    internal static Certificate VerifyShared(
        LinearProblem problem,
        TransportPlan plan,
        Potentials? potentials,
        IProgress<double>? progress,
        IRowShare share,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(plan);
        using AgreedToken stop = share.Agree(cancellation);
        cancellation = stop.Token;
        int n = problem.Geometry.Rows,
            m = problem.Geometry.Columns;
        if (plan.Rows != n || plan.Columns != m)
            throw new ArgumentException($"The plan is {plan.Rows} x {plan.Columns}: it must be {n} x {m}.", nameof(plan));
        if (problem.Regularizer is GroupLassoRegularizer lasso)
            Guard.Length(lasso.RowGroups.Length, n, "RowGroups");
        if (potentials is not null)
        {
            Guard.Length(potentials.F.Length, n, "potentials.F");
            Guard.Length(potentials.G.Length, m, "potentials.G");
        }
        double epsilon = problem.Regularizer switch
        {
            NoRegularizer => 0,
            EntropyRegularizer entropy => entropy.Epsilon.Resolve(problem.Geometry, cancellation),
            Regularizer sparse when SparseObjective.Takes(sparse) && problem.IsBalanced => 0,
            _ => throw new NotSupportedException($"No certificate is known for {problem.Regularizer}."),
        };
        double[] a = problem.A.Weights.ToArray();
        double[] b = problem.B.Weights.ToArray();
        if (problem.IsBalanced && problem.MassesAgree)
            TensorPrimitives.Multiply(b, problem.A.Mass / problem.B.Mass, b);
        (double[]? f, double[]? g) = potentials is null ? (null, null) : Prepare(problem, potentials);

        Action<double>? Half(double from) => progress is null ? null : share => progress.Report(from + (share / 2));

        // First pass: the plan as given, row factors of the rounding, f̃ and the mass of the Gibbs plan.
        PlanScan given = new PlanScan(problem.Geometry, plan, cancellation)
        {
            A = a,
            B = b,
            RowTargets = problem.IsBalanced && problem.MassesAgree ? a : null,
            F = f,
            G = g,
            Share = share,
            GibbsEpsilon = epsilon,
            WantsEntropy = epsilon > 0,
            Progress = Half(0),
        }.Run();
        double[]? fHard = g is null ? null : ReplaceInfinities(given.FTransform);
        if (fHard is not null)
            Bound(fHard, problem.PenaltyA);
        (TransportPlan feasible, bool complete) = problem.MassesAgree
            ? PlanRounding.Round(problem, plan, a, b, given, share, cancellation)
            : (plan, false);

        // Second pass: the rounded plan and g̃. Not needed where neither is new.
        bool wantsHardDual = fHard is not null && (problem.IsBalanced || epsilon == 0);
        PlanScan rounded =
            ReferenceEquals(feasible, plan) && !wantsHardDual
                ? given
                : new PlanScan(problem.Geometry, feasible, cancellation)
                {
                    A = a,
                    B = b,
                    FToTransform = wantsHardDual ? fHard : null,
                    Share = share,
                    WantsEntropy = epsilon > 0,
                    Progress = Half(0.5),
                }.Run();

        var objective = new Objective(problem, a, b, epsilon);
        (double cost, double value) = complete
            ? objective.UpperBounds(rounded)
            : (double.PositiveInfinity, double.PositiveInfinity);
        bool isSparse = SparseObjective.Takes(problem.Regularizer);
        double penalty = 0;
        if (isSparse)
        {
            penalty = SparseObjective.Value(problem.Regularizer, plan.ToSparse());
            value += SparseObjective.UpperBound(problem.Regularizer, feasible.ToSparse(), objective.Missed(rounded));
        }
        double? hard = wantsHardDual ? objective.HardDual(fHard!, rounded.GTransform) : null;
        double? dual =
            f is null ? null
            // These terms are not negative: what bounds the cost bounds the whole, and where γ is lost in the costs' rounding it does so better.
            : isSparse ? Math.Max(objective.SparseDual(problem.Regularizer, f, g!, cancellation), hard ?? double.NegativeInfinity)
            : epsilon == 0 ? hard
            : objective.EntropicDual(f, g!, given);
        double? lower = problem.IsBalanced ? hard : null;
        (double l1, double max) = objective.MarginalErrors(given, potentials);
        return new Certificate
        {
            MarginalError = l1,
            MaxMarginalError = max,
            PlanTransportCost = given.Cost,
            IndependentCost = given.IndependentCost,
            PlanValue = objective.Value(given) + penalty,
            FeasiblePlan = feasible,
            TransportCost = cost,
            PrimalValue = value,
            DualValue = dual,
            LowerBound = lower,
            Gap = epsilon == 0 && !isSparse && problem.IsBalanced ? cost - lower : value - dual,
        };
    }

    /// <summary>
    /// Working copies: g with <c>-∞</c> at zero weights, so that such columns fall out of every minimum and exponential. In a balanced problem the gauge
    /// is moved to max g = 0, which keeps the digits of C whatever constant the potentials carry. With total variation potentials are brought between −ρ and ρ: below
    /// there is no bound at all, and above a better one is given away.
    /// </summary>
    static (double[] F, double[] G) Prepare(LinearProblem problem, Potentials potentials)
    {
        double[] f = potentials.F.ToArray();
        double[] g = potentials.G.ToArray();
        double shift = double.NegativeInfinity;
        for (int j = 0; j < g.Length; j++)
        {
            if (problem.B.Weights[j] == 0)
                g[j] = double.NegativeInfinity;
            shift = Math.Max(shift, g[j]);
        }
        if (problem.IsBalanced)
        {
            TensorPrimitives.Add(f, shift, f);
            TensorPrimitives.Subtract(g, shift, g);
        }
        Bound(f, problem.PenaltyA);
        Bound(g, problem.PenaltyB);
        return (f, g);
    }

    static void Bound(Span<double> potential, MarginalPenalty penalty)
    {
        foreach (ref double value in potential)
        {
            if (penalty.IsTotalVariation && !double.IsNegativeInfinity(value))
                value = Math.Clamp(value, -penalty.Rho, penalty.Rho);
        }
    }

    /// <summary>An infinite transform belongs to a bin without an allowed partner; any finite potential is feasible there.</summary>
    static double[] ReplaceInfinities(double[] transform) => Array.ConvertAll(transform, v => double.IsFinite(v) ? v : 0);
}
