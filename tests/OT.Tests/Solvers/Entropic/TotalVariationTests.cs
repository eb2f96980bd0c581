using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>Marginals missed at the price ρ |P1 − a|₁.</summary>
public class TotalVariationTests
{
    /// <summary>The objective in loops, which knows nothing of duals.</summary>
    static double Objective(LinearProblem problem, double epsilon, double[,] masses)
    {
        var plan = new DensePlan(Matrix.From(masses));
        (double[] rows, double[] columns) = Oracles.Marginals(plan);
        return Oracles.TransportCost(problem.Geometry, plan)
            + (epsilon * Oracles.RelativeEntropy(plan, problem.A.Weights, problem.B.Weights))
            + Oracles.Penalty(problem.PenaltyA, rows, problem.A.Weights)
            + Oracles.Penalty(problem.PenaltyB, columns, problem.B.Weights);
    }

    /// <summary>The objective is convex: it is least at a plan if it falls on no way from there to any other plan.</summary>
    [Fact]
    public void No_other_plan_is_better()
    {
        var random = new SeededRandom(5);
        foreach ((double rhoA, double rhoB) in ((double, double)[])[(0.05, 0.1), (0.3, 0.3), (2, 0.02), (0.2, 5)])
        {
            LinearProblem problem = EntropicCase.Of("points2", 6, 5, 0.05).Bounded(rhoA, rhoB);
            problem = problem.WithTarget(problem.B.Scale(1.7));
            TransportResult result = problem.Solve(EntropicCase.Tight);
            Assert.True(result.Converged);
            double[,] best = result.Plan.ToDense().ToArray();
            double least = Objective(problem, 0.05, best);
            Assert.Equal(least, result.Value, 1e-12);
            for (int trial = 0; trial < 2000; trial++)
            {
                // Towards another plan: one entry changed, one row, one column, or all of them.
                var other = (double[,])best.Clone();
                int kind = trial % 4,
                    row = random.NextInt(6),
                    column = random.NextInt(5);
                for (int i = 0; i < 6; i++)
                {
                    for (int j = 0; j < 5; j++)
                    {
                        if ((kind is 0 or 1 && i != row) || (kind is 0 or 2 && j != column))
                            continue;
                        other[i, j] *= Math.Exp(Math.Pow(10, -4 * random.NextDouble()) * random.NextNormal());
                    }
                }
                Assert.True(Objective(problem, 0.05, other) >= least - 1e-11, $"rho {rhoA}, {rhoB}, trial {trial}");
            }
        }
    }

