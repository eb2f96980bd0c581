using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Exact;
using OT.Tests.Conventions;
using Xunit;

namespace OT.Tests.Solvers.Exact;

/// <summary>Every pair of data/ against another library's exact solver; see the fixture's source line.</summary>
public class RealDataTests
{
    static readonly string Root = Repository.Root;

    public static TheoryData<string, string, string, double> Pairs()
    {
        var pairs = new TheoryData<string, string, string, double>();
        foreach (string line in File.ReadLines(Path.Combine(Root, "tests", "fixtures", "exact-real-data.csv")))
        {
            string[] cells = line.Split(',');
            if (!line.StartsWith('#') && cells[0] != "source")
                pairs.Add(cells[0], cells[1], cells[2], double.Parse(cells[3], CultureInfo.InvariantCulture));
        }
        return pairs;
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Agrees_to_nine_digits(string source, string target, string metric, double expected)
    {
        (Matrix x, Measure a) = Load(source);
        (Matrix y, Measure b) = Load(target);
        GroundCost cost = metric switch
        {
            "sqeuclidean" => GroundCost.SquaredEuclidean,
            "euclidean" => GroundCost.Euclidean,
            "cityblock" => GroundCost.CityBlock,
            "chebyshev" => GroundCost.Chebyshev,
            _ => GroundCost.Cosine,
        };
        var problem = new LinearProblem(new PointCloud(x, y, cost), a, b);
        var result = new NetworkSimplex().Solve(problem);
        Assert.True(result.Converged);
        Assert.Equal(expected, result.Value, 1e-9 * expected);
        double dual = Summation.Dot(a.Weights, result.Potentials!.F) + Summation.Dot(b.Weights, result.Potentials.G);
        // Masses of the two grids agree to 1e-12 only, which the dual sees through b.
        Assert.Equal(result.Value, dual, 1e-10 * expected);
        if (x.Rows <= 500 && Assignment.Supports(problem))
            Assert.Equal(expected, new Assignment().Solve(problem).Value, 1e-9 * expected);
    }

    static (Matrix Points, Measure Weights) Load(string name)
    {
        string[] parts = name.Split(':');
        int count = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : int.MaxValue;
        double[][] rows =
        [
            .. File.ReadLines(Path.Combine(Root, "data", parts[0]))
                .Where(line => char.IsAsciiDigit(line[0]) || line[0] == '-')
                .Select(line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray())
                .Take(count),
        ];
        if (!name.StartsWith("grid", StringComparison.Ordinal))
        {
            Matrix points = Matrix.From(rows);
            return (points, Measure.Uniform(points));
        }
        double[] weights = [.. rows.SelectMany(row => row)];
        double mass = weights.Sum();
        Matrix grid = Matrix.From([.. Enumerable.Range(0, weights.Length).Select(k => new double[] { k / 64, k % 64 })]);
        return (grid, Measure.Of(Array.ConvertAll(weights, w => w / mass), grid));
    }
}
