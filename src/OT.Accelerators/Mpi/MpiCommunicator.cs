using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using OT.Backends;
using OT.Numerics;

namespace OT.Accelerators.Mpi;

/// <summary>The processes that <c>mpirun</c> started together, each with its rank: what they exchange, always in the order of the ranks.</summary>
/// <remarks>
/// <para>
/// MPI starts once in a process: <see cref="World"/> opens it, and there is one of these at a time. All ranks must make the same calls in the same order. Each exchange first compares where the ranks are
/// and what they hold; ranks that are not at the same step with the same numbers all throw a <see cref="BackendException"/> that names one of them.
/// </para>
/// <para>What a rank gives for another is counted in <see cref="BytesSent"/>. See docs/theory/distributed.md.</para>
/// </remarks>
public sealed unsafe partial class MpiCommunicator : IRowShare, IDisposable
{
    /// <summary>How long <see cref="Dispose"/> waits for the other ranks to come to their end.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>How long a rank that gave up waits for the others to do so, too.</summary>
    static readonly TimeSpan GivingUp = TimeSpan.FromSeconds(5);

    static readonly Lock Opening = new();
    static MpiCommunicator? s_world;

    readonly Lock _oneCall = new();
    bool _closed;

    MpiCommunicator(int rank, int size) => (Rank, Size) = (rank, size);

    /// <summary>This process among the others, from 0.</summary>
    public int Rank { get; }

    /// <summary>Number of processes.</summary>
    public int Size { get; }

    /// <summary>Processors for each rank: those this process may use, shared among the ranks that may use the same ones.</summary>
    public int Threads { get; private set; } = 1;

    /// <summary>Bytes of memory of the rank that has least.</summary>
    public long AvailableBytes { get; private set; }

    /// <summary>Bytes that this rank gave for others so far; what every rank gets counts once for each of the others. Vectors alone: the 32 bytes by which ranks agree on a step are in <see cref="Exchanges"/>.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Calls of MPI that moved data so far, agreements on a step included.</summary>
    public long Exchanges { get; private set; }

    /// <summary>MPI's own name and version.</summary>
    public static string Library
    {
        get
        {
            LibOtMpi.Require();
            return LibOtMpi.Version;
        }
    }

    /// <summary>
    /// Number of processes that the launcher says it started: <c>OMPI_COMM_WORLD_SIZE</c> of Open MPI, <c>PMI_SIZE</c> of MPICH and those like it; 1 without a launcher.
    /// Starts nothing.
    /// </summary>
    public static int LaunchedSize => FromLauncher ?? 1;

    /// <summary>Whether a launcher started this process, alone or with others. Starts nothing.</summary>
    public static bool IsLaunched => FromLauncher is not null;

    static int? FromLauncher
    {
        get
        {
            foreach (string variable in (ReadOnlySpan<string>)["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
            {
                string? text = Environment.GetEnvironmentVariable(variable);
                if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int size) && size > 0)
                    return size;
            }
            return null;
        }
    }

    /// <summary>Starts MPI, or gives what was started before. Collective.</summary>
    /// <exception cref="BackendException">libot_mpi or MPI is missing, was ended in this process before, is another than the launcher's, or the ranks run on unlike processors or versions.</exception>
    public static MpiCommunicator World()
    {
        lock (Opening)
        {
            if (s_world is { _closed: false })
                return s_world;
            LibOtMpi.Require();
            int rank,
                size;
            LibOtMpi.Check(LibOtMpi.ot_mpi_open(&rank, &size));
            if (LaunchedSize > 1 && size == 1)
            {
                throw new BackendException(
                    "mpi",
                    $"the launcher started {LaunchedSize} processes, and {LibOtMpi.Version}, with which libot_mpi was built, sees one: use the mpirun of that MPI."
                );
            }
            var world = new MpiCommunicator(rank, size);
            world.CompareProcesses();
            return s_world = world;
        }
    }

    /// <summary>The rows of this rank among so many: <c>⌊n r / R⌋</c> up to <c>⌊n (r + 1) / R⌋</c>.</summary>
    public (int Start, int End) RowsOf(int rows) => (Border(rows, Rank), Border(rows, Rank + 1));

    internal int Border(int count, int rank) => (int)((long)count * rank / Size);

    /// <summary>What all ranks give, one after the other, on every rank. Collective.</summary>
    /// <param name="own">What this rank gives; lengths may differ.</param>
    public T[] Gather<T>(ReadOnlySpan<T> own)
        where T : unmanaged => Gather(own, out _);

