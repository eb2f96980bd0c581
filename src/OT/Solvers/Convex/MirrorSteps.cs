using System.Globalization;
using OT.Numerics;

namespace OT.Solvers.Convex;

/// <summary>The lengths of the steps, from the weights and from the gradients' spreads B_s seen so far.</summary>
internal sealed class MirrorSteps
{
    /// <summary>Weights below this share of the mass count as that in δ: their logarithms would make the first steps explode.</summary>
    const double WeightFloor = 1e-20;

    /// <summary>Smaller spreads have no finite reciprocal, or nearly so: such a gradient is constant.</summary>
    const double SmallestSpread = 1e-290;

    /// <summary>A gap of this share of F's terms is rounding: none smaller is asked for.</summary>
    public const double GapRounding = 1.0 / (1L << 40);

    readonly MirrorSinkhornOptions _options;
    readonly double _largestStep;
    readonly double _delta;
    readonly double _information;
    double _squares; // Σ B_s² in units of the largest one
    int _count;

    public MirrorSteps(
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> b,
        MirrorSinkhornOptions options,
        double largestStep = double.PositiveInfinity
    )
    {
        (_options, _largestStep) = (options, largestStep);
        (double deltaA, double entropyA) = Sizes(a);
        (double deltaB, double entropyB) = Sizes(b);
        (_delta, _information) = (deltaA + deltaB, Math.Min(entropyA, entropyB));
    }

    /// <summary>The largest spread seen, or the bound given.</summary>
    public double Bound { get; private set; }

    /// <summary>b scaled to a's mass, and a sentence where that is more than the rounding of sums.</summary>
    public static (Measure B, string Remark) SameMass(Measure a, Measure b)
    {
        const double rounding = 1e-14;
        double ratio = a.Mass / b.Mass;
        return (
            ratio == 1 ? b : b.Scale(ratio),
            Math.Abs(ratio - 1) <= rounding
                ? ""
                : string.Create(CultureInfo.InvariantCulture, $"Target weights were scaled by {ratio:G17} to the source mass.")
        );
    }

    /// <summary>η_t for the next t; 0 for a constant gradient, which changes no plan.</summary>
    public double Next(double spread)
    {
        _count++;
        double given = _options.GradientBound ?? 0;
        double bound = Math.Max(Bound, given > 0 ? given : spread);
        if (bound < SmallestSpread)
            return 0;
        _squares *= Bound / bound * (Bound / bound);
        _squares += given > 0 ? 1 : spread / bound * (spread / bound);
        Bound = bound;
        double share =
            _options.Step == StepRule.Constant
                ? Math.Sqrt(2 * _information / _options.MaxIterations)
                : Math.Sqrt(_delta / _squares);
        return Math.Min(Math.Min(share, 1) / bound, _largestStep);
    }

    /// <summary>|log w|_∞ and the entropy of weights of mass 1.</summary>
    static (double Largest, double Entropy) Sizes(ReadOnlySpan<double> weights)
    {
        double mass = Summation.Sum(weights),
            largest = 0;
        Compensated entropy = default;
        foreach (double weight in weights)
        {
            if (weight == 0)
                continue;
            double share = weight / mass,
                log = -Math.Log(Math.Max(share, WeightFloor));
            largest = Math.Max(largest, log);
            entropy.Add(share * log);
        }
        return (largest, entropy.Value);
    }
}
