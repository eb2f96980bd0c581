namespace OT.Studies;

/// <summary>A long run that reproduces published figures: it records points and claims what must hold of them.</summary>
abstract class Study
{
    /// <summary>On the command line and in the names of its files.</summary>
    public abstract string Name { get; }

    /// <summary>One line.</summary>
    public abstract string Description { get; }

    /// <summary>Runs; small enough for a test where <see cref="StudyReport.IsShort"/>.</summary>
    public abstract void Run(StudyReport report);
}
