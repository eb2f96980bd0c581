using BenchmarkDotNet.Attributes;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;

namespace OT.Benchmarks;

/// <summary>Whole solves to an L1 error of 1e-6, costs stored or on the fly, with the error reached beside the time.</summary>
[MemoryDiagnoser]
public sealed class SinkhornBenchmarks : IDisposable
{
    LinearProblem _problem = null!;
    ManagedBackend _backend = null!;
    double _error;

    [Params(1000, 4000)]
    public int Points { get; set; }

    [Params(2, 3, 16)]
    public int Dimension { get; set; }

    [Params(false, true)]
    public bool Stored { get; set; }

    [Params(0.01, 0.001)]
    public double EpsilonOfMax { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        var random = new SeededRandom(0);
        Matrix Cloud(double scale, double shift) =>
            new(
                Points,
                Dimension,
                [.. Enumerable.Range(0, Points * Dimension).Select(_ => scale * (random.NextNormal() + shift))]
            );
        Geometry geometry = new PointCloud(Cloud(1, 0), Cloud(1.5, 1));
        double epsilon = EpsilonOfMax * geometry.Statistics.Max;
        _problem = new LinearProblem(
            Stored ? CostMatrix.From(geometry) : geometry,
            Measure.Uniform(Points),
            Measure.Uniform(Points)
        )
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
        };
        _backend = new ManagedBackend();
    }

    public void Dispose() => _backend.Dispose();

    [GlobalCleanup]
    public void Report()
    {
        Dispose();
        AccuracyColumn.Report($"{nameof(SinkhornBenchmarks)}.{nameof(Solve)}", _error, Dimension, EpsilonOfMax, Points, Stored);
    }

    [Benchmark]
    public TransportResult Solve()
    {
        TransportResult result = new Sinkhorn(new() { Tolerance = 1e-6 }, _backend).Solve(_problem);
        _error = result.MarginalError;
        return result;
    }
}
