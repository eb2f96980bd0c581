using System.CommandLine;
using System.Diagnostics;
using OT.Accelerators;
using OT.Accelerators.Mpi;
using OT.Backends;
using OT.IO;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Convex;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Solvers.Sparse;

namespace OT.Cli;

/// <summary><c>ot solve</c> and <c>ot distance</c>: read, choose, solve, certify, write.</summary>
sealed class SolveCommand(TransportArguments arguments, ParseResult parse, CommandConsole console, bool isDistance)
{
    /// <summary>Pairs up to which an interrupted run is still certified: some ten milliseconds.</summary>
    const long InterruptPairs = 1_000_000;

    /// <summary>Pairs up to which a result is certified at all: a few minutes. Sorting on a line answers far larger problems.</summary>
    const long CertifiedPairs = 30_000_000_000;

    /// <summary>Pairs up to which a run that hit its time limit is still certified: about a second.</summary>
    const long TimeLimitPairs = 100_000_000;

    /// <summary>Pairs from which one iteration takes a noticeable time.</summary>
    const long LargePairs = 1_000_000_000;

    TimeSpan CheckpointInterval => TimeSpan.FromSeconds(parse.GetValue(arguments.CheckpointEvery) ?? 5);

    readonly bool _json = parse.GetValue(arguments.Json);
    readonly Trace _trace = new(console.Progress);
    readonly Lock _writing = new();
    bool _saveFailed;
    volatile SinkhornState? _state;
    long _stateSaved = Stopwatch.GetTimestamp();
    DistributedBackend? _distributed;
    LinearProblem? _problem;

    public int Run()
    {
        if (!isDistance && parse.GetValue(arguments.Method) is "sum-of-norms")
            return new SumOfNormsCommand(arguments, parse, console).Run();
        (string asked, bool entropic) = Method();
        Outputs outputs = console.Settled(() => new Outputs(arguments, parse, console.Writes));
        console.OnAbandon = output =>
        {
            WriteState(outputs);
            if (_json)
                new Report
                {
                    Status = nameof(SolverStatus.Cancelled),
                    Method = asked,
                    Iterations = _state?.Iterations,
                    Epsilon = _state?.Epsilon,
                }.Write(output, json: true);
        };
        double? power = isDistance ? parse.GetValue(arguments.P) ?? 2 : null;
        ProblemInput input = new ProblemInput(arguments, parse, console.OpenReader()).ReadFiles(power);
        Precision precision = TransportArguments.ParsePrecision(parse.GetValue(arguments.Precision) ?? "double");
        SinkhornState? resumed = parse.GetValue(arguments.Resume) is { } path ? ReadState(path, input) : null;
        using IBackend backend = Backends.Open(arguments, parse, console.Ranks?.Ranks);
        _distributed = backend as DistributedBackend;

        console.Progress.Phase = "solving";
        long start = Stopwatch.GetTimestamp();
        LinearProblem problem = input.Build(entropic);
        if (asked is "quadratic" or "k-sparse")
            problem = problem with { Regularizer = SparseRegularizer(asked, problem) };
        _problem = problem;
        TransportMethod method = MethodOf(asked, problem, backend, precision, out string why);
        if (method == TransportMethod.Assignment && problem.A.Count != problem.B.Count)
            throw new InputException(
                $"--method assignment: {problem.A.Count} sources and {problem.B.Count} targets: it needs as many, with equal weights."
            );
        if (_distributed is not null)
            Backends.RefuseInRanks(arguments, parse, Name(method), input.IsSharded);
        TransportResult result = Solve(problem, method, backend, precision, resumed, outputs);
        bool onBackend = entropic || method == TransportMethod.MirrorSinkhorn;
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        var report = new Report
        {
            Status = result.Status.ToString(),
            Method = Name(method),
            Why = string.Join(
                "; ",
                new[] { why, result.Why, (backend as AutoBackend)?.Why }.Where(text => text is { Length: > 0 })
            ),
            Value = result.Value,
            TransportCost = result.TransportCost,
            RegularizerValue = result.RegularizerValue,
            PenaltyValueSource = result.PenaltyValueA,
            PenaltyValueTarget = result.PenaltyValueB,
            MarginalError = result.MarginalError,
            Iterations = result.Iterations,
            Epsilon = entropic ? result.Epsilon : 0,
            // Exact solvers run on no back end: they are managed code.
            Backend =
                !onBackend ? "managed"
                : result.Backend.Length > 0 ? result.Backend
                : backend.Name,
            Precision = entropic ? TransportArguments.NameOf(precision) : "double",
            Threads =
                onBackend ? backend.Threads
                : method is TransportMethod.QuadraticDual or TransportMethod.KSparseDual
                    ? (int)(parse.GetValue(arguments.Threads) ?? Environment.ProcessorCount)
                : 1,
            Rows = problem.Geometry.Rows,
            Columns = problem.Geometry.Columns,
            Seconds = seconds,
            SetupSeconds = result.Timings.Setup.TotalSeconds,
            TransferSeconds = result.Timings.Transfer.TotalSeconds,
            Message = result.Message,
        };
        if (result.Status == SolverStatus.Infeasible)
            return Refuse(report, input.MassMismatch(problem) ?? $"infeasible: {result.Message}");
        if (power is { } p)
            report = WithDistance(report, result, input, p);
        return Conclude(report, result, outputs);
    }

