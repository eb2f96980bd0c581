namespace OT.Testing;

/// <summary>A law does not hold; the message says which numbers disagree, and from <see cref="Law.Check"/> also the seed and the smallest failing case.</summary>
public sealed class LawViolatedException : Exception
{
    /// <summary>A violation with its numbers.</summary>
    public LawViolatedException(string message, Exception? inner = null)
        : base(message, inner) { }
}
