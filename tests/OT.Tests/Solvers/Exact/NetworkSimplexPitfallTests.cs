using System.Diagnostics;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Exact;
using Xunit;

namespace OT.Tests.Solvers.Exact;

/// <summary>What users of other libraries ran into, each under its name.</summary>
public class NetworkSimplexPitfallTests
{
    static TransportResult Solve(LinearProblem problem) => new NetworkSimplex().Solve(problem);

    [Fact]
    public void ZeroWeightDuals()
    {
        var random = new SeededRandom(2);
        var costs = new double[6, 7];
        foreach ((int i, int j) in from i in Enumerable.Range(0, 6) from j in Enumerable.Range(0, 7) select (i, j))
            costs[i, j] = random.NextDouble();
        // Row 2 and column 3 carry nothing, and may ship only to and from few others.
        for (int j = 1; j < 7; j++)
            costs[2, j] = double.PositiveInfinity;
        var problem = new LinearProblem(
            new CostMatrix(costs),
            Measure.Of([.2, .3, 0, .1, .4, 0]),
            Measure.Of([.1, .2, 0, 0, .3, .2, .2])
        );
        TransportResult result = Solve(problem);
        Optimal.Check(result);
        var row = new double[7];
        result.Plan.Row(2, row);
        Assert.All(row, mass => Assert.Equal(0, mass));
    }

    [Fact]
    public void A_point_without_mass_and_without_a_pair_is_harmless()
    {
        double x = double.PositiveInfinity;
        var costs = new CostMatrix(
            new[,]
            {
                { 1, 2, x },
                { x, x, x },
                { 3, 1, x },
            }
        );
        Optimal.Check(Solve(new LinearProblem(costs, Measure.Of([.5, 0, .5]), Measure.Of([.25, .75, 0]))));
    }

    [Fact]
    public void Feasible5x960()
    {
        var random = new SeededRandom(190);
        double[] weights = [.. Enumerable.Range(0, 960).Select(_ => random.NextDouble())];
        double mass = weights.Sum();
        var cost = new double[5 * 960];
        for (int k = 0; k < cost.Length; k++)
            cost[k] = random.NextDouble();
        var problem = new LinearProblem(
            new CostMatrix(5, 960, cost),
            Measure.Of([.2, .2, .2, .2, .2]),
            Measure.Of(Array.ConvertAll(weights, w => w / mass))
        );
        Optimal.Check(Solve(problem));
    }

    [Fact]
    public void Float32SoftmaxMass()
    {
        var random = new SeededRandom(126);
        float[] Softmax(int n)
        {
            float[] e = [.. Enumerable.Range(0, n).Select(_ => MathF.Exp((float)random.NextNormal()))];
            float sum = 0;
            foreach (float value in e)
                sum += value;
            return Array.ConvertAll(e, value => value / sum);
        }
        var points = new Matrix(400, 2, [.. Enumerable.Range(0, 800).Select(_ => random.NextNormal())]);
        Measure a = Measure.Of(Softmax(400)),
            b = Measure.Of(Softmax(400));
        Assert.NotEqual(a.Mass, b.Mass);
        TransportResult result = Solve(new LinearProblem(new PointCloud(points, points), a, b));
        Optimal.Check(result);
        Assert.Contains("multiplied by", result.Message);
    }

    [Fact]
    public void MixedPrecisionMarginals()
    {
        float[] single = [.1f, .2f, .3f, .4f];
        var problem = new LinearProblem(
            new CostMatrix(
                new[,]
                {
                    { 0.0, 1, 2, 3 },
                    { 1, 0, 1, 2 },
                    { 2, 1, 0, 1 },
                    { 3, 2, 1, 0 },
                }
            ),
            Measure.Of(single),
            Measure.Of([.4, .3, .2, .1])
        );
        // Moving .3 by three and .1 by one place; the float weights are .1f and so on, 1e-8 off.
        Assert.Equal(1, Optimal.Check(Solve(problem)), 1e-7);
    }

    [Fact]
    public void MassMismatchInfeasible()
    {
        var problem = new LinearProblem(
            new CostMatrix(
                new[,]
                {
                    { 1.0, 2 },
                    { 3, 4 },
                }
            ),
            Measure.Of([.5, .5]),
            Measure.Of([.5, .6])
        );
        TransportResult result = Solve(problem);
        Assert.Equal(SolverStatus.Infeasible, result.Status);
        Assert.Contains("1.1", result.Message);
        Assert.Throws<InvalidOperationException>(result.EnsureConverged);
    }

