using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using OT.Backends;
using OT.Pairwise;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Solvers.Sparse;

namespace OT.Benchmarks;

/// <summary>
/// Our side of <c>benchmarks/peers</c>: solves one problem several times in a warm process and prints one JSON object.
/// Every time holds the whole solve from the points on, costs included, or from the matrix on where the case has one.
/// </summary>
static class PeerTimings
{
    const string Usage =
        "usage: peers sinkhorn|quadratic|batch|pairwise|network-simplex|assignment|univariate|univariate-distance|sliced FOLDER REPEATS BUDGET_SECONDS THREADS";

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
        Func<Answer> Solve() =>
            method switch
            {
                "sinkhorn" => Compared(Transport.Solve(input.Problem(), new SinkhornOptions { Tolerance = tolerance }, backend)),
                "quadratic" => Compared(
                    new QuadraticDual(new() { Tolerance = tolerance, Threads = threads }).Solve(input.Problem())
                ),
                "batch" => Of(new SinkhornBatch(new() { Tolerance = tolerance }, threads).Solve(input.Batch())),
                "pairwise" => Of(new PairwiseDistances(new() { Tolerance = tolerance, Threads = threads }).Solve(input.Pairs())),
                "network-simplex" => Compared(new NetworkSimplex().Solve(input.Problem())),
                "assignment" => Compared(new Assignment().Solve(input.Problem())),
                "univariate" => Compared(new Univariate().Solve(input.Problem())),
                "sliced" => Of(
                    Sliced
                        .Distance(Measure.Uniform(input.X), Measure.Uniform(input.Y), power, new() { Projections = 500 })
                        .Distance
                ),
                // The value without plan, potentials and problem, as the peers give it; not rooted, as theirs.
                "univariate-distance" => Of(Math.Pow(Transport.Distance(input.X, input.Y, power), power)),
                _ => throw new ArgumentException($"There is no method '{method}'. {Usage}", nameof(args)),
            };

        Func<Answer> Compared(TransportResult result) =>
            () =>
            {
                (double error, double? entry) = input.Error(result);
                string remark = entry is { } e
                    ? FormattableString.Invariant($"entries off by at most {e:0.0e+00} of the largest")
                    : "";
                return new(input.Cost(result), result.Status, result.Iterations, error, result.Backend, remark);
            };

        // The first run compiles. Tiered compilation replaces code in the background for a while after that: those runs do not count either.
        var clock = Stopwatch.StartNew();
        Func<Answer> answer;
        do
        {
            answer = Solve();
        } while (clock.Elapsed < TimeSpan.FromSeconds(Math.Min(2, budget)));

        // Penalised marginals do not tell the error of the plan: the tolerance is tightened until the plan is as near its reference as is wanted.
        while (answer() is { Status: SolverStatus.Converged, Error: { } error } && error > input.Numbers.Tolerance)
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
        return Print(seconds, answer());
    }

    /// <summary>What is told of an answer, found when the clock no longer runs.</summary>
    sealed record Answer(
        double Cost,
        SolverStatus Status = SolverStatus.Converged,
        int? Iterations = null,
        double? Error = null,
        string Backend = "",
        string Remark = ""
    );

    static Func<Answer> Of(double value) => () => new(value);

    /// <summary>The mean cost and the worst error.</summary>
    static Func<Answer> Of(SinkhornBatchResult result) =>
        () =>
            new(
                result.TransportCosts.ToArray().Average(),
                result.Converged ? SolverStatus.Converged : SolverStatus.Stalled,
                result.Iterations.ToArray().Max(),
                result.MarginalErrors.ToArray().Max(),
                "managed"
            );

    /// <summary>The mean cost above the diagonal and the worst error.</summary>
    static Func<Answer> Of(PairwiseResult result) =>
        () =>
            new(
                Enumerable.Range(0, result.Rows).SelectMany(i => result.Values.Row(i)[(i + 1)..].ToArray()).Average(),
                result.Status,
                null,
                result.WorstError,
                "managed"
            );

    static int Print(List<double> seconds, Answer answer)
    {
        Console.WriteLine(
            JsonSerializer.Serialize(
                new
                {
                    seconds,
                    setup = 0.0,
                    status = answer.Status.ToString(),
                    iterations = answer.Iterations,
                    marginalError = answer.Error,
                    transportCost = answer.Cost,
                    backend = answer.Backend,
                    remark = answer.Remark,
                }
            )
        );
        return answer.Status == SolverStatus.Converged ? 0 : 1;
    }
}
