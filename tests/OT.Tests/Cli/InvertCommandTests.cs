using System.Globalization;
using System.Text.Json;
using OT.IO;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Inverse;
using OT.Testing;
using OT.Tests.Solvers.Inverse;
using Xunit;

namespace OT.Tests.Cli;

/// <summary><c>ot invert</c>: the library's answers, and what it refuses.</summary>
public sealed class InvertCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();

    string Points(string name, Matrix points) =>
        _files.Write(
            name,
            string.Concat(
                Enumerable
                    .Range(0, points.Rows)
                    .Select(i =>
                        string.Join(',', points.Row(i).ToArray().Select(v => v.ToString("R", CultureInfo.InvariantCulture)))
                        + "\n"
                    )
            )
        );

    (string X, string Y, InverseProblem Problem) Pairs()
    {
        (Matrix x, Matrix y) = InverseCase.Pairs(60, new Matrix(2, 3, [-1, 0, 0, 0, -1, 0]), 1, 8);
        return (Points("x.csv", x), Points("y.csv", y), InverseProblem.FromPairs(x, y));
    }

    static double[] Numbers(JsonElement report, string key) =>
        [.. report.GetProperty(key).EnumerateArray().Select(value => value.GetDouble())];

    [Fact]
    public void Pairs_give_the_library_s_answer()
    {
        (string x, string y, InverseProblem problem) = Pairs();
        string file = _files["theta.csv"];
        JsonElement report = Ot.Json("invert", x, y, "--lambda", "0.2", "--theta", file);
        InverseTransportResult result = new InverseTransport().Solve(problem with { Lambda = 0.2 });
        Approx.Equal(result.Theta.AsSpan(), Numbers(report, "theta"), 1e-8, "theta");
        Assert.Equal(result.Support.Select(k => (double)k), Numbers(report, "support"));
        Assert.Equal(result.LambdaMax, report.Number("lambdaMax"), 1e-8);
        Assert.Equal("Converged", report.GetProperty("status").GetString());
        Assert.InRange(report.Number("gap"), 0, 1e-3);
        Assert.InRange(report.Number("margin"), -10, 1);
        Assert.Equal(6, Numbers(report, "preCertificate").Length);
        Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
        string[] lines = File.ReadAllLines(file);
        Assert.Equal(2, lines.Length);
        Assert.Equal(result.Theta[0], double.Parse(lines[0].Split(',')[0], CultureInfo.InvariantCulture), 1e-8);
        Assert.Contains("lambda max", Ot.Run("invert", x, y, "--lambda", "0.2").Output, StringComparison.Ordinal);
        JsonElement surplus = Ot.Json("invert", x, y, "--lambda", "0.2", "--convention", "surplus", "--epsilon", "2");
        Approx.Equal([.. result.Theta.Select(v => -v)], Numbers(surplus, "theta"), 1e-7, "surplus");
        JsonElement none = Ot.Json("invert", x, y, "--lambda", "100");
        Assert.Contains("lambda_max", none.GetProperty("message").GetString(), StringComparison.Ordinal);
        JsonElement chosen = Ot.Json("invert", x, y, "--folds", "3", "--seed", "1");
        Assert.InRange(chosen.Number("lambda"), 1e-4, 1);
    }

    [Fact]
    public void Plans_and_matrices_are_read()
    {
        string first = _files.Write("c1.csv", "0,1,0\n1,0,1\n"),
            second = _files.Write("c2.csv", "1,2,0\n0,0,3\n");
        string plan = _files.Write("plan.csv", "row,column,mass\n0,0,3\n0,1,1\n0,2,2\n1,0,1\n1,1,2\n1,2,1\n");
        string file = _files["theta.npy"];
        JsonElement report = Ot.Json("invert", "--term", first, "--term", second, "--plan", plan, "--theta", file);
        Assert.Equal(2, Numbers(report, "theta").Length);
        Approx.Equal(NpyFile.Read(file).ToDoubles(), Numbers(report, "theta"), 0, "theta");
        Assert.Equal(0, report.Number("lowerBound"));
        string fixedCost = _files.Write("c0.csv", "0,0,1\n1,0,0\n"),
            weights = _files.Write("w.csv", "0\n1\n");
        JsonElement weighted = Ot.Json([
            "invert",
            "--term",
            first,
            second,
            "--plan",
            plan,
            "--fixed-cost",
            fixedCost,
            "--lambda",
            "9",
            "--penalty-weights",
            weights,
        ]);
        Assert.Equal(0, Numbers(weighted, "theta")[1]);
        Assert.NotEqual(0, Numbers(weighted, "theta")[0]);
        (string x, string y, _) = Pairs();
        Assert.Equal(2, Numbers(Ot.Json("invert", x, x, "--terms", "squares", "--lambda", "0.1"), "theta").Length);
        Assert.Equal(6, Numbers(Ot.Json("invert", x, y, "--penalty", "nuclear", "--lambda", "0.1"), "theta").Length);
    }

    [Fact]
    public void Refusals_are_one_line()
    {
        (string x, string y, _) = Pairs();
        string shorter = _files.Write("short.csv", "1,2,3\n"),
            matrix = _files.Write("m.csv", "0,1\n1,0\n"),
            negative = _files.Write("negative.csv", "row,column,mass\n0,0,1\n1,1,-1\n"),
            infinite = _files.Write("inf.csv", "0,inf\n1,0\n");
        void Refused(string expected, params string[] args)
        {
            Outcome outcome = Ot.Run(["invert", .. args]);
            Assert.Equal(2, outcome.Code);
            Assert.Contains(expected, outcome.OnlyLine(), StringComparison.Ordinal);
        }
        Refused("SOURCE and TARGET are missing", []);
        Refused("pairs need as many", x, shorter);
        Refused("--lambda -1", x, y, "--lambda", "-1");
        Refused("--terms cubes", x, y, "--terms", "cubes");
        Refused("--penalty l3", x, y, "--penalty", "l3");
        Refused("--groups", x, y, "--penalty", "group");
        Refused("--constraint odd", x, y, "--constraint", "odd");
        Refused("--convention odd", x, y, "--convention", "odd");
        Refused("must be square", x, y, "--constraint", "symmetric");
        Refused("needs --plan", "--term", matrix);
        Refused("negative", "--term", matrix, "--plan", negative);
        Refused("finite", "--term", infinite, "--plan", negative);
        Refused("--folds", x, y, "--folds", "3", "--lambda", "1");
        Refused("--seed", x, y, "--seed", "3");
        Refused("--theta", x, y, "--theta", "theta.txt");
        Refused("no such file", x, "nowhere.csv");
        Refused("is read too", x, y, "--theta", x);
    }

    public void Dispose() => _files.Dispose();
}
