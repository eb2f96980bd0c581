using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;
using OT.Solvers.Sparse;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Sparse;

/// <summary>The quadratic problem and the group lasso.</summary>
public class QuadraticDualTests
{
    static readonly QuadraticDual s_solver = new(new QuadraticOptions { Tolerance = 1e-11 });

    /// <summary>γ between a thousandth and a thousand times what makes plans spread, by the seed.</summary>
    internal static LinearProblem Problem(TransportCase drawn)
    {
        LinearProblem exact = drawn.Exact();
        double scale = Math.Max(Approx.CostScale(exact.Geometry), 1e-300) * Math.Max(drawn.Rows, drawn.Columns);
        return exact with { Regularizer = Regularizer.Quadratic(scale * Math.Pow(10, (drawn.Seed % 7) - 3.0)) };
    }

    /// <summary>Digits of plan and values: masses are differences of costs over γ.</summary>
    static double Rounding(LinearProblem problem)
    {
        double gamma = ((QuadraticRegularizer)problem.Regularizer).Gamma;
        return 1e-14 * (1 + (Approx.CostScale(problem.Geometry) * (problem.A.Count + problem.B.Count) / gamma));
    }

    /// <summary>Values computed by two methods and by another library for the same problem (POT 0.8.2 <c>ot.smooth</c>, plans to 2e-8).</summary>
    [Theory]
    [InlineData(0.1, 0.23, 0.2372083333)]
    [InlineData(1, 0.230625, 0.30203125)]
    [InlineData(10, 0.268, 0.8323333333)]
    public void Reference_values(double gamma, double cost, double value)
    {
        TransportResult result = s_solver.Solve(KSparseDualTests.Small(Regularizer.Quadratic(gamma)));
        Assert.True(result.Converged, result.Message);
        Approx.Equal(cost, result.TransportCost, 1e-10, "cost");
        Approx.Equal(value, result.Value, 1e-10, "value");
        Approx.AtMost(result.Certify().Gap!.Value, 1e-12, "gap");
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(40)]
    public void Two_by_two(double gamma)
    {
        var problem = new LinearProblem(new CostMatrix(2, 2, [0, 1, 1, 0]), Measure.Of([0.5, 0.5]), Measure.Of([0.5, 0.5]))
        {
            Regularizer = Regularizer.Quadratic(gamma),
        };
        double diagonal = Math.Min(0.5, 0.25 + (1 / (2 * gamma)));
        Approx.Equal(
            [diagonal, 0.5 - diagonal, 0.5 - diagonal, diagonal],
            s_solver.Solve(problem).Plan.ToDense().Values,
            1e-11,
            "plan"
        );
    }

    [Fact]
    public void Answers_are_certified_and_meet_the_optimality_conditions() =>
        Law.Check(
            Cases.Any(10),
            drawn =>
            {
                LinearProblem problem = Problem(drawn);
                TransportResult result = s_solver.Solve(problem);
                double scale = Approx.CostScale(problem.Geometry);
                double gamma = ((QuadraticRegularizer)problem.Regularizer).Gamma;
                Approx.True(result.Converged, $"{result.Status} {result.MarginalError} {result.Message}");
                Approx.AtMost(result.MarginalError, 1e-11 + Rounding(problem), "marginal error");
                Certificate certificate = result.Certify();
                double size = scale + gamma;
                Approx.AtMost(-1e-13 * size, certificate.Gap!.Value, "sign of the gap");
                Approx.AtMost(certificate.Gap!.Value, (1e-10 + Rounding(problem)) * size, "gap");
                Approx.Equal(result.Value, certificate.PlanValue, 1e-13 * size, "value");
                SparseMatrix plan = result.Plan.ToSparse();
                for (int i = 0; i < plan.Rows; i++)
                {
                    var masses = new double[plan.Columns];
                    result.Plan.Row(i, masses);
                    for (int j = 0; j < plan.Columns; j++)
                    {
                        double x = result.Potentials!.F[i] + result.Potentials.G[j] - problem.Geometry.Cost(i, j);
                        Approx.True(masses[j] >= 0, "a negative mass");
                        if (problem.A.Weights[i] > 0 && problem.B.Weights[j] > 0)
                            Approx.Equal(
                                Math.Max(0, x),
                                gamma * masses[j],
                                1e-13 * (size + Math.Abs(x) + Math.Abs(result.Potentials.F[i])),
                                "KKT"
                            );
                    }
                }
            },
            fullCount: 3000
        );

