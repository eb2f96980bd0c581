using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using OT.Accelerators;
using OT.Accelerators.Mpi;
using OT.Backends;
using OT.Pairwise;
using OT.Results;
using OT.Solvers;

namespace OT.Cli;

/// <summary><c>ot pairwise</c>: a matrix of distances, its entries kept in a journal until the matrix is written.</summary>
sealed class PairwiseCommand(PairwiseArguments arguments, ParseResult parse, CommandConsole console)
{
    readonly long _start = Stopwatch.GetTimestamp();

    public int Run()
    {
        string output =
            parse.GetValue(arguments.Output) ?? throw new InputException("--output is missing: where does the matrix go?");
        if (console.Writes)
            Outputs.Check(output, "--output", "a matrix of distances is .csv, .npy or .npz", ".csv", ".npy", ".npz");
        if (parse.GetValue(arguments.Merge))
            return Merge(output);
        (int Part, int Parts)? part = Part();
        string path = part is { } share ? JournalOf(output, share.Part, share.Parts) : $"{output}.journal";
        var input = new PairwiseInput(arguments, parse, console.OpenReader());
        PairwiseProblem problem = input.Read();
        CheckDistinct(output, input.Files);
        PairwiseOptions options = Options(part ?? (1, 1));
        using IBackend? backend = parse.GetValue(arguments.Shared.Backend) is { } name
            ? BackendCatalog.Open(name, (int?)parse.GetValue(arguments.Shared.Threads))
            : null;
        PairwiseResult result;
        using (PairwiseJournal journal = Open(path, problem, options))
        {
            console.OnAbandon = _ => console.Error.WriteLine(Kept(path, journal.Entries.Count));
            console.Progress.Phase = "solving pairs";
            result = new PairwiseDistances(options with { Finished = journal.Add }, backend).Solve(
                problem,
                journal.Entries,
                console.Cancellation
            );
            if (!console.TryClaimOutput())
                return CommandLine.StoppedEarly;
            if (console.Ranks is null && (part is not null || result.Missing > 0))
            {
                Write(result, part is null ? null : path);
                if (result.Status is SolverStatus.Cancelled or SolverStatus.TimeLimit)
                    console.Error.WriteLine(Kept(path, journal.Entries.Count));
                return Code(result);
            }
        }
        if (console.Ranks is { Ranks: var ranks })
            return Join(ranks, result, output);
        // All entries are there: the matrix first, as a whole, and then the journal is no longer needed.
        result.Save(output);
        File.Delete(path);
        Write(result, output);
        return Code(result);
    }

    /// <summary>The share that this process computes; null for the whole. Under <c>mpirun</c> each rank has one.</summary>
    (int Part, int Parts)? Part()
    {
        if (console.Ranks is not { Ranks: var ranks })
            return arguments.ParsePart(parse);
        if (parse.GetValue(arguments.Part) is not null)
            throw new InputException("--part means nothing under mpirun: each rank has a part.");
        return (ranks.Rank + 1, ranks.Size);
    }

    static string JournalOf(string output, int part, int parts) => $"{output}.{part}-of-{parts}.journal";

    /// <summary>What ranks do when all are done: the first one joins their journals into the matrix.</summary>
    int Join(MpiCommunicator ranks, PairwiseResult result, string output)
    {
        string[] journals = [.. Enumerable.Range(1, ranks.Size).Select(part => JournalOf(output, part, ranks.Size))];
        if (ranks.Any(result.Status is SolverStatus.Cancelled or SolverStatus.TimeLimit))
        {
            console.Error.WriteLine(Kept($"{journals[0]} and those of the other ranks", null));
            return CommandLine.StoppedEarly;
        }
        if (!console.Writes)
            return CommandLine.Success;
        PairwiseResult whole = PairwiseJournal.Merge(journals);
        whole.Save(output);
        foreach (string journal in journals)
            File.Delete(journal);
        Write(whole, output);
        return Code(whole);
    }

    PairwiseJournal Open(string path, PairwiseProblem problem, PairwiseOptions options)
    {
        if (parse.GetValue(arguments.Resume))
            return PairwiseJournal.Resume(path, problem, options);
        if (File.Exists(path))
            throw new InputException($"{path}: is left of a run that ended early: give --resume to go on from it, or delete it.");
        return PairwiseJournal.Create(path, problem, options);
    }