    /// <summary>The root of the cost; where the powers fell out of the range of doubles, the distance is solved for in units of its own.</summary>
    Report WithDistance(Report report, TransportResult result, ProblemInput input, double p)
    {
        const double resolved = 1e-280;
        if (result.Problem.Regularizer is not NoRegularizer || !result.Converged)
            return report with { Distance = Root(result.TransportCost, p) };
        if (result.TransportCost > resolved * input.A.Mass)
            return report with { Distance = Root(result.TransportCost, p) };
        double distance = Transport.Distance(input.A, input.B, p, input.Metric, console.Cancellation);
        string note =
            distance > 0 ? "The powers are below the range of doubles: the distance was solved for in units of its own." : "";
        return report with { Distance = distance, Message = $"{result.Message} {note}".Trim() };
    }

    /// <summary>Certifies, writes the files, then the report.</summary>
    int Conclude(Report report, TransportResult result, Outputs outputs)
    {
        LinearProblem problem = result.Problem;
        Certificate? certificate = Certify(result);
        Verdict? verdict = certificate is null
            ? null
            : Verdict.Of(problem, certificate, result.Value, Tolerance, result.Converged);
        report = certificate is null
            ? report with
            {
                Verdict =
                    (long)problem.A.Count * problem.B.Count > CertifiedPairs
                        ? "not made: a look at every pair would take too long"
                        : "not made: the run was stopped and the problem is large",
            }
            : report.With(certificate) with
            {
                Verdict = verdict!.Text,
            };

        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        console.Progress.Phase = "writing";
        if (parse.GetValue(arguments.Checkpoint) is { } path && result.Potentials is { } potentials)
        {
            if (_state?.Iterations != result.Iterations)
            {
                _state = new SinkhornState(
                    potentials,
                    result.Iterations,
                    result.Epsilon,
                    _state?.Relaxation ?? 1,
                    result.Errors,
                    TransportArguments.ParsePrecision(report.Precision ?? "double")
                )
                {
                    Problem = SinkhornState.ProblemOf(_problem!),
                };
            }
            Save(path, _state);
        }
        // The files come first: one that cannot be written leaves no report of a success behind.
        bool interrupted = console.AnyInterrupted;
        outputs.Write(result, interrupted, console.Error);
        outputs.WriteTrace(_trace);
        report.Write(console.Output, _json);
        bool good = result.Converged && verdict?.Standing is not Standing.Refused;
        return good && !interrupted ? CommandLine.Success : CommandLine.StoppedEarly;
    }

