using System.Globalization;
using System.Text;
using OT.Results;

namespace OT.Visuals;

/// <summary>HTML for notebooks and reports. No notebook package is needed: any front end that looks for <c>ToHtml()</c>, or is told to call it, can show results.</summary>
public static class NotebookFormatting
{
    /// <summary>A result as a small table of its values, without its picture.</summary>
    public static string ToHtml(this TransportResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return Table([
            ("status", string.Create(CultureInfo.InvariantCulture, $"{result.Status} after {result.Iterations} iterations")),
            ("solver", result.Why),
            ("back end", result.Backend),
            ("message", result.Message),
            ("ε", result.Epsilon > 0 ? Headline.Number(result.Epsilon) : ""),
            ("transport cost", Headline.Number(result.TransportCost)),
            ("regulariser", result.RegularizerValue == 0 ? "" : Headline.Number(result.RegularizerValue)),
            ("value", Headline.Number(result.Value)),
            ("marginal error", Headline.Small(result.MarginalError)),
        ]);
    }

    /// <summary>A certificate as a small table.</summary>
    public static string ToHtml(this Certificate certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        return Table([
            ("feasible transport cost", Headline.Number(certificate.TransportCost)),
            ("feasible value", Headline.Number(certificate.PrimalValue)),
            ("dual value", certificate.DualValue is { } dual ? Headline.Number(dual) : ""),
            ("lower bound of the exact cost", certificate.LowerBound is { } bound ? Headline.Number(bound) : ""),
            ("gap", certificate.Gap is { } gap ? Headline.Small(gap) : ""),
            ("marginal error", Headline.Small(certificate.MarginalError)),
        ]);
    }

    /// <summary>Rows with an empty second cell are left out.</summary>
    static string Table(ReadOnlySpan<(string Name, string Value)> rows)
    {
        var html = new StringBuilder("<table>");
        foreach ((string name, string value) in rows)
        {
            if (value.Length > 0)
                html.Append(
                    CultureInfo.InvariantCulture,
                    $"<tr><th style=\"text-align:left\">{SvgCanvas.Escape(name)}</th><td>{SvgCanvas.Escape(value)}</td></tr>"
                );
        }
        return html.Append("</table>").ToString();
    }
}
