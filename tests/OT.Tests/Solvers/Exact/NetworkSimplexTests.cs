using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;
using Xunit;

namespace OT.Tests.Solvers.Exact;

public class NetworkSimplexTests
{
    static TransportResult Solve(LinearProblem problem) => new NetworkSimplex().Solve(problem);

    static LinearProblem Uniform(Geometry geometry) =>
        new(geometry, Measure.Uniform(geometry.Rows), Measure.Uniform(geometry.Columns));

    /// <summary>The optimality conditions are checked in full on every case, so no reference is needed.</summary>
    [Theory]
    [InlineData(4, 1500)]
    [InlineData(12, 800)]
    [InlineData(40, 120)]
    public void Random_and_hostile_problems_meet_the_optimality_conditions(int largest, int count)
    {
        var random = new SeededRandom(7);
        int feasible = 0;
        for (int k = 0; k < count; k++)
        {
            ExactCase drawn = ExactCase.Drawn(random, largest);
            TransportResult result = Solve(drawn.Problem());
            if (drawn.Costs == Costs.Forbidden && result.Status == SolverStatus.Infeasible)
            {
                Assert.NotEmpty(result.Message);
                continue;
            }
            Optimal.Check(result, drawn.ToString());
            feasible++;
        }
        Assert.True(feasible > count * 8 / 10);
    }

    [Trait("Effort", "full")]
    [Fact]
    public void Ten_thousand_cases_meet_the_optimality_conditions()
    {
        var random = new SeededRandom(11);
        for (int k = 0; k < 10_000; k++)
        {
            ExactCase drawn = ExactCase.Drawn(random, 30);
            TransportResult result = Solve(drawn.Problem());
            if (drawn.Costs != Costs.Forbidden || result.Status != SolverStatus.Infeasible)
                Optimal.Check(result, drawn.ToString());
        }
    }

    [Fact]
    public void Permutations_by_brute_force_agree()
    {
        for (int n = 1; n <= 7; n++)
        {
            foreach (Costs kind in (ReadOnlySpan<Costs>)[Costs.Cloud, Costs.Random, Costs.Ties, Costs.Negative])
            {
                LinearProblem problem = new ExactCase(n, n, Masses.Uniform, kind, (ulong)n).Problem();
                double expected = Optimal.BestPermutation(problem.Geometry) / n;
                Assert.Equal(expected, Optimal.Check(Solve(problem)), 1e-14 * n * Optimal.MaxCost(problem));
            }
        }
    }

