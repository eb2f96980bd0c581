using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace OT.Studies;

/// <summary>What a reader needs to judge a figure, and the folder that results of this machine go to.</summary>
static partial class Machine
{
    static readonly string s_model = Model();

    /// <summary>As benchmarks/peers/run.py names it: processor and cores.</summary>
    public static string Name { get; } =
        NotPlain().Replace($"{s_model} {Environment.ProcessorCount} cores".ToLowerInvariant(), "-").Trim('-');

    public static string Description { get; } =
        $"{s_model}, {Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}";

    static string Model()
    {
        const string cpuInfo = "/proc/cpuinfo";
        Match found = File.Exists(cpuInfo) ? ModelName().Match(File.ReadAllText(cpuInfo)) : Match.Empty;
        return found.Success ? found.Groups["model"].Value.Trim() : RuntimeInformation.ProcessArchitecture.ToString();
    }

    [GeneratedRegex("[^a-z0-9]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NotPlain();

    [GeneratedRegex("model name\\s*:\\s*(?<model>.*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ModelName();
}
