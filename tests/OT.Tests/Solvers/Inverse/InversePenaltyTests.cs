using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Inverse;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Inverse;

/// <summary>Penalties, constraints, choices of λ, and what is refused.</summary>
public class InversePenaltyTests
{
    static readonly InverseTransport s_tight = new(InverseCase.Tight with { MaxIterations = 20_000 });

    static InverseProblem Pairs(int n = 80, int d = 3)
    {
        var truth = new double[d * d];
        for (int k = 0; k < d; k++)
            truth[(k * d) + k] = -1;
        (Matrix x, Matrix y) = InverseCase.Pairs(n, new Matrix(d, d, truth), 1, 4);
        return InverseProblem.FromPairs(x, y);
    }

    static double Objective(InverseProblem problem, double[] theta, Func<double[], double> penalty) =>
        s_tight.Evaluate(problem, theta).Loss + (problem.Lambda * penalty(theta));

    /// <summary>No small move that the constraint allows lowers the objective: the answer is a minimum of a convex function.</summary>
    static void IsMinimal(
        InverseProblem problem,
        double[] theta,
        Func<double[], double> penalty,
        Func<double[], double[]> project
    )
    {
        double best = Objective(problem, theta, penalty);
        var random = new SeededRandom(17);
        foreach (double size in (double[])[1e-1, 1e-2, 1e-3])
        {
            for (int k = 0; k < 12; k++)
            {
                double[] moved = project([.. theta.Select(value => value + (size * random.NextNormal()))]);
                Approx.AtMost(best, Objective(problem, moved, penalty) + 1e-9, $"objective beside a move of {size}");
            }
        }
    }

    [Fact]
    public void Groups_enter_and_leave_together()
    {
        int[] rows = [0, 0, 0, 1, 1, 1, 2, 2, 2];
        InverseProblem problem = Pairs() with { Penalty = ParameterPenalty.Group(rows) };
        double Norm(double[] theta) => Enumerable.Range(0, 3).Sum(g => Math.Sqrt(theta.Skip(3 * g).Take(3).Sum(v => v * v)));
        double largest = s_tight.Solve(problem with { Lambda = 10 }).LambdaMax;
        int seen = 0;
        foreach (double share in (double[])[0.98, 0.7, 0.3])
        {
            InverseProblem at = problem with { Lambda = share * largest };
            InverseTransportResult result = s_tight.Solve(at),
                slow = new InverseTransport(
                    InverseCase.Tight with
                    {
                        Algorithm = InverseAlgorithm.ProximalGradient,
                        MaxIterations = 20_000,
                    }
                ).Solve(at);
            Assert.True(result.Converged && slow.Converged, $"{result.Status} {slow.Status}");
            Approx.Equal(slow.Theta.AsSpan(), result.Theta.AsSpan(), 1e-7, "theta");
            for (int g = 0; g < 3; g++)
                Assert.True(
                    result.Theta.Skip(3 * g).Take(3).All(v => v == 0) || result.Theta.Skip(3 * g).Take(3).All(v => v != 0)
                );
            Assert.InRange(result.Support.Length, seen, 9);
            seen = result.Support.Length;
            IsMinimal(at, [.. result.Theta], Norm, theta => theta);
            Assert.True(result.Certify().Gap < 1e-6);
        }
        Assert.InRange(seen, 3, 9);
        Assert.InRange(s_tight.Solve(problem with { Lambda = 0.98 * largest }).Support.Length, 3, 6);
    }

