using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Backends;

/// <summary>Plans and hard minima of points in many dimensions, whose costs come from dot products where those lose nothing, beside plain loops.</summary>
public class BlockedPlansTests
{
    /// <summary>Points of which some repeat, in clusters that far apart.</summary>
    static PointCloud Cloud(int rows, int columns, int dimension, double apart, double scale)
    {
        var random = new SeededRandom(11);
        Matrix Points(int count)
        {
            var points = new double[count * dimension];
            for (int i = 0; i < count; i++)
            {
                for (int k = 0; k < dimension; k++)
                    points[(i * dimension) + k] = scale * (random.NextNormal() + (k == 0 && i % 3 == 0 ? apart : 0));
            }
            return new Matrix(count, dimension, points);
        }
        Matrix x = Points(rows);
        double[] y = Points(columns).Values.ToArray();
        x.Values[..(dimension * Math.Min(rows, columns) / 2)].CopyTo(y);
        return new PointCloud(x, new Matrix(columns, dimension, y));
    }

    [Theory]
    [InlineData(1, 1, 8, 0, 1)]
    [InlineData(1, 130, 9, 0, 1)]
    [InlineData(67, 1, 8, 5, 1)]
    [InlineData(37, 1100, 16, 0, 1)]
    [InlineData(150, 90, 17, 1e6, 1)]
    [InlineData(40, 70, 64, 1e3, 1e-100)]
    [InlineData(40, 70, 12, 3, 1e120)]
    [InlineData(20, 30, 10, 3, 1e-145)]
    public void Are_those_of_plain_loops(int n, int m, int dimension, double apart, double scale)
    {
        PointCloud cloud = Cloud(n, m, dimension, apart, scale);
        var random = new SeededRandom(12);
        double epsilon = Math.Max(0.2 * cloud.MeanCost, double.Epsilon),
            unit = cloud.MagnitudeBound;
        double[] f = [.. Enumerable.Range(0, n).Select(_ => 0.1 * epsilon * random.NextNormal())],
            g = [.. Enumerable.Range(0, m).Select(_ => 0.1 * epsilon * random.NextNormal())],
            logA = [.. Enumerable.Repeat(-Math.Log(n), n)],
            logB = [.. Enumerable.Repeat(-Math.Log(m), m)];
        if (m > 3)
            logB[2] = double.NegativeInfinity;
        var plan = new GibbsPlan
        {
            F = f,
            G = g,
            LogA = logA,
            LogB = logB,
            Epsilon = epsilon,
        };
        double[] vector = [.. Enumerable.Range(0, 2 * m).Select(_ => random.NextNormal())],
            other = [.. Enumerable.Range(0, n).Select(_ => random.NextNormal())],
            products = new double[2 * n],
            transposed = new double[m],
            rows = new double[n],
            columns = new double[m],
            minima = new double[n];
        foreach (Precision precision in (Precision[])[Precision.Float64, Precision.Float32])
        {
            using var backend = new ManagedBackend(2);
            using ICostOperator op = backend.Bind(cloud, precision);
            op.ApplyPlan(plan, vector, products);
            op.ApplyPlan(plan, other, transposed, transpose: true);
            double cost = op.TransportCost(plan, rows, columns);
            op.SoftMinRows(g, logB, 0, minima);

            double[] wantedTransposed = new double[m],
                wantedColumns = new double[m];
            double wantedCost = 0;
            for (int i = 0; i < n; i++)
            {
                double sum = 0,
                    first = 0,
                    second = 0,
                    least = double.PositiveInfinity;
                for (int j = 0; j < m; j++)
                {
                    double c = cloud.Cost(i, j),
                        p = Math.Exp(((f[i] - c + g[j]) / epsilon) + logA[i] + logB[j]);
                    sum += p;
                    first += p * vector[j];
                    second += p * vector[m + j];
                    wantedTransposed[j] += p * other[i];
                    wantedColumns[j] += p;
                    wantedCost += p * c;
                    least = double.IsFinite(logB[j]) ? Math.Min(least, c - g[j]) : least;
                }
                Approx.Equal(sum, rows[i], 1e-11 * sum, "row sum");
                Approx.Equal(first, products[i], 1e-11, "P v");
                Approx.Equal(second, products[n + i], 1e-11, "P w");
                Approx.Equal(least, minima[i], 1e-13 * (Math.Abs(least) + epsilon), "minimum");
            }
            for (int j = 0; j < m; j++)
            {
                Approx.Equal(wantedTransposed[j], transposed[j], 1e-11, "transposed");
                Approx.Equal(wantedColumns[j], columns[j], 1e-11, "column sum");
            }
            Approx.Equal(wantedCost, cost, 1e-11 * Math.Max(wantedCost, epsilon), "cost");
            Assert.True(double.IsFinite(unit));
        }
    }

    /// <summary>Where norms cancel, the costs of points close by are those of differences.</summary>
    [Fact]
    public void Equal_points_far_out_are_at_distance_0()
    {
        PointCloud cloud = Cloud(30, 60, 16, 1e7, 1);
        using var backend = new ManagedBackend(1);
        using ICostOperator op = backend.Bind(cloud);
        var minima = new double[30];
        op.SoftMinRows(new double[60], new double[60], 0, minima);
        Assert.Equal(new double[15], minima[..15]);
    }

    /// <summary>Operators of both directions, their costs, and the differences that serve where dot products do not resolve ε.</summary>
    [Theory]
    [InlineData(5000, 300, 40, Precision.Float64)]
    [InlineData(5000, 300, 40, Precision.Float32)]
    [InlineData(300, 9000, 8, Precision.Float64)]
    [InlineData(300, 9000, 8, Precision.Float32)]
    public void All_that_is_ever_kept_was_estimated(int n, int m, int dimension, Precision precision)
    {
        PointCloud cloud = Cloud(n, m, dimension, 0, 1);
        cloud.CostRow(0, new double[m]); // what it keeps is the geometry's own
        using var backend = new ManagedBackend(1);
        double[] f = new double[n],
            g = new double[m],
            rows = new double[n],
            columns = new double[m];
        double[] logA = [.. Enumerable.Repeat(-Math.Log(n), n)],
            logB = [.. Enumerable.Repeat(-Math.Log(m), m)];
        long before = GC.GetAllocatedBytesForCurrentThread();
        using ICostOperator op = backend.Bind(cloud, precision);
        UseAll();
        long first = GC.GetAllocatedBytesForCurrentThread();
        UseAll();
        long again = GC.GetAllocatedBytesForCurrentThread() - first,
            kept = first - before - again,
            estimate = backend.EstimateBytes(cloud, precision);
        // Buffers that start at a place of their own take up to a page more each.
        Assert.True(kept <= estimate + (40 * 4096), $"{kept:N0} bytes kept, {estimate:N0} estimated");

        void UseAll()
        {
            foreach (double share in (double[])[1, 1e-15])
            {
                var plan = new GibbsPlan
                {
                    F = f,
                    G = g,
                    LogA = logA,
                    LogB = logB,
                    Epsilon = share * cloud.MagnitudeBound,
                };
                op.SoftMinRows(g, logB, plan.Epsilon, rows);
                op.SoftMinColumns(f, logA, plan.Epsilon, columns);
                op.TransportCost(plan, rows, columns);
                op.ApplyPlan(plan, rows, columns, transpose: true);
                var step = new SinkhornStep
                {
                    A = rows,
                    B = columns,
                    LogA = logA,
                    LogB = logB,
                    Epsilon = plan.Epsilon,
                };
                op.Iterate(1, step, [.. f], [.. g], out _);
            }
        }
    }
}
