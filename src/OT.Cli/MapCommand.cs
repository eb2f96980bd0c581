using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using OT.Applications.DomainAdaptation;
using OT.Backends;
using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Cli;

/// <summary><c>ot map</c>: fits a map between two domains and keeps it, or applies one that was kept.</summary>
sealed class MapCommand(MapArguments arguments, ParseResult parse, CommandConsole console)
{
    /// <summary>Pairs up to which a plan is certified, as for <c>ot solve</c>.</summary>
    const long CertifiedPairs = 30_000_000_000;

    TransportArguments Shared => arguments.Shared;

    public int Run()
    {
        if (console.Ranks is not null)
            throw new InputException("ot map runs in one process: solve under mpirun with 'ot solve'.");
        CheckOutputs();
        console.OnAbandon = output =>
        {
            if (parse.GetValue(Shared.Json))
                new Report { Status = nameof(SolverStatus.Cancelled), Method = parse.GetValue(arguments.Method) ?? "map" }.Write(
                    output,
                    json: true
                );
        };
        if (parse.GetValue(arguments.Model) is { } model)
            return Apply(model);
        if (!parse.GetValue(arguments.Fit))
            throw new InputException("is a map to be fitted or applied? Give --fit, or --model FILE.npz.");
        return Fit();
    }

    int Apply(string model)
    {
        arguments.RefuseFits(parse);
        if (parse.GetValue(Shared.Target) is { } second)
            throw new InputException($"{second} means nothing with --model: it maps one file of points.");
        string output =
            parse.GetValue(arguments.Output) ?? throw new InputException("--output is missing: where do the images go?");
        TableReader.Open(model).Dispose();
        DomainMap map = DomainMap.Load(model);
        string path = parse.GetValue(Shared.Source)!;
        Table table = console.OpenReader().Read(path);
        table.Require(double.IsFinite, "a coordinate must be finite");
        if (table.Columns != map.Dimension)
            throw new InputException(
                $"{path}: {table.Columns} coordinates a row: the map in {model} was fitted in {map.Dimension} dimensions."
            );
        console.Progress.Phase = "mapping";
        long start = Stopwatch.GetTimestamp();
        var points = new Matrix(table.Rows, table.Columns, table.ToDoubles());
        bool inverse = parse.GetValue(arguments.Inverse);
        Matrix images = inverse ? map.InverseTransform(points) : map.Transform(points);
        Report report = Describe(map, inverse) with
        {
            Rows = images.Rows,
            Columns = images.Columns,
            Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
        };
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        WritePoints(output, images);
        report.Write(console.Output, parse.GetValue(Shared.Json));
        return CommandLine.Success;
    }

    int Fit()
    {
        string method = arguments.MethodOf(parse);
        if (parse.GetValue(Shared.Target) is null)
            throw new InputException("TARGET is missing: a map is fitted to two files of points.");
        if (
            parse.GetValue(arguments.Save) is null
            && parse.GetValue(arguments.Output) is null
            && parse.GetValue(arguments.LabelOutput) is null
        )
            throw new InputException(
                "--save is missing: where is the map to be kept? (--output and --label-output will do too.)"
            );
        TableReader reader = console.OpenReader();
        ProblemInput input = new ProblemInput(Shared, parse, reader).ReadFiles();
        if (parse.GetValue(arguments.LabelOutput) is not null && parse.GetValue(arguments.Labels) is null)
            throw new InputException("--label-output means nothing without --labels.");
        using IBackend? backend = method is "sinkhorn" ? Backends.Open(Shared, parse, ranks: null) : null;
        console.Progress.Phase = "fitting";
        long start = Stopwatch.GetTimestamp();
        DomainMap map;
        if (method is "linear")
        {
            map = LinearMap.Fit(input.A, input.B, new() { Regularization = parse.GetValue(arguments.Regularization) ?? 0 });
        }
        else
        {
            var source = new Domain(input.A, Labels(arguments.Labels, reader, input.A, Shared.Source));
            var target = new Domain(input.B, Labels(arguments.TargetLabels, reader, input.B, Shared.Target));
            LinearProblem problem = input.Build(entropic: method is "sinkhorn");
            if (input.MassMismatch(problem) is { } mismatch)
            {
                console.Error.WriteLine($"ot: {mismatch}");
                return CommandLine.Infeasible;
            }
            map = PlanMap.Fit(source, target, Maker(method, problem, backend), Options(method, problem), console.Cancellation);
        }
        Matrix? images = parse.GetValue(arguments.Output) is null ? null : Images(map, input.A.Points!);
        Report report = Describe(map, inverse: false) with
        {
            Rows = input.A.Count,
            Columns = input.B.Count,
            Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
            Backend = backend?.Name ?? "managed",
            Threads = backend?.Threads,
        };
        return Conclude(report, map, images);
    }

