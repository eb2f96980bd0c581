using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Inverse;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Inverse;

/// <summary>The loss, its derivatives, and the laws of its minimisers.</summary>
public class InverseTransportTests
{
    static readonly InverseTransport s_tight = new(InverseCase.Tight);

    [Fact]
    public void Loss_and_gradient_are_those_of_double_loops() =>
        Law.Check(
            InverseCase.Any(),
            drawn =>
            {
                (double loss, double[] gradient) = InverseOracles.Loss(
                    drawn.Tables(),
                    drawn.Theta(),
                    drawn.Observed(),
                    drawn.Epsilon
                );
                (double own, var slope) = s_tight.Evaluate(drawn.Problem(), drawn.Theta());
                Approx.Equal(loss, own, 1e-11, "loss");
                Approx.Equal(gradient, slope.AsSpan(), 1e-11, "gradient");
                Approx.AtMost(-own, 1e-12, "minus the loss");
            },
            quickCount: 60
        );

    [Fact]
    public void The_loss_vanishes_where_the_plan_is_the_observed_one() =>
        Law.Check(
            InverseCase.Any(),
            drawn =>
            {
                double[] truth = drawn.Theta();
                (double loss, var slope) = s_tight.Evaluate(drawn.Problem(drawn.PlanOf(truth)), truth);
                Approx.Equal(0, loss, 1e-12, "loss");
                Approx.Equal(new double[truth.Length], slope.AsSpan(), 1e-11, "gradient");
            },
            quickCount: 40
        );

    [Fact]
    public void Gradient_and_Hessian_are_those_of_differences() =>
        Law.Check(
            InverseCase.Any(),
            drawn =>
            {
                const double h = 1e-4;
                InverseProblem problem = drawn.Problem();
                double[] theta = drawn.Theta();
                (_, var gradient) = s_tight.Evaluate(problem, theta);
                Matrix hessian = s_tight.Hessian(problem, theta);
                for (int k = 0; k < theta.Length; k++)
                {
                    double[] up = [.. theta],
                        down = [.. theta];
                    up[k] += h;
                    down[k] -= h;
                    (double more, var above) = s_tight.Evaluate(problem, up);
                    (double less, var below) = s_tight.Evaluate(problem, down);
                    // Third derivatives are of order 1/ε², and h² of them is left.
                    Approx.Equal((more - less) / (2 * h), gradient[k], 1e-6, $"gradient[{k}]");
                    for (int l = 0; l < theta.Length; l++)
                        Approx.Equal((above[l] - below[l]) / (2 * h), hessian[k, l], 1e-6, $"hessian[{k}, {l}]");
                }
            },
            quickCount: 25
        );

    [Fact]
    public void The_loss_is_convex() =>
        Law.Check(
            InverseCase.Any(),
            drawn =>
            {
                double[] x = drawn.Theta(2),
                    y = drawn.Theta(3);
                double At(double[] theta) => s_tight.Evaluate(drawn.Problem(), theta).Loss;
                double middle = At([.. x.Zip(y, (u, v) => (u + v) / 2)]);
                Approx.AtMost(middle, ((At(x) + At(y)) / 2) + 1e-12, "loss in the middle");
            },
            quickCount: 30
        );

