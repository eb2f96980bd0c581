using OT.IO;
using Xunit;

namespace OT.Tests.Cli;

/// <summary>What <c>ot certify</c> must not be talked into.</summary>
public sealed class CertifyCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();

    string Zeros(int count)
    {
        string path = _files["zeros.npz"];
        NpzFile.Write(path, ("f", new NpyArray(new double[count], count)), ("g", new NpyArray(new double[count], count)));
        return path;
    }

    /// <summary>One far point makes the largest cost huge; a plan that wastes all it could waste elsewhere is not optimal for that.</summary>
    [Fact]
    public void A_wasteful_plan_beside_an_outlier_is_not_certified()
    {
        string points = _files.Write("o.csv", "0\n1\n1000000\n");
        string third = (1.0 / 3).ToString("R", System.Globalization.CultureInfo.InvariantCulture);
        string plan = _files.Write("swap.csv", $"row,column,mass\n0,1,{third}\n1,0,{third}\n2,2,{third}\n");
        Outcome outcome = Ot.Run("certify", points, points, "--plan", plan, "--potentials", Zeros(3));
        Assert.Equal(1, outcome.Code);
        Assert.Contains("not optimal", outcome.Output, StringComparison.Ordinal);
    }

    /// <summary>The outlier may have no weight at all, or so little that rounding hides everything else.</summary>
    [Theory]
    [InlineData("0.5\n0.5\n0\n", "1e10")]
    [InlineData("0.5\n0.4999998\n0.0000002\n", "1e10")]
    public void An_outlier_of_little_weight_certifies_nothing(string weights, string far)
    {
        string points = _files.Write("o.csv", $"0\n1\n{far}\n"),
            w = _files.Write("w.csv", weights);
        bool empty = weights.Contains("\n0\n", StringComparison.Ordinal);
        string plan = _files.Write(
            "swap.csv",
            empty
                ? "row,column,mass\n0,1,0.5\n1,0,0.5\n"
                : "row,column,mass\n0,1,0.4999998\n0,0,0.0000002\n1,0,0.4999998\n2,2,0.0000002\n"
        );
        Outcome outcome = Ot.Run([
            "certify",
            points,
            points,
            "--weights-source",
            w,
            "--weights-target",
            w,
            "--plan",
            plan,
            "--potentials",
            Zeros(3),
        ]);
        Assert.Equal(1, outcome.Code);
        // What is optimal is said to be, all the same.
        if (empty)
            Assert.Contains(
                "certified",
                Ot.Run([
                    "distance",
                    points,
                    points,
                    "--weights-source",
                    w,
                    "--weights-target",
                    w,
                    "--method",
                    "network-simplex",
                ]).Output,
                StringComparison.Ordinal
            );
    }

    [Theory]
    [InlineData("--epsilon", "0.1")]
    [InlineData("--threads", null)]
    public void Mass_on_forbidden_pairs_is_refused(string option, string? value)
    {
        string weights = _files.Write("w.csv", "0.5\n0.5\n");
        string costs = _files.Write("c.csv", "1,inf\n1,2\n");
        string plan = _files.Write("p.csv", "row,column,mass\n0,1,0.5\n1,0,0.5\n");
        foreach (bool dual in (bool[])[true, false])
        {
            string[] more =
            [
                .. dual ? ["--potentials", Zeros(2)] : Array.Empty<string>(),
                .. value is null ? Array.Empty<string>() : [option, value],
            ];
            Outcome outcome = Ot.Run(["certify", weights, weights, "--cost-matrix", costs, "--plan", plan, .. more]);
            Assert.Equal(1, outcome.Code);
            Assert.Contains("refused: the plan puts mass on forbidden pairs", outcome.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_text_where_numbers_are_wanted_is_bad_input()
    {
        string points = _files.Write("x.csv", "0,1\n2,3\n");
        string plan = _files.Write("p.csv", "row,column,mass\n0,0,0.5\n1,1,0.5\n");
        string potentials = _files["text.npz"];
        NpzFile.Write(potentials, ("f", new NpyArray("abc")), ("g", new NpyArray(new double[2], 2)));
        Outcome outcome = Ot.Run("certify", points, points, "--plan", plan, "--potentials", potentials);
        Assert.Equal(2, outcome.Code);
        Assert.DoesNotContain("internal error", outcome.OnlyLine(), StringComparison.Ordinal);
    }

    public void Dispose() => _files.Dispose();
}
