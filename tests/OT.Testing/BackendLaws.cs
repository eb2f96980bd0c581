using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Testing;

/// <summary>What every back end owes: each operation of an operator, in one precision, against loops over <see cref="Geometry.Cost"/>.</summary>
/// <remarks>
/// <see cref="Rounding"/> is what a back end publishes: the error of a potential, relative to the size of the costs. Its default is that of the managed back end: in doubles a few dozen
/// roundings of sums of exponents, in floats a few roundings of exponents C/ε to 2⁻²⁴ of their size.
/// </remarks>
/// <param name="backend">The back end on trial; the caller disposes it.</param>
/// <param name="precision">What it is asked to stream in.</param>
public sealed class BackendLaws(IBackend backend, Precision precision)
{
    static readonly (int, int)[] Shapes = [(1, 1), (1, 7), (7, 1), (6, 9), (33, 70), (70, 33), (135, 40)];

    /// <summary>Error of a potential, relative to <c>1 + max|C| + 10 ε</c>: 1e-13 in doubles and 1.5e-6 in floats.</summary>
    public double Rounding { get; init; } = precision == Precision.Float64 ? 1e-13 : 1.5e-6;

    /// <summary>Error of the entries of a plan, relative to <c>(1 + max|C|/ε)</c> and the plan's mass; 1e-13, plans being made in doubles whatever is streamed.</summary>
    public double PlanRounding { get; init; } = 1e-13;

    /// <summary>Soft and hard minima of rows and columns, for a kind of <see cref="SomeGeometry"/>.</summary>
    public void Minima(string kind)
    {
        foreach ((int n, int m) in Shapes)
        {
            var s = new Setting(SomeGeometry.Of(kind, n, m), 4);
            using ICostOperator op = backend.Bind(s.Geometry, precision);
            foreach (double epsilon in (double[])[0, 0.05, 2])
            {
                double error = Error(s, epsilon);
                var f = new double[n];
                var g = new double[m];
                string what = $"{kind}, {n} x {m}, epsilon {epsilon}";
                op.SoftMinRows(s.G, s.LogB, epsilon, f);
                Approx.Equal(Oracles.SoftMinRows(s.Geometry, s.G, s.B, epsilon), f, error, $"f, {what}");
                op.SoftMinColumns(s.F, s.LogA, epsilon, g);
                Approx.Equal(Oracles.SoftMinColumns(s.Geometry, s.F, s.A, epsilon), g, error, $"g, {what}");
            }
        }
    }

    /// <summary>Three iterations with hard, penalised and bounded marginals, relaxed or not.</summary>
    public void Iterations(string kind)
    {
        foreach ((int n, int m) in Shapes)
        {
            foreach (
                (double tauA, double tauB, double omega, double bound) in ((double, double, double, double)[])
                    [(1, 1, 1, 0), (0.9, 0.7, 1, 0), (1, 1, 1.6, 0), (0.8, 1, 1.3, 0), (1, 1, 1, 0.3), (1, 1, 1.4, 0.2)]
            )
            {
                var s = new Setting(SomeGeometry.Of(kind, n, m), 4);
                SinkhornStep step = s.Step(0.1, tauA, tauB, omega);
                if (bound > 0)
                    step = step with { BoundA = bound, BoundB = 2 * bound };
                // Each with relaxed half steps, iterations hand errors on with a factor of at most 1 + 2(ω − 1) each.
                Iterated(s, 3, step, s.F, s.G, 20, $"{kind}, {n} x {m}, tau {tauA} and {tauB}, omega {omega}, bound {bound}");
            }
        }
    }

