using Microsoft.Win32.SafeHandles;
using OT.Accelerators.Mpi;
using OT.Backends;

namespace OT.Cli;

/// <summary>The command under <c>mpirun</c>: every rank runs it, the first one writes.</summary>
static class RankedProgram
{
    /// <summary>How long the others leave the first rank to write what an interrupted run has.</summary>
    static readonly TimeSpan Writing = TimeSpan.FromSeconds(5);

    public static int Run(IReadOnlyList<string> args, CancellationToken cancellation)
    {
        using TextWriter output = Plain(1),
            error = Plain(2);
        MpiCommunicator ranks;
        try
        {
            ranks = MpiCommunicator.World();
        }
        catch (BackendException e)
        {
            error.WriteLine($"ot: {CommandLine.OneLine(e)}");
            return CommandLine.BadInput;
        }
        bool first = ranks.Rank == 0;
        int code = CommandLine.Run(
            args,
            () => throw new InputException("standard input ('-') belongs to one process: name files under mpirun."),
            first ? output : TextWriter.Null,
            first ? error : TextWriter.Null,
            showProgress: false,
            new RankConsole(ranks, error, first),
            cancellation
        );
        output.Flush();
        if (code == RankConsole.Abandoned)
        {
            // Some rank is inside MPI, and cannot be called back: all end here, the first one last.
            if (!first)
                Thread.Sleep(Writing);
            ranks.Abort(CommandLine.StoppedEarly);
        }
        ranks.End(TimeSpan.MaxValue);
        return code;
    }

    /// <summary>A writer to standard output (1) or error (2) that greets no terminal, as the console's do: <c>mpirun</c> gives each process one and passes on all that is written there.</summary>
    public static StreamWriter Plain(int descriptor)
    {
        Stream stream =
            !OperatingSystem.IsWindows() ? new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write)
            : descriptor == 1 ? Console.OpenStandardOutput()
            : Console.OpenStandardError();
        return new StreamWriter(stream) { AutoFlush = true };
    }
}

/// <summary>What a command needs to know of the other ranks.</summary>
/// <param name="Ranks">The processes.</param>
/// <param name="Error">Where this rank writes when it fails alone.</param>
/// <param name="Writes">Whether this rank writes files and the report: the first one does.</param>
sealed record RankConsole(MpiCommunicator Ranks, TextWriter Error, bool Writes)
{
    /// <summary>The exit code of a run that was left in the middle; never shown.</summary>
    public const int Abandoned = -1;

    /// <summary>In what the first rank that differs from rank 0 does so, or null: ranks that run different commands would wait for each other without end. Collective.</summary>
    public string? Difference(string asked)
    {
        char[] all = Ranks.Gather<char>(asked, out long[] counts);
        string first = new(all, 0, (int)counts[0]);
        for (int r = 0, at = 0; r < Ranks.Size; at += (int)counts[r++])
        {
            string own = new(all, at, (int)counts[r]);
            if (!string.Equals(own, first, StringComparison.Ordinal))
                return $"rank {r} runs {own}, rank 0 {first}: all ranks must run the same.";
        }
        return null;
    }

    /// <summary>Which ranks of this machine ended before their time, in a line; null where none did. The launcher then tells the others to end, as an interrupt does.</summary>
    public string? Loss()
    {
        IReadOnlyList<int> lost = Ranks.Lost();
        return lost.Count == 0
            ? null
            : $"ot: rank {string.Join(", ", lost)} of {Ranks.Size} ended before its time, as one does that is killed: the others end, too. What was kept until then can be gone on from.";
    }

    /// <summary>Whether this rank is the first that is left.</summary>
    public bool IsFirstLeft() => !Enumerable.Range(0, Ranks.Rank).Except(Ranks.Lost()).Any();
}
