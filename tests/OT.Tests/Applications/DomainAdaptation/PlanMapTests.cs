using OT.Applications.DomainAdaptation;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Applications.DomainAdaptation;

/// <summary>Maps by plans: images, new points, and the way back.</summary>
public sealed class PlanMapTests
{
    static readonly CaseKind[] s_kinds = [CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates];

    static Domain Source(TransportCase c) => new(Measure.Of(c.A(), c.Source()));

    static Domain Target(TransportCase c) => new(Measure.Of(c.B(), c.Target()));

    static PlanMaker Smooth(double factor = 0.1) =>
        PlanMaker.Sinkhorn(Epsilon.RelativeToMean(factor), new SinkhornOptions { Tolerance = 1e-10 });

    static PlanMap Fit(TransportCase c, bool entropic, PlanMapOptions? options = null) =>
        PlanMap.Fit(Source(c), Target(c), entropic ? Smooth() : PlanMaker.Exact(), options);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Images_are_the_barycentres_of_rows_and_of_columns(bool entropic) =>
        Law.Check(
            Cases.Of(10, s_kinds),
            c =>
            {
                PlanMap map = Fit(c, entropic);
                Matrix plan = map.Plan.ToDense();
                SameWhereThereIsMass(DomainOracles.Barycentres(plan, c.Target()), map.Images, c.Columns, "image");
                SameWhereThereIsMass(
                    DomainOracles.Barycentres(plan.Transpose(), c.Source()),
                    map.InverseImages,
                    c.Rows,
                    "inverse image"
                );
            },
            quickCount: 60,
            fullCount: 2000
        );

    /// <summary>Points lie in the unit square: running means and sums over m terms differ by rounding.</summary>
    static void SameWhereThereIsMass(Matrix expected, Matrix images, int terms, string what)
    {
        for (int i = 0; i < expected.Rows; i++)
        {
            if (double.IsNaN(expected[i, 0]))
                Approx.True(double.IsFinite(images[i, 0]) && double.IsFinite(images[i, 1]), $"{what} {i} without mass");
            else
                Approx.Equal(expected.Row(i), images.Row(i), 8 * terms * Approx.Unit, $"{what} {i}");
        }
    }

    [Fact]
    public void An_assignment_is_followed_to_the_bit()
    {
        Matrix x = Clouds.Normal(40, 3, 1);
        int[] order = new SeededRandom(5).NextPermutation(40);
        Matrix y = Clouds.Shift(x.SelectRows(order), 30, -7, 0.1);
        PlanMap map = PlanMap.Fit(new Domain(x), new Domain(y), PlanMaker.Exact());
        int[] back = new int[40];
        for (int i = 0; i < 40; i++)
            back[order[i]] = i;
        // A translation is optimal: every point goes to its own copy.
        Assert.Equal(y.SelectRows(back).Values.ToArray(), map.Images.Values.ToArray());
        Assert.Equal(x.SelectRows(order).Values.ToArray(), map.InverseImages.Values.ToArray());
        // New points move with their neighbours: here all by the same.
        Matrix other = Clouds.Shift(Clouds.Normal(9, 3, 7), 1000);
        Approx.Equal(Clouds.Shift(other, 30, -7, 0.1).Values, map.Transform(other).Values, 4e3 * Approx.Unit, "new points");
        Approx.Equal(other.Values, map.InverseTransform(map.Transform(other)).Values, 8e3 * Approx.Unit, "and back");
    }

    [Fact]
    public void Equal_clouds_stay_where_they_are()
    {
        var cloud = new Domain(Clouds.Normal(25, 2, 3));
        PlanMap map = PlanMap.Fit(cloud, cloud, PlanMaker.Exact());
        Matrix points = Clouds.Normal(10, 2, 4);
        Assert.Equal(points.Values.ToArray(), map.Transform(points).Values.ToArray());
        Assert.Equal(points.Values.ToArray(), map.InverseTransform(points).Values.ToArray());
    }

