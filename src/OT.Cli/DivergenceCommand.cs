using System.CommandLine;
using System.Diagnostics;
using OT.Accelerators.Gpu;
using OT.Backends;
using OT.Geometries;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;

namespace OT.Cli;

/// <summary><c>ot divergence</c>: three entropic problems, their certified bounds, and the gradient where it is wanted.</summary>
sealed class DivergenceCommand(TransportArguments arguments, ParseResult parse, CommandConsole console)
{
    public int Run()
    {
        bool json = parse.GetValue(arguments.Json);
        Outputs outputs = console.Settled(() => new Outputs(arguments, parse, console.Writes));
        ProblemInput input = new ProblemInput(arguments, parse, console.OpenReader()).ReadFiles();
        Precision precision = TransportArguments.ParsePrecision(parse.GetValue(arguments.Precision) ?? "double");
        using IBackend backend = Backends.Open(arguments, parse, console.Ranks?.Ranks);
        console.Progress.Phase = "solving";
        long start = Stopwatch.GetTimestamp();
        LinearProblem problem = WithPenalty(input.Build(entropic: true));
        DivergenceResult result = new SinkhornDivergence(Options(precision), backend).Solve(problem, console.Cancellation);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var report = new Report
        {
            Status = result.Status.ToString(),
            Method = "sinkhorn-divergence",
            Why = "OT(a, b) - OT(a, a)/2 - OT(b, b)/2 with one epsilon",
            Value = result.Value,
            CrossValue = result.Cross.Value,
            SelfValueSource = result.SelfSource?.Value,
            SelfValueTarget = result.SelfTarget?.Value,
            MarginalError = result.MarginalError,
            Iterations = result.Iterations,
            Epsilon = result.Epsilon,
            Backend = result.Backend.Length > 0 ? result.Backend : backend.Name,
            Precision = TransportArguments.NameOf(precision),
            Threads = backend.Threads,
            Rows = problem.Geometry.Rows,
            Columns = problem.Geometry.Columns,
            Seconds = seconds,
            SetupSeconds = result.Timings.Setup.TotalSeconds,
            TransferSeconds = result.Timings.Transfer.TotalSeconds,
            Message = result.Message,
        };
        if (result.Status == SolverStatus.Infeasible)
        {
            if (!console.TryClaimOutput())
                return CommandLine.StoppedEarly;
            console.Error.WriteLine($"ot: {input.MassMismatch(problem) ?? $"infeasible: {result.Message}"}");
            if (json)
                report.Write(console.Output, json);
            return CommandLine.Infeasible;
        }
        bool evaluated = double.IsFinite(result.Value) && !console.AnyInterrupted;
        PointGradient? points = null;
        if (evaluated)
        {
            report = WithBounds(report, result);
            console.Progress.Phase = "differentiating";
            if (outputs.WantsGradient && problem.Geometry is PointCloud)
            {
                points =
                    backend is GpuBackend
                        ? result.Points(backend, console.Cancellation)
                        : result.Points(backend.Threads, console.Cancellation);
            }
        }
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        if (evaluated)
            outputs.WriteGradient(result, points);
        else if (outputs.WantsGradient)
            console.Error.WriteLine(
                $"ot: {parse.GetValue(arguments.Gradient)} not written: the run stopped before there was a gradient."
            );
        report.Write(console.Output, json);
        return result.Converged && evaluated ? CommandLine.Success : CommandLine.StoppedEarly;
    }

    LinearProblem WithPenalty(LinearProblem problem)
    {
        if (parse.GetValue(arguments.Rho) is not { } rho)
            return problem;
        var penalty = MarginalPenalty.KullbackLeibler(rho);
        return problem with { PenaltyA = penalty, PenaltyB = penalty };
    }

    SinkhornOptions Options(Precision precision)
    {
        var options = new SinkhornOptions
        {
            Tolerance = parse.GetValue(arguments.Tolerance) ?? 1e-6,
            TimeLimit = parse.GetValue(arguments.TimeLimit) is { } seconds
                ? TimeSpan.FromSeconds(Math.Min(seconds, 1e9))
                : Timeout.InfiniteTimeSpan,
            Progress = console.Progress,
            Precision = precision,
        };
        return parse.GetValue(arguments.MaxIterations) is { } most ? options with { MaxIterations = (int)most } : options;
    }

    Report WithBounds(Report report, DivergenceResult result)
    {
        console.Progress.Phase = "certifying";
        (double lower, double upper) = result.Certify();
        return report with
        {
            DualValue = lower,
            FeasibleValue = upper,
            Gap = upper - lower,
            Verdict = FormattableString.Invariant($"certified: the divergence lies between {lower:G6} and {upper:G6}"),
        };
    }
}