    static string Kept(string path, int? count) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"ot: stopped with {(count is null ? "the entries" : $"{count} entries")} in {path}: the same command with --resume goes on."
        );

    PairwiseOptions Options((int Part, int Parts) share)
    {
        var options = new PairwiseOptions
        {
            Part = share.Part,
            Parts = share.Parts,
            Threads = (int?)parse.GetValue(arguments.Shared.Threads) ?? console.Ranks?.Ranks.Threads,
            Tolerance = parse.GetValue(arguments.Shared.Tolerance) ?? 1e-6,
            TimeLimit = parse.GetValue(arguments.Shared.TimeLimit) is { } seconds
                ? TimeSpan.FromSeconds(Math.Min(seconds, 1e9))
                : Timeout.InfiniteTimeSpan,
            Progress = new Shares(console.Progress),
        };
        return parse.GetValue(arguments.Shared.MaxIterations) is { } most ? options with { MaxIterations = (int)most } : options;
    }

    int Merge(string output)
    {
        foreach (Option option in parse.CommandResult.Command.Options)
        {
            bool own = option == arguments.Merge || option == arguments.Output || option == arguments.Shared.Json;
            if (!own && parse.GetResult(option) is { Implicit: false })
                throw new InputException($"{option.Name} means nothing with --merge: the journals hold what was asked.");
        }
        if (console.Ranks is not null)
            throw new InputException("--merge is the work of one process: start it without mpirun.");
        string[] files = parse.GetValue(arguments.Files) ?? [];
        if (files.Length == 0)
            throw new InputException("--merge: which journals? Give them as FILEs.");
        CheckDistinct(output, files);
        foreach (string file in files)
            TableReader.Open(file).Dispose();
        PairwiseResult result = PairwiseJournal.Merge(files);
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        if (result.Missing > 0)
            throw new InputException($"{output} not written: {result.Message} Give the journals of all parts, each finished.");
        result.Save(output);
        Write(result, output);
        return Code(result);
    }

    static void CheckDistinct(string output, IEnumerable<string> inputs)
    {
        if (inputs.Any(input => string.Equals(Path.GetFullPath(input), Path.GetFullPath(output), StringComparison.Ordinal)))
            throw new InputException($"--output {output}: is an input too: give another name.");
    }

    static int Code(PairwiseResult result) =>
        result.Status switch
        {
            SolverStatus.Converged => CommandLine.Success,
            SolverStatus.Infeasible => CommandLine.Infeasible,
            _ => CommandLine.StoppedEarly,
        };

    /// <summary>What was computed, how many entries ended how, and where they are.</summary>
    void Write(PairwiseResult result, string? file)
    {
        (string Name, int Count)[] counts =
        [
            .. Enum.GetValues<SolverStatus>()
                .Select(status => (status.ToString(), result.Count(status)))
                .Where(count => count.Item2 > 0),
        ];
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        if (parse.GetValue(arguments.Shared.Json))
        {
            using var bytes = new MemoryStream();
            using (var writer = new Utf8JsonWriter(bytes))
            {
                writer.WriteStartObject();
                writer.WriteString("status", result.Status.ToString());
                writer.WriteNumber("rows", result.Rows);
                writer.WriteNumber("columns", result.Columns);
                writer.WriteNumber("pairs", result.Pairs);
                writer.WriteNumber("computed", result.Iterations);
                writer.WriteNumber("missing", result.Missing);
                writer.WriteStartObject("statuses");
                foreach ((string name, int count) in counts)
                    writer.WriteNumber(name, count);
                writer.WriteEndObject();
                writer.WriteNumber("worstError", result.WorstError);
                if (double.IsNaN(result.Epsilon))
                    writer.WriteNull("epsilon");
                else
                    writer.WriteNumber("epsilon", result.Epsilon);
                writer.WriteNumber("seconds", seconds);
                writer.WriteString("file", file);
                writer.WriteString("message", result.Message);
                writer.WriteEndObject();
            }
            console.Output.WriteLine(Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length));
            return;
        }
        Line("status", result.Status);
        Line("matrix", $"{result.Rows} x {result.Columns}");
        Line("pairs", $"{result.Pairs}, {result.Iterations} computed now, {result.Missing} missing");
        Line("entries", string.Join(", ", counts.Select(count => $"{count.Count} {count.Name}")));
        Line("worst error", result.WorstError);
        if (!double.IsNaN(result.Epsilon))
            Line("epsilon", result.Epsilon);
        Line("seconds", seconds);
        if (file is not null)
            Line("file", file);
        if (result.Message.Length > 0)
            Line("message", result.Message);

        void Line(string name, object value) =>
            console.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name, -24}{value}"));
    }

    /// <summary>Hands the share that is done to the drawing thread.</summary>
    sealed class Shares(ProgressSink sink) : IProgress<SolverProgress>
    {
        public void Report(SolverProgress value) => sink.Report(value.Fraction);
    }
}
