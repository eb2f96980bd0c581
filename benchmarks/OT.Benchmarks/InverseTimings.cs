using System.Diagnostics;
using System.Globalization;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Inverse;

namespace OT.Benchmarks;

/// <summary>
/// <c>OT.Benchmarks inverse</c>: whole fits of 50 terms, 5 of which matter, to 2000 pairs, with the residual of the optimality conditions and whether the support is the true one.
/// </summary>
static class InverseTimings
{
    const int Pairs = 2000;
    const int Count = 50;
    const int Repeats = 3;
    static readonly int[] s_support = [3, 10, 20, 30, 40];

    public static int Run()
    {
        (Matrix source, Matrix target) = Draw();
        using var backend = new ManagedBackend(2);
        Console.WriteLine($"{Pairs} pairs, {Count} terms, 2 threads; medians of {Repeats}. Wanted: the support in 10 s.\n");
        Console.WriteLine("| terms | algorithm | seconds | iterations | residual | support |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (bool stored in (bool[])[false, true])
        {
            CostDictionary dictionary = stored
                ? CostDictionary.Of([.. Enumerable.Range(0, Count).Select(k => Term(source, target, k))])
                : CostDictionary.SquaredDifferences(source, target);
            var problem = new InverseProblem(dictionary, ObservedCoupling.OfPairs(Pairs)) { Lambda = 8 / Math.Sqrt(Pairs) };
            foreach (
                InverseAlgorithm algorithm in (InverseAlgorithm[])[InverseAlgorithm.Newton, InverseAlgorithm.ProximalGradient]
            )
            {
                var solver = new InverseTransport(new() { Algorithm = algorithm }, backend);
                var seconds = new List<double>();
                InverseTransportResult r = null!;
                for (int k = 0; k < Repeats; k++)
                {
                    long start = Stopwatch.GetTimestamp();
                    r = solver.Solve(problem);
                    seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                }
                seconds.Sort();
                string found =
                    r.Converged && r.Support.SequenceEqual(s_support) ? "exact" : $"{r.Status}: {string.Join(' ', r.Support)}";
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {(stored ? "stored tables" : "squared differences")} | {algorithm} | {seconds[Repeats / 2]:F2} | {r.Iterations} | {r.KktResidual:0.0e+0} | {found} |"
                    )
                );
            }
        }
        return 0;
    }

    /// <summary>One coordinate at a time: with A = −1 and ε = 1 the correlation of x and y is ψ(1) = 2/(1 + √5).</summary>
    static (Matrix Source, Matrix Target) Draw()
    {
        double correlation = 2 / (1 + Math.Sqrt(5));
        var random = new SeededRandom(3);
        double[] x = new double[Pairs * Count],
            y = new double[Pairs * Count];
        for (int k = 0; k < x.Length; k++)
        {
            (x[k], y[k]) = (random.NextNormal(), random.NextNormal());
            if (s_support.Contains(k % Count))
                y[k] = (correlation * x[k]) + (Math.Sqrt(1 - (correlation * correlation)) * y[k]);
        }
        return (new Matrix(Pairs, Count, x), new Matrix(Pairs, Count, y));
    }

    static CostMatrix Term(Matrix source, Matrix target, int k)
    {
        Matrix Column(Matrix points) => new(Pairs, 1, [.. Enumerable.Range(0, Pairs).Select(i => points[i, k])]);
        return CostMatrix.From(new PointCloud(Column(source), Column(target)));
    }
}
