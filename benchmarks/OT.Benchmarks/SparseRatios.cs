using System.Diagnostics;
using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Sparse;

namespace OT.Benchmarks;

/// <summary>
/// <c>OT.Benchmarks sparse [n]</c>: quadratic transport to several errors, and plans of at most k entries a column beside our own Sinkhorn at the epsilon whose plan costs as much, medians of one run.
/// </summary>
static class SparseRatios
{
    const int Repeats = 5;

    /// <summary>Halvings of the interval that holds the epsilon of equal cost.</summary>
    const int Halvings = 12;

    public static int Run(string[] args)
    {
        int n = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 4096;
        Quadratic();
        Limited(n, gamma: n / 1000.0);
        return 0;
    }

    static void Quadratic()
    {
        Console.WriteLine(
            "Quadratic: squared distances between normal clouds in the plane, the largest cost 1, points streamed; medians.\n"
        );
        Console.WriteLine("| n | gamma | L1 error wanted | seconds | L1 error reached | gap | steps |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach ((int n, double gamma) in ((int, double)[])[(1000, 1), (1000, 10), (2000, 1), (2000, 10), (4000, 1)])
        {
            foreach (double tolerance in (double[])[1e-8, 1e-12])
            {
                LinearProblem problem = Problem(n, Regularizer.Quadratic(gamma));
                var solver = new QuadraticDual(new QuadraticOptions { Tolerance = tolerance });
                (double seconds, TransportResult result) = Median(() => solver.Solve(problem));
                Row(
                    $"| {n} | {gamma} | {tolerance:0e+0} | {seconds:0.000} | {result.MarginalError:0.0e+0} | {result.Certify().Gap:0.0e+0} | {result.Iterations} |"
                );
            }
        }
    }

    static void Limited(int n, double gamma)
    {
        Row(
            $"\nAt most k entries a column, n = {n}, gamma = {gamma}: relaxation solved to 1e-6 of its value and of the marginals; Sinkhorn to 1e-6 at the epsilon of equal cost.\n"
        );
        Console.WriteLine(
            "| k | seconds | gap of the relaxation / value | tied columns | error of the plan | entries of the plan | Sinkhorn: epsilon / largest cost | seconds | ratio |"
        );
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (int k in (int[])[2, 4, 8, 16, 32, 64])
        {
            LinearProblem problem = Problem(n, Regularizer.Sparsity(gamma, k));
            var solver = new KSparseDual();
            (double seconds, KSparseResult result) = Median(() => solver.Solve(problem));
            double gap = result.Relaxed.Certify().Gap!.Value / result.DualValue;
            double epsilon = EqualCost(problem, result.Relaxed.TransportCost);
            LinearProblem entropic = problem with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)) };
            (double soft, TransportResult _) = Median(() => new Sinkhorn().Solve(entropic));
            Row(
                $"| {k} | {seconds:0.00} | {gap:0.0e+0} | {result.Ties.Length} | {result.MarginalError:0.0e+0} | {result.Plan.NonZeros} | {epsilon:0.0e+0} | {soft:0.00} | {seconds / soft:0.00} |"
            );
        }
    }

    /// <summary>ε at which Sinkhorn's plan costs what is given: the cost grows with ε.</summary>
    static double EqualCost(LinearProblem problem, double cost)
    {
        double low = 1e-6,
            high = 0.1;
        for (int step = 0; step < Halvings; step++)
        {
            double middle = Math.Sqrt(low * high);
            TransportResult result = new Sinkhorn(new SinkhornOptions { Tolerance = 1e-5 }).Solve(
                problem with
                {
                    Regularizer = Regularizer.Entropy(Epsilon.Absolute(middle)),
                }
            );
            (low, high) = result.TransportCost < cost ? (middle, high) : (low, middle);
        }
        return Math.Sqrt(low * high);
    }

    static LinearProblem Problem(int n, Regularizer regularizer)
    {
        var random = new SeededRandom(0);
        Matrix Cloud(double width, double shift) =>
            new(n, 2, [.. Enumerable.Range(0, 2 * n).Select(_ => width * (shift + random.NextNormal()))]);
        Matrix x = Cloud(1, 0),
            y = Cloud(1.5, 1);
        double unit = Math.Sqrt(new PointCloud(x, y).Statistics.Max);
        Matrix Scaled(Matrix points) => new(n, 2, Array.ConvertAll(points.Values.ToArray(), value => value / unit));
        (x, y) = (Scaled(x), Scaled(y));
        return new LinearProblem(new PointCloud(x, y), Measure.Uniform(x), Measure.Uniform(y)) { Regularizer = regularizer };
    }

    static (double Seconds, T Result) Median<T>(Func<T> solve)
    {
        T result = solve(); // compiles
        var seconds = new List<double>();
        for (int k = 0; k < Repeats; k++)
        {
            long start = Stopwatch.GetTimestamp();
            result = solve();
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        seconds.Sort();
        return (seconds[Repeats / 2], result);
    }

    static void Row(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
