using System.Diagnostics;
using System.Globalization;
using OT.Accelerators.Mpi;
using Xunit;

namespace OT.Accelerators.Tests.Mpi;

/// <summary>One run of the test host under <c>mpirun</c>: ended, with a failure, when it takes too long.</summary>
sealed class MpiJob
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    readonly Dictionary<string, Dictionary<string, string>> _scenarios = new(StringComparer.Ordinal);

    MpiJob(int code, string output, string error)
    {
        (Code, Output, Error) = (code, output, error);
        Dictionary<string, string> lines = [];
        foreach (string line in output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            (string key, string value) = line.IndexOf(' ', StringComparison.Ordinal) is var at and >= 0
                ? (line[..at], line[(at + 1)..])
                : (line, "");
            if (key == "scenario")
                _scenarios.Add(value, lines = new(StringComparer.Ordinal));
            else
                lines[key] = value;
        }
    }

    public int Code { get; }

    public string Output { get; }

    public string Error { get; }

    /// <summary>What rank 0 wrote in a scenario.</summary>
    public IReadOnlyDictionary<string, string> this[string scenario] => _scenarios[scenario];

    public static double Number(IReadOnlyDictionary<string, string> lines, string key) =>
        double.Parse(lines[key].Split(' ')[^1], NumberStyles.Float, CultureInfo.InvariantCulture);

    /// <summary>Runs scenarios that must all come to their end.</summary>
    public static MpiJob Run(int ranks, params ReadOnlySpan<string> scenarios)
    {
        MpiJob job = Start(ranks, string.Join(" then ", scenarios.ToArray()));
        Assert.True(job.Code == 0, $"{ranks} ranks ended with {job.Code}: {job.Error}");
        return job;
    }

    /// <summary>Runs scenarios, whatever becomes of them.</summary>
    public static MpiJob Start(int ranks, string words) => StartProgram(ranks, "OT.MpiHost.dll", words, AppContext.BaseDirectory);

    /// <summary>Runs a program that lies beside the tests, in a folder of its own.</summary>
    /// <param name="ranks">Number of processes.</param>
    /// <param name="program">The assembly.</param>
    /// <param name="words">Its command line.</param>
    /// <param name="folder">Where it runs.</param>
    /// <param name="lastLives">Seconds after which the last rank is killed; null to let it live.</param>
    /// <param name="lastWords">The command line of the last rank, where it is another.</param>
    public static MpiJob StartProgram(
        int ranks,
        string program,
        string words,
        string folder,
        int? lastLives = null,
        string? lastWords = null
    )
    {
        Require();
        string host = Path.Combine(AppContext.BaseDirectory, program);
        var start = new ProcessStartInfo("mpirun")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
            WorkingDirectory = folder,
        };
        string[] command = ["dotnet", host, .. words.Split(' ')],
            last = ["dotnet", host, .. (lastWords ?? words).Split(' ')],
            killed = lastLives is { } seconds ? ["timeout", "-s", "KILL", $"{seconds}"] : [],
            all = lastLives is null && lastWords is null
                ? [.. Launch(ranks), .. command]
                : [.. Launch(ranks - 1), .. command, ":", "-n", "1", .. killed, .. last];
        foreach (string word in all)
            start.ArgumentList.Add(word);
        start.Environment["TERM"] = "xterm"; // mpirun hands out a terminal, which nothing is to greet
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(),
            error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{ranks} ranks hang at: {words}. {error.Result}");
        }
        return new MpiJob(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Open MPI refuses root, and more ranks than cores, unless told otherwise; other kinds of MPI know no such words.</summary>
    static string[] Launch(int ranks)
    {
        string count = ranks.ToString(CultureInfo.InvariantCulture);
        return MpiCommunicator.Library.StartsWith("Open MPI", StringComparison.Ordinal)
            ? ["--allow-run-as-root", "--oversubscribe", "-n", count]
            : ["-n", count];
    }

    /// <summary>Skips where libot_mpi or mpirun is missing, unless <c>OT_REQUIRE</c> names mpi.</summary>
    static void Require()
    {
        NativeLoader.Opened library = NativeLoader.Open(LibOtMpi.Library);
        bool launcher = (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, "mpirun")));
        if (library.Found && launcher)
            return;
        string reason = library.Found
            ? "mpirun is not in the PATH."
            : $"libot_mpi was not built: {string.Join("; ", library.Attempts)}";
        Assert.False((Environment.GetEnvironmentVariable("OT_REQUIRE") ?? "").Split(',').Contains("mpi"), reason);
        Assert.Skip(reason);
    }
}
