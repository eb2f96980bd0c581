using OT.Accelerators.Blas;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Blas;

/// <summary>The laws of back ends over whatever BLAS is found, streamed and stored, and what BLAS adds to them.</summary>
[Collection(NativePaths.Name)]
public sealed class BlasBackendTests
{
    static readonly string[] Clouds = ["points40", "points40 far away", "half squared 20", "cosine40"];

    public static TheoryData<Precision, string> Streamed =>
        [.. from precision in Enum.GetValues<Precision>() from kind in Clouds select (precision, kind)];

    public static TheoryData<Precision, string> Everything =>
        [.. from precision in Enum.GetValues<Precision>() from kind in SomeGeometry.All select (precision, kind)];

    public static TheoryData<Precision> Precisions => [.. Enum.GetValues<Precision>()];

    /// <summary>A back end that streams, unless it is given a limit for tables.</summary>
    static BlasBackend Open(int threads = 2, long tableLimit = 0)
    {
        try
        {
            return new BlasBackend(threads, tableLimit: tableLimit);
        }
        catch (BackendException missing)
        {
            string required = Environment.GetEnvironmentVariable("OT_REQUIRE") ?? "";
            Assert.False(required.Split(',').Contains("blas"), missing.Message);
            Assert.Skip(missing.Message);
            throw;
        }
    }

    [Theory]
    [MemberData(nameof(Streamed))]
    public void Streamed_minima_are_those_of_the_definition(Precision precision, string kind)
    {
        using BlasBackend backend = Open();
        new BackendLaws(backend, precision).Minima(kind);
    }

    [Theory]
    [MemberData(nameof(Streamed))]
    public void Streamed_iterations_are_those_of_the_definition(Precision precision, string kind)
    {
        using BlasBackend backend = Open();
        new BackendLaws(backend, precision).Iterations(kind);
    }

    [Theory]
    [MemberData(nameof(Streamed))]
    public void Streamed_plans_are_those_of_the_definition(Precision precision, string kind)
    {
        using BlasBackend backend = Open();
        new BackendLaws(backend, precision).Plans(kind);
    }

    [Theory]
    [MemberData(nameof(Streamed))]
    public void Repeats_give_the_same_bits(Precision precision, string kind)
    {
        using BlasBackend backend = Open();
        new BackendLaws(backend, precision).Repeats(kind, 270, 145);
    }

    [Theory]
    [MemberData(nameof(Streamed))]
    public void A_cancelled_operator_says_so_and_leaves_potentials_as_they_were(Precision precision, string kind)
    {
        using BlasBackend backend = Open();
        new BackendLaws(backend, precision).Cancellation(kind);
    }

    [Theory]
    [MemberData(nameof(Precisions))]
    public void Small_counts_long_rows_and_wild_guesses(Precision precision)
    {
        using BlasBackend backend = Open();
        var laws = new BackendLaws(backend, precision);
        laws.SmallCounts("points40");
        laws.Large("points40", 3000, 5);
        laws.Large("points40", 5, 4500);
        laws.Large("half squared 20", 700, 900);
        laws.WildGuesses("points40");
    }

    /// <summary>Whatever is no product of matrices is handed on.</summary>
    [Theory]
    [MemberData(nameof(Everything))]
    public void Every_geometry_is_served(Precision precision, string kind)
    {
        using BlasBackend backend = Open();
        var laws = new BackendLaws(backend, precision);
        laws.Minima(kind);
        laws.Iterations(kind);
        laws.Plans(kind);
        laws.Cancellation(kind);
    }

