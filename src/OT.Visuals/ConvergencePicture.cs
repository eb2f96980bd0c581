using System.Globalization;
using System.Text;
using OT.Results;

namespace OT.Visuals;

/// <summary>The errors a solver recorded, one per check, on a logarithmic scale, as a self-contained SVG.</summary>
public static class ConvergencePicture
{
    const double Width = 760;
    const double Left = 76;

    /// <summary>The error history of a result as SVG text; says so when there is none.</summary>
    public static string Svg(TransportResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        (double X, double Y)[] points =
        [
            .. result
                .Errors.Select((error, check) => (X: check + 1.0, Y: Math.Log10(error)))
                .Where(point => double.IsFinite(point.Y)),
        ];
        const double Top = 62;
        const double Bottom = Top + 300;
        const string title = "Error at each check";
        string values = string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Status} after {result.Iterations} iterations and {result.Errors.Length} checks, marginal error {Headline.Small(result.MarginalError)} at the end"
        );
        var canvas = new SvgCanvas();
        canvas.Text(16, 30, title, "h");
        canvas.Text(16, 50, values, "s");
        if (points.Length == 0)
        {
            canvas.Text(Width / 2, (Top + Bottom) / 2, "no errors were recorded", "m s");
            return canvas.Document(Width, Bottom + 50, title, values);
        }

        var horizontal = new Axis(1, Math.Max(2, points[^1].X), Left, Width - 20);
        double low = Math.Floor(points.Min(point => point.Y));
        var vertical = new Axis(low, Math.Max(low + 1, Math.Ceiling(points.Max(point => point.Y))), Bottom, Top);
        canvas.Below(horizontal, Top, Bottom, "check", grid: false, smallestStep: 1);
        foreach ((double decade, _) in vertical.Ticks(40, smallestStep: 1))
        {
            double y = vertical.At(decade);
            canvas.Add($"""<path class="g" d="M{Left:0} {y:0.##}H{Width - 20:0}"/>""");
            canvas.Text(Left - 8, y + 4, string.Create(CultureInfo.InvariantCulture, $"1e{decade:0}"), "e s");
        }
        canvas.Upward(Left - 50, (Top + Bottom) / 2, "error");
        var path = new StringBuilder();
        foreach ((double x, double y) in points)
            path.Append(
                CultureInfo.InvariantCulture,
                $"{(path.Length == 0 ? 'M' : 'L')}{horizontal.At(x):0.##} {vertical.At(y):0.##}"
            );
        canvas.Add($"""<path class="line" d="{path}"/>""");
        foreach ((double x, double y) in points.Length <= 60 ? points : [points[0], points[^1]])
            canvas.Add($"""<circle class="x" cx="{horizontal.At(x):0.##}" cy="{vertical.At(y):0.##}" r="4"/>""");
        return canvas.Document(Width, Bottom + 50, title, values);
    }
}