    [Fact]
    public void Plans_are_those_of_block_coordinate_ascent() =>
        Law.Check(
            Cases.Of(6, CaseKind.Plain, CaseKind.Duplicates, CaseKind.SignedCost, CaseKind.IntegerCost, CaseKind.ConstantCost),
            drawn =>
            {
                double gamma = Math.Max(0.1, Approx.CostScale(new CostMatrix(drawn.Costs()))) * Math.Pow(10, drawn.Seed % 3);
                LinearProblem problem = drawn.Exact() with { Regularizer = Regularizer.Quadratic(gamma) };
                (double[,] plan, double error) = SparseOracles.Quadratic(problem, gamma, 20_000);
                TransportResult result = s_solver.Solve(problem);
                Approx.Equal(Matrix.From(plan).Values, result.Plan.ToDense().Values, 1e-9 + (10 * error), "plan");
            },
            quickCount: 40,
            fullCount: 1000
        );

    /// <summary>Laws that concern every solver; merging duplicates changes a quadratic problem, and bounds of exact transport are not its own.</summary>
    [Theory]
    [InlineData(nameof(Laws.CertificateCloses))]
    [InlineData(nameof(Laws.RoundedPlanIsFeasible))]
    [InlineData(nameof(Laws.MarginalsWithinTolerance))]
    [InlineData(nameof(Laws.PlanValueEqualsReported))]
    [InlineData(nameof(Laws.PermutationEquivariance))]
    [InlineData(nameof(Laws.Transposition))]
    [InlineData(nameof(Laws.CostShift))]
    [InlineData(nameof(Laws.ZeroMassBins))]
    public void Laws_of_all_solvers(string law)
    {
        var laws = new SolverLaws(problem => s_solver.Solve(problem), 1e-10, 1e-8);
        Law.Check(
            Cases.Of(9, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates, CaseKind.SignedCost, CaseKind.Forbidden),
            drawn => laws.Balanced[law](drawn.Exact() with { Regularizer = Regularizer.Quadratic(Math.Pow(10, drawn.Seed % 3)) }),
            fullCount: 1000
        );
    }

    [Fact]
    public void Costs_and_strength_scale_together() =>
        Law.Check(
            Cases.Of(9, CaseKind.Plain, CaseKind.SignedCost),
            drawn =>
            {
                LinearProblem problem = drawn.Exact() with { Regularizer = Regularizer.Quadratic(3) };
                double[] zeros = new double[drawn.Rows + drawn.Columns];
                LinearProblem scaled = problem.ChangeCost(1e6, zeros.AsSpan(0, drawn.Rows), zeros.AsSpan(0, drawn.Columns)) with
                {
                    Regularizer = Regularizer.Quadratic(3e6),
                };
                Approx.AtMost(
                    Approx.PlanDistance(s_solver.Solve(problem).Plan, s_solver.Solve(scaled).Plan),
                    1e-9,
                    "distance of the plans"
                );
            }
        );

