using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Tests.Geometries;

public class GeometryTests
{
    const double Infinity = double.PositiveInfinity;

    [Fact]
    public void Grid_equals_its_tabulated_cost()
    {
        var random = new SeededRandom(1);
        Matrix Axis(int n, int m) => new(n, m, [.. Enumerable.Range(0, n * m).Select(_ => random.NextNormal())]);
        var grid = new Grid(Axis(2, 3), Axis(4, 1), Axis(3, 5));
        Assert.Equal((24, 15), (grid.Rows, grid.Columns));
        for (int i = 0; i < 24; i++)
        {
            for (int j = 0; j < 15; j++)
            {
                // Last axis fastest.
                double expected =
                    grid.AxisCosts[0][i / 12, j / 5] + grid.AxisCosts[1][i / 3 % 4, 0] + grid.AxisCosts[2][i % 3, j % 5];
                Assert.Equal(expected, grid.Cost(i, j), 1e-15 * 8);
            }
        }
        AgreesWithItsTable(grid);
        GroundCostLaws.CostRowEqualsCost(grid, 64); // terms of both signs may cancel to a smaller sum
    }

    [Theory]
    [InlineData("sqeuclidean")]
    [InlineData("half-sqeuclidean")]
    [InlineData("cityblock")]
    public void Regular_grids_equal_point_clouds(string name)
    {
        GroundCost cost = name switch
        {
            "sqeuclidean" => GroundCost.SquaredEuclidean,
            "half-sqeuclidean" => GroundCost.HalfSquaredEuclidean,
            _ => GroundCost.CityBlock,
        };
        var grid = Grid.Regular([3, 4], cost, 0.5);
        var points = new Matrix(12, 2, [.. Enumerable.Range(0, 12).SelectMany(k => new[] { 0.5 * (k / 4), 0.5 * (k % 4) })]);
        var cloud = new PointCloud(points, points, cost);
        for (int i = 0; i < 12; i++)
        {
            for (int j = 0; j < 12; j++)
                Assert.Equal(cloud.Cost(i, j), grid.Cost(i, j), 1e-14);
        }
        AgreesWithItsTable(grid);
        Assert.Throws<ArgumentException>(() => Grid.Regular([3], GroundCost.Euclidean));
    }

    [Fact]
    public void Sparse_cost_forbids_what_is_not_listed()
    {
        var sparse = new SparseCost(SparseMatrix.FromTriples(2, 3, [0, 0, 1], [0, 2, 1], [1, 0, -3]));
        Assert.True(sparse.HasForbiddenPairs);
        Assert.Equal([1, Infinity, 0], Row(sparse, 0));
        Assert.Equal([Infinity, -3, Infinity], Row(sparse, 1));
        Assert.Equal(0, sparse.Cost(0, 2));
        AgreesWithItsTable(sparse);
        Assert.False(new SparseCost(SparseMatrix.FromTriples(1, 1, [0], [0], [0])).HasForbiddenPairs);
        Assert.Throws<ArgumentException>(() => new SparseCost(SparseMatrix.FromTriples(1, 1, [0], [0], [Infinity])));
        Assert.ThrowsAny<ArgumentException>(() => sparse.Cost(0, 3));
    }

    [Fact]
    public void Cost_sum_is_the_weighted_sum()
    {
        var c = new TransportCase(4, 5, 2, CaseKind.Forbidden);
        var forbidden = new CostMatrix(c.Costs());
        var cloud = new PointCloud(c.Source(), c.Target(), GroundCost.CityBlock);
        var sum = new CostSum((2, forbidden), (-0.5, cloud));
        for (int i = 0; i < 4; i++)
        {
            for (int j = 0; j < 5; j++)
                Assert.Equal((2 * forbidden.Cost(i, j)) - (0.5 * cloud.Cost(i, j)), sum.Cost(i, j), 1e-15);
        }
        GroundCostLaws.CostRowEqualsCost(sum, 64);
        AgreesWithItsTable(sum);
        AgreesWithItsTable(new CostSum((2, cloud), (3, cloud)));
        // A weight of 0 keeps the forbidden pairs and no cost.
        var mask = new CostSum((0, forbidden));
        Assert.Equal(Array.ConvertAll(Row(forbidden, 0), v => double.IsInfinity(v) ? v : 0), Row(mask, 0));
        Assert.Throws<ArgumentException>(() => new CostSum());
        Assert.Throws<ArgumentException>(() => new CostSum((-1, forbidden)));
        Assert.Throws<ArgumentException>(() => new CostSum((double.NaN, cloud)));
        Assert.Throws<ArgumentException>(() => new CostSum((1, cloud), (1, new CostMatrix(1, 1, [0.0]))));
    }

