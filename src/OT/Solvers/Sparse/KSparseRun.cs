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
            double[]? given = start is null ? null : (_byColumns ? start.F : start.G).ToArray();
            (double[]? g, string? infeasible) = _turned.Start(given, blocks.Threads, limited.Token);
            if (infeasible is not null)
                return Nothing(SolverStatus.Infeasible, infeasible);
            if (g is null)
                return Nothing(Stopped(), "Stopped before the first pass.");
            var run = new StagedAscent(_turned, options, blocks, limited.Token);
            Ending ending = run.Limited(g, limit.Gamma, limit.MaxNonZeros, at => IsCertified(at, limited.Token));
            run.Finish(ending, limit.Gamma, limit.MaxNonZeros);
            return Answer(run, SparseProblem.StatusOf(ending, Stopped), limited.Token);
        }
        catch (OperationCanceledException)
        {
            return Nothing(Stopped(), "Stopped before the first pass.");
        }
    }

    /// <summary>The relaxation's value at the smoothed responses beside the dual without smoothing.</summary>
    bool IsCertified(StagedAscent at, CancellationToken stop)
    {
        SparseMatrix plan = at.At.ToMatrix();
        double primal = _turned.Cost(plan) + SparseObjective.Value(_turned.Problem.Regularizer, plan);
        // A third for the solver, the rest for the rounding of the plan to its marginals; a value near 0 is measured beside the costs' spread.
        double scale = Math.Max(Math.Abs(primal), 0.01 * _turned.Geometry.Statistics.StandardDeviation * _turned.Mass);
        return at.Exact(limit.Gamma, limit.MaxNonZeros, stop) is { } exact
            && primal - exact.SemiDual.Value <= options.Tolerance / 3 * scale;
    }

    KSparseResult Answer(StagedAscent run, SolverStatus status, CancellationToken stop)
    {
        SparseMatrix relaxed = run.At.ToMatrix();
        Responses exact = run.Exact(limit.Gamma, limit.MaxNonZeros, CancellationToken.None)!;
        Potentials turned = _turned.Complete(exact.F, run.G); // without smoothing: the best bound at g
        int[] ties = [.. run.At.Tied];
        SparseMatrix plan = ties.Length == 0 ? relaxed : Keep(relaxed);
        string account = run.Account;
        if (ties.Length > 0)
        {
            (SparseMatrix? repaired, string how) = Repair(plan, relaxed, stop);
            plan = repaired ?? plan;
            account = $"{account} {ties.Length} {(_byColumns ? "columns" : "rows")} are tied at rank {limit.MaxNonZeros}: {how}";
        }
        var whole = new SparseProblem(problem);
        Potentials potentials = _byColumns
            ? Potentials.Centred(turned.G.ToArray(), turned.F.ToArray(), problem.A, problem.B)
            : turned;
        TransportResult Of(SparseMatrix masses) => whole.Answer(status, run.Steps, run.Errors, Back(masses), potentials, account);
        return new KSparseResult
        {
            Problem = problem,
            Status = status,
            Iterations = run.Steps,
            Errors = [.. run.Errors],
            Backend = "managed",
            Message = account,
            Limited = Of(plan),
            Relaxed = Of(relaxed),
            Ties = [.. ties],
            DualValue = exact.SemiDual.Value,
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
            int[] order =
            [
                .. Enumerable
                    .Range(0, masses.Length)
                    .OrderByDescending(k => masses[k])
                    .ThenBy(k => k)
                    .Take(limit.MaxNonZeros)
                    .Order(),
            ];
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

    /// <summary>The best plan on the entries kept; where there is none, on those of an exact plan within the relaxation's support, which is a forest and may keep to k a row.</summary>
    (SparseMatrix? Plan, string How) Repair(SparseMatrix kept, SparseMatrix relaxed, CancellationToken stop)
    {
        if (BestOn(kept, stop) is { } best)
            return (best, "the plan is the best on the entries kept, and meets both marginals.");
        TransportResult exact = new NetworkSimplex().Solve(On(relaxed), stop);
        if (
            exact.Converged
            && exact.Plan.ToSparse() is var forest
            && Enumerable.Range(0, forest.Rows).All(i => forest.RowColumns(i).Length <= limit.MaxNonZeros)
        )
        {
            if (BestOn(forest, stop) is { } other)
                return (other, "the plan is the best on the entries of an exact one, and meets both marginals.");
        }
        return (null, "no plan found on so few entries meets both marginals, and the plan misses one by its marginal error.");
    }

    /// <summary>The exact problem on the entries of a plan.</summary>
    LinearProblem On(SparseMatrix entries)
    {
        var costs = new double[entries.NonZeros];
        for (int i = 0; i < entries.Rows; i++)
        {
            ReadOnlySpan<int> columns = entries.RowColumns(i);
            for (int k = 0; k < columns.Length; k++)
                costs[(int)entries.RowStarts[i] + k] = _turned.Geometry.Cost(i, columns[k]);
        }
        var listed = new SparseMatrix(entries.Rows, entries.Columns, [.. entries.RowStarts], [.. entries.ColumnIndices], costs);
        return new LinearProblem(new SparseCost(listed), _turned.Problem.A, _turned.Problem.B);
    }

    SparseMatrix? BestOn(SparseMatrix entries, CancellationToken stop)
    {
        TransportResult best = new QuadraticDual(
            new QuadraticOptions { Tolerance = options.Tolerance, Threads = options.Threads }
        ).Solve(On(entries) with { Regularizer = Regularizer.Quadratic(limit.Gamma) }, stop);
        return best.Converged ? best.Plan.ToSparse() : null;
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
            Limited = none,
            Relaxed = none,
        };
    }
}
