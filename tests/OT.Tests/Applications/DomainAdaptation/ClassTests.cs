using OT.Applications.DomainAdaptation;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Applications.DomainAdaptation;

/// <summary>Classes: carried by plans, and kept apart by them.</summary>
public sealed class ClassTests
{
    static readonly PlanMaker[] s_makers =
    [
        PlanMaker.Exact(),
        PlanMaker.Sinkhorn(Epsilon.RelativeToMean(0.2), new SinkhornOptions { Tolerance = 1e-9 }),
    ];

    /// <summary>Classes with gaps, about a third of them unknown.</summary>
    static int[] Labels(int n, ulong seed)
    {
        var random = new SeededRandom(seed);
        return
        [
            .. Enumerable
                .Range(0, n)
                .Select(i =>
                    i == 0 ? 7
                    : random.NextInt(3) == 0 ? -1
                    : 2 + random.NextInt(3)
                ),
        ];
    }

    [Fact]
    public void Shares_are_sums_of_masses_and_rows_sum_to_one() =>
        Law.Check(
            Cases.Of(10, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates),
            c =>
            {
                foreach (PlanMaker maker in s_makers)
                {
                    int[] labels = Labels(c.Rows, c.Seed);
                    if (Enumerable.Range(0, c.Rows).All(i => labels[i] < 0 || c.A()[i] == 0))
                        return;
                    PlanMap map = PlanMap.Fit(
                        new Domain(Measure.Of(c.A(), c.Source())),
                        new Domain(Measure.Of(c.B(), c.Target())),
                        maker
                    );
                    ClassShares shares = map.TransformLabels(labels);
                    int[] classes = [.. labels.Where(label => label >= 0).Distinct().Order()];
                    Approx.True(shares.Classes.SequenceEqual(classes), "classes");
                    Matrix plan = map.Plan.ToDense();
                    for (int j = 0; j < c.Columns; j++)
                    {
                        double[] sums =
                        [
                            .. classes.Select(label =>
                                Enumerable.Range(0, c.Rows).Where(i => labels[i] == label).Sum(i => plan[i, j])
                            ),
                        ];
                        double total = sums.Sum();
                        Approx.Equal(1, shares.Shares.Row(j).ToArray().Sum(), 4 * classes.Length * Approx.Unit, $"row {j}");
                        if (total > 0)
                        {
                            Approx.Equal(
                                Array.ConvertAll(sums, sum => sum / total),
                                shares.Shares.Row(j),
                                8 * c.Rows * Approx.Unit,
                                $"shares of target {j}"
                            );
                        }
                    }
                    Approx.True(map.InverseTransformLabels(new int[c.Columns]).Predict().All(label => label == 0), "one class");
                }
            },
            quickCount: 40,
            fullCount: 1000
        );

    [Fact]
    public void An_assignment_carries_labels_there_and_back()
    {
        Matrix x = Clouds.Normal(20, 2, 1);
        int[] order = new SeededRandom(3).NextPermutation(20),
            labels = [.. Enumerable.Range(0, 20).Select(i => 5 * (i % 3))];
        PlanMap map = PlanMap.Fit(new Domain(x, labels), new Domain(Clouds.Shift(x.SelectRows(order), 3)), PlanMaker.Exact());
        int[] carried = map.TransformLabels().Predict();
        Assert.Equal(Array.ConvertAll(order, i => labels[i]), carried);
        Assert.Equal(labels, map.InverseTransformLabels(carried).Predict());
        Assert.Equal([0, 5, 10], map.TransformLabels().Classes.AsEnumerable());
    }

    [Fact]
    public void Where_nothing_is_known_all_classes_are_as_likely_as_they_are_heavy()
    {
        // The second target gets its mass from the point without a class, the third gets none.
        var source = new Domain(Measure.Of([0.5, 0.25, 0.25], Matrix.From([0.0], [1.0], [50.0])), [4, 1, -1]);
        var target = new Domain(Measure.Of([0.75, 0.25, 0], Matrix.From([0.0], [50.0], [99.0])));
        ClassShares shares = PlanMap.Fit(source, target, PlanMaker.Exact()).TransformLabels();
        Assert.Equal([1, 4], shares.Classes.AsEnumerable());
        for (int j = 0; j < 3; j++)
            Approx.Equal([1.0 / 3, 2.0 / 3], shares.Shares.Row(j), 2 * Approx.Unit, $"target {j}");
        Assert.Equal([4, 4, 4], shares.Predict());
    }

