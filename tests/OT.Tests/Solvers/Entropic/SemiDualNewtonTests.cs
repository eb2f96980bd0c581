using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>The direction solves Newton's system, and the solver needs it where plain iterations crawl.</summary>
public class SemiDualNewtonTests
{
    /// <summary>L d = ε (b̂ − c) with L and c from the definition, in every combination of hard and penalised marginals.</summary>
    [Theory]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(0.7, double.PositiveInfinity)]
    [InlineData(double.PositiveInfinity, 2)]
    [InlineData(0.5, 3)]
    public void The_direction_solves_its_system(double rhoA, double rhoB)
    {
        foreach (
            (string kind, int n, int m) in ((string, int, int)[])
                [("doubles", 9, 7), ("points2", 30, 25), ("forbidden", 20, 41), ("doubles", 3, 1)]
        )
        {
            const double epsilon = 0.1;
            LinearProblem problem = EntropicCase.Of(kind, n, m, epsilon, 3, zeroIn: m > 10 ? 5 : 0);
            double[] a = problem.A.Weights.ToArray(),
                b = problem.B.Weights.ToArray();
            var random = new SeededRandom(8);
            double[] g = [.. Enumerable.Range(0, m).Select(_ => 0.3 * random.NextDouble())];
            double tau = 1 / (1 + (epsilon / rhoA));
            double[] q = Transition(problem.Geometry, g, b, epsilon);
            double[] wanted = [.. b.Select((w, j) => double.IsPositiveInfinity(rhoB) ? w : w * Math.Exp(-g[j] / rhoB))];
            double[] columns = [.. Enumerable.Range(0, m).Select(j => Enumerable.Range(0, n).Sum(i => a[i] * q[(i * m) + j]))];

            var newton = new SemiDualNewton(problem.Geometry, 2, RowShare.Whole);
            var point = new SemiDualNewton.Point(
                SoftMin(problem.Geometry, g, b, epsilon),
                g,
                b,
                a,
                columns,
                wanted,
                epsilon,
                tau,
                rhoB
            );
            Assert.True(Compute(newton, point, threshold: 0));

            double[] d = newton.Direction.ToArray();
            double scale = d.Max(Math.Abs) + 1e-300;
            for (int j = 0; j < m; j++)
            {
                if (b[j] == 0)
                {
                    Assert.Equal(0, d[j]);
                    continue;
                }
                double left = (columns[j] + (epsilon * wanted[j] / rhoB)) * d[j];
                for (int k = 0; k < m; k++)
                    left -= tau * Enumerable.Range(0, n).Sum(i => a[i] * q[(i * m) + j] * q[(i * m) + k]) * d[k];
                Assert.Equal(epsilon * (wanted[j] - columns[j]), left, 1e-13 * Math.Max(scale, epsilon));
            }
        }
    }

    static bool Compute(SemiDualNewton newton, SemiDualNewton.Point point, double threshold, double damping = 0) =>
        double.IsFinite(newton.Look(point, threshold, long.MaxValue, double.PositiveInfinity, default))
        && newton.Compute(point, damping, default);

    static double[] SoftMin(Geometry geometry, double[] g, double[] b, double epsilon) =>
        [
            .. Enumerable
                .Range(0, geometry.Rows)
                .Select(i =>
                {
                    double[] terms =
                    [
                        .. Enumerable
                            .Range(0, b.Length)
                            .Where(j => b[j] > 0)
                            .Select(j => Math.Log(b[j]) + ((g[j] - geometry.Cost(i, j)) / epsilon)),
                    ];
                    double max = terms.Max();
                    return -epsilon * (max + Math.Log(terms.Sum(t => Math.Exp(t - max))));
                }),
        ];

    static double[] Transition(Geometry geometry, double[] g, double[] b, double epsilon)
    {
        int n = geometry.Rows,
            m = geometry.Columns;
        var q = new double[n * m];
        for (int i = 0; i < n; i++)
        {
            double sum = 0;
            for (int j = 0; j < m; j++)
                sum += q[(i * m) + j] = b[j] * Math.Exp((g[j] - geometry.Cost(i, j)) / epsilon);
            for (int j = 0; j < m; j++)
                q[(i * m) + j] /= sum;
        }
        return q;
    }

    /// <summary>Two pairs of bins that exchange a mass of 1e-60 only: the step between them keeps its digits.</summary>
    [Fact]
    public void Weak_couplings_keep_their_digits()
    {
        // Two rows, two columns, C = [[0, h], [h, 0]], ε = 1, g = 0: q = [[1, s], [s, 1]] / (1 + s), s = exp(−h), and with a = (1/2 + δ, 1/2 − δ), b = 1/2
        // the difference d_1 − d_0 is b_1 − c_1 = δ (1 − s) / (1 + s) divided by W_01 = s / (1 + s)².
        const double h = 138,
            delta = 0.125;
        double[] a = [0.5 + delta, 0.5 - delta],
            b = [0.5, 0.5],
            g = [0, 0];
        var costs = new CostMatrix(2, 2, [0, h, h, 0.0]);
        var newton = new SemiDualNewton(costs, 1, RowShare.Whole);
        var point = new SemiDualNewton.Point(SoftMin(costs, g, b, 1), g, b, a, a, b, 1, 1, double.PositiveInfinity);
        Assert.True(Compute(newton, point, threshold: 0));
        double s = Math.Exp(-h);
        double expected = delta * (1 - s) * (1 + s) / s;
        Assert.Equal(1, (newton.Direction[1] - newton.Direction[0]) / expected, 1e-12);
    }

    /// <summary>Many ties and a small ε: tens of thousands of first-order iterations, a few of Newton's.</summary>
    [Theory]
    [InlineData("cityblock")]
    [InlineData("chebyshev")]
    [InlineData("sqeuclidean")]
    public void Grids_with_ties_converge_at_small_epsilon(string cost)
    {
        const int side = 10;
        double[] points = [.. Enumerable.Range(0, side * side).SelectMany(k => new double[] { k / side, k % side })];
        var cloud = new Matrix(side * side, 2, points);
        GroundCost ground = cost switch
        {
            "cityblock" => GroundCost.CityBlock,
            "chebyshev" => GroundCost.Chebyshev,
            _ => GroundCost.SquaredEuclidean,
        };
        var random = new SeededRandom(4);
        Measure Weights()
        {
            double[] w = [.. Enumerable.Range(0, side * side).Select(_ => Math.Pow(random.NextDouble(), 3))];
            double sum = w.Sum();
            return Measure.Of(Array.ConvertAll(w, v => v / sum));
        }
        var problem = new LinearProblem(new PointCloud(cloud, cloud, ground), Weights(), Weights())
        {
            Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(0.0005)),
        };
        TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-11 });
        Assert.True(result.Converged, $"{result.Status} after {result.Iterations}, error {result.MarginalError:E2}");
        Assert.InRange(result.Iterations, 1, 1000);
        Certificate certificate = result.Certify();
        Assert.InRange(certificate.Gap!.Value, 0, 1e-9);
        Assert.InRange(certificate.MarginalError, 0, 1.01e-11);
    }

    [Fact]
    public void Threads_change_no_bit_and_a_stop_is_seen()
    {
        const int n = 300,
            m = 400;
        LinearProblem problem = EntropicCase.Of("points2", n, m, 0.05);
        double[] a = problem.A.Weights.ToArray(),
            b = problem.B.Weights.ToArray();
        double[] g = new double[m],
            q = Transition(problem.Geometry, g, b, 0.05),
            columns = [.. Enumerable.Range(0, m).Select(j => Enumerable.Range(0, n).Sum(i => a[i] * q[(i * m) + j]))];
        var point = new SemiDualNewton.Point(
            SoftMin(problem.Geometry, g, b, 0.05),
            g,
            b,
            a,
            columns,
            b,
            0.05,
            1,
            double.PositiveInfinity
        );
        double[]? expected = null;
        foreach (int threads in (int[])[1, 2, 5])
        {
            var newton = new SemiDualNewton(problem.Geometry, threads, RowShare.Whole);
            Assert.True(Compute(newton, point, threshold: 1e-9, damping: 1e-6));
            expected ??= newton.Direction.ToArray();
            Assert.Equal(expected, newton.Direction.ToArray());
            Assert.False(newton.Compute(point, 1e-6, new CancellationToken(true)));
            Assert.True(
                double.IsPositiveInfinity(
                    newton.Look(point, 1e-9, long.MaxValue, double.PositiveInfinity, new CancellationToken(true))
                )
            );
        }
    }
}
