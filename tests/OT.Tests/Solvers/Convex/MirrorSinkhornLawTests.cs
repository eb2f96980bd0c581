using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Convex;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Convex;

/// <summary>What holds for every problem, zero weights, duplicates, huge costs and forbidden pairs included.</summary>
public class MirrorSinkhornLawTests
{
    static readonly MirrorSinkhornOptions s_short = ConvexCase.Plain with { MaxIterations = 41 };

    [Fact]
    public void Answers_are_feasible_and_bounds_enclose_the_optimum() =>
        Law.Check(
            Cases.Any(8),
            drawn =>
            {
                double exact = new NetworkSimplex().Solve(drawn.Exact()).TransportCost;
                MirrorSinkhornResult result = ConvexCase.Linear(drawn).Solve(s_short with { CertificateEvery = 10 });
                ConvexCase.CheckFeasible(result, exact);
                Approx.True(result.LowerBound is not null, "no bound");
                TransportResult free = new MirrorSinkhorn(s_short).Solve(drawn.Exact());
                double scale = Approx.CostScale(free.Problem.Geometry);
                Approx.True(free.TransportCost >= exact - (1e-13 * scale), "below the optimum");
                Approx.True(free.Certify().LowerBound <= exact + (1e-13 * scale), "bound above the optimum");
                Approx.AtMost(free.MarginalError, 1e-13, "marginal error");
            }
        );

    /// <summary>No bound of one run is above the plan of another, whatever the objective and however hostile the problem.</summary>
    [Theory]
    [InlineData("quadratic")]
    [InlineData("entropic")]
    [InlineData("group")]
    [InlineData("inner")]
    [InlineData("sum")]
    public void Bounds_are_below_every_plan(string name) =>
        Law.Check(
            Cases.Any(7),
            drawn =>
            {
                ConvexProblem problem = ConvexCase.Problem(drawn, (costs, a, b) => Objective(name, costs, a, b));
                double scale = Approx.CostScale(new CostMatrix(drawn.Costs()));
                MirrorSinkhornResult rough = problem.Solve(s_short with { MaxIterations = 6, CertificateEvery = 3 }),
                    fine = problem.Solve(
                        s_short with
                        {
                            MaxIterations = 301,
                            CertificateEvery = 20,
                            Averaging = Averaging.Suffix,
                        }
                    );
                foreach (MirrorSinkhornResult result in (MirrorSinkhornResult[])[rough, fine])
                {
                    Approx.True(result.Status == SolverStatus.IterationLimit, $"{result.Status}: {result.Message}");
                    ConvexCase.CheckFeasible(result);
                    Approx.True(result.LowerBound is not null, "no bound");
                    Approx.True(result.LowerBound <= Math.Min(rough.Value, fine.Value) + (1e-14 * scale), "a bound above a plan");
                }
            },
            quickCount: 40
        );

    static TransportObjective Objective(string name, CostMatrix costs, Measure a, Measure b)
    {
        double scale = Approx.CostScale(costs);
        int[] classes = [.. Enumerable.Range(0, a.Count).Select(i => i % 3)];
        Matrix Distances(int count, double sign)
        {
            var values = new double[count, count];
            for (int i = 0; i < count; i++)
            {
                for (int j = 0; j < count; j++)
                    values[i, j] = sign * Math.Abs(i - j);
            }
            return Matrix.From(values);
        }
        return name switch
        {
            "quadratic" => TransportObjective.Quadratic(costs, 3 * scale),
            "entropic" => TransportObjective.Entropic(costs, a, b, Epsilon.Absolute(0.05 * scale)),
            "group" => TransportObjective.Sum(
                (1, TransportObjective.Linear(costs)),
                (scale, TransportObjective.GroupLasso(classes, b.Count, 0.7))
            ),
            // Distances are negative semidefinite once centred, their negatives positive: a convex form.
            "inner" => TransportObjective.NegativeInner(Distances(a.Count, 1), Distances(b.Count, -1)),
            _ => TransportObjective.Sum(
                (0.5, TransportObjective.Quadratic(costs, scale)),
                (2, TransportObjective.Entropic(costs, a, b, Epsilon.Absolute(0.2 * scale)))
            ),
        };
    }