    [Fact]
    public void SameBitsAnyThreadCount()
    {
        foreach (Precision precision in Enum.GetValues<Precision>())
        {
            foreach (string kind in Clouds)
            {
                foreach (long tableLimit in (long[])[0, BlasBackend.DefaultTableLimit])
                {
                    Geometry geometry = SomeGeometry.Of(kind, 400, 230);
                    long[][] bits =
                    [
                        .. new[] { 1, 2, 3, 5 }.Select(threads =>
                        {
                            using BlasBackend backend = Open(threads, tableLimit);
                            using ICostOperator op = backend.Bind(backend.Prepare(geometry), precision);
                            return BackendLaws.Bits(op, geometry);
                        }),
                    ];
                    Assert.All(bits, other => Assert.Equal(bits[0], other));
                }
            }
        }
    }

    [Fact]
    public void Two_back_ends_work_at_once()
    {
        Geometry geometry = SomeGeometry.Of("points40", 300, 260);
        using BlasBackend first = Open(),
            second = Open();
        long[] alone = Bits(first);
        var together = new long[8][];
        Parallel.For(0, together.Length, k => together[k] = Bits(k % 2 == 0 ? first : second));
        Assert.All(together, bits => Assert.Equal(alone, bits));

        long[] Bits(BlasBackend backend)
        {
            using ICostOperator op = backend.Bind(geometry);
            return BackendLaws.Bits(op, geometry);
        }
    }

