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
        console.Settled(() =>
        {
            if (console.Writes)
                Outputs.Check(output, "--output", "a matrix of distances is .csv, .npy or .npz", ".csv", ".npy", ".npz");
            return output;
        });
        if (parse.GetValue(arguments.Merge))
            return Merge(output);
        (int Part, int Parts)? part = Part();
        string path = part is { } share ? JournalOf(output, share.Part, share.Parts) : $"{output}.journal";
        var input = new PairwiseInput(arguments, parse, console.OpenReader());
        PairwiseProblem problem = input.Read();
        CheckDistinct(output, input.Files);
        PairwiseOptions options = Options(part ?? (1, 1));
        using IBackend? backend = OpenBackend();
        bool onItsOwn = parse.GetValue(arguments.Part) is not null;
        // What runs of other shares left; the journals of parts that were asked for one by one belong to other runs.
        string[] found = onItsOwn ? [] : JournalsOf(output);
        List<PairwiseEntry> known = Known(found, path, problem, options, backend);
        // All have looked before any begins a journal.
        console.Ranks?.Ranks.Settle(null);
        PairwiseResult result;
        using (PairwiseJournal journal = Open(path, problem, options, backend))
        {
            known.AddRange(journal.Entries);
            console.OnAbandon = _ => console.Error.WriteLine(Kept(path));
            console.Progress.Phase = "solving pairs";
            result = new PairwiseDistances(options with { Finished = journal.Add }, backend).Solve(
                problem,
                known,
                console.Cancellation
            );
        }
        if (console.Ranks is { Ranks: var ranks })
            return Join(
                ranks,
                result,
                output,
                [
                    .. found.Union(
                        Enumerable.Range(1, ranks.Size).Select(k => JournalOf(output, k, ranks.Size)),
                        StringComparer.Ordinal
                    ),
                ]
            );
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        var account = Account.Of(result);
        if (part is not null || result.Missing > 0)
        {
            Write(result, account, part is null ? null : path);
            if (result.Status is SolverStatus.Cancelled or SolverStatus.TimeLimit)
                console.Error.WriteLine(Kept(path));
            return Code(account.Status);
        }
        // All entries are there: the matrix first, as a whole, and then the journals are no longer needed.
        result.Save(output);
        foreach (string journal in found.Append(path))
            File.Delete(journal);
        Write(result, account, output);
        return Code(account.Status);
    }

    /// <summary>The back end that was asked for, or null. Entries of one matrix come from one, which the journal names.</summary>
    IBackend? OpenBackend()
    {
        if (parse.GetValue(arguments.Shared.Backend) is not { } name)
            return null;
        if (name is "auto")
            throw new InputException(
                "--backend auto: may choose otherwise when a run is resumed: name one, or give none for managed code."
            );
        if (name is "mpi" || name.StartsWith("mpi:", StringComparison.Ordinal))
            throw new InputException($"--backend {name}: pairs are not divided, each rank has its own: name what they run on.");
        return BackendCatalog.Open(name, (int?)parse.GetValue(arguments.Shared.Threads) ?? console.Ranks?.Ranks.Threads);
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

    static string JournalOf(string output, int part, int parts) =>
        string.Create(CultureInfo.InvariantCulture, $"{output}.{part}-of-{parts}.journal");

    /// <summary>The journals of an output that are there: that of one process, and those of ranks and parts.</summary>
    static string[] JournalsOf(string output)
    {
        const string end = ".journal";
        string whole = Path.GetFullPath(output);
        string begin = $"{Path.GetFileName(whole)}.";
        bool IsPart(string name) =>
            name.Length > begin.Length + end.Length
            && name.StartsWith(begin, StringComparison.Ordinal)
            && name.EndsWith(end, StringComparison.Ordinal)
            && name[begin.Length..^end.Length].Split("-of-") is [var part, var parts]
            && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _)
            && int.TryParse(parts, NumberStyles.None, CultureInfo.InvariantCulture, out _);
        string folder = Path.GetDirectoryName(output) ?? "";
        return
        [
            .. Directory
                .EnumerateFiles(Path.GetDirectoryName(whole)!)
                .Select(file => Path.GetFileName(file))
                .Where(name => string.Equals(name, begin[..^1] + end, StringComparison.Ordinal) || IsPart(name))
                .Order(StringComparer.Ordinal)
                .Select(name => Path.Combine(folder, name)),
        ];
    }

    /// <summary>Entries of journals other than this process's own; refused where nobody asked to go on from them.</summary>
    List<PairwiseEntry> Known(string[] found, string own, PairwiseProblem problem, PairwiseOptions options, IBackend? backend)
    {
        if (found.Length > 0 && !parse.GetValue(arguments.Resume))
            throw Left(found[0]);
        return
        [
            .. found
                .Where(file => !string.Equals(file, own, StringComparison.Ordinal))
                .SelectMany(file => PairwiseJournal.Read(file, problem, options, backend)),
        ];
    }

    static InputException Left(string path) =>
        new($"{path}: is left of a run that ended early: give --resume to go on from it, or delete it.");

    /// <summary>What ranks do when all are done: the first one joins their journals, and those of earlier runs, into the matrix.</summary>
    int Join(MpiCommunicator ranks, PairwiseResult result, string output, string[] journals)
    {
        int[] statuses = ranks.Gather<int>([(int)result.Status]);
        int computed = ranks.Gather<int>([result.Iterations]).Sum();
        string message = ranks.FirstFailure(result.Message) ?? "";
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        if (!console.Writes)
            return CommandLine.Success;
        PairwiseResult whole = PairwiseJournal.Merge(journals);
        var account = new Account(whole.Status, computed, result.Epsilon, message);
        if (whole.Missing > 0)
        {
            bool limited = statuses.Contains((int)SolverStatus.TimeLimit);
            Write(whole, account with { Status = limited ? SolverStatus.TimeLimit : SolverStatus.Cancelled }, null);
            console.Error.WriteLine(Kept($"{journals[0]} and the other journals beside it"));
            return CommandLine.StoppedEarly;
        }
        whole.Save(output);
        foreach (string journal in journals)
            File.Delete(journal);
        Write(whole, account, output);
        return Code(account.Status);
    }

    PairwiseJournal Open(string path, PairwiseProblem problem, PairwiseOptions options, IBackend? backend)
    {
        if (parse.GetValue(arguments.Resume))
            return PairwiseJournal.Resume(path, problem, options, backend);
        return File.Exists(path) ? throw Left(path) : PairwiseJournal.Create(path, problem, options, backend);
    }

    static string Kept(string path) =>
        $"ot: stopped, with the finished entries in {path}: the same command with --resume goes on.";

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
        Write(result, Account.Of(result), output);
        return Code(result.Status);
    }

    static void CheckDistinct(string output, IEnumerable<string> inputs)
    {
        if (inputs.Any(input => string.Equals(Path.GetFullPath(input), Path.GetFullPath(output), StringComparison.Ordinal)))
            throw new InputException($"--output {output}: is an input too: give another name.");
    }

    /// <summary>What the processes that computed a matrix tell of it together.</summary>
    /// <param name="Status">How the run ended.</param>
    /// <param name="Computed">Entries computed in this run, by all processes.</param>
    /// <param name="Epsilon">The absolute ε, NaN without one.</param>
    /// <param name="Message">What is to be said of it.</param>
    sealed record Account(SolverStatus Status, int Computed, double Epsilon, string Message)
    {
        public static Account Of(PairwiseResult result) => new(result.Status, result.Iterations, result.Epsilon, result.Message);
    }

    static int Code(SolverStatus status) =>
        status switch
        {
            SolverStatus.Converged => CommandLine.Success,
            SolverStatus.Infeasible => CommandLine.Infeasible,
            _ => CommandLine.StoppedEarly,
        };

    /// <summary>What was computed, how many entries ended how, and where they are.</summary>
    void Write(PairwiseResult result, Account account, string? file)
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
                writer.WriteString("status", account.Status.ToString());
                writer.WriteNumber("rows", result.Rows);
                writer.WriteNumber("columns", result.Columns);
                writer.WriteNumber("pairs", result.Pairs);
                writer.WriteNumber("computed", account.Computed);
                writer.WriteNumber("missing", result.Missing);
                writer.WriteStartObject("statuses");
                foreach ((string name, int count) in counts)
                    writer.WriteNumber(name, count);
                writer.WriteEndObject();
                writer.WriteNumber("worstError", result.WorstError);
                if (double.IsNaN(account.Epsilon))
                    writer.WriteNull("epsilon");
                else
                    writer.WriteNumber("epsilon", account.Epsilon);
                writer.WriteNumber("seconds", seconds);
                writer.WriteString("file", file);
                writer.WriteString("message", account.Message);
                writer.WriteEndObject();
            }
            console.Output.WriteLine(Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length));
            return;
        }
        Line("status", account.Status);
        Line("matrix", $"{result.Rows} x {result.Columns}");
        Line("pairs", $"{result.Pairs}, {account.Computed} computed now, {result.Missing} missing");
        Line("entries", string.Join(", ", counts.Select(count => $"{count.Count} {count.Name}")));
        Line("worst error", result.WorstError);
        if (!double.IsNaN(account.Epsilon))
            Line("epsilon", account.Epsilon);
        Line("seconds", seconds);
        if (file is not null)
            Line("file", file);
        if (account.Message.Length > 0)
            Line("message", account.Message);

        void Line(string name, object value) =>
            console.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name, -24}{value}"));
    }

    /// <summary>Hands the share that is done to the drawing thread.</summary>
    sealed class Shares(ProgressSink sink) : IProgress<SolverProgress>
    {
        public void Report(SolverProgress value) => sink.Report(value.Fraction);
    }
}