    /// <summary>What all ranks give, one after the other, and how many came from each. Collective.</summary>
    /// <param name="own">What this rank gives; lengths may differ.</param>
    /// <param name="counts">Length of each rank's part.</param>
    /// <exception cref="BackendException">Together more than 2³¹ − 1 values, or the ranks are at different steps.</exception>
    public T[] Gather<T>(ReadOnlySpan<T> own, out long[] counts)
        where T : unmanaged
    {
        lock (_oneCall)
        {
            counts = Agree("Gather", (ulong)Unsafe.SizeOf<T>(), own.Length, () => [$"values of {Unsafe.SizeOf<T>()} bytes"]);
            var all = new T[TotalOf(counts)];
            AllGather(own, all, counts);
            return all;
        }
    }

    /// <summary>Every rank gives each other rank a part. Collective.</summary>
    internal T[] Exchange<T>(ReadOnlySpan<T> parts, ReadOnlySpan<long> sent)
        where T : unmanaged
    {
        lock (_oneCall)
        {
            long[] table = Gather(sent); // R x R
            var received = new long[Size];
            for (int r = 0; r < Size; r++)
                received[r] = table[(r * Size) + Rank];
            var all = new T[TotalOf(received)];
            AllToAll(parts, sent, all, received);
            return all;
        }
    }

    static int TotalOf(long[] counts)
    {
        long total = counts.Sum();
        return total <= Array.MaxLength
            ? (int)total
            : throw new BackendException("mpi", $"{total} values of all ranks do not fit in one array.");
    }

    /// <summary>Throws on every rank when any rank names a failure: the first one's, with its rank. Collective.</summary>
    /// <param name="failure">What went wrong here; null when nothing did.</param>
    /// <exception cref="BackendException">Some rank failed.</exception>
    public void Settle(string? failure)
    {
        if (FirstFailure(failure) is { } first)
            throw new BackendException("mpi", first);
    }

    /// <summary>The first failure of any rank, and which rank's it is unless all say the same; null when none failed. Collective.</summary>
    public string? FirstFailure(string? failure)
    {
        byte[] all = Gather<byte>(Encoding.UTF8.GetBytes(failure ?? ""), out long[] counts);
        int rank = Array.FindIndex(counts, count => count > 0);
        if (rank < 0)
            return null;
        int length = (int)counts[rank]; // those before it have no text
        string first = Encoding.UTF8.GetString(all.AsSpan(0, length));
        bool alike = all.Length == length * Size;
        for (int r = 0; r < Size && alike; r++)
            alike = all.AsSpan(r * length, length).SequenceEqual(all.AsSpan(0, length));
        return alike ? first : $"rank {rank}: {first}";
    }

    /// <summary>Whether any rank says so. Collective.</summary>
    public bool Any(bool here) => Gather<bool>([here]).Contains(true);

