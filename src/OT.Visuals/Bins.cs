namespace OT.Visuals;

/// <summary>Equal intervals of a line: one around each position where these are evenly spaced and few, else enough to show the shape.</summary>
readonly record struct Bins(double Low, double High, int Count)
{
    public static Bins Of(ReadOnlySpan<double> positions, int most)
    {
        double[] sorted = [.. positions.ToArray().Distinct().Order()];
        (double low, double high) = Axis.Range(sorted);
        if (sorted.Length is var n && n > 1 && n <= most)
        {
            double step = (sorted[^1] / (n - 1)) - (sorted[0] / (n - 1));
            // A thousandth of a step is far below a pixel.
            if (Enumerable.Range(1, n - 1).All(k => Math.Abs((sorted[k] - sorted[k - 1]) / step - 1) < 1e-3))
                return new Bins(low - (step / 2), high + (step / 2), n);
        }
        return new Bins(low, high, (int)Math.Clamp(2 * Math.Sqrt(positions.Length), Math.Min(20, most), most));
    }

    public int IndexOf(double position) => Math.Clamp((int)(new Axis(Low, High, 0, Count).At(position)), 0, Count - 1);

    public double[] Sums(ReadOnlySpan<double> positions, ReadOnlySpan<double> weights)
    {
        var sums = new double[Count];
        for (int i = 0; i < positions.Length; i++)
            sums[IndexOf(positions[i])] += weights[i];
        return sums;
    }
}
