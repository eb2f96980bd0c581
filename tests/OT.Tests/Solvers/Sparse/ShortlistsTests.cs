using OT.Geometries;
using OT.Numerics;
using OT.Solvers.Sparse;
using Xunit;

namespace OT.Tests.Solvers.Sparse;

/// <summary>Lists may save reading, and change nothing else.</summary>
public class ShortlistsTests
{
    const int Rows = 60;
    const int Columns = 400;

    /// <summary>A cloud that counts the rows read.</summary>
    sealed class Counted(PointCloud cloud) : Geometry
    {
        public int Read;

        public override int Rows => cloud.Rows;

        public override int Columns => cloud.Columns;

        public override double Cost(int row, int column) => cloud.Cost(row, column);

        public override void CostRow(int row, Span<double> costs)
        {
            Interlocked.Increment(ref Read);
            cloud.CostRow(row, costs);
        }
    }

    static PointCloud Cloud(SeededRandom random)
    {
        Matrix Points(int count) => new(count, 2, [.. Enumerable.Range(0, 2 * count).Select(_ => random.NextNormal())]);
        return new PointCloud(Points(Rows), Points(Columns));
    }

    static double[] Uniform(int count) => [.. Enumerable.Repeat(1.0 / count, count)];

    static Responses Respond(
        Geometry geometry,
        Shortlists lists,
        double[] g,
        double gamma,
        double sigma,
        int most,
        SparseMatrix? centre
    )
    {
        using var blocks = new RowBlocks(2);
        var at = new Responses(geometry, Uniform(Rows), Uniform(Columns), blocks, lists) { Centre = centre };
        Assert.True(at.Run(g, gamma, sigma, most, CancellationToken.None));
        return at;
    }

    [Theory]
    [InlineData(0, int.MaxValue)]
    [InlineData(0, 3)]
    [InlineData(0.3, 3)]
    public void Responses_from_lists_are_those_of_whole_rows_to_the_last_bit(double sigma, int most)
    {
        var random = new SeededRandom(7);
        PointCloud cloud = Cloud(random);
        var counted = new Counted(cloud);
        var lists = new Shortlists(counted);
        SparseMatrix? centre = null;
        double[] g = new double[Columns];
        for (int pass = 0; pass < 60; pass++)
        {
            double move = 0.3 * Math.Exp(-0.15 * pass) * (pass % 7 == 3 ? 30 : 1);
            g = [.. g.Select(x => x + (move * random.NextNormal()))];
            double gamma = pass % 11 == 5 ? 20 : 2;
            Responses listed = Respond(counted, lists, g, gamma, sigma, most, centre),
                whole = Respond(cloud, new Shortlists(cloud), g, gamma, sigma, most, centre);
            Assert.Equal(whole.F, listed.F);
            Assert.Equal(whole.ColumnSums, listed.ColumnSums);
            Assert.Equal(whole.SemiDual, listed.SemiDual);
            Assert.Equal(whole.Entries, listed.Entries);
            if (sigma > 0 && pass % 10 == 9)
                centre = whole.ToMatrix();
        }
        Assert.InRange(counted.Read, Rows, 60 * Rows / 2);
    }

    /// <summary>Every price rises but one: unlisted columns come in.</summary>
    [Fact]
    public void A_column_that_rises_alone_is_found()
    {
        PointCloud cloud = Cloud(new SeededRandom(8));
        var lists = new Shortlists(cloud);
        double[] g = new double[Columns];
        for (int pass = 0; pass < 5; pass++)
            Respond(cloud, lists, g, 2, 0, 3, null);
        for (int rise = 0; rise < 40; rise++)
        {
            g[17] += 0.25;
            Responses listed = Respond(cloud, lists, g, 2, 0, 3, null),
                whole = Respond(cloud, new Shortlists(cloud), g, 2, 0, 3, null);
            Assert.Equal(whole.ColumnSums, listed.ColumnSums);
        }
    }

    /// <summary>A trial step may have gone too far.</summary>
    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e300)]
    public void Prices_that_are_no_numbers_leave_nothing_behind(double odd)
    {
        PointCloud cloud = Cloud(new SeededRandom(9));
        var lists = new Shortlists(cloud);
        double[] g = new double[Columns];
        for (int pass = 0; pass < 8; pass++)
        {
            double[] at = [.. g];
            at[5] = pass is 3 or 5 ? odd : 10 * pass;
            Responses listed = Respond(cloud, lists, at, 2, 0, 3, null);
            if (pass is not (3 or 5))
                Assert.Equal(Respond(cloud, new Shortlists(cloud), at, 2, 0, 3, null).ColumnSums, listed.ColumnSums);
        }
    }
}