    /// <summary>Powers of two change no digit, however far they move costs and γ.</summary>
    [Theory]
    [InlineData(450)]
    [InlineData(-450)]
    [InlineData(520)]
    public void Costs_of_any_size_have_the_same_plan(int exponent)
    {
        double factor = Math.ScaleB(1, exponent);
        var random = new SeededRandom(7);
        double[] costs = [.. Enumerable.Range(0, 6 * 9).Select(_ => random.NextDouble())];
        TransportResult Solve(double scale) =>
            s_solver.Solve(
                new LinearProblem(
                    new CostMatrix(6, 9, Array.ConvertAll(costs, c => scale * c)),
                    Measure.Uniform(6),
                    Measure.Uniform(9)
                )
                {
                    Regularizer = Regularizer.Quadratic(2 * scale),
                }
            );
        TransportResult plain = Solve(1),
            scaled = Solve(factor);
        Assert.True(scaled.Converged, scaled.Message);
        Approx.AtMost(Approx.PlanDistance(plain.Plan, scaled.Plan), 1e-9, "distance of the plans");
        Approx.AtMost(scaled.Certify().Gap!.Value / factor, 1e-9, "gap");
    }

    /// <summary>Costs whose differences are near their rounding are no error: Sinkhorn, which gives the start, would refuse the epsilon of their spread.</summary>
    [Fact]
    public void Costs_far_from_zero_are_solved()
    {
        double[] costs = [.. Enumerable.Range(0, 5 * 7).Select(k => 1e6 + (1e-8 * (k * k % 11)))];
        TransportResult result = new QuadraticDual().Solve(
            new LinearProblem(new CostMatrix(5, 7, costs), Measure.Uniform(5), Measure.Uniform(7))
            {
                Regularizer = Regularizer.Quadratic(1),
            }
        );
        Assert.True(result.Converged, result.Message);
        Approx.AtMost(result.Certify().Gap!.Value, 1e-13 * result.Value, "gap");
    }

    /// <summary>Potentials of another problem may be of any size: a start far off costs steps, not the answer.</summary>
    [Theory]
    [InlineData(1e8)]
    [InlineData(-1e12)]
    [InlineData(1e30)]
    public void A_start_far_off_is_left(double size)
    {
        var random = new SeededRandom(5);
        LinearProblem problem = new TransportCase(6, 8, 3, CaseKind.Plain).Exact() with
        {
            Regularizer = Regularizer.Quadratic(0.3),
        };
        double[] Far(int length) => Array.ConvertAll(new double[length], _ => size * random.NextNormal());
        TransportResult result = new QuadraticDual().Solve(problem, new Potentials(Far(6), Far(8)));
        Assert.True(result.Converged, result.Message);
        Approx.AtMost(Approx.PlanDistance(s_solver.Solve(problem).Plan, result.Plan), 1e-6, "distance of the plans");
    }

    /// <summary>A column of little weight has no mass for long, and no curvature to find its price by.</summary>
    [Fact]
    public void Weights_of_many_sizes_are_solved()
    {
        var random = new SeededRandom(3);
        const int n = 150;
        double[] x = new double[n],
            y = new double[n],
            a = new double[n],
            b = new double[n];
        for (int i = 0; i < n; i++)
        {
            (x[i], y[i]) = (random.NextNormal(), 0.5 + random.NextNormal());
            (a[i], b[i]) = (Math.Pow(random.NextDouble(), 6), Math.Pow(random.NextDouble(), 6));
        }
        var costs = new double[n * n];
        for (int k = 0; k < costs.Length; k++)
            costs[k] = Math.Pow(x[k / n] - y[k % n], 2);
        double mass = a.Sum(),
            ratio = mass / b.Sum();
        var problem = new LinearProblem(
            new CostMatrix(n, n, costs),
            Measure.Of(a),
            Measure.Of(Array.ConvertAll(b, w => w * ratio))
        );
        foreach (double gamma in new[] { 0.1, 10, 1000 })
        {
            TransportResult result = new QuadraticDual(new QuadraticOptions { MaxIterations = 300 }).Solve(
                problem with
                {
                    Regularizer = Regularizer.Quadratic(gamma),
                }
            );
            Assert.True(result.Converged, $"{gamma}: {result.Status} {result.Message} {result.MarginalError}");
            Approx.AtMost(result.Certify().Gap!.Value, 1e-5 * Math.Abs(result.Value), "gap");
        }
    }