    [Fact]
    public void Golden_instance()
    {
        var costs = new CostMatrix(
            new[,]
            {
                { .1, .2, .3 },
                { .2, .3, .4 },
                { .4, .3, .2 },
                { .3, .2, .1 },
                { .5, .5, .4 },
            }
        );
        var problem = new LinearProblem(costs, Measure.Of([.3, .4, .1, .1, .1]), Measure.Of([.4, .5, .1]));
        Assert.Equal(0.23, Optimal.Check(Solve(problem)), 1e-15);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 9)]
    [InlineData(9, 1)]
    public void One_point_on_a_side_ships_everything(int n, int m)
    {
        LinearProblem problem = new ExactCase(n, m, Masses.Random, Costs.Cloud, 3).Problem();
        double expected = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
                expected += problem.A.Weights[i] * problem.B.Weights[j] * problem.Geometry.Cost(i, j);
        }
        Assert.Equal(expected, Optimal.Check(Solve(problem)), 1e-14 * expected);
    }

    [Fact]
    public void Value_is_invariant_under_permutation_and_transposition()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            LinearProblem problem = new ExactCase(13, 17, Masses.Random, Costs.Random, seed).Problem();
            double value = Optimal.Check(Solve(problem));
            var random = new SeededRandom(seed);
            int[] rows = random.NextPermutation(13),
                columns = random.NextPermutation(17);
            var permuted = new double[13, 17];
            var transposed = new double[17, 13];
            for (int i = 0; i < 13; i++)
            {
                for (int j = 0; j < 17; j++)
                {
                    permuted[i, j] = problem.Geometry.Cost(rows[i], columns[j]);
                    transposed[j, i] = problem.Geometry.Cost(i, j);
                }
            }
            Measure a = Measure.Of(Array.ConvertAll(rows, i => problem.A.Weights[i])),
                b = Measure.Of(Array.ConvertAll(columns, j => problem.B.Weights[j]));
            TransportResult moved = Solve(new LinearProblem(new CostMatrix(permuted), a, b));
            Assert.Equal(value, Optimal.Check(moved), 1e-14 * (13 + 17));
            // Random costs have one optimal plan, so the plan moves along.
            Matrix plan = Solve(problem).Plan.ToDense(),
                movedPlan = moved.Plan.ToDense();
            for (int i = 0; i < 13; i++)
            {
                for (int j = 0; j < 17; j++)
                    Assert.Equal(plan[rows[i], columns[j]], movedPlan[i, j], 1e-14);
            }
            TransportResult mirrored = Solve(new LinearProblem(new CostMatrix(transposed), problem.B, problem.A));
            Assert.Equal(value, Optimal.Check(mirrored), 1e-14 * (13 + 17));
        }
    }

    [Fact]
    public void Row_and_column_shifts_and_scales_shift_and_scale_the_value()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            LinearProblem problem = new ExactCase(11, 8, Masses.Random, Costs.Random, seed).Problem();
            double value = Optimal.Check(Solve(problem));
            var random = new SeededRandom(seed + 100);
            double[] u = [.. Enumerable.Range(0, 11).Select(_ => random.NextNormal())],
                v = [.. Enumerable.Range(0, 8).Select(_ => random.NextNormal())];
            var shifted = new double[11, 8];
            var scaled = new double[11, 8];
            for (int i = 0; i < 11; i++)
            {
                for (int j = 0; j < 8; j++)
                {
                    shifted[i, j] = problem.Geometry.Cost(i, j) + u[i] + v[j];
                    scaled[i, j] = problem.Geometry.Cost(i, j) * 3e-200;
                }
            }
            double shift = Summation.Dot(problem.A.Weights, u) + Summation.Dot(problem.B.Weights, v);
            Assert.Equal(
                value + shift,
                Optimal.Check(Solve(new LinearProblem(new CostMatrix(shifted), problem.A, problem.B))),
                1e-13
            );
            double scaledValue = Optimal.Check(
                Solve(new LinearProblem(new CostMatrix(scaled), problem.A.Scale(7), problem.B.Scale(7)))
            );
            Assert.Equal(value * 21, scaledValue * 1e200, 1e-13);
        }
    }

    [Fact]
    public void Merging_identical_points_does_not_change_the_value()
    {
        LinearProblem problem = new ExactCase(9, 12, Masses.Random, Costs.Duplicates, 5).Problem();
        var cloud = (PointCloud)problem.Geometry;
        (Measure a, Matrix x) = Merged(cloud.Source, problem.A);
        (Measure b, Matrix y) = Merged(cloud.Target, problem.B);
        Assert.True(a.Count <= 4);
        double merged = Optimal.Check(Solve(new LinearProblem(new PointCloud(x, y), a, b)));
        Assert.Equal(Optimal.Check(Solve(problem)), merged, 1e-14);

        static (Measure, Matrix) Merged(Matrix points, Measure measure)
        {
            var weights = new Dictionary<(double, double), double>();
            for (int i = 0; i < points.Rows; i++)
            {
                (double, double) key = (points[i, 0], points[i, 1]);
                weights[key] = weights.GetValueOrDefault(key) + measure.Weights[i];
            }
            double[][] rows = [.. weights.Keys.Select(k => new[] { k.Item1, k.Item2 })];
            return (Measure.Of([.. weights.Values]), Matrix.From(rows));
        }
    }

    [Fact]
    public void A_cloud_is_at_distance_zero_from_itself_and_the_triangle_inequality_holds()
    {
        var random = new SeededRandom(9);
        Matrix Cloud() => new(15, 2, [.. Enumerable.Range(0, 30).Select(_ => random.NextNormal())]);
        double W(Matrix x, Matrix y) => Optimal.Check(Solve(Uniform(new PointCloud(x, y, GroundCost.Euclidean))));
        Matrix u = Cloud(),
            v = Cloud(),
            w = Cloud();
        Assert.Equal(0, W(u, u));
        Assert.True(W(u, w) <= W(u, v) + W(v, w));
    }

    [Fact]
    public void Evaluated_tabulated_float_and_listed_costs_agree()
    {
        LinearProblem cloud = new ExactCase(60, 45, Masses.Random, Costs.Cloud, 21).Problem();
        double expected = Optimal.Check(Solve(cloud));
        TransportResult lazy = new NetworkSimplex(new() { TableBytes = 0 }).Solve(cloud);
        Assert.Equal(expected, Optimal.Check(lazy), 1e-14 * expected);

        CostMatrix table = CostMatrix.From(cloud.Geometry);
        Assert.Equal(expected, Optimal.Check(Solve(new LinearProblem(table, cloud.A, cloud.B))), 1e-14 * expected);
        int[] rows = [.. Enumerable.Range(0, 60 * 45).Select(k => k / 45)],
            columns = [.. Enumerable.Range(0, 60 * 45).Select(k => k % 45)];
        double[] values = [.. rows.Zip(columns, table.Cost)];
        var listed = new SparseCost(SparseMatrix.FromTriples(60, 45, rows, columns, values));
        Assert.Equal(expected, Optimal.Check(Solve(new LinearProblem(listed, cloud.A, cloud.B))), 1e-14 * expected);
        var single = new CostMatrix(60, 45, Array.ConvertAll(values, c => (float)c));
        // Costs rounded to floats move the value by no more than their own rounding.
        Assert.Equal(expected, Optimal.Check(Solve(new LinearProblem(single, cloud.A, cloud.B))), 6e-8 * Optimal.MaxCost(cloud));
    }

    [Fact]
    public void Warm_start_of_any_quality_keeps_the_optimum_and_a_good_one_saves_pivots()
    {
        LinearProblem problem = new ExactCase(80, 90, Masses.Random, Costs.Cloud, 4).Problem();
        TransportResult cold = Solve(problem);
        double expected = Optimal.Check(cold);
        TransportResult warm = new NetworkSimplex().Solve(problem, cold.Potentials!);
        Assert.Equal(expected, Optimal.Check(warm), 1e-14 * expected);
        Assert.True(warm.Iterations < cold.Iterations, $"{warm.Iterations} against {cold.Iterations}");
        var random = new SeededRandom(1);
        double[] f = [.. Enumerable.Range(0, 80).Select(_ => 1e6 * random.NextNormal())];
        TransportResult astray = new NetworkSimplex().Solve(problem, new Potentials(f, new double[90]));
        Assert.Equal(expected, Optimal.Check(astray), 1e-14 * expected);
        Assert.Throws<ArgumentException>(() => new NetworkSimplex().Solve(problem, new Potentials(f, new double[3])));
    }

    [Fact]
    public void PlanValueEqualsReported()
    {
        LinearProblem problem = new ExactCase(30, 20, Masses.Random, Costs.Cloud, 8).Problem();
        TransportResult result = Solve(problem);
        Compensated sum = default;
        Matrix plan = result.Plan.ToDense();
        for (int i = 0; i < 30; i++)
        {
            for (int j = 0; j < 20; j++)
                sum.Add(plan[i, j] * problem.Geometry.Cost(i, j));
        }
        Assert.Equal(sum.Value, result.Value, 4e-16 * sum.Value);
        Assert.Equal(result.TransportCost, result.Value);
    }

    [Fact]
    public void Unsupported_problems_name_a_solver_that_can()
    {
        LinearProblem plain = new ExactCase(3, 3, Masses.Uniform, Costs.Cloud, 1).Problem();
        LinearProblem entropic = plain with { Regularizer = Regularizer.Entropy() };
        LinearProblem penalised = plain with { PenaltyA = MarginalPenalty.KullbackLeibler(1) };
        Assert.True(NetworkSimplex.Supports(plain));
        foreach (LinearProblem problem in (ReadOnlySpan<LinearProblem>)[entropic, penalised])
        {
            Assert.False(NetworkSimplex.Supports(problem));
            Assert.Contains("Sinkhorn", Assert.Throws<NotSupportedException>(() => Solve(problem)).Message);
        }
    }
}
