using System.Numerics.Tensors;
using OT.Numerics;

namespace OT;

/// <summary>A discrete measure: nonnegative weights and, when there are any, the points that carry them. Immutable.</summary>
public sealed class Measure
{
    readonly double[] _weights;

    Measure(double[] weights, Matrix? points, double massSlack)
    {
        if (weights.Length == 0)
            throw new ArgumentException("A measure needs at least one weight.", nameof(weights));
        for (int i = 0; i < weights.Length; i++)
        {
            if (!(weights[i] >= 0) || double.IsInfinity(weights[i]))
                Guard.ThrowElement(nameof(weights), i, weights[i], "a weight must be finite and not negative");
        }
        if (points is not null && points.Rows != weights.Length)
        {
            throw new ArgumentException(
                $"There are {weights.Length} weights for {points.Rows} points: the counts must be equal.",
                nameof(points)
            );
        }
        if (points is not null)
            Guard.Finite(points.Values, nameof(points));
        _weights = weights;
        Points = points;
        MassSlack = massSlack;
        Mass = Summation.Sum(weights);
        if (!(Mass > 0))
            throw new ArgumentException("The total mass is 0: at least one weight must be positive.", nameof(weights));
        if (double.IsInfinity(Mass))
            throw new ArgumentException("The total mass overflows: scale the weights down.", nameof(weights));
    }

    /// <summary>Weights 1/count on <paramref name="count"/> bins, total mass 1.</summary>
    public static Measure Uniform(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        var weights = new double[count];
        Array.Fill(weights, 1.0 / count);
        return new Measure(weights, null, DoubleSlack);
    }

    /// <summary>Weights 1/n on the n rows of <paramref name="points"/>, total mass 1.</summary>
    public static Measure Uniform(Matrix points)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentOutOfRangeException.ThrowIfZero(points.Rows, nameof(points));
        var weights = new double[points.Rows];
        Array.Fill(weights, 1.0 / points.Rows);
        return new Measure(weights, points, DoubleSlack);
    }

    /// <summary>The given weights, copied; zeros are legal, the total need not be 1.</summary>
    /// <param name="weights">n finite, nonnegative numbers with a positive sum.</param>
    /// <param name="points">n × d, one row per weight, or null.</param>
    /// <exception cref="ArgumentException">A weight is negative or not finite, all are zero, or the counts differ.</exception>
    public static Measure Of(ReadOnlySpan<double> weights, Matrix? points = null) => new(weights.ToArray(), points, DoubleSlack);

    /// <inheritdoc cref="Of(ReadOnlySpan{double}, Matrix?)"/>
    /// <remarks>Weights that came as floats may miss the other side's mass by 1e-5 relative instead of 1e-9.</remarks>
    public static Measure Of(ReadOnlySpan<float> weights, Matrix? points = null)
    {
        var wide = new double[weights.Length];
        TensorPrimitives.ConvertTruncating(weights, wide);
        return new Measure(wide, points, SingleSlack);
    }

    /// <summary>Number of bins or points, zero weights included.</summary>
    public int Count => _weights.Length;

    /// <summary>Sum of the weights.</summary>
    public double Mass { get; }

    /// <summary>The weights, length <see cref="Count"/>.</summary>
    public ReadOnlySpan<double> Weights => _weights;

    /// <summary>The points that carry the weights, <see cref="Count"/> × d, or null.</summary>
    public Matrix? Points { get; }

    /// <summary>Relative difference of total mass that counts as rounding: 1e-9, or 1e-5 for weights that came as floats.</summary>
    public double MassSlack { get; }

    /// <summary>The same points with every weight multiplied by a positive factor.</summary>
    public Measure Scale(double factor)
    {
        Guard.Positive(factor);
        var scaled = new double[Count];
        TensorPrimitives.Multiply(_weights, factor, scaled);
        return new Measure(scaled, Points, MassSlack);
    }

    internal const double DoubleSlack = 1e-9;
    const double SingleSlack = 1e-5;
}