    [Fact]
    public void Float_storage_widens_on_reading_only()
    {
        float[] costs = [0.1f, float.PositiveInfinity, 2, 3];
        var matrix = new CostMatrix(2, 2, costs);
        Assert.True(matrix.IsSingle);
        Assert.True(matrix.HasForbiddenPairs);
        Assert.Equal([(double)0.1f, Infinity], Row(matrix, 0));
        Assert.Equal((double)0.1f, matrix.Cost(0, 0));
        AgreesWithItsTable(matrix);
    }

    [Fact]
    public void Strided_tensors_and_float_points()
    {
        double[] buffer = [1, 2, 99, 3, 4, 99];
        var costs = new CostMatrix(new ReadOnlyTensorSpan<double>(buffer, [2, 2], [3, 1]));
        Assert.Equal([3.0, 4.0], Row(costs, 1));
        float[] singles = [1, 2, 3, 4, 5, 6];
        var transposed = new CostMatrix(new ReadOnlyTensorSpan<float>(singles, [3, 2], [1, 3]));
        Assert.True(transposed.IsSingle);
        Assert.Equal([3.0, 6.0], Row(transposed, 2));
        var cloud = new PointCloud(
            new ReadOnlyTensorSpan<float>(singles, [3, 1], [2, 0]),
            new ReadOnlyTensorSpan<float>(singles, [2, 1]),
            GroundCost.CityBlock
        );
        Assert.Equal([2.0, 1.0], Row(cloud, 1));
        Assert.Equal(
            1,
            new PointCloud(
                new double[,]
                {
                    { 0.0, 0.0 },
                },
                new double[,]
                {
                    { 1.0, 0.0 },
                }
            ).Cost(0, 0)
        );
    }

