using System.Diagnostics;
using System.Text.Json;
using OT.Cli;
using OT.Solvers;
using Xunit;

namespace OT.Tests.Cli;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--help")]
    [InlineData("solve", "--help")]
    [InlineData("distance", "-h")]
    [InlineData("certify", "--help")]
    [InlineData("backends", "--help")]
    public void Help_goes_to_the_output_and_calls_the_command_ot(params string[] args)
    {
        Outcome outcome = Ot.Run(args);
        Assert.Equal(0, outcome.Code);
        Assert.Contains("ot ", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("OT.Cli", outcome.Output, StringComparison.Ordinal);
        Assert.Equal("", outcome.Error);
    }

    [Fact]
    public void Every_option_of_the_manual_is_in_the_help()
    {
        string help = Ot.Run("solve", "--help").Output;
        string manual = File.ReadAllText(Path.Combine(Ot.Repository, "docs", "command-line.md"));
        string[] options =
        [
            "--cost",
            "--cost-matrix",
            "--weights-source",
            "--weights-target",
            "--weights-column",
            "--method",
            "--epsilon",
            "--epsilon-scale",
            "--rho-source",
            "--rho-target",
            "--penalty",
            "--tolerance",
            "--max-iterations",
            "--time-limit",
            "--backend",
            "--threads",
            "--precision",
            "--memory",
            "--plan",
            "--potentials",
            "--plot",
            "--checkpoint",
            "--resume",
            "--json",
        ];
        foreach (string option in options)
        {
            Assert.Contains(option + " ", help, StringComparison.Ordinal);
            Assert.Contains($"`{option}", manual, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Backends_are_listed()
    {
        Outcome outcome = Ot.Run("backends");
        Assert.Equal(0, outcome.Code);
        Assert.Contains("managed", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CancelWithinBound()
    {
        using var interrupt = new CancellationTokenSource();
        string[] args =
        [
            "solve",
            Ot.Data("colours_china_5000.csv"),
            Ot.Data("colours_flower_5000.csv"),
            "--epsilon",
            "1e-5",
            "--tolerance",
            "1e-15",
            "--json",
        ];
        Task<Outcome> run = Task.Run(() => Ot.Run("", interrupt.Token, args));
        await Task.Delay(1500);
        Assert.False(run.IsCompleted, "the problem is too small to be interrupted");
        long start = Stopwatch.GetTimestamp();
        await interrupt.CancelAsync();
        Outcome outcome = await run;
        // Half a second is promised; the rest is for a test machine that is shared.
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 1);
        Assert.Equal(1, outcome.Code);
        Assert.Equal("Cancelled", JsonDocument.Parse(outcome.Output).RootElement.GetProperty("status").GetString());
    }

    [Fact]
    public void A_phase_that_does_not_listen_is_abandoned()
    {
        using var never = new ManualResetEventSlim();
        using var interrupt = new CancellationTokenSource(100);
        using var output = new StringWriter();
        using var error = new StringWriter();
        var session = new CommandConsole(() => Stream.Null, output, error, false, interrupt.Token)
        {
            OnAbandon = writer => writer.Write("left"),
        };
        long start = Stopwatch.GetTimestamp();
        int code = session.Run(() =>
        {
            never.Wait(CancellationToken.None);
            return session.TryClaimOutput() ? 0 : 7;
        });
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0.3, 1);
        Assert.Equal((1, "left"), (code, output.ToString()));
        never.Set();
    }

    [Fact]
    public void An_unexpected_exception_leaves_one_line()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = new CommandConsole(() => Stream.Null, output, error, false, default).Run(() =>
            throw new InvalidOperationException("first\nsecond")
        );
        Assert.Equal(2, code);
        Assert.Equal("ot: internal error, please report it: InvalidOperationException: first second", error.ToString().TrimEnd());
    }

    [Fact]
    public void Progress_says_rate_and_time_left()
    {
        string text = ProgressBar.Describe(new SolverProgress(200, 1e-3, TimeSpan.FromSeconds(4), 0.25));
        Assert.Equal("200 iterations, error 1.0E-3, 50/s, 0:00:12 left", text);
        Assert.Equal("3 iterations", ProgressBar.Describe(new SolverProgress(3, double.NaN, TimeSpan.Zero, double.NaN)));
    }
}
