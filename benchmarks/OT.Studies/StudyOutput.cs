using System.Globalization;
using System.Text;

namespace OT.Studies;

/// <summary>What a study leaves behind: NAME.md, NAME.csv and pictures, and whether its claims hold.</summary>
sealed class StudyOutput(string name, string folder, TextWriter output)
{
    readonly StringBuilder _text = new();
    readonly StringBuilder _rows = new();
    bool _confirmed = true;

    /// <summary>A line of the report, shown as it is written.</summary>
    public void Line(FormattableString line)
    {
        string text = line.ToString(CultureInfo.InvariantCulture);
        output.WriteLine(text);
        _text.Append(text).Append('\n');
    }

    /// <summary>A row of the table of all figures.</summary>
    public void Row(FormattableString row) => _rows.Append(row.ToString(CultureInfo.InvariantCulture)).Append('\n');

    /// <summary>A claim with its outcome; one that does not hold makes the program fail.</summary>
    public void Claim(bool holds, FormattableString claim)
    {
        _confirmed &= holds;
        Line($"- {(holds ? "holds" : "DOES NOT HOLD")}: {claim.ToString(CultureInfo.InvariantCulture)}");
    }

    public void Picture(string svg) => Write("svg", svg);

    /// <summary>Writes report and table.</summary>
    /// <returns>Whether all claims hold.</returns>
    public bool Finish()
    {
        Write("md", _text.ToString());
        Write("csv", _rows.ToString());
        return _confirmed;
    }

    void Write(string extension, string text)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, $"{name}.{extension}"), text);
    }
}
