using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;
using OT.Solvers.Sparse;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Sparse;

/// <summary>At most k entries a line.</summary>
public class KSparseDualTests
{
    static readonly KSparseDual s_solver = new(new KSparseOptions { Tolerance = 1e-8 });

    internal static LinearProblem Small(Regularizer regularizer) =>
        new(
            new CostMatrix(5, 3, [.1, .2, .3, .2, .3, .4, .4, .3, .2, .3, .2, .1, .5, .5, .4]),
            Measure.Of([.3, .4, .1, .1, .1]),
            Measure.Of([.4, .5, .1])
        )
        {
            Regularizer = regularizer,
        };

    static LinearProblem Limited(TransportCase drawn, int most, SparseAxis axis = SparseAxis.Columns, double factor = 1)
    {
        LinearProblem exact = drawn.Exact();
        double gamma = Math.Max(Approx.CostScale(exact.Geometry), 1e-300) * factor;
        return exact with { Regularizer = Regularizer.Sparsity(gamma, most, axis) };
    }

    /// <summary>Semi-dual optima by two other methods, bracketed to 4e-9; for k = 1 the exact cost plus γ/2 |b|².</summary>
    [Theory]
    [InlineData(1, 0.44)]
    [InlineData(2, 0.335)]
    [InlineData(3, 0.3116666667)]
    [InlineData(4, 0.3049166667)]
    [InlineData(5, 0.30203125)]
    public void Reference_values(int most, double dual)
    {
        KSparseResult result = s_solver.Solve(Small(Regularizer.Sparsity(1, most)));
        Assert.True(result.Converged, $"{result.Status} {result.Message}");
        Approx.Equal(dual, result.DualValue, 1e-8, "dual");
        Certificate certificate = result.Relaxed.Certify();
        Approx.Equal(dual, certificate.DualValue!.Value, 1e-8, "certified dual");
        Approx.AtMost(certificate.Gap!.Value, 1e-7, "gap");
    }

    [Fact]
    public void Limits_hold_and_bounds_enclose() =>
        Law.Check(
            Cases.Any(9),
            drawn =>
            {
                bool rows = drawn.Seed % 2 == 0;
                int length = rows ? drawn.Columns : drawn.Rows,
                    most = 1 + (int)(drawn.Seed / 7 % (ulong)length);
                LinearProblem problem = Limited(
                    drawn,
                    most,
                    rows ? SparseAxis.Rows : SparseAxis.Columns,
                    Math.Pow(10, (drawn.Seed % 5) - 2.0)
                );
                double gamma = ((SparsityRegularizer)problem.Regularizer).Gamma,
                    size = Approx.CostScale(problem.Geometry) + gamma;
                KSparseResult result = s_solver.Solve(problem);
                Approx.True(result.Converged, $"{result.Status} {result.Relaxed.MarginalError} {result.Message}");
                SparseMatrix plan = rows ? result.Plan.Values : result.Plan.Values.Transpose();
                Measure limited = rows ? problem.A : problem.B;
                for (int i = 0; i < plan.Rows; i++)
                {
                    Approx.True(plan.RowColumns(i).Length <= most, "too many entries");
                    double sum = 0;
                    foreach (double mass in plan.RowValues(i))
                    {
                        Approx.True(mass >= 0, "a negative mass");
                        sum += mass;
                    }
                    Approx.Equal(
                        limited.Weights[i] * (rows ? 1 : problem.A.Mass / problem.B.Mass),
                        sum,
                        1e-8,
                        "mass of a limited line"
                    );
                }
                Certificate certificate = result.Relaxed.Certify();
                Approx.True(certificate.Gap >= -1e-12 * size, "a negative gap");
                Approx.AtMost(certificate.Gap!.Value, 1e-5 * size, "gap");
                if (result.MarginalError < 1e-7)
                    Approx.True(result.Value >= certificate.DualValue - (1e-6 * size), "below its bound");
                if (result.Ties.IsEmpty)
                    Approx.AtMost(result.MarginalError, 2e-8, "marginal error without ties");
            },
            fullCount: 2000
        );

