using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Engines;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Classes;

namespace OT.Benchmarks;

/// <summary>Sums of norms and its comparators on five Gaussian classes in the plane, the target rotated; costs have the largest value 1. Ten neighbours on both sides.</summary>
/// <remarks>The gap or the marginal error reached is printed once per case.</remarks>
[SimpleJob(RunStrategy.Monitoring, launchCount: 1, warmupCount: 1, iterationCount: 5)]
public class ClassBenchmarks
{
    const double Epsilon = 0.01;

    LinearProblem _problem = null!;
    Matrix _x = null!;
    Matrix _y = null!;
    int[] _labels = [];

    [Params(1000)]
    public int Points { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        var random = new SeededRandom(0);
        double[] centres = [.. Enumerable.Range(0, 10).Select(_ => 3 * random.NextNormal())];
        _labels = [.. Enumerable.Range(0, Points).Select(_ => random.NextInt(5))];
        int[] others = [.. Enumerable.Range(0, Points).Select(_ => random.NextInt(5))];
        _x = Draw(_labels, 1, 0);
        _y = Draw(others, 0.8, 0.6);
        var cloud = CostMatrix.From(new PointCloud(_x, _y));
        double most = cloud.Statistics.Max;
        double[] costs = [.. Enumerable.Range(0, Points * Points).Select(k => cloud.Cost(k / Points, k % Points) / most)];
        _problem = new LinearProblem(new CostMatrix(Points, Points, costs), Measure.Uniform(_x), Measure.Uniform(_y));
        foreach (double lambda in (double[])[0.01, 0.1])
        {
            SumOfNormsResult fused = Fused(lambda, 1e-4);
            Console.WriteLine(
                $"// lambda {lambda}: {fused.Status}, {fused.Iterations} iterations, relative gap {fused.Gap / fused.Value:E1}"
            );
        }
        Console.WriteLine(
            $"// LpL1: marginal error {LeastClasses().MarginalError:E1}, group lasso: {GroupNorms().MarginalError:E1}"
        );

        Matrix Draw(int[] labels, double cos, double sin)
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
    }

    SumOfNormsResult Fused(double lambda, double gap) =>
        new SumOfNorms(new() { RelativeGap = gap }).Solve(
            _problem with
            {
                Regularizer = Regularizer.SumOfNorms(lambda, PairWeights.Nearest(_x), PairWeights.Nearest(_y)),
            }
        );

    LinearProblem Entropic => _problem with { Regularizer = Regularizer.Entropy(Problems.Epsilon.Absolute(Epsilon)) };

    [Benchmark]
    public SumOfNormsResult WeakTo1e4() => Fused(0.01, 1e-4);

    [Benchmark]
    public SumOfNormsResult StrongTo1e4() => Fused(0.1, 1e-4);

    [Benchmark]
    public SumOfNormsResult WeakTo1e6() => Fused(0.01, 1e-6);

    [Benchmark]
    public ClassRegularizedResult LeastClasses() => new LpL1().Solve(Entropic, _labels);

    [Benchmark]
    public ClassRegularizedResult GroupNorms() => new EntropicGroupLasso().Solve(Entropic, _labels);
}
