using System.Globalization;
using OT.Geometries;
using OT.Numerics;

namespace OT.Problems;

/// <summary>The statistic of the cost that a relative epsilon multiplies.</summary>
public enum EpsilonScale
{
    /// <summary>Epsilon is given in cost units.</summary>
    Absolute,

    /// <summary>Times the unweighted mean of the finite costs.</summary>
    Mean,

    /// <summary>Times their median; above 10⁷ pairs that of a sample, see <see cref="Geometry.MedianCost"/>.</summary>
    Median,

    /// <summary>Times their maximum.</summary>
    Max,

    /// <summary>Times their standard deviation.</summary>
    StandardDeviation,
}

/// <summary>The strength of entropic regularisation: a number in cost units, or a multiple of a statistic of the cost.</summary>
/// <remarks>Resolved once, before solving; the result reports the absolute value. A statistic that is 0 (constant cost 0) resolves to the factor itself.</remarks>
public sealed record Epsilon
{
    Epsilon(double factor, EpsilonScale scale)
    {
        Factor = Guard.Positive(factor);
        Scale = scale;
    }

    /// <summary>The number given, positive and finite.</summary>
    public double Factor { get; }

    /// <summary>What it multiplies.</summary>
    public EpsilonScale Scale { get; }

    /// <summary>0.05 of the mean cost.</summary>
    public static Epsilon Default { get; } = RelativeToMean(0.05);

    /// <summary>An epsilon in cost units.</summary>
    public static Epsilon Absolute(double epsilon) => new(epsilon, EpsilonScale.Absolute);

    /// <summary><c>factor · mean(C)</c>.</summary>
    public static Epsilon RelativeToMean(double factor) => new(factor, EpsilonScale.Mean);

    /// <summary><c>factor · median(C)</c>; above 10⁷ pairs the median is that of 10⁶ drawn with a fixed seed, see <see cref="Geometry.MedianCost"/>.</summary>
    public static Epsilon RelativeToMedian(double factor) => new(factor, EpsilonScale.Median);

    /// <summary><c>factor · max(C)</c>.</summary>
    public static Epsilon RelativeToMax(double factor) => new(factor, EpsilonScale.Max);

    /// <summary><c>factor · std(C)</c>.</summary>
    public static Epsilon RelativeToStandardDeviation(double factor) => new(factor, EpsilonScale.StandardDeviation);

    /// <summary>A factor times a scale chosen at run time.</summary>
    public static Epsilon Of(double factor, EpsilonScale scale) => new(factor, scale);

    /// <summary>The value in cost units for a geometry.</summary>
    /// <exception cref="ArgumentException">The product is not a positive finite number.</exception>
    public double Resolve(Geometry geometry) => Resolve(geometry, CancellationToken.None);

    /// <summary>The same; a pass over all pairs, where one is needed, can be cancelled.</summary>
    internal double Resolve(Geometry geometry, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        if (Scale is EpsilonScale.Max or EpsilonScale.StandardDeviation || (Scale == EpsilonScale.Mean && geometry.MeanNeedsScan))
            geometry.Scan(cancellation);
        double statistic = Scale switch
        {
            EpsilonScale.Absolute => 1,
            EpsilonScale.Mean => geometry.MeanCost,
            EpsilonScale.Median => geometry.MedianCost,
            EpsilonScale.Max => geometry.Statistics.Max,
            EpsilonScale.StandardDeviation => geometry.Statistics.StandardDeviation,
            _ => throw new ArgumentException($"{Scale} is not a scale."),
        };
        return Resolve(statistic);
    }

    /// <summary>The value in cost units for a value of the statistic; 1 stands for an absolute one.</summary>
    internal double Resolve(double statistic)
    {
        double epsilon = statistic == 0 ? Factor : Factor * statistic;
        if (!(epsilon > 0) || double.IsInfinity(epsilon))
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Epsilon {Factor} x {Scale} = {epsilon}: it must be positive and finite. Give an absolute epsilon (--epsilon), or one relative to the standard deviation (Epsilon.RelativeToStandardDeviation)."
                )
            );
        }
        return epsilon;
    }

    /// <summary>The factor and its scale.</summary>
    public override string ToString() =>
        Scale == EpsilonScale.Absolute
            ? Factor.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{Factor} x {Scale}");
}
