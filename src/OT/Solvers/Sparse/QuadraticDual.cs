using System.Collections.Immutable;
using System.Diagnostics;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Sparse;

/// <summary>Quadratically regularised transport, <c>min ⟨C, P⟩ + γ/2 ‖P‖²</c>, and the group lasso: plans with exact zeros, from the dual.</summary>
/// <remarks>
/// <para>
/// The semi-dual in g alone is maximised, rows in closed form: <c>P_ij = [f_i + g_j − C_ij]/γ</c> with f_i the threshold at which the row has its mass. Newton's steps, damped, γ falling in stages; each is one pass over the
/// costs, which may be streamed, and conjugate gradients on the support. Memory O(n + m) and the support, the plan is never dense. Rows are met exactly, columns to <see cref="SolverOptions.Tolerance"/>.
/// </para>
/// <para>See docs/theory/sparse.md. Sources: Blondel, Seguy and Rolet, AISTATS 2018; Lorenz, Manns and Meyer, AMO 2021.</para>
/// </remarks>
public sealed class QuadraticDual : ISolver<LinearProblem, TransportResult>
{
    /// <summary>Pairs beyond which Newton's dense matrices would not pay.</summary>
    const double DensePairs = 2e7;

    readonly QuadraticOptions _options;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance, algorithm, limits; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public QuadraticDual(QuadraticOptions? options = null)
    {
        _options = options ?? new QuadraticOptions();
        _options.Validate();
    }

