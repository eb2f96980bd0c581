using System.Globalization;
using System.Text;
using OT.Numerics;
using OT.Results;

namespace OT.Visuals;

/// <summary>Two clouds of points and the strongest links of the plan between them.</summary>
static class CloudPicture
{
    const int MaxLinks = 1500;
    const int MaxPoints = 1500;
    const double Ink = 0.4;
    const double Width = 760;
    const double Left = 76;
    const double Right = 20;

    public static string Draw(TransportResult result, Matrix x, Matrix y)
    {
        LinkSet links = LinkSet.Strongest(result.Plan, MaxLinks);
        int[] sources = Drawn(result.Problem.A, links.Items.Select(link => link.Row));
        int[] targets = Drawn(result.Problem.B, links.Items.Select(link => link.Column));

        PrincipalPlane? plane = x.Columns > 2 ? PrincipalPlane.Of(x, y) : null;
        (double U, double V) Place(ReadOnlySpan<double> point) => plane?.Project(point) ?? (point[0], point[1]);
        Dictionary<int, (double U, double V)> from = sources.ToDictionary(i => i, i => Place(x.Row(i)));
        Dictionary<int, (double U, double V)> to = targets.ToDictionary(j => j, j => Place(y.Row(j)));

        // One scale for both axes: lengths in the picture are distances.
        (double uLow, double uHigh) = Axis.Range(from.Values.Concat(to.Values).Select(point => point.U));
        (double vLow, double vHigh) = Axis.Range(from.Values.Concat(to.Values).Select(point => point.V));
        double plotWidth = Width - Left - Right;
        double ratio = ((vHigh / 2) - (vLow / 2)) / ((uHigh / 2) - (uLow / 2));
        double plotHeight = Math.Clamp(plotWidth * ratio, 300, 520);
        double perPixel = 1.06 * Math.Max((uHigh / plotWidth) - (uLow / plotWidth), (vHigh / plotHeight) - (vLow / plotHeight));
        double top = Headline.Height + 34;
        double bottom = top + plotHeight;
        Axis horizontal = Centred(uLow, uHigh, perPixel, Left, Left + plotWidth);
        Axis vertical = Centred(vLow, vHigh, perPixel, bottom, top);

        var canvas = new SvgCanvas();
        Headline.Draw(canvas, result);
        canvas.Below(horizontal, top, bottom, Name(plane, 0), grid: true);
        canvas.Left(vertical, Left, Left + plotWidth, Name(plane, 1), grid: true);

        (double X, double Y) Pixel((double U, double V) point) => (horizontal.At(point.U), vertical.At(point.V));
        double strongest = links.Items.Select(link => link.Mass).FirstOrDefault();
        double typical = links.Items.Select(link => link.Mass).DefaultIfEmpty(1).Average();
        double widest = Math.Clamp((links.Items.Count > 200 ? 1 : 2) * strongest / typical, 1, 3);
        var lines = links
            .Items.Select(link => new Line(Pixel(from[link.Row]), Pixel(to[link.Column]), widest * link.Mass / strongest))
            .ToList();
        lines = [.. lines.Take(WithinInk(lines, Ink * plotWidth * plotHeight))];
        DrawLinks(canvas, lines);

        double[] a = [.. sources.Select(i => result.Problem.A.Weights[i])];
        double[] b = [.. targets.Select(j => result.Problem.B.Weights[j])];
        double heaviest = Math.Max(a.Max(), b.Max());
        double area = LargestArea(
            (a.Sum(weight => weight / heaviest) + b.Sum(weight => weight / heaviest)) / 2,
            plotWidth * plotHeight
        );
        for (int k = 0; k < targets.Length; k++)
        {
            (double px, double py) = Pixel(to[targets[k]]);
            canvas.Add($"""<path class="y" d="{Diamond(px, py, area * (b[k] / heaviest))}"/>""");
        }
        for (int k = 0; k < sources.Length; k++)
        {
            (double px, double py) = Pixel(from[sources[k]]);
            double radius = Math.Sqrt(area * (a[k] / heaviest) / Math.PI);
            canvas.Add($"""<circle class="x" cx="{px:0.##}" cy="{py:0.##}" r="{radius:0.###}"/>""");
        }
        Legend(canvas, result, links, lines.Count, widest, sources.Length, targets.Length);
        return canvas.Document(Width, bottom + 50, Headline.Title(result), Headline.Values(result));
    }

    /// <summary>The points with mass: evenly spaced ones, and those that links need.</summary>
    static int[] Drawn(Measure measure, IEnumerable<int> needed)
    {
        int[] carriers = [.. Enumerable.Range(0, measure.Count).Where(i => measure.Weights[i] > 0)];
        return [.. PlanRows.Spread(MaxPoints, carriers.Length).Select(k => carriers[k]).Union(needed).Order()];
    }

