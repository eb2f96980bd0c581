using OT.Studies;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Solvers.Inverse;

/// <summary>The short form of the study holds what it claims, and writes its three files.</summary>
public class InverseStudyTests
{
    [Fact]
    public void Every_claim_of_the_short_study_holds()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        int code = StudyRunner.Run(["inverse", "--short", "--output", folder.FullName], output);
        Assert.True(code == 0, output.ToString());
        foreach (string extension in (string[])["csv", "md", "svg"])
            Assert.True(new FileInfo(folder["inverse." + extension]).Length > 500, extension);
    }
}