    [Fact]
    public void Known_classes_are_kept_apart() =>
        Law.Check(
            Cases.Of(12, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates),
            c =>
            {
                foreach (PlanMaker maker in s_makers)
                {
                    Domain source = new(Measure.Of(c.A(), c.Source()), Labels(c.Rows, c.Seed)),
                        target = new(Measure.Of(c.B(), c.Target()), Labels(c.Columns, c.Seed ^ 1));
                    PlanMap map;
                    try
                    {
                        map = PlanMap.Fit(source, target, maker);
                    }
                    catch (ArgumentException refusal)
                    {
                        Approx.True(!PlanExists(source, target), $"a plan exists, but: {refusal.Message}");
                        Approx.True(
                            refusal.Message.Contains("known classes apart", StringComparison.Ordinal),
                            $"the classes are the reason, not: {refusal.Message}"
                        );
                        return;
                    }
                    Approx.True(PlanExists(source, target), "no plan exists, and one was found");
                    Matrix plan = map.Plan.ToDense();
                    for (int i = 0; i < c.Rows; i++)
                    {
                        for (int j = 0; j < c.Columns; j++)
                        {
                            if (source.Labels[i] >= 0 && target.Labels[j] >= 0 && source.Labels[i] != target.Labels[j])
                                Approx.Equal(0, plan[i, j], 0, $"P[{i}, {j}]");
                        }
                    }
                }
            },
            quickCount: 60,
            fullCount: 1000
        );

    /// <summary>Hall's condition over every set of the target's classes, spelled out.</summary>
    static bool PlanExists(Domain source, Domain target)
    {
        int[] classes = [.. target.Labels.Where(label => label >= 0).Distinct()];
        double Mass(Domain domain, Func<int, bool> counts) =>
            Enumerable.Range(0, domain.Count).Where(i => counts(domain.Labels[i])).Sum(i => domain.Measure.Weights[i]);
        for (int set = 1; set < 1 << classes.Length; set++)
        {
            int[] chosen = [.. classes.Where((_, k) => (set >> k & 1) == 1)];
            double needed = Mass(target, label => chosen.Contains(label)),
                offered = Mass(source, label => label < 0 || chosen.Contains(label));
            if (needed > offered + 1e-9)
                return false;
        }
        return true;
    }

    [Fact]
    public void A_few_labels_in_the_target_turn_a_map_round()
    {
        // Two classes side by side have changed places; the nearest plan mixes them up, labels put it right.
        Matrix left = Clouds.Shift(Clouds.Normal(10, 2, 1), -20, 0),
            right = Clouds.Shift(Clouds.Normal(10, 2, 2), 20, 0);
        Matrix x = new(20, 2, [.. left.Values, .. right.Values]),
            y = new(20, 2, [.. right.Values, .. left.Values]);
        int[] labels = [.. Enumerable.Range(0, 20).Select(i => i / 10)];
        foreach (PlanMaker maker in s_makers)
        {
            PlanMap blind = PlanMap.Fit(new Domain(x, labels), new Domain(y), maker),
                seeing = PlanMap.Fit(new Domain(x, labels), new Domain(y, labels), maker);
            Assert.All(blind.TransformLabels().Predict().Zip(labels), pair => Assert.NotEqual(pair.Second, pair.First));
            Assert.Equal(labels, seeing.TransformLabels().Predict());
        }
    }

