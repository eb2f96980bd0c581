namespace OT.Numerics;

/// <summary>Rows of a table that this process looks at, and the exchange with the processes that look at the others.</summary>
/// <remarks>
/// All processes run the same program: they make the same calls in the same order, and what a call gives is the same on all of them, to the last bit. What may
/// differ between them (clocks, interrupts, memory) must go through <see cref="Agree"/> or <see cref="AvailableBytes"/> before it decides anything.
/// </remarks>
internal interface IRowShare
{
    /// <summary>The rows of this process, of a table of so many; the shares of all processes are the table, in order.</summary>
    (int Start, int End) RowsOf(int rows);

    /// <summary>What all processes give, one after the other.</summary>
    T[] Gather<T>(ReadOnlySpan<T> own)
        where T : unmanaged;

    /// <summary>A token that fires on all processes at the same step of the program, soon after any process's own has.</summary>
    AgreedToken Agree(CancellationToken own);

    /// <summary>Bytes of memory of the process that has least.</summary>
    long AvailableBytes { get; }
}

/// <summary>A token agreed on by all processes; no longer after it was disposed.</summary>
internal readonly struct AgreedToken(CancellationToken token, Action? end = null) : IDisposable
{
    public CancellationToken Token { get; } = token;

    public void Dispose() => end?.Invoke();
}

/// <summary>One process that looks at everything.</summary>
internal sealed class RowShare : IRowShare
{
    public static IRowShare Whole { get; } = new RowShare();

    RowShare() { }

    public long AvailableBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    public (int Start, int End) RowsOf(int rows) => (0, rows);

    public T[] Gather<T>(ReadOnlySpan<T> own)
        where T : unmanaged => own.ToArray();

    public AgreedToken Agree(CancellationToken own) => new(own);
}
