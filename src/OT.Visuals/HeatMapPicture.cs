using System.Globalization;
using System.Text;
using OT.Geometries;
using OT.Numerics;
using OT.Results;

namespace OT.Visuals;

/// <summary>A plan as a heat map with the marginals along its sides.</summary>
static class HeatMapPicture
{
    const int MaxCells = 200;
    const double Side = 440;
    const double Left = 82;
    const double Strip = 52;
    const double Gap = 6;
    const double Width = 760;

    /// <summary>Rows downwards and columns to the right, averaged over blocks of indices.</summary>
    public static string OfIndices(TransportResult result)
    {
        TransportPlan plan = result.Plan;
        (int n, int m) = (plan.Rows, plan.Columns);
        (int down, int across) = (Math.Min(n, MaxCells), Math.Min(m, MaxCells));
        int Down(int row) => (int)((long)row * down / n);
        int Across(int column) => (int)((long)column * across / m);

        var rowsSeen = new int[down];
        var columnsIn = new int[across];
        for (int j = 0; j < m; j++)
            columnsIn[Across(j)]++;
        var cells = new double[down, across];
        PlanRows.Visit(
            plan,
            (row, columns, masses) =>
            {
                int p = Down(row);
                rowsSeen[p]++;
                for (int k = 0; k < columns.Length; k++)
                    cells[p, Across(columns[k])] += masses[k];
            }
        );
        for (int p = 0; p < down; p++)
        {
            for (int q = 0; q < across; q++)
                cells[p, q] /= Math.Max(1L, (long)rowsSeen[p] * columnsIn[q]);
        }
        double aspect = Math.Clamp((double)n / m, 0.25, 4);
        (double width, double height) = aspect > 1 ? (Side / aspect, Side) : (Side, Side * aspect);
        bool averaged = down < n || across < m;
        string what = result.Problem.Geometry is Grid ? "cell" : "";
        return Draw(
            result,
            new Panel(
                cells,
                Averages(result.Problem.A.Weights, down),
                Averages(result.Problem.B.Weights, across),
                width,
                height,
                new Axis(-0.5, n - 0.5, 0, height),
                new Axis(-0.5, m - 0.5, 0, width),
                what.Length > 0 ? "source cell" : "row (source)",
                what.Length > 0 ? "target cell" : "column (target)",
                averaged ? "mean mass of an entry" : "mass of an entry",
                1
            )
        );
    }

    /// <summary>Source positions to the right and target positions upwards: the plan as the graph of a (blurred) function.</summary>
    public static string OfPositions(TransportResult result, Matrix x, Matrix y)
    {
        var source = Bins.Of(x.Values, MaxCells);
        var target = Bins.Of(y.Values, MaxCells);
        int down = target.Count;
        var cells = new double[down, source.Count];
        double scale = (double)result.Plan.Rows / PlanRows.RowCount(result.Plan);
        PlanRows.Visit(
            result.Plan,
            (row, columns, masses) =>
            {
                int q = source.IndexOf(x[row, 0]);
                for (int k = 0; k < columns.Length; k++)
                    cells[down - 1 - target.IndexOf(y[columns[k], 0]), q] += masses[k] * scale;
            }
        );
        double[] upwards = target.Sums(y.Values, result.Problem.B.Weights);
        Array.Reverse(upwards);
        return Draw(
            result,
            new Panel(
                cells,
                upwards,
                source.Sums(x.Values, result.Problem.A.Weights),
                Side,
                Side,
                new Axis(target.Low, target.High, Side, 0),
                new Axis(source.Low, source.High, 0, Side),
                "target position",
                "source position",
                "mass of a cell",
                0,
                SourceAcross: true
            )
        );
    }

    /// <summary>What is drawn; axes in pixels from the upper left corner of the map.</summary>
    sealed record Panel(
        double[,] Cells,
        double[] DownWeights,
        double[] AcrossWeights,
        double PixelsAcross,
        double PixelsDown,
        Axis Down,
        Axis Across,
        string DownTitle,
        string AcrossTitle,
        string Unit,
        double SmallestStep,
        bool SourceAcross = false
    );

