using System.Text.Json;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Cli;

public sealed class SumOfNormsCommandTests : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly string _x;
    readonly string _y;

    public SumOfNormsCommandTests()
    {
        _x = _folder.Write("x.csv", "0,0\n0,1\n5,5\n5,6\n");
        _y = _folder.Write("y.csv", "1,0\n1,1\n6,5\n6,6\n");
    }

    public void Dispose() => _folder.Dispose();

    Outcome Solve(params string[] more) => Ot.Run(["solve", _x, _y, "--method", "sum-of-norms", .. more]);

    JsonElement Report(params string[] more)
    {
        Outcome outcome = Solve([.. more, "--json"]);
        Assert.True(outcome.Code == 0, outcome.Error);
        return JsonDocument.Parse(outcome.Output).RootElement;
    }

    [Fact]
    public void Labels_or_neighbours_give_a_certified_answer_with_its_classes()
    {
        string labels = _folder.Write("labels.csv", "0\n0\n3\n3\n"),
            plan = _folder["plan.csv"];
        foreach (
            string[] pairs in (string[][])
                [
                    ["--labels", labels],
                    ["--neighbours", "1"],
                    ["--neighbours", "1", "--labels", labels],
                ]
        )
        {
            JsonElement report = Report(["--lambda", "10", .. pairs, "--plan", plan]);
            Assert.Equal("sum-of-norms", report.GetProperty("method").GetString());
            Assert.InRange(report.Number("gap"), 0, 1e-6 * report.Number("value"));
            // Each pair goes to the pair that is one to the right of it; within pairs all go anywhere: 1 + ½ on average.
            if (pairs.Length == 2 && pairs[0] == "--neighbours")
            {
                Assert.Equal(1.5, report.Number("value"), 1e-5);
                Assert.Contains(
                    "2 classes of rows, 2 of columns",
                    report.GetProperty("message").GetString(),
                    StringComparison.Ordinal
                );
            }
            Assert.True(File.Exists(plan));
        }
        Assert.Equal(1, Report("--lambda", "1e-9").Number("value"), 1e-6);
    }

    [Fact]
    public void Bad_input_is_one_line()
    {
        Assert.Contains("give --lambda", Solve().OnlyLine(), StringComparison.Ordinal);
        string few = _folder.Write("few.csv", "0\n1\n"),
            low = _folder.Write("low.csv", "0\n1\n-2\n1\n"),
            half = _folder.Write("half.csv", "0\n1\n0.5\n1\n");
        Assert.Contains("2 labels for 4 sources", Solve("--lambda", "1", "--labels", few).OnlyLine(), StringComparison.Ordinal);
        Assert.Contains("whole number", Solve("--lambda", "1", "--labels", low).OnlyLine(), StringComparison.Ordinal);
        Assert.Contains("whole number", Solve("--lambda", "1", "--labels", half).OnlyLine(), StringComparison.Ordinal);
        Assert.Contains("means nothing", Solve("--lambda", "1", "--epsilon", "1").OnlyLine(), StringComparison.Ordinal);
        Outcome other = Ot.Run(["solve", _x, _y, "--lambda", "1"]);
        Assert.Equal(2, other.Code);
        Assert.Contains("give --method sum-of-norms", other.OnlyLine(), StringComparison.Ordinal);
        string weights = _folder.Write("w.csv", "1,1\n"),
            costs = _folder.Write("c.csv", "0,1\n1,0\n");
        Outcome noPoints = Ot.Run([
            "solve",
            weights,
            weights,
            "--cost-matrix",
            costs,
            "--method",
            "sum-of-norms",
            "--lambda",
            "1",
        ]);
        Assert.Contains("give --labels", noPoints.OnlyLine(), StringComparison.Ordinal);
        Outcome heavy = Ot.Run([
            "solve",
            weights,
            _folder.Write("v.csv", "1,2\n"),
            "--cost-matrix",
            costs,
            "--method",
            "sum-of-norms",
            "--lambda",
            "1",
            "--labels",
            _folder.Write("l.csv", "0,0\n"),
        ]);
        Assert.Equal(3, heavy.Code);
        Assert.Contains("equal masses", heavy.OnlyLine(), StringComparison.Ordinal);
    }
}