    /// <summary>The optimality conditions, with the gradient of the oracle.</summary>
    [Fact]
    public void Every_answer_meets_its_conditions_and_bounds() =>
        Law.Check(
            InverseCase.Any(),
            drawn =>
            {
                InverseProblem problem = drawn.Problem() with { Lambda = 0.02 };
                foreach (
                    InverseAlgorithm algorithm in (InverseAlgorithm[])[InverseAlgorithm.Newton, InverseAlgorithm.ProximalGradient]
                )
                {
                    InverseTransportResult result = new InverseTransport(
                        InverseCase.Tight with
                        {
                            Algorithm = algorithm,
                            Tolerance = 1e-9,
                            MaxIterations = 5000,
                        }
                    ).Solve(problem);
                    Approx.True(
                        result.Converged,
                        $"{algorithm}: {result.Status} after {result.Iterations}, residual {result.KktResidual}"
                    );
                    double[] theta = [.. result.Theta];
                    (double loss, double[] gradient) = InverseOracles.Loss(
                        drawn.Tables(),
                        theta,
                        drawn.Observed(),
                        drawn.Epsilon
                    );
                    for (int k = 0; k < theta.Length; k++)
                    {
                        double rest =
                            theta[k] != 0 ? Math.Abs(gradient[k] + (0.02 * Math.Sign(theta[k]))) : Math.Abs(gradient[k]) - 0.02;
                        Approx.AtMost(rest, 2e-9, $"{algorithm}: condition {k}");
                    }
                    double objective = loss + (0.02 * theta.Sum(Math.Abs));
                    Approx.Equal(objective, result.Objective, 1e-10, "objective");
                    InverseCertificate certificate = result.Certify();
                    Approx.AtMost(objective, certificate.UpperBound, "objective");
                    // Never below 0 in truth; the loops here may be, by their rounding.
                    Approx.AtMost(certificate.LowerBound!.Value, Math.Max(0, objective), "lower bound");
                    // s = 1 − λ/|G| is the residual over λ at most, times the loss.
                    Approx.AtMost(certificate.Gap!.Value, 1e-6 * (1 + loss), "gap");
                    Approx.AtMost(result.LowerBound!.Value, objective + 1e-12, "estimated bound");
                }
            },
            quickCount: 25
        );

    [Fact]
    public void Solvers_agree_with_each_other_and_with_the_oracle()
    {
        var drawn = new InverseCase(6, 5, 4, 11);
        InverseProblem problem = drawn.Problem() with { Lambda = 0.05 };
        double[] sista = InverseOracles.Sista(drawn.Tables(), drawn.Observed(), drawn.Epsilon, 0.05, 20_000);
        foreach (InverseAlgorithm algorithm in Enum.GetValues<InverseAlgorithm>())
        {
            InverseTransportResult result = new InverseTransport(InverseCase.Tight with { Algorithm = algorithm }).Solve(problem);
            Approx.Equal(sista, result.Theta.AsSpan(), 1e-7, $"{algorithm}");
        }
        Assert.Contains(sista, value => value != 0);
        Assert.Contains(0.0, sista);
    }

    [Fact]
    public void From_lambda_max_on_the_answer_is_zero_and_says_so() =>
        Law.Check(
            InverseCase.Any(),
            drawn =>
            {
                InverseProblem problem = drawn.Problem();
                double largest = s_tight.Solve(problem with { Lambda = 1e3 }).LambdaMax;
                InverseTransportResult above = s_tight.Solve(problem with { Lambda = (largest * 1.0001) + 1e-12 });
                Approx.True(above.Theta.All(value => value == 0) && above.Converged, "theta above lambda_max");
                Approx.True(above.Message.Contains("lambda_max", StringComparison.Ordinal), above.Message);
                (_, double[] gradient) = InverseOracles.Loss(
                    drawn.Tables(),
                    new double[drawn.Terms],
                    drawn.Observed(),
                    drawn.Epsilon
                );
                Approx.Equal(gradient.Max(Math.Abs), largest, 1e-12, "lambda_max");
                if (largest < 1e-6)
                    return; // one row or one column: nothing to learn
                InverseTransportResult below = s_tight.Solve(problem with { Lambda = largest * 0.99 });
                Approx.True(below.Support.Length > 0 && below.Converged, "theta below lambda_max");
                Approx.True(!below.Message.Contains("lambda_max", StringComparison.Ordinal), below.Message);
            },
            quickCount: 30
        );

    [Fact]
    public void An_exact_plan_gives_its_cost_back_with_an_error_of_the_order_of_lambda()
    {
        var drawn = new InverseCase(7, 6, 3, 5);
        double[] truth = drawn.Theta();
        InverseProblem problem = drawn.Problem(drawn.PlanOf(truth));
        double[] errors =
        [
            .. ((double[])[1e-2, 1e-3, 1e-4, 0]).Select(lambda =>
                s_tight.Solve(problem with { Lambda = lambda }).Theta.Zip(truth, (x, y) => Math.Abs(x - y)).Max()
            ),
        ];
        Assert.InRange(errors[0] / errors[1], 7, 13);
        Assert.InRange(errors[1] / errors[2], 9, 11);
        Assert.InRange(errors[3], 0, 1e-8);
    }

