using System.CommandLine;
using System.Diagnostics;
using OT.Problems;
using OT.Results;

namespace OT.Cli;

/// <summary><c>ot certify</c>: checks a plan from a file.</summary>
sealed class CertifyCommand(TransportArguments arguments, ParseResult parse, CommandConsole console)
{
    public int Run()
    {
        bool json = parse.GetValue(arguments.Json);
        ProblemInput input = new ProblemInput(arguments, parse, console.OpenReader()).ReadFiles();
        LinearProblem problem = input.Build(input.IsEntropic);
        if (input.MassMismatch(problem) is { } mismatch)
        {
            console.Error.WriteLine($"ot: {mismatch}");
            return CommandLine.Infeasible;
        }
        int rows = problem.Geometry.Rows;
        int columns = problem.Geometry.Columns;
        string path = parse.GetValue(arguments.Plan)!;
        TransportPlan plan = Outputs.ReadPlan(path, rows, columns, console.Cancellation);
        Potentials? potentials = parse.GetValue(arguments.Potentials) is { } file
            ? Outputs.ReadPotentials(file, rows, columns)
            : null;

        console.Progress.Phase = "certifying";
        long start = Stopwatch.GetTimestamp();
        Certificate certificate = Verify(problem, plan, potentials, path);
        Verdict verdict = Verdict.Of(problem, certificate, null, parse.GetValue(arguments.Tolerance) ?? 1e-6);
        bool passed = verdict.Standing is Standing.Certified or Standing.Feasible;
        if (!console.TryClaimOutput())
            return CommandLine.StoppedEarly;
        new Report
        {
            Status = passed ? "Certified" : "NotCertified",
            Method = "certify",
            Why = potentials is null
                ? "a plan alone: its marginals and its cost"
                : "a plan and potentials: both sides of the duality gap",
            Value = certificate.PlanValue,
            TransportCost = certificate.PlanTransportCost,
            Epsilon = problem.Regularizer is EntropyRegularizer entropy ? entropy.Epsilon.Resolve(problem.Geometry) : 0,
            Rows = rows,
            Columns = columns,
            Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
            Verdict = verdict.Text,
        }
            .With(certificate)
            .Write(console.Output, json);
        return passed ? CommandLine.Success : CommandLine.StoppedEarly;
    }

    Certificate Verify(LinearProblem problem, TransportPlan plan, Potentials? potentials, string path)
    {
        try
        {
            return Certificate.Verify(problem, plan, potentials, console.Progress, console.Cancellation);
        }
        catch (ArgumentException e)
        {
            throw new InputException($"{path}: {CommandLine.OneLine(e)}", e);
        }
    }
}
