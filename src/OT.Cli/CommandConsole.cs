using System.Diagnostics;

namespace OT.Cli;

/// <summary>One run of the command: its streams, its interrupt, and the rule that an interrupt ends it within half a second.</summary>
/// <remarks>
/// The work runs on its own thread. Solvers stop by themselves soon after the token fires; a phase that does not (reading a huge file, a statistic over
/// all pairs) is abandoned after <see cref="Grace"/>. Whoever claims the output first writes it: the work or the abandonment, never both.
/// </remarks>
sealed class CommandConsole(
    Func<Stream> standardInput,
    TextWriter output,
    TextWriter error,
    bool showProgress,
    CancellationToken cancellation,
    RankConsole? ranks = null
)
{
    /// <summary>How long an interrupted phase may take to come to a result by itself; what is left of half a second starts and ends the process.</summary>
    static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(300);

    int _claimed;

    public TextWriter Output => output;

    public TextWriter Error => error;

    public CancellationToken Cancellation => cancellation;

    public ProgressSink Progress { get; } = new();

    /// <summary>The processes that all run this command; null for one by itself.</summary>
    public RankConsole? Ranks => ranks;

    /// <summary>Whether this process writes files: of several the first one.</summary>
    public bool Writes => ranks?.Writes ?? true;

    /// <summary>Whether an interrupt has come, to any process. Collective.</summary>
    public bool AnyInterrupted =>
        ranks is null ? cancellation.IsCancellationRequested : ranks.Ranks.Any(cancellation.IsCancellationRequested);

    /// <summary>What an abandoned run writes to the output; set once the command is known.</summary>
    public Action<TextWriter>? OnAbandon { get; set; }

    public TableReader OpenReader() => new(standardInput, cancellation, ranks?.Ranks);

    /// <summary>Makes what only the process that writes looks at; what that one refuses is refused by all. Collective.</summary>
    public T Settled<T>(Func<T> make)
    {
        if (ranks is null)
            return make();
        T made = default!;
        string? failure = null;
        try
        {
            made = make();
        }
        catch (InputException refused)
        {
            failure = refused.Message;
        }
        return ranks.Ranks.FirstFailure(failure) is { } first ? throw new InputException(first) : made;
    }

    /// <summary>Claims the output; false when the run has been abandoned.</summary>
    public bool TryClaimOutput() => Interlocked.Exchange(ref _claimed, 1) == 0;

    public int Run(Func<int> work)
    {
        Task<int> task = Task.Factory.StartNew(
            () => Guarded(work),
            CancellationToken.None,
            TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach,
            TaskScheduler.Default
        );
        try
        {
            if (showProgress)
                Draw(task);
            task.Wait(cancellation);
        }
        catch (OperationCanceledException)
        {
            if (!task.Wait(Grace, CancellationToken.None) && TryClaimOutput())
                return Guarded(Abandon);
        }
        return task.GetAwaiter().GetResult();
    }

    /// <summary>Draws progress. A terminal that cannot be drawn on, or goes away, is no reason to lose the work.</summary>
    void Draw(Task task)
    {
        try
        {
            ProgressBar.Show(task, Progress, error, cancellation);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Debug.WriteLine(e);
        }
    }

    int Abandon()
    {
        string? loss = ranks?.Loss();
        // A rank that was lost is a failure: what was kept is written, and no result is reported.
        OnAbandon?.Invoke(loss is null ? output : TextWriter.Null);
        output.Flush();
        if (loss is null)
            Say("ot: interrupted before there was a result.");
        else if (ranks!.IsFirstLeft())
            ranks.Error.WriteLine(loss);
        return ranks is null ? CommandLine.StoppedEarly : RankConsole.Abandoned;
    }

    int Guarded(Func<int> work)
    {
        try
        {
            return work();
        }
        catch (OperationCanceledException)
        {
            return TryClaimOutput() ? Guarded(Abandon) : CommandLine.StoppedEarly;
        }
        catch (Exception e) when (ranks is not null)
        {
            // A launcher tells the ranks that are left to end once one of them has: no interrupt of a user's.
            TryClaimOutput();
            ranks.Ranks.GiveUp($"ot: {CommandLine.Describe(e)}", CommandLine.BadInput, ranks.Error);
            return CommandLine.BadInput;
        }
        catch (Exception e)
        {
            Debug.WriteLine(e);
            // The output may have been claimed by this very work, whose file then failed: the message is due either way.
            Say($"ot: {CommandLine.Describe(e)}");
            return CommandLine.BadInput;
        }
    }

    /// <summary>A line on standard error, if anybody still reads it.</summary>
    void Say(string line)
    {
        try
        {
            error.WriteLine(line);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            Debug.WriteLine(e);
        }
    }
}