    [Fact]
    public void The_entropic_map_is_the_barycentric_one_at_fitted_points_and_the_formula_elsewhere() =>
        Law.Check(
            Cases.Of(10, s_kinds),
            c =>
            {
                PlanMap map = Fit(c, entropic: true);
                Approx.True(map.Extension == Extension.Entropic, "an entropic plan extends by its potentials");
                // Exponents are differences of costs and potentials over ε; points lie in the unit square.
                double tolerance = 64 * c.Columns * Approx.Unit * (1 + (Scale(map) / map.Epsilon));
                Matrix again = map.Transform(c.Source());
                for (int i = 0; i < c.Rows; i++)
                {
                    if (c.A()[i] > 0)
                        Approx.Equal(map.Images.Row(i), again.Row(i), tolerance, $"T(x_{i})");
                }
                Matrix back = map.InverseTransform(c.Target());
                for (int j = 0; j < c.Columns; j++)
                {
                    if (c.B()[j] > 0)
                        Approx.Equal(map.InverseImages.Row(j), back.Row(j), tolerance, $"T⁻¹(y_{j})");
                }
                Matrix points = Clouds.Normal(3, 2, c.Seed);
                Matrix images = map.Transform(points);
                for (int i = 0; i < points.Rows; i++)
                {
                    double[] expected = DomainOracles.EntropicImage(
                        points.Row(i),
                        map.Target.Measure,
                        map.Potentials!,
                        map.Epsilon,
                        map.Cost
                    );
                    double far = 1 + Math.Pow(Clouds.Size(points) + 1, 2);
                    Approx.Equal(expected, images.Row(i), tolerance * far, $"new point {i}");
                }
            },
            quickCount: 60,
            fullCount: 2000
        );

    static double Scale(PlanMap map) =>
        map.Potentials!.F.ToArray().Concat(map.Potentials.G.ToArray()).Select(Math.Abs).Append(2).Max();

    [Fact]
    public void Moved_and_turned_domains_have_moved_and_turned_maps()
    {
        foreach (bool entropic in (bool[])[false, true])
        {
            foreach (Extension extension in (Extension[])[Extension.Nearest, Extension.Gaussian])
            {
                Matrix x = Clouds.Normal(20, 2, 1),
                    y = Clouds.Normal(15, 2, 2),
                    points = Clouds.Normal(8, 2, 3);
                var options = new PlanMapOptions { Extension = extension };
                PlanMaker maker = entropic ? Smooth() : PlanMaker.Exact();
                static Matrix Far(Matrix cloud) => Clouds.Shift(Clouds.Turn(cloud, 1.1), 5, -3);
                Matrix images = PlanMap.Fit(new Domain(x), new Domain(y), maker, options).Transform(points),
                    moved = PlanMap.Fit(new Domain(Far(x)), new Domain(Far(y)), maker, options).Transform(Far(points));
                // An exact plan is the same; an entropic one to its tolerance over ε.
                Approx.Equal(Far(images).Values, moved.Values, entropic ? 1e-7 : 1e-11, $"{extension} {entropic}");
            }
        }
    }

    [Fact]
    public void The_way_back_is_the_way_there_of_the_swapped_fit()
    {
        Domain x = new(Measure.Of(Clouds.Weights(9, 1), Clouds.Normal(9, 2, 1))),
            y = new(Measure.Of([.. Clouds.Weights(9, 1).Reverse()], Clouds.Normal(9, 2, 2)));
        Matrix points = Clouds.Normal(6, 2, 3);
        foreach (Extension extension in (Extension[])[Extension.Nearest, Extension.Entropic, Extension.Gaussian])
        {
            var options = new PlanMapOptions { Extension = extension };
            PlanMap there = PlanMap.Fit(x, y, Smooth(), options),
                back = PlanMap.Fit(y, x, Smooth(), options);
            Approx.Equal(back.Images.Values, there.InverseImages.Values, 1e-7, "images");
            Approx.Equal(back.Transform(points).Values, there.InverseTransform(points).Values, 1e-7, $"{extension}");
        }
    }

