using FsCheck;
using FsCheck.Fluent;
using OT.Geometries;
using OT.Numerics;
using OT.Pairwise;
using OT.Problems;
using OT.Solvers.Exact;

namespace OT.Tests.Pairwise;

/// <summary>Which number of a pair.</summary>
public enum Kind
{
    Cost,
    Wasserstein,
    Entropic,
    EntropicCost,
    Divergence,
    Sliced,
}

/// <summary>Some measures and what is asked of them, named by numbers: prints on one line, shrinks by count, replays by value.</summary>
/// <param name="Count">Measures, K.</param>
/// <param name="Size">Points of each at most, or bins.</param>
/// <param name="Seed">Everything random follows from it.</param>
/// <param name="Kind">What is computed.</param>
/// <param name="Histograms">Over one set of bins, or clouds of their own.</param>
public sealed record SomeMeasures(int Count, int Size, ulong Seed, Kind Kind, bool Histograms)
{
    public static Arbitrary<SomeMeasures> Any() =>
        Arb.From(
            from count in Gen.Choose(1, 6)
            from size in Gen.Choose(1, 9)
            from seed in Gen.Choose(0, int.MaxValue)
            from kind in Gen.Elements(Enum.GetValues<Kind>())
            from histograms in Gen.Elements(true, false)
            select new SomeMeasures(count, size, (ulong)seed, kind, histograms && kind != Kind.Sliced),
            Smaller
        );

    static IEnumerable<SomeMeasures> Smaller(SomeMeasures value)
    {
        if (value.Count > 1)
            yield return value with
            {
                Count = value.Count - 1,
            };
        if (value.Size > 1)
            yield return value with
            {
                Size = value.Size - 1,
            };
    }

    public const double Eps = 0.1;

    public PairwiseQuantity Quantity =>
        Kind switch
        {
            Kind.Cost => PairwiseQuantity.TransportCost,
            Kind.Wasserstein => PairwiseQuantity.Wasserstein(1.5),
            Kind.Entropic => PairwiseQuantity.EntropicValue(Epsilon.Absolute(Eps)),
            Kind.EntropicCost => PairwiseQuantity.EntropicCost(Epsilon.Absolute(Eps)),
            Kind.Divergence => PairwiseQuantity.Divergence(Epsilon.Absolute(Eps)),
            _ => PairwiseQuantity.Sliced(2, new SlicedOptions { Projections = 7, Seed = Seed }),
        };

    /// <summary>Measures with zero weights and repeated points among them; the last of three and more is the first again.</summary>
    public Measure[] Measures()
    {
        var random = new SeededRandom(Seed);
        var measures = new Measure[Count];
        for (int k = 0; k < Count; k++)
        {
            int n = Histograms ? Size : 1 + random.NextInt(Size);
            var weights = new double[n];
            double sum = 0;
            for (int i = 0; i < n; i++)
                sum += weights[i] = i > 0 && random.NextInt(4) == 0 ? 0 : 0.05 + random.NextDouble();
            for (int i = 0; i < n; i++)
                weights[i] /= sum;
            measures[k] = Measure.Of(weights, Histograms ? null : Points(n, random));
        }
        if (Count > 2)
            measures[^1] = measures[0];
        return measures;
    }

    static Matrix Points(int n, SeededRandom random)
    {
        var points = new double[2 * n];
        for (int k = 0; k < points.Length; k++)
            points[k] = Math.Round(4 * random.NextDouble()) / 4;
        return new Matrix(n, 2, points);
    }

    /// <summary>The bins' costs; distances where these are asked for.</summary>
    public CostMatrix Bins()
    {
        Matrix bins = Points(Size, new SeededRandom(Seed ^ 77));
        return CostMatrix.From(new PointCloud(bins, bins, Ground));
    }

    public GroundCost Ground => Kind == Kind.Wasserstein ? GroundCost.Euclidean : GroundCost.SquaredEuclidean;

    public PairwiseProblem Problem(Measure[] rows, Measure[]? columns = null) =>
        Histograms
            ? PairwiseProblem.OfHistograms(Quantity, Bins(), rows, columns)
            : PairwiseProblem.OfClouds(Quantity, rows, columns, Kind == Kind.Sliced ? null : Ground);

    public PairwiseProblem Problem() => Problem(Measures());
}
