using OT.Geometries;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>
/// Exact transport between equally many points of one common weight w, by the shortest augmenting paths of Jonker and Volgenant (LAPJV): the plan is w
/// times a permutation.
/// </summary>
/// <remarks>
/// O(n³) at worst, O(n) memory beside the costs, which are read as dense rows (listed pairs too). Several times faster than <see cref="NetworkSimplex"/> where costs are like independent numbers; slower
/// on point clouds in few dimensions, where many rows compete for the same columns. One iteration is one augmentation. Source: Jonker, Volgenant, Computing 38, 1987;
/// docs/theory/exact.md.
/// </remarks>
/// <param name="options">Limits, progress and memory; defaults when left out.</param>
public sealed class Assignment(ExactOptions? options = null) : ISolver<LinearProblem, TransportResult>
{
    readonly ExactOptions _options = ExactOptions.Checked(options);

    /// <summary>Whether this solver takes the problem: n = m, all 2n weights equal, no regulariser, both marginals exact.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        double weight = problem.A.Weights[0];
        return ExactProblem.Takes(problem)
            && problem.A.Count == problem.B.Count
            && weight > 0
            && !problem.A.Weights.ContainsAnyExcept(weight)
            && !problem.B.Weights.ContainsAnyExcept(weight);
    }

    /// <summary>The column matched to each row so that the sum of costs is least: n indices, all different.</summary>
    /// <param name="costs">n × m with n ≤ m; <c>+∞</c> forbids a pair.</param>
    /// <exception cref="ArgumentException">There are more rows than columns.</exception>
    /// <exception cref="InvalidOperationException">Forbidden pairs leave no complete matching; the message names the rows.</exception>
    public static int[] Match(Geometry costs)
    {
        ArgumentNullException.ThrowIfNull(costs);
        if (costs.Rows > costs.Columns)
        {
            throw new ArgumentException(
                ExactProblem.Text($"There are {costs.Rows} rows for {costs.Columns} columns: match the transposed costs."),
                nameof(costs)
            );
        }
        var settings = new ExactOptions();
        var watch = new Watch(settings, CancellationToken.None);
        var paths = new AugmentingPaths(CostRows.Of(costs, settings.TableBytes, watch), watch);
        paths.Run();
        return paths.Obstacle is null ? paths.ColumnOf : throw new InvalidOperationException(paths.Obstacle);
    }

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default)
    {
        var exact = ExactProblem.Of(problem, nameof(Assignment));
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "Assignment needs as many columns as rows and one weight for all of them; use NetworkSimplex."
            );
        }
        var watch = new Watch(_options, cancellation);
        var rows = CostRows.Of(problem.Geometry, _options.TableBytes, watch);
        var paths = new AugmentingPaths(rows, watch);
        paths.Run();
        double weight = exact.Supply[0];
        List<(int Row, int Column, double Mass)> shipments = [];
        for (int i = 0; i < exact.Rows; i++)
        {
            if (paths.ColumnOf[i] >= 0)
                shipments.Add((i, paths.ColumnOf[i], weight));
        }
        if (paths.Obstacle is not null)
            return exact.Answer(SolverStatus.Infeasible, watch.Iterations, shipments, null, paths.Obstacle);
        if (watch.Status == SolverStatus.Converged && !paths.IsTight())
            return new NetworkSimplex(_options with { TimeLimit = watch.Remaining }).Solve(
                problem,
                new Potentials(paths.F, paths.G),
                cancellation
            );
        // A stop leaves rows unmatched; any free column that the costs allow completes the plan.
        if (watch.Status != SolverStatus.Converged)
            Complete(paths, rows, weight, shipments);
        Potentials? potentials = exact.CleanPotentials(Arcs.Of(rows), paths.RowPotentials());
        return exact.Answer(watch.Status, watch.Iterations, shipments, potentials);
    }

    static void Complete(AugmentingPaths paths, CostRows rows, double weight, List<(int Row, int Column, double Mass)> shipments)
    {
        List<int> free = [.. Enumerable.Range(0, rows.Columns).Except(paths.ColumnOf)];
        for (int i = 0; i < rows.Rows; i++)
        {
            if (paths.ColumnOf[i] >= 0)
                continue;
            for (int k = free.Count - 1; k >= 0; k--)
            {
                if (!(rows[i][free[k]] < double.PositiveInfinity))
                    continue;
                shipments.Add((i, free[k], weight));
                free.RemoveAt(k);
                break;
            }
        }
    }
}
