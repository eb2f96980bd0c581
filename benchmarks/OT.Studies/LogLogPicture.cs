using System.Globalization;
using System.Text;
using OT.Visuals;

namespace OT.Studies;

/// <summary>Curves on logarithmic axes, one panel above the other, each curve named at its end.</summary>
static class LogLogPicture
{
    const double Width = 860;
    const double Left = 76;
    const double Right = 560;
    const double Height = 220;
    const double Gap = 86;
    static readonly string[] s_dashes = ["none", "7 4", "2 3", "9 3 2 3", "12 3", "4 2"];

    public static string Svg(
        string title,
        IReadOnlyCollection<(string Panel, string Series, double X, double Y)> points,
        string across = "iterations"
    )
    {
        var canvas = new SvgCanvas();
        canvas.Text(16, 30, title, "h");
        double top = 76;
        foreach (var panel in points.GroupBy(p => p.Panel))
        {
            Draw(canvas, panel.Key, [.. panel.Where(p => p.X > 0 && p.Y > 0)], top, across);
            top += Height + Gap;
        }
        return canvas.Document(
            Width,
            top - 24,
            title,
            "Curves of a study on logarithmic axes; the numbers are in the table beside."
        );
    }

    static void Draw(
        SvgCanvas canvas,
        string name,
        (string Panel, string Series, double X, double Y)[] points,
        double top,
        string across
    )
    {
        canvas.Text(Left, top - 10, name);
        if (points.Length == 0)
            return;
        (double lowX, double highX) = Decades(points.Select(p => p.X));
        (double lowY, double highY) = Decades(points.Select(p => p.Y));
        var right = new Axis(lowX, highX, Left, Right);
        var up = new Axis(lowY, highY, top + Height, top);
        for (double decade = lowX; decade <= highX; decade++)
        {
            canvas.Add($"""<path class="g" d="M{right.At(decade):0.##} {top:0.##}V{top + Height:0.##}"/>""");
            canvas.Text(right.At(decade), top + Height + 18, Power(decade), "m s");
        }
        for (double decade = lowY; decade <= highY; decade++)
        {
            canvas.Add($"""<path class="g" d="M{Left:0.##} {up.At(decade):0.##}H{Right:0.##}"/>""");
            canvas.Text(Left - 8, up.At(decade) + 4, Power(decade), "e s");
        }
        canvas.Text((Left + Right) / 2, top + Height + 36, across, "m s");
        double free = top;
        int k = 0;
        foreach (var series in points.GroupBy(p => p.Series).OrderByDescending(s => s.Last().Y))
        {
            var path = new StringBuilder();
            foreach (var p in series)
            {
                path.Append(
                    CultureInfo.InvariantCulture,
                    $"{(path.Length == 0 ? 'M' : 'L')}{right.At(Math.Log10(p.X)):0.##} {up.At(Math.Log10(p.Y)):0.##}"
                );
            }
            canvas.Add($"""<path class="line" stroke-dasharray="{s_dashes[k++ % s_dashes.Length]}" d="{path}"/>""");
            var end = series.Last();
            double y = Math.Max(free, up.At(Math.Log10(end.Y)) + 4);
            canvas.Text(Right + 8, y, series.Key, "s");
            free = y + 14;
        }
    }

    static (double Low, double High) Decades(IEnumerable<double> values)
    {
        double[] logs = [.. values.Select(Math.Log10)];
        double low = Math.Floor(logs.Min() + 1e-9);
        return (low, Math.Max(low + 1, Math.Ceiling(logs.Max() - 1e-9)));
    }

    static string Power(double decade) => string.Create(CultureInfo.InvariantCulture, $"1e{decade:0}");
}