    [Fact]
    public void One_entry_is_exact_transport() =>
        Law.Check(
            Cases.Of(8, CaseKind.Plain, CaseKind.SignedCost, CaseKind.IntegerCost, CaseKind.ZeroWeights),
            drawn =>
            {
                LinearProblem problem = Limited(drawn, 1);
                double gamma = ((SparsityRegularizer)problem.Regularizer).Gamma,
                    exact = new NetworkSimplex().Solve(drawn.Exact()).TransportCost,
                    squares = 0;
                foreach (double weight in drawn.B())
                    squares += weight * weight;
                KSparseResult result = s_solver.Solve(problem);
                Approx.Equal(exact + (0.5 * gamma * squares), result.DualValue, 1e-6 * (Math.Abs(exact) + gamma), "dual");
            },
            quickCount: 50,
            fullCount: 1000
        );

    /// <summary>Equal weights and as many sources as targets: the exact plan is a permutation, which one entry a column can hold.</summary>
    [Fact]
    public void One_entry_of_an_assignment_is_its_permutation()
    {
        var drawn = new TransportCase(40, 40, 6, CaseKind.Plain);
        double[] equal = [.. Enumerable.Repeat(1.0 / 40, 40)];
        var problem = new LinearProblem(new CostMatrix(drawn.Costs()), Measure.Of(equal), Measure.Of(equal));
        KSparseResult result = s_solver.Solve(problem with { Regularizer = Regularizer.Sparsity(1, 1) });
        Assert.True(result.Converged, result.Message);
        Approx.AtMost(result.MarginalError, 1e-7, "marginal error");
        Approx.Equal(new Assignment().Solve(problem).TransportCost, result.Limited.TransportCost, 1e-9, "cost");
    }

    [Fact]
    public void Enough_entries_are_the_quadratic_problem() =>
        Law.Check(
            Cases.Of(8, CaseKind.Plain, CaseKind.SignedCost, CaseKind.ZeroWeights, CaseKind.Duplicates),
            drawn =>
            {
                LinearProblem problem = Limited(drawn, drawn.Rows, factor: 5);
                double gamma = ((SparsityRegularizer)problem.Regularizer).Gamma;
                KSparseResult result = s_solver.Solve(problem);
                TransportResult quadratic = new QuadraticDual().Solve(
                    drawn.Exact() with
                    {
                        Regularizer = Regularizer.Quadratic(gamma),
                    }
                );
                Assert.Empty(result.Ties);
                Approx.Equal(quadratic.Value, result.Value, 1e-7 * (gamma + Math.Abs(quadratic.Value)), "value");
                Approx.AtMost(Approx.PlanDistance(quadratic.Plan, result.Plan), 1e-6, "distance");
            },
            quickCount: 50,
            fullCount: 1000
        );

    [Fact]
    public void Paths_are_monotone_and_warm_starts_change_no_answer()
    {
        LinearProblem problem = Limited(new TransportCase(30, 20, 12, CaseKind.Plain), 1, factor: 3);
        int[] limits = [1, 2, 3, 5, 8, 30];
        IReadOnlyList<KSparseResult> path = s_solver.SolvePath(problem, limits);
        for (int k = 0; k < limits.Length; k++)
        {
            var limit = (SparsityRegularizer)problem.Regularizer;
            KSparseResult cold = s_solver.Solve(problem with { Regularizer = Regularizer.Sparsity(limit.Gamma, limits[k]) });
            Approx.Equal(cold.DualValue, path[k].DualValue, 1e-6 * limit.Gamma, "dual");
            Assert.True(k == 0 || path[k].DualValue <= path[k - 1].DualValue + (1e-9 * limit.Gamma), "the dual grew with k");
        }
    }

