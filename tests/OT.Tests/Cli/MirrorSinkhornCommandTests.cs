using System.Text.Json;
using Xunit;

namespace OT.Tests.Cli;

public sealed class MirrorSinkhornCommandTests : IDisposable
{
    readonly GoldenFiles _files = new();

    public void Dispose() => _files.Dispose();

    JsonElement Solve(params string[] more)
    {
        Outcome outcome = Ot.Run(_files.Args("solve", [.. more, "--method", "mirror-sinkhorn", "--json"]));
        Assert.True(outcome.Code is 0 or 1, outcome.Error);
        return JsonDocument.Parse(outcome.Output).RootElement;
    }

    [Fact]
    public void Answers_with_a_plan_and_a_bound_around_the_exact_value()
    {
        JsonElement report = Solve("--max-iterations", "3000", "--threads", "1");
        Assert.Equal("mirror-sinkhorn", report.GetProperty("method").GetString());
        Assert.Equal("Converged", report.GetProperty("status").GetString());
        // The exact value is 0.23; the gap asked for is a thousandth of the spread of the costs, 0.4.
        const double rate = 0.4e-3;
        Assert.InRange(report.Number("transportCost"), 0.23 - 1e-12, 0.23 + rate);
        Assert.InRange(report.Number("lowerBound"), 0.23 - rate, 0.23 + 1e-12);
        Assert.InRange(report.Number("marginalError"), 0, 1e-12);
        Assert.Equal(1, report.Number("threads"));
        Assert.Contains("stored costs", report.GetProperty("backend").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--epsilon", "0.1")]
    [InlineData("--precision", "single")]
    [InlineData("--rho-source", "1")]
    public void Options_of_other_methods_are_refused(string option, string value)
    {
        Outcome outcome = Ot.Run(_files.Args("solve", "--method", "mirror-sinkhorn", option, value));
        Assert.Equal(2, outcome.Code);
        Assert.Contains("means nothing for mirror-sinkhorn", outcome.OnlyLine(), StringComparison.Ordinal);
    }
}