    /// <summary>With ε → 0 the value tends, from above, to that of the linear program with one bin more on each side; <c>KL(P | ab) ≤ Σ P |log(P/ab)| + m_a m_b</c>.</summary>
    [Fact]
    public void Small_epsilon_gives_the_linear_program() =>
        Law.Check(
            Cases.Of(7, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates, CaseKind.IntegerCost),
            c =>
            {
                double scale = Approx.CostScale(new CostMatrix(c.Costs()));
                double epsilon = 0.002 * scale;
                double[] a = c.A(),
                    b = Array.ConvertAll(c.B(), w => 0.6 * w);
                LinearProblem problem = EntropicCase
                    .Of(new CostMatrix(c.Costs()), a, b, epsilon)
                    .Bounded(0.2 * scale, 0.3 * scale);
                TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-8, MaxIterations = 200_000 });
                double exact = Oracles.ExactTotalVariation(problem.Geometry, a, b, 0.2 * scale, 0.3 * scale);
                Assert.True(result.Converged, $"{result.Status}, {result.MarginalError:E2}");
                double smallest = Math.Min(a.Where(w => w > 0).Min(), b.Where(w => w > 0).Min());
                double bias = epsilon * (1 - (2 * Math.Log(smallest))) * 2;
                Assert.InRange(result.Value, exact - (1e-7 * scale), exact + bias);
            },
            60,
            500
        );

    /// <summary>One bin on each side: the derivative of <c>c p + ε (p log(p/ab) − p) + ρ_a |p − a| + ρ_b |p − b|</c> changes sign at p.</summary>
    [Theory]
    [InlineData(1, 1, 0.3, 1, 1)]
    [InlineData(1, 3, 0.3, 1, 2)]
    [InlineData(2, 1, 5, 1, 1)]
    [InlineData(2, 1, -4, 0.5, 0.25)]
    [InlineData(0.5, 4, 0.1, 1e-9, 7)]
    [InlineData(0.5, 4, 0.1, 7, 1e-9)]
    public void One_pair(double a, double b, double cost, double rhoA, double rhoB)
    {
        const double epsilon = 0.2;
        LinearProblem problem = EntropicCase
            .Of(
                new CostMatrix(
                    new[,]
                    {
                        { cost },
                    }
                ),
                [a],
                [b],
                epsilon
            )
            .Bounded(rhoA, rhoB);
        TransportResult result = problem.Solve(EntropicCase.Tight);
        double mass = result.Plan.ToDense()[0, 0];
        double Slope(double p) =>
            cost + (epsilon * Math.Log(p / (a * b))) + (rhoA * Math.Sign(p - a)) + (rhoB * Math.Sign(p - b));
        Assert.True(result.Converged);
        Assert.True(Slope(mass * (1 - 1e-9)) <= 0 && Slope(mass * (1 + 1e-9)) >= 0, $"{mass}");
        double size = Math.Max(1, mass);
        Assert.InRange(result.Certify().Gap!.Value, 0, 1e-9 * size);
        Assert.Equal(rhoA * Math.Abs(mass - a), result.PenaltyValueA, 1e-12 * size);
        Assert.Equal(rhoB * Math.Abs(mass - b), result.PenaltyValueB, 1e-12 * size);
    }

    /// <summary>A ρ that no potential reaches is a hard marginal, whose errors weigh ρ; so is infinity.</summary>
    [Fact]
    public void Large_rho_is_a_hard_marginal()
    {
        LinearProblem problem = EntropicCase.Of("points2", 14, 11, 0.05);
        // With a back end of its own, no small problem goes to the small engine, which knows no bounds.
        using var backend = new ManagedBackend(2);
        var solver = new Sinkhorn(EntropicCase.Tight, backend);
        TransportResult balanced = solver.Solve(problem);
        foreach (double rho in (double[])[double.PositiveInfinity, double.MaxValue, 1e12, 20])
            Assert.Equal(balanced.Value, solver.Solve(problem.Bounded(rho, rho)).Value, 1e-11);
        // Just below what is recognised the iteration itself must find it.
        double reach = 2 * problem.Geometry.MagnitudeBound;
        TransportResult near = problem.Bounded(0.999 * reach, 0.999 * reach).Solve(EntropicCase.Tight);
        Assert.True(near.Converged);
        Assert.Equal(balanced.Value, near.Value, 1e-10);
        Assert.False(near.Problem.IsBalanced);
    }

    /// <summary>Masses that nothing is paid for: potentials are 0, the plan is a bᵀ exp(−C/ε), and the value is what that leaves.</summary>
    [Fact]
    public void Tiny_rho_lets_mass_stay_at_home()
    {
        foreach (double rho in (double[])[1e-12, 1e-300])
        {
            LinearProblem problem = EntropicCase.Of("doubles", 7, 9, 0.1).Bounded(rho, rho);
            TransportResult result = problem.Solve(EntropicCase.Tight);
            Assert.True(result.Converged);
            double free = 0;
            for (int i = 0; i < 7; i++)
            {
                for (int j = 0; j < 9; j++)
                {
                    double mass = problem.A.Weights[i] * problem.B.Weights[j];
                    free += 0.1 * mass * (1 - Math.Exp(-problem.Geometry.Cost(i, j) / 0.1));
                }
            }
            Assert.Equal(free, result.Value, 1e-11);
        }
    }

    /// <summary>The value rises with ρ, from free to hard, for every acceleration.</summary>
    [Fact]
    public void Rho_from_tiny_to_huge()
    {
        LinearProblem problem = EntropicCase.Of("signed", 15, 12, 0.1);
        double balanced = problem.Solve(EntropicCase.Tight).Value,
            last = double.NegativeInfinity;
        foreach (double rho in (double[])[1e-9, 1e-3, 0.1, 0.3, 1, 2, 5, 1e3, 1e9])
        {
            foreach (Acceleration acceleration in Enum.GetValues<Acceleration>())
            {
                TransportResult result = problem.Bounded(rho, rho).Solve(EntropicCase.Tight with { Acceleration = acceleration });
                Assert.True(result.Converged, $"rho {rho}, {acceleration}: {result.Status}, error {result.MarginalError:E2}");
                Assert.InRange(result.Value, last - 1e-9, balanced + 1e-9);
                Assert.InRange(result.Certify().Gap!.Value, 0, 1e-9);
                if (acceleration == Acceleration.OverRelaxation)
                    last = result.Value;
            }
        }
        Assert.Equal(balanced, last, 1e-9);
    }

    /// <summary>More mass on one side than on the other: what is too much is paid for, whatever ρ is; potentials go to their bounds in few iterations.</summary>
    [Theory]
    [InlineData(3, 0.5)]
    [InlineData(0.25, 0.5)]
    [InlineData(1.0001, 100)]
    [InlineData(7, 1e4)]
    public void Masses_that_differ(double factor, double rho)
    {
        foreach (string kind in (string[])["doubles", "points2", "grid"])
        {
            LinearProblem problem = EntropicCase.Of(kind, 20, 24, 0.05);
            problem = problem.WithTarget(problem.B.Scale(factor));
            TransportResult result = problem.Bounded(rho, rho).Solve(new SinkhornOptions { MaxIterations = 2000 });
            Assert.True(result.Converged, $"{kind}: {result.Status}, {result.MarginalError:E2} after {result.Iterations}");
            double paid = (result.PenaltyValueA + result.PenaltyValueB) / rho;
            Assert.True(paid >= Math.Abs(factor - 1) - 1e-9);
            Assert.InRange(result.Certify().Gap!.Value, 0, 1e-4 * Math.Max(1, rho));
            foreach (double f in result.Potentials!.F)
                Assert.InRange(f, -rho, rho);
        }
    }

    [Fact]
    public void A_hard_marginal_beside_a_bounded_one_is_met()
    {
        LinearProblem problem = EntropicCase.Of("points2", 18, 21, 0.02);
        problem = problem.WithTarget(problem.B.Scale(2));
        TransportResult result = problem.Bounded(double.PositiveInfinity, 0.1).Solve(EntropicCase.Tight);
        Assert.True(result.Converged);
        (double[] rows, _) = Oracles.Marginals(result.Plan);
        Approx.Equal(problem.A.Weights, rows, 1e-10, "hard marginal");
        Assert.Equal(0.1, result.PenaltyValueB, 1e-10);
    }

    /// <summary>Costs far below −ρ_a make a first step from zeros overflow, but not the problem itself as long as they are above −ρ_a − ρ_b.</summary>
    [Theory]
    [InlineData(0.1, 2.5)]
    [InlineData(2.5, 0.1)]
    [InlineData(0.1, double.PositiveInfinity)]
    [InlineData(double.PositiveInfinity, 0.1)]
    public void Negative_costs(double rhoA, double rhoB)
    {
        LinearProblem problem = EntropicCase.Of("signed", 9, 8, 2e-3);
        double scale = Approx.CostScale(problem.Geometry);
        foreach (Acceleration acceleration in Enum.GetValues<Acceleration>())
        {
            TransportResult result = problem
                .Bounded(rhoA * scale, rhoB * scale)
                .Solve(new SinkhornOptions { Acceleration = acceleration, MaxIterations = 200_000 });
            Assert.True(result.Converged, $"{acceleration}: {result.Status}, {result.MarginalError:E2}");
            Assert.InRange(result.Certify().Gap!.Value, 0, 1e-5 * scale);
        }
    }

    /// <summary>An empty row's potential is kept at −ρ far above its soft-min, where its row of exponentials would overflow if it had any weight.</summary>
    [Fact]
    public void Empty_rows_far_beyond_their_bound()
    {
        var costs = new CostMatrix(
            new[,]
            {
                { 0.0, 1 },
                { 1, 0 },
                { -1, -1 },
            }
        );
        LinearProblem problem = EntropicCase.Of(costs, [0.5, 0.5, 0], [0.5, 0.5], 1e-4).Bounded(1e-3, 10);
        TransportResult result = problem.Solve(EntropicCase.Tight);
        Assert.True(result.Converged, $"{result.Status}");
        Assert.InRange(result.Certify().Gap!.Value, 0, 1e-10);
        Assert.Equal(-1e-3, result.Potentials!.F[2]);
    }

    /// <summary>A bin whose pairs are all forbidden pays for its mass.</summary>
    [Fact]
    public void Bins_without_partners_stay_at_home()
    {
        const double inf = double.PositiveInfinity;
        var costs = new CostMatrix(
            new[,]
            {
                { 0.1, inf, inf },
                { 0.2, inf, 0.3 },
                { inf, inf, inf },
            }
        );
        LinearProblem problem = EntropicCase.Of(costs, [0.3, 0.3, 0.4], [0.5, 0.2, 0.3], 0.05).Bounded(0.5, 0.7);
        TransportResult result = problem.Solve(EntropicCase.Tight);
        Assert.True(result.Converged);
        Assert.InRange(result.PenaltyValueA, 0.5 * 0.4, 1);
        Assert.InRange(result.PenaltyValueB, 0.7 * 0.2, 1);
        Assert.InRange(result.Certify().Gap!.Value, 0, 1e-10);
    }

    /// <summary>Any epsilon that is accepted gives finite numbers and a gap that is not negative.</summary>
    [Theory]
    [MemberData(nameof(Accelerations))]
    public void EpsilonTwelveDecades(Acceleration acceleration)
    {
        foreach (string kind in (string[])["doubles", "points2", "cityblock", "grid", "forbidden"])
        {
            for (int decade = -12; decade <= 0; decade++)
            {
                Geometry geometry = SomeGeometry.Of(kind, 20, 25);
                double scale = Approx.CostScale(geometry);
                LinearProblem problem = EntropicCase
                    .Of(kind, 20, 25, scale * Math.Pow(10, decade))
                    .Bounded(0.1 * scale, 0.4 * scale);
                TransportResult result = problem.Solve(new SinkhornOptions { MaxIterations = 300, Acceleration = acceleration });
                Assert.True(
                    double.IsFinite(result.Value) && double.IsFinite(result.MarginalError),
                    $"{kind}, 1e{decade}: {result.Status}"
                );
                Assert.NotEqual(SolverStatus.NumericalFailure, result.Status);
                Assert.True(result.Certify().Gap >= 0);
            }
        }
    }

    public static TheoryData<Acceleration> Accelerations => [.. Enum.GetValues<Acceleration>()];

    /// <summary>The certificate's bounds hold for any potentials, far outside of [−ρ, ρ] as well.</summary>
    [Fact]
    public void The_gap_is_never_negative_whatever_the_potentials() =>
        Law.Check(
            Cases.Any(8),
            c =>
            {
                var random = new SeededRandom(c.Seed);
                foreach (LinearProblem problem in (LinearProblem[])[c.TotalVariation(), c.MixedPenalties()])
                {
                    double scale = Approx.CostScale(problem.Geometry);
                    double[] f = [.. Enumerable.Range(0, c.Rows).Select(_ => scale * random.NextNormal())],
                        g = [.. Enumerable.Range(0, c.Columns).Select(_ => scale * random.NextNormal())];
                    TransportPlan plan = problem.Solve(new SinkhornOptions { MaxIterations = 3 }).Plan;
                    foreach (LinearProblem asked in (LinearProblem[])[problem, problem with { Regularizer = Regularizer.None }])
                    {
                        Certificate certificate = Certificate.Verify(asked, plan, new Potentials(f, g));
                        Assert.True(certificate.Gap >= 0, $"{certificate.Gap}");
                    }
                }
            },
            60,
            1000
        );

    /// <summary>Without entropy the dual at the potentials of a small ε is near the linear program's value.</summary>
    [Fact]
    public void The_dual_without_entropy_is_a_close_lower_bound()
    {
        var c = new TransportCase(7, 6, 3, CaseKind.Plain);
        double scale = Approx.CostScale(new CostMatrix(c.Costs()));
        LinearProblem problem = EntropicCase
            .Of(new CostMatrix(c.Costs()), c.A(), c.B(), 1e-3 * scale)
            .Bounded(0.2 * scale, 0.3 * scale);
        TransportResult result = problem.Solve(EntropicCase.Tight);
        var certificate = Certificate.Verify(problem with { Regularizer = Regularizer.None }, result.Plan, result.Potentials);
        double exact = Oracles.ExactTotalVariation(problem.Geometry, c.A(), c.B(), 0.2 * scale, 0.3 * scale);
        Assert.InRange(certificate.DualValue!.Value, exact - (0.01 * scale), exact);
        Assert.InRange(certificate.PrimalValue, exact, exact + (0.01 * scale));
    }

    /// <summary>Floats first, floats alone and checkpoints know of bounds.</summary>
    [Fact]
    public void Large_problems_begin_in_floats()
    {
        var geometry = new PointCloud(EntropicCase.Square(600, 1), EntropicCase.Square(500, 2));
        var problem = new LinearProblem(geometry, Measure.Uniform(600), Measure.Uniform(500).Scale(1.5))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.01)),
            PenaltyA = MarginalPenalty.TotalVariation(0.1),
            PenaltyB = MarginalPenalty.TotalVariation(0.1),
        };
        var states = new List<SinkhornState>();
        var options = new SinkhornOptions
        {
            Tolerance = 1e-9,
            Checkpoint = states.Add,
            CheckpointEvery = 20,
        };
        TransportResult plain = problem.Solve(options with { FloatsFirst = false, Checkpoint = null });
        TransportResult mixed = problem.Solve(options);
        TransportResult resumed = new Sinkhorn(options with { Checkpoint = _ => { } }).Solve(problem, states[0]);
        Assert.True(plain.Converged && mixed.Converged && resumed.Converged);
        Assert.Equal(plain.Value, mixed.Value, 1e-9);
        Assert.Equal(mixed.Value, resumed.Value);
    }
}
