using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>The laws of all solvers along ways that are not the default one, which SolverLawsTests takes.</summary>
public class SinkhornLawTests
{
    static readonly (string Name, SolverLaws Laws)[] s_ways =
    [
        ("plain", Of(new() { Acceleration = Acceleration.None })),
        ("over-relaxed", Of(new() { Acceleration = Acceleration.OverRelaxation })),
        ("annealed", Of(new() { Schedule = new EpsilonSchedule() })),
        ("checked every time", Of(new() { CheckEvery = 1 })),
    ];

    // An L1 error of 1e-9 moves a value by 1e-9 times the potentials, which are a few value scales.
    static void Check(string way, Action law)
    {
        try
        {
            law();
        }
        catch (LawViolatedException violated)
        {
            throw new LawViolatedException($"{way}: {violated.Message}", violated);
        }
    }

    static SolverLaws Of(SinkhornOptions options) =>
        new(p => new Sinkhorn(options with { Tolerance = 1e-9, MaxIterations = 1_000_000 }).Solve(p), 1e-9, 2e-8);

    public static TheoryData<string> Balanced => [.. s_ways[0].Laws.Balanced.Keys];

    public static TheoryData<string> Unbalanced => [.. s_ways[0].Laws.Unbalanced.Keys];

    [Theory]
    [MemberData(nameof(Balanced))]
    public void Every_way_obeys(string law)
    {
        foreach ((string way, SolverLaws laws) in s_ways)
            Check(way, () => Law.Check(Cases.AllPairsAllowed(8), c => laws.Balanced[law](c.Entropic()), 12, 2500));
    }

    [Theory]
    [MemberData(nameof(Unbalanced))]
    public void Every_way_obeys_with_penalties(string law)
    {
        foreach ((string way, SolverLaws laws) in s_ways)
            Check(way, () => Law.Check(Cases.AllPairsAllowed(8), c => laws.Unbalanced[law](c.Unbalanced()), 12, 2500));
    }

    [Theory]
    [MemberData(nameof(Unbalanced))]
    public void Every_way_obeys_with_total_variation(string law)
    {
        foreach ((string way, SolverLaws laws) in s_ways)
        {
            Check(way, () => Law.Check(Cases.AllPairsAllowed(8), c => laws.Unbalanced[law](c.TotalVariation()), 12, 2500));
            Check(way, () => Law.Check(Cases.AllPairsAllowed(8), c => laws.Unbalanced[law](c.MixedPenalties()), 12, 2500));
        }
    }
}
