using System.Globalization;
using System.Text;

namespace OT.Studies;

/// <summary>What a study found: points, and claims about them. Written as CSV, Markdown and SVG.</summary>
sealed class StudyReport(Study study, bool isShort, TextWriter output)
{
    readonly List<(string Panel, string Series, double X, double Y)> _points = [];
    readonly List<(string Claim, bool Holds)> _claims = [];

    /// <summary>Whether a few seconds are all there is.</summary>
    public bool IsShort => isShort;

    public int Claims => _claims.Count;

    public int Failures => _claims.Count(claim => !claim.Holds);

    /// <summary>Records one point of a curve, both coordinates positive.</summary>
    public void Add(string panel, string series, double x, double y)
    {
        _points.Add((panel, series, x, y));
        output.WriteLine(Text($"{panel} | {series} | {x:G6} | {y:E3}"));
    }

    /// <summary>States what must hold; a study fails where one does not.</summary>
    public void Claim(FormattableString claim, bool holds)
    {
        _claims.Add((Text(claim), holds));
        output.WriteLine($"{(holds ? "holds" : "FAILS")}: {Text(claim)}");
    }

    /// <summary>Points of one curve, in the order recorded.</summary>
    public (double X, double Y)[] Curve(string panel, string series) =>
        [.. _points.Where(p => p.Panel == panel && p.Series == series).Select(p => (p.X, p.Y))];

    /// <summary>Least-squares slope of log y in log x.</summary>
    public double Slope(string panel, string series)
    {
        (double X, double Y)[] logs = [.. Curve(panel, series).Select(p => (Math.Log(p.X), Math.Log(p.Y)))];
        (double meanX, double meanY) = (logs.Average(p => p.X), logs.Average(p => p.Y));
        return logs.Sum(p => (p.X - meanX) * (p.Y - meanY)) / logs.Sum(p => (p.X - meanX) * (p.X - meanX));
    }

    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        string file = Path.Combine(folder, study.Name);
        var csv = new StringBuilder("panel,series,x,y\n");
        foreach ((string panel, string series, double x, double y) in _points)
            csv.Append(CultureInfo.InvariantCulture, $"\"{panel}\",\"{series}\",{x:R},{y:R}\n");
        File.WriteAllText(file + ".csv", csv.ToString());
        File.WriteAllText(file + ".svg", LogLogPicture.Svg(study.Description, _points));
        File.WriteAllText(file + ".md", Markdown());
    }

    string Markdown()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# {study.Description}\n\n");
        text.Append(
            CultureInfo.InvariantCulture,
            $"{DateTime.UtcNow:yyyy-MM-dd}. {Machine.Description}. `OT.Studies {study.Name}{(isShort ? " --short" : "")}`. Values depend on seeds alone, not on the machine's speed.\n\n![]({study.Name}.svg)\n\n"
        );
        text.Append("| claim | |\n|---|---|\n");
        foreach ((string claim, bool holds) in _claims)
            text.Append(CultureInfo.InvariantCulture, $"| {claim} | {(holds ? "holds" : "**fails**")} |\n");
        foreach (var panel in _points.GroupBy(p => p.Panel))
        {
            double[] xs = [.. panel.Select(p => p.X).Distinct().Order()];
            text.Append(CultureInfo.InvariantCulture, $"\n## {panel.Key}\n\n| |");
            foreach (double x in xs)
                text.Append(CultureInfo.InvariantCulture, $" {x:G6} |");
            text.Append("\n|---|").Insert(text.Length, "---|", xs.Length).Append('\n');
            foreach (var series in panel.GroupBy(p => p.Series))
            {
                text.Append(CultureInfo.InvariantCulture, $"| {series.Key} |");
                foreach (double x in xs)
                {
                    double[] y = [.. series.Where(p => p.X == x).Select(p => p.Y)];
                    text.Append(
                        CultureInfo.InvariantCulture,
                        $" {(y.Length == 0 ? "" : y[0].ToString("E2", CultureInfo.InvariantCulture))} |"
                    );
                }
                text.Append('\n');
            }
        }
        return text.ToString();
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
