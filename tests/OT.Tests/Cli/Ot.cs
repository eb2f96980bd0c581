using System.Text;
using System.Text.Json;
using OT.Cli;

namespace OT.Tests.Cli;

/// <summary>Runs the command in this process, as the shell would.</summary>
static class Ot
{
    public static string Repository { get; } = Conventions.Repository.Root;

    public static string Data(string file) => Path.Combine(Repository, "data", file);

    public static Outcome Run(params string[] args) => Run("", default, args);

    public static Outcome RunWithInput(string input, params string[] args) => Run(input, default, args);

    public static Outcome Run(string input, CancellationToken cancellation, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = CommandLine.Run(
            args,
            () => new MemoryStream(Encoding.UTF8.GetBytes(input)),
            output,
            error,
            false,
            cancellation: cancellation
        );
        return new Outcome(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs with --json and reads the one object.</summary>
    public static JsonElement Json(params string[] args)
    {
        Outcome outcome = Run([.. args, "--json"]);
        Xunit.Assert.True(outcome.Code == 0, $"exit code {outcome.Code}: {outcome.Error}{outcome.Output}");
        return JsonDocument.Parse(outcome.Output).RootElement;
    }

    public static double Number(this JsonElement report, string key) => report.GetProperty(key).GetDouble();
}

/// <summary>What a run of the command left.</summary>
sealed record Outcome(int Code, string Output, string Error)
{
    /// <summary>The one line on standard error, and nothing that looks like a stack trace.</summary>
    public string OnlyLine()
    {
        string line = Xunit.Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)).TrimEnd('\r');
        Xunit.Assert.StartsWith("ot: ", line, StringComparison.Ordinal);
        Xunit.Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        Xunit.Assert.DoesNotContain("(Parameter", line, StringComparison.Ordinal);
        Xunit.Assert.DoesNotContain("internal error", line, StringComparison.Ordinal);
        return line;
    }
}