    [Fact]
    public void Points_that_coincide_share_the_mean_of_their_images_whatever_their_order()
    {
        Matrix x = Matrix.From([0.0, 0], [0, 0], [5, 5]),
            y = Matrix.From([-1.0, 0], [2, 0], [5, 6]);
        var source = new Domain(Measure.Of([0.25, 0.25, 0.5], x));
        var target = new Domain(Measure.Of([0.25, 0.25, 0.5], y));
        PlanMap map = PlanMap.Fit(source, target, PlanMaker.Exact());
        Assert.Equal([-1.0, 2], new[] { map.Images[0, 0], map.Images[1, 0] }.Order());
        Assert.Equal([0.5, 0, 1.5, 0], map.Transform(Matrix.From([0.0, 0], [1, 0])).Values.ToArray());
    }

    [Fact]
    public void A_point_without_mass_moves_with_its_nearest_neighbour()
    {
        var source = new Domain(Measure.Of([0.5, 0, 0.5], Matrix.From([0.0], [1.0], [10.0])));
        var target = new Domain(Measure.Of([0.5, 0.5, 0], Matrix.From([3.0], [12.0], [7.0])));
        PlanMap map = PlanMap.Fit(source, target, PlanMaker.Exact());
        Assert.Equal([3.0, 4, 12], map.Images.Values.ToArray());
        Assert.Equal([0.0, 10, 4], map.InverseImages.Values.ToArray());
    }

    [Fact]
    public void Single_points_on_either_side()
    {
        var one = new Domain(Matrix.From([1.0, 1]));
        var many = new Domain(Matrix.From([0.0, 0], [2, 0], [4, 3]));
        foreach (Extension extension in (Extension[])[Extension.Nearest, Extension.Entropic, Extension.Gaussian])
        {
            PlanMap map = PlanMap.Fit(one, many, Smooth(), new() { Extension = extension });
            Approx.Equal([2, 1], map.Images.Values, 1e-14, "the mean of all");
            Approx.Equal([1, 1, 1, 1, 1, 1], map.InverseImages.Values, 1e-14, "the one point");
            Approx.Equal([2, 1], map.Transform(one.Points).Values, 1e-8, $"{extension}");
        }
    }

    [Fact]
    public void Far_away_nothing_is_lost_and_what_overflows_is_refused()
    {
        Domain x = new(Clouds.Normal(12, 2, 1)),
            y = new(Clouds.Normal(10, 2, 2));
        Matrix far = Matrix.From([1e12, -3e12], [-1e155, 1e155]);
        PlanMap nearest = PlanMap.Fit(x, y, PlanMaker.Exact()),
            gaussian = PlanMap.Fit(x, y, PlanMaker.Exact(), new() { Extension = Extension.Gaussian }),
            entropic = PlanMap.Fit(x, y, Smooth());
        Assert.Equal(1e12, nearest.Transform(far)[0, 0], 1e2);
        Assert.Equal(1e12, gaussian.Transform(far)[0, 0], 1e2);
        // Far out in one direction, the map leads to the target's point that lies furthest that way.
        Matrix images = entropic.Transform(Matrix.From([1e12, -3e12], [-1e140, 1e140]));
        Assert.Equal(Furthest(y.Points, 1, -3), images.Row(0).ToArray());
        Assert.Equal(Furthest(y.Points, -1, 1), images.Row(1).ToArray());
        var refusal = Assert.Throws<ArgumentException>(() => entropic.Transform(Matrix.From([0.0, 0], [1e308, -1e308])));
        Assert.Contains("points[1]", refusal.Message, StringComparison.Ordinal);
        // A squared distance of a Euclidean cost far away still tells the points apart by what doubles can hold.
        PlanMap distances = PlanMap.Fit(x, y, Smooth(), new() { Cost = GroundCost.Euclidean });
        Assert.True(double.IsFinite(distances.Transform(far)[1, 0]));
    }

    static double[] Furthest(Matrix points, double x, double y) =>
        points.Row(Enumerable.Range(0, points.Rows).MaxBy(j => (x * points[j, 0]) + (y * points[j, 1]))).ToArray();