    [Fact]
    public void Scaling_epsilon_and_lambda_alike_scales_theta()
    {
        var drawn = new InverseCase(6, 6, 4, 3);
        InverseProblem problem = drawn.Problem() with { Lambda = 0.03 };
        InverseTransportResult one = s_tight.Solve(problem),
            scaled = s_tight.Solve(problem with { Epsilon = 3 * drawn.Epsilon });
        // λ multiplies |θ| and θ scales with ε: the objective scales with λ unchanged.
        Approx.Equal([.. one.Theta.Select(value => 3 * value)], scaled.Theta.AsSpan(), 1e-8, "theta");
        Approx.Equal(3 * one.Objective, scaled.Objective, 1e-9, "objective");
        Approx.AtMost(Approx.PlanDistance(one.Plan, scaled.Plan), 1e-8, "distance of plans");
    }

    [Fact]
    public void The_order_of_samples_and_of_terms_changes_nothing()
    {
        var drawn = new InverseCase(7, 5, 4, 8);
        double[][,] tables = drawn.Tables();
        double[,] observed = drawn.Observed();
        InverseTransportResult plain = s_tight.Solve(drawn.Problem() with { Lambda = 0.02 });
        int[] rows = new SeededRandom(1).NextPermutation(7),
            columns = new SeededRandom(2).NextPermutation(5),
            terms = new SeededRandom(3).NextPermutation(4);
        double[,] Shuffled(double[,] table)
        {
            var other = new double[7, 5];
            for (int i = 0; i < 7; i++)
            {
                for (int j = 0; j < 5; j++)
                    other[i, j] = table[rows[i], columns[j]];
            }
            return other;
        }
        var problem = new InverseProblem(
            CostDictionary.Of([.. terms.Select(k => (Geometry)new CostMatrix(Shuffled(tables[k])))]),
            ObservedCoupling.Of(Matrix.From(Shuffled(observed)))
        )
        {
            Epsilon = drawn.Epsilon,
            Lambda = 0.02,
        };
        Approx.Equal([.. terms.Select(k => plain.Theta[k])], s_tight.Solve(problem).Theta.AsSpan(), 1e-8, "theta");
    }