    [Fact]
    public void Rows_and_columns_are_each_other_turned()
    {
        LinearProblem problem = Limited(new TransportCase(25, 18, 13, CaseKind.Plain), 3, factor: 2);
        var limit = (SparsityRegularizer)problem.Regularizer;
        KSparseResult columns = s_solver.Solve(problem);
        KSparseResult rows = s_solver.Solve(
            problem.Transpose() with
            {
                Regularizer = Regularizer.Sparsity(limit.Gamma, 3, SparseAxis.Rows),
            }
        );
        Approx.Equal(columns.DualValue, rows.DualValue, 1e-7, "dual");
        Assert.Equal(columns.Ties.Length, rows.Ties.Length);
    }

    [Fact]
    public void Bad_input_is_refused_with_a_reason()
    {
        LinearProblem exact = new TransportCase(3, 4, 1, CaseKind.Plain).Exact();
        Assert.Throws<ArgumentOutOfRangeException>(() => Regularizer.Sparsity(1, 0));
        ArgumentException tooMany = Assert.Throws<ArgumentException>(() =>
            s_solver.Solve(exact with { Regularizer = Regularizer.Sparsity(1, 4) })
        );
        Assert.Contains("k is 4", tooMany.Message, StringComparison.Ordinal);
        Assert.True(s_solver.Solve(exact with { Regularizer = Regularizer.Sparsity(1, 4, SparseAxis.Rows) }).Converged);
        Assert.Throws<NotSupportedException>(() => s_solver.Solve(exact));
        LinearProblem unequal = new(exact.Geometry, exact.A, exact.B.Scale(2)) { Regularizer = Regularizer.Sparsity(1, 2) };
        Assert.Equal(SolverStatus.Infeasible, s_solver.Solve(unequal).Status);
        Assert.Equal(
            SolverStatus.Cancelled,
            s_solver.Solve(exact with { Regularizer = Regularizer.Sparsity(1, 2) }, new CancellationToken(canceled: true)).Status
        );
    }

    /// <summary>However early the end, the limit holds, limited lines have their mass, and the bound is one.</summary>
    [Fact]
    public void Stopped_runs_keep_the_limit()
    {
        LinearProblem problem = Limited(new TransportCase(40, 30, 14, CaseKind.Plain), 3, factor: 4);
        double optimum = s_solver.Solve(problem).DualValue;
        for (int steps = 0; steps < 40; steps += 3)
        {
            KSparseResult result = new KSparseDual(new KSparseOptions { MaxIterations = steps, Tolerance = 1e-9 }).Solve(problem);
            SparseMatrix columns = result.Plan.Values.Transpose();
            for (int j = 0; j < columns.Rows; j++)
                Assert.InRange(columns.RowColumns(j).Length, 1, 3);
            Assert.True(result.Relaxed.Certify().DualValue <= optimum + (1e-9 * Math.Abs(optimum)));
        }
    }

    [Fact]
    public void Cancelled_runs_keep_the_limit()
    {
        LinearProblem problem = Limited(new TransportCase(60, 60, 15, CaseKind.Plain), 2, factor: 4);
        for (int after = 1; after < 30; after += 4)
        {
            using var source = new CancellationTokenSource();
            int seen = 0;
            var progress = new Watcher(() =>
            {
                if (++seen == after)
                    source.Cancel();
            });
            KSparseResult result = new KSparseDual(new KSparseOptions { Progress = progress }).Solve(problem, source.Token);
            Assert.Equal(SolverStatus.Cancelled, result.Status);
            SparseMatrix columns = result.Plan.Values.Transpose();
            for (int j = 0; j < columns.Rows; j++)
                Assert.InRange(columns.RowColumns(j).Length, 1, 2);
        }
    }

    sealed class Watcher(Action step) : IProgress<OT.Solvers.SolverProgress>
    {
        public void Report(OT.Solvers.SolverProgress value) => step();
    }
}
