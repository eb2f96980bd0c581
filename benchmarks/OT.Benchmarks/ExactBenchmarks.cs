using BenchmarkDotNet.Attributes;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Benchmarks;

/// <summary>Exact solvers on the two structures that separate them: Gaussian clouds in the plane and independent costs.</summary>
/// <remarks>All are exact; the gap reached is printed by <see cref="PrintAccuracy"/> once per case.</remarks>
[MemoryDiagnoser]
public class ExactBenchmarks
{
    LinearProblem _problem = null!;
    LinearProblem _line = null!;
    Potentials? _optimal;
    Measure _source = null!;
    Measure _target = null!;

    [Params(1000, 2000)]
    public int Points { get; set; }

    [Params("cloud", "independent")]
    public string Costs { get; set; } = "";

    [GlobalSetup]
    public void Prepare()
    {
        var random = new SeededRandom(0);
        Matrix Gaussian(int dimension, double scale, double shift) =>
            new(
                Points,
                dimension,
                [.. Enumerable.Range(0, Points * dimension).Select(_ => scale * (random.NextNormal() + shift))]
            );
        Geometry geometry =
            Costs == "cloud"
                ? CostMatrix.From(new PointCloud(Gaussian(2, 1, 0), Gaussian(2, 1.5, 1)))
                : new CostMatrix(Points, Points, [.. Enumerable.Range(0, Points * Points).Select(_ => random.NextDouble())]);
        _problem = new LinearProblem(geometry, Measure.Uniform(Points), Measure.Uniform(Points));
        _line = new LinearProblem(
            new PointCloud(Gaussian(1, 1, 0), Gaussian(1, 1, 1)),
            Measure.Uniform(Points),
            Measure.Uniform(Points)
        );
        _source = Measure.Uniform(Gaussian(16, 1, 0));
        _target = Measure.Uniform(Gaussian(16, 1.2, 0.1));
        TransportResult simplex = Simplex();
        _optimal = simplex.Potentials;
        PrintAccuracy(nameof(NetworkSimplex), simplex);
        PrintAccuracy(nameof(Assignment), Matching());
        PrintAccuracy(nameof(Univariate), Line());
    }

    static void PrintAccuracy(string solver, TransportResult result)
    {
        double dual =
            Summation.Dot(result.Problem.A.Weights, result.Potentials!.F)
            + Summation.Dot(result.Problem.B.Weights, result.Potentials.G);
        Console.WriteLine(
            $"// {solver}: value {result.Value:G17}, gap {result.Value - dual:E1}, marginal error {result.MarginalError:E1}"
        );
    }

    [Benchmark(Baseline = true)]
    public TransportResult Simplex() => new NetworkSimplex().Solve(_problem);

    [Benchmark]
    public TransportResult SimplexFromOptimalPotentials() => new NetworkSimplex().Solve(_problem, _optimal);

    [Benchmark]
    public TransportResult Matching() => new Assignment().Solve(_problem);

    [Benchmark]
    public TransportResult Line() => new Univariate().Solve(_line);

    [Benchmark]
    public SlicedResult Slices() => Sliced.Distance(_source, _target);
}
