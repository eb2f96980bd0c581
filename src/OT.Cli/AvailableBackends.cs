using OT.Backends;

namespace OT.Cli;

/// <summary>The one place that knows which back ends there are.</summary>
static class AvailableBackends
{
    public static readonly string[] Names = ["auto", "managed"];

    /// <summary>Opens a back end by name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="threads">Threads, or null for all processors.</param>
    /// <param name="memoryLimit">Bytes that operators may take, or null.</param>
    /// <exception cref="BackendException">The back end is missing.</exception>
    public static IBackend Open(string name, int? threads, long? memoryLimit) =>
        name switch
        {
            "auto" or "managed" => new ManagedBackend(threads, memoryLimit),
            _ => throw new BackendException(name, $"not known: there are {string.Join(", ", Names)}."),
        };

    /// <summary>What was found, what was not and why, one line each.</summary>
    public static IEnumerable<string> Describe()
    {
        using IBackend managed = Open("managed", null, null);
        yield return $"managed   found   {managed.Name}, {managed.Threads} threads";
    }
}