    [Fact]
    public void Classes_that_weigh_more_than_what_may_come_are_named()
    {
        var source = new Domain(Clouds.Normal(4, 2, 1), [0, 0, 0, 1]);
        var target = new Domain(Clouds.Normal(4, 2, 2), [0, 1, 1, 1]);
        foreach (PlanMaker maker in s_makers)
        {
            string message = Assert.Throws<ArgumentException>(() => PlanMap.Fit(source, target, maker)).Message;
            Assert.Contains("mass 0.5", message, StringComparison.Ordinal);
            Assert.Contains("class 1", message, StringComparison.Ordinal);
        }
        // A class that the source does not have is one of these, and points without a class may go anywhere.
        Assert.Contains(
            "class 9",
            Assert
                .Throws<ArgumentException>(() => PlanMap.Fit(source, new Domain(target.Points, [9, 0, 0, 0]), s_makers[0]))
                .Message,
            StringComparison.Ordinal
        );
        PlanMap map = PlanMap.Fit(
            new Domain(source.Points, [0, 0, -1, 1]),
            new Domain(target.Points, [9, 0, 0, -1]),
            s_makers[0]
        );
        Assert.Equal(0.25, map.Plan.ToDense()[2, 0], 1e-12);
    }

    [Theory]
    [InlineData(30, 60, 3)]
    [InlineData(49, 98, 7)]
    [InlineData(33, 11, 11)]
    public void Classes_of_one_mass_up_to_rounding_have_a_plan(int n, int m, int classes)
    {
        // Every class is known, and sums of 1/n and of 1/m over a class differ in the last digits.
        Domain source = new(Clouds.Normal(n, 2, 1), [.. Enumerable.Range(0, n).Select(i => i % classes)]),
            target = new(Clouds.Normal(m, 2, 2), [.. Enumerable.Range(0, m).Select(j => j % classes)]);
        foreach (PlanMaker maker in s_makers)
        {
            PlanMap map = PlanMap.Fit(source, target, maker);
            Assert.Equal(SolverStatus.Converged, map.Status);
            Assert.Equal(target.Labels, map.TransformLabels().Predict());
        }
    }

    [Fact]
    public void Bad_labels_are_refused()
    {
        PlanMap map = PlanMap.Fit(new Domain(Clouds.Normal(3, 2, 1)), new Domain(Clouds.Normal(3, 2, 2)), s_makers[0]);
        Assert.Throws<ArgumentException>(() => map.TransformLabels());
        Assert.Throws<ArgumentException>(() => map.TransformLabels([-1, -1, -1]));
        Assert.Throws<ArgumentException>(() => map.TransformLabels([0, 1]));
        Assert.Throws<ArgumentException>(() => map.InverseTransformLabels([0, 1, -3]));
    }

    /// <summary>Two classes far apart, the target moved: each plan keeps them apart, and its map takes new points along.</summary>
    [Theory]
    [InlineData("quadratic")]
    [InlineData("sum-of-norms")]
    [InlineData("lpl1")]
    [InlineData("group-lasso")]
    public void Plans_by_classes_make_maps(string name)
    {
        var random = new SeededRandom(5);
        Matrix Cloud(double shift) =>
            new(
                20,
                2,
                [
                    .. Enumerable
                        .Range(0, 20)
                        .SelectMany(i =>
                            (double[])[shift + (i < 10 ? 0 : 6) + (0.3 * random.NextNormal()), 0.3 * random.NextNormal()]
                        ),
                ]
            );
        int[] labels = [.. Enumerable.Range(0, 20).Select(i => i / 10)];
        Matrix source = Cloud(0),
            target = Cloud(1);
        PlanMaker maker = name switch
        {
            "quadratic" => PlanMaker.Quadratic(5),
            "sum-of-norms" => PlanMaker.SumOfNorms(0.01),
            "lpl1" => PlanMaker.LpL1(),
            _ => PlanMaker.GroupLasso(),
        };
        Assert.Equal(name, maker.Name);
        PlanMap map = PlanMap.Fit(new Domain(source, labels), new Domain(target), maker);
        for (int i = 0; i < 20; i++)
            Assert.InRange(map.Images.Row(i)[0], i < 10 ? -0.5 : 5.5, i < 10 ? 2.5 : 8.5);
        Assert.Equal(labels, map.TransformLabels().Predict());
        Assert.InRange(map.Transform(new Matrix(1, 2, [0.1, 0])).Row(0)[0], -0.5, 2.5);
    }
}
