using System.Xml.Linq;
using OT.Applications.Rebasin;
using OT.Visuals;
using Xunit;

namespace OT.Tests.Visuals;

public sealed class BarrierPictureTests
{
    static BarrierReport With(params double[] losses) =>
        new()
        {
            Positions = [.. losses.Select((_, k) => k / (losses.Length - 1.0))],
            Losses = [.. losses],
            Accuracies = [.. losses.Select(_ => 0.5)],
        };

    [Theory]
    [InlineData(new[] { 0.0, 0.0 })]
    [InlineData(new[] { 0.1, double.NaN, 0.3, double.PositiveInfinity, 0.2 })]
    [InlineData(new[] { double.NaN, double.NaN })]
    [InlineData(new[] { 1e300, 1e-300, 1e300 })]
    public void Picture_is_well_formed_and_finite(double[] losses)
    {
        string picture = BarrierPicture.Svg(("<naive> & co", With(losses)), ("other", With(0.1, 0.2)));
        XDocument document = XDocument.Parse(picture);
        foreach (XElement path in document.Descendants().Where(element => element.Name.LocalName == "path"))
        {
            Assert.DoesNotContain("NaN", path.Attribute("d")!.Value, StringComparison.Ordinal);
            Assert.DoesNotContain("∞", path.Attribute("d")!.Value, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_higher_loss_is_drawn_higher_and_every_curve_has_its_name()
    {
        XDocument document = XDocument.Parse(BarrierPicture.Svg(("naive", With(0, 1, 0)), ("aligned", With(0, 0.25, 0))));
        string[] curves =
        [
            .. document
                .Descendants()
                .Where(element => element.Name.LocalName == "path" && element.Attribute("style") is not null)
                .Select(element => element.Attribute("d")!.Value)
                .Where(path => path.Contains('L', StringComparison.Ordinal)),
        ];
        double Middle(string curve) =>
            double.Parse(curve.Split('L')[1].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(2, curves.Length);
        // The axis points up from the bottom, 362, to the top, 62.
        Assert.Equal(62, Middle(curves[0]), 1e-9);
        Assert.Equal(362 - (300 * 0.25), Middle(curves[1]), 1e-9);
        Assert.Contains(document.Descendants(), element => element.Value == "aligned");
        Assert.Throws<ArgumentException>(() => BarrierPicture.Svg());
    }
}