    [Fact]
    public void One_marginal_is_exact_after_each_step() =>
        Law.Check(
            Cases.Any(9),
            drawn =>
            {
                for (int iterations = 1; iterations <= 4; iterations++)
                {
                    MirrorSinkhornResult result = ConvexCase.Linear(drawn).Solve(s_short with { MaxIterations = iterations });
                    (double[] rows, double[] columns) = Oracles.Marginals(result.LastIterate);
                    if (iterations % 2 == 1)
                        Approx.Equal(drawn.B(), columns, 1e-14, "columns after an odd step");
                    else
                        Approx.Equal(drawn.A(), rows, 1e-14, "rows after an even step");
                }
            }
        );

    [Fact]
    public void Masses_are_positive_where_allowed_and_zero_elsewhere() =>
        Law.Check(
            Cases.Any(9),
            drawn =>
            {
                MirrorSinkhornResult result = ConvexCase.Linear(drawn).Solve(s_short with { MaxIterations = 7 });
                var costs = new CostMatrix(drawn.Costs());
                double[] a = drawn.A(),
                    b = drawn.B();
                foreach (TransportPlan plan in (TransportPlan[])[result.LastIterate, result.AveragePlan, result.Plan])
                {
                    Matrix masses = plan.ToDense();
                    for (int i = 0; i < a.Length; i++)
                    {
                        for (int j = 0; j < b.Length; j++)
                        {
                            bool open = a[i] > 0 && b[j] > 0 && !double.IsPositiveInfinity(costs.Cost(i, j));
                            Approx.True(
                                open ? masses[i, j] > 0 || plan == result.Plan : masses[i, j] == 0,
                                $"mass {masses[i, j]} at {i}, {j}, open: {open}"
                            );
                        }
                    }
                }
            }
        );

    [Fact]
    public void Both_forms_of_linear_problems_agree() =>
        Law.Check(
            Cases.Any(9),
            drawn =>
            {
                LinearProblem linear = drawn.Exact();
                TransportResult free = new MirrorSinkhorn(s_short).Solve(linear);
                var iterate = new PotentialPlan(linear.Geometry, linear.A, linear.B, free.Potentials!, free.Epsilon);
                MirrorSinkhornResult dense = ConvexCase.Linear(drawn).Solve(s_short);
                Approx.AtMost(Approx.PlanDistance(dense.LastIterate, iterate), 1e-10, "distance of the two forms");
            }
        );

    [Fact]
    public void A_constant_objective_keeps_the_product_plan() =>
        Law.Check(
            Cases.Of(9, CaseKind.ConstantCost, CaseKind.ZeroWeights),
            drawn =>
            {
                (Measure a, Measure b) = (Measure.Of(drawn.A()), Measure.Of(drawn.B()));
                var flat = new CostMatrix(drawn.Rows, drawn.Columns, new double[drawn.Rows * drawn.Columns]);
                MirrorSinkhornResult result = new ConvexProblem(TransportObjective.Linear(flat), a, b).Solve(s_short);
                Matrix last = result.LastIterate.ToDense();
                for (int i = 0; i < a.Count; i++)
                {
                    for (int j = 0; j < b.Count; j++)
                        Approx.Equal(a.Weights[i] * b.Weights[j], last[i, j], 1e-14, "P");
                }
            }
        );

    [Fact]
    public void Rows_and_columns_may_come_in_any_order() =>
        Law.Check(
            Cases.Any(9),
            drawn =>
            {
                LinearProblem linear = drawn.Exact();
                int[] rows = ProblemChanges.Permutation(drawn.Rows, 1),
                    columns = ProblemChanges.Permutation(drawn.Columns, 2);
                LinearProblem permuted = linear.Permute(rows, columns);
                Matrix first = Last(linear, s_short),
                    second = Last(permuted, s_short);
                for (int i = 0; i < rows.Length; i++)
                {
                    for (int j = 0; j < columns.Length; j++)
                        Approx.Equal(first[rows[i], columns[j]], second[i, j], 1e-12, "P permuted");
                }
            }
        );

