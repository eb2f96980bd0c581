using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using OT.Backends;
using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Benchmarks;

/// <summary>
/// Our side of <c>benchmarks/peers</c>: solves one problem several times in a warm process and prints one JSON object.
/// Every time holds the whole solve from the points on, costs included.
/// </summary>
static class PeerTimings
{
    const string Usage =
        "usage: peers sinkhorn|batch|network-simplex|assignment|univariate|univariate-distance|sliced X.npy Y.npy EPSILON TOLERANCE POWER REPEATS BUDGET_SECONDS THREADS";

    public static int Run(string[] args)
    {
        if (args is not [var method, var source, var target, .. { Length: 6 } numbers])
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }
        double[] values = [.. numbers.Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
        (double epsilon, double tolerance, double power) = (values[0], values[1], values[2]);
        (int repeats, double budget, int threads) = ((int)values[3], values[4], (int)values[5]);

        Matrix x = NpyFile.Read(source).ToMatrix();
        Matrix y = NpyFile.Read(target).ToMatrix();
        using var backend = new ManagedBackend(threads);
        Answer Solve() =>
            method switch
            {
                "batch" => SolveBatch(x, y, epsilon, tolerance, threads),
                "sliced" => new(
                    Sliced.Distance(Measure.Uniform(x), Measure.Uniform(y), power, new() { Projections = 500 }).Distance
                ),
                // The value without plan, potentials and problem, as the peers give it; not rooted, as theirs.
                "univariate-distance" => new(Math.Pow(Transport.Distance(x, y, power), power)),
                _ => Answer.Of(SolveOnce(method, x, y, epsilon, tolerance, power, backend)),
            };

        // The first run compiles. Tiered compilation replaces code in the background for a while after that: those runs do not count either.
        var clock = Stopwatch.StartNew();
        Answer answer;
        do
        {
            answer = Solve();
        } while (clock.Elapsed < TimeSpan.FromSeconds(2));

        List<double> seconds = [];
        while (seconds.Count < repeats && (seconds.Count == 0 || seconds.Sum() < budget))
        {
            clock.Restart();
            answer = Solve();
            seconds.Add(clock.Elapsed.TotalSeconds);
        }
        Console.WriteLine(
            JsonSerializer.Serialize(
                new
                {
                    seconds,
                    setup = 0.0,
                    status = answer.Status,
                    iterations = answer.Iterations,
                    marginalError = answer.MarginalError,
                    transportCost = answer.Cost,
                    backend = answer.Backend,
                }
            )
        );
        return answer.Status == nameof(SolverStatus.Converged) ? 0 : 1;
    }

    sealed record Answer(
        double Cost,
        string Status = "Converged",
        int? Iterations = null,
        double? MarginalError = null,
        string Backend = ""
    )
    {
        public static Answer Of(TransportResult result) =>
            new(result.TransportCost, result.Status.ToString(), result.Iterations, result.MarginalError, result.Backend);
    }

    /// <summary>Problems between clouds in the plane, one a row; epsilon is a share of each mean cost. Gives the mean cost and the worst error.</summary>
    static Answer SolveBatch(Matrix x, Matrix y, double epsilon, double tolerance, int threads)
    {
        static int[] Offsets(Matrix clouds) => [.. Enumerable.Range(0, clouds.Rows + 1).Select(k => k * clouds.Columns / 2)];
        static Matrix Points(Matrix clouds) => new(clouds.Rows * clouds.Columns / 2, 2, clouds.Values.ToArray());
        ProblemBatch batch = ProblemBatch.OfPoints(Points(x), Offsets(x), Points(y), Offsets(y)) with
        {
            Regularizer = Regularizer.Entropy(Epsilon.RelativeToMean(epsilon)),
        };
        SinkhornBatchResult result = new SinkhornBatch(new() { Tolerance = tolerance }, threads).Solve(batch);
        return new(
            result.TransportCosts.ToArray().Average(),
            result.Converged ? nameof(SolverStatus.Converged) : nameof(SolverStatus.Stalled),
            result.Iterations.ToArray().Max(),
            result.MarginalErrors.ToArray().Max(),
            "managed"
        );
    }

    static TransportResult SolveOnce(
        string method,
        Matrix x,
        Matrix y,
        double epsilon,
        double tolerance,
        double power,
        IBackend backend
    )
    {
        GroundCost cost = power == 1 ? GroundCost.CityBlock : GroundCost.SquaredEuclidean;
        var problem = new LinearProblem(new PointCloud(x, y, cost), Measure.Uniform(x.Rows), Measure.Uniform(y.Rows));
        return method switch
        {
            "sinkhorn" => new Sinkhorn(new() { Tolerance = tolerance }, backend).Solve(
                problem with
                {
                    Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
                }
            ),
            "network-simplex" => new NetworkSimplex().Solve(problem),
            "assignment" => new Assignment().Solve(problem),
            "univariate" => new Univariate().Solve(problem),
            _ => throw new ArgumentException($"There is no method '{method}'. {Usage}", nameof(method)),
        };
    }
}