    [Fact]
    public void Functions_of_x_and_of_y_are_not_identified_and_zero()
    {
        var drawn = new InverseCase(6, 5, 3, 21);
        double[,] sum = new double[6, 5];
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 5; j++)
                sum[i, j] = Math.Sin(i) + (3.7 * j) + 100;
        }
        double[][,] tables = drawn.Tables();
        var problem = new InverseProblem(
            CostDictionary.Of([
                new CostMatrix(tables[0]),
                new CostMatrix(sum),
                new CostMatrix(tables[1]),
                new CostMatrix(tables[2]),
            ]),
            ObservedCoupling.Of(Matrix.From(drawn.Observed()))
        )
        {
            Epsilon = drawn.Epsilon,
        };
        foreach (double lambda in (double[])[0, 0.02])
        {
            InverseTransportResult result = s_tight.Solve(problem with { Lambda = lambda });
            Assert.True(result.Converged);
            Assert.Equal(0, result.Theta[1]);
            Assert.Equal([1], result.InvisibleTerms);
            Assert.Contains("term 1", result.Message, StringComparison.Ordinal);
            Assert.Null(result.NullSpace);
            InverseTransportResult without = s_tight.Solve(drawn.Problem() with { Lambda = lambda });
            Approx.Equal(without.Theta.AsSpan(), [result.Theta[0], result.Theta[2], result.Theta[3]], 1e-7, "the others");
        }
    }

    [Fact]
    public void Terms_that_depend_on_each_other_are_reported_with_their_null_space()
    {
        var drawn = new InverseCase(6, 5, 2, 4);
        double[][,] tables = drawn.Tables();
        var mixed = new double[6, 5];
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 5; j++)
                mixed[i, j] = (2 * tables[0][i, j]) - tables[1][i, j] + i - j;
        }
        var problem = new InverseProblem(
            CostDictionary.Of([new CostMatrix(tables[0]), new CostMatrix(tables[1]), new CostMatrix(mixed)]),
            ObservedCoupling.Of(Matrix.From(drawn.Observed()))
        );
        foreach (double lambda in (double[])[0, 0.01])
        {
            InverseTransportResult result = s_tight.Solve(problem with { Lambda = lambda });
            Assert.True(result.Converged, result.Message);
            Assert.NotNull(result.NullSpace);
            Assert.Equal(1, result.NullSpace.Rows);
            double[] direction = result.NullSpace.Row(0).ToArray();
            double sign = Math.Sign(direction[0]);
            Approx.Equal(
                [2 / Math.Sqrt(6), -1 / Math.Sqrt(6), -1 / Math.Sqrt(6)],
                [.. direction.Select(v => sign * v)],
                1e-9,
                "direction"
            );
            Assert.Contains("depend on each other", result.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Equal_points_are_merged_and_change_nothing()
    {
        Matrix x = Coarse(40, 3, 1),
            y = Coarse(40, 2, 2);
        InverseProblem merged = InverseProblem.FromPairs(x, y) with { Lambda = 0.02 };
        var whole = new InverseProblem(CostDictionary.Bilinear(x, y), ObservedCoupling.OfPairs(40)) { Lambda = 0.02 };
        Assert.True(merged.Dictionary.Rows < 28 && merged.Dictionary.Columns < 10);
        Assert.Equal(40, merged.Observed.Pairs);
        InverseTransportResult few = s_tight.Solve(merged),
            many = s_tight.Solve(whole);
        Approx.Equal(few.Theta.AsSpan(), many.Theta.AsSpan(), 1e-8, "theta");
        Assert.NotEmpty(few.Support);

        static Matrix Coarse(int n, int d, ulong seed)
        {
            var random = new SeededRandom(seed);
            return new Matrix(n, d, [.. Enumerable.Range(0, n * d).Select(_ => (double)random.NextInt(3))]);
        }
    }

    [Fact]
    public void Points_without_weight_are_left_alone()
    {
        var drawn = new InverseCase(5, 4, 3, 9);
        double[,] observed = drawn.Observed();
        for (int j = 0; j < 4; j++)
            observed[2, j] = 0;
        for (int i = 0; i < 5; i++)
            observed[i, 1] = 0;
        InverseTransportResult result = s_tight.Solve(drawn.Problem(observed) with { Lambda = 0.02 });
        var part = new InverseProblem(
            drawn.Dictionary().Select([0, 1, 3, 4], [0, 2, 3]),
            ObservedCoupling.Of(
                Matrix.From(
                    new double[,]
                    {
                        { observed[0, 0], observed[0, 2], observed[0, 3] },
                        { observed[1, 0], observed[1, 2], observed[1, 3] },
                        { observed[3, 0], observed[3, 2], observed[3, 3] },
                        { observed[4, 0], observed[4, 2], observed[4, 3] },
                    }
                )
            )
        )
        {
            Epsilon = drawn.Epsilon,
            Lambda = 0.02,
        };
        Assert.True(result.Converged);
        Approx.Equal(s_tight.Solve(part).Theta.AsSpan(), result.Theta.AsSpan(), 1e-8, "theta");
        Assert.True(result.Certify().Gap < 1e-6);
    }

    [Fact]
    public void Bilinear_and_squared_terms_are_those_of_tables()
    {
        Matrix x = InverseCase.Normal(12, 2, 1),
            y = InverseCase.Normal(12, 3, 2),
            z = InverseCase.Normal(12, 2, 3);
        Geometry Product(int a, int b) => new CostMatrix(Table(12, (i, j) => x[i, a] * y[j, b]));
        Geometry Square(int a) => new CostMatrix(Table(12, (i, j) => (x[i, a] - z[j, a]) * (x[i, a] - z[j, a])));
        var pairs = ObservedCoupling.OfPairs(12);
        foreach (double lambda in (double[])[0.05, 0.2])
        {
            InverseTransportResult listed = s_tight.Solve(
                new InverseProblem(CostDictionary.Of([.. Enumerable.Range(0, 6).Select(k => Product(k / 3, k % 3))]), pairs)
                {
                    Lambda = lambda,
                }
            );
            InverseTransportResult bilinear = s_tight.Solve(
                new InverseProblem(CostDictionary.Bilinear(x, y), pairs) { Lambda = lambda }
            );
            Approx.Equal(listed.Theta.AsSpan(), bilinear.Theta.AsSpan(), 1e-8, "theta");
            Approx.Equal(listed.Loss, bilinear.Loss, 1e-9, "loss");
            Approx.AtMost(Approx.PlanDistance(listed.Plan, bilinear.Plan), 1e-8, "plans");
            Approx.EqualUpToGauge(listed.Potentials, bilinear.Potentials, pairs.A, pairs.B, 1e-8, "potentials");

            InverseTransportResult squares = s_tight.Solve(
                new InverseProblem(CostDictionary.SquaredDifferences(x, z), pairs) { Lambda = lambda }
            );
            InverseTransportResult tables = s_tight.Solve(
                new InverseProblem(CostDictionary.Of([Square(0), Square(1)]), pairs) { Lambda = lambda }
            );
            Approx.Equal(tables.Theta.AsSpan(), squares.Theta.AsSpan(), 1e-8, "theta of squares");
            Approx.AtMost(Approx.PlanDistance(tables.Plan, squares.Plan), 1e-8, "plans of squares");
        }
    }

    static double[,] Table(int n, Func<int, int, double> value)
    {
        var table = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                table[i, j] = value(i, j);
        }
        return table;
    }

    [Fact]
    public void A_learned_cost_serves_every_solver()
    {
        Matrix x = InverseCase.Normal(15, 2, 1),
            y = InverseCase.Normal(15, 2, 2);
        InverseTransportResult result = s_tight.Solve(InverseProblem.FromPairs(x, y) with { Lambda = 0.1 });
        Assert.NotEmpty(result.Support);
        var problem = new LinearProblem(result.LearnedCost, result.Problem.Observed.A, result.Problem.Observed.B);
        TransportResult entropic = new Sinkhorn(new() { Tolerance = 1e-11 }).Solve(
            problem with
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(1)),
            }
        );
        Approx.AtMost(Approx.PlanDistance(entropic.Plan, result.Plan), 1e-9, "distance of plans");
        TransportResult exact = Transport.Solve(problem);
        Assert.True(exact.Converged);
        Assert.InRange(exact.Certify().Gap!.Value, 0, 1e-9);
    }

    [Fact]
    public void A_surplus_is_minus_the_cost_at_half_the_epsilon()
    {
        var drawn = new InverseCase(6, 6, 4, 14);
        InverseProblem cost = drawn.Problem() with { Lambda = 0.03 };
        InverseProblem surplus = cost with { Convention = CostConvention.Surplus, Epsilon = 2 * drawn.Epsilon };
        InverseTransportResult one = s_tight.Solve(cost),
            two = s_tight.Solve(surplus);
        Approx.Equal([.. one.Theta.Select(value => -value)], two.Theta.AsSpan(), 1e-9, "theta");
        Approx.Equal([.. one.Gradient.Select(value => -value)], two.Gradient.AsSpan(), 1e-9, "gradient");
        Approx.Equal(one.Loss, two.Loss, 1e-12, "loss");
        Approx.AtMost(Approx.PlanDistance(one.Plan, two.Plan), 1e-9, "plans");
        Approx.Equal(one.Certify().UpperBound, two.Certify().UpperBound, 1e-10, "upper bounds");
        double[] truth = [1, 0, -1, 0];
        Irrepresentability first = s_tight.PreCertificate(cost, truth),
            second = s_tight.PreCertificate(surplus, [.. truth.Select(value => -value)]);
        Approx.Equal([.. first.PreCertificate.Select(value => -value)], second.PreCertificate.AsSpan(), 1e-8, "z");
        Assert.Equal(first.Margin, second.Margin, 1e-8);
    }

    [Fact]
    public void A_fixed_cost_is_part_of_the_plan_and_forbids_pairs()
    {
        var drawn = new InverseCase(6, 6, 3, 30);
        double[][,] tables = drawn.Tables();
        double[] truth = [0.7, 0, -0.4];
        double[,] known = Table(6, (i, j) => i == j + 3 ? double.PositiveInfinity : Math.Abs(i - j));
        double[,] whole = InverseOracles.Cost(tables, truth);
        for (int i = 0; i < 6; i++)
        {
            for (int j = 0; j < 6; j++)
                whole[i, j] += known[i, j];
        }
        (double[] a, double[] b) = InverseOracles.Marginals(drawn.Observed());
        double[,] plan = InverseOracles.Entropic(whole, a, b, drawn.Epsilon).Plan;
        InverseProblem problem = drawn.Problem(plan) with { FixedCost = new CostMatrix(known) };
        InverseTransportResult result = s_tight.Solve(problem);
        Assert.True(result.Converged, result.Message);
        Approx.Equal(truth, result.Theta.AsSpan(), 1e-7, "theta");
        Assert.Equal(0, result.Loss, 1e-10);
        InverseTransportResult sparse = s_tight.Solve(problem with { Lambda = 0.01 });
        Assert.True(sparse.Certify().Gap < 1e-6);
        Assert.Equal(double.PositiveInfinity, sparse.LearnedCost.Cost(3, 0));
        ArgumentException thrown = Assert.Throws<ArgumentException>(() =>
            s_tight.Solve(drawn.Problem() with { FixedCost = new CostMatrix(known) })
        );
        Assert.Contains("forbids", thrown.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// Pairs of one block of rows and columns only, or of the other: on these a term that tells the blocks apart is a function of x, and a term that differs from another on forbidden pairs alone is that other.
    /// </summary>
    [Fact]
    public void What_forbidden_pairs_hide_is_not_identified()
    {
        const int n = 6;
        var drawn = new InverseCase(n, n, 2, 31);
        double[][,] tables = drawn.Tables();
        double[,] known = Table(n, (i, j) => i / 3 == j / 3 ? 0.1 * Math.Abs(i - j) : double.PositiveInfinity),
            whole = InverseOracles.Cost(tables, [0.7, -0.4]);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                whole[i, j] += known[i, j];
        }
        // Marginals that the blocks allow.
        double[] a = [.. Enumerable.Range(0, n).Select(i => (1 + (i % 3)) / 12.0)];
        double[,] plan = InverseOracles.Entropic(whole, a, a, drawn.Epsilon).Plan;
        var problem = new InverseProblem(
            CostDictionary.Of([
                new CostMatrix(tables[0]),
                new CostMatrix(Table(n, (i, j) => i / 3 == j / 3 ? 1 + (i / 3) : 5)),
                new CostMatrix(tables[1]),
                new CostMatrix(Table(n, (i, j) => tables[1][i, j] + (i / 3 == j / 3 ? 0 : i * j))),
            ]),
            ObservedCoupling.Of(Matrix.From(plan))
        )
        {
            Epsilon = drawn.Epsilon,
            FixedCost = new CostMatrix(known),
        };
        InverseTransportResult result = s_tight.Solve(problem with { Lambda = 0.01 });
        Assert.True(result.Converged, result.Message);
        Assert.Equal([1], result.InvisibleTerms);
        Assert.Equal(0, result.Theta[1]);
        Assert.NotNull(result.NullSpace);
        Assert.Equal(1, result.NullSpace.Rows);
        double[] direction = result.NullSpace.Row(0).ToArray();
        double sign = Math.Sign(direction[2]);
        Approx.Equal([0, 0, Math.Sqrt(0.5), -Math.Sqrt(0.5)], [.. direction.Select(v => sign * v)], 1e-6, "direction");
        InverseTransportResult without = s_tight.Solve(drawn.Problem(plan) with { FixedCost = problem.FixedCost, Lambda = 0.01 });
        Approx.Equal(without.Theta.AsSpan(), [result.Theta[0], result.Theta[2] + result.Theta[3]], 1e-6, "what is identified");
    }
}
