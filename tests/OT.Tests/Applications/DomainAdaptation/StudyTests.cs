using OT.Studies;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Applications.DomainAdaptation;

public class StudyTests
{
    [Fact]
    public void Short_study_confirms_its_claims_and_leaves_its_files()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        int code = StudyRunner.Run(["domain-adaptation", "--short", "--output", folder.FullName], output);
        Assert.True(code == 0, output.ToString());
        Assert.DoesNotContain("DOES NOT HOLD", File.ReadAllText(folder["domain-adaptation.md"]), StringComparison.Ordinal);
        Assert.Equal(1 + (10 * 6 * 2), File.ReadAllLines(folder["domain-adaptation.csv"]).Length);
        Assert.StartsWith("<svg", File.ReadAllText(folder["domain-adaptation.svg"]).TrimStart(), StringComparison.Ordinal);
    }
}
