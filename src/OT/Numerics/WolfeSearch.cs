namespace OT.Numerics;

/// <summary>A step length that meets the strong Wolfe conditions: enough decrease, and a slope that has flattened.</summary>
/// <remarks>Moré and Thuente, ACM TOMS 1994, for the conditions; brackets are cut by quadratic interpolation within their inner eight tenths.</remarks>
internal static class WolfeSearch
{
    const double Decrease = 1e-4;
    const double Flattening = 0.9;
    const int MaxTrials = 20;

    /// <summary>Value and slope of the objective along the line, at a step length.</summary>
    public delegate (double Value, double Slope) Along(double step);

    /// <summary>Looks for a step.</summary>
    /// <param name="along">The objective along the line; values that are not finite count as too large.</param>
    /// <param name="value">Its value at 0.</param>
    /// <param name="slope">Its slope at 0, negative.</param>
    /// <param name="start">First step tried, positive.</param>
    /// <param name="largest">Largest step.</param>
    /// <returns>The step; the best of those that decrease enough where the trials were too few; null when none did.</returns>
    public static double? Find(Along along, double value, double slope, double start, double largest)
    {
        double low = 0,
            lowValue = value,
            lowSlope = slope,
            high = double.PositiveInfinity,
            step = Math.Min(start, largest);
        double? best = null;
        for (int trial = 0; trial < MaxTrials; trial++)
        {
            (double v, double s) = along(step);
            if (!(v <= value + (Decrease * step * slope)) || v > lowValue)
            {
                high = step;
            }
            else
            {
                best = step;
                if (Math.Abs(s) <= -Flattening * slope || (s < 0 && step == largest))
                    return step;
                if (s > 0)
                    high = step;
                else
                    (low, lowValue, lowSlope) = (step, v, s);
            }
            if (double.IsPositiveInfinity(high))
            {
                step = Math.Min(2 * step, largest);
                continue;
            }
            // The minimum of the parabola through the low end, its slope, and the last value, kept off both ends.
            double width = high - low;
            double curvature = 2 * (v - lowValue - (lowSlope * (step - low))) / Math.Pow(step - low, 2);
            double guess = step > low && curvature > 0 ? low - (lowSlope / curvature) : low + (0.5 * width);
            step = Math.Clamp(double.IsFinite(guess) ? guess : low + (0.5 * width), low + (0.1 * width), low + (0.9 * width));
        }
        return best;
    }
}
