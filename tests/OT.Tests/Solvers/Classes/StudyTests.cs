using OT.Studies;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Solvers.Classes;

/// <summary>The short form of the study holds what it claims, and writes its three files.</summary>
public class StudyTests
{
    [Fact]
    public void Every_claim_of_the_short_study_holds()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        int code = StudyRunner.Run(["sum-of-norms", "--short", "--output", folder.FullName], output);
        Assert.True(code == 0, output.ToString());
        foreach (string extension in (string[])["csv", "md", "svg"])
            Assert.True(new FileInfo(folder["sum-of-norms." + extension]).Length > 300, extension);
    }
}
