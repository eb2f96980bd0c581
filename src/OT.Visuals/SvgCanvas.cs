using System.Globalization;
using System.Text;
using System.Xml;

namespace OT.Visuals;

/// <summary>Writes one SVG document: numbers in the invariant culture, text escaped, colours by class so that the page's colour scheme chooses them.</summary>
sealed class SvgCanvas
{
    /// <summary>Steps of the heat map's colours, from almost the background to the darkest (lightest on dark pages).</summary>
    public const int Levels = 24;

    // Okabe and Ito's blue and vermillion, and their lighter pair on dark: told apart by every kind of colour vision, and by shape besides.
    static readonly Scheme s_light = new(
        "#fcfcfb",
        "#1c1c1a",
        "#5f5e58",
        "#d9d8d2",
        "#0072b2",
        "#d55e00",
        "#6f6e69",
        ["#f1f4f8", "#8fb9dd", "#2a6fae", "#08264a"]
    );
    static readonly Scheme s_dark = new(
        "#191918",
        "#f2f1ec",
        "#b0afa7",
        "#3a3a37",
        "#56b4e9",
        "#e69f00",
        "#a3a29b",
        ["#20252b", "#1f5485", "#4c9bdc", "#e9f4ff"]
    );
    static readonly string s_style = Style();

    readonly StringBuilder _text = new();

    /// <summary>Free-form markup with numbers in the invariant culture; strings in it must be markup already or <see cref="Escape"/>d.</summary>
    public void Add(FormattableString markup) => _text.AppendLine(markup.ToString(CultureInfo.InvariantCulture));

    /// <summary>A line of text at a place.</summary>
    /// <param name="x">Pixels from the left.</param>
    /// <param name="y">Pixels from the top, at the foot of the letters.</param>
    /// <param name="text">Escaped here.</param>
    /// <param name="classes">Of the style sheet: h for the title, s for secondary text, m and e for anchoring at the middle and the end.</param>
    public void Text(double x, double y, string text, string classes = "") =>
        Add($"""<text x="{x:0.#}" y="{y:0.#}" class="{classes}">{Escape(text)}</text>""");

    /// <summary>Text turned by a quarter, read upwards.</summary>
    public void Upward(double x, double y, string text) =>
        Add($"""<text transform="translate({x:0.#} {y:0.#}) rotate(-90)" class="m s">{Escape(text)}</text>""");

    /// <summary>A horizontal axis below a plot: grid lines or tick marks, labels and title.</summary>
    public void Below(Axis axis, double top, double bottom, string title, bool grid, double smallestStep = 0)
    {
        foreach ((double value, string label) in axis.Ticks(80, smallestStep))
        {
            double x = axis.At(value);
            Add($"""<path class="g" d="M{x:0.##} {(grid ? top : bottom):0.##}V{bottom + (grid ? 0 : 4):0.##}"/>""");
            Text(x, bottom + 18, label, "m s");
        }
        Text((axis.Start + axis.End) / 2, bottom + 36, title, "m s");
    }

    /// <summary>A vertical axis left of a plot.</summary>
    public void Left(Axis axis, double left, double right, string title, bool grid, double smallestStep = 0)
    {
        foreach ((double value, string label) in axis.Ticks(48, smallestStep))
        {
            double y = axis.At(value);
            Add($"""<path class="g" d="M{left - (grid ? 0 : 4):0.##} {y:0.##}H{(grid ? right : left):0.##}"/>""");
            Text(left - 8, y + 4, label, "e s");
        }
        Upward(left - 52, (axis.Start + axis.End) / 2, title);
    }

    /// <summary>The whole document.</summary>
    public string Document(double width, double height, string title, string description) =>
        string.Create(
                CultureInfo.InvariantCulture,
                $"""
                <svg xmlns="http://www.w3.org/2000/svg" class="ot" viewBox="0 0 {width:0} {height:0}" width="{width:0}" height="{height:0}" role="img">
                <title>{Escape(title)}</title>
                <desc>{Escape(description)}</desc>
                <style>{s_style}</style>
                <rect class="paper" width="100%" height="100%"/>
                {_text}</svg>

                """
            )
            .ReplaceLineEndings("\n");

    /// <summary>Text as XML character data: markup characters replaced, characters that XML forbids left out.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (i + 1 < text.Length && char.IsSurrogatePair(c, text[i + 1]))
                escaped.Append(c).Append(text[++i]);
            else if (XmlConvert.IsXmlChar(c))
                escaped.Append(
                    c switch
                    {
                        '<' => "&lt;",
                        '>' => "&gt;",
                        '&' => "&amp;",
                        '"' => "&quot;",
                        _ => c.ToString(),
                    }
                );
        }
        return escaped.ToString();
    }

    static string Style()
    {
        var style = new StringBuilder();
        // Every rule is scoped to the class of the root: a page may hold several pictures, and other things.
        style.Append(
            ".ot{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;max-width:100%;height:auto}"
        );
        style.Append(
            ".ot text{font-size:12px}.ot .h{font-size:17px;font-weight:600}.ot .m{text-anchor:middle}.ot .e{text-anchor:end}"
        );
        style.Append(".ot path{stroke-linecap:butt}.ot .g{stroke-width:1;fill:none}.ot .k{fill:none;stroke-opacity:.5}");
        style.Append(
            ".ot .x,.ot .y{stroke-width:.75;fill-opacity:.9}.ot .bx,.ot .by{stroke:none;fill-opacity:.85;shape-rendering:crispEdges}"
        );
        style.Append(".ot .cells{shape-rendering:crispEdges;stroke:none}");
        s_light.AppendTo(style);
        style.Append("@media(prefers-color-scheme:dark){");
        s_dark.AppendTo(style);
        return style.Append('}').ToString();
    }

    sealed record Scheme(
        string Paper,
        string Ink,
        string Secondary,
        string Rule,
        string Source,
        string Target,
        string Link,
        string[] Ramp
    )
    {
        public void AppendTo(StringBuilder style)
        {
            style.Append(
                CultureInfo.InvariantCulture,
                $".ot .paper{{fill:{Paper}}}.ot text{{fill:{Ink}}}.ot .s{{fill:{Secondary}}}.ot .g{{stroke:{Rule}}}"
            );
            style.Append(
                CultureInfo.InvariantCulture,
                $".ot .k{{stroke:{Link}}}.ot .line{{fill:none;stroke:{Source};stroke-width:2;stroke-linejoin:round}}"
            );
            style.Append(
                CultureInfo.InvariantCulture,
                $".ot .x{{fill:{Source};stroke:{Paper}}}.ot .y{{fill:{Target};stroke:{Paper}}}"
            );
            style.Append(CultureInfo.InvariantCulture, $".ot .bx{{fill:{Source}}}.ot .by{{fill:{Target}}}");
            for (int level = 1; level <= Levels; level++)
                style.Append(CultureInfo.InvariantCulture, $".ot .l{level}{{fill:{Mix((level - 1.0) / (Levels - 1))}}}");
        }

        string Mix(double share)
        {
            double at = share * (Ramp.Length - 1);
            int low = Math.Min((int)at, Ramp.Length - 2);
            int Channel(int k)
            {
                int from = Convert.ToInt32(Ramp[low].Substring(1 + (2 * k), 2), 16);
                int to = Convert.ToInt32(Ramp[low + 1].Substring(1 + (2 * k), 2), 16);
                return (int)Math.Round(from + ((to - from) * (at - low)));
            }
            return string.Create(CultureInfo.InvariantCulture, $"#{Channel(0):x2}{Channel(1):x2}{Channel(2):x2}");
        }
    }
}
