using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using OT.Backends;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Benchmarks;

/// <summary>
/// Our side of <c>benchmarks/peers</c>: solves one problem several times in a warm process and prints one JSON object.
/// Every time holds the whole solve from the points on, costs included, or from the matrix on where the case has one.
/// </summary>
static class PeerTimings
{
    const string Usage =
        "usage: peers sinkhorn|network-simplex|assignment|univariate|univariate-distance|sliced FOLDER REPEATS BUDGET_SECONDS THREADS";

    public static int Run(string[] args)
    {
        if (args is not [var method, var folder, .. { Length: 3 } numbers])
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }
        double[] values = [.. numbers.Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
        (int repeats, double budget, int threads) = ((int)values[0], values[1], (int)values[2]);
        PeerCase input = PeerCase.Read(folder);
        double power = input.Numbers.Power;
        double tolerance = input.Numbers.Tolerance;
        using var backend = new ManagedBackend(threads);
        (double? Value, TransportResult? Result) Solve() =>
            method switch
            {
                "sinkhorn" => (null, Transport.Solve(input.Problem(), new SinkhornOptions { Tolerance = tolerance }, backend)),
                "network-simplex" => (null, new NetworkSimplex().Solve(input.Problem())),
                "assignment" => (null, new Assignment().Solve(input.Problem())),
                "univariate" => (null, new Univariate().Solve(input.Problem())),
                "sliced" => (
                    Sliced
                        .Distance(Measure.Uniform(input.X), Measure.Uniform(input.Y), power, new() { Projections = 500 })
                        .Distance,
                    null
                ),
                // The value without plan, potentials and problem, as the peers give it; not rooted, as theirs.
                "univariate-distance" => (Math.Pow(Transport.Distance(input.X, input.Y, power), power), null),
                _ => throw new ArgumentException($"There is no method '{method}'. {Usage}", nameof(args)),
            };

        // The first run compiles. Tiered compilation replaces code in the background for a while after that: those runs do not count either.
        var clock = Stopwatch.StartNew();
        (double? value, TransportResult? result) answer;
        do
        {
            answer = Solve();
        } while (clock.Elapsed < TimeSpan.FromSeconds(Math.Min(2, budget)));

        // Penalised marginals do not tell the error of the plan: the tolerance is tightened until the plan is as near its reference as is wanted.
        while (
            answer.result is { Status: SolverStatus.Converged } found
            && input.Error(found).L1 is var error
            && error > input.Numbers.Tolerance
        )
        {
            tolerance *= Math.Min(0.5, input.Numbers.Tolerance / error);
            answer = Solve();
        }

        List<double> seconds = [];
        while (seconds.Count < repeats && (seconds.Count == 0 || seconds.Sum() < budget))
        {
            clock.Restart();
            answer = Solve();
            seconds.Add(clock.Elapsed.TotalSeconds);
        }
        return Print(seconds, answer.value, answer.result, input);
    }

    static int Print(List<double> seconds, double? value, TransportResult? result, PeerCase input)
    {
        (double L1, double? Entry)? error = result is null ? null : input.Error(result);
        SolverStatus status = result?.Status ?? SolverStatus.Converged;
        Console.WriteLine(
            JsonSerializer.Serialize(
                new
                {
                    seconds,
                    setup = 0.0,
                    status = status.ToString(),
                    iterations = result?.Iterations,
                    marginalError = error?.L1,
                    transportCost = value ?? input.Cost(result!),
                    backend = result?.Backend ?? "",
                    remark = error?.Entry is { } entry
                        ? string.Create(CultureInfo.InvariantCulture, $"entries off by at most {entry:0.0e+00} of the largest")
                        : "",
                }
            )
        );
        return status == SolverStatus.Converged ? 0 : 1;
    }
}