    [Fact]
    public void The_Gaussian_extension_follows_the_images_as_closely_as_asked()
    {
        Domain x = new(Measure.Of(Clouds.Weights(15, 4), Clouds.Normal(15, 2, 1))),
            y = new(Measure.Of([.. Clouds.Weights(15, 4).Reverse()], Clouds.Normal(15, 2, 2)));
        double Missed(double ridge)
        {
            PlanMap map = PlanMap.Fit(
                x,
                y,
                PlanMaker.Exact(),
                new()
                {
                    Extension = Extension.Gaussian,
                    Ridge = ridge,
                    Bandwidth = 0.5,
                }
            );
            return System.Numerics.Tensors.TensorPrimitives.Distance(map.Images.Values, map.Transform(x.Points).Values);
        }
        Assert.True(Missed(1e-12) < 1e-8);
        Assert.True(Missed(1e-12) < Missed(1e-2) && Missed(1e-2) < Missed(1));
        // All ridge: a translation by the difference of the means.
        PlanMap stiff = PlanMap.Fit(x, y, PlanMaker.Exact(), new() { Extension = Extension.Gaussian, Ridge = 1e12 });
        LinearMap moments = LinearMap.Fit(x.Measure, y.Measure);
        double[] shift = [.. moments.TargetMean.Zip(moments.SourceMean, (to, from) => to - from)];
        Approx.Equal(Clouds.Shift(x.Points, shift).Values, stiff.Transform(x.Points).Values, 1e-10, "translation");
    }

    [Fact]
    public void City_block_images_are_medians() =>
        Law.Check(
            Cases.Of(10, s_kinds),
            c =>
            {
                var options = new PlanMapOptions { Cost = GroundCost.CityBlock };
                PlanMap map = PlanMap.Fit(Source(c), Target(c), Smooth(0.5), options);
                Matrix plan = map.Plan.ToDense();
                for (int i = 0; i < c.Rows; i++)
                {
                    double Cost(ReadOnlySpan<double> point)
                    {
                        double sum = 0;
                        for (int j = 0; j < c.Columns; j++)
                            sum += plan[i, j] * GroundCost.CityBlock.Evaluate(point, c.Target().Row(j));
                        return sum;
                    }
                    // A convex piecewise linear cost is least at one of the points' coordinates.
                    for (int j = 0; j < c.Columns; j++)
                    {
                        for (int l = 0; l < c.Columns; l++)
                            Approx.AtMost(
                                Cost(map.Images.Row(i)),
                                Cost([c.Target()[j, 0], c.Target()[l, 1]]) + (8 * c.Columns * Approx.Unit),
                                $"cost of image {i}"
                            );
                    }
                }
            },
            quickCount: 30,
            fullCount: 500
        );