    /// <summary>Where γ is lost in the rounding of the costs, and where squares of costs leave the range of doubles, bounds stay on their sides and close.</summary>
    [Theory]
    [InlineData(1, 1e-15)]
    [InlineData(1e10, 1e-12)]
    [InlineData(1e-150, 1e-162)]
    [InlineData(1e150, 1)]
    public void Bounds_enclose_a_plan_that_is_given_by_its_marginals(double cost, double gamma)
    {
        double[] weights = [0.1, 0.3, 0.05, 0.55];
        double[] costs = [0.3 * cost, 1.7 * cost, 0.9 * cost, 1.1 * cost];
        var problem = new LinearProblem(new CostMatrix(4, 1, costs), Measure.Of(weights), Measure.Of([1.0]))
        {
            Regularizer = Regularizer.Quadratic(gamma),
        };
        Certificate certificate = new QuadraticDual().Solve(problem).Certify();
        double value = 0;
        for (int i = 0; i < weights.Length; i++)
            value += (weights[i] * costs[i]) + (0.5 * gamma * weights[i] * weights[i]);
        Assert.InRange(certificate.DualValue!.Value, value * (1 - 1e-13), value * (1 + 1e-15));
        Assert.InRange(certificate.PrimalValue, value * (1 - 1e-15), value * (1 + 1e-13));
    }

    /// <summary>⟨C, P⟩ grows with γ from the exact cost, ‖P‖ falls, and the excess is bounded.</summary>
    [Fact]
    public void Between_the_exact_plan_and_the_flattest() =>
        Law.Check(
            Cases.Of(8, CaseKind.Plain, CaseKind.SignedCost, CaseKind.Duplicates, CaseKind.ZeroWeights),
            drawn =>
            {
                // Potentials hold sixteen digits, and masses are their differences over γ.
                var solver = new QuadraticDual(new QuadraticOptions { Tolerance = 1e-9 });
                TransportResult exact = new NetworkSimplex().Solve(drawn.Exact());
                double squares = SumOfSquares(exact.Plan),
                    cost = exact.TransportCost,
                    norm = double.PositiveInfinity;
                foreach (double gamma in (double[])[1e-4, 1e-2, 1, 100, 1e4])
                {
                    TransportResult result = solver.Solve(drawn.Exact() with { Regularizer = Regularizer.Quadratic(gamma) });
                    Approx.True(result.Converged, $"{gamma}: {result.Status} {result.MarginalError}");
                    double tolerance = 1e-8 * (1 + Math.Abs(cost) + gamma);
                    Approx.True(result.TransportCost >= cost - tolerance, "the cost fell");
                    Approx.True(SumOfSquares(result.Plan) <= norm + tolerance, "the norm grew");
                    Approx.AtMost(
                        result.TransportCost - exact.TransportCost,
                        (0.5 * gamma * (squares - SumOfSquares(result.Plan))) + tolerance,
                        "excess"
                    );
                    (cost, norm) = (result.TransportCost, SumOfSquares(result.Plan));
                }
            },
            quickCount: 50,
            fullCount: 1000
        );

    [Fact]
    public void A_small_strength_gives_the_exact_cost()
    {
        LinearProblem problem = new TransportCase(30, 20, 3, CaseKind.Plain).Exact();
        double exact = new NetworkSimplex().Solve(problem).TransportCost;
        TransportResult result = s_solver.Solve(problem with { Regularizer = Regularizer.Quadratic(1e-5) });
        Assert.True(result.Converged);
        Approx.Equal(exact, result.TransportCost, 1e-11, "cost");
    }

