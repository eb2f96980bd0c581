using System.CommandLine;
using System.Globalization;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;

namespace OT.Cli;

/// <summary><c>ot solve --batch OFFSETS</c>: many entropic problems in a row, one line out for each.</summary>
sealed class BatchCommand(TransportArguments arguments, ParseResult parse, CommandConsole console)
{
    const string OffsetRule = "an offset must be a whole number, not negative";

    public int Run()
    {
        Check();
        TableReader reader = console.OpenReader();
        ProblemBatch batch = Read(reader) with
        {
            Regularizer = ProblemInput.EntropyOf(arguments, parse),
            PenaltyA = Penalty(arguments.RhoSource),
            PenaltyB = Penalty(arguments.RhoTarget),
        };
        var options = new SinkhornOptions
        {
            Tolerance = parse.GetValue(arguments.Tolerance) ?? 1e-6,
            TimeLimit = parse.GetValue(arguments.TimeLimit) is { } seconds
                ? TimeSpan.FromSeconds(Math.Min(seconds, 1e9))
                : Timeout.InfiniteTimeSpan,
        };
        if (parse.GetValue(arguments.MaxIterations) is { } most)
            options = options with { MaxIterations = (int)most };
        var outputs = new Outputs(arguments, parse, console.Writes);
        using IBackend? backend = OpenBackend();
        console.Progress.Phase = "solving";
        SinkhornBatchResult result = new SinkhornBatch(options, (int?)parse.GetValue(arguments.Threads), backend).Solve(
            batch,
            console.Cancellation
        );
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        console.Progress.Phase = "writing";
        if (result.Count > 0)
            outputs.WritePotentials(result.AllPotentials());
        Write(result);
        return result.Converged ? CommandLine.Success
            : result.Statuses.Contains(SolverStatus.Infeasible) ? CommandLine.Infeasible
            : CommandLine.StoppedEarly;
    }

    /// <summary>The back end that was named; none for the threads of the host, which are the best of all but a device.</summary>
    IBackend? OpenBackend()
    {
        if (parse.GetValue(arguments.Backend) is { } name and not "auto")
        {
            return name.StartsWith("mpi", StringComparison.Ordinal)
                ? throw new InputException($"--backend {name} means nothing with --batch: batches are solved in one process.")
                : Backends.Open(arguments, parse, ranks: null);
        }
        return parse.GetValue(arguments.Memory) is null
            ? null
            : throw new InputException("--memory means nothing with --batch but for a --backend that is named.");
    }

    /// <summary>Refuses what means nothing for many problems.</summary>
    void Check()
    {
        if (parse.GetValue(arguments.Method) is { } method and not ("auto" or "sinkhorn"))
            throw new InputException($"--method {method} means nothing with --batch: batches are solved by sinkhorn.");
        foreach (
            Option option in (ReadOnlySpan<Option>)
                [
                    arguments.Plan,
                    arguments.Plot,
                    arguments.Trace,
                    arguments.Checkpoint,
                    arguments.Resume,
                    arguments.Precision,
                    arguments.WeightsColumn,
                    arguments.Lambda,
                    arguments.Labels,
                    arguments.Neighbours,
                ]
        )
        {
            if (parse.GetResult(option) is { Implicit: false })
                throw new InputException($"{option.Name} means nothing with --batch.");
        }
        if (parse.GetValue(arguments.CostMatrix) is null)
            return;
        foreach (
            Option<string?> option in (ReadOnlySpan<Option<string?>>)
                [arguments.Cost, arguments.WeightsSource, arguments.WeightsTarget]
        )
        {
            if (parse.GetValue(option) is not null)
                throw new InputException($"{option.Name} means nothing with --cost-matrix: SOURCE and TARGET are the weights.");
        }
    }

