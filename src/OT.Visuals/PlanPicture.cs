using OT.Results;

namespace OT.Visuals;

/// <summary>Draws a transport plan.</summary>
public static class PlanPicture
{
    /// <summary>Writes the picture of a result as SVG.</summary>
    public static void Save(string path, TransportResult result) => throw new NotSupportedException($"{path}: {result?.Status} cannot be drawn yet.");
}