    /// <summary>Whether this solver takes the problem: a quadratic or group lasso regulariser and hard marginals.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is QuadraticRegularizer or GroupLassoRegularizer && problem.IsBalanced;
    }

    /// <summary>Solves from a start of the solver's own.</summary>
    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, start: null, cancellation);

    /// <summary>Starts from given potentials, of a problem with another γ perhaps.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="start">Potentials; null for none.</param>
    /// <param name="cancellation">Stops with status Cancelled and the last iterate.</param>
    /// <exception cref="NotSupportedException">A marginal is penalised, or the regulariser is another: the message names a solver.</exception>
    /// <exception cref="ArgumentException">The potentials or the groups do not fit the problem.</exception>
    public TransportResult Solve(LinearProblem problem, Potentials? start, CancellationToken cancellation = default)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "QuadraticDual needs Regularizer.Quadratic or Regularizer.GroupLasso and hard marginals: use Sinkhorn for entropy and for penalised marginals, KSparseDual for a limit on entries."
            );
        }
        if (start is not null)
        {
            Guard.Length(start.F.Length, problem.A.Count, nameof(start));
            Guard.Length(start.G.Length, problem.B.Count, nameof(start));
        }
        if (problem.Regularizer is GroupLassoRegularizer lasso)
            Guard.Length(lasso.RowGroups.Length, problem.A.Count, nameof(lasso.RowGroups));
        return SolverResult.Timed(null, () => Run(problem, start, cancellation));
    }

    TransportResult Run(LinearProblem problem, Potentials? start, CancellationToken cancellation)
    {
        using CancellationTokenSource limited = _options.Limit(cancellation);
        using var blocks = new RowBlocks(_options.Threads ?? Environment.ProcessorCount);
        var sparse = new SparseProblem(problem);
        SolverStatus Stopped() => cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;
        try
        {
            (double[]? g, string? infeasible) = sparse.Start(start?.G.ToArray(), blocks.Threads, limited.Token);
            if (infeasible is not null)
                return sparse.Nothing(SolverStatus.Infeasible, infeasible);
            if (g is null)
                return sparse.Nothing(Stopped(), "Stopped before the first pass.");
            return (problem.Regularizer, Algorithm(sparse)) switch
            {
                (GroupLassoRegularizer lasso, _) => GroupLasso(problem, lasso, g, Stopped, limited.Token),
                (QuadraticRegularizer quadratic, QuadraticAlgorithm.Dual) => Dual(
                    sparse,
                    quadratic.Gamma,
                    g,
                    Stopped,
                    limited.Token
                ),
                (QuadraticRegularizer quadratic, QuadraticAlgorithm.SemiDual) => SemiDual(
                    sparse,
                    quadratic.Gamma,
                    g,
                    blocks,
                    Stopped,
                    limited.Token
                ),
                (QuadraticRegularizer quadratic, _) => Newton(sparse, quadratic.Gamma, g, blocks, Stopped, limited.Token),
                _ => throw new UnreachableException(),
            };
        }
        catch (OperationCanceledException)
        {
            return sparse.Nothing(Stopped(), "Stopped before the first pass.");
        }
    }

    /// <summary>Where half of all pairs may carry mass, Newton's matrices are dense: first-order steps keep no support.</summary>
    QuadraticAlgorithm Algorithm(SparseProblem sparse)
    {
        if (_options.Algorithm != QuadraticAlgorithm.Auto || sparse.Problem.Regularizer is not QuadraticRegularizer quadratic)
            return _options.Algorithm;
        CostStatistics costs = sparse.Problem.Geometry.Statistics;
        double pairs = (double)sparse.A.Length * sparse.B.Length;
        bool full = quadratic.Gamma * sparse.Mass > (costs.Max - costs.Min) * Math.Max(sparse.A.Length, sparse.B.Length);
        return full && pairs > DensePairs ? QuadraticAlgorithm.SemiDual : QuadraticAlgorithm.Newton;
    }

    TransportResult Newton(
        SparseProblem sparse,
        double gamma,
        double[] g,
        RowBlocks blocks,
        Func<SolverStatus> stopped,
        CancellationToken limit
    )
    {
        var run = new StagedAscent(sparse, _options, blocks, limit);
        Ending ending = run.Quadratic(g, gamma);
        run.Finish(ending, gamma);
        return sparse.Answer(
            SparseProblem.StatusOf(ending, stopped),
            run.Steps,
            run.Errors,
            run.At.ToMatrix(),
            sparse.Complete(run.At.F, run.G),
            run.Account
        );
    }

    TransportResult SemiDual(
        SparseProblem sparse,
        double gamma,
        double[] g,
        RowBlocks blocks,
        Func<SolverStatus> stopped,
        CancellationToken limit
    )
    {
        var responses = new Responses(sparse.Geometry, sparse.A, sparse.B, blocks, new Shortlists(sparse.Geometry));
        double Negative(ReadOnlySpan<double> at, Span<double> gradient)
        {
            if (!responses.Run(at, gamma, 0, int.MaxValue, limit))
                return double.NaN; // no step is taken on this, and the loop sees the token
            for (int j = 0; j < gradient.Length; j++)
                gradient[j] = sparse.B[j] == 0 ? 0 : responses.ColumnSums[j] - sparse.B[j];
            return -responses.SemiDual.Value;
        }
        var search = new FirstOrder(sparse, _options, limit);
        Ending ending = search.Run(Negative, g, sparse.A.Length / gamma);
        responses.Run(g, gamma, 0, int.MaxValue, CancellationToken.None);
        return sparse.Answer(
            SparseProblem.StatusOf(limit.IsCancellationRequested ? Ending.Cancelled : ending, stopped),
            search.Errors.Count - 1,
            search.Errors,
            responses.ToMatrix(),
            sparse.Complete(responses.F, g),
            "L-BFGS on the semi-dual."
        );
    }

    TransportResult Dual(SparseProblem sparse, double gamma, double[] g, Func<SolverStatus> stopped, CancellationToken limit)
    {
        (Ending ending, FirstOrder search, double[] x, DualPass pass) = Both(sparse, gamma, 0, [], g, limit);
        int n = sparse.A.Length;
        return sparse.Answer(
            SparseProblem.StatusOf(ending, stopped),
            search.Errors.Count - 1,
            search.Errors,
            pass.Plan(x),
            sparse.Complete(x[..n], x[n..]),
            "L-BFGS on the dual."
        );
    }

    /// <summary>Rows are grouped in each column: the other way round, columns in each row.</summary>
    TransportResult GroupLasso(
        LinearProblem problem,
        GroupLassoRegularizer lasso,
        double[] g,
        Func<SolverStatus> stopped,
        CancellationToken limit
    )
    {
        var whole = new SparseProblem(problem);
        var turned = new SparseProblem(
            new LinearProblem(Transposed.Of(problem.Geometry, CostMatrix.TabulatedBytes), problem.B, problem.A)
        );
        int[] labels = [.. lasso.RowGroups.Distinct().Order()];
        int[] groups = [.. lasso.RowGroups.Select(label => Array.BinarySearch(labels, label))];
        (Ending ending, FirstOrder search, double[] x, DualPass pass) = Both(
            turned,
            lasso.Gamma,
            lasso.Mu,
            [.. groups],
            whole.Transform(g),
            limit
        );
        int m = g.Length;
        return whole.Answer(
            SparseProblem.StatusOf(ending, stopped),
            search.Errors.Count - 1,
            search.Errors,
            pass.Plan(x).Transpose(),
            whole.Complete(x[m..], x[..m]),
            "L-BFGS on the dual."
        );
    }

    /// <summary>Both potentials, from g and its c-transform.</summary>
    (Ending Ending, FirstOrder Search, double[] X, DualPass Pass) Both(
        SparseProblem sparse,
        double gamma,
        double mu,
        ImmutableArray<int> groups,
        double[] g,
        CancellationToken limit
    )
    {
        int n = sparse.A.Length;
        var pass = new DualPass(sparse, gamma, mu, groups, _options.Threads ?? Environment.ProcessorCount);
        double[] x = [.. sparse.Transform(g), .. g];
        double Negative(ReadOnlySpan<double> at, Span<double> gradient)
        {
            try
            {
                return pass.Evaluate(at, gradient, limit);
            }
            catch (OperationCanceledException)
            {
                return double.NaN; // no step is taken on this, and the loop sees the token
            }
        }
        var search = new FirstOrder(sparse, _options, limit);
        Ending ending = search.Run(Negative, x, (n + g.Length) / gamma);
        return (limit.IsCancellationRequested ? Ending.Cancelled : ending, search, x, pass);
    }
}
