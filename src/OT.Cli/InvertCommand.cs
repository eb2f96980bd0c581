using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using OT.Backends;
using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Inverse;

namespace OT.Cli;

/// <summary><c>ot invert</c>: the parameter of a cost from pairs or from a plan, with its certificates.</summary>
sealed class InvertCommand(InvertArguments arguments, ParseResult parse, CommandConsole console)
{
    readonly TableReader _reader = console.OpenReader();

    public int Run()
    {
        if (console.Ranks is not null)
            throw new InputException("ot invert runs in one process: start it without mpirun.");
        string? theta = parse.GetValue(arguments.Theta);
        if (theta is not null && Path.GetExtension(theta) is not (".csv" or ".npy"))
            throw new InputException($"--theta {theta}: a parameter is .csv or .npy.");
        RefuseReplacement(theta);
        InverseProblem problem = Problem();
        using IBackend backend = Backends.Open(arguments.Shared, parse, null);
        var solver = new InverseTransport(Options(), backend);
        console.Progress.Phase = "learning";
        long start = Stopwatch.GetTimestamp();
        InverseTransportResult result = parse.GetValue(arguments.Folds) is { } folds
            ? Chosen(solver, problem, (int)folds)
            : solver.Solve(problem, console.Cancellation);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        bool finite = double.IsFinite(result.Loss);
        Report report = Describe(result, backend, seconds);
        if (finite && !console.AnyInterrupted)
        {
            console.Progress.Phase = "certifying";
            report = Certified(report, solver, result);
        }
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        if (theta is not null && finite)
            Write(theta, result);
        report.Write(console.Output, parse.GetValue(arguments.Shared.Json));
        return result.Converged ? CommandLine.Success : CommandLine.StoppedEarly;
    }

    /// <summary>Refuses to write over what is read.</summary>
    void RefuseReplacement(string? theta)
    {
        if (theta is null)
            return;
        string?[] inputs =
        [
            parse.GetValue(arguments.Source),
            parse.GetValue(arguments.Target),
            parse.GetValue(arguments.Plan),
            parse.GetValue(arguments.FixedCost),
            parse.GetValue(arguments.Groups),
            parse.GetValue(arguments.PenaltyWeights),
            .. parse.GetValue(arguments.Term) ?? [],
        ];
        if (
            inputs.Any(input =>
                input is not (null or "-")
                && string.Equals(Path.GetFullPath(input), Path.GetFullPath(theta), StringComparison.Ordinal)
            )
        )
            throw new InputException($"--theta {theta}: is read too: give another name.");
    }

    InverseTransportResult Chosen(InverseTransport solver, InverseProblem problem, int folds)
    {
        if (parse.GetValue(arguments.Lambda) is not null)
            throw new InputException("--lambda means nothing with --folds, which chooses it.");
        return solver
            .CrossValidate(problem, [], folds, (ulong)(parse.GetValue(arguments.Seed) ?? 0), console.Cancellation)
            .Result;
    }

    InverseProblem Problem()
    {
        string? source = parse.GetValue(arguments.Source),
            target = parse.GetValue(arguments.Target),
            plan = parse.GetValue(arguments.Plan);
        string[] terms = parse.GetValue(arguments.Term) ?? [];
        if (parse.GetValue(arguments.Seed) is not null && parse.GetValue(arguments.Folds) is null)
            throw new InputException("--seed means nothing without --folds.");
        InverseProblem problem;
        if (terms.Length > 0)
        {
            if (source is not null || parse.GetValue(arguments.Terms) is not null)
                throw new InputException("--term means nothing with SOURCE and TARGET or --terms: the matrices are the terms.");
            if (plan is null)
                throw new InputException("--term needs --plan: without points there are no pairs.");
            var dictionary = CostDictionary.Of([.. terms.Select(ReadTerm)]);
            problem = new InverseProblem(dictionary, Observed(plan, dictionary));
        }
        else
        {
            if (source is null || target is null)
                throw new InputException("SOURCE and TARGET are missing: points of both sides, or --term for each cost matrix.");
            Func<Matrix, Matrix, CostDictionary> make = (parse.GetValue(arguments.Terms) ?? "bilinear") switch
            {
                "bilinear" => CostDictionary.Bilinear,
                "squares" => CostDictionary.SquaredDifferences,
                var name => throw new InputException($"--terms {name}: not known: there are bilinear and squares."),
            };
            (Matrix x, Matrix y) = (Points(source), Points(target));
            if (plan is null && x.Rows != y.Rows)
                throw new InputException(
                    $"{source} has {x.Rows} points, {target} has {y.Rows}: pairs need as many; give --plan for another coupling."
                );
            if (plan is not null)
            {
                CostDictionary dictionary = make(x, y);
                problem = new InverseProblem(dictionary, Observed(plan, dictionary));
            }
            else if (parse.GetValue(arguments.FixedCost) is not null)
                problem = new InverseProblem(make(x, y), ObservedCoupling.OfPairs(x.Rows)); // points stay where the matrix has them
            else
                problem = InverseProblem.FromPairs(x, y, make);
        }
        return problem with
        {
            FixedCost = parse.GetValue(arguments.FixedCost) is { } file ? ReadFixed(file) : null,
            Epsilon = parse.GetValue(arguments.Shared.Epsilon) ?? 1,
            Lambda = Strength(),
            Penalty = ReadPenalty(),
            Constraint = InvertArguments.ParseConstraint(parse.GetValue(arguments.Constraint) ?? "none"),
            Convention = InvertArguments.ParseConvention(parse.GetValue(arguments.Convention) ?? "cost"),
        };
    }

