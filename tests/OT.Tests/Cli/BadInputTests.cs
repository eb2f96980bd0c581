using OT.IO;
using Xunit;

namespace OT.Tests.Cli;

/// <summary>Every bad input leaves one line that names the file, the place, the value and the rule, and exit code 2 (3 for masses that no plan joins).</summary>
public sealed class BadInputTests : IDisposable
{
    readonly GoldenFiles _files = new();

    [Theory]
    [InlineData("1,2\n3,nan\n", "line 2, column 2: NaN: a coordinate must be finite")]
    [InlineData("1,2\n3,inf\n", "line 2, column 2: Infinity: a coordinate must be finite")]
    [InlineData("1,2\n3,1e999\n", "line 2, column 2: '1e999': every field must be a number")]
    [InlineData("x,y\n1,2\n3,red\n", "line 3, column 'y': 'red'")]
    [InlineData("1,2\n3\n", "line 2: 1 fields")]
    [InlineData("", "is empty")]
    [InlineData("1,2,3\n", "coordinates")]
    public void Points(string text, string expected)
    {
        string bad = _files.Write("bad.csv", text);
        string good = _files.Write("good.csv", "1,2\n3,4\n");
        Outcome outcome = Ot.Run("solve", bad, good);
        Assert.Equal(2, outcome.Code);
        string line = outcome.OnlyLine();
        Assert.Contains("bad.csv", line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.Equal("", outcome.Output);
    }

    [Theory]
    [InlineData("1\n-2\n", "line 2, column 1: -2: a weight must be finite and not negative")]
    [InlineData("1\nnan\n", "line 2, column 1: NaN: a weight")]
    [InlineData("0\n0\n", "total mass is 0")]
    [InlineData("1\n2\n3\n", "3 weights for the 2 points")]
    [InlineData("1,2\n3,4\n", "weights")]
    public void Weights(string text, string expected)
    {
        string weights = _files.Write("w.csv", text);
        string points = _files.Write("x.csv", "1,2\n3,4\n");
        Outcome outcome = Ot.Run("solve", points, points, "--weights-source", weights);
        Assert.Equal(2, outcome.Code);
        string line = outcome.OnlyLine();
        Assert.Contains("w.csv", line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1,2\n3,4\n", "2 x 2 costs for 5 weights")]
    [InlineData(".1,.2,.3\n.2,.3,.4\n.4,nan,.2\n.3,.2,.1\n.5,.5,.4\n", "line 3, column 2: NaN: a cost must be finite, or inf")]
    [InlineData(".1,.2,.3\n.2,.3,.4\n.4,-inf,.2\n.3,.2,.1\n.5,.5,.4\n", "line 3, column 2: -Infinity: a cost")]
    public void Costs(string text, string expected)
    {
        string costs = _files.Write("bad.csv", text);
        Outcome outcome = Ot.Run("solve", _files.A, _files.B, "--cost-matrix", costs);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(expected, outcome.OnlyLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--plan", "a.npz", "--potentials", "a.npz", "--plan too")]
    [InlineData("--plan", "b.csv", "--threads", "1", "TARGET too")]
    [InlineData("--checkpoint", "k.npz", "--plan", "k.npz", "--plan too")]
    public void An_output_never_replaces_another_file_of_the_run(
        string first,
        string one,
        string second,
        string two,
        string expected
    )
    {
        string x = _files.Write("a.csv", "1,2\n3,4\n"),
            y = _files.Write("b.csv", "1,2\n3,5\n");
        string other = two is "1" ? two : _files[two];
        Outcome outcome = Ot.Run("solve", x, y, "--epsilon", "0.1", first, _files[one], second, other);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(expected, outcome.OnlyLine(), StringComparison.Ordinal);
        Assert.StartsWith("1,2", File.ReadAllText(y), StringComparison.Ordinal);
    }

    [Fact]
    public void MassMismatchInfeasible()
    {
        string heavy = _files.Write("heavy.csv", "1\n1\n1\n");
        foreach (
            string[] more in (string[][])
                [
                    [],
                    ["--epsilon", "0.1"],
                ]
        )
        {
            Outcome outcome = Ot.Run(["solve", _files.A, heavy, "--cost-matrix", _files.C, .. more]);
            Assert.Equal(3, outcome.Code);
            string line = outcome.OnlyLine();
            Assert.Contains("heavy.csv has mass 3", line, StringComparison.Ordinal);
            Assert.Contains("a.csv has mass 1", line, StringComparison.Ordinal);
        }
        string plan = _files.Write("p.csv", "0,0,1\n");
        Assert.Equal(3, Ot.Run("certify", _files.A, heavy, "--cost-matrix", _files.C, "--plan", plan).Code);
        // A price on the marginals makes it a problem again.
        Assert.Equal(
            0,
            Ot.Run("solve", _files.A, heavy, "--cost-matrix", _files.C, "--rho-source", "1", "--rho-target", "1").Code
        );
    }

    [Fact]
    public void A_row_that_cannot_ship_is_infeasible()
    {
        string costs = _files.Write("walled.csv", ".1,.2,.3\ninf,inf,inf\n.4,.3,.2\n.3,.2,.1\n.5,.5,.4\n");
        Outcome outcome = Ot.Run("solve", _files.A, _files.B, "--cost-matrix", costs, "--json");
        Assert.Equal(3, outcome.Code);
        outcome.OnlyLine();
        Assert.Contains("\"status\":\"Infeasible\"", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Epsilon_below_what_the_precision_resolves_is_refused_with_the_smallest_that_it_can()
    {
        Outcome outcome = Ot.Run(_files.Args("solve", "--epsilon", "1e-30"));
        Assert.Equal(2, outcome.Code);
        Assert.Contains("psilon", outcome.OnlyLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--epsilon", "0")]
    [InlineData("--epsilon", "nan")]
    [InlineData("--epsilon", "abc")]
    [InlineData("--tolerance", "-1")]
    [InlineData("--max-iterations", "1.5")]
    [InlineData("--threads", "0")]
    [InlineData("--memory", "lots")]
    [InlineData("--method", "magic")]
    [InlineData("--precision", "half")]
    [InlineData("--backend", "abacus")]
    [InlineData("--epsilon-scale", "mean")]
    [InlineData("--cost", "euclidean")]
    [InlineData("--weights-column", "w")]
    [InlineData("--plan", "plan.txt")]
    [InlineData("--plan", "no/such/folder/plan.csv")]
    [InlineData("--plan", "/proc/plan.csv")]
    [InlineData("--plot", "plan.png")]
    [InlineData("--checkpoint", "k.npz")]
    [InlineData("--resume", "k.npz")]
    [InlineData("--bogus", "1")]
    public void Options(string option, string value)
    {
        Outcome outcome = Ot.Run(_files.Args("solve", option, value));
        Assert.Equal(2, outcome.Code);
        Assert.Contains(
            option is "--bogus" ? "bogus"
                : option is "--backend" ? "abacus"
                : option,
            outcome.OnlyLine(),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("--epsilon", "0.1")]
    [InlineData("--rho-source", "1")]
    [InlineData("--precision", "single")]
    [InlineData("--precision", "double")]
    [InlineData("--threads", "2")]
    [InlineData("--backend", "managed")]
    public void Options_that_mean_nothing_for_an_exact_method_are_refused(string option, string value) =>
        Assert.Contains(
            option,
            Ot.Run(_files.Args("solve", "--method", "exact", option, value)).OnlyLine(),
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("greenkhorn", "--rho-source", "1")]
    [InlineData("greenkhorn", "--precision", "single")]
    [InlineData("greenkhorn", "--threads", "2")]
    [InlineData("sinkhorn", "--penalty", "tv")]
    [InlineData("exact", "--penalty", "tv")]
    public void Options_that_mean_nothing_for_the_method_are_refused(string method, string option, string value)
    {
        Outcome outcome = Ot.Run(_files.Args("solve", "--method", method, option, value));
        Assert.Equal(2, outcome.Code);
        Assert.Contains(option, outcome.OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_penalty_has_a_known_name()
    {
        Outcome outcome = Ot.Run(_files.Args("solve", "--rho-source", "1", "--penalty", "l2"));
        Assert.Equal(2, outcome.Code);
        Assert.Contains("kl and tv", outcome.OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_distance_has_no_penalties()
    {
        string points = _files.Write("points.csv", "0,0\n1,1\n");
        Outcome outcome = Ot.Run("distance", points, points, "--rho-source", "1");
        Assert.Equal(2, outcome.Code);
        Assert.Contains("--rho-source", outcome.OnlyLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("frobnicate")]
    [InlineData("solve")]
    [InlineData("solve", "only-one.csv")]
    [InlineData("certify", "a.csv", "b.csv")]
    [InlineData("solve", "missing.csv", "missing.csv")]
    [InlineData("solve", ".", ".")]
    [InlineData("solve", "-", "-")]
    public void Usage(params string[] args)
    {
        Outcome outcome = Ot.RunWithInput("1,2\n", args);
        Assert.Equal(2, outcome.Code);
        outcome.OnlyLine();
        Assert.Equal("", outcome.Output);
    }

    [Theory]
    [InlineData("sqeuclidean")]
    [InlineData("cosine")]
    [InlineData("minkowski:0.5")]
    [InlineData("manhattan")]
    public void What_is_no_distance_has_no_distance(string cost)
    {
        string x = _files.Write("x.csv", "1,2\n3,4\n");
        Outcome outcome = Ot.Run("distance", x, x, "--cost", cost);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(cost, outcome.OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Cosine_of_the_origin_names_the_file()
    {
        string x = _files.Write("x.csv", "1,2\n0,0\n");
        string y = _files.Write("y.csv", "1,2\n3,4\n");
        Assert.Contains("x.csv", Ot.Run("solve", x, y, "--cost", "cosine").OnlyLine(), StringComparison.Ordinal);
        Assert.Contains("x.csv", Ot.Run("solve", y, x, "--cost", "cosine").OnlyLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_arrays_and_archives()
    {
        NpyFile.Write(_files["x.npy"], [1, 2, 3, 4], 2, 2);
        byte[] whole = File.ReadAllBytes(_files["x.npy"]);
        File.WriteAllBytes(_files["cut.npy"], whole[..^8]);
        Assert.Contains("cut short", Ot.Run("solve", _files["cut.npy"], _files["x.npy"]).OnlyLine(), StringComparison.Ordinal);
        NpzFile.Write(_files["x.npz"], ("a", new NpyArray([1.0, 2], 2, 1)), ("b", new NpyArray([1.0, 2], 2, 1)));
        Assert.Contains("a, b", Ot.Run("solve", _files["x.npz"], _files["x.npy"]).OnlyLine(), StringComparison.Ordinal);
        Assert.Contains("'c'", Ot.Run("solve", _files["x.npz"] + ":c", _files["x.npy"]).OnlyLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0,0,-0.1\n", "line 1: mass -0.1")]
    [InlineData("0,0,nan\n", "line 1: mass NaN")]
    [InlineData("row,column,mass\n5,0,0.1\n", "line 2: row 5: must be a whole number from 0 to 4")]
    [InlineData("0,0.5,0.1\n", "column 0.5")]
    [InlineData("0,0.1\n", "three")]
    public void Plans(string text, string expected)
    {
        string plan = _files.Write("p.csv", text);
        Outcome outcome = Ot.Run(_files.Args("certify", "--plan", plan));
        Assert.Equal(2, outcome.Code);
        string line = outcome.OnlyLine();
        Assert.Contains("p.csv", line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_state_of_another_problem_is_refused()
    {
        string x = _files.Write("x.csv", "1,2\n3,4\n");
        Ot.Run(_files.Args("solve", "--epsilon", "0.1", "--checkpoint", _files["k.npz"]));
        Assert.Contains(
            "k.npz",
            Ot.Run("solve", x, x, "--epsilon", "0.1", "--resume", _files["k.npz"]).OnlyLine(),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("0\n", "3\n", 9)]
    [InlineData("0,0\n", "3,0\n0,4\n", 12.5)]
    [InlineData("0,0\n0,0\n0,0\n", "0,0\n0,0\n", 0)]
    [InlineData("1,1\n1,1\n2,2\n", "2,2\n1,1\n1,1\n", 0)]
    public void Small_and_degenerate_problems_have_right_answers(string source, string target, double expected)
    {
        string x = _files.Write("x.csv", source);
        string y = _files.Write("y.csv", target);
        Assert.Equal(expected, Ot.Json("solve", x, y).Number("value"), 1e-12);
    }

    public void Dispose() => _files.Dispose();
}