    [Fact]
    public void Any_solver_will_do()
    {
        Domain x = new(Clouds.Normal(5, 2, 1)),
            y = new(Clouds.Normal(4, 2, 2));
        var independent = PlanMaker.Of(
            "independent",
            (problem, source, target, _) =>
                new MadePlan(
                    new DensePlan(new Matrix(source.Count, target.Count, [.. Enumerable.Repeat(1.0 / 20, 20)])),
                    SolverStatus.Converged
                )
        );
        PlanMap map = PlanMap.Fit(x, y, independent);
        Assert.Equal("independent", map.Method);
        Assert.Equal(Extension.Nearest, map.Extension);
        Matrix mean = DomainOracles.Barycentres(new Matrix(1, 4, [1, 1, 1, 1]), y.Points);
        for (int i = 0; i < 5; i++)
            Approx.Equal(mean.Row(0), map.Images.Row(i), 1e-14, "the target's mean");
        Assert.Throws<ArgumentException>(() => PlanMap.Fit(x, y, independent, new() { Extension = Extension.Entropic }));
        var wrong = PlanMaker.Of("wrong", (_, _, _, _) => new MadePlan(new DensePlan(new Matrix(4, 5)), SolverStatus.Converged));
        Assert.Throws<ArgumentException>(() => PlanMap.Fit(x, y, wrong));
        var empty = PlanMaker.Of("empty", (_, _, _, _) => new MadePlan(new DensePlan(new Matrix(5, 4)), SolverStatus.Stalled));
        Assert.Contains(
            "Stalled",
            Assert.Throws<InvalidOperationException>(() => PlanMap.Fit(x, y, empty)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_plan_that_did_not_converge_says_so()
    {
        Domain x = new(Clouds.Normal(30, 2, 1)),
            y = new(Clouds.Normal(30, 2, 2));
        PlanMap map = PlanMap.Fit(
            x,
            y,
            PlanMaker.Sinkhorn(Epsilon.RelativeToMean(0.001), new SinkhornOptions { MaxIterations = 1, Tolerance = 1e-12 })
        );
        Assert.Equal(SolverStatus.IterationLimit, map.Status);
        Assert.Equal(SolverStatus.IterationLimit, map.Result!.Status);
        Assert.True(double.IsFinite(map.Transform(x.Points)[0, 0]));
    }

    /// <summary>Some solvers have a first plan at once; the others have none yet, and then there is no map.</summary>
    [Fact]
    public void A_fit_that_is_cancelled_has_a_plan_or_says_that_it_was_cancelled()
    {
        Domain x = new(Clouds.Normal(20, 2, 1), [.. Enumerable.Range(0, 20).Select(i => i % 2)]),
            y = new(Clouds.Normal(20, 2, 2));
        using var source = new CancellationTokenSource();
        source.Cancel();
        PlanMaker[] makers =
        [
            PlanMaker.Exact(),
            PlanMaker.Sinkhorn(),
            PlanMaker.Quadratic(1),
            PlanMaker.SumOfNorms(0.1),
            PlanMaker.LpL1(),
            PlanMaker.GroupLasso(),
        ];
        foreach (PlanMaker maker in makers)
        {
            try
            {
                Assert.Equal(SolverStatus.Cancelled, PlanMap.Fit(x, y, maker, null, source.Token).Status);
            }
            catch (OperationCanceledException stopped)
            {
                Assert.Equal(source.Token, stopped.CancellationToken);
                Assert.Contains("Cancelled before there was a plan", stopped.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        Domain x = new(Clouds.Normal(5, 2, 1)),
            y = new(Clouds.Normal(4, 2, 2));
        Assert.Contains(
            "3",
            Assert.Throws<ArgumentException>(() => PlanMap.Fit(x, new Domain(Clouds.Normal(4, 3, 1)), PlanMaker.Exact())).Message,
            StringComparison.Ordinal
        );
        var heavy = new Domain(Measure.Of([1.0, 1, 1, 1], y.Points));
        Assert.Contains(
            "no plan",
            Assert.Throws<ArgumentException>(() => PlanMap.Fit(x, heavy, PlanMaker.Exact())).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => PlanMap.Fit(x, y, PlanMaker.Exact(), new() { Extension = Extension.Entropic }));
        Assert.Throws<ArgumentOutOfRangeException>(() => PlanMap.Fit(x, y, PlanMaker.Exact(), new() { Bandwidth = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => PlanMap.Fit(x, y, PlanMaker.Exact(), new() { Ridge = -1 }));
        Assert.Throws<ArgumentException>(() => new Domain(Measure.Uniform(3)));
        Assert.Throws<ArgumentException>(() => new Domain(Clouds.Normal(3, 2, 1), [0, 1]));
        Assert.Contains(
            "labels[1]",
            Assert.Throws<ArgumentException>(() => new Domain(Clouds.Normal(3, 2, 1), [0, -2, 1])).Message,
            StringComparison.Ordinal
        );
        PlanMap map = PlanMap.Fit(x, y, PlanMaker.Exact());
        Assert.Throws<ArgumentException>(() => map.Transform(Clouds.Normal(2, 3, 1)));
        Assert.Throws<ArgumentException>(() => map.InverseTransform(Matrix.From([0.0, double.PositiveInfinity])));
        Assert.Equal(0, map.Transform(new Matrix(0, 2)).Rows);
    }
}
