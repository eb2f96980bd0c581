using System.Text.RegularExpressions;
using Xunit;

namespace OT.Tests.Conventions;

/// <summary>Section 5 of docs/ARCHITECTURE.md: who may import whom.</summary>
public class LayeringTests
{
    /// <summary>What each part of src/OT may import; a part may always import itself. Everything may use the root's Measure but Numerics.</summary>
    static readonly Dictionary<string, string[]> Allowed = Closed(
        new(StringComparer.Ordinal)
        {
            ["Numerics"] = [],
            ["Geometries"] = ["Numerics"],
            ["Problems"] = ["Geometries"],
            ["Backends"] = ["Geometries"],
            ["Results"] = ["Problems", "Backends"],
            ["Solvers"] = ["Results"],
            ["IO"] = ["Results"],
            ["Interop"] = ["Results"],
            ["Neural"] = ["Numerics"],
            ["Maps"] = ["Solvers", "Neural"],
            ["Networks"] = ["Solvers"],
            ["Applications"] = ["Maps", "Networks", "Neural", "IO", "Interop"],
            ["Pairwise"] = ["Solvers", "IO"],
        }
    );

    // Siblings under Solvers may use these two families, never each other; the shared files of Solvers itself belong to all.
    // IO and Interop stand where Solvers stand and have the same right: a checkpoint holds an entropic solver's state.
    static readonly string[] SharedFamilies = ["Exact", "Entropic"];

    [Fact]
    public void Arrows_point_left() =>
        Assert.Empty(
            Repository.Sources("src/OT").SelectMany(file => Violations(Repository.Relative(file), Repository.Code(file)))
        );

    [Theory]
    [InlineData("src/OT/Numerics/X.cs", "using OT.Geometries;")]
    [InlineData("src/OT/Numerics/X.cs", "using OT;")]
    [InlineData("src/OT/Numerics/X.cs", "class X { Measure M; }")]
    [InlineData("src/OT/Geometries/X.cs", "using OT.Problems;")]
    [InlineData("src/OT/Problems/X.cs", "using OT.Backends;")]
    [InlineData("src/OT/Backends/X.cs", "using static OT.Problems.Epsilon;")]
    [InlineData("src/OT/Results/X.cs", "class X { object Y = new OT.Solvers.Exact.Assignment(); }")]
    [InlineData("src/OT/Results/X.cs", "class X { object Y = Transport.Solve(null!); }")]
    [InlineData("src/OT/Solvers/Exact/X.cs", "global using OT.Solvers.Sparse;")]
    [InlineData("src/OT/Maps/X.cs", "using A = OT.Applications.Rebasin;")]
    [InlineData("src/OT/IO/X.cs", "using OT.Solvers.Sparse;")]
    [InlineData("src/OT/IO/X.cs", "using OT.Maps;")]
    public void An_arrow_the_wrong_way_is_seen(string file, string code) => Assert.Single(Violations(file, code));

    [Theory]
    [InlineData("src/OT/Solvers/Sparse/X.cs", "using OT.Solvers.Entropic; using OT.Solvers; using OT.Numerics;")]
    [InlineData("src/OT/IO/X.cs", "using OT.Solvers.Entropic; using OT.Results;")]
    [InlineData("src/OT/Transport.cs", "using OT.Applications; using OT.Solvers.Exact;")]
    [InlineData("src/OT/Applications/X.cs", "using OT.Neural; using OT.Solvers.Exact; using OT.Results;")]
    [InlineData("src/OT/Results/X.cs", "using System.Numerics; using OT.Backends; class X { Measure M; }")]
    public void An_arrow_the_right_way_is_not(string file, string code) => Assert.Empty(Violations(file, code));

