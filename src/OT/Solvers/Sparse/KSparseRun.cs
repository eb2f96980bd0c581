using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Solvers.Sparse;

/// <summary>One solve of <see cref="KSparseDual"/>: the relaxation, then a plan with k entries a row of the problem turned so that rows are limited.</summary>
internal sealed class KSparseRun(
    LinearProblem problem,
    SparsityRegularizer limit,
    KSparseOptions options,
    CancellationToken cancellation
)
{
    readonly SparseProblem _turned = SparseProblem.Of(problem);
    readonly bool _byColumns = limit.Axis == SparseAxis.Columns;

    public KSparseResult Solve(Potentials? start)
    {
        using CancellationTokenSource limited = options.Limit(cancellation);
        using var blocks = new RowBlocks(options.Threads ?? Environment.ProcessorCount);
        SolverStatus Stopped() => cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;
        try
        {
            (double[]? g, string? infeasible) =
                start is null || !problem.MassesAgree
                    ? _turned.Start(limited.Token)
                    : ((_byColumns ? start.F : start.G).ToArray(), null);
            if (infeasible is not null)
                return Nothing(SolverStatus.Infeasible, infeasible);
            if (g is null)
                return Nothing(Stopped(), "Stopped before the first pass.");
            var run = new StagedAscent(_turned, options, blocks, limited.Token);
            Ending ending = run.Limited(g, limit.Gamma, limit.MaxNonZeros, at => IsCertified(at, blocks, limited.Token));
            return Answer(run, blocks, SparseProblem.StatusOf(ending, Stopped), limited.Token);
        }
        catch (OperationCanceledException)
        {
            return Nothing(Stopped(), "Stopped before the first pass.");
        }
    }

    /// <summary>The relaxation's value at the smoothed responses beside the dual without smoothing.</summary>
    bool IsCertified(StagedAscent at, RowBlocks blocks, CancellationToken stop)
    {
        SparseMatrix plan = at.At.ToMatrix();
        double primal = _turned.Cost(plan) + SparseObjective.Value(_turned.Problem.Regularizer, plan);
        return primal - Exact(at.G, blocks, stop).SemiDual.Value <= options.Tolerance * Math.Abs(primal);
    }

    /// <summary>Responses without smoothing.</summary>
    Responses Exact(double[] g, RowBlocks blocks, CancellationToken stop)
    {
        var exact = new Responses(_turned.Geometry, _turned.A, _turned.B, blocks);
        if (!exact.Run(g, limit.Gamma, 0, limit.MaxNonZeros, stop))
            throw new OperationCanceledException(stop);
        return exact;
    }

    KSparseResult Answer(StagedAscent run, RowBlocks blocks, SolverStatus status, CancellationToken stop)
    {
        SparseMatrix relaxed = run.At.ToMatrix();
        Responses exact = Exact(run.G, blocks, CancellationToken.None);
        Potentials turned = _turned.Complete(exact.F, run.G); // without smoothing: the best bound at g
        int[] ties = [.. run.At.Tied];
        SparseMatrix plan = ties.Length == 0 ? relaxed : Keep(relaxed);
        string account = run.Account;
        if (ties.Length > 0)
        {
            (SparseMatrix? repaired, string how) = Repair(plan, stop);
            plan = repaired ?? plan;
            account = $"{account} {ties.Length} {(_byColumns ? "columns" : "rows")} are tied at rank {limit.MaxNonZeros}: {how}";
        }
        var sparse = new SparsePlan(Back(plan));
        (double[] rows, double[] columns) = sparse.Marginals();
        var whole = new SparseProblem(problem);
        return new KSparseResult
        {
            Problem = problem,
            Status = status,
            Iterations = run.Steps,
            Errors = [.. run.Errors],
            Backend = "managed",
            Message = account,
            Plan = sparse,
            Relaxed = whole.Answer(
                status,
                run.Steps,
                run.Errors,
                Back(relaxed),
                _byColumns ? Potentials.Centred(turned.G.ToArray(), turned.F.ToArray(), problem.A, problem.B) : turned,
                run.Account
            ),
            Ties = [.. ties],
            TransportCost = _turned.Cost(plan),
            RegularizerValue = 0.5 * limit.Gamma * Summation.Dot(plan.Values, plan.Values),
            DualValue = exact.SemiDual.Value,
            MarginalError = Summation.L1Distance(rows, whole.A) + Summation.L1Distance(columns, whole.B),
        };
    }

    /// <summary>The k largest entries of each row, with the row's mass spread as the optimum on them alone would: p + constant.</summary>
    SparseMatrix Keep(SparseMatrix relaxed)
    {
        var starts = new long[relaxed.Rows + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int i = 0; i < relaxed.Rows; i++)
        {
            double[] masses = relaxed.RowValues(i).ToArray();
            int[] order = [.. Enumerable.Range(0, masses.Length).OrderByDescending(k => masses[k]).ThenBy(k => k).Take(limit.MaxNonZeros).Order()];
            double missing = (_turned.A[i] - Summation.Sum(Array.ConvertAll(order, k => masses[k]))) / Math.Max(1, order.Length);
            foreach (int k in order)
            {
                columns.Add(relaxed.RowColumns(i)[k]);
                values.Add(masses[k] + missing);
            }
            starts[i + 1] = values.Count;
        }
        return new SparseMatrix(relaxed.Rows, relaxed.Columns, starts, [.. columns], [.. values]);
    }

    /// <summary>The best plan on the entries kept, where one exists.</summary>
    (SparseMatrix? Plan, string How) Repair(SparseMatrix kept, CancellationToken stop)
    {
        var costs = new double[kept.NonZeros];
        for (int i = 0; i < kept.Rows; i++)
        {
            ReadOnlySpan<int> columns = kept.RowColumns(i);
            for (int k = 0; k < columns.Length; k++)
                costs[(int)kept.RowStarts[i] + k] = _turned.Geometry.Cost(i, columns[k]);
        }
        var entries = new SparseCost(
            new SparseMatrix(kept.Rows, kept.Columns, [.. kept.RowStarts], [.. kept.ColumnIndices], costs)
        );
        TransportResult best = new QuadraticDual(
            new QuadraticOptions { Tolerance = options.Tolerance, Threads = options.Threads }
        ).Solve(
            new LinearProblem(entries, _turned.Problem.A, _turned.Problem.B)
            {
                Regularizer = Regularizer.Quadratic(limit.Gamma),
            },
            stop
        );
        return best.Converged
            ? (best.Plan.ToSparse(), "the plan is the best on the entries kept, and meets both marginals.")
            : (null, "no plan on the entries kept meets both marginals, and the plan misses one by its marginal error.");
    }

    SparseMatrix Back(SparseMatrix plan) => _byColumns ? plan.Transpose() : plan;

    KSparseResult Nothing(SolverStatus status, string message)
    {
        TransportResult none = new SparseProblem(problem).Nothing(status, message);
        return new KSparseResult
        {
            Problem = problem,
            Status = status,
            Iterations = 0,
            Message = message,
            Plan = (SparsePlan)none.Plan,
            Relaxed = none,
            MarginalError = none.MarginalError,
        };
    }
}
