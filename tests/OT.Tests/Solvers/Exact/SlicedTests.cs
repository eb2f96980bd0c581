using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Exact;
using Xunit;

namespace OT.Tests.Solvers.Exact;

public class SlicedTests
{
    static Measure Cloud(ulong seed, int count, int dimension, double shift = 0)
    {
        var random = new SeededRandom(seed);
        return Measure.Uniform(
            new Matrix(count, dimension, [.. Enumerable.Range(0, count * dimension).Select(_ => random.NextNormal() + shift)])
        );
    }

    static Measure Moved(Measure cloud, double[] by)
    {
        double[] values = cloud.Points!.Values.ToArray();
        for (int k = 0; k < values.Length; k++)
            values[k] += by[k % by.Length];
        return Measure.Of(cloud.Weights, new Matrix(cloud.Count, by.Length, values));
    }

    [Fact]
    public void A_translation_has_sliced_value_t2_over_d_and_max_sliced_value_t2()
    {
        double[] t = [3, -1, 2];
        Measure x = Cloud(1, 40, 3),
            y = Moved(x, t);
        SlicedResult sliced = Sliced.Distance(x, y, 2, new() { Projections = 4000 });
        // Five standard errors: one draw in two million misses.
        Assert.Equal(14 / 3.0, sliced.Value, 5 * sliced.StandardError);
        Assert.InRange(sliced.StandardError, 0.01, 0.1);
        Assert.Equal(Math.Sqrt(sliced.Value), sliced.Distance, 1e-15);
        SlicedResult max = Sliced.MaxDistance(x, y);
        Assert.Equal(14, max.Value, 1e-12);
        double norm = Math.Sqrt(max.Direction.Sum(v => v * v));
        Assert.Equal(1, norm, 1e-14);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Sliced_is_at_most_max_sliced_which_is_at_most_W(double p)
    {
        for (ulong seed = 0; seed < 5; seed++)
        {
            Measure x = Cloud(seed, 30, 4),
                y = Cloud(seed + 50, 25, 4, 0.5);
            var cost = new PointCloud(x.Points!, y.Points!, GroundCost.Euclidean.ToPower(p));
            double w = Math.Pow(new NetworkSimplex().Solve(new LinearProblem(cost, x, y)).Value, 1 / p);
            SlicedResult sliced = Sliced.Distance(x, y, p, new() { Projections = 300 }),
                max = Sliced.MaxDistance(x, y, p);
            Assert.True(sliced.Distance <= max.Distance, $"{sliced.Distance} {max.Distance}");
            Assert.True(max.Distance <= w * (1 + 1e-14), $"{max.Distance} {w}");
            // The value is that of its direction.
            double[] px = Project(x.Points!, max.Direction),
                py = Project(y.Points!, max.Direction);
            Assert.Equal(Univariate.Distance(px, [], py, [], p), max.Distance, 1e-14 * w);
        }

        static double[] Project(Matrix points, IReadOnlyList<double> theta) =>
            [
                .. Enumerable
                    .Range(0, points.Rows)
                    .Select(i => Enumerable.Range(0, points.Columns).Sum(k => points[i, k] * theta[k])),
            ];
    }

    [Fact]
    public void Max_sliced_in_the_plane_finds_the_best_of_a_fine_sweep()
    {
        Measure x = Cloud(3, 25, 2),
            y = Cloud(4, 25, 2);
        double sweep = 0;
        for (int k = 0; k < 3600; k++)
        {
            (double sin, double cos) = Math.SinCos(Math.PI * k / 3600);
            double[] px = [.. Enumerable.Range(0, 25).Select(i => (cos * x.Points![i, 0]) + (sin * x.Points[i, 1]))],
                py = [.. Enumerable.Range(0, 25).Select(i => (cos * y.Points![i, 0]) + (sin * y.Points[i, 1]))];
            sweep = Math.Max(sweep, Univariate.Distance(px, [], py, []));
        }
        Assert.True(Sliced.MaxDistance(x, y).Distance >= sweep * (1 - 1e-6));
    }

    [Fact]
    public void The_seed_fixes_the_estimate_and_on_the_line_slicing_changes_nothing()
    {
        Measure x = Cloud(1, 20, 5),
            y = Cloud(2, 20, 5);
        Assert.Equal(Sliced.Distance(x, y).Value, Sliced.Distance(x, y).Value);
        Assert.NotEqual(Sliced.Distance(x, y).Value, Sliced.Distance(x, y, 2, new() { Seed = 9 }).Value);
        Measure u = Cloud(5, 20, 1),
            v = Cloud(6, 30, 1);
        double line = Univariate.Distance(u.Points!.Values, [], v.Points!.Values, []);
        SlicedResult sliced = Sliced.Distance(u, v, 2, new() { Projections = 3 });
        Assert.Equal(line, sliced.Distance, 1e-14);
        Assert.InRange(sliced.StandardError, 0, 1e-14);
    }

    [Theory]
    [InlineData(300, 300, false)]
    [InlineData(300, 211, false)]
    [InlineData(200, 200, true)]
    public void Threads_and_register_widths_change_no_bit(int n, int m, bool weighted)
    {
        Measure x = Cloud(7, n, 5),
            y = Cloud(8, m, 5);
        if (weighted)
        {
            double[] weights = [.. Enumerable.Range(0, n).Select(i => 1.0 + (i % 3))];
            (x, y) = (Measure.Of(weights, x.Points), Measure.Of([.. weights.Reverse()], y.Points));
            y = y.Scale(x.Mass / y.Mass);
        }
        var options = new SlicedOptions { Projections = 75 };
        SlicedResult expected = Sliced.Distance(x, y, 2, options, threads: 1, width: 0);
        foreach (int width in (int[])[0, 128, 256, 512])
        {
            if (width > Simd.Width)
                continue;
            foreach (int threads in (int[])[1, 2, 5])
            {
                SlicedResult actual = Sliced.Distance(x, y, 2, options, threads, width);
                Assert.Equal(expected.Value, actual.Value);
                Assert.Equal(expected.StandardError, actual.StandardError);
            }
        }
        Assert.Equal(expected.Value, Sliced.Distance(x, y, 2, options).Value);
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        Measure x = Cloud(1, 4, 2);
        Assert.Throws<ArgumentException>(() => Sliced.Distance(x, Measure.Uniform(4)));
        Assert.Throws<ArgumentException>(() => Sliced.Distance(x, Cloud(1, 4, 3)));
        Assert.Throws<ArgumentException>(() => Sliced.Distance(x, x.Scale(2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sliced.Distance(x, x, 0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => Sliced.Distance(x, x, 2, new() { Projections = 0 }));
    }

    /// <summary>Coordinates whose powers no double holds are measured in a unit of their own.</summary>
    [Theory]
    [InlineData(1e-170)]
    [InlineData(1e200)]
    public void Distances_scale_with_their_coordinates(double unit)
    {
        Measure Cloud(double size) => Measure.Uniform(new Matrix(4, 2, [size, 0, 0, size, -size, size, 3 * size, 2 * size]));
        Measure Other(double size) => Measure.Uniform(new Matrix(3, 2, [size, size, 5 * size, 0, 0, -2 * size]));
        foreach (double p in (double[])[1, 2, 3.5])
        {
            SlicedResult small = Sliced.Distance(Cloud(1), Other(1), p),
                scaled = Sliced.Distance(Cloud(unit), Other(unit), p);
            Assert.Equal(1, scaled.Distance / unit / small.Distance, 1e-12);
            Assert.Equal(
                1,
                Sliced.MaxDistance(Cloud(unit), Other(unit), p).Distance
                    / unit
                    / Sliced.MaxDistance(Cloud(1), Other(1), p).Distance,
                1e-9
            );
        }
    }
}
