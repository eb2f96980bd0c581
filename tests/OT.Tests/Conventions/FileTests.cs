using System.Text.RegularExpressions;
using Xunit;

namespace OT.Tests.Conventions;

/// <summary>Section 9 of docs/ARCHITECTURE.md, as far as text can show it.</summary>
public class FileTests
{
    static readonly string[] Projects =
    [
        "src/OT",
        "src/OT.Accelerators",
        "src/OT.Visuals",
        "src/OT.Cli",
        "tests/OT.Testing",
        "tests/OT.Tests",
    ];

    [Fact]
    public void Namespace_equals_folder()
    {
        var wrong = new List<string>();
        foreach (string project in Projects)
        {
            foreach (string file in Repository.Sources(project))
            {
                Match declared = Regex.Match(
                    Repository.Code(file),
                    @"^namespace\s+(?<name>[\w.]+)\s*;",
                    RegexOptions.Multiline | RegexOptions.ExplicitCapture
                );
                string relative = Repository.Relative(file);
                if (!declared.Success && Path.GetFileName(file) is "Program.cs" or "AssemblyInfo.cs" or "GlobalUsings.cs")
                    continue;
                string folder = Path.GetDirectoryName(relative)!.Replace('\\', '/');
                string expected = folder[(folder.IndexOf('/', StringComparison.Ordinal) + 1)..].Replace('/', '.');
                if (declared.Groups["name"].Value != expected)
                    wrong.Add($"{relative}: namespace {declared.Groups["name"].Value}, expected {expected}");
            }
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void One_public_type_per_file_beside_small_companions()
    {
        // Companions of one type stay in its file: delegates, enums, exceptions of it and records or structs derived from it.
        var crowded = new List<string>();
        foreach (
            string project in (string[])["src/OT", "src/OT.Accelerators", "src/OT.Visuals", "src/OT.Cli", "tests/OT.Testing"]
        )
        {
            foreach (string file in Repository.Sources(project))
            {
                string[] types =
                [
                    .. Regex
                        .Matches(
                            Repository.Code(file),
                            @"^public\s+(?:(?:static|abstract|sealed|partial|readonly|ref)\s+)*(?:class|interface)\s+(?<name>\w+)",
                            RegexOptions.Multiline | RegexOptions.ExplicitCapture
                        )
                        .Select(match => match.Groups["name"].Value)
                        .Distinct(StringComparer.Ordinal),
                ];
                if (types.Length > 1)
                    crowded.Add($"{Repository.Relative(file)}: {string.Join(", ", types)}");
                else if (types.Length == 1 && !Path.GetFileName(file).StartsWith(types[0], StringComparison.Ordinal))
                    crowded.Add($"{Repository.Relative(file)} holds {types[0]}");
            }
        }
        Assert.Empty(crowded);
    }

    [Fact]
    public void No_regions_and_no_file_beyond_six_hundred_lines()
    {
        // 500 lines need a reason in review; 600 have none.
        var wrong = new List<string>();
        foreach (string project in Projects)
        {
            foreach (string file in Repository.Sources(project))
            {
                string[] lines = File.ReadAllLines(file);
                if (lines.Length > 600)
                    wrong.Add($"{Repository.Relative(file)}: {lines.Length} lines");
                if (lines.Any(line => line.TrimStart().StartsWith("#region", StringComparison.Ordinal)))
                    wrong.Add($"{Repository.Relative(file)}: #region");
            }
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void Comments_and_strings_are_not_code()
    {
        const string text = "a; // unsafe\nb = \"Console.\" + @\"x\"\"y\" + 'c'; /* DllImport */ d(\"\"\"raw \" q\"\"\");";
        string code = CodeText.WithoutCommentsAndStrings(text);
        Assert.Equal(text.Length, code.Length);
        Assert.DoesNotContain("unsafe", code, StringComparison.Ordinal);
        Assert.DoesNotContain("Console", code, StringComparison.Ordinal);
        Assert.DoesNotContain("DllImport", code, StringComparison.Ordinal);
        Assert.DoesNotContain("raw", code, StringComparison.Ordinal);
        Assert.Matches(@"a;\s+b = \s+\+\s+\+\s+;\s+d\(\s+\);", code);
    }
}