    [Fact]
    public void A_large_strength_gives_the_projection_of_zero()
    {
        double[] a = [0.2, 0.3, 0.25, 0.25],
            b = [0.3, 0.4, 0.3];
        var problem = new LinearProblem(
            new CostMatrix(new TransportCase(4, 3, 5, CaseKind.Plain).Costs()),
            Measure.Of(a),
            Measure.Of(b)
        )
        {
            Regularizer = Regularizer.Quadratic(1e9),
        };
        ReadOnlySpan<double> plan = s_solver.Solve(problem).Plan.ToDense().Values;
        for (int i = 0; i < 4; i++)
        {
            for (int j = 0; j < 3; j++)
                Approx.Equal(
                    (problem.A.Weights[i] / 3) + (problem.B.Weights[j] / 4) - (1.0 / 12),
                    plan[(i * 3) + j],
                    1e-8,
                    "mass"
                );
        }
    }

    [Theory]
    [InlineData(QuadraticAlgorithm.SemiDual)]
    [InlineData(QuadraticAlgorithm.Dual)]
    public void First_order_methods_agree_with_newton(QuadraticAlgorithm algorithm)
    {
        LinearProblem problem = new TransportCase(40, 30, 7, CaseKind.ZeroWeights).Exact() with
        {
            Regularizer = Regularizer.Quadratic(20),
        };
        TransportResult newton = s_solver.Solve(problem);
        TransportResult first = new QuadraticDual(
            new QuadraticOptions
            {
                Algorithm = algorithm,
                Tolerance = 1e-8,
                MaxIterations = 20_000,
            }
        ).Solve(problem);
        Assert.True(first.Converged, $"{first.Status} {first.MarginalError}");
        Approx.Equal(newton.Value, first.Value, 1e-8 * 20, "value");
        Approx.AtMost(first.Certify().Gap!.Value, 1e-7, "gap");
        Assert.Contains("L-BFGS", first.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Points_are_streamed_to_the_same_plan()
    {
        var drawn = new TransportCase(300, 200, 8, CaseKind.Plain);
        LinearProblem stored = drawn.Exact() with { Regularizer = Regularizer.Quadratic(2) };
        LinearProblem points = new(new PointCloud(drawn.Source(), drawn.Target()), stored.A, stored.B)
        {
            Regularizer = stored.Regularizer,
        };
        Approx.AtMost(Approx.PlanDistance(s_solver.Solve(stored).Plan, s_solver.Solve(points).Plan), 1e-9, "distance");
    }

    [Fact]
    public void Threads_change_no_bit()
    {
        LinearProblem problem = new TransportCase(200, 150, 9, CaseKind.Plain).Exact() with
        {
            Regularizer = Regularizer.Quadratic(0.5),
        };
        TransportResult one = new QuadraticDual(new QuadraticOptions { Threads = 1 }).Solve(problem);
        TransportResult two = new QuadraticDual(new QuadraticOptions { Threads = 3 }).Solve(problem);
        Assert.Equal(one.Plan.ToSparse().Values, two.Plan.ToSparse().Values);
    }

    [Fact]
    public void A_start_at_the_answer_is_kept()
    {
        LinearProblem problem = new TransportCase(80, 90, 10, CaseKind.Plain).Exact() with
        {
            Regularizer = Regularizer.Quadratic(0.5),
        };
        TransportResult cold = s_solver.Solve(problem);
        TransportResult warm = s_solver.Solve(problem, cold.Potentials);
        Assert.True(warm.Converged);
        Assert.True(warm.Iterations <= 1, $"{warm.Iterations} steps");
    }

    [Fact]
    public void Group_lasso_is_quadratic_without_mu_and_thins_groups_with_it()
    {
        var drawn = new TransportCase(12, 9, 11, CaseKind.Plain);
        int[] groups = [.. Enumerable.Range(0, 12).Select(i => 5 * (i % 3))];
        var solver = new QuadraticDual(new QuadraticOptions { Tolerance = 1e-7, MaxIterations = 50_000 });
        int before = int.MaxValue - 1;
        foreach (double mu in (double[])[1e-12, 0.01, 0.05, 0.2])
        {
            TransportResult result = solver.Solve(drawn.Exact() with { Regularizer = Regularizer.GroupLasso(5, mu, groups) });
            Assert.True(result.Converged, $"{mu}: {result.Status} {result.MarginalError}");
            Approx.AtMost(result.Certify().Gap!.Value, 1e-5, "gap");
            int active = Active(result.Plan, groups);
            Assert.True(active <= before + 1, $"{active} groups at {mu}, {before} before");
            before = active;
            if (mu < 1e-6)
            {
                TransportResult plain = s_solver.Solve(drawn.Exact() with { Regularizer = Regularizer.Quadratic(5) });
                Approx.Equal(plain.Value, result.Value, 1e-6, "value");
            }
        }
    }

    static int Active(TransportPlan plan, int[] groups)
    {
        SparseMatrix entries = plan.ToSparse(1e-9);
        var seen = new HashSet<(int, int)>();
        for (int i = 0; i < entries.Rows; i++)
        {
            foreach (int j in entries.RowColumns(i))
                seen.Add((groups[i], j));
        }
        return seen.Count;
    }

    [Fact]
    public void Bad_input_is_refused_with_a_reason()
    {
        LinearProblem exact = new TransportCase(3, 4, 1, CaseKind.Plain).Exact();
        Assert.Throws<ArgumentOutOfRangeException>(() => Regularizer.Quadratic(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Regularizer.Quadratic(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => Regularizer.GroupLasso(1, -1, [0, 0, 0]));
        Assert.Throws<NotSupportedException>(() => new QuadraticDual().Solve(exact));
        Assert.Throws<ArgumentException>(() =>
            new QuadraticDual().Solve(exact with { Regularizer = Regularizer.GroupLasso(1, 1, [0, 1]) })
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => new QuadraticDual(new QuadraticOptions { Threads = 0 }));
        LinearProblem quadratic = exact with { Regularizer = Regularizer.Quadratic(1) };
        Assert.Throws<ArgumentException>(() =>
            new QuadraticDual().Solve(quadratic, new Potentials(new double[2], new double[4]))
        );
        Assert.Throws<ArgumentException>(() =>
            new QuadraticDual().Solve(quadratic, new Potentials(new double[3], new double[5]))
        );
        LinearProblem unequal = new(exact.Geometry, exact.A, exact.B.Scale(2)) { Regularizer = Regularizer.Quadratic(1) };
        TransportResult infeasible = new QuadraticDual().Solve(unequal);
        Assert.Equal(SolverStatus.Infeasible, infeasible.Status);
        Assert.Contains("masses", infeasible.Message, StringComparison.Ordinal);
        var blocked = new CostMatrix(2, 2, [1, 2, double.PositiveInfinity, double.PositiveInfinity]);
        TransportResult none = new QuadraticDual().Solve(
            new LinearProblem(blocked, Measure.Of([0.5, 0.5]), Measure.Of([0.5, 0.5])) { Regularizer = Regularizer.Quadratic(1) }
        );
        Assert.Equal(SolverStatus.Infeasible, none.Status);
    }

    [Fact]
    public void Limits_are_statuses()
    {
        LinearProblem problem = new TransportCase(60, 60, 2, CaseKind.Plain).Exact() with
        {
            Regularizer = Regularizer.Quadratic(0.01),
        };
        Assert.Equal(SolverStatus.Cancelled, new QuadraticDual().Solve(problem, new CancellationToken(canceled: true)).Status);
        Assert.Equal(
            SolverStatus.TimeLimit,
            new QuadraticDual(new QuadraticOptions { TimeLimit = TimeSpan.Zero }).Solve(problem).Status
        );
        TransportResult stopped = new QuadraticDual(new QuadraticOptions { MaxIterations = 1 }).Solve(problem);
        Assert.Equal(SolverStatus.IterationLimit, stopped.Status);
        Assert.True(stopped.MarginalError > 0);
        Assert.True(stopped.Certify().Gap >= 0);
    }

    static double SumOfSquares(TransportPlan plan)
    {
        ReadOnlySpan<double> masses = plan.ToSparse().Values;
        double sum = 0;
        foreach (double mass in masses)
            sum += mass * mass;
        return sum;
    }
}