    double Strength()
    {
        if (parse.GetValue(arguments.Lambda) is not { } text)
            return 0;
        return
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double lambda)
            && lambda >= 0
            && double.IsFinite(lambda)
            ? lambda
            : throw new InputException($"--lambda {text}: must be a finite number, 0 or more.");
    }

    ParameterPenalty ReadPenalty()
    {
        string name = parse.GetValue(arguments.Penalty) ?? "l1";
        string? groups = parse.GetValue(arguments.Groups),
            weights = parse.GetValue(arguments.PenaltyWeights);
        if (groups is not null && name is not "group")
            throw new InputException("--groups means nothing without --penalty group.");
        if (weights is not null && name is not "l1")
            throw new InputException("--penalty-weights means nothing without --penalty l1.");
        switch (name)
        {
            case "l1" when weights is not null:
                Table table = List(weights);
                table.Require(weight => weight >= 0 && double.IsFinite(weight), "a weight must be finite and not negative");
                return ParameterPenalty.WeightedL1(table.ToDoubles());
            case "l1":
                return ParameterPenalty.L1;
            case "nuclear":
                return ParameterPenalty.Nuclear;
            case "group":
                if (groups is null)
                    throw new InputException("--penalty group needs --groups: the group of each term.");
                Table list = List(groups);
                list.Require(
                    group => group == Math.Floor(group) && Math.Abs(group) <= int.MaxValue,
                    "a group must be a whole number"
                );
                return ParameterPenalty.Group([.. list.ToDoubles().Select(group => (int)group)]);
            default:
                throw new InputException($"--penalty {name}: not known: there are l1, group and nuclear.");
        }
    }

    Table List(string path)
    {
        Table table = _reader.Read(path);
        return table.Rows == 1 || table.Columns == 1
            ? table
            : throw new InputException($"{path}: {table.Rows} x {table.Columns} numbers: one row or one column is wanted.");
    }

    Matrix Points(string path)
    {
        Table table = _reader.Read(path);
        table.Require(double.IsFinite, "a coordinate must be finite");
        return new Matrix(table.Rows, table.Columns, table.ToDoubles());
    }

    CostMatrix ReadTerm(string path)
    {
        Table table = _reader.Read(path);
        table.Require(double.IsFinite, "a term must be finite; forbid pairs in --fixed-cost");
        return new CostMatrix(table.Rows, table.Columns, table.ToDoubles());
    }

    CostMatrix ReadFixed(string path)
    {
        Table table = _reader.Read(path);
        table.Require(
            cost => !double.IsNaN(cost) && !double.IsNegativeInfinity(cost),
            "a cost must be finite, or inf to forbid the pair"
        );
        return new CostMatrix(table.Rows, table.Columns, table.ToDoubles());
    }

    ObservedCoupling Observed(string path, CostDictionary dictionary)
    {
        TransportPlan plan = Outputs.ReadPlan(path, dictionary.Rows, dictionary.Columns, console.Cancellation);
        try
        {
            return plan is SparsePlan sparse ? ObservedCoupling.Of(sparse.Values) : ObservedCoupling.Of(plan.ToDense());
        }
        catch (ArgumentException e)
        {
            throw new InputException($"{path}: {CommandLine.OneLine(e)}", e);
        }
    }

    InverseTransportOptions Options()
    {
        var options = new InverseTransportOptions
        {
            Tolerance = parse.GetValue(arguments.Shared.Tolerance) ?? 1e-6,
            TimeLimit = parse.GetValue(arguments.Shared.TimeLimit) is { } seconds
                ? TimeSpan.FromSeconds(Math.Min(seconds, 1e9))
                : Timeout.InfiniteTimeSpan,
            Progress = console.Progress,
        };
        return parse.GetValue(arguments.Shared.MaxIterations) is { } most ? options with { MaxIterations = (int)most } : options;
    }

    static Report Describe(InverseTransportResult result, IBackend backend, double seconds) =>
        new()
        {
            Status = result.Status.ToString(),
            Method = "inverse",
            Why = result.Why,
            Value = result.Objective,
            LowerBound = result.LowerBound,
            Gap = result.Gap,
            MarginalError = result.MarginalError,
            Iterations = result.Iterations,
            Epsilon = result.Epsilon,
            Backend = result.Backend.Length > 0 ? result.Backend : backend.Name,
            Threads = backend.Threads,
            Rows = result.Plan.Rows,
            Columns = result.Plan.Columns,
            Seconds = seconds,
            SetupSeconds = result.Timings.Setup.TotalSeconds,
            TransferSeconds = result.Timings.Transfer.TotalSeconds,
            Message = result.Message,
            Inverse =
            [
                ("convention", result.Problem.Convention == CostConvention.Surplus ? "surplus" : "cost"),
                ("loss", result.Loss),
                ("lambda", result.Problem.Lambda),
                ("lambdaMax", result.LambdaMax),
                ("kktResidual", result.KktResidual),
                ("theta", result.Theta.ToArray()),
                ("support", result.Support.ToArray()),
            ],
        };

    /// <summary>Proved bounds, and whether the support could be told from other data of this kind.</summary>
    Report Certified(Report report, InverseTransport solver, InverseTransportResult result)
    {
        InverseCertificate certificate = result.Certify();
        string verdict = certificate.LowerBound is { } lower
            ? FormattableString.Invariant($"certified: the optimum lies between {lower:G6} and {certificate.UpperBound:G6}")
            : FormattableString.Invariant($"certified: the objective is at most {certificate.UpperBound:G6}");
        bool separable =
            result.Problem.Penalty is not NuclearPenalty && result.Problem.Constraint != ParameterConstraint.PositiveSemidefinite;
        if (separable && !result.Support.IsEmpty)
        {
            try
            {
                Irrepresentability support = solver.PreCertificate(result.Problem, result.Theta.AsSpan(), console.Cancellation);
                report = report with
                {
                    Inverse =
                    [
                        .. report.Inverse,
                        ("margin", support.Margin),
                        ("condition", support.Condition),
                        ("preCertificate", support.PreCertificate.ToArray()),
                    ],
                };
            }
            catch (Exception e) when (e is OperationCanceledException or ArgumentException)
            {
                // What was learned is worth more than this: the report goes out without it, and says so.
                report = report with
                {
                    Message = $"{report.Message} No pre-certificate: {CommandLine.OneLine(e)}".Trim(),
                };
            }
        }
        return report with { LowerBound = certificate.LowerBound, Gap = certificate.Gap, Verdict = verdict };
    }

    static void Write(string path, InverseTransportResult result)
    {
        Matrix parameter = result.Parameter ?? new Matrix(result.Theta.Length, 1, [.. result.Theta]);
        if (Path.GetExtension(path) is ".npy")
        {
            NpyFile.Write(path, parameter.Values.ToArray(), parameter.Rows, parameter.Columns);
            return;
        }
        using var writer = new StreamWriter(path, append: false, new UTF8Encoding(false));
        writer.NewLine = "\n";
        for (int i = 0; i < parameter.Rows; i++)
            writer.WriteLine(
                string.Join(',', parameter.Row(i).ToArray().Select(value => value.ToString("R", CultureInfo.InvariantCulture)))
            );
    }
}