    /// <summary>Products with the plan, its marginals and cost, rows of C.</summary>
    public void Plans(string kind)
    {
        ArgumentNullException.ThrowIfNull(kind);
        foreach ((int n, int m) in Shapes)
        {
            var s = new Setting(SomeGeometry.Of(kind, n, m), 4);
            using ICostOperator op = backend.Bind(s.Geometry, precision);
            double[,] plan = Naive.Plan(s.Geometry, s.F, s.G, s.A, s.B, 0.1);
            GibbsPlan gibbs = s.Plan(0.1);
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
            // An exponent (f + g − C)/ε of a few dozen loses as many roundings.
            double allowed = PlanRounding * (1 + (s.Scale / 0.1)) * scale;
            Approx.Equal(expectedPv, pv, allowed, $"P v, {n} x {m}");
            Approx.Equal(expectedPu, pu, allowed, $"transposed P u, {n} x {m}");
            Approx.Equal(expectedRows, rows, allowed, $"P 1, {n} x {m}");
            Approx.Equal(expectedColumns, columns, allowed, $"transposed P 1, {n} x {m}");
            Approx.Equal(expectedCost, cost, allowed * s.Scale, $"cost, {n} x {m}");
            for (int i = 0; i < n; i++)
            {
                Approx.True(s.A[i] > 0 || rows[i] == 0, $"row {i} of weight 0 has mass {rows[i]}");
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

    /// <summary>Every remainder of rows in a group and of columns in a register: shapes 3 × k and k × 5 up to k = 70.</summary>
    public void SmallCounts(string kind)
    {
        for (int k = 1; k <= 70; k++)
        {
            foreach ((int n, int m) in ((int, int)[])[(3, k), (k, 5)])
            {
                var s = new Setting(SomeGeometry.Of(kind, n, m, (ulong)k), 5);
                Iterated(s, 1, s.Step(0.2), s.F, s.G, 4, $"{kind}, {n} x {m}");
            }
        }
    }

    /// <summary>Two iterations of a shape large enough for several tiles of columns and several chunks of rows.</summary>
    public void Large(string kind, int n, int m)
    {
        var s = new Setting(SomeGeometry.Of(kind, n, m), 10);
        Iterated(s, 2, s.Step(0.1, 0.9, 1, 1.2), s.F, s.G, 20, $"{kind}, {n} x {m}");
    }

    /// <summary>The f that comes in is a guess: with ω = 1 no value of it changes the answer, though row sums under it overflow or vanish.</summary>
    public void WildGuesses(string kind)
    {
        foreach (double guess in (double[])[0, 1e3, -1e3, 1e5, -1e5])
        {
            var s = new Setting(SomeGeometry.Of(kind, 37, 41), 5);
            double[] f = [.. Enumerable.Range(0, 37).Select(i => i % 3 == 0 ? guess * 0.1 : 0)];
            Iterated(s, 1, s.Step(0.1), f, s.G, 4, $"{kind}, guess {guess}");
        }
    }

    /// <summary>Columns that nobody reaches within the range of numbers, rows whose nearest column is thousands of ε away, weights near the smallest number.</summary>
    public void OutOfRange()
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
            Iterated(s, 3, step, new double[n], new double[m], 20, geometry.GetType().Name);
        }
    }

    /// <summary>The same operation twice, on the same operator and on a fresh one, gives the same bits.</summary>
    public void Repeats(string kind, int n, int m)
    {
        var s = new Setting(SomeGeometry.Of(kind, n, m), 6);
        using ICostOperator first = backend.Bind(s.Geometry, precision);
        long[] once = Bits(first, s),
            twice = Bits(first, s);
        using ICostOperator second = backend.Bind(s.Geometry, precision);
        long[] fresh = Bits(second, s);
        Approx.True(once.AsSpan().SequenceEqual(twice), $"{kind}: the same operator gives other bits the second time");
        Approx.True(once.AsSpan().SequenceEqual(fresh), $"{kind}: a second operator gives other bits");
    }

    /// <summary>The bits of everything an operator computes, for comparisons between thread counts.</summary>
    public static long[] Bits(ICostOperator op, Geometry geometry)
    {
        ArgumentNullException.ThrowIfNull(op);
        ArgumentNullException.ThrowIfNull(geometry);
        return Bits(op, new Setting(geometry, 6));
    }

    /// <summary>A cancelled operator says so after every operation, and leaves iterates as they were.</summary>
    public void Cancellation(string kind)
    {
        var s = new Setting(SomeGeometry.Of(kind, 40, 50), 6);
        SinkhornStep step = s.Step(0.1);
        double[] f = [.. s.F],
            g = [.. s.G];
        (string, Action<ICostOperator>)[] operations =
        [
            ("SoftMinRows", op => op.SoftMinRows(s.G, s.LogB, 0.1, new double[40])),
            ("SoftMinColumns", op => op.SoftMinColumns(s.F, s.LogA, 0.1, new double[50])),
            ("hard minima of rows", op => op.SoftMinRows(s.G, s.LogB, 0, new double[40])),
            ("hard minima of columns", op => op.SoftMinColumns(s.F, s.LogA, 0, new double[50])),
            (
                "Iterate",
                op => Approx.True(op.Iterate(3, step, f, g, out double e) == 0 && double.IsNaN(e), "iterations were made")
            ),
            ("TransportCost", op => op.TransportCost(s.Plan(0.1), new double[40], new double[50])),
            ("ApplyPlan", op => op.ApplyPlan(s.Plan(0.1), s.G, new double[40])),
            ("transposed ApplyPlan", op => op.ApplyPlan(s.Plan(0.1), s.F, new double[50], transpose: true)),
        ];
        foreach ((string name, Action<ICostOperator> operation) in operations)
        {
            using var source = new CancellationTokenSource();
            using ICostOperator op = backend.Bind(s.Geometry, precision, source.Token);
            Approx.True(!op.Interrupted, $"{name} is interrupted before it starts");
            source.Cancel();
            operation(op);
            Approx.True(op.Interrupted, $"{name} does not say that it was interrupted");
        }
        Approx.Equal(s.F, f, 0, "f after a cancelled iteration");
        Approx.Equal(s.G, g, 0, "g after a cancelled iteration");
    }

    static long[] Bits(ICostOperator op, Setting s)
    {
        int n = s.F.Length,
            m = s.G.Length;
        double[] f = [.. s.F],
            g = [.. s.G];
        op.Iterate(3, s.Step(0.1, 0.9), f, g, out double error);
        double mass = op.PlanMass;
        double[] rows = new double[n],
            columns = new double[m],
            soft = new double[n],
            softColumns = new double[m],
            hard = new double[n],
            hardColumns = new double[m],
            applied = new double[n],
            transposed = new double[m];
        double cost = op.TransportCost(s.Plan(0.1), rows, columns);
        op.SoftMinRows(s.G, s.LogB, 0.1, soft);
        op.SoftMinColumns(s.F, s.LogA, 0.1, softColumns);
        op.SoftMinRows(s.G, s.LogB, 0, hard);
        op.SoftMinColumns(s.F, s.LogA, 0, hardColumns);
        op.ApplyPlan(s.Plan(0.1), s.G, applied);
        op.ApplyPlan(s.Plan(0.1), s.F, transposed, transpose: true);
        double[][] all = [f, g, [error, mass, cost], rows, columns, soft, softColumns, hard, hardColumns, applied, transposed];
        return [.. all.SelectMany(v => v).Select(BitConverter.DoubleToInt64Bits)];
    }

    /// <summary>Iterates beside the naive loops; the potentials may be off by so many roundings.</summary>
    void Iterated(Setting s, int count, SinkhornStep step, double[] startF, double[] startG, double roundings, string what)
    {
        using ICostOperator op = backend.Bind(s.Geometry, precision);
        double[] f = [.. startF],
            g = [.. startG],
            expectedF = [.. startF],
            expectedG = [.. startG];
        int made = op.Iterate(count, step, f, g, out double error);
        double expectedError = Naive.Iterate(s.Geometry, count, step, expectedF, expectedG);
        double allowed = roundings * Error(s, step.Epsilon);
        // An error of exactly 0 ends iterations early.
        Approx.True(made == count || error == 0, $"{what}: {made} iterations made of {count}");
        Approx.True(!op.Interrupted, $"{what}: interrupted by nobody");
        Approx.Equal(expectedF, f, allowed, $"f, {what}");
        Approx.Equal(expectedG, g, allowed, $"g, {what}");
        // At a bound, a potential on either side of it counts other misses.
        if (double.IsPositiveInfinity(step.BoundA))
            Approx.Equal(expectedError, error, allowed / step.Epsilon * (1 + expectedError), $"error, {what}");
        else
            Approx.True(double.IsFinite(error) && error >= 0, $"error {error}, {what}");
    }

    double Error(Setting s, double epsilon) => Rounding * (1 + s.Scale + (10 * epsilon));

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

        public GibbsPlan Plan(double epsilon) =>
            new()
            {
                F = F,
                G = G,
                LogA = LogA,
                LogB = LogB,
                Epsilon = epsilon,
            };
    }
}