    /// <summary>
    /// Section 5, last sentence: native code, pointers and environment variables occur in OT.Accelerators only. Asking where an array lies, to align it, is not
    /// reading through a pointer, and neither is the prefetch.
    /// </summary>
    [Fact]
    public void The_library_is_managed_and_closed()
    {
        string[] found =
        [
            .. Found(
                "src/OT",
                @"\bunsafe\b|\bDllImport\b|\bLibraryImport\b|\bstackalloc\s+\w+\s*\*|\bEnvironment\s*\.\s*(Get|Set|Expand)Environment"
            ),
            .. Found("src/OT", @"\bMarshal\s*\.(?!UnsafeAddrOfPinnedArrayElement)|\bNativeLibrary\b|\bNativeMemory\b"),
        ];
        Assert.Equal(["src/OT/Numerics/Prefetch.cs: unsafe"], found);
    }

    [Fact]
    public void Environment_variables_and_native_code_stay_in_Accelerators() =>
        Assert.Empty(
            ((string[])["src/OT.Visuals", "src/OT.Cli"]).SelectMany(folder =>
                Found(folder, @"\bunsafe\b|\bDllImport\b|\bLibraryImport\b")
            )
        );

    [Fact]
    public void The_library_never_writes_to_a_console() =>
        Assert.Empty(Found("src/OT", @"\bConsole\s*\.|\bTrace\s*\.\s*Write|\bDebug\s*\.\s*Write"));

    [Fact]
    public void The_library_keeps_no_global_switches() =>
        Assert.Empty(
            Found(
                "src/OT",
                @"\bstatic\s+(?!readonly|partial|class|abstract|extern|virtual|implicit|explicit|async|event)[\w<>\[\]?.,]+\s+_\w+\s*(=(?!>)|;)"
            )
        );

    static IEnumerable<string> Found(string folder, string pattern)
    {
        foreach (string file in Repository.Sources(folder))
        {
            foreach (Match match in Regex.Matches(Repository.Code(file), pattern))
                yield return $"{Repository.Relative(file)}: {match.Value}";
        }
    }

    static IEnumerable<string> Violations(string file, string code)
    {
        string[] path = file.Split('/');
        if (path.Length < 4)
            yield break; // the root: the front door knows everybody, Measure is checked as a part of every other file
        string part = path[2];
        string? family = part == "Solvers" && path.Length > 4 ? path[3] : null;
        if (!Allowed.TryGetValue(part, out string[]? allowed))
        {
            yield return $"{file}: the folder {part} has no place in the layering; give it one in docs/ARCHITECTURE.md and here.";
            yield break;
        }
        foreach (Match match in Regex.Matches(code, @"\bOT\.([A-Z]\w*)(?:\.([A-Z]\w*))?"))
        {
            // The file's own namespace line.
            if (Regex.IsMatch(code[..match.Index], @"\bnamespace\s+$"))
                continue;
            string to = match.Groups[1].Value;
            string toFamily = match.Groups[2].Value;
            bool wrong =
                to == "Solvers" && (part is "Solvers" or "IO" or "Interop")
                    ? IsFamily(toFamily) && toFamily != family && !SharedFamilies.Contains(toFamily)
                    : to != part && !allowed.Contains(to) && to is not ("Measure" or "Transport");
            if (wrong)
                yield return $"{file}: {match.Value}";
        }
        if (part == "Numerics" && Regex.IsMatch(code, @"\bMeasure\b|using\s+OT\s*;"))
            yield return $"{file}: Measure";
        // Pairwise stands beside the front door and asks it pair by pair.
        if (part != "Pairwise" && Regex.IsMatch(code, @"\bTransport\s*\."))
            yield return $"{file}: Transport";
    }

    /// <summary>Whether the name after <c>OT.Solvers.</c> is a folder, not a type of the shared files.</summary>
    static bool IsFamily(string name) =>
        name.Length > 0 && !File.Exists(Path.Combine(Repository.Root, "src/OT/Solvers", name + ".cs"));

    static Dictionary<string, string[]> Closed(Dictionary<string, string[]> direct)
    {
        var closed = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (string part in direct.Keys)
        {
            var reached = new HashSet<string>(StringComparer.Ordinal);
            var open = new Stack<string>(direct[part]);
            while (open.TryPop(out string? next))
            {
                if (reached.Add(next))
                {
                    foreach (string further in direct[next])
                        open.Push(further);
                }
            }
            closed[part] = [.. reached];
        }
        return closed;
    }
}
