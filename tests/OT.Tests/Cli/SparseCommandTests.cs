using System.Text.Json;
using Xunit;

namespace OT.Tests.Cli;

/// <summary><c>ot solve --method quadratic</c> and <c>--method k-sparse</c>.</summary>
public class SparseCommandTests
{
    static string Iris(string kind) => Ot.Data($"iris_{kind}.csv");

    static Outcome Solve(params string[] words) => Ot.Run(["solve", Iris("setosa"), Iris("virginica"), .. words]);

    [Fact]
    public void Quadratic_plans_are_certified_and_written_sparsely()
    {
        string plan = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.csv");
        try
        {
            Outcome outcome = Solve("--method", "quadratic", "--gamma", "50", "--json", "--plan", plan);
            Assert.Equal(0, outcome.Code);
            JsonElement report = JsonDocument.Parse(outcome.Output).RootElement;
            Assert.Equal("quadratic", report.GetProperty("method").GetString());
            Assert.StartsWith("certified", report.GetProperty("certificate").GetString(), StringComparison.Ordinal);
            Assert.True(report.GetProperty("regularizerValue").GetDouble() > 0);
            Assert.True(File.ReadLines(plan).Count() < 50 * 50 / 2, "the plan is not sparse");
        }
        finally
        {
            File.Delete(plan);
        }
    }

    [Fact]
    public void A_limit_holds_in_the_plan_that_is_written()
    {
        string plan = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.csv");
        try
        {
            Outcome outcome = Solve("--method", "k-sparse", "--gamma", "50", "--k", "3", "--axis", "rows", "--plan", plan);
            Assert.Equal(0, outcome.Code);
            int most = File.ReadLines(plan).Skip(1).GroupBy(line => line.Split(',')[0]).Max(row => row.Count());
            Assert.InRange(most, 1, 3);
        }
        finally
        {
            File.Delete(plan);
        }
    }

    [Theory]
    [InlineData("--gamma is missing", "--method", "quadratic")]
    [InlineData("--k is missing", "--method", "k-sparse", "--gamma", "1")]
    [InlineData("a column has 50 entries", "--method", "k-sparse", "--gamma", "1", "--k", "51")]
    [InlineData("--k 0", "--method", "k-sparse", "--gamma", "1", "--k", "0")]
    [InlineData("--gamma -1", "--method", "quadratic", "--gamma", "-1")]
    [InlineData("--axis sides", "--method", "k-sparse", "--gamma", "1", "--k", "2", "--axis", "sides")]
    [InlineData("--gamma 1 means nothing", "--gamma", "1")]
    [InlineData("--k 2 means nothing", "--method", "quadratic", "--gamma", "1", "--k", "2")]
    [InlineData("--epsilon 1 means nothing", "--method", "quadratic", "--gamma", "1", "--epsilon", "1")]
    public void What_does_not_fit_is_refused(string text, params string[] words)
    {
        Outcome outcome = Solve(words);
        Assert.NotEqual(0, outcome.Code);
        Assert.Contains(text, outcome.Error, StringComparison.Ordinal);
    }
}
