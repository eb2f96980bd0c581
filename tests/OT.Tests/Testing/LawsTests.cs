using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Testing;
using Xunit;

namespace OT.Tests.Testing;

/// <summary>The laws against the naive oracles, which obey them, and against spoiled solvers, which must not.</summary>
public class LawsTests
{
    static readonly SolverLaws Exact = new(Oracles.Exact, 1e-12, 1e-11);
    static readonly SolverLaws Entropic = new(p => Oracles.Sinkhorn(p, 1e-10), 1e-9, 1e-8);

    public static TheoryData<string> ExactNames => [.. Exact.Balanced.Keys];

    public static TheoryData<string> BalancedNames => [.. Entropic.Balanced.Keys];

    public static TheoryData<string> EntropicNames => [.. Entropic.Entropic.Keys];

    public static TheoryData<string> UnbalancedNames => [.. Entropic.Unbalanced.Keys];

    [Theory]
    [MemberData(nameof(ExactNames))]
    public void Exact_oracle_obeys(string law) => Law.Check(Cases.Any(7), c => Exact.Balanced[law](c.Exact()), 40);

    [Theory]
    [MemberData(nameof(BalancedNames))]
    public void Sinkhorn_oracle_obeys(string law) =>
        Law.Check(Cases.AllPairsAllowed(6), c => Entropic.Balanced[law](c.Entropic()), 25);

    [Theory]
    [MemberData(nameof(EntropicNames))]
    public void Sinkhorn_oracle_obeys_limits(string law) =>
        Law.Check(Cases.AllPairsAllowed(6), c => Entropic.Entropic[law](c.Entropic()), 25);

    [Theory]
    [MemberData(nameof(UnbalancedNames))]
    public void Sinkhorn_oracle_obeys_with_penalties(string law) =>
        Law.Check(Cases.AllPairsAllowed(6), c => Entropic.Unbalanced[law](c.Unbalanced()), 25);

    public static TheoryData<string, string> Spoiled =>
        new()
        {
            { "stops early", nameof(Laws.MarginalsWithinTolerance) },
            { "stops early", nameof(Laws.CertificateCloses) },
            { "reports a tenth too much", nameof(Laws.PlanValueEqualsReported) },
            { "favours a corner", nameof(Laws.PermutationEquivariance) },
            { "favours a corner", nameof(Laws.Transposition) },
            { "adds a constant cost", nameof(Laws.Scaling) },
            { "adds a constant cost", nameof(Laws.EpsilonToInfinity) },
            { "halves large costs", nameof(Laws.CostShift) },
            { "spreads mass on empty bins", nameof(Laws.ZeroMassBins) },
            { "counts bins", nameof(Laws.MergedDuplicates) },
            { "takes the wrong sign", nameof(Laws.EpsilonToZero) },
        };

    [Theory]
    [MemberData(nameof(Spoiled))]
    public void A_spoiled_solver_violates(string how, string law)
    {
        var spoiled = new SolverLaws(p => Spoil(how, p), 1e-9, 1e-8);
        Action<LinearProblem> check = spoiled.Balanced.TryGetValue(law, out Action<LinearProblem>? balanced)
            ? balanced
            : spoiled.Entropic[law];
        Assert.Throws<LawViolatedException>(() => Law.Check(Cases.Of(6, CaseKind.Plain), c => check(c.Entropic()), 20));
    }

    [Fact]
    public void A_rounding_that_misses_the_marginals_violates() =>
        Assert.Throws<LawViolatedException>(() =>
            Laws.PlanIsFeasible(new DensePlan(new Matrix(2, 2)), new TransportCase(2, 2, 1, CaseKind.Plain).Exact())
        );

    [Fact]
    public void An_exact_solver_with_the_wrong_sign_violates() =>
        Assert.Throws<LawViolatedException>(() =>
            Laws.BoundsEncloseExact(
                p => Relabel(Oracles.Exact(p.ChangeCost(-1, new double[4], new double[3])), p),
                new TransportCase(4, 3, 1, CaseKind.Plain).Exact(),
                1e-9
            )
        );

    [Fact]
    public void A_part_without_a_cause_violates() =>
        Assert.Throws<LawViolatedException>(() =>
            Laws.ValuePartsSumToTotal(
                p => Relabel(Oracles.Exact(p), p, regularizer: 0.25),
                new TransportCase(2, 2, 1, CaseKind.Plain).Exact()
            )
        );

    [Fact]
    public void A_penalty_that_is_forgotten_violates() =>
        Assert.Throws<LawViolatedException>(() =>
            Laws.PenaltyToInfinity(
                p =>
                    Relabel(
                        Oracles.Sinkhorn(
                            p.IsBalanced
                                ? p
                                : p with
                                {
                                    PenaltyA = MarginalPenalty.KullbackLeibler(1e-3),
                                    PenaltyB = MarginalPenalty.KullbackLeibler(1e-3),
                                }
                        ),
                        p
                    ),
                new TransportCase(4, 4, 1, CaseKind.Plain).Entropic(),
                1e-8
            )
        );