    [Fact]
    public void The_nuclear_norm_lowers_the_rank()
    {
        (Matrix x, Matrix y) = InverseCase.Pairs(100, new Matrix(3, 2, [-1, -0.5, -1, -0.5, -1, -0.5]), 1, 9);
        InverseProblem problem = InverseProblem.FromPairs(x, y) with { Penalty = ParameterPenalty.Nuclear, Lambda = 0.15 };
        InverseTransportResult result = s_tight.Solve(problem);
        Assert.True(result.Converged, $"{result.Status} {result.KktResidual}");
        double[] singular = Singular([.. result.Theta]);
        Assert.True(singular[0] > 0.1 && singular[1] < 1e-12, $"{singular[0]} {singular[1]}");
        IsMinimal(problem, [.. result.Theta], theta => Singular(theta).Sum(), theta => theta);
        Assert.InRange(result.Certify().Gap!.Value, 0, 1e-6);
        double largest = result.LambdaMax;
        Assert.All(s_tight.Solve(problem with { Lambda = largest * 1.001 }).Theta, value => Assert.Equal(0, value, 1e-12));
        Assert.True(Singular([.. s_tight.Solve(problem with { Lambda = largest * 0.99 }).Theta])[0] > 1e-4);

        static double[] Singular(double[] theta) =>
            [.. MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseOfRowMajor(3, 2, theta).Svd(computeVectors: false).S];
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Symmetric_and_diagonal_parameters_are_minimal_among_their_kind(bool diagonal)
    {
        InverseProblem problem = Pairs() with
        {
            Lambda = 0.05,
            Constraint = diagonal ? ParameterConstraint.Diagonal : ParameterConstraint.Symmetric,
        };
        double[] Project(double[] theta) =>
            [
                .. Enumerable
                    .Range(0, 9)
                    .Select(k => diagonal ? (k % 4 == 0 ? theta[k] : 0) : (theta[k] + theta[(k % 3 * 3) + (k / 3)]) / 2),
            ];
        foreach (double lambda in (double[])[0, 0.05])
        {
            InverseProblem at = problem with { Lambda = lambda };
            InverseTransportResult result = s_tight.Solve(at);
            Assert.True(result.Converged);
            double[] theta = [.. result.Theta];
            Approx.Equal(Project(theta), theta, 0, "the constraint");
            IsMinimal(at, theta, values => values.Sum(Math.Abs), Project);
            Assert.True(lambda == 0 || result.Certify().Gap < 1e-6);
        }
        if (diagonal)
        {
            // Squared differences are the same family, at −2.
            var dictionary = (CostDictionary)CostDictionary.SquaredDifferences(X(problem), Y(problem));
            InverseTransportResult squares = s_tight.Solve(new InverseProblem(dictionary, problem.Observed) { Lambda = 0.1 });
            InverseTransportResult products = s_tight.Solve(problem);
            Approx.Equal(
                [.. Enumerable.Range(0, 3).Select(k => products.Theta[4 * k] / -2)],
                squares.Theta.AsSpan(),
                1e-7,
                "theta of squares"
            );
        }

        static Matrix X(InverseProblem problem) => ((BilinearCost)problem.Dictionary.Cost(new double[9])).Source;
        static Matrix Y(InverseProblem problem) => ((BilinearCost)problem.Dictionary.Cost(new double[9])).Target;
    }

    [Theory]
    [InlineData(CostConvention.Cost)]
    [InlineData(CostConvention.Surplus)]
    public void Nonnegative_parameters_are_minimal_among_their_kind(CostConvention convention)
    {
        InverseProblem problem = Pairs() with { Constraint = ParameterConstraint.NonNegative, Convention = convention };
        foreach (double lambda in (double[])[0, 0.03])
        {
            InverseProblem at = problem with { Lambda = lambda };
            foreach (
                InverseAlgorithm algorithm in (InverseAlgorithm[])[InverseAlgorithm.Newton, InverseAlgorithm.ProximalGradient]
            )
            {
                InverseTransportResult result = new InverseTransport(
                    InverseCase.Tight with
                    {
                        Algorithm = algorithm,
                        MaxIterations = 20_000,
                    }
                ).Solve(at);
                Assert.True(result.Converged, $"{result.Status}");
                double[] theta = [.. result.Theta];
                Assert.True(theta.Min() >= 0);
                IsMinimal(at, theta, values => values.Sum(), values => [.. values.Select(v => Math.Max(0, v))]);
                Assert.True(convention == CostConvention.Cost || theta.Sum() > 0.5); // the truth is a surplus of +1
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.05)]
    public void Semidefinite_parameters_are_minimal_among_their_kind(double lambda)
    {
        InverseProblem problem = Pairs() with
        {
            Constraint = ParameterConstraint.PositiveSemidefinite,
            Convention = CostConvention.Surplus,
            Epsilon = 2,
            Lambda = lambda,
        };
        foreach (ParameterPenalty penalty in (ParameterPenalty[])[ParameterPenalty.Nuclear, ParameterPenalty.L1])
        {
            InverseProblem at = problem with { Penalty = penalty };
            InverseTransportResult result = new InverseTransport(new() { Tolerance = 1e-8, MaxIterations = 20_000 }).Solve(at);
            Assert.True(result.Converged, $"{result.Status} {result.KktResidual}");
            double[] theta = [.. result.Theta];
            Approx.AtMost(-Eigenvalues(theta).Min(), 1e-12, "minus the least eigenvalue");
            IsMinimal(
                at,
                theta,
                values => penalty is NuclearPenalty ? Eigenvalues(values).Sum(Math.Abs) : values.Sum(Math.Abs),
                Project
            );
            Assert.InRange(result.Gap!.Value, 0, lambda == 0 ? 100 : 1e-4);
        }
        Assert.Throws<NotSupportedException>(() =>
            new InverseTransport(new() { Algorithm = InverseAlgorithm.Newton }).Solve(problem)
        );
        Assert.Throws<NotSupportedException>(() => s_tight.PreCertificate(problem, new double[9]));

        static MathNet.Numerics.LinearAlgebra.Factorization.Evd<double> Evd(double[] theta)
        {
            var matrix = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseOfRowMajor(3, 3, theta);
            return ((matrix + matrix.Transpose()) / 2).Evd(MathNet.Numerics.LinearAlgebra.Symmetricity.Symmetric);
        }
        static double[] Eigenvalues(double[] theta) => [.. Evd(theta).EigenValues.Select(v => v.Real)];
        static double[] Project(double[] theta)
        {
            var evd = Evd(theta);
            var values = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DiagonalOfDiagonalVector(
                evd.EigenValues.Map(v => Math.Max(0, v.Real))
            );
            return (evd.EigenVectors * values * evd.EigenVectors.Transpose()).ToRowMajorArray();
        }
    }

    [Fact]
    public void Weights_free_some_terms_of_the_penalty()
    {
        InverseProblem problem = Pairs() with { Penalty = ParameterPenalty.WeightedL1(0, 1, 1, 1, 0, 2, 1, 1, 0) };
        InverseTransportResult far = s_tight.Solve(problem with { Lambda = 100 });
        Assert.True(far.Converged);
        Assert.Equal([0, 4, 8], far.Support.ToArray());
        Assert.Contains("every penalised term is 0", far.Message, StringComparison.Ordinal);
        Assert.Null(far.LowerBound);
        Assert.Null(far.Certify().LowerBound);
        InverseTransportResult below = s_tight.Solve(problem with { Lambda = 0.9 * far.LambdaMax });
        Assert.InRange(below.Support.Length, 4, 9);
        double[] weights = [0, 1, 1, 1, 0, 2, 1, 1, 0];
        IsMinimal(
            problem with
            {
                Lambda = 0.9 * far.LambdaMax,
            },
            [.. below.Theta],
            theta => theta.Select((v, k) => weights[k] * Math.Abs(v)).Sum(),
            theta => theta
        );
    }

    [Fact]
    public void A_path_is_made_of_the_answers_to_its_lambdas()
    {
        InverseProblem problem = Pairs();
        var path = s_tight.Path(problem);
        Assert.Equal(30, path.Length);
        Assert.Empty(path[0].Support);
        Assert.Equal(1e-3, path[^1].Problem.Lambda / path[0].Problem.Lambda, 1e-12);
        for (int k = 1; k < path.Length; k++)
        {
            Assert.True(path[k].Converged);
            Assert.True(path[k].PenaltyValue >= path[k - 1].PenaltyValue - 1e-9); // |θ| grows as λ falls
            Assert.True(path[k].Loss <= path[k - 1].Loss + 1e-9);
        }
        Approx.Equal(
            s_tight.Solve(problem with { Lambda = path[12].Problem.Lambda }).Theta.AsSpan(),
            path[12].Theta.AsSpan(),
            1e-7,
            "theta in the middle"
        );
        var asked = s_tight.Path(problem, [0.01, 0.1]);
        Assert.Equal([0.1, 0.01], asked.Select(result => result.Problem.Lambda));
        Assert.Throws<ArgumentOutOfRangeException>(() => s_tight.Path(problem, [-1]));
    }

    [Fact]
    public void Held_out_pairs_choose_a_lambda_and_halves_find_the_stable_terms()
    {
        InverseProblem problem = Pairs(150);
        var solver = new InverseTransport();
        double[] lambdas = [.. Enumerable.Range(0, 8).Select(k => 0.5 * Math.Pow(0.6, k))];
        InverseCrossValidation chosen = solver.CrossValidate(problem, lambdas, folds: 3, seed: 1);
        Assert.Equal(8, chosen.Losses.Length);
        Assert.Equal(chosen.Losses.Min(), chosen.Losses[chosen.Lambdas.IndexOf(chosen.Best)]);
        Assert.True(chosen.Best < 0.5 && chosen.Sparsest >= chosen.Best);
        Assert.Equal(chosen.Best, chosen.Result.Problem.Lambda);
        Assert.Equal(chosen.Losses, solver.CrossValidate(problem, lambdas, folds: 3, seed: 1).Losses);
        InverseStability stable = solver.Stability(problem, [0.3, 0.2], draws: 12, seed: 2);
        Assert.Equal([0, 4, 8], stable.StableTerms(0.9).ToArray());
        Assert.All(stable.Frequencies.Values.ToArray(), share => Assert.InRange(share, 0, 1 + 1e-12));
        var masses = new InverseProblem(problem.Dictionary, ObservedCoupling.Of(problem.Observed.Masses));
        Assert.Contains(
            "pairs",
            Assert.Throws<ArgumentException>(() => solver.Stability(masses)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => solver.CrossValidate(masses));
        Assert.Throws<ArgumentOutOfRangeException>(() => solver.CrossValidate(problem, folds: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => solver.CrossValidate(problem, folds: 151));
        Assert.Throws<ArgumentOutOfRangeException>(() => solver.Stability(problem, draws: 0));
    }

    [Fact]
    public void Observed_couplings_that_are_none_are_refused()
    {
        static string Refusal(Action make) => Assert.ThrowsAny<ArgumentException>(make).Message;
        Assert.Contains(
            "row 1, column 0",
            Refusal(() => ObservedCoupling.Of(new Matrix(2, 2, [1, 0, -0.5, 1]))),
            StringComparison.Ordinal
        );
        Assert.Contains("NaN", Refusal(() => ObservedCoupling.Of(new Matrix(1, 2, [double.NaN, 1]))), StringComparison.Ordinal);
        Assert.Contains("mass 0", Refusal(() => ObservedCoupling.Of(new Matrix(2, 2))), StringComparison.Ordinal);
        var plan = new Matrix(2, 2, [0.3, 0.2, 0.1, 0.4]);
        Assert.Contains("row 1", Refusal(() => ObservedCoupling.Of(plan, Measure.Of([0.5, 0.6]))), StringComparison.Ordinal);
        Assert.Contains(
            "column marginal",
            Refusal(() => ObservedCoupling.Of(plan, null, Measure.Of([0.5, 0.5]))),
            StringComparison.Ordinal
        );
        Assert.Equal(1, ObservedCoupling.Of(plan, Measure.Of([0.5, 0.5]), Measure.Of([0.4, 0.6])).A.Mass, 1e-15);
        Refusal(() => ObservedCoupling.Of(plan, Measure.Uniform(3)));
        Refusal(() => ObservedCoupling.OfPairs(0));
        Refusal(() => ObservedCoupling.OfPairs([0, 1], [0], 2, 2));
        Refusal(() => ObservedCoupling.OfPairs([0, 2], [0, 1], 2, 2));
        // Counts are masses too.
        Assert.Equal(10, ObservedCoupling.Of(new Matrix(1, 2, [4, 6])).Mass);
    }

    [Fact]
    public void Problems_that_make_no_sense_are_refused()
    {
        InverseProblem problem = Pairs(20);
        static string Refusal(Action make) => Assert.ThrowsAny<ArgumentException>(make).Message;
        Refusal(() => _ = problem with { Lambda = -1 });
        Refusal(() => _ = problem with { Lambda = double.NaN });
        Refusal(() => _ = problem with { Epsilon = 0 });
        Refusal(() => _ = problem with { Epsilon = double.PositiveInfinity });
        Refusal(() => _ = new InverseProblem(problem.Dictionary, ObservedCoupling.OfPairs(19)));
        Refusal(() => s_tight.Solve(problem, [1, 2]));
        Refusal(() => s_tight.Solve(problem with { Penalty = ParameterPenalty.Group(1, 2) }));
        Refusal(() => s_tight.Solve(problem with { Penalty = ParameterPenalty.WeightedL1(1, 2) }));
        Refusal(() => ParameterPenalty.WeightedL1(1, -2));
        Refusal(() => ParameterPenalty.WeightedL1());
        Refusal(() =>
            s_tight.Solve(
                problem with
                {
                    Constraint = ParameterConstraint.Symmetric,
                    Penalty = ParameterPenalty.Group(0, 1, 2, 3, 4, 5, 6, 7, 8),
                }
            )
        );
        var list = new InverseProblem(
            CostDictionary.Of(
                new CostMatrix(
                    new double[,]
                    {
                        { 0, 1 },
                        { 1, 0 },
                    }
                )
            ),
            ObservedCoupling.OfPairs(2)
        );
        Assert.Contains(
            "Bilinear",
            Refusal(() => s_tight.Solve(list with { Penalty = ParameterPenalty.Nuclear })),
            StringComparison.Ordinal
        );
        Refusal(() => s_tight.Solve(list with { Constraint = ParameterConstraint.Diagonal }));
        Refusal(() =>
            s_tight.Solve(
                list with
                {
                    FixedCost = new CostMatrix(
                        new double[,]
                        {
                            { 0 },
                        }
                    ),
                }
            )
        );
        InverseProblem wide = InverseProblem.FromPairs(InverseCase.Normal(5, 2, 1), InverseCase.Normal(5, 3, 1));
        Refusal(() => s_tight.Solve(wide with { Constraint = ParameterConstraint.Symmetric }));
        Refusal(() => InverseProblem.FromPairs(new Matrix(2, 1, [0, double.NaN]), new Matrix(2, 1, [0, 1])));
        Refusal(() => InverseProblem.FromPairs(new Matrix(2, 1), new Matrix(3, 1)));
        Refusal(() => CostDictionary.Of());
        Refusal(() =>
            CostDictionary.Of(
                new CostMatrix(
                    new double[,]
                    {
                        { double.PositiveInfinity, 1 },
                    }
                )
            )
        );
        Refusal(() =>
            CostDictionary.Of(
                new CostMatrix(
                    new double[,]
                    {
                        { 1 },
                    }
                ),
                new CostMatrix(
                    new double[,]
                    {
                        { 1, 2 },
                    }
                )
            )
        );
        Refusal(() => CostDictionary.SquaredDifferences(new Matrix(2, 2), new Matrix(2, 3)));
        Refusal(() => _ = new InverseTransport(new() { Tolerance = 0 }));
        Refusal(() => _ = new InverseTransport(new() { Algorithm = (InverseAlgorithm)9 }));
        Assert.Throws<ArgumentNullException>(() => s_tight.Solve(null!));
    }

    /// <summary>With one source or one target there is one plan, and nothing to learn.</summary>
    [Fact]
    public void One_row_or_one_column_teaches_nothing()
    {
        foreach ((int n, int m) in ((int, int)[])[(1, 1), (1, 4), (4, 1)])
        {
            var drawn = new InverseCase(n, m, 2, 6);
            InverseTransportResult result = s_tight.Solve(drawn.Problem() with { Lambda = 0.1 });
            Assert.True(result.Converged);
            Assert.Equal([0.0, 0], result.Theta.ToArray());
            Assert.Equal(0, result.LambdaMax, 1e-15);
            Assert.Equal([0, 1], result.InvisibleTerms.ToArray());
            Assert.InRange(result.Certify().UpperBound, 0, 1e-12);
        }
        InverseTransportResult pair = s_tight.Solve(
            InverseProblem.FromPairs(InverseCase.Normal(1, 2, 1), InverseCase.Normal(1, 2, 2))
        );
        Assert.Equal(4, pair.InvisibleTerms.Length);
        InverseTransportResult same = s_tight.Solve(
            InverseProblem.FromPairs(new Matrix(6, 2), InverseCase.Normal(6, 2, 2)) with
            {
                Lambda = 0.1,
            }
        );
        Assert.True(same.Converged && same.Support.IsEmpty);
    }
}