    [Fact]
    public void Cost1e32()
    {
        // Each cost of 1e32 stands for a forbidden pair: the optimum is that of the problem without them, to the last digits.
        for (ulong seed = 0; seed < 60; seed++)
        {
            var random = new SeededRandom(seed);
            int n = 3 + random.NextInt(12);
            int[] allowed = random.NextPermutation(n);
            var huge = new double[n, n];
            var forbidden = new double[n, n];
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    bool open = allowed[i] == j || random.NextInt(3) == 0;
                    double c = random.NextDouble();
                    (huge[i, j], forbidden[i, j]) = open ? (c, c) : (1e32, double.PositiveInfinity);
                }
            }
            Measure uniform = Measure.Uniform(n);
            double expected = Optimal.Check(Solve(new LinearProblem(new CostMatrix(forbidden), uniform, uniform)));
            var problem = new LinearProblem(new CostMatrix(huge), uniform, uniform);
            TransportResult result = Solve(problem);
            Assert.Equal(expected, Optimal.Check(result), 1e-14 * n);
            Assert.Equal(expected, Optimal.Check(new Assignment().Solve(problem)), 1e-14 * n);
            // Huge costs leave the potentials' digits alone.
            double dual =
                Summation.Dot(uniform.Weights, result.Potentials!.F) + Summation.Dot(uniform.Weights, result.Potentials.G);
            Assert.Equal(expected, dual, 1e-14 * n);
        }
    }

    [Fact]
    public void A_cost_of_1e32_that_is_needed_is_paid()
    {
        var costs = new CostMatrix(
            new[,]
            {
                { 1e32, 1e32, 1e32 },
                { 1, 2, 3 },
                { 2, 1, 3 },
            }
        );
        var problem = new LinearProblem(costs, Measure.Uniform(3), Measure.Uniform(3));
        Assert.Equal(1e32 / 3, Optimal.Check(Solve(problem)), 1e18);
    }

    [Fact]
    public void IntegerCostPlan()
    {
        var problem = new LinearProblem(
            new CostMatrix(
                new[,]
                {
                    { 0.0, 1 },
                    { 1, 0 },
                }
            ),
            Measure.Of([.5, .5]),
            Measure.Of([.25, .75])
        );
        TransportResult result = Solve(problem);
        Assert.Equal(.25, Optimal.Check(result));
        Assert.Equal([.25, .25, 0, .5], result.Plan.ToDense().Values.ToArray());
    }

    [Fact]
    public void Infeasible_listed_pairs_name_rows_and_amount()
    {
        // Rows 1 and 3 reach only column 0.
        var costs = new SparseCost(SparseMatrix.FromTriples(4, 3, [0, 0, 1, 2, 2, 3], [1, 2, 0, 1, 2, 0], [1, 1, 1, 1, 1, 1]));
        var problem = new LinearProblem(costs, Measure.Of([.1, .3, .2, .4]), Measure.Of([.5, .25, .25]));
        TransportResult result = Solve(problem);
        Assert.Equal(SolverStatus.Infeasible, result.Status);
        Assert.Contains("rows 1, 3", result.Message);
        Assert.Contains("column 0", result.Message);
        Assert.Contains("0.2 of the mass", result.Message);
    }

    [Fact]
    public void Random_forbidden_pairs_are_called_infeasible_exactly_when_no_matching_exists()
    {
        int infeasible = 0;
        for (ulong seed = 0; seed < 300; seed++)
        {
            var random = new SeededRandom(seed);
            int n = 2 + random.NextInt(5);
            var costs = new double[n, n];
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < n; j++)
                    costs[i, j] = random.NextInt(2) == 0 ? double.PositiveInfinity : random.NextInt(3);
            }
            var problem = new LinearProblem(new CostMatrix(costs), Measure.Uniform(n), Measure.Uniform(n));
            double expected = Optimal.BestPermutation(problem.Geometry) / n;
            foreach (TransportResult result in (ReadOnlySpan<TransportResult>)[Solve(problem), new Assignment().Solve(problem)])
            {
                if (double.IsPositiveInfinity(expected))
                {
                    Assert.Equal(SolverStatus.Infeasible, result.Status);
                    Assert.Contains("No plan exists", result.Message);
                    infeasible++;
                }
                else
                {
                    Assert.Equal(expected, Optimal.Check(result, $"seed {seed}"), 1e-14);
                }
            }
        }
        Assert.InRange(infeasible, 100, 500);
    }

    [Fact]
    public void Listed_pairs_and_infinite_costs_mean_the_same()
    {
        int solved = 0;
        for (ulong seed = 0; seed < 200; seed++)
        {
            LinearProblem dense = new ExactCase(8 + (int)(seed % 9), 11, (Masses)(seed % 4), Costs.Forbidden, seed).Problem();
            (List<int> rows, List<int> columns, List<double> costs) = ([], [], []);
            for (int i = 0; i < dense.Geometry.Rows; i++)
            {
                for (int j = 0; j < dense.Geometry.Columns; j++)
                {
                    if (!double.IsFinite(dense.Geometry.Cost(i, j)))
                        continue;
                    rows.Add(i);
                    columns.Add(j);
                    costs.Add(dense.Geometry.Cost(i, j));
                }
            }
            SparseMatrix listed = SparseMatrix.FromTriples(dense.Geometry.Rows, 11, [.. rows], [.. columns], [.. costs]);
            TransportResult expected = Solve(dense),
                actual = Solve(new LinearProblem(new SparseCost(listed), dense.A, dense.B));
            Assert.Equal(expected.Status, actual.Status);
            if (!expected.Converged)
                continue;
            Assert.Equal(Optimal.Check(expected), Optimal.Check(actual), 1e-13 * dense.A.Mass);
            solved++;
        }
        Assert.True(solved > 150, $"{solved}");
    }

    [Fact]
    public void Blocks_that_never_meet_are_solved_apart()
    {
        // Two blocks, each balanced up to rounding (.1 + .2 against .3): nothing but rounding links them.
        double x = double.PositiveInfinity;
        var costs = new CostMatrix(
            new[,]
            {
                { 1, x, x },
                { 2, x, x },
                { x, 5, 7 },
                { x, 6, 1 },
            }
        );
        var problem = new LinearProblem(costs, Measure.Of([.1, .2, .3, .4]), Measure.Of([.3, .3, .4]));
        Assert.Equal(.1 + .4 + 1.5 + .4, Optimal.Check(Solve(problem)), 1e-14);
    }

    static PointCloud Cloud(int n)
    {
        var random = new SeededRandom(5);
        Matrix Points() => new(n, 2, [.. Enumerable.Range(0, 2 * n).Select(_ => random.NextNormal())]);
        return new PointCloud(Points(), Points());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    public void An_iteration_limit_leaves_a_feasible_plan_and_a_true_lower_bound(int pivots)
    {
        var problem = new LinearProblem(Cloud(60), Measure.Uniform(60), Measure.Uniform(60));
        TransportResult result = new NetworkSimplex(new() { MaxIterations = pivots }).Solve(problem);
        double optimum = Optimal.Check(Solve(problem));
        Assert.Equal(SolverStatus.IterationLimit, result.Status);
        Assert.Equal(pivots, result.Iterations);
        Assert.InRange(result.MarginalError, 0, 1e-15 * 120);
        Assert.True(result.TransportCost >= optimum);
        double dual =
            Summation.Dot(problem.A.Weights, result.Potentials!.F) + Summation.Dot(problem.B.Weights, result.Potentials.G);
        Assert.True(dual <= optimum + (1e-15 * optimum));
    }

    [Fact]
    public void A_time_limit_of_zero_stops_with_a_feasible_plan()
    {
        var problem = new LinearProblem(Cloud(400), Measure.Uniform(400), Measure.Uniform(400));
        TransportResult result = new NetworkSimplex(new() { TimeLimit = TimeSpan.Zero }).Solve(problem);
        Assert.Equal(SolverStatus.TimeLimit, result.Status);
        Assert.InRange(result.MarginalError, 0, 1e-15 * 800);
    }

    [Fact]
    public void CancelWithinBound()
    {
        var problem = new LinearProblem(Cloud(4000), Measure.Uniform(4000), Measure.Uniform(4000));
        using var source = new CancellationTokenSource();
        var watch = new Stopwatch();
        // Cancelled from inside, in the middle of the pivots, so that no race decides the outcome.
        var options = new ExactOptions
        {
            TableBytes = 0,
            Progress = new Reaction(progress =>
            {
                if (progress.Iteration == 0 || source.IsCancellationRequested)
                    return;
                watch.Start();
                source.Cancel();
            }),
        };
        TransportResult result = new NetworkSimplex(options).Solve(problem, source.Token);
        Assert.Equal(SolverStatus.Cancelled, result.Status);
        // Half a second is the promise at the command line; four times that bears a crowded test machine.
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 2);
        Assert.InRange(result.MarginalError, 0, 1e-15 * 8000);
    }

    [Fact]
    public void Progress_is_reported_and_counts_up()
    {
        var reports = new List<SolverProgress>();
        var options = new ExactOptions { Progress = new Reaction(reports.Add) };
        TransportResult result = new NetworkSimplex(options).Solve(
            new LinearProblem(Cloud(300), Measure.Uniform(300), Measure.Uniform(300))
        );
        Assert.NotEmpty(reports);
        Assert.True(reports[^1].Iteration <= result.Iterations);
        Assert.Throws<ArgumentOutOfRangeException>(() => new NetworkSimplex(new() { MaxIterations = -1 }));
    }

    [Fact]
    public void Costs_whose_sums_overflow_are_refused()
    {
        var problem = new LinearProblem(
            new CostMatrix(
                new[,]
                {
                    { 1e305, 1 },
                }
            ),
            Measure.Of([1.0]),
            Measure.Of([.5, .5])
        );
        Assert.Contains("scale", Assert.Throws<ArgumentException>(() => Solve(problem)).Message);
    }

    [Fact]
    public void A_cost_beyond_the_range_is_named()
    {
        var problem = new LinearProblem(
            new CostMatrix(2, 3, [1, 2, double.PositiveInfinity, 3, 1e301, 4.0]),
            Measure.Uniform(2),
            Measure.Uniform(3)
        );
        Assert.Contains("row 1 and column 1", Assert.Throws<ArgumentException>(() => Solve(problem)).Message);
    }

    sealed class Reaction(Action<SolverProgress> react) : IProgress<SolverProgress>
    {
        public void Report(SolverProgress value) => react(value);
    }

    /// <summary>Outliers at 1e8 beside weights of 1e-17: the rounding of potentials makes arcs look better than they are, and no pivot may follow them for ever.</summary>
    [Fact]
    public void Rounding_beside_outliers_does_not_cycle()
    {
        double[] x =

            [
                0.4860289844153584,
                0.04578823970900301,
                100000000,
                0.5916576877197519,
                0.41550564831844794,
                0.18310199453639892,
                0.6886453659686471,
                0.7663253377034912,
                100000000,
                0.9856922398254705,
                0.45016761284795015,
                0.6630607264410056,
                100000000,
                0.09227707893228022,
                0.7478571798409601,
                0.9708725926330651,
                0.9644063091671123,
            ],
            y =

            [
                0.4078119189514834,
                0.42720549759790555,
                0.8556121032944005,
                0.5052821866726885,
                0.31847363306138365,
                0.41863047118234936,
                0.23238941292855395,
                0.7134895653992377,
            ],
            a =

            [
                0.008919722577950179,
                8.91972257795018E-14,
                0.891972257795018,
                8.919722577950179E-06,
                0.0891972257795018,
                8.91972257795018E-15,
                8.91972257795018E-17,
                0.008919722577950179,
                8.919722577950179E-07,
                8.91972257795018E-05,
                8.91972257795018E-17,
                8.91972257795018E-13,
                8.91972257795018E-13,
                8.91972257795018E-08,
                8.91972257795018E-14,
                8.919722577950179E-10,
                0.000891972257795018,
            ],
            b =

            [
                0.06428949382970892,
                0.01456933811417673,
                0.27764398000973006,
                0.007308676227575646,
                0.06211305530741043,
                0.19076481186232216,
                0.14078066951747803,
                0.24252997513159802,
            ];
        var problem = new LinearProblem(
            new PointCloud(new Matrix(x.Length, 1, x), new Matrix(y.Length, 1, y), GroundCost.Euclidean),
            Measure.Of(a),
            Measure.Of(b)
        );
        TransportResult result = new NetworkSimplex(new ExactOptions { MaxIterations = 100_000 }).Solve(problem);
        Assert.True(result.Converged, $"{result.Status} after {result.Iterations}");
        Assert.Equal(1, result.TransportCost / new Univariate().Solve(problem).TransportCost, 1e-12);
    }
}
