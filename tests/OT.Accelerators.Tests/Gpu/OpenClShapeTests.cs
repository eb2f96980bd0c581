using OT.Accelerators.Gpu.OpenCl;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu;

/// <summary>Shapes and sizes at the borders of tiles, segments and steps.</summary>
public sealed class OpenClShapeTests
{
    static readonly Precision[] Precisions = [Precision.Float64, Precision.Float32];

    public static TheoryData<Precision> Both => [.. Precisions];

    [Theory]
    [MemberData(nameof(Both))]
    public void Every_small_count_of_rows_and_columns(Precision precision)
    {
        using OpenClBackend backend = OpenCl.Open();
        foreach (string kind in (string[])["doubles", "forbidden floats", "points2", "cityblock"])
            new BackendLaws(backend, precision).SmallCounts(kind);
    }

    [Theory]
    [InlineData("points2", 5000, 3)]
    [InlineData("points7", 5, 2100)]
    [InlineData("doubles", 5000, 3)]
    [InlineData("floats", 7, 20_000)]
    [InlineData("cityblock", 3, 40_000)]
    [InlineData("forbidden", 700, 1100)]
    public void Long_rows_and_many_rows(string kind, int n, int m)
    {
        using OpenClBackend backend = OpenCl.Open();
        foreach (Precision precision in Precisions)
            new BackendLaws(backend, precision).Large(kind, n, m);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void Wild_guesses_change_nothing(Precision precision)
    {
        using OpenClBackend backend = OpenCl.Open();
        foreach (string kind in (string[])["doubles", "forbidden", "points2", "points7", "euclidean"])
            new BackendLaws(backend, precision).WildGuesses(kind);
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void Columns_and_rows_out_of_range_are_right(Precision precision)
    {
        using OpenClBackend backend = OpenCl.Open();
        new BackendLaws(backend, precision).OutOfRange();
    }

    /// <summary>Coordinates that fill a chunk, the rows that are held, or neither.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(100)]
    public void Many_coordinates(int d)
    {
        using OpenClBackend backend = OpenCl.Open();
        using var managed = new ManagedBackend(1);
        const int n = 70,
            m = 300;
        foreach (GroundCost cost in (GroundCost[])[GroundCost.SquaredEuclidean, GroundCost.Chebyshev])
        {
            foreach (Precision precision in Precisions)
            {
                var cloud = Cloud(n, m, d, cost);
                using ICostOperator op = backend.Bind(cloud, precision),
                    other = managed.Bind(cloud);
                double[] g = SomeGeometry.Draw(new SeededRandom(5), m),
                    logB = new double[m],
                    f = new double[n],
                    expected = new double[n];
                double epsilon = 0.1 * cloud.MagnitudeBound;
                op.SoftMinRows(g, logB, epsilon, f);
                other.SoftMinRows(g, logB, epsilon, expected);
                // d products are added one after another, each rounded.
                double rounding = (precision == Precision.Float64 ? 1e-15 : 1e-6) * (10 + Math.Sqrt(d));
                Approx.Equal(expected, f, rounding * cloud.MagnitudeBound, $"{cost.Name}, {precision}");
                var plan = new GibbsPlan
                {
                    F = f,
                    G = g,
                    LogA = new double[n],
                    LogB = logB,
                    Epsilon = epsilon,
                };
                double[] rows = new double[n],
                    columns = new double[m],
                    expectedRows = new double[n],
                    expectedColumns = new double[m];
                double transport = op.TransportCost(plan, rows, columns),
                    expectedTransport = other.TransportCost(plan, expectedRows, expectedColumns);
                Approx.Equal(expectedRows, rows, 1e-12, "rows");
                Approx.Equal(expectedColumns, columns, 1e-12, "columns");
                Approx.Equal(expectedTransport, transport, 1e-12 * expectedTransport, "cost");
            }
        }
    }

    /// <summary>So many pairs that sweeps are cut into steps with looks at the token between them; the same as on the managed back end.</summary>
    [Theory]
    [MemberData(nameof(Both))]
    public void Sweeps_of_several_steps(Precision precision)
    {
        using OpenClBackend backend = OpenCl.Open();
        using var managed = new ManagedBackend(1);
        int n = 1500 * Math.Max(1, Environment.ProcessorCount / 2),
            m = 20_000;
        PointCloud cloud = Cloud(n, m, 2, GroundCost.SquaredEuclidean);
        SinkhornStep step = Step(n, m, 0.1);
        double[] f = new double[n],
            g = new double[m],
            expectedF = new double[n],
            expectedG = new double[m];
        using ICostOperator op = backend.Bind(cloud, precision),
            other = managed.Bind(cloud);
        Assert.Equal(2, op.Iterate(2, step, f, g, out double error));
        other.Iterate(2, step, expectedF, expectedG, out double expectedError);
        double allowed = (precision == Precision.Float64 ? 1e-13 : 1.5e-6) * 20 * (1 + cloud.MagnitudeBound);
        Approx.Equal(expectedF, f, allowed, "f");
        Approx.Equal(expectedG, g, allowed, "g");
        Approx.Equal(expectedError, error, allowed / 0.1 * (1 + expectedError), "error");
    }

    /// <summary>Where the rounding of norms would be seen, differences take their place.</summary>
    [Theory]
    [InlineData(Precision.Float64, 1e7)]
    [InlineData(Precision.Float32, 30)]
    public void Norms_that_would_cancel_are_not_used(Precision precision, double far)
    {
        // Two heaps, far apart, each narrow beside its distance from the mean: within a heap costs are tiny beside the norms.
        using OpenClBackend backend = OpenCl.Open();
        double[] x = [-far, -far + 0.25, far, far + 0.5],
            y = [-far + 0.5, far + 0.25];
        var cloud = new PointCloud(new Matrix(4, 1, x), new Matrix(2, 1, y));
        using ICostOperator op = backend.Bind(cloud, precision);
        double[] g = [0.1, -0.2],
            b = [0.5, 0.5],
            f = new double[4];
        op.SoftMinRows(g, Array.ConvertAll(b, Math.Log), 0.05, f);
        double ulp = precision == Precision.Float64 ? Math.ScaleB(1, -52) : Math.ScaleB(1, -23);
        // A coordinate is rounded to ulp · far, a difference of 1/2 keeps all but that.
        Approx.Equal(Oracles.SoftMinRows(cloud, g, b, 0.05), f, 4 * ulp * (1 + far), "f");
    }

    /// <summary>Distances whose squares leave the range of floats, above and below.</summary>
    [Theory]
    [InlineData(1e-30)]
    [InlineData(1e25)]
    public void Units_of_length_do_not_matter(double unit)
    {
        using OpenClBackend backend = OpenCl.Open();
        foreach (GroundCost cost in (GroundCost[])[GroundCost.Euclidean, GroundCost.Minkowski(4), GroundCost.SquaredEuclidean])
        {
            PointCloud small = Cloud(9, 11, 3, cost),
                cloud = new(Scaled(small.Source, unit), Scaled(small.Target, unit), cost);
            double scale = cost == GroundCost.SquaredEuclidean ? unit * unit : unit;
            using ICostOperator op = backend.Bind(cloud, Precision.Float32);
            double[] f = new double[9],
                logB = new double[11],
                ones = [.. Enumerable.Repeat(1.0, 11)];
            op.SoftMinRows(new double[11], logB, 0.3 * scale, f);
            Approx.Equal(Oracles.SoftMinRows(cloud, new double[11], ones, 0.3 * scale), f, 1e-5 * scale, cost.Name);
        }
    }

    static Matrix Scaled(Matrix points, double unit) =>
        new(points.Rows, points.Columns, Array.ConvertAll(points.Values.ToArray(), v => v * unit));

    internal static PointCloud Cloud(int n, int m, int d, GroundCost cost)
    {
        var random = new SeededRandom(11);
        return new(new Matrix(n, d, SomeGeometry.Draw(random, n * d)), new Matrix(m, d, SomeGeometry.Draw(random, m * d)), cost);
    }

    internal static SinkhornStep Step(int n, int m, double epsilon)
    {
        double[] a = [.. Enumerable.Repeat(1.0 / n, n)],
            b = [.. Enumerable.Repeat(1.0 / m, m)];
        return new SinkhornStep
        {
            Epsilon = epsilon,
            A = a,
            B = b,
            LogA = Array.ConvertAll(a, Math.Log),
            LogB = Array.ConvertAll(b, Math.Log),
        };
    }
}
