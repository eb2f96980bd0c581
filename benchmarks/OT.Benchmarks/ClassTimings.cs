using System.Diagnostics;
using System.Globalization;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Classes;

namespace OT.Benchmarks;

/// <summary>
/// <c>OT.Benchmarks classes [folder]</c>: sums of norms to two gaps, and its comparators, on five Gaussian classes in the plane, the target rotated; costs have the largest value 1. Ten neighbours on both sides.
/// With a folder the points and labels are those that <c>benchmarks/peers/classes.py</c> left there.
/// </summary>
static class ClassTimings
{
    const int Points = 1000;
    const int Repeats = 3;
    const int WarmUps = 9; // and repeats, of what is short
    const double Epsilon = 0.01;

    public static int Run(string[] args)
    {
        (Matrix x, Matrix y, int[] labels) = args.Length > 0 ? Read(args[0]) : Drawn();
        var cloud = CostMatrix.From(new PointCloud(x, y));
        double most = cloud.Statistics.Max;
        double[] costs = [.. Enumerable.Range(0, Points * Points).Select(k => cloud.Cost(k / Points, k % Points) / most)];
        var problem = new LinearProblem(new CostMatrix(Points, Points, costs), Measure.Uniform(x), Measure.Uniform(y));

        Console.WriteLine(
            $"n = m = {Points}, ten neighbours on both sides, largest cost 1, 2 threads; medians of {Repeats}, one run of what takes longer. Wanted: a relative gap of 1e-4 in 30 s.\n"
        );
        Console.WriteLine("| problem | relative gap wanted | seconds | reached | iterations | status |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (
            (double lambda, double gap, int repeats) in ((double, double, int)[])
                [(0.01, 1e-4, Repeats), (0.1, 1e-4, Repeats), (1, 1e-4, 1), (0.01, 1e-6, 1), (0.1, 1e-6, 1)]
        )
        {
            LinearProblem fused = problem with
            {
                Regularizer = Regularizer.SumOfNorms(lambda, PairWeights.Nearest(x), PairWeights.Nearest(y)),
            };
            var solver = new SumOfNorms(new() { RelativeGap = gap, TimeLimit = TimeSpan.FromSeconds(lambda == 1 ? 30 : 120) });
            (double seconds, SumOfNormsResult r) = Median(() => solver.Solve(fused), repeats);
            Row(
                $"| sum of norms, lambda {lambda} | {gap:0e+0} | {seconds:F1} | {r.Gap / r.Value:0.0e+0} | {r.Iterations} | {r.Status} |"
            );
        }
        LinearProblem entropic = problem with { Regularizer = Regularizer.Entropy(Problems.Epsilon.Absolute(Epsilon)) };
        Console.WriteLine(
            $"\nComparators, epsilon {Epsilon}, eta 0.1.\n\n| method | seconds | objective | marginal error |\n|---|---|---|---|"
        );
        foreach ((string name, Func<ClassRegularizedResult> solve) in Comparators(entropic, labels))
        {
            for (int warm = 0; warm < WarmUps; warm++)
                solve();
            (double seconds, ClassRegularizedResult r) = Median(solve, WarmUps);
            Row($"| {name} | {seconds:F3} | {r.Value:G10} | {r.MarginalError:0.0e+0} |");
        }
        return 0;
    }

    static (string, Func<ClassRegularizedResult>)[] Comparators(LinearProblem problem, int[] labels) =>
        [
            ("LpL1, marginal errors below 1e-2", () => new LpL1(new() { Tolerance = 1e-2 }).Solve(problem, labels)),
            ("LpL1", () => new LpL1().Solve(problem, labels)),
            ("group lasso", () => new EntropicGroupLasso().Solve(problem, labels)),
        ];

    static Matrix Draw(SeededRandom random, double[] centres, int[] labels, double cos, double sin)
    {
        var points = new double[2 * labels.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            (double u, double v) = (centres[2 * labels[i]], centres[(2 * labels[i]) + 1]);
            points[2 * i] = (cos * u) + (sin * v) + (0.7 * random.NextNormal());
            points[(2 * i) + 1] = (cos * v) - (sin * u) + (0.7 * random.NextNormal());
        }
        return new Matrix(labels.Length, 2, points);
    }

    static (Matrix X, Matrix Y, int[] Labels) Drawn()
    {
        var random = new SeededRandom(0);
        double[] centres = [.. Enumerable.Range(0, 10).Select(_ => 3 * random.NextNormal())];
        int[] labels = [.. Enumerable.Range(0, Points).Select(_ => random.NextInt(5))],
            others = [.. Enumerable.Range(0, Points).Select(_ => random.NextInt(5))];
        return (Draw(random, centres, labels, 1, 0), Draw(random, centres, others, 0.8, 0.6), labels);
    }

    static (Matrix X, Matrix Y, int[] Labels) Read(string folder)
    {
        double[] Numbers(string name) =>
            [
                .. File.ReadLines(Path.Combine(folder, name))
                    .SelectMany(line => line.Split(','))
                    .Select(text => double.Parse(text, CultureInfo.InvariantCulture)),
            ];
        double[] x = Numbers("x.csv"),
            y = Numbers("y.csv");
        return (new Matrix(x.Length / 2, 2, x), new Matrix(y.Length / 2, 2, y), [.. Numbers("labels.csv").Select(v => (int)v)]);
    }

    static (double Seconds, T Result) Median<T>(Func<T> solve, int repeats)
    {
        var seconds = new List<double>();
        T result = default!;
        for (int k = 0; k < repeats; k++)
        {
            long start = Stopwatch.GetTimestamp();
            result = solve();
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        seconds.Sort();
        return (seconds[repeats / 2], result);
    }

    static void Row(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
