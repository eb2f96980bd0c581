using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>Starts that save iterations and change no answer.</summary>
public class StartingPotentialsTests
{
    /// <summary>Normal points of a random covariance and mean.</summary>
    static Matrix Cloud(int n, int d, ulong seed)
    {
        var random = new SeededRandom(seed);
        double[] mixing = [.. Enumerable.Range(0, d * d).Select(_ => random.NextNormal())];
        double[] mean = [.. Enumerable.Range(0, d).Select(_ => 3 * random.NextNormal())];
        var points = new double[n, d];
        for (int i = 0; i < n; i++)
        {
            double[] z = [.. Enumerable.Range(0, d).Select(_ => random.NextNormal())];
            for (int k = 0; k < d; k++)
                points[i, k] = mean[k] + Enumerable.Range(0, d).Sum(l => mixing[(k * d) + l] * z[l]);
        }
        return Matrix.From(points);
    }

    static LinearProblem On(Matrix x, Matrix y, double epsilon, GroundCost? cost = null) =>
        new(new PointCloud(x, y, cost), Measure.Uniform(x.Rows), Measure.Uniform(y.Rows))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
        };

    /// <summary>
    /// Under <c>y = m + M x</c>, M symmetric and positive, the empirical moments are those of Gaussians that M joins, so the formula gives the exact potentials: feasible, and tight
    /// on the pairs (x_i, y_i).
    /// </summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(3, false)]
    [InlineData(3, true)]
    public void Gaussian_potentials_are_exact_under_linear_maps(int d, bool half)
    {
        const int n = 40;
        GroundCost cost = half ? GroundCost.HalfSquaredEuclidean : GroundCost.SquaredEuclidean;
        Matrix x = Cloud(n, d, 5);
        var random = new SeededRandom(9);
        double[] r = [.. Enumerable.Range(0, d * d).Select(_ => random.NextNormal())];
        var y = new double[n, d];
        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k < d; k++)
            {
                y[i, k] = 7 + k + (0.1 * x[i, k]);
                for (int l = 0; l < d; l++)
                    y[i, k] += Enumerable.Range(0, d).Sum(q => r[(k * d) + q] * r[(l * d) + q]) * x[i, l]; // R Rᵀ x
            }
        }
        LinearProblem problem = On(x, Matrix.From(y), 0.1, cost);
        Potentials p = StartingPotentials.Gaussian(problem);
        double scale = Approx.CostScale(problem.Geometry);
        for (int i = 0; i < n; i++)
        {
            Assert.Equal(problem.Geometry.Cost(i, i), p.F[i] + p.G[i], 1e-11 * scale);
            for (int j = 0; j < n; j++)
                Assert.True(p.F[i] + p.G[j] <= problem.Geometry.Cost(i, j) + (1e-11 * scale));
        }
        Assert.Equal(Summation.Dot(problem.A.Weights, p.F), Summation.Dot(problem.B.Weights, p.G), 1e-11 * scale);
    }

    /// <summary>Clouds on a line, a point, one point: directions without extent.</summary>
    [Fact]
    public void Gaussian_takes_clouds_without_extent()
    {
        Matrix line = Matrix.From([
            [0, 0, 1],
            [1, 2, 1],
            [2, 4, 1],
            [5, 10, 1],
        ]);
        Matrix point = Matrix.From([
            [3, 1, 2],
            [3, 1, 2],
        ]);
        Matrix full = Cloud(30, 3, 4);
        foreach (
            (Matrix x, Matrix y) in ((Matrix, Matrix)[])
                [(line, full), (full, line), (line, line), (point, full), (full, point), (point, point), (point, line)]
        )
        {
            LinearProblem problem = On(x, y, 1);
            Potentials p = StartingPotentials.Gaussian(problem);
            TransportResult plain = problem.Solve(EntropicCase.Tight),
                started = new Sinkhorn(EntropicCase.Tight).Solve(problem, p);
            Assert.True(started.Converged);
            Assert.Equal(plain.Value, started.Value, 1e-9 * Math.Max(1, Math.Abs(plain.Value)));
        }
        // All of the mass at one point: C itself is the answer.
        Potentials one = StartingPotentials.Gaussian(On(point, full, 1));
        for (int j = 0; j < full.Rows; j++)
            Assert.Equal(On(point, full, 1).Geometry.Cost(0, j), one.F[0] + one.G[j], 1e-10);
    }

    /// <summary>The sorted potentials are feasible, and tight on the pairs of equal rank, for every convex cost.</summary>
    [Fact]
    public void Sorting_is_exact() =>
        Law.Check(
            Cases.Of(12, CaseKind.Plain, CaseKind.Duplicates),
            c =>
            {
                var random = new SeededRandom(c.Seed);
                Matrix Line() =>
                    new(
                        c.Rows,
                        1,
                        [
                            .. Enumerable
                                .Range(0, c.Rows)
                                .Select(_ => c.Kind == CaseKind.Plain ? random.NextNormal() : random.NextInt(4)),
                        ]
                    );
                GroundCost[] costs = [GroundCost.SquaredEuclidean, GroundCost.Euclidean, GroundCost.Euclidean.ToPower(1.5)];
                foreach (GroundCost cost in costs)
                {
                    LinearProblem problem = On(Line(), Line(), 0.1, cost);
                    Potentials p = StartingPotentials.Sorting(problem);
                    double scale = Approx.CostScale(problem.Geometry),
                        dual = Summation.Dot(problem.A.Weights, p.F) + Summation.Dot(problem.B.Weights, p.G);
                    double optimum = new Univariate().Solve(problem with { Regularizer = Regularizer.None }).TransportCost;
                    Assert.Equal(optimum, dual, 1e-13 * c.Rows * scale);
                    for (int i = 0; i < c.Rows; i++)
                    {
                        for (int j = 0; j < c.Rows; j++)
                            Assert.True(p.F[i] + p.G[j] <= problem.Geometry.Cost(i, j) + (1e-13 * c.Rows * scale));
                    }
                }
            },
            60,
            1000
        );

    /// <summary>With all bins drawn, the start is the solution up to the tolerance of the sample.</summary>
    [Fact]
    public void A_subsample_of_everything_is_the_solution()
    {
        foreach (int zeroIn in (int[])[0, 4])
        {
            LinearProblem problem = EntropicCase.Of("points2", 25, 30, 0.1, zeroIn: zeroIn);
            TransportResult solved = problem.Solve(EntropicCase.Tight);
            Potentials p = StartingPotentials.Subsample(problem, 30, seed: 1);
            // The potentials of an L1 error of 1e-3 are off by ε 1e-3 over the smallest weight.
            Approx.Equal(solved.Potentials!.F, p.F, 0.02, "f");
            Approx.Equal(solved.Potentials.G, p.G, 0.02, "g");
        }
    }

    /// <summary>No start moves the optimum, whatever the penalties.</summary>
    [Fact]
    public void The_optimum_stays()
    {
        Matrix x = Cloud(60, 2, 1),
            y = Cloud(50, 2, 2);
        LinearProblem balanced = On(x, y, 2);
        foreach (
            LinearProblem problem in (LinearProblem[])
                [balanced, balanced.Penalised(5, 8), balanced.Bounded(4, 6), balanced.Bounded(4, double.PositiveInfinity)]
        )
        {
            TransportResult plain = problem.Solve(EntropicCase.Tight);
            foreach (
                Potentials start in (Potentials[])
                    [
                        StartingPotentials.Gaussian(problem),
                        StartingPotentials.Subsample(problem, 1, 3),
                        StartingPotentials.Subsample(problem, 20, 4),
                    ]
            )
            {
                TransportResult started = new Sinkhorn(EntropicCase.Tight).Solve(problem, start);
                Assert.True(started.Converged);
                Assert.Equal(plain.Value, started.Value, 1e-9);
            }
        }
    }

    /// <summary>Plain iterations from a good start are far fewer than from zeros.</summary>
    [Fact]
    public void Good_starts_save_iterations()
    {
        int Iterations(LinearProblem problem, Potentials? start)
        {
            var sinkhorn = new Sinkhorn(
                new()
                {
                    Acceleration = Acceleration.None,
                    Schedule = EpsilonSchedule.None,
                    MaxIterations = 100_000,
                    CheckEvery = 1,
                    Tolerance = 1e-2,
                }
            );
            TransportResult result = start is null ? sinkhorn.Solve(problem) : sinkhorn.Solve(problem, start);
            Assert.True(result.Converged);
            return result.Iterations;
        }
        LinearProblem normal = On(Cloud(400, 2, 1), Cloud(300, 2, 2), 0.5);
        int cold = Iterations(normal, null);
        Assert.InRange(Iterations(normal, StartingPotentials.Gaussian(normal)), 1, cold / 2);
        Assert.InRange(Iterations(normal, StartingPotentials.Subsample(normal, 150, 5)), 1, cold / 2);

        var random = new SeededRandom(3);
        Matrix Line(double power) => new(200, 1, [.. Enumerable.Range(0, 200).Select(_ => Math.Pow(random.NextDouble(), power))]);
        LinearProblem line = On(Line(1), Line(3), 1e-4);
        Assert.InRange(Iterations(line, StartingPotentials.Sorting(line)), 1, Iterations(line, null) / 2);
    }

    [Fact]
    public void Other_problems_are_refused()
    {
        LinearProblem matrix = EntropicCase.Of("doubles", 5, 5),
            distance = EntropicCase.Of("cityblock", 5, 5),
            line = On(new Matrix(3, 1, [1, 2, 3]), new Matrix(4, 1, [1, 2, 3, 4]), 1);
        foreach (LinearProblem problem in (LinearProblem[])[matrix, distance])
            Assert.Throws<ArgumentException>(() => StartingPotentials.Gaussian(problem));
        var uneven = new LinearProblem(
            new PointCloud(new Matrix(2, 1, [1, 2]), new Matrix(2, 1, [1, 2])),
            Measure.Of([0.3, 0.7]),
            Measure.Uniform(2)
        );
        LinearProblem concave = On(new Matrix(2, 1, [1, 2]), new Matrix(2, 1, [1, 2]), 1, GroundCost.Euclidean.ToPower(0.5));
        foreach (LinearProblem problem in (LinearProblem[])[matrix, line, uneven, concave])
            Assert.Throws<ArgumentException>(() => StartingPotentials.Sorting(problem));

        Assert.Throws<ArgumentOutOfRangeException>(() => StartingPotentials.Subsample(matrix, 0, 1));
        LinearProblem[] unfit =
        [
            matrix with
            {
                Regularizer = Regularizer.None,
            },
            EntropicCase.Of("forbidden", 5, 5),
            matrix.WithTarget(matrix.B.Scale(2)),
        ];
        foreach (LinearProblem problem in unfit)
            Assert.Throws<ArgumentException>(() => StartingPotentials.Subsample(problem, 3, 1));
    }
}