    [Fact]
    public void Sinkhorn_answers_as_on_the_managed_back_end()
    {
        using BlasBackend backend = Open();
        using var managed = new ManagedBackend();
        var problem = new LinearProblem(SomeGeometry.Of("points40", 150, 170), Measure.Uniform(150), Measure.Uniform(170))
        {
            Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(0.02)),
        };
        var options = new SinkhornOptions { Tolerance = 1e-10 };
        TransportResult ours = new Sinkhorn(options, backend).Solve(problem),
            theirs = new Sinkhorn(options, managed).Solve(problem);
        Assert.True(ours.Converged);
        // Values of iterates whose marginals are off by the tolerance differ by that times the largest potential.
        Approx.Equal(theirs.Value, ours.Value, 10 * options.Tolerance * problem.Geometry.MagnitudeBound, "value");
        Assert.Contains("blas", ours.Backend, StringComparison.Ordinal);
    }

    /// <summary>ε below what dot products resolve: rows of differences serve.</summary>
    [Fact]
    public void Tiny_epsilon_far_away_is_as_accurate_as_differences()
    {
        using BlasBackend backend = Open();
        using var managed = new ManagedBackend();
        var geometry = (PointCloud)SomeGeometry.Of("points40", 60, 70);
        double epsilon = 1e-7 * geometry.MagnitudeBound;
        double[] logB = VectorMath.LogWeights(Measure.Uniform(70).Weights),
            expected = new double[60],
            actual = new double[60];
        using ICostOperator ours = backend.Bind(geometry),
            differences = managed.Bind(CostMatrix.From(geometry));
        ours.SoftMinRows(new double[70], logB, epsilon, actual);
        differences.SoftMinRows(new double[70], logB, epsilon, expected);
        Approx.Equal(expected, actual, 1e-14 * geometry.MagnitudeBound, "f");
    }

    [Fact]
    public void A_table_is_accurate_in_every_entry()
    {
        using BlasBackend backend = Open(3);
        foreach (string kind in Clouds)
        {
            foreach ((int n, int m) in ((int, int)[])[(1, 1), (1, 300), (70, 1), (130, 257), (300, 40)])
            {
                var cloud = (PointCloud)SomeGeometry.Of(kind, n, m);
                AssertAccurate(cloud, backend.Tabulate(cloud));
            }
        }
    }

    /// <summary>Norms cancel: equal points, near ones, and clusters far apart.</summary>
    [Fact]
    public void A_table_of_near_points_is_accurate_in_every_entry()
    {
        const int n = 90,
            d = 24;
        var random = new SeededRandom(5);
        double[] Values(Func<int, double> centre, double spread) =>
            [.. Enumerable.Range(0, n * d).Select(k => centre(k / d) + (spread * random.NextNormal()))];
        using BlasBackend backend = Open();
        Matrix one = new(n, d, Values(_ => 0, 1)),
            shifted = new(n, d, [.. one.Values.ToArray().Select(v => v + (1e-9 * random.NextNormal()))]),
            clusters = new(n, d, Values(i => i % 3 * 1000, 1)),
            tight = new(n, d, Values(i => i % 2, 1e-12));
        foreach (
            PointCloud cloud in (PointCloud[])
                [new(one, one), new(one, shifted), new(clusters, clusters), new(tight, tight), new(one, one, GroundCost.Cosine)]
        )
        {
            CostMatrix table = backend.Tabulate(cloud);
            AssertAccurate(cloud, table);
            if (cloud.Source == cloud.Target)
                Assert.All(Enumerable.Range(0, n), i => Assert.Equal(0, table.Cost(i, i)));
        }
    }

    static void AssertAccurate(PointCloud cloud, CostMatrix table)
    {
        double relative = (cloud.Dimension + 4) * Math.Pow(2, -49);
        for (int i = 0; i < cloud.Rows; i++)
        {
            for (int j = 0; j < cloud.Columns; j++)
            {
                double cost = cloud.Cost(i, j);
                Approx.Equal(cost, table.Cost(i, j), relative * cost, $"{i}, {j}");
            }
        }
    }

    [Fact]
    public void Extreme_coordinates_and_equal_points_never_give_NaN()
    {
        using BlasBackend backend = Open();
        var random = new SeededRandom(6);
        foreach (double scale in (double[])[0, 1e-140, 1e-30, 1e-10, 1e17, 1e30, 1e148])
        {
            var points = new Matrix(40, 20, [.. Enumerable.Range(0, 800).Select(_ => scale * random.NextNormal())]);
            var cloud = new PointCloud(points, points);
            double[] logs = VectorMath.LogWeights(Measure.Uniform(40).Weights),
                f = new double[40];
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                using ICostOperator op = backend.Bind(cloud, precision);
                double epsilon = scale == 0 ? 1 : cloud.MeanCost;
                op.SoftMinRows(new double[40], logs, epsilon, f);
                double[] expected = Oracles.SoftMinRows(cloud, new double[40], Measure.Uniform(40).Weights.ToArray(), epsilon);
                double rounding = precision == Precision.Float64 ? 1e-13 : 1e-5;
                Approx.Equal(expected, f, rounding * (cloud.MagnitudeBound + epsilon), $"scale {scale}, {precision}");
            }
        }
    }

    [Fact]
    public void ByteCeilingHonoured()
    {
        PointCloud cloud = (PointCloud)SomeGeometry.Of("points40", 300, 200);
        using BlasBackend streaming = Open();
        long streamed = streaming.EstimateBytes(cloud, Precision.Float64);
        using var none = new BlasBackend(2, memoryLimit: streamed - 1);
        var thrown = Assert.Throws<BackendException>(() => none.Bind(cloud));
        Assert.Contains($"{streamed - 1:N0}", thrown.Message, StringComparison.Ordinal);
        using var enough = new BlasBackend(2, memoryLimit: streamed);
        enough.Bind(cloud).Dispose();
    }

    [Fact]
    public void Tables_stand_in_for_clouds_where_they_are_small_and_fit()
    {
        PointCloud cloud = (PointCloud)SomeGeometry.Of("points40", 300, 200);
        using BlasBackend tabulating = Open(tableLimit: BlasBackend.DefaultTableLimit),
            streaming = Open();
        using var tight = new BlasBackend(2, memoryLimit: 300 * 200 * sizeof(double));
        Assert.IsType<CostMatrix>(tabulating.Prepare(cloud));
        Assert.Same(cloud, streaming.Prepare(cloud));
        Assert.Same(cloud, tight.Prepare(cloud));
        Assert.IsType<CostMatrix>(streaming.Prepare(SomeGeometry.Of("euclidean", 30, 20)));
    }

    [Fact]
    public void Tables_are_part_of_the_memory_asked_for()
    {
        PointCloud cloud = (PointCloud)SomeGeometry.Of("points40", 300, 200);
        var problem = new LinearProblem(cloud, Measure.Uniform(300), Measure.Uniform(200))
        {
            Regularizer = Regularizer.Entropy(),
        };
        using BlasBackend tabulating = Open(tableLimit: BlasBackend.DefaultTableLimit),
            streaming = Open();
        long table = 300 * 200 * sizeof(double);
        Assert.Equal(table, Sinkhorn.OwnBytes(cloud, tabulating) - Sinkhorn.OwnBytes(cloud, streaming));
        long limit =
            Sinkhorn.OwnBytes(cloud, streaming)
            + Math.Max(streaming.EstimateBytes(cloud, Precision.Float64), streaming.EstimateBytes(cloud, Precision.Float32));
        Transport.Solve(problem, new SinkhornOptions(), streaming, limit);
        Assert.Throws<ArgumentException>(() => Transport.Solve(problem, new SinkhornOptions(), tabulating, limit));
        Transport.Solve(problem, new SinkhornOptions(), tabulating, limit + table);
    }

    [Fact]
    public void Costs_of_plans_are_summed_in_the_room_of_the_iteration()
    {
        const int n = 512,
            m = 3000;
        PointCloud cloud = (PointCloud)SomeGeometry.Of("points40", n, m);
        using BlasBackend backend = Open(1);
        using ICostOperator op = backend.Bind(cloud);
        double[] sums = new double[n],
            columns = new double[m];
        var plan = new GibbsPlan
        {
            F = new double[n],
            G = new double[m],
            LogA = new double[n],
            LogB = new double[m],
            Epsilon = cloud.MeanCost,
        };
        double first = op.TransportCost(plan, sums, columns);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(first, op.TransportCost(plan, sums, columns));
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        // Copies of the plan's four vectors, and mass and cost of each row; chunks times m would be 16 m. A collection in between counts what was left of the thread's 8 KiB too.
        Assert.InRange(allocated, 0, (sizeof(double) * ((4 * n) + (2 * m))) + 16_384);
    }

    [Fact]
    public void Mkl_is_taken_where_it_is_required()
    {
        bool required = (Environment.GetEnvironmentVariable("OT_REQUIRE") ?? "").Split(',').Contains("mkl");
        Assert.SkipUnless(required, "OT_REQUIRE does not name mkl.");
        using BlasBackend backend = Open();
        Assert.Equal("blas-mkl", backend.Name);
    }

    [Fact]
    public void What_is_handed_on_stands_in_the_description()
    {
        using BlasBackend backend = Open();
        foreach (string kind in (string[])["points2", "euclidean", "doubles", "grid"])
        {
            using ICostOperator op = backend.Bind(SomeGeometry.Of(kind, 12, 15));
            Assert.StartsWith("managed", op.Description, StringComparison.Ordinal);
        }
        using ICostOperator own = backend.Bind(SomeGeometry.Of("points40", 12, 15));
        Assert.StartsWith(backend.Name, own.Description, StringComparison.Ordinal);
        using BlasBackend tabulating = Open(tableLimit: 1 << 20);
        using ICostOperator table = tabulating.Bind(tabulating.Prepare(SomeGeometry.Of("points40", 12, 15)));
        Assert.Contains($"stored costs made by {backend.Name}", table.Description, StringComparison.Ordinal);
        Assert.NotEmpty(backend.Version);
    }

    [Fact]
    public void Costs_that_are_no_products_are_refused_for_tables()
    {
        using BlasBackend backend = Open();
        Assert.Throws<NotSupportedException>(() => backend.Tabulate((PointCloud)SomeGeometry.Of("euclidean", 3, 3)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlasBackend(tableLimit: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new BlasBackend(threads: 0));
    }
}
