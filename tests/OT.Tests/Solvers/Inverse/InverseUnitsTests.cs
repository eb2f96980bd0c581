using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Inverse;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Inverse;

/// <summary>Units, origins, limits: what must not matter, and what ends a run.</summary>
public class InverseUnitsTests
{
    static readonly InverseTransport s_tight = new(InverseCase.Tight);

    [Theory]
    [InlineData(1e-3)]
    [InlineData(1e3)]
    [InlineData(1e9)]
    [InlineData(1e12)]
    public void Epsilon_is_a_unit_however_large_or_small(double epsilon)
    {
        var drawn = new InverseCase(6, 5, 3, 12);
        InverseTransportResult one = s_tight.Solve(drawn.Problem() with { Epsilon = 1, Lambda = 0.05 }),
            other = s_tight.Solve(drawn.Problem() with { Epsilon = epsilon, Lambda = 0.05 });
        Assert.True(other.Converged, $"{other.Status}: {other.Message}");
        Approx.Equal([.. one.Theta.Select(value => epsilon * value)], other.Theta.AsSpan(), 1e-7 * epsilon, "theta");
        Approx.Equal(epsilon * one.Loss, other.Loss, 1e-9 * epsilon, "loss");
    }

    /// <summary>Terms of any size: θ scales against them.</summary>
    [Theory]
    [InlineData(1e-8)]
    [InlineData(1e8)]
    public void The_size_of_a_term_is_a_unit(double size)
    {
        var drawn = new InverseCase(6, 5, 1, 2);
        double[,] table = drawn.Tables()[0];
        var observed = ObservedCoupling.Of(Matrix.From(drawn.Observed()));
        double[,] scaled = Table(6, 5, (i, j) => size * table[i, j]);
        double one = s_tight.Solve(new InverseProblem(CostDictionary.Of(new CostMatrix(table)), observed)).Theta[0],
            other = s_tight.Solve(new InverseProblem(CostDictionary.Of(new CostMatrix(scaled)), observed)).Theta[0];
        Assert.Equal(1, other * size / one, 1e-8);
    }

    [Fact]
    public void Terms_of_very_different_sizes_are_all_fitted()
    {
        var drawn = new InverseCase(6, 5, 3, 2);
        double[] sizes = [1e-6, 1e6, 1];
        double[][,] tables = drawn.Tables();
        InverseTransportResult plain = s_tight.Solve(drawn.Problem()),
            mixed = s_tight.Solve(
                new InverseProblem(
                    CostDictionary.Of([
                        .. sizes.Select((size, k) => (Geometry)new CostMatrix(Table(6, 5, (i, j) => size * tables[k][i, j]))),
                    ]),
                    ObservedCoupling.Of(Matrix.From(drawn.Observed()))
                )
                {
                    Epsilon = drawn.Epsilon,
                }
            );
        Approx.Equal(plain.Theta.AsSpan(), [.. mixed.Theta.Select((value, k) => value * sizes[k])], 1e-8, "theta");
    }

    [Theory]
    [InlineData(1e160)]
    [InlineData(1e-160)]
    public void Terms_whose_squares_are_no_doubles_are_refused(double size)
    {
        var term = new CostMatrix(
            new double[,]
            {
                { 0, size },
                { size, 0 },
            }
        );
        ArgumentException thrown = Assert.Throws<ArgumentException>(() =>
            s_tight.Solve(new InverseProblem(CostDictionary.Of(term), ObservedCoupling.OfPairs(2)) { Lambda = 1 })
        );
        Assert.Contains("Term 0", thrown.Message, StringComparison.Ordinal);
    }

