using OT.Accelerators;

namespace OT.Cli;

/// <summary><c>ot backends</c>: what was found, what was not, the paths tried and the exact reason.</summary>
static class BackendsCommand
{
    public static void Run(TextWriter output)
    {
        foreach (BackendCandidate candidate in BackendCatalog.Describe())
        {
            string state =
                candidate.IsUsable ? "usable"
                : candidate.IsFound ? "found "
                : "absent";
            string version = candidate.Version is { } known ? $" [{known}]" : "";
            output.WriteLine($"{candidate.Name, -8} {state}  {candidate.Reason}{version}");
            foreach (LoadAttempt attempt in candidate.Attempts)
                output.WriteLine($"           tried {attempt}");
        }
    }
}
