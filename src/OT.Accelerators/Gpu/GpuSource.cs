using System.Text;
using System.Text.RegularExpressions;

namespace OT.Accelerators.Gpu;

/// <summary>Source of kernels, embedded in this assembly: the files of <c>native/gpu</c>, with what they include put in its place.</summary>
static partial class GpuSource
{
    /// <summary>The whole text of a file, for a compiler that sees no other.</summary>
    public static string Read(string file) => Include().Replace(Text(file), include => Read(include.Groups["file"].Value));

    static string Text(string file)
    {
        using Stream stream =
            typeof(GpuSource).Assembly.GetManifestResourceStream($"gpu/{file}")
            ?? throw new System.Diagnostics.UnreachableException($"no kernels in '{file}'");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    [GeneratedRegex("^#include \"(?<file>[a-z_]+\\.h)\"\\r?$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Include();
}
