using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;
using OT.Visuals;
using Xunit;

namespace OT.Tests.Conventions;

/// <summary>README.md keeps its promises: its C# blocks run, its links lead somewhere, its pictures can be drawn.</summary>
public sealed partial class ReadmeTests
{
    static readonly string s_root = Repository.Root;
    static readonly string s_readme = File.ReadAllText(Path.Combine(s_root, "README.md")).ReplaceLineEndings("\n");

    [Fact]
    public async Task Snippet_compiles_runs_and_draws()
    {
        string snippet = string.Join('\n', CSharpBlock().Matches(s_readme).Select(match => match.Groups["code"].Value));
        Assert.NotEmpty(snippet);
        string folder = Directory.CreateTempSubdirectory("ot-readme").FullName;
        try
        {
            // The picture goes to a folder of its own; the rest is run as it stands.
            string picture = Path.Combine(folder, "plan.svg");
            Assert.Contains("\"plan.svg\"", snippet, StringComparison.Ordinal);
            string script = snippet
                .Replace("\"plan.svg\"", $"@\"{picture}\"", StringComparison.Ordinal)
                .Replace("Console.WriteLine", "Say", StringComparison.Ordinal);
            var listener = new Listener();
            ScriptOptions options = ScriptOptions
                .Default.WithImports("System")
                .WithReferences(typeof(Measure).Assembly, typeof(PlanPicture).Assembly);
            await CSharpScript.RunAsync(script, options, listener, typeof(Listener), TestContext.Current.CancellationToken);

            // The target is the source moved by (2, 1): the cost is 5.
            Assert.Contains(listener.Said, line => line.StartsWith("cost 5.000, gap", StringComparison.Ordinal));
            Assert.Contains(listener.Said, line => line.StartsWith("Converged, value", StringComparison.Ordinal));
            Assert.NotNull(XDocument.Load(picture).Root);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Links_lead_to_files()
    {
        string[] targets =
        [
            .. Link()
                .Matches(s_readme)
                .Select(match => match.Groups["target"].Value)
                .Where(target => !target.Contains("://", StringComparison.Ordinal)),
        ];
        Assert.NotEmpty(targets);
        Assert.All(targets, target => Assert.True(File.Exists(Path.Combine(s_root, target)), target));
    }

    [Fact]
    public void Commands_name_files_that_exist()
    {
        string[] files = [.. DataFile().Matches(s_readme).Select(match => match.Value)];
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.True(File.Exists(Path.Combine(s_root, file)), file));
    }

    [Fact]
    public void Pictures_are_well_formed() =>
        Assert.All(
            Directory.GetFiles(Path.Combine(s_root, "docs", "README-assets"), "*.svg"),
            path => Assert.Equal("svg", XDocument.Load(path).Root!.Name.LocalName)
        );

    /// <summary>What the snippet's console lines go to: the process's console belongs to all tests together.</summary>
    public sealed class Listener
    {
        readonly List<string> _said = [];

        public IReadOnlyList<string> Said => _said;

        public void Say(string line) => _said.Add(line);
    }

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"\]\((?<target>[^)#]+)\)", RegexOptions.ExplicitCapture)]
    private static partial Regex Link();

    [GeneratedRegex(@"\bdata/[\w.]+\.csv")]
    private static partial Regex DataFile();
}
