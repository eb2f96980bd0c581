using BenchmarkDotNet.Attributes;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Inverse;

namespace OT.Benchmarks;

/// <summary>Whole fits of 50 terms, 5 of which matter, to 2000 pairs, with the residual of the optimality conditions beside the time. The support found is checked: it must be the true one.</summary>
public sealed class InverseBenchmarks : IDisposable
{
    const int Count = 50;
    static readonly int[] s_support = [3, 10, 20, 30, 40];

    InverseProblem _problem = null!;
    ManagedBackend _backend = null!;
    double _residual;

    [Params(2000)]
    public int Pairs { get; set; }

    /// <summary>Squared differences of 50 coordinates, never formed, or the same as 50 stored tables.</summary>
    [Params(false, true)]
    public bool Stored { get; set; }

    [Params(InverseAlgorithm.Newton, InverseAlgorithm.ProximalGradient)]
    public InverseAlgorithm Algorithm { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        // One coordinate at a time: with A = −1 and ε = 1 the correlation of x and y is ψ(1) = 2/(1 + √5).
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
        (Matrix source, Matrix target) = (new Matrix(Pairs, Count, x), new Matrix(Pairs, Count, y));
        Geometry Term(int k)
        {
            Matrix Column(Matrix points) => new(Pairs, 1, [.. Enumerable.Range(0, Pairs).Select(i => points[i, k])]);
            return CostMatrix.From(new PointCloud(Column(source), Column(target)));
        }
        CostDictionary dictionary = Stored
            ? CostDictionary.Of([.. Enumerable.Range(0, Count).Select(Term)])
            : CostDictionary.SquaredDifferences(source, target);
        _problem = new InverseProblem(dictionary, ObservedCoupling.OfPairs(Pairs)) { Lambda = 8 / Math.Sqrt(Pairs) };
        _backend = new ManagedBackend(2);
    }

    public void Dispose() => _backend.Dispose();

    [GlobalCleanup]
    public void Report()
    {
        Dispose();
        AccuracyColumn.Report($"{nameof(InverseBenchmarks)}.{nameof(Fit)}", _residual, Algorithm, Pairs, Stored);
    }

    [Benchmark]
    public InverseTransportResult Fit()
    {
        InverseTransportResult result = new InverseTransport(new() { Algorithm = Algorithm }, _backend).Solve(_problem);
        if (!result.Converged || !result.Support.SequenceEqual(s_support))
            throw new InvalidOperationException($"{result.Status}, support {string.Join(' ', result.Support)}");
        _residual = result.KktResidual;
        return result;
    }
}
