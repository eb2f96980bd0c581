using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Testing;

/// <summary>The laws over the library's own general solvers.</summary>
public class SolverLawsTests
{
    // An L1 error of 1e-9 moves a value by 1e-9 times the potentials, which are a few value scales.
    static readonly SolverLaws Entropic = new(
        p => new Sinkhorn(new SinkhornOptions { Tolerance = 1e-9, MaxIterations = 1_000_000 }).Solve(p),
        1e-9,
        2e-8
    );

    // Pivots and sums of at most a few dozen masses.
    static readonly SolverLaws Simplex = new(p => new NetworkSimplex().Solve(p), 1e-13, 1e-12);

    public static TheoryData<string> BalancedNames => [.. Entropic.Balanced.Keys];

    public static TheoryData<string> EntropicNames => [.. Entropic.Entropic.Keys];

    public static TheoryData<string> UnbalancedNames => [.. Entropic.Unbalanced.Keys];

    public static TheoryData<string> ExactNames => [.. Simplex.Balanced.Keys];

    [Theory]
    [MemberData(nameof(BalancedNames))]
    public void Sinkhorn_obeys(string law)
    {
        Law.Check(Cases.AllPairsAllowed(10), c => Entropic.Balanced[law](c.Entropic()), 40);
    }

    [Fact]
    public void Sinkhorn_certifies_what_it_solves_with_forbidden_pairs()
    {
        int converged = 0;
        Law.Check(
            Cases.Of(10, CaseKind.Forbidden),
            c =>
            {
                TransportResult result = new Sinkhorn(new SinkhornOptions { Tolerance = 1e-8, MaxIterations = 100_000 }).Solve(
                    c.Entropic()
                );
                // Where allowed pairs must stay nearly empty the iteration is slow; what stops early says so.
                if (!result.Converged)
                    return;
                converged++;
                Laws.CertificateCloses(_ => result, c.Entropic(), 1e-5);
                Laws.RoundedPlanIsFeasible(_ => result, c.Entropic());
            }
        );
        Assert.True(converged >= 50, $"Only {converged} problems with forbidden pairs converged.");
    }

    [Theory]
    [MemberData(nameof(EntropicNames))]
    public void Sinkhorn_obeys_limits(string law)
    {
        Law.Check(Cases.AllPairsAllowed(10), c => Entropic.Entropic[law](c.Entropic()), 40);
    }

    [Theory]
    [MemberData(nameof(UnbalancedNames))]
    public void Sinkhorn_obeys_with_penalties(string law)
    {
        Law.Check(Cases.AllPairsAllowed(10), c => Entropic.Unbalanced[law](c.Unbalanced()), 40);
    }

    [Fact]
    public void Sinkhorn_with_growing_penalties_is_balanced()
    {
        Law.Check(
            Cases.Of(6, CaseKind.Plain, CaseKind.ZeroWeights),
            c =>
                Laws.PenaltyToInfinity(
                    p => new Sinkhorn(new SinkhornOptions { Tolerance = 1e-9, MaxIterations = 1_000_000 }).Solve(p),
                    c.Entropic(),
                    1e-6,
                    100
                ),
            20
        );
    }

    [Theory]
    [MemberData(nameof(ExactNames))]
    public void Network_simplex_obeys(string law)
    {
        Law.Check(Cases.Any(10), c => Simplex.Balanced[law](c.Exact()), 60);
    }
}