    [Fact]
    public void Bad_costs_and_points_are_named()
    {
        Assert.Contains(
            "costs[1, 0] is NaN",
            Assert.Throws<ArgumentException>(() => new CostMatrix(2, 2, [1, 2, double.NaN, 4])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "costs[0, 1]",
            Assert.Throws<ArgumentException>(() => new CostMatrix(1, 2, [1f, float.NegativeInfinity])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "length 3",
            Assert.Throws<ArgumentException>(() => new CostMatrix(2, 2, new double[3])).Message,
            StringComparison.Ordinal
        );
        Assert.ThrowsAny<ArgumentException>(() => new CostMatrix(0, 2, Array.Empty<double>()));
        Matrix plane = new(2, 2),
            space = new(2, 3);
        Assert.Contains(
            "2 coordinates, target points 3",
            Assert.Throws<ArgumentException>(() => new PointCloud(plane, space)).Message,
            StringComparison.Ordinal
        );
        Assert.ThrowsAny<ArgumentException>(() => new PointCloud(new Matrix(0, 2), plane));
        Assert.Contains(
            "source[1] is NaN",
            Assert.Throws<ArgumentException>(() => new PointCloud(Matrix.From([1, double.NaN]), plane)).Message,
            StringComparison.Ordinal
        );
        Assert.ThrowsAny<ArgumentException>(() => new Grid());
        Assert.ThrowsAny<ArgumentException>(() => new Grid(new Matrix(0, 2)));
        Assert.ThrowsAny<ArgumentException>(() => new Grid(Matrix.From([double.NaN])));
    }

    [Fact]
    public void Statistics_of_the_finite_costs()
    {
        var matrix = new CostMatrix(
            new[,]
            {
                { 1, Infinity, 4 },
                { -3, 2, 7 },
            }
        );
        Assert.Equal(
            new CostStatistics(-3, 7, 2.2, matrix.Statistics.StandardDeviation, 5),
            matrix.Statistics with
            {
                Mean = 2.2,
            }
        );
        Assert.Equal(2.2, matrix.MeanCost, 1e-15);
        Assert.Equal(Math.Sqrt((1.44 + 3.24 + 27.04 + 0.04 + 23.04) / 5), matrix.Statistics.StandardDeviation, 1e-14);
        Assert.Equal(2, matrix.MedianCost);
        Assert.Equal(7, matrix.MagnitudeBound);
        Assert.Equal(
            1.5,
            new CostMatrix(
                new double[,]
                {
                    { 1, 2 },
                }
            ).MedianCost
        );
        var nothing = new CostMatrix(
            new[,]
            {
                { Infinity },
            }
        );
        Assert.Equal(new CostStatistics(0, 0, 0, 0, 0), nothing.Statistics);
        Assert.Equal(0, nothing.MedianCost);
    }

    [Theory]
    [InlineData(1e300)]
    [InlineData(1e160)]
    [InlineData(1e-160)]
    [InlineData(1e-300)]
    public void Statistics_over_the_range_of_doubles(double scale)
    {
        var matrix = new CostMatrix(1, 4, [1 * scale, 2 * scale, 3 * scale, 6 * scale]);
        Assert.Equal(3 * scale, matrix.MeanCost, 1e-14 * scale);
        Assert.Equal(Math.Sqrt(3.5) * scale, matrix.Statistics.StandardDeviation, 1e-14 * scale);
        Assert.Equal(2.5 * scale, matrix.MedianCost, 1e-14 * scale);
    }

    [Fact]
    public void Statistics_lose_nothing_to_a_large_offset()
    {
        var matrix = new CostMatrix(1, 3, [1e9, 1e9 + 1, 1e9 + 2]);
        Assert.Equal(Math.Sqrt(2.0 / 3), matrix.Statistics.StandardDeviation, 1e-14);
    }

    [Fact]
    public void A_geometry_needs_no_more_than_its_cost()
    {
        var ring = new Ring();
        Assert.Equal([1.0, 0.0, 1.0, 2.0], Row(ring, 1));
        Assert.Equal(1, ring.MeanCost);
        Assert.Equal(2, ring.MagnitudeBound);
        Assert.True(ring.HasForbiddenPairs); // it did not say that there are none
    }

    sealed class Ring : Geometry
    {
        public override int Rows => 4;

        public override int Columns => 4;

        public override double Cost(int row, int column) => Math.Min((row - column + 4) % 4, (column - row + 4) % 4);
    }

    static void AgreesWithItsTable(Geometry geometry)
    {
        CostMatrix table = CostMatrix.From(geometry);
        for (int i = 0; i < geometry.Rows; i++)
            Assert.Equal(Row(geometry, i), Row(table, i));
        Assert.Equal(table.MeanCost, geometry.MeanCost, 1e-13 * (1 + table.MagnitudeBound));
        Assert.Equal(table.HasForbiddenPairs, geometry.HasForbiddenPairs);
        Assert.InRange(table.MagnitudeBound, 0, geometry.MagnitudeBound * (1 + 1e-14));
    }

    static double[] Row(Geometry geometry, int row)
    {
        // One value more than needed: nothing may be written past the row.
        var costs = new double[geometry.Columns + 1];
        costs[^1] = 1234.5;
        geometry.CostRow(row, costs);
        Assert.Equal(1234.5, costs[^1]);
        return costs[..^1];
    }

    [Fact]
    public void Statistics_of_a_large_table_are_those_of_its_numbers()
    {
        // Enough pairs for several threads; the pieces are the same on any number of them.
        const int n = 1100;
        var random = new SeededRandom(29);
        var costs = new double[n * n];
        foreach (ref double c in costs.AsSpan())
            c = 1000 + random.NextNormal();
        costs[0] = double.PositiveInfinity;
        CostStatistics statistics = new CostMatrix(n, n, costs).Statistics;
        double[] finite = costs[1..];
        double mean = finite.Average();
        Assert.Equal((finite.Min(), finite.Max(), finite.Length), (statistics.Min, statistics.Max, statistics.FiniteCount));
        Assert.Equal(mean, statistics.Mean, 1e-10);
        Assert.Equal(Math.Sqrt(finite.Sum(c => (c - mean) * (c - mean)) / finite.Length), statistics.StandardDeviation, 1e-10);
        Assert.Equal(statistics, new CostMatrix(n, n, costs).Statistics);
    }

    [Fact]
    public void A_failing_cost_fails_as_itself_from_any_thread()
    {
        var points = new Matrix(1100, 1);
        Assert.Contains(
            "custom",
            Assert
                .Throws<ArgumentException>(() => new PointCloud(points, points, GroundCost.Custom((_, _) => double.NaN)))
                .Message,
            StringComparison.Ordinal
        );
    }
}
