using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Backends;

/// <summary>Every operation of every managed operator, at every register width and in both precisions, against loops over <see cref="Geometry.Cost"/>.</summary>
public class BackendContractTests
{
    // Doubles: a few dozen roundings of sums of exponents. Floats: exponents C/ε are rounded to 2⁻²⁴ of their size, a few times.
    const double DoubleError = 1e-13;
    const double FloatError = 1.5e-6;

    static readonly (int, int)[] Shapes = [(1, 1), (1, 7), (7, 1), (6, 9), (33, 70), (70, 33), (135, 40)];

    public static TheoryData<int, Precision, string> Everything
    {
        get
        {
            var data = new TheoryData<int, Precision, string>();
            foreach (int width in (int[])[512, 256, 128, 0])
            {
                foreach (Precision precision in Enum.GetValues<Precision>())
                {
                    foreach (string kind in SomeGeometry.All)
                        data.Add(width, precision, kind);
                }
            }
            return data;
        }
    }

    internal static ManagedBackend Open(int width, int threads = 2)
    {
        Assert.SkipUnless(Simd.Width >= width, $"This processor has registers of {Simd.Width} bits only.");
        return new ManagedBackend(threads, null, width);
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Soft_and_hard_minima_are_those_of_the_definition(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        foreach ((int n, int m) in Shapes)
        {
            var s = new Setting(SomeGeometry.Of(kind, n, m), 4);
            using ICostOperator op = backend.Bind(s.Geometry, precision);
            foreach (double epsilon in (double[])[0, 0.05, 2])
            {
                double error = s.Error(precision, epsilon);
                var f = new double[n];
                var g = new double[m];
                op.SoftMinRows(s.G, s.LogB, epsilon, f);
                Approx.Equal(Oracles.SoftMinRows(s.Geometry, s.G, s.B, epsilon), f, error, $"f, {n} x {m}, epsilon {epsilon}");
                op.SoftMinColumns(s.F, s.LogA, epsilon, g);
                Approx.Equal(Oracles.SoftMinColumns(s.Geometry, s.F, s.A, epsilon), g, error, $"g, {n} x {m}, epsilon {epsilon}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Iterations_are_those_of_the_definition(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        foreach ((int n, int m) in Shapes)
        {
            foreach (
                (double tauA, double tauB, double omega) in ((double, double, double)[])
                    [(1, 1, 1), (0.9, 0.7, 1), (1, 1, 1.6), (0.8, 1, 1.3)]
            )
            {
                var s = new Setting(SomeGeometry.Of(kind, n, m), 4);
                using ICostOperator op = backend.Bind(s.Geometry, precision);
                SinkhornStep step = s.Step(0.1, tauA, tauB, omega);
                double[] f = [.. s.F],
                    g = [.. s.G],
                    expectedF = [.. s.F],
                    expectedG = [.. s.G];
                int made = op.Iterate(3, step, f, g, out double error);
                double expectedError = Naive.Iterate(s.Geometry, 3, step, expectedF, expectedG);
                string what = $"{n} x {m}, tau {tauA} and {tauB}, omega {omega}";
                // Three iterations, each with relaxed half steps, hand errors on with a factor of at most 1 + 2(ω − 1) each.
                double allowed = 20 * s.Error(precision, 0.1);
                // An error of exactly 0 ends iterations early.
                Assert.True(made == 3 || error == 0);
                Assert.False(op.Interrupted);
                Approx.Equal(expectedF, f, allowed, $"f, {what}");
                Approx.Equal(expectedG, g, allowed, $"g, {what}");
                Approx.Equal(expectedError, error, allowed / 0.1 * (1 + expectedError), $"error, {what}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public void Plans_are_those_of_the_definition(int width, Precision precision, string kind)
    {
        using ManagedBackend backend = Open(width);
        foreach ((int n, int m) in Shapes)
        {
            var s = new Setting(SomeGeometry.Of(kind, n, m), 4);
            using ICostOperator op = backend.Bind(s.Geometry, precision);
            double[,] plan = Naive.Plan(s.Geometry, s.F, s.G, s.A, s.B, 0.1);
            var gibbs = new GibbsPlan
            {
                F = s.F,
                G = s.G,
                LogA = s.LogA,
                LogB = s.LogB,
                Epsilon = 0.1,
            };
            var random = new SeededRandom(9);
            double[] v = Array.ConvertAll(SomeGeometry.Draw(random, 3 * m), x => x - 0.5),
                u = Array.ConvertAll(SomeGeometry.Draw(random, 2 * n), x => x - 0.5);
            var pv = new double[3 * n];
            var pu = new double[2 * m];
            op.ApplyPlan(gibbs, v, pv);
            op.ApplyPlan(gibbs, u, pu, transpose: true);
            double[] expectedPv = new double[3 * n],
                expectedPu = new double[2 * m],
                rows = new double[n],
                columns = new double[m],
                expectedRows = new double[n],
                expectedColumns = new double[m];
            double expectedCost = 0,
                scale = 0;
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < m; j++)
                {
                    for (int k = 0; k < 3; k++)
                        expectedPv[(k * n) + i] += plan[i, j] * v[(k * m) + j];
                    for (int k = 0; k < 2; k++)
                        expectedPu[(k * m) + j] += plan[i, j] * u[(k * n) + i];
                    expectedRows[i] += plan[i, j];
                    expectedColumns[j] += plan[i, j];
                    if (plan[i, j] > 0)
                        expectedCost += plan[i, j] * s.Geometry.Cost(i, j);
                    scale += plan[i, j];
                }
            }
            double cost = op.TransportCost(gibbs, rows, columns);
            // Plans are always made in doubles; an exponent (f + g − C)/ε of a few dozen loses as many roundings.
            double allowed = 1e-13 * (1 + (s.Scale / 0.1)) * scale;
            Approx.Equal(expectedPv, pv, allowed, $"P v, {n} x {m}");
            Approx.Equal(expectedPu, pu, allowed, $"transposed P u, {n} x {m}");
            Approx.Equal(expectedRows, rows, allowed, $"P 1, {n} x {m}");
            Approx.Equal(expectedColumns, columns, allowed, $"transposed P 1, {n} x {m}");
            Approx.Equal(expectedCost, cost, allowed * s.Scale, $"cost, {n} x {m}");
            for (int i = 0; i < n; i++)
            {
                Assert.True(s.A[i] > 0 || rows[i] == 0);
                var block = new double[m];
                op.CostRows(i, 1, block);
                for (int j = 0; j < m; j++)
                    Approx.Equal(s.Geometry.Cost(i, j), block[j], 1e-14 * s.Scale, "CostRows");
            }
            var two = new double[2 * m];
            op.CostRows(Math.Max(n - 2, 0), Math.Min(2, n), two);
            Approx.Equal(s.Geometry.Cost(n - 1, m - 1), two[(Math.Min(2, n) * m) - 1], 1e-14 * s.Scale, "last of CostRows");
        }
    }

    /// <summary>Every remainder of rows in a group and of columns in a register.</summary>
    [Theory]
    [InlineData(512)]
    [InlineData(256)]
    [InlineData(128)]
    [InlineData(0)]
    public void Every_small_count_of_rows_and_columns(int width)
    {
        using ManagedBackend backend = Open(width, 1);
        foreach (string kind in (string[])["doubles", "floats", "forbidden", "points2", "points7", "cityblock", "grid"])
        {
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                for (int k = 1; k <= 70; k++)
                {
                    foreach ((int n, int m) in ((int, int)[])[(3, k), (k, 5)])
                    {
                        var s = new Setting(SomeGeometry.Of(kind, n, m, (ulong)k), 5);
                        SinkhornStep step = s.Step(0.2);
                        using ICostOperator op = backend.Bind(s.Geometry, precision);
                        double[] f = [.. s.F],
                            g = [.. s.G],
                            expectedF = [.. s.F],
                            expectedG = [.. s.G];
                        op.Iterate(1, step, f, g, out double error);
                        double expectedError = Naive.Iterate(s.Geometry, 1, step, expectedF, expectedG);
                        double allowed = 4 * s.Error(precision, 0.2);
                        Approx.Equal(expectedF, f, allowed, $"f, {kind}, {precision}, {n} x {m}");
                        Approx.Equal(expectedG, g, allowed, $"g, {kind}, {precision}, {n} x {m}");
                        Approx.Equal(expectedError, error, allowed / 0.2 * (1 + expectedError), $"error, {kind}, {n} x {m}");
                    }
                }
            }
        }
    }

    /// <summary>Several tiles and reduction blocks of columns, several chunks and flushes of rows, small groups of long rows.</summary>
    [Theory]
    [InlineData("points2", 5000, 3)]
    [InlineData("doubles", 5000, 3)]
    [InlineData("points3", 5, 2100)]
    [InlineData("points7", 5, 1030)]
    [InlineData("floats", 7, 3000)]
    [InlineData("doubles", 7, 20_000)]
    [InlineData("cityblock", 3, 40_000)]
    [InlineData("grid", 600, 900)]
    public void Long_rows_and_many_rows(string kind, int n, int m)
    {
        foreach (int width in (int[])[512, 256])
        {
            if (width > Simd.Width)
                continue;
            using ManagedBackend backend = Open(width);
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                var s = new Setting(SomeGeometry.Of(kind, n, m), 10);
                SinkhornStep step = s.Step(0.1, 0.9, 1, 1.2);
                using ICostOperator op = backend.Bind(s.Geometry, precision);
                double[] f = [.. s.F],
                    g = [.. s.G],
                    expectedF = [.. s.F],
                    expectedG = [.. s.G];
                op.Iterate(2, step, f, g, out double error);
                double expectedError = Naive.Iterate(s.Geometry, 2, step, expectedF, expectedG);
                double allowed = 20 * s.Error(precision, 0.1);
                Approx.Equal(expectedF, f, allowed, "f");
                Approx.Equal(expectedG, g, allowed, "g");
                Approx.Equal(expectedError, error, allowed / 0.1 * (1 + expectedError), "error");
            }
        }
    }

    /// <summary>The f that comes in is a guess: with ω = 1 no value of it changes the answer, though row sums under it overflow or vanish.</summary>
    [Theory]
    [InlineData(512)]
    [InlineData(256)]
    [InlineData(128)]
    [InlineData(0)]
    public void Wild_guesses_change_nothing(int width)
    {
        using ManagedBackend backend = Open(width);
        foreach (string kind in (string[])["doubles", "forbidden", "points2", "points7", "euclidean", "grid"])
        {
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                foreach (double guess in (double[])[0, 1e3, -1e3, 1e5, -1e5])
                {
                    var s = new Setting(SomeGeometry.Of(kind, 37, 41), 5);
                    SinkhornStep step = s.Step(0.1);
                    using ICostOperator op = backend.Bind(s.Geometry, precision);
                    double[] f = Enumerable.Range(0, 37).Select(i => i % 3 == 0 ? guess * 0.1 : 0).ToArray(),
                        g = [.. s.G],
                        expectedF = [.. f],
                        expectedG = [.. s.G];
                    op.Iterate(1, step, f, g, out double error);
                    double expectedError = Naive.Iterate(s.Geometry, 1, step, expectedF, expectedG);
                    double allowed = 4 * s.Error(precision, 0.1);
                    Approx.Equal(expectedF, f, allowed, $"f, {kind}, {precision}, guess {guess}");
                    Approx.Equal(expectedG, g, allowed, $"g, {kind}, {precision}, guess {guess}");
                    Approx.Equal(
                        expectedError,
                        error,
                        allowed / 0.1 * (1 + expectedError),
                        $"error, {kind}, {precision}, guess {guess}"
                    );
                }
            }
        }
    }

    /// <summary>Columns that nobody reaches within the range of numbers, rows whose nearest column is thousands of ε away, weights near the smallest number.</summary>
    [Theory]
    [InlineData(512)]
    [InlineData(256)]
    [InlineData(128)]
    [InlineData(0)]
    public void Columns_and_rows_out_of_range_are_repaired(int width)
    {
        using ManagedBackend backend = Open(width);
        foreach (Precision precision in Enum.GetValues<Precision>())
        {
            const int n = 39,
                m = 45;
            var random = new SeededRandom(3);
            double[] costs = SomeGeometry.Draw(random, n * m);
            for (int i = 0; i < n; i++)
            {
                costs[(i * m) + 4] += 900; // 9000 ε from everywhere
                costs[(i * m) + 40] += 300;
            }
            for (int j = 0; j < m; j++)
                costs[(11 * m) + j] += 500;
            double[] x = SomeGeometry.Draw(random, n),
                y = SomeGeometry.Draw(random, m);
            (x[3], y[4], y[5]) = (-20, 30, 15);
            foreach (
                Geometry geometry in (Geometry[])
                    [new CostMatrix(n, m, costs), new PointCloud(new Matrix(n, 1, x), new Matrix(m, 1, y))]
            )
            {
                var s = new Setting(geometry, 6);
                double[] a = [.. s.A];
                a[1] = 1e-300;
                SinkhornStep step = s.Step(0.1) with { A = a, LogA = Array.ConvertAll(a, Math.Log) };
                using ICostOperator op = backend.Bind(geometry, precision);
                double[] f = new double[n],
                    g = new double[m],
                    expectedF = new double[n],
                    expectedG = new double[m];
                op.Iterate(3, step, f, g, out double error);
                double expectedError = Naive.Iterate(geometry, 3, step, expectedF, expectedG);
                double allowed = 20 * s.Error(precision, 0.1);
                Approx.Equal(expectedF, f, allowed, $"f, {geometry.GetType().Name}, {precision}");
                Approx.Equal(expectedG, g, allowed, $"g, {geometry.GetType().Name}, {precision}");
                Approx.Equal(
                    expectedError,
                    error,
                    allowed / 0.1 * (1 + expectedError),
                    $"error, {geometry.GetType().Name}, {precision}"
                );
            }
        }
    }

    /// <summary>A problem with weights, zeros among them, and potentials; the first weights are positive.</summary>
    sealed class Setting
    {
        public Setting(Geometry geometry, int zeroIn)
        {
            Geometry = geometry;
            var random = new SeededRandom(77);
            A = SomeGeometry.Weights(random, geometry.Rows, zeroIn);
            B = SomeGeometry.Weights(random, geometry.Columns, zeroIn);
            F = Array.ConvertAll(SomeGeometry.Draw(random, geometry.Rows), v => v - 0.5);
            G = Array.ConvertAll(SomeGeometry.Draw(random, geometry.Columns), v => v - 0.5);
            (LogA, LogB) = (Array.ConvertAll(A, Math.Log), Array.ConvertAll(B, Math.Log));
            Scale = Approx.CostScale(geometry);
        }

        public Geometry Geometry { get; }
        public double[] A { get; }
        public double[] B { get; }
        public double[] F { get; }
        public double[] G { get; }
        public double[] LogA { get; }
        public double[] LogB { get; }
        public double Scale { get; }

        public SinkhornStep Step(double epsilon, double tauA = 1, double tauB = 1, double omega = 1) =>
            new()
            {
                Epsilon = epsilon,
                A = A,
                B = B,
                LogA = LogA,
                LogB = LogB,
                TauA = tauA,
                TauB = tauB,
                Relaxation = omega,
            };

        /// <summary>Allowed error of a potential.</summary>
        public double Error(Precision precision, double epsilon) =>
            (precision == Precision.Float64 ? DoubleError : FloatError) * (1 + Scale + (10 * epsilon));
    }
}
