namespace OT.Tests.Conventions;

/// <summary>Where the sources lie, found above the tests' binaries.</summary>
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

    // Not by the path of this file: a deterministic build maps that away.
    static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "OT.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("There is no OT.sln above the tests.");
    }
}
