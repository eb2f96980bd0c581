using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Visuals;

/// <summary>A transport plan as a picture: a self-contained SVG that is legible on light and on dark pages.</summary>
/// <remarks>
/// <para>
/// Points in two or more dimensions: both clouds and the plan's strongest links, at most 1500 and as many as leave the picture readable; above two dimensions in the plane of the two principal axes of both
/// clouds together. Areas of marks are proportional to weights, widths of links to masses.
/// </para>
/// <para>
/// Points on a line: a heat map of the plan over positions. No points, or a grid: a heat map over rows and columns, averaged over blocks to at most
/// 200 × 200 cells. Both with the marginals along the sides.
/// </para>
/// <para>
/// Cost: one pass over the plan, at most 5·10⁷ of its entries; above that evenly spaced rows are looked at. At most 1500 points of a cloud and the ends of
/// the strongest links are drawn. The same result gives the same text, always.
/// </para>
/// </remarks>
public static class PlanPicture
{
    /// <summary>The picture of a result's plan as SVG text.</summary>
    /// <remarks>Up to 4·10⁶ pairs the title gives the certified gap, which costs one O(nm) pass unless <see cref="TransportResult.Certify"/> was called before.</remarks>
    public static string Svg(TransportResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return PointsOf(result.Problem) switch
        {
            ({ Columns: > 1 } x, var y) => CloudPicture.Draw(result, x, y),
            ({ Columns: 1 } x, var y) => HeatMapPicture.OfPositions(result, x, y),
            _ => HeatMapPicture.OfIndices(result),
        };
    }

    /// <summary>Writes <see cref="Svg"/> to a file as UTF-8; an existing file is replaced.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(string path, TransportResult result)
    {
        ArgumentNullException.ThrowIfNull(path);
        File.WriteAllText(path, Svg(result));
    }

    /// <summary>The points of both sides, where both have some and they live in one space.</summary>
    static (Matrix X, Matrix Y)? PointsOf(LinearProblem problem) =>
        problem switch
        {
            { Geometry: PointCloud cloud } => (cloud.Source, cloud.Target),
            { Geometry: Grid } => null,
            { A.Points: { Columns: > 0 } x, B.Points: { } y } when x.Columns == y.Columns => (x, y),
            _ => null,
        };
}