    Certificate? Certify(TransportResult result)
    {
        long pairs = (long)result.Plan.Rows * result.Plan.Columns;
        bool stopped = console.AnyInterrupted || result.Status == SolverStatus.Cancelled;
        if (
            pairs > CertifiedPairs
            || (stopped && pairs > InterruptPairs)
            || (result.Status == SolverStatus.TimeLimit && pairs > TimeLimitPairs)
        )
            return null;
        console.Progress.Phase = "certifying";
        try
        {
            CancellationToken watched = stopped ? CancellationToken.None : console.Cancellation;
            return _distributed is not null
                ? _distributed.Verify(result.Problem, result.Plan, result.Potentials, console.Progress, watched)
                : Certificate.Verify(result.Problem, result.Plan, result.Potentials, console.Progress, watched);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    TransportResult Solve(
        LinearProblem problem,
        TransportMethod method,
        IBackend backend,
        Precision precision,
        SinkhornState? resumed,
        Outputs outputs
    )
    {
        CancellationToken stop = console.Cancellation;
        int? threads = (int?)parse.GetValue(arguments.Threads);
        switch (method)
        {
            case TransportMethod.Sinkhorn:
                return SolveSinkhorn(problem, backend, precision, resumed, outputs);
            case TransportMethod.MirrorSinkhorn:
                return new MirrorSinkhorn(Limited(new MirrorSinkhornOptions()), backend).Solve(problem, stop);
            case TransportMethod.SparseNewton:
                return new SparseNewton(Limited(new SparseNewtonOptions { Tolerance = Tolerance }), backend).Solve(problem, stop);
            case TransportMethod.Greenkhorn:
                return new Greenkhorn(Limited(new GreenkhornOptions { Tolerance = Tolerance })).Solve(problem, stop);
            case TransportMethod.QuadraticDual:
                var quadratic = new QuadraticOptions { Tolerance = Tolerance, Threads = threads };
                return new QuadraticDual(Limited(quadratic)).Solve(problem, stop);
            case TransportMethod.KSparseDual:
                var sparse = new KSparseOptions { Tolerance = Tolerance, Threads = threads };
                return new KSparseDual(Limited(sparse)).Solve(problem, stop).Limited;
        }
        ExactOptions exact = Limited(new ExactOptions());
        return method switch
        {
            TransportMethod.Univariate => new Univariate(exact).Solve(problem, console.Cancellation),
            TransportMethod.Assignment => new Assignment(exact).Solve(problem, console.Cancellation),
            _ => new NetworkSimplex(exact).Solve(problem, console.Cancellation),
        };
    }

    TransportResult SolveSinkhorn(
        LinearProblem problem,
        IBackend backend,
        Precision precision,
        SinkhornState? resumed,
        Outputs outputs
    )
    {
        string? checkpoint = parse.GetValue(arguments.Checkpoint);
        bool large = (long)problem.A.Count * problem.B.Count > LargePairs;
        var options = new SinkhornOptions
        {
            Tolerance = Tolerance,
            Precision = precision,
            // On large problems an iteration takes a second and more: each one is shown, and a checkpoint holds few of them back.
            CheckEvery = large || outputs.Traces ? 1 : 10,
            Checkpoint = checkpoint is null ? null : state => Keep(checkpoint, state),
            CheckpointEvery = large ? 20 : 100,
        };
        var sinkhorn = new Sinkhorn(Limited(options), backend);
        return resumed is null
            ? sinkhorn.Solve(problem, console.Cancellation)
            : sinkhorn.Solve(problem, resumed, console.Cancellation);
    }

    /// <summary>Options with the limits asked for, and progress.</summary>
    T Limited<T>(T options)
        where T : SolverOptions
    {
        SolverOptions limited = options;
        limited = limited with { TimeLimit = TimeLimit, Progress = _trace };
        if (parse.GetValue(arguments.MaxIterations) is { } most)
            limited = limited with { MaxIterations = (int)most };
        return (T)limited;
    }

    double Tolerance => parse.GetValue(arguments.Tolerance) ?? 1e-6;

    TimeSpan TimeLimit =>
        parse.GetValue(arguments.TimeLimit) is { } seconds
            ? TimeSpan.FromSeconds(Math.Min(seconds, 1e9))
            : Timeout.InfiniteTimeSpan;

    /// <summary>The method asked for and whether it is entropic; options that mean nothing for it are refused.</summary>
    (string Name, bool IsEntropic) Method()
    {
        string name = parse.GetValue(arguments.Method) ?? "auto";
        bool strength =
            parse.GetValue(arguments.Epsilon) is not null
            || parse.GetValue(arguments.RhoSource) is not null
            || parse.GetValue(arguments.RhoTarget) is not null;
        bool entropic = name switch
        {
            "auto" => strength,
            "sinkhorn" or "sparse-newton" or "greenkhorn" => true,
            "exact" or "network-simplex" or "assignment" or "univariate" or "mirror-sinkhorn" or "quadratic" or "k-sparse" =>
                false,
            _ => throw new InputException(
                $"--method {name}: not known: there are auto, exact, network-simplex, assignment, univariate, sinkhorn, sparse-newton, mirror-sinkhorn, greenkhorn, quadratic, k-sparse{(isDistance ? "" : ", sum-of-norms")}."
            ),
        };
        Refuse([arguments.Lambda, arguments.Labels, arguments.Neighbours], $"{name}: give --method sum-of-norms.");
        if (!entropic)
        {
            Option[] strengths = [arguments.Epsilon, arguments.EpsilonScale];
            // Mirror Sinkhorn runs on a back end, for the exact problem.
            bool mirror = name is "mirror-sinkhorn",
                sparse = name is "quadratic" or "k-sparse";
            Option[] others =
                mirror ? [.. SinkhornsOwn.Except([arguments.Threads, arguments.Backend])]
                : sparse ? [.. SinkhornsOwn.Except([arguments.Threads])]
                : SinkhornsOwn;
            Refuse(
                [.. strengths, .. others],
                $"{(mirror || sparse ? name : "an exact method")}: give --method sinkhorn{(name is "auto" ? ", or --epsilon" : "")}."
            );
        }
        if (name is not ("quadratic" or "k-sparse"))
            Refuse([arguments.Gamma], $"{name}: give --method quadratic or k-sparse.");
        if (name is not "k-sparse")
            Refuse([arguments.K, arguments.Axis], $"{name}: give --method k-sparse.");
        if (name is "greenkhorn")
            Refuse(SinkhornsOwn, "greenkhorn: give --method sinkhorn.");
        if (name is "sparse-newton")
        {
            Option[] others =
            [
                arguments.RhoSource,
                arguments.RhoTarget,
                arguments.Penalty,
                arguments.Checkpoint,
                arguments.CheckpointEvery,
                arguments.Resume,
            ];
            Refuse([.. others, arguments.Precision], "sparse-newton: give --method sinkhorn.");
        }
        return (name, entropic);

        void Refuse(Option[] options, string rest)
        {
            foreach (Option option in options)
            {
                if (parse.GetResult(option) is { Implicit: false, Tokens: var given })
                    throw new InputException($"{option.Name} {string.Join(' ', given)} means nothing for {rest}");
            }
        }
    }

    Regularizer SparseRegularizer(string method, LinearProblem problem)
    {
        double gamma =
            parse.GetValue(arguments.Gamma)
            ?? throw new InputException($"--method {method}: --gamma is missing: how strong is the quadratic term?");
        if (method is "quadratic")
            return Regularizer.Quadratic(gamma);
        long most =
            parse.GetValue(arguments.K)
            ?? throw new InputException("--method k-sparse: --k is missing: how many entries may a column have?");
        SparseAxis axis = (parse.GetValue(arguments.Axis) ?? "columns") switch
        {
            "columns" => SparseAxis.Columns,
            "rows" => SparseAxis.Rows,
            var other => throw new InputException($"--axis {other}: not known: there are columns and rows."),
        };
        int length = axis == SparseAxis.Columns ? problem.A.Count : problem.B.Count;
        return most <= length
            ? Regularizer.Sparsity(gamma, (int)most, axis)
            : throw new InputException(
                $"--k {most}: a {(axis == SparseAxis.Columns ? "column" : "row")} has {length} entries: give no more than that."
            );
    }

    Option[] SinkhornsOwn =>
        [
            arguments.RhoSource,
            arguments.RhoTarget,
            arguments.Penalty,
            arguments.Checkpoint,
            arguments.CheckpointEvery,
            arguments.Resume,
            arguments.Threads,
            arguments.Backend,
            arguments.Precision,
        ];

    TransportMethod MethodOf(string asked, LinearProblem problem, IBackend backend, Precision precision, out string why)
    {
        long? memory = parse.GetValue(arguments.Memory);
        if (asked is "auto" or "exact")
        {
            TransportChoice choice = Transport.Choose(problem, memory, backend, precision);
            why = choice.Why;
            return choice.Method;
        }
        why = $"asked for by --method {asked}";
        TransportMethod method = asked switch
        {
            "sinkhorn" => TransportMethod.Sinkhorn,
            "mirror-sinkhorn" => TransportMethod.MirrorSinkhorn,
            "sparse-newton" => TransportMethod.SparseNewton,
            "greenkhorn" => TransportMethod.Greenkhorn,
            "quadratic" => TransportMethod.QuadraticDual,
            "k-sparse" => TransportMethod.KSparseDual,
            "univariate" => TransportMethod.Univariate,
            "assignment" => TransportMethod.Assignment,
            _ => TransportMethod.NetworkSimplex,
        };
        Transport.EnsureFits(problem, method, memory, backend, precision);
        return method;
    }

    static string Name(TransportMethod method) =>
        method switch
        {
            TransportMethod.Sinkhorn => "sinkhorn",
            TransportMethod.MirrorSinkhorn => "mirror-sinkhorn",
            TransportMethod.SparseNewton => "sparse-newton",
            TransportMethod.Greenkhorn => "greenkhorn",
            TransportMethod.QuadraticDual => "quadratic",
            TransportMethod.KSparseDual => "k-sparse",
            TransportMethod.Univariate => "univariate",
            TransportMethod.Assignment => "assignment",
            _ => "network-simplex",
        };

    int Refuse(Report report, string line)
    {
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        if (_json)
        {
            // What a solver leaves behind on the way to "no plan" is no answer.
            (
                report with
                {
                    Value = null,
                    TransportCost = null,
                    RegularizerValue = null,
                    PenaltyValueSource = null,
                    PenaltyValueTarget = null,
                    Distance = null,
                    Message = line,
                }
            ).Write(console.Output, json: true);
        }
        console.Error.WriteLine($"ot: {line}");
        return CommandLine.Infeasible;
    }

    static SinkhornState ReadState(string path, ProblemInput input)
    {
        TableReader.Open(path).Dispose();
        SinkhornState state = Checkpoint.Read(path);
        if (state.Potentials.F.Length != input.A.Count || state.Potentials.G.Length != input.B.Count)
        {
            throw new InputException(
                $"{path}: a state of {state.Potentials.F.Length} x {state.Potentials.G.Length} for a problem of {input.A.Count} x {input.B.Count}."
            );
        }
        return state;
    }

    /// <summary>Keeps the latest state, and writes one every few seconds where a file is wanted.</summary>
    void Keep(string? path, SinkhornState state)
    {
        _state = state;
        if (path is null || Stopwatch.GetElapsedTime(_stateSaved) < CheckpointInterval)
            return;
        Save(path, state);
        _stateSaved = Stopwatch.GetTimestamp();
    }

    /// <summary>Replaces the checkpoint. Where that fails, a full disk or a lost folder, the one before is kept, and the solve is worth more than either: it goes on.</summary>
    void Save(string path, SinkhornState state)
    {
        if (!console.Writes)
            return;
        try
        {
            lock (_writing)
                Checkpoint.Save(path, state);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!_saveFailed)
                console.Error.WriteLine(
                    $"ot: --checkpoint {path}: not written, and the one before is kept. {CommandLine.OneLine(e)}"
                );
            _saveFailed = true;
        }
    }

    /// <summary>What an abandoned run leaves: its latest state, from which it can go on.</summary>
    void WriteState(Outputs outputs)
    {
        if (_state is not { } state)
            return;
        if (parse.GetValue(arguments.Checkpoint) is { } path)
            Save(path, state);
        outputs.WritePotentials(state.Potentials);
    }

    static double Root(double cost, double p) => Math.Pow(Math.Max(cost, 0), 1 / p);
}