    /// <summary>
    /// Waits until all ranks have come here. Apart from all other exchanges: ranks that gave up find out by it whether the others have given up too, or wait for them.
    /// </summary>
    /// <param name="patience">How long at most.</param>
    /// <returns>Whether all came.</returns>
    public bool Meet(TimeSpan patience)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        int met;
        LibOtMpi.Check(LibOtMpi.ot_mpi_meet(patience.TotalSeconds, &met));
        return met != 0;
    }

    /// <summary>Ends the processes of all ranks, this one included.</summary>
    /// <param name="exitCode">What the launcher reports.</param>
    public void Abort(int exitCode)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        LibOtMpi.Check(LibOtMpi.ot_mpi_abort(exitCode));
    }

    /// <summary>
    /// Runs a program on all ranks and sees to its end, whatever becomes of some of them: what it throws on all ranks is written once, what it throws on some ends the job with a line that names the rank.
    /// No rank waits for one that has gone.
    /// </summary>
    /// <param name="program">What every rank runs; gives the exit code.</param>
    /// <param name="error">Receives one line when the program fails.</param>
    /// <returns>The program's exit code; 2 when it threw.</returns>
    public static int Run(Func<MpiCommunicator, int> program, TextWriter error)
    {
        ArgumentNullException.ThrowIfNull(program);
        ArgumentNullException.ThrowIfNull(error);
        const int failed = 2;
        MpiCommunicator ranks;
        try
        {
            ranks = World();
        }
        catch (BackendException e)
        {
            error.WriteLine(e.Message);
            return failed;
        }
        try
        {
            int code = program(ranks);
            ranks.Dispose();
            return code;
        }
#pragma warning disable CA1031 // whatever it is, the other ranks wait for this one
        catch (Exception e)
#pragma warning restore CA1031
        {
            ranks.GiveUp(e.Message, failed, error);
            return failed;
        }
    }

    /// <summary>Ends MPI once all ranks have come here or given up; ends all processes when some rank does neither within ten minutes. Collective.</summary>
    public void Dispose() => End(Patience);

    /// <summary>As <see cref="Dispose"/>, with as much patience as the rank needs that works longest alone.</summary>
    public void End(TimeSpan patience)
    {
        lock (Opening)
        {
            if (_closed)
                return;
            if (!Meet(patience))
                Abort(1);
            Failures(failed: false);
            Close();
        }
    }

    /// <summary>
    /// This rank cannot go on. When all ranks end here or in <see cref="Dispose"/> within five seconds, the first that failed writes its message; else this one does, and ends the processes of all.
    /// </summary>
    /// <param name="message">What went wrong, in a line.</param>
    /// <param name="exitCode">What the launcher reports when the others have to be ended.</param>
    /// <param name="error">Where the message goes.</param>
    public void GiveUp(string message, int exitCode, TextWriter error)
    {
        ArgumentNullException.ThrowIfNull(error);
        lock (Opening)
        {
            if (!_closed && !Meet(GivingUp))
            {
                error.WriteLine($"{message} (rank {Rank} of {Size}: the other ranks are ended)");
                error.Flush();
                Abort(exitCode);
            }
            // Written before the end of MPI, which all ranks wait for: a launcher ends those that are left when the first leaves with an error.
            long[] failures = _closed ? [1] : Failures(failed: true);
            if (Array.IndexOf(failures, 1L) == Rank || failures.Length == 1)
                error.WriteLine(failures.Contains(0L) ? $"{message} (rank {Rank} of {Size})" : message);
            error.Flush();
            Close();
        }
    }

    /// <summary>Which ranks failed, where all have met. They may have failed at different steps, so none is agreed on.</summary>
    long[] Failures(bool failed)
    {
        long[] failures = new long[Size],
            one = new long[Size];
        Array.Fill(one, 1);
        AllGather<long>([failed ? 1 : 0], failures, one);
        return failures;
    }

    void Close()
    {
        if (_closed)
            return;
        _closed = true;
        LibOtMpi.Check(LibOtMpi.ot_mpi_close());
    }

    // ---- MPI ----

    /// <summary>Every rank's items on every rank, without agreement.</summary>
    internal void AllGather<T>(ReadOnlySpan<T> own, Span<T> all, ReadOnlySpan<long> counts)
        where T : unmanaged
    {
        (int item, int per) = Items<T>();
        Span<long> scaled = stackalloc long[counts.Length];
        for (int r = 0; r < counts.Length; r++)
            scaled[r] = counts[r] * per;
        fixed (
            T* from = own,
                to = all
        )
        fixed (long* many = scaled)
            LibOtMpi.Check(LibOtMpi.ot_mpi_allgather(from, many, item, to));
        Count((long)own.Length * sizeof(T) * (Size - 1L));
    }

    /// <summary>A part for each rank, without agreement.</summary>
    internal void AllToAll<T>(ReadOnlySpan<T> parts, ReadOnlySpan<long> sent, Span<T> all, ReadOnlySpan<long> received)
        where T : unmanaged
    {
        (int item, int per) = Items<T>();
        Span<long> scaledSent = stackalloc long[Size],
            scaledReceived = stackalloc long[Size];
        for (int r = 0; r < Size; r++)
            (scaledSent[r], scaledReceived[r]) = (sent[r] * per, received[r] * per);
        fixed (
            T* from = parts,
                to = all
        )
        fixed (
            long* gives = scaledSent,
                gets = scaledReceived
        )
            LibOtMpi.Check(LibOtMpi.ot_mpi_alltoall(from, gives, item, to, gets));
        Count((parts.Length - sent[Rank]) * sizeof(T));
    }

    void Count(long bytes)
    {
        BytesSent += bytes;
        Exchanges++;
    }

    /// <summary>MPI's items of 8, 4 or 1 bytes, and how many make one value.</summary>
    static (int Item, int PerValue) Items<T>()
        where T : unmanaged
    {
        int item =
            sizeof(T) % 8 == 0 ? 8
            : sizeof(T) % 4 == 0 ? 4
            : 1;
        return (item, sizeof(T) / item);
    }
}