    static Matrix Images(DomainMap map, Matrix points) =>
        map is PlanMap { Extension: not Extension.Gaussian } plan ? plan.Images : map.Transform(points);

    /// <summary>Certifies the plan, writes the files, then the report.</summary>
    int Conclude(Report report, DomainMap map, Matrix? images)
    {
        bool good = true;
        if (map is PlanMap { Result: { } result } plan && (long)plan.Plan.Rows * plan.Plan.Columns <= CertifiedPairs)
        {
            console.Progress.Phase = "certifying";
            var certificate = Certificate.Verify(
                result.Problem,
                result.Plan,
                result.Potentials,
                console.Progress,
                console.Cancellation
            );
            var verdict = Verdict.Of(
                result.Problem,
                certificate,
                result.Value,
                parse.GetValue(Shared.Tolerance) ?? 1e-6,
                result.Converged
            );
            report = report.With(certificate) with { Verdict = verdict.Text };
            good = result.Converged && verdict.Standing is not Standing.Refused;
        }
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        console.Progress.Phase = "writing";
        if (parse.GetValue(arguments.Save) is { } save)
            map.Save(save);
        if (images is not null)
            WritePoints(parse.GetValue(arguments.Output)!, images);
        if (parse.GetValue(arguments.LabelOutput) is { } labels)
            WriteShares(labels, ((PlanMap)map).TransformLabels());
        report.Write(console.Output, parse.GetValue(Shared.Json));
        return good ? CommandLine.Success : CommandLine.StoppedEarly;
    }

    PlanMaker Maker(string method, LinearProblem problem, IBackend? backend)
    {
        TimeSpan limit = parse.GetValue(Shared.TimeLimit) is { } seconds
            ? TimeSpan.FromSeconds(Math.Min(seconds, 1e9))
            : Timeout.InfiniteTimeSpan;
        int? most = (int?)parse.GetValue(Shared.MaxIterations);
        if (method is not "sinkhorn")
        {
            var exact = new ExactOptions { TimeLimit = limit, Progress = console.Progress };
            return PlanMaker.Exact(most is { } pivots ? exact with { MaxIterations = pivots } : exact);
        }
        var options = new SinkhornOptions
        {
            TimeLimit = limit,
            Tolerance = parse.GetValue(Shared.Tolerance) ?? 1e-6,
            Progress = console.Progress,
        };
        return PlanMaker.Sinkhorn(
            ((EntropyRegularizer)problem.Regularizer).Epsilon,
            most is { } iterations ? options with { MaxIterations = iterations } : options,
            backend
        );
    }

    PlanMapOptions Options(string method, LinearProblem problem)
    {
        GroundCost cost = ((PointCloud)problem.Geometry).GroundCost;
        if (parse.GetValue(arguments.Save) is not null && cost.Name.StartsWith("minkowski", StringComparison.Ordinal))
            throw new InputException($"--save: a map of the cost {cost.Name} cannot be kept: give another --cost.");
        var options = new PlanMapOptions { Cost = cost };
        return method is not "gaussian"
            ? options
            : options with
            {
                Extension = Extension.Gaussian,
                Ridge = parse.GetValue(arguments.Regularization) ?? options.Ridge,
                Bandwidth = parse.GetValue(arguments.Bandwidth),
            };
    }

    static Report Describe(DomainMap map, bool inverse)
    {
        string way = inverse ? " backwards" : "";
        if (map is not PlanMap plan)
        {
            var linear = (LinearMap)map;
            return new Report
            {
                Status = nameof(SolverStatus.Converged),
                Method = "linear",
                Why = $"the optimal map between Gaussians of these means and covariances{way}",
                TransportCost = linear.TransportCost,
                CovarianceError = linear.CovarianceError,
                Message =
                    linear.SourceRank < linear.Dimension
                        ? $"The source varies in {linear.SourceRank} of {linear.Dimension} directions; in the others points are moved by the means alone."
                        : "",
            };
        }
        string beyond = plan.Extension switch
        {
            Extension.Entropic => "new points by the plan's potentials",
            Extension.Gaussian => "displacements smoothed by a Gaussian kernel",
            _ => "new points move as the nearest fitted one",
        };
        return new Report
        {
            Status = plan.Status.ToString(),
            Method = plan.Extension == Extension.Gaussian ? "gaussian" : plan.Method,
            Why = $"centres of what the plan of {plan.Method} sends{way}; {beyond}",
            Value = plan.Result?.Value,
            TransportCost = plan.Result?.TransportCost,
            RegularizerValue = plan.Result?.RegularizerValue,
            MarginalError = plan.Result?.MarginalError,
            Iterations = plan.Result?.Iterations,
            Epsilon = plan.Epsilon,
            Message = plan.Message,
        };
    }

