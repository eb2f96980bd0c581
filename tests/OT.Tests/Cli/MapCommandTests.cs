using System.Text.Json;
using OT.Applications.DomainAdaptation;
using OT.IO;
using OT.Numerics;
using Xunit;

namespace OT.Tests.Cli;

/// <summary><c>ot map</c>: fits, keeps, applies, and refuses.</summary>
public sealed class MapCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();
    readonly string _source;
    readonly string _target;

    public MapCommandTests()
    {
        _source = _files.Write("x.csv", "x,y\n0,0\n1,0\n0,1\n3,3\n");
        _target = _files.Write("y.csv", "x,y\n13,4\n10,1\n11,1\n10,2\n");
    }

    public void Dispose() => _files.Dispose();

    string[] Fit(params string[] more) => ["map", "--fit", _source, _target, "--save", _files["model.npz"], .. more];

    Matrix Applied(params string[] more)
    {
        string points = _files.Write("points.csv", "5,5\n0,0\n");
        JsonElement report = Ot.Json(["map", "--model", _files["model.npz"], points, "--output", _files["images.npy"], .. more]);
        Assert.Equal(2, report.Number("rows"));
        return NpyFile.Read(_files["images.npy"]).ToMatrix();
    }

    [Theory]
    [InlineData("exact")]
    [InlineData("linear")]
    [InlineData("gaussian")]
    public void A_translation_is_found_kept_and_applied_both_ways(string method)
    {
        JsonElement report = Ot.Json(Fit("--method", method));
        Assert.Equal(method, report.GetProperty("method").GetString());
        Assert.Equal("Converged", report.GetProperty("status").GetString());
        Assert.Equal(101, report.Number("transportCost"), 1e-10); // (10, 1)
        Assert.Equal([15.0, 6, 10, 1], Applied().Values.ToArray(), (x, y) => Math.Abs(x - y) < 1e-10);
        Assert.Equal([-5.0, 4, -10, -1], Applied("--inverse").Values.ToArray(), (x, y) => Math.Abs(x - y) < 1e-10);
        if (method is "linear")
            Assert.InRange(report.Number("covarianceError"), 0, 1e-12);
        else
            Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_entropic_map_is_the_librarys()
    {
        JsonElement report = Ot.Json(
            Fit("--method", "sinkhorn", "--epsilon", "0.1", "--epsilon-scale", "mean", "--output", _files["fitted.csv"])
        );
        Assert.True(report.Number("epsilon") > 0);
        var map = Assert.IsType<PlanMap>(DomainMap.Load(_files["model.npz"]));
        Assert.Equal(Extension.Entropic, map.Extension);
        Assert.Equal(map.Transform(Matrix.From([5.0, 5], [0, 0])).Values.ToArray(), Applied().Values.ToArray());
        string[] lines = File.ReadAllLines(_files["fitted.csv"]);
        Assert.Equal("x0,x1", lines[0]);
        Assert.Equal(5, lines.Length);
        double[] first =
        [
            .. lines[1].Split(',').Select(field => double.Parse(field, System.Globalization.CultureInfo.InvariantCulture)),
        ];
        Assert.Equal(map.Images.Row(0).ToArray(), first);
    }

    [Fact]
    public void Labels_are_carried_and_kept_apart()
    {
        string labels = _files.Write("labels.csv", "0\n2\nnan\n-1\n");
        Assert.Equal(0, Ot.Run(Fit("--labels", labels, "--label-output", _files["classes.csv"])).Code);
        string[] lines = File.ReadAllLines(_files["classes.csv"]);
        Assert.Equal("class,share_0,share_2", lines[0]);
        Assert.Equal("0,1,0", lines[2]); // (10, 1) from (0, 0)
        Assert.Equal("2,0,1", lines[3]);
        Assert.Equal("0,0.5,0.5", lines[1]); // from a point without a class: nothing is known
        string other = _files.Write("other.csv", "-1,2,0,-1\n");
        Assert.Equal(0, Ot.Run(Fit("--labels", labels, "--target-labels", other)).Code);
        var map = Assert.IsType<PlanMap>(DomainMap.Load(_files["model.npz"]));
        Assert.Equal([11.0, 1], map.Images.Row(0).ToArray());
        string wrong = _files.Write("wrong.csv", "0,1,1,1\n");
        Outcome refusal = Ot.Run(Fit("--labels", _files.Write("right.csv", "0,0,0,1\n"), "--target-labels", wrong));
        Assert.Equal(2, refusal.Code);
        Assert.Contains("class 1", refusal.OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_and_what_cannot_be_shipped()
    {
        string heavy = _files.Write("heavy.csv", "1,1,1,1\n");
        Outcome mismatch = Ot.Run(Fit("--weights-source", heavy));
        Assert.Equal(3, mismatch.Code);
        Assert.Contains("mass 4", mismatch.OnlyLine(), StringComparison.Ordinal);
        Assert.Equal(0, Ot.Run(Fit("--weights-source", heavy, "--weights-target", heavy)).Code);
        // Moments are per unit of mass.
        Assert.Equal(0, Ot.Run(Fit("--weights-source", heavy, "--method", "linear")).Code);
    }

    [Fact]
    public void A_run_that_stops_early_keeps_its_map_and_says_so()
    {
        Outcome outcome = Ot.Run(
            Fit("--method", "sinkhorn", "--epsilon", "0.01", "--max-iterations", "1", "--tolerance", "1e-12", "--json")
        );
        Assert.Equal(1, outcome.Code);
        Assert.Contains("IterationLimit", outcome.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(_files["model.npz"]));
    }

    [Fact]
    public void Refusals_are_one_line()
    {
        Assert.Equal(0, Ot.Run(Fit()).Code);
        string model = _files["model.npz"],
            flat = _files.Write("flat.csv", "1,1\n2,1\n5,1\n");
        Assert.Equal(0, Ot.Run("map", "--fit", _source, flat, "--method", "linear", "--save", _files["flat.npz"]).Code);
        (string Says, string[] Args)[] refused =
        [
            ("--fit, or --model", ["map", _source]),
            ("TARGET", ["map", "--fit", _source, "--save", model]),
            ("--save is missing", ["map", "--fit", _source, _target]),
            ("--output is missing", ["map", "--model", model, _source]),
            ("--fit means nothing", ["map", "--fit", "--model", model, _source, "--output", _files["o.csv"]]),
            ("one file of points", ["map", "--model", model, _source, _target, "--output", _files["o.csv"]]),
            ("2 dimensions", ["map", "--model", model, _files.Write("three.csv", "1,2,3\n"), "--output", _files["o.csv"]]),
            ("no such file", ["map", "--model", _files["none.npz"], _source, "--output", _files["o.csv"]]),
            ("holds no map", ["map", "--model", _files.Write("no.npz", ""), _source, "--output", _files["o.csv"]]),
            ("singular", ["map", "--model", _files["flat.npz"], _source, "--inverse", "--output", _files["o.csv"]]),
            ("--epsilon means nothing", Fit("--epsilon", "1")),
            ("--regularization means nothing", Fit("--regularization", "1")),
            ("--labels means nothing", Fit("--method", "linear", "--labels", flat)),
            ("--inverse means nothing", Fit("--inverse")),
            ("not known", Fit("--method", "curved")),
            ("--label-output means nothing", Fit("--label-output", _files["l.csv"])),
            ("3 labels for the 4 points", Fit("--labels", _files.Write("l3.csv", "0\n1\n2\n"))),
            ("whole number", Fit("--labels", _files.Write("half.csv", "0\n0.5\n2\n1\n"))),
            ("cannot be kept", Fit("--cost", "minkowski:3")),
            ("is SOURCE too", ["map", "--fit", _source, _target, "--output", _source]),
            ("a map is .npz", ["map", "--fit", _source, _target, "--save", _files["m.txt"]]),
            ("need as many", ["map", "--fit", _source, _files["three.csv"], "--save", _files["m.npz"]]),
        ];
        // An archive of something else.
        NpzFile.Write(_files["no.npz"], ("version", new NpyArray([1L])));
        foreach ((string says, string[] args) in refused)
        {
            Outcome outcome = Ot.Run(args);
            Assert.True(outcome.Code == 2, $"{string.Join(' ', args)}: {outcome.Code}");
            Assert.Contains(says, outcome.OnlyLine(), StringComparison.Ordinal);
        }
    }
}
