using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Solvers.Classes;

/// <summary>
/// Optimal transport whose plan's rows, and columns, are drawn together: <c>min ⟨C, P⟩ + λ (Σ R_ii' |P_i − P_i'|₂ + Σ S_jj' |P_:j − P_:j'|₂)</c> over <c>P ≥ 0, P1 = a, Pᵀ1 = b</c>, with a certified gap.
/// </summary>
/// <remarks>
/// <para>
/// O(|R| m + |S| n + nm) per iteration, and as much memory (<see cref="SumOfNormsAlgorithm.Accelerated"/>: O(nm) while it runs). λ = 0 is exact transport; for λ from <see cref="LambdaMax"/> on connected rows are
/// equal. Plans are dense. Answers are the same bits for any number of threads.
/// </para>
/// <para>
/// After Rahbar, Panahi, Haghir Chehreghani, Dubhashi and Krim, ICML 2023; the iterations and certificates are derived in docs/theory/sum-of-norms.md.
/// </para>
/// </remarks>
public sealed class SumOfNorms : ISolver<LinearProblem, SumOfNormsResult>
{
    readonly SumOfNormsOptions _options;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Algorithm, gap, limits; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public SumOfNorms(SumOfNormsOptions? options = null)
    {
        _options = options ?? new SumOfNormsOptions();
        _options.Validate();
    }