    [Fact]
    public void Penalties_grow_to_the_balanced_problem() =>
        Law.Check(
            Cases.Of(4, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.SignedCost),
            c =>
            {
                // The oracle has no translation step: its slow mode contracts by 1 − 2ε/ρ, so ε is large and ρ stays at a hundred scales.
                LinearProblem problem = c.Exact();
                Epsilon epsilon = Epsilon.Absolute(0.25 * Approx.CostScale(problem.Geometry));
                Laws.PenaltyToInfinity(
                    p => Oracles.Sinkhorn(p, 1e-9),
                    problem with
                    {
                        Regularizer = Regularizer.Entropy(epsilon),
                    },
                    1e-6,
                    100
                );
            },
            10
        );

    [Fact]
    public void Failures_name_seed_and_smallest_case()
    {
        var violation = Assert.Throws<LawViolatedException>(() =>
            Law.Check(Cases.Any(12), c => Approx.True(c.Rows < 3 || c.Columns < 2, "too large"))
        );
        Assert.Contains("Rows = 3, Columns = 2", violation.Message, StringComparison.Ordinal);
        Assert.Contains($"OT_SEED={Law.Seed}", violation.Message, StringComparison.Ordinal);
        Assert.Contains("too large", violation.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_and_shape_is_in_the_mix()
    {
        var kinds = new HashSet<CaseKind>();
        var shapes = new HashSet<string>();
        Law.Check(
            Cases.Any(12),
            c =>
            {
                kinds.Add(c.Kind);
                shapes.Add($"{(c.Rows == 1 ? "1" : "n")}x{(c.Columns == 1 ? "1" : "m")}");
            },
            300
        );
        Assert.Equal(Enum.GetValues<CaseKind>().Length, kinds.Count);
        Assert.Equal(4, shapes.Count);
    }

    /// <summary>Sinkhorn with one mistake, reported as an answer to the problem asked.</summary>
    static TransportResult Spoil(string how, LinearProblem problem)
    {
        double epsilon = ((EntropyRegularizer)problem.Regularizer).Epsilon.Resolve(problem.Geometry);
        Geometry geometry = problem.Geometry;
        LinearProblem Other(Func<int, int, double> cost)
        {
            var costs = new double[geometry.Rows, geometry.Columns];
            for (int i = 0; i < geometry.Rows; i++)
            {
                for (int j = 0; j < geometry.Columns; j++)
                    costs[i, j] = cost(i, j);
            }
            return new LinearProblem(new CostMatrix(costs), problem.A, problem.B)
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
            };
        }
        TransportResult Honest(LinearProblem p) => Oracles.Sinkhorn(p, 1e-10);
        switch (how)
        {
            case "stops early":
                return Relabel(Oracles.Sinkhorn(problem, 1e-10, 1), problem, SolverStatus.Converged);
            case "reports a tenth too much":
                return Relabel(Honest(problem), problem, costFactor: 1.1);
            case "favours a corner":
                return Relabel(
                    Honest(Other((i, j) => geometry.Cost(i, j) + (i == 0 && j == geometry.Columns - 1 ? 1 : 0))),
                    problem
                );
            case "adds a constant cost":
                return Relabel(Honest(Other((i, j) => geometry.Cost(i, j) + (i == j ? 3e6 : 0))), problem);
            case "halves large costs":
                return Relabel(Honest(Other((i, j) => Math.Min(geometry.Cost(i, j), 1))), problem);
            case "spreads mass on empty bins":
                var uniform = new LinearProblem(geometry, Measure.Uniform(geometry.Rows), Measure.Uniform(geometry.Columns));
                return Relabel(Honest(uniform with { Regularizer = problem.Regularizer }), problem);
            case "counts bins":
                return Relabel(
                    Honest(problem with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon * geometry.Rows)) }),
                    problem
                );
            case "takes the wrong sign":
                return Relabel(Honest(Other((i, j) => -geometry.Cost(i, j))), problem, signedCost: true);
            default:
                throw new ArgumentException(how);
        }
    }

    static TransportResult Relabel(
        TransportResult result,
        LinearProblem problem,
        SolverStatus? status = null,
        double costFactor = 1,
        bool signedCost = false,
        double regularizer = double.NaN
    ) =>
        new()
        {
            Status = status ?? result.Status,
            Iterations = result.Iterations,
            Problem = problem,
            Plan = result.Plan,
            Potentials = result.Potentials,
            Epsilon = signedCost ? 0 : result.Epsilon,
            TransportCost = costFactor * result.TransportCost,
            RegularizerValue = double.IsNaN(regularizer) ? result.RegularizerValue : regularizer,
            PenaltyValueA = result.PenaltyValueA,
            PenaltyValueB = result.PenaltyValueB,
            MarginalError = result.MarginalError,
        };
}