    [Fact]
    public void Shifting_and_scaling_the_objective_changes_no_iterate() =>
        Law.Check(
            Cases.Any(9),
            drawn =>
            {
                LinearProblem linear = drawn.Exact();
                double scale = Approx.CostScale(linear.Geometry);
                double[] shift = [.. Enumerable.Repeat(0.5 * scale, drawn.Rows)];
                Matrix first = Last(linear, s_short),
                    shifted = Last(linear.ChangeCost(1, shift, new double[drawn.Columns]), s_short),
                    scaled = Last(linear.ChangeCost(1024, new double[drawn.Rows], new double[drawn.Columns]), s_short);
                // The shift rounds every cost by 2^-53 of the scale; 41 steps of 1/B sum to at most 41 of these exponents, and the spread may be small beside the scale.
                CostStatistics statistics = linear.Geometry.Statistics;
                double spread = Math.Max(statistics.Max - statistics.Min, 1e-300);
                double slack = Math.Min(1e3 * Approx.Unit * scale / spread, 2);
                Approx.Equal(first.Values, shifted.Values, slack, "P for F + c");
                Approx.Equal(first.Values, scaled.Values, 1e-12, "P for s F");
            }
        );

    /// <summary>A rescaling of columns does not undo exp(−η u): only constants are invisible. The minimisers agree all the same.</summary>
    [Fact]
    public void Row_and_column_potentials_in_the_cost_do_change_the_iterates()
    {
        CostMatrix costs = ConvexCase.UniformCosts(30, 30, 9);
        var problem = new LinearProblem(costs, Measure.Uniform(30), Measure.Uniform(30));
        var random = new SeededRandom(1);
        double[] u = [.. Enumerable.Range(0, 30).Select(_ => random.NextDouble())],
            v = [.. Enumerable.Range(0, 30).Select(_ => random.NextDouble())];
        MirrorSinkhornOptions options = s_short with { MaxIterations = 200, GradientBound = 3 };
        Matrix plain = Last(problem, options),
            changed = Last(problem.ChangeCost(1, u, v), options);
        double largest = plain.Values.ToArray().Max();
        double distance = plain.Values.ToArray().Zip(changed.Values.ToArray(), (x, y) => Math.Abs(x - y)).Max();
        Assert.InRange(distance, 1e-3 * largest, largest);
    }

    /// <summary>Zero weights are as if they were not there.</summary>
    [Fact]
    public void Zero_weights_are_left_out() =>
        Law.Check(
            Cases.Of(9, CaseKind.ZeroWeights),
            drawn =>
            {
                double[] a = drawn.A(),
                    b = drawn.B();
                int[] rows = [.. Enumerable.Range(0, a.Length).Where(i => a[i] > 0)],
                    columns = [.. Enumerable.Range(0, b.Length).Where(j => b[j] > 0)];
                LinearProblem full = drawn.Exact(),
                    reduced = full.Rearrange(rows, columns, [.. rows.Select(i => a[i])], [.. columns.Select(j => b[j])]);
                Matrix first = Last(full, s_short),
                    second = Last(reduced, s_short);
                for (int i = 0; i < rows.Length; i++)
                {
                    for (int j = 0; j < columns.Length; j++)
                        Approx.Equal(second[i, j], first[rows[i], columns[j]], 1e-12, "P");
                }
            }
        );

    [Fact]
    public void The_mass_scales_out() =>
        Law.Check(
            Cases.Any(8),
            drawn =>
            {
                ConvexProblem problem = ConvexCase.Linear(drawn);
                MirrorSinkhornResult one = problem.Solve(s_short),
                    seven = new ConvexProblem(problem.Objective, problem.A.Scale(7), problem.B.Scale(7)).Solve(s_short);
                double[] expected = [.. one.LastIterate.ToDense().Values.ToArray().Select(p => 7 * p)];
                Approx.Equal(expected, seven.LastIterate.ToDense().Values, 1e-12, "P");
                ConvexCase.CheckFeasible(seven);
            }
        );

    static Matrix Last(LinearProblem problem, MirrorSinkhornOptions options) =>
        new ConvexProblem(TransportObjective.Linear(problem.Geometry), problem.A, problem.B).Solve(options).LastIterate.ToDense();
}