    static Axis Centred(double low, double high, double perPixel, double start, double end)
    {
        double centre = (low / 2) + (high / 2);
        double half = perPixel * Math.Abs(end - start) / 2;
        return new Axis(centre - half, centre + half, start, end);
    }

    static string Name(PrincipalPlane? plane, int axis)
    {
        if (plane is null)
            return axis == 0 ? "coordinate 1" : "coordinate 2";
        string share = double.IsFinite(plane.Shares[axis])
            ? string.Create(CultureInfo.InvariantCulture, $" ({100 * plane.Shares[axis]:0.#} % of variance)")
            : "";
        return (axis == 0 ? "principal axis 1" : "principal axis 2") + share;
    }

    /// <summary>Area of the heaviest mark: all together cover about 6 % of the plot, and the heaviest has a radius of 2 to 14 pixels.</summary>
    static double LargestArea(double relativeMass, double plot) =>
        Math.Clamp(0.03 * plot / relativeMass, Math.PI * 4, Math.PI * 196);

    static string Diamond(double x, double y, double area)
    {
        double half = Math.Sqrt(area / 2);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"M{x:0.##} {y - half:0.##}l{half:0.###} {half:0.###} {-half:0.###} {half:0.###} {-half:0.###} {-half:0.###}z"
        );
    }

    readonly record struct Line((double X, double Y) From, (double X, double Y) To, double Width)
    {
        public double Area => Math.Max(Width, 0.25) * double.Hypot(To.X - From.X, To.Y - From.Y);
    }

    /// <summary>How many of the first lines cover at most an area: more would merge into a blot.</summary>
    static int WithinInk(List<Line> lines, double area)
    {
        int count = 0;
        double used = 0;
        while (count < lines.Count && (used += lines[count].Area) <= area)
            count++;
        return Math.Max(count, Math.Min(1, lines.Count));
    }

    /// <summary>Lines of the same width, to a twentieth of a pixel and never below a quarter, share one path: weakest first.</summary>
    static void DrawLinks(SvgCanvas canvas, List<Line> lines)
    {
        foreach (var group in lines.GroupBy(line => Math.Max(5, Math.Round(line.Width * 20))).OrderBy(group => group.Key))
        {
            var path = new StringBuilder();
            foreach (((double x1, double y1), (double x2, double y2), _) in group)
                path.Append(CultureInfo.InvariantCulture, $"M{x1:0.#} {y1:0.#}L{x2:0.#} {y2:0.#}");
            canvas.Add($"""<path class="k" stroke-width="{group.Key / 20:0.##}" d="{path}"/>""");
        }
    }

    static void Legend(
        SvgCanvas canvas,
        TransportResult result,
        LinkSet links,
        int shown,
        double widest,
        int sources,
        int targets
    )
    {
        const double Y = Headline.Height + 16;
        // Text is at most about 6.8 pixels a character wide in the fonts asked for.
        const double PerCharacter = 6.8;
        string source = $"source ({Count(sources, result.Problem.A.Count)})";
        string target = $"target ({Count(targets, result.Problem.B.Count)})";
        double second = 33 + (PerCharacter * source.Length) + 24;
        double third = second + 11 + (PerCharacter * target.Length) + 14;
        canvas.Add($"""<circle class="x" cx="22" cy="{Y - 4}" r="5"/>""");
        canvas.Text(33, Y, source);
        canvas.Add($"""<path class="y" d="{Diamond(second, Y - 4, Math.PI * 25)}"/>""");
        canvas.Text(second + 11, Y, target);
        if (shown == 0)
        {
            canvas.Text(third, Y, "no mass is moved");
            return;
        }
        canvas.Add($"""<path class="k" stroke-width="{widest:0.##}" d="M{third:0.#} {Y - 4}h22"/>""");
        string which = shown == links.Total ? "all" : "strongest";
        string what =
            links.Rows < result.Plan.Rows
                ? string.Create(CultureInfo.InvariantCulture, $"of {links.Rows} rows")
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"({100 * links.Items.Take(shown).Sum(link => link.Mass) / links.Mass:0.#} % of mass)"
                );
        canvas.Text(
            third + 29,
            Y,
            string.Create(CultureInfo.InvariantCulture, $"{which} {shown} links {what}, widest {links.Items[0].Mass:G3}")
        );
    }

    static string Count(int some, int all) =>
        (some == all ? "" : $"{some.ToString(CultureInfo.InvariantCulture)} of ") + all.ToString(CultureInfo.InvariantCulture);
}
