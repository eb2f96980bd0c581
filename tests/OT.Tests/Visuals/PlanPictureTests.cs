using System.Globalization;
using System.Xml.Linq;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Visuals;
using Xunit;

namespace OT.Tests.Visuals;

public sealed class PlanPictureTests
{
    static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    public static TheoryData<string> Shapes => [.. s_results.Keys];

    static readonly Dictionary<string, Func<TransportResult>> s_results = new()
    {
        ["one point each"] = () =>
            Result(
                Cloud(
                    [
                        [1, 2],
                    ],
                    [
                        [3, 4],
                    ]
                ),
                [1],
                [1],
                (0, 0, 1)
            ),
        ["all mass in one point"] = () =>
            Result(
                Cloud(
                    [
                        [0, 0],
                        [1, 0],
                    ],
                    [
                        [2, 1],
                        [2, 2],
                    ]
                ),
                [1, 0],
                [0, 1],
                (0, 1, 1)
            ),
        ["duplicate points"] = () =>
            Result(
                Cloud(
                    [
                        [1, 1],
                        [1, 1],
                    ],
                    [
                        [1, 1],
                        [1, 1],
                    ]
                ),
                [0.5, 0.5],
                [0.5, 0.5],
                (0, 0, 0.5),
                (1, 1, 0.5)
            ),
        ["constant coordinate"] = () =>
            Result(
                Cloud(
                    [
                        [0, 7],
                        [1, 7],
                    ],
                    [
                        [2, 7],
                        [3, 7],
                    ]
                ),
                [0.5, 0.5],
                [0.5, 0.5],
                (0, 0, 0.5),
                (1, 1, 0.5)
            ),
        ["no links"] = () =>
            Result(
                Cloud(
                    [
                        [0, 0],
                        [1, 1],
                    ],
                    [
                        [2, 2],
                    ]
                ),
                [1, 1],
                [2]
            ),
        ["huge coordinates"] = () =>
            Result(
                Cloud(
                    [
                        [-1e300, 1],
                        [1e300, 2],
                    ],
                    [
                        [0, 1e299],
                    ],
                    GroundCost.Chebyshev
                ),
                [1, 1],
                [2],
                (0, 0, 1),
                (1, 0, 1)
            ),
        ["far from the origin"] = () =>
            Result(
                Cloud(
                    [
                        [1e9, 1e9],
                    ],
                    [
                        [1e9 + 1e-3, 1e9],
                    ]
                ),
                [1],
                [1],
                (0, 0, 1)
            ),
        ["tiny spread"] = () =>
            Result(
                Cloud(
                    [
                        [1e-200, 0],
                    ],
                    [
                        [2e-200, 0],
                    ]
                ),
                [1],
                [1],
                (0, 0, 1)
            ),
        ["denormal masses"] = () =>
            Result(
                Cloud(
                    [
                        [0, 0],
                        [1, 2],
                    ],
                    [
                        [2, 1],
                    ]
                ),
                [1e-310, 2e-310],
                [3e-310],
                (0, 0, 1e-310),
                (1, 0, 2e-310)
            ),
        ["three dimensions"] = () =>
            Result(
                Cloud(
                    [
                        [0, 0, 0],
                        [1, 2, 3],
                    ],
                    [
                        [1, 1, 1],
                        [4, 4, 4],
                    ]
                ),
                [0.5, 0.5],
                [0.5, 0.5],
                (0, 0, 0.5),
                (1, 1, 0.5)
            ),
        ["five dimensions, all points equal"] = () =>
            Result(
                Cloud(
                    [
                        [1, 1, 1, 1, 1],
                    ],
                    [
                        [1, 1, 1, 1, 1],
                    ]
                ),
                [1],
                [1],
                (0, 0, 1)
            ),
        ["more dimensions than points"] = () =>
            Result(
                Cloud(
                    [new double[40]],
                    [
                        [.. Enumerable.Range(0, 40)],
                    ]
                ),
                [1],
                [1],
                (0, 0, 1)
            ),
        ["line"] = () =>
            Result(
                Cloud(
                    [
                        [0],
                        [1],
                        [3],
                    ],
                    [
                        [2],
                        [5],
                    ]
                ),
                [0.2, 0.3, 0.5],
                [0.5, 0.5],
                (0, 0, 0.2),
                (1, 0, 0.3),
                (2, 1, 0.5)
            ),
        ["line, one position"] = () =>
            Result(
                Cloud(
                    [
                        [4],
                    ],
                    [
                        [4],
                    ]
                ),
                [1],
                [1],
                (0, 0, 1)
            ),
        ["cost matrix"] = () =>
            Result(
                new CostMatrix(
                    new double[,]
                    {
                        { 0, 1 },
                        { 1, 0 },
                    }
                ),
                [0.5, 0.5],
                [0.5, 0.5],
                (0, 0, 0.5),
                (1, 1, 0.5)
            ),
        ["cost matrix, one entry"] = () =>
            Result(
                new CostMatrix(
                    new double[,]
                    {
                        { 3 },
                    }
                ),
                [1],
                [1],
                (0, 0, 1)
            ),
        ["cost matrix, empty plan"] = () =>
            Result(
                new CostMatrix(
                    new double[,]
                    {
                        { 3 },
                    }
                ),
                [1],
                [1]
            ),
        ["one row of many"] = () =>
            Result(
                new CostMatrix(new double[1, 500]),
                [1],
                [.. Enumerable.Repeat(0.002, 500)],
                [.. Enumerable.Range(0, 500).Select(j => (0, j, 0.002))]
            ),
        ["grid"] = () =>
            Result(
                Grid.Regular([2, 2]),
                [0.25, 0.25, 0.25, 0.25],
                [1, 0, 0, 0],
                (0, 0, 0.25),
                (1, 0, 0.25),
                (2, 0, 0.25),
                (3, 0, 0.25)
            ),
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Picture_is_well_formed_finite_and_repeatable(string shape)
    {
        string picture = PlanPicture.Svg(s_results[shape]());
        var root = XDocument.Parse(picture).Root!;
        Assert.Equal(s_svg + "svg", root.Name);
        Assert.DoesNotContain("NaN", picture, StringComparison.Ordinal);
        Assert.DoesNotContain("Infinity", picture, StringComparison.Ordinal);
        Assert.DoesNotContain("∞", picture, StringComparison.Ordinal);
        Assert.Equal(picture, PlanPicture.Svg(s_results[shape]()));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Marks_lie_inside_the_picture(string shape)
    {
        var root = XDocument.Parse(PlanPicture.Svg(s_results[shape]())).Root!;
        double width = Number(root, "width"),
            height = Number(root, "height");
        foreach (XElement circle in root.Descendants(s_svg + "circle"))
        {
            Assert.InRange(Number(circle, "cx"), 0, width);
            Assert.InRange(Number(circle, "cy"), 0, height);
        }
        foreach (XElement text in root.Descendants(s_svg + "text").Where(text => text.Attribute("x") is not null))
        {
            Assert.InRange(Number(text, "x"), 0, width);
            Assert.InRange(Number(text, "y"), 0, height);
        }
    }

    [Fact]
    public void Numbers_do_not_follow_the_callers_culture()
    {
        string expected = PlanPicture.Svg(s_results["three dimensions"]());
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            // Built by hand: the runtime carries no culture data in invariant mode.
            var commas = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            commas.NumberFormat.NumberDecimalSeparator = ",";
            commas.NumberFormat.NegativeSign = "~";
            CultureInfo.CurrentCulture = commas;
            Assert.Equal(expected, PlanPicture.Svg(s_results["three dimensions"]()));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Text_is_escaped()
    {
        TransportResult result = Result(
            Cloud(
                [
                    [1, 2],
                ],
                [
                    [3, 4],
                ]
            ),
            [1],
            [1],
            (0, 0, 1),
            why: "<b> & \"quotes\" \u0001 \ud800 ]]> 😀"
        );
        string picture = PlanPicture.Svg(result);
        string text = string.Concat(XDocument.Parse(picture).Descendants(s_svg + "text").Select(element => element.Value + "\n"));
        Assert.Contains("<b> & \"quotes\"   ]]> 😀", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Areas_of_points_are_proportional_to_weights()
    {
        TransportResult result = Result(
            Cloud(
                [
                    [0, 0],
                    [1, 1],
                    [2, 0],
                ],
                [
                    [3, 3],
                ]
            ),
            [0.1, 0.4, 0.5],
            [1],
            (0, 0, 0.1),
            (1, 0, 0.4),
            (2, 0, 0.5)
        );
        double[] radii =
        [
            .. XDocument
                .Parse(PlanPicture.Svg(result))
                .Descendants(s_svg + "circle")
                .Select(circle => Number(circle, "r"))
                .TakeLast(4)
                .Where(r => r != 5),
        ];
        // Radii are written to a thousandth of a pixel.
        Assert.Contains(radii, r => Math.Abs((r * r / (radii.Max() * radii.Max())) - 0.8) < 2e-3);
        Assert.Contains(radii, r => Math.Abs((r * r / (radii.Max() * radii.Max())) - 0.2) < 2e-3);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    public void Axes_follow_the_spread(int dimension)
    {
        // Four points on a line along (3, 4, 0, ...), and a little off it along the last axis: the shares of variance are 100 : 1.
        double[] Point(double along, double off) => [0.6 * along, 0.8 * along, .. new double[dimension - 3], off];
        TransportResult result = Result(
            Cloud([Point(-10, 0), Point(10, 0)], [Point(0, -1), Point(0, 1)]),
            [0.5, 0.5],
            [0.5, 0.5],
            [(0, 0, 0.5), (1, 1, 0.5)]
        );
        string picture = PlanPicture.Svg(result);
        Assert.Contains("principal axis 1 (99 % of variance)", picture, StringComparison.Ordinal);
        Assert.Contains("principal axis 2 (1 % of variance)", picture, StringComparison.Ordinal);
        double[] sources =
        [
            .. XDocument.Parse(picture).Descendants(s_svg + "circle").Select(circle => Number(circle, "cx")).Take(2),
        ];
        // Twenty units apart, and orientation is fixed: the coordinate of largest magnitude grows to the right.
        Assert.True(sources[0] < sources[1]);
    }

    [Fact]
    public void Points_without_mass_are_not_drawn()
    {
        string picture = PlanPicture.Svg(s_results["all mass in one point"]());
        // One for the point, one for the legend.
        Assert.Equal(2, XDocument.Parse(picture).Descendants(s_svg + "circle").Count());
    }

    [Fact]
    public void Large_clouds_are_sampled()
    {
        const int N = 20_000;
        var x = new Matrix(N, 2, [.. Enumerable.Range(0, 2 * N).Select(k => (double)(k * 7919 % 10_007))]);
        var y = new Matrix(N, 2, [.. Enumerable.Range(0, 2 * N).Select(k => (double)(k * 104_729 % 10_007))]);
        double[] weights = [.. Enumerable.Repeat(1.0 / N, N)];
        TransportResult result = Result(
            new PointCloud(x, y),
            weights,
            weights,
            [.. Enumerable.Range(0, N).Select(i => (i, i, 1.0 / N))]
        );
        string picture = PlanPicture.Svg(result);
        var root = XDocument.Parse(picture).Root!;
        Assert.InRange(root.Descendants(s_svg + "circle").Count(), 1500, 3001);
        Assert.True(picture.Length < 1_000_000, $"{picture.Length} characters");
        // Equal links are chosen from all over the plan, not from its first rows.
        string links = string.Concat(
            root.Descendants(s_svg + "path")
                .Where(path => (string?)path.Attribute("class") == "k")
                .Select(path => path.Attribute("d")!.Value)
        );
        Assert.InRange(links.Count(c => c == 'M'), 50, 1501);
    }

    [Fact]
    public void Heat_map_averages_blocks()
    {
        const int N = 400;
        double[] weights = [.. Enumerable.Repeat(1.0 / N, N)];
        TransportResult result = Result(
            new CostMatrix(N, N, new double[N * N]),
            weights,
            weights,
            [.. Enumerable.Range(0, N).Select(i => (i, i, 1.0 / N))]
        );
        string picture = PlanPicture.Svg(result);
        // Blocks of 2 x 2 entries, two of which hold 1/400: the mean is 1/800, and it is the largest colour.
        Assert.Contains(">0.00125<", picture, StringComparison.Ordinal);
        Assert.Contains("mean mass of an entry", picture, StringComparison.Ordinal);
        string diagonal = XDocument.Parse(picture).Descendants(s_svg + "g").First().Elements().Single().Attribute("d")!.Value;
        Assert.Equal(200, diagonal.Count(c => c == 'M'));
    }

    [Fact]
    public void Line_shows_the_plan_as_a_graph()
    {
        // Sources 0 and 1 go to targets 10 and 11: increasing, so the cells run from the lower left to the upper right.
        TransportResult result = Result(
            Cloud(
                [
                    [0],
                    [1],
                ],
                [
                    [10],
                    [11],
                ]
            ),
            [0.5, 0.5],
            [0.5, 0.5],
            (0, 0, 0.5),
            (1, 1, 0.5)
        );
        string cells = XDocument
            .Parse(PlanPicture.Svg(result))
            .Descendants(s_svg + "g")
            .First()
            .Elements()
            .Single()
            .Attribute("d")!
            .Value;
        Assert.Equal("M1 0h1v1h-1zM0 1h1v1h-1z", cells);
    }

    [Fact]
    public void Save_writes_the_same_text()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".svg");
        try
        {
            TransportResult result = s_results["grid"]();
            PlanPicture.Save(path, result);
            Assert.Equal(PlanPicture.Svg(result), File.ReadAllText(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    static double Number(XElement element, string name) =>
        double.Parse(element.Attribute(name)!.Value, CultureInfo.InvariantCulture);

    static PointCloud Cloud(double[][] x, double[][] y, GroundCost? cost = null) => new(Matrix.From(x), Matrix.From(y), cost);

    internal static TransportResult Result(
        Geometry geometry,
        double[] a,
        double[] b,
        params (int Row, int Column, double Mass)[] entries
    ) => Result(geometry, a, b, entries, "by hand");

    static TransportResult Result(Geometry geometry, double[] a, double[] b, (int, int, double) entry, string why) =>
        Result(geometry, a, b, [entry], why);

    static TransportResult Result(
        Geometry geometry,
        double[] a,
        double[] b,
        (int Row, int Column, double Mass)[] entries,
        string why
    )
    {
        var plan = SparseMatrix.FromTriples(
            geometry.Rows,
            geometry.Columns,
            [.. entries.Select(entry => entry.Row)],
            [.. entries.Select(entry => entry.Column)],
            [.. entries.Select(entry => entry.Mass)]
        );
        return new TransportResult
        {
            Status = SolverStatus.Converged,
            Iterations = 1,
            Problem = new LinearProblem(geometry, Measure.Of(a), Measure.Of(b)),
            Plan = new SparsePlan(plan),
            TransportCost = entries.Sum(entry => entry.Mass * geometry.Cost(entry.Row, entry.Column)),
            Why = why,
        };
    }
}
