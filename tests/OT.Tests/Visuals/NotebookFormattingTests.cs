using System.Xml.Linq;
using OT.Geometries;
using OT.Results;
using OT.Visuals;
using Xunit;

namespace OT.Tests.Visuals;

public sealed class NotebookFormattingTests
{
    [Fact]
    public void Result_becomes_a_table_without_empty_rows()
    {
        TransportResult result = PlanPictureTests.Result(
            new CostMatrix(
                new double[,]
                {
                    { 2 },
                }
            ),
            [1],
            [1],
            (0, 0, 1)
        );
        var rows = XDocument
            .Parse(result.ToHtml())
            .Descendants("tr")
            .ToDictionary(row => row.Element("th")!.Value, row => row.Element("td")!.Value);
        Assert.Equal("2", rows["transport cost"]);
        Assert.Equal("by hand", rows["solver"]);
        Assert.DoesNotContain("message", rows.Keys);
        Assert.DoesNotContain("ε", rows.Keys);
    }

    [Fact]
    public void Certificate_becomes_a_table()
    {
        TransportResult result = PlanPictureTests.Result(
            new CostMatrix(
                new double[,]
                {
                    { 2 },
                }
            ),
            [1],
            [1],
            (0, 0, 1)
        );
        var table = XDocument.Parse(result.Certify().ToHtml());
        Assert.Contains(table.Descendants("th"), cell => cell.Value == "feasible transport cost");
    }
}
