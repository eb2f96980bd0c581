using System.Globalization;
using System.Text.Json;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using Xunit;

namespace OT.Tests.Cli;

/// <summary><c>ot solve --batch</c>: one line for each problem, and the solver's own numbers in it.</summary>
public sealed class BatchCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();

    string Points => _files.Write("x.csv", "0,0\n1,0\n0,1\n2,2\n3,1\n");

    string Offsets(string text = "0,0\n2,2\n5,5\n") => _files.Write("offsets.csv", text);

    [Fact]
    public void Points_give_one_line_per_problem()
    {
        Outcome outcome = Ot.Run("solve", Points, Points, "--batch", Offsets(), "--epsilon", "0.1", "--json");
        Assert.Equal(0, outcome.Code);
        string[] lines = outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        var x = new Matrix(2, 2, [0, 0, 1, 0]);
        TransportResult expected = new Sinkhorn().Solve(
            new LinearProblem(new PointCloud(x, x), Measure.Uniform(2), Measure.Uniform(2))
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)),
            }
        );
        JsonElement first = JsonDocument.Parse(lines[0]).RootElement;
        Assert.Equal(0, first.GetProperty("problem").GetInt32());
        Assert.Equal("Converged", first.GetProperty("status").GetString());
        Assert.Equal(expected.Value, first.GetProperty("value").GetDouble());
        Assert.Equal(expected.Iterations, first.GetProperty("iterations").GetInt32());
        Assert.Equal(1, JsonDocument.Parse(lines[1]).RootElement.GetProperty("problem").GetInt32());
    }

    [Fact]
    public void Costs_give_a_table_and_an_infeasible_problem_its_reason()
    {
        string a = _files.Write("a.csv", "1,0.5,0.5"),
            b = _files.Write("b.csv", "0.5,0.5,1.25"),
            costs = _files.Write("c.csv", "1,2,3,4");
        string offsets = Offsets("source,target\n0,0\n1,2\n3,3\n");
        Outcome outcome = Ot.Run("solve", a, b, "--cost-matrix", costs, "--batch", offsets, "--epsilon", "0.5");
        Assert.Equal(3, outcome.Code);
        string[] lines = outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("problem,status,value,transportCost,marginalError,iterations,epsilon", lines[0].Trim());
        string[] first = lines[1].Split(',');
        Assert.Equal(["0", "Converged"], first[..2]);
        Assert.Equal(1.5, double.Parse(first[3], CultureInfo.InvariantCulture), 1e-6);
        Assert.StartsWith("1,Infeasible,,,", lines[2], StringComparison.Ordinal);
        Assert.Contains("problem 1: infeasible", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0,0\n2,2\n4,5\n", "offsetsA ends with 4: it must end with the number of bins, 5")]
    [InlineData("1,0\n5,5\n", "offsetsA begins with 1: it must begin with 0")]
    [InlineData("0,0\n3,2\n2,3\n5,5\n", "offsetsA[2] is 2, after 3: offsets must rise")]
    [InlineData("0,0\n2.5,2\n5,5\n", "line 2, column 1: 2.5: an offset must be a whole number")]
    [InlineData("0\n5\n", "1 columns: offsets are two")]
    public void Inconsistent_offsets_are_refused_with_the_rule(string text, string expected)
    {
        Outcome outcome = Ot.Run("solve", Points, Points, "--batch", Offsets(text), "--epsilon", "0.1");
        Assert.Equal(2, outcome.Code);
        Assert.Contains(expected, outcome.OnlyLine(), StringComparison.Ordinal);
        Assert.Equal("", outcome.Output);
    }

    /// <summary>A back end that is named solves each problem as it does alone.</summary>
    [Fact]
    public void A_back_end_can_be_named()
    {
        Outcome plain = Ot.Run("solve", Points, Points, "--batch", Offsets(), "--epsilon", "0.1"),
            named = Ot.Run("solve", Points, Points, "--batch", Offsets(), "--epsilon", "0.1", "--backend", "managed"),
            missing = Ot.Run("solve", Points, Points, "--batch", Offsets(), "--epsilon", "0.1", "--backend", "nothing");
        Assert.Equal((0, 0), (plain.Code, named.Code));
        string[] expected = plain.Output.Trim().Split('\n'),
            lines = named.Output.Trim().Split('\n');
        Assert.Equal(expected.Length, lines.Length);
        for (int k = 1; k < lines.Length; k++)
        {
            double Value(string line) => double.Parse(line.Split(',')[2], CultureInfo.InvariantCulture);
            // Marginals within 1e-6 and potentials of at most 10.
            Assert.Equal(Value(expected[k]), Value(lines[k]), 2e-5);
        }
        Assert.Equal(2, missing.Code);
        Assert.Contains("nothing", missing.OnlyLine(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--method", "exact")]
    [InlineData("--plan", "p.csv")]
    [InlineData("--precision", "single")]
    [InlineData("--backend", "mpi")]
    [InlineData("--memory", "1000000")]
    public void Options_of_a_single_problem_are_refused(string option, string value)
    {
        Outcome outcome = Ot.Run("solve", Points, Points, "--batch", Offsets(), option, value);
        Assert.Equal(2, outcome.Code);
        Assert.Contains("means nothing with --batch", outcome.OnlyLine(), StringComparison.Ordinal);
    }

    public void Dispose() => _files.Dispose();
}
