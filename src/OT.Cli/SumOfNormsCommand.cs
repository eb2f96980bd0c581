using System.CommandLine;
using System.Diagnostics;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;

namespace OT.Cli;

/// <summary><c>ot solve --method sum-of-norms</c>: its pairs, its certificate and the classes it found.</summary>
sealed class SumOfNormsCommand(TransportArguments arguments, ParseResult parse, CommandConsole console)
{
    const int Neighbours = 10;

    readonly Trace _trace = new(console.Progress);

    public int Run()
    {
        Refuse();
        var outputs = new Outputs(arguments, parse, console.Writes);
        TableReader reader = console.OpenReader();
        ProblemInput input = new ProblemInput(arguments, parse, reader).ReadFiles();
        LinearProblem problem = input.Build(entropic: false);
        int[]? labels = parse.GetValue(arguments.Labels) is { } path ? ReadLabels(reader.Read(path), problem.A.Count) : null;
        problem = problem with
        {
            Regularizer = Regularizer.SumOfNorms(
                parse.GetValue(arguments.Lambda)!.Value,
                RowPairs(problem, labels),
                ColumnPairs(problem)
            ),
        };
        var options = new SumOfNormsOptions
        {
            TimeLimit = parse.GetValue(arguments.TimeLimit) is { } seconds
                ? TimeSpan.FromSeconds(Math.Min(seconds, 1e9))
                : Timeout.InfiniteTimeSpan,
            Threads = (int?)parse.GetValue(arguments.Threads),
            Progress = _trace,
        };
        if (parse.GetValue(arguments.MaxIterations) is { } most)
            options = options with { MaxIterations = (int)most };
        console.Progress.Phase = "solving";
        long start = Stopwatch.GetTimestamp();
        SumOfNormsResult result = new SumOfNorms(options).Solve(problem, console.Cancellation);
        return Conclude(result, input, outputs, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    int Conclude(SumOfNormsResult result, ProblemInput input, Outputs outputs, double seconds)
    {
        LinearProblem problem = result.Problem;
        bool known = double.IsFinite(result.Value);
        (int kinds, int sorts) = (result.RowClusters.Distinct().Count(), result.ColumnClusters.Distinct().Count());
        string classes = FormattableString.Invariant($"{kinds} classes of rows, {sorts} of columns.");
        var report = new Report
        {
            Status = result.Status.ToString(),
            Method = "sum-of-norms",
            Why = "asked for by --method sum-of-norms",
            Value = known ? result.Value : null,
            TransportCost = known ? result.TransportCost : null,
            RegularizerValue = known ? result.Penalty : null,
            LowerBound = known ? result.LowerBound : null,
            Gap = known ? result.Gap : null,
            MarginalError = result.MarginalError,
            Iterations = result.Iterations,
            Backend = "managed",
            Precision = "double",
            Threads = (int?)parse.GetValue(arguments.Threads) ?? Environment.ProcessorCount,
            Rows = problem.A.Count,
            Columns = problem.B.Count,
            Seconds = seconds,
            Message = $"{result.Message} {(known ? classes : "")}".Trim(),
            Verdict =
                !known ? "not made: there is no plan"
                : result.Converged ? FormattableString.Invariant($"certified: no plan is better by more than {result.Gap:G3}")
                : FormattableString.Invariant($"bounded: the run stopped early; its plan may be beaten by {result.Gap:G3}"),
        };
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        bool json = parse.GetValue(arguments.Json);
        if (result.Status == SolverStatus.Infeasible)
        {
            if (json)
                report.Write(console.Output, json);
            console.Error.WriteLine($"ot: {input.MassMismatch(problem) ?? $"infeasible: {result.Message}"}");
            return CommandLine.Infeasible;
        }
        console.Progress.Phase = "writing";
        var written = new TransportResult
        {
            Problem = problem,
            Status = result.Status,
            Iterations = result.Iterations,
            Plan = result.Plan,
            Potentials = result.Potentials,
            TransportCost = result.TransportCost,
            RegularizerValue = result.Penalty,
            MarginalError = result.MarginalError,
        };
        outputs.Write(written, console.AnyInterrupted, console.Error);
        outputs.WriteTrace(_trace);
        report.Write(console.Output, json);
        return result.Converged && !console.AnyInterrupted ? CommandLine.Success : CommandLine.StoppedEarly;
    }

    PairWeights RowPairs(LinearProblem problem, int[]? labels)
    {
        bool wants = parse.GetValue(arguments.Neighbours) is not null;
        if (labels is not null && (!wants || problem.A.Points is null))
            return PairWeights.FromLabels(labels);
        if (problem.A.Points is not { } points)
        {
            throw new InputException(
                "--method sum-of-norms: with --cost-matrix there are no points to find neighbours of: give --labels for the rows."
            );
        }
        PairWeights nearest = PairWeights.Nearest(points, Nearest);
        return labels is null ? nearest : nearest.Within(labels);
    }

    PairWeights ColumnPairs(LinearProblem problem) =>
        problem.B.Points is { } points ? PairWeights.Nearest(points, Nearest) : PairWeights.None(problem.B.Count);

    int Nearest => (int)(parse.GetValue(arguments.Neighbours) ?? Neighbours);

    static int[] ReadLabels(Table table, int count)
    {
        if (table.Rows != 1 && table.Columns != 1)
            throw new InputException($"{table.Name}: {table.Rows} x {table.Columns} numbers: labels are one row or one column.");
        table.Require(
            label => label == Math.Floor(label) && label is >= -1 and <= int.MaxValue,
            "a label is a whole number from 0 to 2147483647, or -1 for none"
        );
        double[] values = table.ToDoubles();
        if (values.Length != count)
        {
            throw new InputException(
                $"{table.Name}: {values.Length} labels for {count} sources: give one for each, -1 where there is none."
            );
        }
        return Array.ConvertAll(values, value => (int)value);
    }

    /// <summary>Options that mean nothing here are refused.</summary>
    void Refuse()
    {
        if (console.Ranks is not null)
            throw new InputException("--method sum-of-norms runs in one process.");
        if (parse.GetValue(arguments.Lambda) is null)
            throw new InputException("--method sum-of-norms needs its strength: give --lambda.");
        Option[] others =
        [
            arguments.Epsilon,
            arguments.EpsilonScale,
            arguments.RhoSource,
            arguments.RhoTarget,
            arguments.Penalty,
            arguments.Tolerance,
            arguments.Checkpoint,
            arguments.CheckpointEvery,
            arguments.Resume,
            arguments.Backend,
            arguments.Precision,
            arguments.Memory,
        ];
        foreach (Option option in others)
        {
            if (parse.GetResult(option) is { Implicit: false, Tokens: var given })
                throw new InputException($"{option.Name} {string.Join(' ', given)} means nothing for sum-of-norms.");
        }
    }
}