    /// <summary>Points far away from the origin: what a shift of x or of y adds to the terms is a function of the other.</summary>
    [Theory]
    [InlineData(1e3)]
    [InlineData(1e7)]
    public void Where_the_origin_lies_does_not_matter(double offset)
    {
        (Matrix x, Matrix y) = InverseCase.Pairs(40, new Matrix(2, 2, [-0.8, 0.3, 0, -0.5]), 1, 3);
        Matrix Moved(Matrix points, double by) =>
            new(points.Rows, points.Columns, [.. points.Values.ToArray().Select(v => v + by)]);
        InverseTransportResult home = s_tight.Solve(InverseProblem.FromPairs(x, y) with { Lambda = 0.05 }),
            away = s_tight.Solve(InverseProblem.FromPairs(Moved(x, offset), Moved(y, -offset)) with { Lambda = 0.05 });
        // Coordinates are rounded to 2⁻⁵³ of the offset.
        double rounding = 1e-14 * offset;
        Approx.Equal(home.Theta.AsSpan(), away.Theta.AsSpan(), 1e-8 + rounding, "theta");
        Assert.Equal(home.LambdaMax, away.LambdaMax, 1e-9 + rounding);
        Approx.AtMost(Approx.PlanDistance(home.Plan, away.Plan), 1e-8 + (10 * rounding), "plans");
        Assert.Empty(away.InvisibleTerms);
    }

    /// <summary>Coordinates that depend on each other, or are constant, in a parameter too large for one Gram matrix.</summary>
    [Fact]
    public void Null_spaces_of_large_bilinear_parameters_are_found_by_their_factors()
    {
        const int d = 26;
        Matrix z = InverseCase.Normal(60, d, 1),
            y = InverseCase.Normal(60, d, 2);
        double[] values = z.Values.ToArray();
        for (int i = 0; i < 60; i++)
        {
            values[i * d] = 7; // constant
            values[(i * d) + 1] = (2 * values[(i * d) + 2]) - values[(i * d) + 3];
        }
        InverseTransportResult result = new InverseTransport().Solve(
            InverseProblem.FromPairs(new Matrix(60, d, values), y) with
            {
                Lambda = 10,
            }
        );
        Assert.Equal(Enumerable.Range(0, d), result.InvisibleTerms);
        Assert.Equal(d, result.NullSpace!.Rows);
        for (int r = 0; r < d; r++)
        {
            double[] row = result.NullSpace.Row(r).ToArray();
            for (int b = 0; b < d; b++)
            {
                // x_1 = 2 x_2 − x_3: along (1, −2, 1) the cost does not change.
                Assert.Equal(-2 * row[d + b], row[(2 * d) + b], 1e-9);
                Assert.Equal(row[d + b], row[(3 * d) + b], 1e-9);
            }
        }
    }