    /// <summary>One class for each point of a domain; none where no file is named.</summary>
    int[] Labels(Option<string?> option, TableReader reader, Measure domain, Argument<string> of)
    {
        if (parse.GetValue(option) is not { } path)
            return [];
        Table table = reader.Read(path);
        if (table.Rows != 1 && table.Columns != 1)
            throw new InputException($"{path}: {table.Rows} x {table.Columns} numbers: labels are one row or one column.");
        table.Require(
            label => double.IsNaN(label) || (label >= -1 && label <= int.MaxValue && label == Math.Floor(label)),
            "a class must be a whole number from 0, or -1 or nan where it is not known"
        );
        double[] labels = table.ToDoubles();
        return labels.Length == domain.Count
            ? Array.ConvertAll(labels, label => double.IsNaN(label) ? -1 : (int)label)
            : throw new InputException(
                $"{path}: {labels.Length} labels for the {domain.Count} points of {parse.GetValue(of)}: the counts must be equal, -1 or nan where a class is not known."
            );
    }

    void CheckOutputs()
    {
        Outputs.Check(parse.GetValue(arguments.Save), "--save", "a map is .npz", ".npz");
        Outputs.Check(parse.GetValue(arguments.Output), "--output", "points are .csv or .npy", ".csv", ".npy");
        Outputs.Check(parse.GetValue(arguments.LabelOutput), "--label-output", "classes are .csv", ".csv");
        var taken = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Argument<string> input in (ReadOnlySpan<Argument<string>>)[Shared.Source, Shared.Target])
        {
            if (parse.GetValue(input) is { } path)
                taken[Path.GetFullPath(path)] = input.Name;
        }
        foreach (
            Option<string?> input in (ReadOnlySpan<Option<string?>>)
                [arguments.Model, arguments.Labels, arguments.TargetLabels, Shared.WeightsSource, Shared.WeightsTarget]
        )
        {
            if (parse.GetValue(input) is { } path)
                taken[Path.GetFullPath(path)] = input.Name;
        }
        foreach (
            Option<string?> output in (ReadOnlySpan<Option<string?>>)[arguments.Save, arguments.Output, arguments.LabelOutput]
        )
        {
            if (parse.GetValue(output) is { } path && !taken.TryAdd(Path.GetFullPath(path), output.Name))
                throw new InputException($"{output.Name} {path}: is {taken[Path.GetFullPath(path)]} too: give another name.");
        }
    }

    static void WritePoints(string path, Matrix points)
    {
        if (Path.GetExtension(path) is ".npy")
        {
            NpyFile.Write(path, points.Values.ToArray(), points.Rows, points.Columns);
            return;
        }
        WriteRows(path, string.Join(',', Enumerable.Range(0, points.Columns).Select(k => $"x{k}")), points, _ => "");
    }

    static void WriteShares(string path, ClassShares shares)
    {
        int[] predicted = shares.Predict();
        WriteRows(
            path,
            string.Join(',', shares.Classes.Select(label => $"share_{label}").Prepend("class")),
            shares.Shares,
            i => string.Create(CultureInfo.InvariantCulture, $"{predicted[i]},")
        );
    }

    /// <summary>Digits that read back to the same doubles.</summary>
    static void WriteRows(string path, string header, Matrix rows, Func<int, string> first)
    {
        using var writer = new StreamWriter(path, append: false, new UTF8Encoding(false), bufferSize: 1 << 16);
        writer.NewLine = "\n";
        writer.WriteLine(header);
        for (int i = 0; i < rows.Rows; i++)
        {
            writer.Write(first(i));
            for (int k = 0; k < rows.Columns; k++)
                writer.Write(string.Create(CultureInfo.InvariantCulture, $"{(k == 0 ? "" : ",")}{rows[i, k]:R}"));
            writer.WriteLine();
        }
    }
}
