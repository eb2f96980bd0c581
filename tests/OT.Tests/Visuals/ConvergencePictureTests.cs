using System.Xml.Linq;
using OT.Geometries;
using OT.Results;
using OT.Visuals;
using Xunit;

namespace OT.Tests.Visuals;

public sealed class ConvergencePictureTests
{
    [Theory]
    [InlineData(new double[0])]
    [InlineData(new[] { 0.5 })]
    [InlineData(new[] { 0.0, 0.0 })]
    [InlineData(new[] { 1, 1e-3, double.NaN, double.PositiveInfinity, 0, 1e-9 })]
    public void Picture_is_well_formed_and_finite(double[] errors)
    {
        string picture = ConvergencePicture.Svg(With(errors));
        Assert.NotNull(XDocument.Parse(picture).Root);
        Assert.DoesNotContain("NaN", picture, StringComparison.Ordinal);
        Assert.DoesNotContain("Infinity", picture, StringComparison.Ordinal);
    }

    [Fact]
    public void No_errors_are_said_to_be_none() =>
        Assert.Contains("no errors were recorded", ConvergencePicture.Svg(With([])), StringComparison.Ordinal);

    [Fact]
    public void Geometric_decay_is_a_straight_line()
    {
        string picture = ConvergencePicture.Svg(With([1, 1e-2, 1e-4, 1e-6]));
        double[] heights =
        [
            .. XDocument
                .Parse(picture)
                .Descendants()
                .Where(element => element.Name.LocalName == "circle")
                .Select(circle => double.Parse(circle.Attribute("cy")!.Value, System.Globalization.CultureInfo.InvariantCulture)),
        ];
        Assert.Equal(4, heights.Length);
        // Pixels are written to a hundredth.
        Assert.Equal(heights[1] - heights[0], heights[3] - heights[2], 0.03);
        Assert.True(heights[1] > heights[0]);
    }

    static TransportResult With(double[] errors)
    {
        TransportResult result = PlanPictureTests.Result(
            new CostMatrix(
                new double[,]
                {
                    { 1 },
                }
            ),
            [1],
            [1],
            (0, 0, 1)
        );
        return new TransportResult
        {
            Status = SolverStatus.Converged,
            Iterations = errors.Length,
            Problem = result.Problem,
            Plan = result.Plan,
            Errors = [.. errors],
        };
    }
}