    static double[,] Table(int n, int m, Func<int, int, double> value)
    {
        var table = new double[n, m];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
                table[i, j] = value(i, j);
        }
        return table;
    }

    [Fact]
    public void Without_a_penalty_pairs_that_some_cost_makes_optimal_have_no_minimiser()
    {
        // Two pairs on the line: θ → −∞ explains them better and better.
        InverseProblem problem = InverseProblem.FromPairs(new Matrix(2, 1, [0.0, 1]), new Matrix(2, 1, [0.0, 1]));
        InverseTransportResult result = new InverseTransport(new() { MaxIterations = 20, Tolerance = 1e-14 }).Solve(problem);
        Assert.NotEqual(SolverStatus.NumericalFailure, result.Status);
        Assert.True(result.Theta[0] < -10, $"theta {result.Theta[0]}, {result.Status}");
        Assert.True(new InverseTransport().Solve(problem with { Lambda = 0.01 }).Converged);
    }

    [Fact]
    public void Threads_change_no_bit_and_warm_starts_no_optimum()
    {
        Matrix x = InverseCase.Normal(70, 3, 1),
            y = InverseCase.Normal(70, 3, 2);
        InverseProblem problem = InverseProblem.FromPairs(x, y) with { Lambda = 0.05 };
        using var one = new ManagedBackend(1);
        using var three = new ManagedBackend(3);
        InverseTransportResult first = new InverseTransport(backend: one).Solve(problem),
            second = new InverseTransport(backend: three).Solve(problem);
        Assert.True(first.Theta.AsSpan().SequenceEqual(second.Theta.AsSpan()));
        double[] start = [.. Enumerable.Range(0, 9).Select(k => 0.3 - (0.1 * k))];
        Approx.Equal(
            s_tight.Solve(problem).Theta.AsSpan(),
            s_tight.Solve(problem, start).Theta.AsSpan(),
            1e-8,
            "theta from another start"
        );
    }

    [Fact]
    public void A_run_that_is_stopped_says_so()
    {
        InverseProblem problem = InverseProblem.FromPairs(InverseCase.Normal(50, 3, 1), InverseCase.Normal(50, 3, 2)) with
        {
            Lambda = 0.01,
        };
        InverseTransportResult limited = new InverseTransport(new() { TimeLimit = TimeSpan.Zero }).Solve(problem);
        Assert.Equal(SolverStatus.TimeLimit, limited.Status);
        Assert.Equal(9, limited.Theta.Length);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Equal(SolverStatus.Cancelled, new InverseTransport().Solve(problem, source.Token).Status);
        InverseTransportResult short_ = new InverseTransport(new() { MaxIterations = 1 }).Solve(problem);
        Assert.Equal(SolverStatus.IterationLimit, short_.Status);
        Assert.Equal(1, short_.Iterations);
        Assert.True(short_.KktResidual > 0);
    }

    /// <summary>Two terms that are all but equal, with large parameters of opposite signs, make the cost of their difference alone: what rounding does to the two is far more than to the cost.</summary>
    [Fact]
    public void A_certificate_covers_the_rounding_of_terms_that_cancel()
    {
        const int n = 4;
        const double theta = 1e10 / 3;
        for (ulong seed = 0; seed < 20; seed++)
        {
            var random = new SeededRandom(seed);
            double[] small = [.. Enumerable.Range(0, n * n).Select(_ => Math.ScaleB(random.NextInt(8), -33))],
                large = [.. small.Select(_ => Math.ScaleB((2 * random.NextInt(1 << 29)) + 1, -30))],
                both = [.. large.Zip(small, (x, y) => x + y)]; // no rounding: 33 bits
            var observed = ObservedCoupling.Of(new Matrix(n, n, [.. small.Select(_ => 1.0 + random.NextInt(5))]));
            var alone = new InverseProblem(CostDictionary.Of(new CostMatrix(n, n, small)), observed);
            double loss = new InverseTransport(new() { Tolerance = 1e-12 }).Evaluate(alone, [theta]).Loss;
            TransportResult plan = new Sinkhorn(new() { Tolerance = 1e-13 }).Solve(
                new LinearProblem(alone.Dictionary.Cost([theta]), observed.A, observed.B)
                {
                    Regularizer = Regularizer.Entropy(Epsilon.Absolute(1)),
                }
            );
            var pair = new InverseProblem(CostDictionary.Of([new CostMatrix(n, n, both), new CostMatrix(n, n, large)]), observed);
            double[] cancelling = [theta, -theta];
            var certificate = new InverseTransportResult
            {
                Problem = pair,
                Status = SolverStatus.IterationLimit,
                Iterations = 0,
                Theta = [.. cancelling],
                LearnedCost = pair.Dictionary.Cost(cancelling),
                Plan = plan.Plan,
                Potentials = plan.Potentials!,
                Epsilon = 1,
                Loss = loss,
                PenaltyValue = 2 * theta,
                Gradient = [0, 0],
                KktResidual = double.NaN,
                LambdaMax = double.NaN,
                MarginalError = plan.MarginalError,
                InvisibleTerms = [],
                NullSpace = null,
            }.Certify();
            Assert.True(certificate.UpperBound >= loss - 1e-11, $"Seed {seed}: {certificate.UpperBound:R} is below {loss:R}.");
            Assert.InRange(certificate.UpperBound, 0, loss + 1e-2);
        }
    }
}
