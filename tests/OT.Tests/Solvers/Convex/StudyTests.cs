using OT.Studies;
using OT.Tests.IO;
using Xunit;

namespace OT.Tests.Solvers.Convex;

/// <summary>The short form of a study holds what it claims, and writes its three files.</summary>
public class StudyTests
{
    [Theory]
    [InlineData("mirror-sinkhorn")]
    [InlineData("sparse-plans")]
    public void Every_claim_of_the_short_study_holds(string study)
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        int code = StudyRunner.Run([study, "--short", "--output", folder.FullName], output);
        Assert.True(code == 0, output.ToString());
        foreach (string extension in (string[])["csv", "md", "svg"])
            Assert.True(new FileInfo(folder[$"{study}.{extension}"]).Length > 500, extension);
    }

    [Fact]
    public void Studies_are_listed_and_bad_usage_is_said()
    {
        using var output = new StringWriter();
        Assert.Equal(0, StudyRunner.Run(["list"], output));
        Assert.Contains("mirror-sinkhorn", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, StudyRunner.Run(["nothing"], TextWriter.Null));
        Assert.Equal(2, StudyRunner.Run([], TextWriter.Null));
        Assert.Equal(2, StudyRunner.Run(["mirror-sinkhorn", "--output"], TextWriter.Null));
    }
}
