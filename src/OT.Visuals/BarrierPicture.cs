using System.Globalization;
using OT.Applications.Rebasin;

namespace OT.Visuals;

/// <summary>The loss along straight lines between networks, one curve for each pair, as a self-contained SVG.</summary>
public static class BarrierPicture
{
    const double Width = 760;
    const double Left = 76;
    const double Right = Width - 200;
    const double Top = 62;
    const double Bottom = Top + 300;

    // Okabe and Ito's colours that are seen on light and dark pages; strokes differ besides.
    static readonly (string Colour, string Dashes)[] s_strokes =
    [
        ("#d55e00", "none"),
        ("#0072b2", "7 3"),
        ("#009e73", "none"),
        ("#cc79a7", "2 2"),
        ("#e69f00", "9 3 2 3"),
    ];

    /// <summary>The reports as SVG text; non-finite losses leave gaps.</summary>
    /// <param name="reports">Each with its name for the legend; curves beyond the fifth repeat strokes.</param>
    /// <exception cref="ArgumentException">There is no report.</exception>
    public static string Svg(params IReadOnlyList<(string Name, BarrierReport Report)> reports)
    {
        ArgumentNullException.ThrowIfNull(reports);
        if (reports.Count == 0)
            throw new ArgumentException("There is no report to draw.", nameof(reports));
        const string title = "Loss between two networks";
        string values = string.Join(
            ", ",
            reports.Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Name} {r.Report.Barrier:F3}"))
        );
        var canvas = new SvgCanvas();
        canvas.Text(16, 30, title, "h");
        canvas.Text(16, 50, "barriers: " + values, "s");
        double[] losses = [.. reports.SelectMany(r => r.Report.Losses).Where(double.IsFinite)];
        if (losses.Length == 0)
        {
            canvas.Text(Width / 2, (Top + Bottom) / 2, "no loss is finite", "m s");
            return canvas.Document(Width, Bottom + 50, title, values);
        }
        var across = new Axis(0, 1, Left, Right);
        (double low, double high) = Axis.Range(losses.Append(0));
        var up = new Axis(low, high, Bottom, Top);
        canvas.Below(across, Top, Bottom, "share of the second network", grid: false);
        canvas.Left(up, Left, Right, "loss", grid: true);
        for (int k = 0; k < reports.Count; k++)
        {
            (string colour, string dashes) = s_strokes[k % s_strokes.Length];
            string stroke = $"fill:none;stroke-width:2;stroke:{colour};stroke-dasharray:{dashes}";
            canvas.Add($"""<path style="{stroke}" d="{Curve(reports[k].Report, across, up)}"/>""");
            double y = Top + 12 + (22 * k);
            canvas.Add($"""<path style="{stroke}" d="M{Right + 16:0} {y - 4:0}h30"/>""");
            canvas.Text(Right + 54, y, reports[k].Name);
        }
        return canvas.Document(Width, Bottom + 50, title, values);
    }

    /// <summary>Writes <see cref="Svg"/> to a file as UTF-8; an existing file is replaced.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(string path, params IReadOnlyList<(string Name, BarrierReport Report)> reports) =>
        File.WriteAllText(path, Svg(reports));

    static string Curve(BarrierReport report, Axis across, Axis up)
    {
        var path = new System.Text.StringBuilder();
        bool pen = false;
        for (int i = 0; i < report.Positions.Length; i++)
        {
            bool finite = double.IsFinite(report.Losses[i]);
            if (finite)
                path.Append(
                    CultureInfo.InvariantCulture,
                    $"{(pen ? 'L' : 'M')}{across.At(report.Positions[i]):0.##} {up.At(report.Losses[i]):0.##}"
                );
            pen = finite;
        }
        return path.ToString();
    }
}
