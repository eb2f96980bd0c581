using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;
using Xunit;

namespace OT.Tests.Results;

public class LineTransformTests
{
    static readonly GroundCost[] Costs =
    [
        GroundCost.SquaredEuclidean,
        GroundCost.HalfSquaredEuclidean,
        GroundCost.Euclidean,
        GroundCost.Minkowski(3),
        GroundCost.Chebyshev.ToPower(3),
        GroundCost.SquaredEuclidean.ToPower(0.75),
    ];

    static double[] Draw(SeededRandom random, int count, int kind) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ =>
                    kind switch
                    {
                        0 => random.NextNormal(),
                        1 => random.NextInt(4),
                        2 => 1e6 + random.NextDouble(),
                        _ => Math.Pow(10, 8 * (random.NextDouble() - 0.5)),
                    }
                ),
        ];

    [Fact]
    public void Minima_are_never_above_those_over_all_pairs_and_close_to_them()
    {
        var random = new SeededRandom(5);
        for (int k = 0; k < 400; k++)
        {
            int n = 1 + random.NextInt(60),
                m = 1 + random.NextInt(60);
            GroundCost cost = Costs[k % Costs.Length];
            int kind = random.NextInt(4);
            double[] x = Draw(random, n, kind),
                y = Draw(random, m, kind);
            var cloud = new PointCloud(new Matrix(n, 1, x), new Matrix(m, 1, y), cost);
            Assert.True(LineTransform.Takes(cloud));
            double size = random.NextInt(3) == 0 ? 0 : cloud.MagnitudeBound;
            double[] potentials = [.. Enumerable.Range(0, n).Select(_ => size * random.NextNormal())];
            double[] weights = [.. Enumerable.Range(0, n).Select(i => i > 0 && random.NextInt(4) == 0 ? 0.0 : 1)];
            double[] minima = LineTransform.Minima(cost, x, potentials, weights, y, CancellationToken.None);
            double scale = cloud.MagnitudeBound + potentials.Max(Math.Abs);
            for (int j = 0; j < m; j++)
            {
                double least = double.PositiveInfinity;
                for (int i = 0; i < n; i++)
                {
                    if (weights[i] > 0)
                        least = Math.Min(least, cloud.Cost(i, j) - potentials[i]);
                }
                Assert.InRange(minima[j], least - (1e-13 * scale), least);
            }
        }
    }

    [Fact]
    public void A_certificate_of_the_line_agrees_with_that_of_all_pairs()
    {
        var random = new SeededRandom(6);
        for (int k = 0; k < 60; k++)
        {
            int n = 1 + random.NextInt(40),
                m = 1 + random.NextInt(40);
            double[] a = [.. Enumerable.Range(0, n).Select(_ => random.NextInt(4) == 0 ? 0 : random.NextDouble())],
                b = [.. Enumerable.Range(0, m).Select(_ => random.NextInt(4) == 0 ? 0 : random.NextDouble())];
            (a[0], b[0]) = (a[0] + 1, b[0] + 1);
            double ratio = a.Sum() / b.Sum();
            b = Array.ConvertAll(b, w => w * ratio);
            var cloud = new PointCloud(
                new Matrix(n, 1, Draw(random, n, k % 2)),
                new Matrix(m, 1, Draw(random, m, k % 2)),
                Costs[k % Costs.Length]
            );
            var problem = new LinearProblem(cloud, Measure.Of(a), Measure.Of(b));
            TransportResult result = new Univariate().Solve(problem);
            PlanScan Scan() =>
                new(cloud, result.Plan, CancellationToken.None)
                {
                    A = a,
                    B = b,
                    RowTargets = a,
                    G = result.Potentials!.G.ToArray(),
                    FToTransform = result.Potentials.F.ToArray(),
                };
            PlanScan line = Scan().RunOnLine(),
                pairs = Scan().RunOverPairs();
            double scale = cloud.MagnitudeBound;
            Assert.Equal(pairs.Cost, line.Cost, 1e-13 * scale * problem.A.Mass);
            Near(pairs.RowSums, line.RowSums, 1e-14);
            Near(pairs.ColumnSums, line.ColumnSums, 1e-14);
            Near(pairs.ScaledColumnSums, line.ScaledColumnSums, 1e-14);
            Near(pairs.RowScale, line.RowScale, 1e-14);
            Near(pairs.GTransform, line.GTransform, 1e-12 * scale);
            Assert.True(line.MaxCost >= pairs.MaxCost);
        }

        static void Near(double[] expected, double[] actual, double tolerance)
        {
            Assert.Equal(expected.Length, actual.Length);
            for (int i = 0; i < expected.Length; i++)
                Assert.Equal(expected[i], actual[i], tolerance);
        }
    }

    [Fact]
    public void A_hundred_thousand_points_are_certified_without_all_pairs()
    {
        var random = new SeededRandom(7);
        const int n = 100_000;
        foreach (GroundCost cost in Costs[..3])
        {
            var cloud = new PointCloud(new Matrix(n, 1, Draw(random, n, 0)), new Matrix(n - 1, 1, Draw(random, n - 1, 0)), cost);
            TransportResult result = new Univariate().Solve(new LinearProblem(cloud, Measure.Uniform(n), Measure.Uniform(n - 1)));
            Certificate certificate = result.Certify();
            Assert.InRange(certificate.Gap!.Value, 0, 1e-12 * cloud.MagnitudeBound);
            Assert.InRange(result.TransportCost, certificate.LowerBound!.Value, certificate.TransportCost);
            Assert.Equal(result.MarginalError, certificate.MarginalError, 1e-12);
        }
    }

    [Fact]
    public void Cancellation_comes_out_as_itself()
    {
        const int n = 50_000;
        var points = new Matrix(n, 1);
        Assert.Throws<OperationCanceledException>(() =>
            LineTransform.Minima(
                GroundCost.Euclidean,
                points.Values,
                new double[n],
                [.. Enumerable.Repeat(1.0, n)],
                points.Values,
                new CancellationToken(true)
            )
        );
    }
}