    /// <summary>Whether this solver takes the problem: <see cref="SumOfNormsRegularizer"/>, both marginals exact.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is SumOfNormsRegularizer && problem.IsBalanced;
    }

    /// <inheritdoc/>
    public SumOfNormsResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        SolverResult.Timed(null, () => Run(problem, null, cancellation));

    /// <summary>Starts from another answer, for other costs or another λ, which changes the number of iterations and never the optimum. Used by <see cref="SumOfNormsAlgorithm.PrimalDual"/>; others start anew.</summary>
    /// <exception cref="ArgumentException">The answer's problem has another shape or other pairs; weights of pairs may differ.</exception>
    public SumOfNormsResult Solve(LinearProblem problem, SumOfNormsResult start, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(start);
        return SolverResult.Timed(null, () => Run(problem, start, cancellation));
    }

    /// <summary>Answers for several λ, each started from the one before: give them in falling or in rising order.</summary>
    /// <param name="problem">Balanced, with a <see cref="SumOfNormsRegularizer"/> whose λ is not looked at.</param>
    /// <param name="lambdas">λ, each finite and not negative.</param>
    /// <param name="cancellation">Ends the answer that is being made, and the path with it.</param>
    /// <returns>One answer for each λ, made when it is asked for.</returns>
    public IEnumerable<SumOfNormsResult> Path(
        LinearProblem problem,
        IEnumerable<double> lambdas,
        CancellationToken cancellation = default
    )
    {
        SumOfNormsRegularizer regularizer = Checked(problem);
        ArgumentNullException.ThrowIfNull(lambdas);
        return Answers();

        IEnumerable<SumOfNormsResult> Answers()
        {
            SumOfNormsResult? last = null;
            foreach (double lambda in lambdas)
            {
                if (cancellation.IsCancellationRequested)
                    yield break;
                LinearProblem next = problem with
                {
                    Regularizer = new SumOfNormsRegularizer(lambda, regularizer.Rows, regularizer.Columns)
                    {
                        NormalizesByMass = regularizer.NormalizesByMass,
                    },
                };
                last = SolverResult.Timed(null, () => Run(next, last?.Duals is null ? null : last, cancellation));
                yield return last;
            }
        }
    }

    /// <summary>A λ from which all rows of a connected component of R are equal per unit of mass, and all columns of one of S: the end of a path. See <see cref="Fusion"/>.</summary>
    /// <remarks>
    /// Sufficient, not tight. Where R or S connects everything, <c>P = a bᵀ</c> is optimal from here on. Where neither does and weights differ inside the components of both, a guide, not a proof. A grid of use: 10 values from here down to a thousandth, by equal factors.
    /// </remarks>
    /// <exception cref="NotSupportedException">The problem has another regulariser or penalties.</exception>
    public static double LambdaMax(LinearProblem problem, CancellationToken cancellation = default)
    {
        SumOfNormsRegularizer regularizer = Checked(problem);
        return EndOfPath(problem, regularizer, Fusion.Costs(problem, cancellation), cancellation);
    }

    internal static double EndOfPath(
        LinearProblem problem,
        SumOfNormsRegularizer regularizer,
        Matrix costs,
        CancellationToken cancellation
    )
    {
        (double rows, double columns) = (
            Fusion.OfRows(problem, costs, regularizer.Rows.Components(), cancellation),
            Fusion.OfColumns(problem, costs, regularizer.Columns.Components(), cancellation)
        );
        // One connected side makes the plan a bᵀ by itself.
        bool all = regularizer.Rows.Components().Max() == 0,
            every = regularizer.Columns.Components().Max() == 0;
        return all && every ? Math.Min(rows, columns)
            : all ? rows
            : every ? columns
            : Math.Max(rows, columns);
    }

    internal static SumOfNormsRegularizer Checked(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "SumOfNorms needs exact marginals and a sum of norms: set LinearProblem.Regularizer to Regularizer.SumOfNorms(...), or use NetworkSimplex for exact transport and Sinkhorn for entropy."
            );
        }
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        Refuse(regularizer.Rows.Count, problem.A.Count, "rows");
        Refuse(regularizer.Columns.Count, problem.B.Count, "columns");
        return regularizer;
    }

    static void Refuse(int weights, int bins, string side)
    {
        if (weights != bins)
        {
            throw new ArgumentException(
                $"The pair weights of the {side} are for {weights} bins, and there are {bins} {side}: the counts must be equal."
            );
        }
    }

    SumOfNormsResult Run(LinearProblem problem, SumOfNormsResult? start, CancellationToken cancellation)
    {
        Checked(problem);
        if (start is not null)
            CheckStart(problem, start);
        if (!problem.MassesAgree)
        {
            return WithoutPlan(
                problem,
                SolverStatus.Infeasible,
                FormattableString.Invariant(
                    $"The source mass is {problem.A.Mass:G17}, the target mass {problem.B.Mass:G17}: hard marginals need equal masses."
                )
            );
        }
        if (cancellation.IsCancellationRequested)
            return WithoutPlan(problem, SolverStatus.Cancelled, "Stopped before any iteration.");
        FusedProblem fused;
        try
        {
            fused = new FusedProblem(problem, cancellation);
        }
        catch (OperationCanceledException)
        {
            return WithoutPlan(problem, SolverStatus.Cancelled, "Stopped in a first look at the costs, before any iteration.");
        }
        if (fused.Obstacle is { } obstacle)
            return WithoutPlan(problem, SolverStatus.Infeasible, obstacle);
        bool isExact = fused.RowTerms.Length + fused.ColumnTerms.Length == 0;
        if (isExact || problem.Geometry.HasForbiddenPairs)
        {
            var linear = new LinearProblem(problem.Geometry, problem.A, problem.B);
            TransportResult exact = new NetworkSimplex(new() { TimeLimit = _options.TimeLimit }).Solve(linear, cancellation);
            if (exact.Status == SolverStatus.Infeasible || exact.Potentials is null)
                return WithoutPlan(problem, exact.Status, exact.Message);
            // The simplex forgives mass without a way up to the slack of the masses; a plan that is certified has all of it.
            if (
                exact is { Converged: true, Message.Length: > 0 }
                && double.IsInfinity(Certificate.Verify(linear, exact.Plan, cancellation: default).TransportCost)
            )
                return WithoutPlan(problem, SolverStatus.Infeasible, $"No plan exists: {exact.Message}");
            if (isExact || !exact.Converged)
            {
                return FusionRun.Certified(
                    problem,
                    _options,
                    exact.Status,
                    exact.Iterations,
                    exact.Plan,
                    null,
                    exact.Potentials,
                    fused.Scale * fused.Mass,
                    []
                );
            }
        }
        using FusionRun run = _options.Algorithm switch
        {
            SumOfNormsAlgorithm.Accelerated => new AcceleratedRun(fused, _options, cancellation),
            SumOfNormsAlgorithm.Incremental => new IncrementalRun(fused, _options, cancellation),
            _ => new PrimalDualRun(fused, _options, start, cancellation),
        };
        return run.Solve();
    }

    static void CheckStart(LinearProblem problem, SumOfNormsResult start)
    {
        var now = (SumOfNormsRegularizer)problem.Regularizer;
        var then = (SumOfNormsRegularizer)start.Problem.Regularizer;
        bool fits =
            start.Plan.Rows == problem.A.Count
            && start.Plan.Columns == problem.B.Count
            && SamePairs(now.Rows, then.Rows)
            && SamePairs(now.Columns, then.Columns);
        if (!fits)
            throw new ArgumentException(
                "The answer to start from is that of a problem of another shape or with other pairs.",
                nameof(start)
            );

        static bool SamePairs(PairWeights x, PairWeights y) =>
            x.Pairs.Select(pair => (pair.First, pair.Second)).SequenceEqual(y.Pairs.Select(pair => (pair.First, pair.Second)));
    }

    static SumOfNormsResult WithoutPlan(LinearProblem problem, SolverStatus status, string message)
    {
        (int n, int m) = (problem.A.Count, problem.B.Count);
        return new SumOfNormsResult
        {
            Problem = problem,
            Status = status,
            Iterations = 0,
            Message = message,
            Plan = new SparsePlan(new SparseMatrix(n, m, new long[n + 1], [], [])),
            TransportCost = double.NaN,
            Penalty = double.NaN,
            LowerBound = double.NaN,
            MarginalError = problem.A.Mass + problem.B.Mass,
            RowClusters = [.. Enumerable.Range(0, n)],
            ColumnClusters = [.. Enumerable.Range(0, m)],
        };
    }
}
