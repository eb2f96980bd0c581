namespace OT.Studies;

/// <summary>A long run that reproduces published figures, and claims what must hold of them.</summary>
abstract class Study
{
    /// <summary>On the command line and in the names of its files.</summary>
    public abstract string Name { get; }

    /// <summary>One line.</summary>
    public abstract string Description { get; }

    /// <summary>Runs, small enough for a test where <paramref name="isShort"/>, and writes its files.</summary>
    /// <returns>Whether all claims hold.</returns>
    public abstract bool Run(bool isShort, string folder, TextWriter output);
}

/// <summary>A study whose result is a table.</summary>
abstract class TableStudy : Study
{
    public override bool Run(bool isShort, string folder, TextWriter output)
    {
        var table = new StudyOutput(Name, folder, output);
        Run(table, isShort);
        return table.Finish();
    }

    protected abstract void Run(StudyOutput output, bool isShort);
}

/// <summary>A study whose result is a set of curves.</summary>
abstract class CurveStudy : Study
{
    public override bool Run(bool isShort, string folder, TextWriter output)
    {
        var report = new StudyReport(this, isShort, output);
        Run(report);
        report.Save(folder);
        output.WriteLine($"{report.Failures} of {report.Claims} claims failed");
        return report.Failures == 0;
    }

    protected abstract void Run(StudyReport report);
}