    static string Draw(TransportResult result, Panel panel)
    {
        const double Top = Headline.Height + 14 + Strip + Gap;
        double left = Left + Strip + Gap;
        double bottom = Top + panel.PixelsDown;
        double right = left + panel.PixelsAcross;
        (int down, int across) = (panel.Cells.GetLength(0), panel.Cells.GetLength(1));

        var canvas = new SvgCanvas();
        Headline.Draw(canvas, result);
        double max = panel.Cells.Cast<double>().Append(0).Max();
        canvas.Add(
            $"""<g class="cells" transform="translate({left:0.##} {Top:0.##}) scale({panel.PixelsAcross / across:0.######} {panel.PixelsDown / down:0.######})">"""
        );
        AddCells(canvas, panel.Cells, max);
        canvas.Add($"</g>");
        canvas.Add($"""<path class="g" d="M{left:0.##} {Top:0.##}H{right:0.##}V{bottom:0.##}H{left:0.##}z"/>""");

        (string sideways, string above) = panel.SourceAcross ? ("by", "bx") : ("bx", "by");
        AddBars(
            canvas,
            sideways,
            panel.DownWeights,
            (k, length) =>
                (left - Gap - (Strip * length), Top + (panel.PixelsDown * k / down), Strip * length, panel.PixelsDown / down)
        );
        AddBars(
            canvas,
            above,
            panel.AcrossWeights,
            (k, length) =>
                (
                    left + (panel.PixelsAcross * k / across),
                    Top - Gap - (Strip * length),
                    panel.PixelsAcross / across,
                    Strip * length
                )
        );
        canvas.Below(Shifted(panel.Across, left), Top, bottom, panel.AcrossTitle, grid: false, panel.SmallestStep);
        canvas.Left(Shifted(panel.Down, Top), left - Gap - Strip - 2, right, panel.DownTitle, grid: false, panel.SmallestStep);
        ColourBar(canvas, right + 28, Top, Math.Max(160, panel.PixelsDown), max, panel.Unit);
        return canvas.Document(Width, Math.Max(bottom, Top + 160) + 50, Headline.Title(result), Headline.Values(result));
    }

    static Axis Shifted(Axis axis, double by) => axis with { Start = axis.Start + by, End = axis.End + by };

    /// <summary>One path per colour; neighbours of one colour in a row become one rectangle.</summary>
    static void AddCells(SvgCanvas canvas, double[,] cells, double max)
    {
        var paths = new StringBuilder[SvgCanvas.Levels + 1];
        for (int p = 0; p < cells.GetLength(0); p++)
        {
            int start = 0;
            for (int q = 1; q <= cells.GetLength(1); q++)
            {
                int level = Level(cells[p, start], max);
                if (q < cells.GetLength(1) && Level(cells[p, q], max) == level)
                    continue;
                if (level > 0)
                    (paths[level] ??= new()).Append(CultureInfo.InvariantCulture, $"M{start} {p}h{q - start}v1h-{q - start}z");
                start = q;
            }
        }
        for (int level = 1; level < paths.Length; level++)
        {
            if (paths[level] is { } path)
                canvas.Add($"""<path class="l{level}" d="{path}"/>""");
        }
    }

    /// <summary>Colour by the square root of the mass, which keeps faint parts visible; 0 is the background.</summary>
    static int Level(double mass, double max) => mass > 0 ? (int)Math.Round(SvgCanvas.Levels * Math.Sqrt(mass / max)) : 0;

    static void AddBars(
        SvgCanvas canvas,
        string style,
        double[] weights,
        Func<int, double, (double X, double Y, double Width, double Height)> place
    )
    {
        double max = weights.Max();
        var path = new StringBuilder();
        for (int k = 0; k < weights.Length; k++)
        {
            (double x, double y, double width, double height) = place(k, weights[k] / max);
            if (weights[k] > 0)
                path.Append(CultureInfo.InvariantCulture, $"M{x:0.##} {y:0.##}h{width:0.###}v{height:0.###}h{-width:0.###}z");
        }
        canvas.Add($"""<path class="{style}" d="{path}"/>""");
    }

    static void ColourBar(SvgCanvas canvas, double x, double top, double height, double max, string unit)
    {
        double step = height / (SvgCanvas.Levels + 1);
        canvas.Add($"""<g class="cells">""");
        for (int level = 1; level <= SvgCanvas.Levels; level++)
            canvas.Add(
                $"""<rect class="l{level}" x="{x:0.##}" y="{top + height - ((level + 1) * step):0.##}" width="14" height="{step + 0.2:0.##}"/>"""
            );
        canvas.Add($"""</g><path class="g" d="M{x:0.##} {top:0.##}h14v{height:0.##}h-14z"/>""");
        foreach (double share in (ReadOnlySpan<double>)[0, 0.0625, 0.25, 0.5625, 1])
        {
            string label = max > 0 || share == 0 ? (share * max).ToString("G3", CultureInfo.InvariantCulture) : "";
            canvas.Text(x + 20, top + height - (Math.Sqrt(share) * (height - step)) - (step / 2) + 4, label, "s");
        }
        canvas.Text(x, top - 12, unit, "s");
    }

    /// <summary>Average weight in each of <paramref name="count"/> blocks.</summary>
    static double[] Averages(ReadOnlySpan<double> weights, int count)
    {
        var sums = new double[count];
        var sizes = new int[count];
        for (int i = 0; i < weights.Length; i++)
        {
            int block = (int)((long)i * count / weights.Length);
            sums[block] += weights[i];
            sizes[block]++;
        }
        for (int block = 0; block < count; block++)
            sums[block] /= sizes[block];
        return sums;
    }
}
