using System.Runtime.CompilerServices;

namespace OT.Tests.Conventions;

/// <summary>Where the sources lie, found from this file's own path.</summary>
static class Repository
{
    public static string Root { get; } = FindRoot();

    public static IEnumerable<string> Sources(string folder) =>
        Directory
            .EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(file => !Relative(file).Split('/').Any(part => part is "bin" or "obj"))
            .Order(StringComparer.Ordinal);

    public static string Relative(string file) => Path.GetRelativePath(Root, file).Replace('\\', '/');

    /// <summary>The code of a file: comments and the contents of strings are blanked, so that words in them are not taken for code.</summary>
    public static string Code(string file) => CodeText.WithoutCommentsAndStrings(File.ReadAllText(file));

    static string FindRoot([CallerFilePath] string here = "")
    {
        // A deterministic build may map the path away; then the working copy is above the binaries.
        foreach (string start in (string[])[here, AppContext.BaseDirectory])
        {
            for (DirectoryInfo? folder = new FileInfo(start).Directory; folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "OT.sln")))
                    return folder.FullName;
            }
        }
        throw new InvalidOperationException("OT.sln was not found above the tests.");
    }
}