    ProblemBatch Read(TableReader reader)
    {
        string path = parse.GetValue(arguments.Batch)!;
        Table offsets = reader.Read(path);
        if (offsets.Columns != 2)
        {
            throw new InputException(
                $"{path}: {offsets.Columns} columns: offsets are two, where each problem begins in SOURCE and in TARGET, and a last row with their lengths."
            );
        }
        offsets.Require(value => value >= 0 && value <= int.MaxValue && value == Math.Floor(value), OffsetRule);
        int[] ofSource = [.. Enumerable.Range(0, offsets.Rows).Select(k => (int)offsets[k, 0])],
            ofTarget = [.. Enumerable.Range(0, offsets.Rows).Select(k => (int)offsets[k, 1])];
        Table source = reader.Read(parse.GetValue(arguments.Source)!),
            target = reader.Read(parse.GetValue(arguments.Target)!);
        if (parse.GetValue(arguments.CostMatrix) is { } costs)
        {
            return ProblemBatch.OfCosts(Line(reader.Read(costs)), Line(source), ofSource, Line(target), ofTarget);
        }
        return ProblemBatch.OfPoints(
            new Matrix(source.Rows, source.Columns, source.ToDoubles()),
            ofSource,
            new Matrix(target.Rows, target.Columns, target.ToDoubles()),
            ofTarget,
            Weights(reader, arguments.WeightsSource, source),
            Weights(reader, arguments.WeightsTarget, target),
            TransportArguments.ParseCost(parse.GetValue(arguments.Cost) ?? "sqeuclidean")
        );
    }

    double[]? Weights(TableReader reader, Option<string?> option, Table points)
    {
        if (parse.GetValue(option) is not { } path)
            return null;
        double[] weights = Line(reader.Read(path));
        return weights.Length == points.Rows
            ? weights
            : throw new InputException(
                $"{path}: {weights.Length} weights for the {points.Rows} points of {points.Name}: the counts must be equal."
            );
    }

    static double[] Line(Table table) =>
        table.Rows == 1 || table.Columns == 1
            ? table.ToDoubles()
            : throw new InputException(
                $"{table.Name}: {table.Rows} x {table.Columns} numbers: with --batch they are one row or one column, one problem after another."
            );

    MarginalPenalty Penalty(Option<double?> rho) =>
        parse.GetValue(rho) is { } value
            ? TransportArguments.ParsePenalty(parse.GetValue(arguments.Penalty) ?? "kl")(value)
            : MarginalPenalty.Exact;

    /// <summary>One line per problem: a JSON object, or comma-separated values under a header.</summary>
    void Write(SinkhornBatchResult result)
    {
        bool json = parse.GetValue(arguments.Json);
        double[] values = result.Values();
        if (!json)
            console.Output.WriteLine("problem,status,value,transportCost,marginalError,iterations,epsilon");
        for (int k = 0; k < result.Count; k++)
        {
            string value = Number(values[k], json),
                cost = Number(result.TransportCosts[k], json),
                error = Number(result.MarginalErrors[k], json),
                epsilon = Number(result.Epsilons[k], json);
            SolverStatus status = result.Statuses[k];
            int iterations = result.Iterations[k];
            console.Output.WriteLine(
                json
                    ? string.Create(
                        CultureInfo.InvariantCulture,
                        $$"""{"problem":{{k}},"status":"{{status}}","value":{{value}},"transportCost":{{cost}},"marginalError":{{error}},"iterations":{{iterations}},"epsilon":{{epsilon}}}"""
                    )
                    : string.Create(CultureInfo.InvariantCulture, $"{k},{status},{value},{cost},{error},{iterations},{epsilon}")
            );
            if (status == SolverStatus.Infeasible)
                console.Error.WriteLine($"ot: problem {k}: infeasible: {result[k].Message}");
        }
        console.Output.Flush();
    }

    /// <summary>Shortest text that reads back as the same double; what is not a number is null in JSON and empty otherwise.</summary>
    static string Number(double value, bool json) =>
        double.IsFinite(value) ? value.ToString("R", CultureInfo.InvariantCulture)
        : json ? "null"
        : "";
}
