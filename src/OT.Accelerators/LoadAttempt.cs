namespace OT.Accelerators;

/// <summary>One place where a native library was looked for.</summary>
/// <param name="Path">Full path, or the bare file name where the system's own search was asked.</param>
/// <param name="Failure">Why it was not taken, in the system's words where there are any; null when it was.</param>
public sealed record LoadAttempt(string Path, string? Failure)
{
    /// <summary>The path, and in brackets what came of it.</summary>
    public override string ToString() => $"{Path} ({Failure ?? "loaded"})";
}
