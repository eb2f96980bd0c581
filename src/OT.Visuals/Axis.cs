using System.Globalization;

namespace OT.Visuals;

/// <summary>A linear scale from values to pixels, with round tick values.</summary>
/// <param name="Low">Value at <paramref name="Start"/>.</param>
/// <param name="High">Value at <paramref name="End"/>, greater than <paramref name="Low"/>.</param>
/// <param name="Start">Pixel of the low end.</param>
/// <param name="End">Pixel of the high end; less than <paramref name="Start"/> for an axis that points up.</param>
readonly record struct Axis(double Low, double High, double Start, double End)
{
    /// <summary>The pixel of a value.</summary>
    public double At(double value) => Start + (Share(value) * (End - Start));

    // Halves keep the differences of huge values finite.
    double Share(double value) => ((value / 2) - (Low / 2)) / ((High / 2) - (Low / 2));

    /// <summary>Multiples of 1, 2 or 5 times a power of ten, about one every <paramref name="pixels"/> pixels.</summary>
    public IEnumerable<(double Value, string Label)> Ticks(double pixels, double smallestStep = 0)
    {
        double count = Math.Max(2, Math.Abs(End - Start) / pixels);
        double raw = Math.Max(((High / count) - (Low / count)), smallestStep);
        double power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        double step = new[] { 1.0, 2, 5, 10 }.First(factor => factor * power >= raw * 0.999) * power;
        double first = Math.Ceiling(Low / step * (1 - 1e-12));
        double last = Math.Floor(High / step * (1 + 1e-12));
        // Beyond 10^15 steps from zero neighbouring ticks are the same number.
        if (!(Math.Abs(first) < 1e15) || !(last - first < 100))
            return [(Low, Label(Low, High - Low))];
        (double low, double high) = (Low, High);
        return Enumerable
            .Range(0, (int)(last - first) + 1)
            .Select(k => (first + k) * step)
            .Where(value => value >= low && value <= high)
            .Select(value => (value, Label(value, step)));
    }

    static string Label(double value, double step)
    {
        if (value == 0)
            return "0";
        if (Math.Abs(value) is >= 1e6 or < 1e-4 && step is >= 1e5 or < 1e-4)
            return value.ToString("0.###e0", CultureInfo.InvariantCulture).Replace('-', '−');
        int decimals = Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-9), 0, 12);
        return value
            .ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
            .Replace('-', '−');
    }

    /// <summary>The range of some values, widened where it is a single value.</summary>
    public static (double Low, double High) Range(IEnumerable<double> values)
    {
        double low = double.PositiveInfinity,
            high = double.NegativeInfinity;
        foreach (double value in values)
            (low, high) = (Math.Min(low, value), Math.Max(high, value));
        // Below 10^-9 of the magnitude a spread is rounding, and ticks could not be told apart.
        double least = Math.Max(Math.Abs(low), Math.Abs(high)) * 1e-9;
        if ((high / 2) - (low / 2) > least / 2)
            return (low, high);
        double margin = Math.Max(Math.Abs(low) * 0.05, low == 0 ? 0.5 : 0);
        return (low - margin, high + margin);
    }
}
