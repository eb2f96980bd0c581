using System.Reflection;
using Xunit;

namespace OT.Tests.Conventions;

/// <summary>
/// The public API equals its approved text in PublicApi/*.txt, so that no change of it goes unseen. After a wanted change, run these tests once with
/// <c>OT_APPROVE_API=1</c> and commit the files.
/// </summary>
public class PublicApiTests
{
    [Theory]
    [InlineData("OT")]
    [InlineData("OT.Accelerators")]
    [InlineData("OT.Visuals")]
    public void Public_api_equals_its_approved_text(string name)
    {
        string path = Path.Combine(Repository.Root, "tests/OT.Tests/Conventions/PublicApi", name + ".txt");
        string actual = PublicApi.Of(Assembly.Load(name));
        if (Environment.GetEnvironmentVariable("OT_APPROVE_API") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }
        Assert.True(File.Exists(path), $"{Repository.Relative(path)} is missing: run the tests with OT_APPROVE_API=1.");
        string[] approved = File.ReadAllText(path).ReplaceLineEndings("\n").Split('\n');
        string[] now = actual.Split('\n');
        // Lines name their type by position only, so both sides are prefixed with it.
        Assert.Empty(Qualified(now).Except(Qualified(approved), StringComparer.Ordinal).Select(line => "+ " + line));
        Assert.Empty(Qualified(approved).Except(Qualified(now), StringComparer.Ordinal).Select(line => "- " + line));
    }

    [Fact]
    public void The_text_shows_what_a_user_sees()
    {
        string text = PublicApi.Of(typeof(Measure).Assembly);
        Assert.Contains("sealed class OT.Measure\n", text, StringComparison.Ordinal);
        Assert.Contains(
            "    static Measure Of(ReadOnlySpan<Double> weights, Matrix points = default)\n",
            text,
            StringComparison.Ordinal
        );
        Assert.Contains("    virtual Void CostRow(Int32 row, Span<Double> costs)\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Summation", text, StringComparison.Ordinal);
    }

    static IEnumerable<string> Qualified(string[] lines)
    {
        string type = "";
        foreach (string line in lines)
        {
            if (!line.StartsWith(' '))
                type = line;
            yield return line.StartsWith(' ') ? $"{type} |{line}" : line;
        }
    }
}
