using System.Collections.Immutable;

namespace OT.Accelerators;

/// <summary>What <see cref="BackendCatalog.Describe"/> found out about one back end.</summary>
public sealed record BackendCandidate
{
    /// <summary>The name that <see cref="BackendCatalog.Open(string, int?, long?)"/> takes.</summary>
    public required string Name { get; init; }

    /// <summary>Whether its library is on this machine.</summary>
    public required bool IsFound { get; init; }

    /// <summary>Whether <see cref="BackendCatalog.Open(string, int?, long?)"/> would give it.</summary>
    public required bool IsUsable { get; init; }

    /// <summary>What the library says of itself; null where it was not found or does not say.</summary>
    public string? Version { get; init; }

    /// <summary>Why it can be used, or the exact reason why it cannot.</summary>
    public required string Reason { get; init; }

    /// <summary>Every place tried, in order; the last one is where the library was found, if it was.</summary>
    public ImmutableArray<LoadAttempt> Attempts { get; init; } = [];
}
