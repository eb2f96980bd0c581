using System.Text.Json;
using OT.IO;
using Xunit;

namespace OT.Tests.Cli;

/// <summary><c>ot divergence</c>: the published value, the files it writes, and its refusals.</summary>
public sealed class DivergenceCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();

    string[] Published() =>
        [
            _files.Write("x.csv", "x,w\n0,.2\n.5,.5\n1.2,.3\n"),
            _files.Write("y.csv", "x,w\n.3,.6\n.9,.4\n"),
            "--weights-column",
            "w",
            "--epsilon",
            "0.1",
            "--tolerance",
            "1e-11",
        ];

    [Fact]
    public void Published_instance_with_its_bounds()
    {
        JsonElement report = Ot.Json(["divergence", .. Published()]);
        Assert.Equal(0.0381930843, report.Number("value"), 1e-10);
        Assert.Equal(0.1192416969, report.Number("crossValue"), 1e-10);
        Assert.Equal(0.0974365628, report.Number("selfValueSource"), 1e-10);
        Assert.Equal(0.0646606624, report.Number("selfValueTarget"), 1e-10);
        Assert.InRange(report.Number("value"), report.Number("dualValue"), report.Number("feasibleValue"));
        Assert.InRange(report.Number("gap"), 0, 1e-9);
        Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
        Assert.Contains("self value source", Ot.Run(["divergence", .. Published()]).Output, StringComparison.Ordinal);
        // With a penalty, and with costs given one by one on common bins.
        Assert.NotEqual(report.Number("value"), Ot.Json(["divergence", .. Published(), "--rho", "0.5"]).Number("value"), 1e-4);
        string costs = _files.Write("c.csv", "0,1\n1,0\n");
        string a = _files.Write("a.csv", ".5,.5\n"),
            b = _files.Write("b.csv", ".2,.8\n");
        Assert.Equal(0, Ot.Json("divergence", a, a, "--cost-matrix", costs, "--epsilon", "0.1").Number("value"));
        Assert.True(Ot.Json("divergence", a, b, "--cost-matrix", costs, "--epsilon", "0.1").Number("value") > 0.01);
    }

    [Fact]
    public void Gradients_are_written()
    {
        string npz = _files["g.npz"],
            csv = _files["g.csv"];
        Assert.Equal(0, Ot.Run(["divergence", .. Published(), "--gradient", npz]).Code);
        Assert.Equal(0, Ot.Run(["divergence", .. Published(), "--gradient", csv]).Code);
        double[] x = NpzFile.Read(npz, "source").ToDoubles(),
            y = NpzFile.Read(npz, "target").ToDoubles(),
            a = NpzFile.Read(npz, "weights_source").ToDoubles();
        Assert.Equal((3, 2, 3), (x.Length, y.Length, a.Length));
        Assert.Equal(0, x.Sum() + y.Sum(), 1e-12); // moving both clouds together changes nothing
        Assert.Equal(0, a.Sum(), 1e-14);
        string[] lines = File.ReadAllLines(csv);
        Assert.Equal("side,row,weight,x0", lines[0]);
        Assert.Equal(6, lines.Length);
        string[] second = lines[2].Split(',');
        Assert.Equal(["source", "1"], second[..2]);
        Assert.Equal(a[1], double.Parse(second[2], System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(x[1], double.Parse(second[3], System.Globalization.CultureInfo.InvariantCulture));
        Assert.StartsWith("target,0,", lines[4], StringComparison.Ordinal);
    }

    [Fact]
    public void Refusals_are_one_line()
    {
        Outcome kind = Ot.Run(["divergence", .. Published(), "--gradient", _files["g.txt"]]);
        Assert.Equal(2, kind.Code);
        Assert.Contains("--gradient", kind.OnlyLine(), StringComparison.Ordinal);
        string heavy = _files.Write("heavy.csv", "x,w\n.3,6\n");
        string[] published = Published();
        Outcome mass = Ot.Run(["divergence", published[0], heavy, .. published[2..]]);
        Assert.Equal(3, mass.Code);
        Assert.Contains("mass 6", mass.OnlyLine(), StringComparison.Ordinal);
        string lopsided = _files.Write("c.csv", "0,1\n2,0\n"),
            a = _files.Write("a.csv", ".5,.5\n");
        Outcome costs = Ot.Run("divergence", a, a, "--cost-matrix", lopsided, "--epsilon", "0.1");
        Assert.Equal(2, costs.Code);
        Assert.Contains("symmetric", costs.OnlyLine(), StringComparison.Ordinal);
        Outcome limited = Ot.Run(["divergence", .. published, "--max-iterations", "1", "--json"]);
        Assert.Equal(1, limited.Code);
        Assert.Contains("IterationLimit", limited.Output, StringComparison.Ordinal);
        Assert.Equal(2, Ot.Run(["divergence", .. published, "--plan", "p.csv"]).Code);
    }

    public void Dispose() => _files.Dispose();
}
