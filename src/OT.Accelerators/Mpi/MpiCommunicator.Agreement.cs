using System.Diagnostics;
using System.Text;
using OT.Backends;
using OT.Numerics;

namespace OT.Accelerators.Mpi;

/// <summary>What ranks must have alike, and when they stop together.</summary>
public sealed unsafe partial class MpiCommunicator
{
    /// <summary>Tokens that can be watched at a time: one bit each.</summary>
    const int MaxWatches = 64;

    readonly Watch?[] _watches = new Watch?[MaxWatches];
    (int Rank, int Process)[] _neighbours = [];
    uint _step;

    /// <summary>Ranks compute alike where processors have the same registers and programs the same version; memory and processors may differ.</summary>
    void CompareProcesses()
    {
        string[] kinds = GatherTexts($"{typeof(MpiCommunicator).Assembly.GetName().Version}, registers of {Simd.Width} bits");
        for (int r = 1; r < Size; r++)
        {
            if (!string.Equals(kinds[r], kinds[0], StringComparison.Ordinal))
            {
                throw new BackendException(
                    "mpi",
                    $"rank {r} runs {kinds[r]}, rank 0 runs {kinds[0]}: all must round alike. Registers can be narrowed on every rank by DOTNET_EnableAVX512F=0 or DOTNET_EnableAVX2=0."
                );
            }
        }
        AvailableBytes = Gather<long>([RowShare.Whole.AvailableBytes]).Min();
        // Where a launcher binds each rank to processors of its own, this process counts only those.
        string place = $"{Environment.MachineName} {AllowedProcessors()}";
        int alike = GatherTexts(place).CountBy(other => other).Max(pair => pair.Value);
        Threads = Math.Max(1, Environment.ProcessorCount / alike);
        string[] machines = GatherTexts(Environment.MachineName);
        int[] processes = Gather<int>([Environment.ProcessId]);
        _neighbours =
        [
            .. Enumerable
                .Range(0, Size)
                .Where(r => string.Equals(machines[r], machines[Rank], StringComparison.Ordinal))
                .Select(r => (r, processes[r])),
        ];
    }

    static string AllowedProcessors()
    {
        const string status = "/proc/self/status";
        return File.Exists(status)
            ? File.ReadLines(status).FirstOrDefault(line => line.StartsWith("Cpus_allowed_list", StringComparison.Ordinal)) ?? ""
            : "";
    }

    /// <summary>Ranks on this machine whose processes have ended before their time, for one because they were killed. Not collective: what a rank asks that was told to end.</summary>
    public IReadOnlyList<int> Lost() =>
        _closed ? [] : [.. _neighbours.Where(other => HasEnded(other.Process)).Select(other => other.Rank)];

    static bool HasEnded(int process)
    {
        string status = $"/proc/{process}/stat";
        if (OperatingSystem.IsLinux())
        {
            try
            {
                // The state stands behind the name: a zombie has ended, and its launcher has not looked yet.
                string text = File.ReadAllText(status);
                return text[text.LastIndexOf(')')..] is [_, _, 'Z' or 'X', ..];
            }
            catch (IOException)
            {
                return true;
            }
        }
        try
        {
            Process.GetProcessById(process).Dispose();
            return false;
        }
        catch (ArgumentException)
        {
            return true;
        }
    }

    /// <summary>A token of this rank, and the one that fires on all ranks at the same step.</summary>
    internal sealed class Watch : IDisposable
    {
        readonly CancellationTokenSource _agreed = new();

        public Watch(CancellationToken own) => (Own, Token) = (own, _agreed.Token);

        public CancellationToken Own { get; }

        public CancellationToken Token { get; }

        public void Fire() => _agreed.Cancel();

        public void Dispose() => _agreed.Dispose();
    }

    AgreedToken IRowShare.Agree(CancellationToken own)
    {
        Watch watch = WatchOf(own, out int slot);
        return new AgreedToken(watch.Token, slot < 0 ? null : () => EndWatch(slot));
    }

    /// <summary>The watch whose token this is, or a new one in a slot of its own.</summary>
    internal Watch WatchOf(CancellationToken token, out int slot)
    {
        lock (_oneCall)
        {
            slot = -1;
            foreach (Watch? watch in _watches)
            {
                if (watch?.Token == token)
                    return watch;
            }
            slot = Array.IndexOf(_watches, null);
            if (slot < 0)
                throw new BackendException("mpi", $"more than {MaxWatches} operators and solves are open at a time.");
            return _watches[slot] = new Watch(token);
        }
    }

    internal void EndWatch(int slot)
    {
        lock (_oneCall)
        {
            _watches[slot]?.Dispose();
            _watches[slot] = null;
        }
    }

    /// <summary>One bit for each watched token of this rank that has fired.</summary>
    internal ulong Stops()
    {
        ulong stops = 0;
        // Tokens that others are linked to were watched first, and are read last: what caused is seen with what it caused.
        for (int k = MaxWatches - 1; k >= 0; k--)
        {
            if (_watches[k] is { Own.IsCancellationRequested: true })
                stops |= 1UL << k;
        }
        return stops;
    }

    /// <summary>Fires what has fired on any rank.</summary>
    internal void Stop(ulong stops)
    {
        for (int k = 0; k < MaxWatches; k++)
        {
            if ((stops >> k & 1) != 0)
                _watches[k]?.Fire();
        }
    }

    /// <summary>Not <see cref="string.GetHashCode()"/>, which is another in every process.</summary>
    internal static int HashOf(string text)
    {
        int hash = 0;
        foreach (char c in text)
            hash = unchecked((hash * 31) + c);
        return hash;
    }

    /// <summary>Compares where the ranks are and what they hold, and tells what each is about to give.</summary>
    /// <param name="what">The step, for messages.</param>
    /// <param name="content">A hash of what must be alike.</param>
    /// <param name="count">A number that may differ.</param>
    /// <param name="facts">What the hash is of, in words: made where ranks differ, to say in what.</param>
    internal long[] Agree(string what, ulong content, long count, Func<string[]> facts)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        ReadOnlySpan<ulong> own = [((ulong)(uint)HashOf(what) << 32) | ++_step, content, Stops(), (ulong)count];
        var all = new ulong[4 * Size];
        var four = new long[Size];
        Array.Fill(four, 4);
        AllGather(own, all, four);
        BytesSent -= own.Length * sizeof(ulong) * (Size - 1L);
        var counts = new long[Size];
        ulong stops = 0;
        bool alike = true;
        for (int r = 0; r < Size; r++)
        {
            alike &= all[4 * r] == own[0] && all[(4 * r) + 1] == own[1];
            stops |= all[(4 * r) + 2];
            counts[r] = (long)all[(4 * r) + 3];
        }
        if (!alike)
            throw Difference([$"step {_step}, {what}", .. facts()]);
        Stop(stops);
        return counts;
    }

    /// <summary>In what the first rank that differs from rank 0 does so. All ranks know that there is one, and come here.</summary>
    BackendException Difference(string[] facts)
    {
        const char separator = '\n';
        byte[] own = Encoding.UTF8.GetBytes(string.Join(separator, facts));
        long[] lengths = new long[Size],
            one = new long[Size];
        Array.Fill(one, 1);
        AllGather([own.Length], lengths, one);
        var bytes = new byte[TotalOf(lengths)];
        AllGather<byte>(own, bytes, lengths);
        string[][] all = [.. Split(bytes, lengths).Select(text => text.Split(separator))];
        int rank = Math.Max(Array.FindIndex(all, other => !other.AsSpan().SequenceEqual(all[0])), 0);
        string[] theirs = [.. all[rank].Except(all[0], StringComparer.Ordinal)],
            first = [.. all[0].Except(all[rank], StringComparer.Ordinal)];
        return new BackendException(
            "mpi",
            $"rank {rank} has {string.Join(", ", theirs)} where rank 0 has {string.Join(", ", first)}: all ranks must run the same program on the same input, and decide nothing by clocks or chance."
        );
    }

    /// <summary>A text of every rank. Collective.</summary>
    internal string[] GatherTexts(string own)
    {
        byte[] all = Gather<byte>(Encoding.UTF8.GetBytes(own), out long[] counts);
        return Split(all, counts);
    }

    static string[] Split(byte[] all, long[] counts)
    {
        var texts = new string[counts.Length];
        for (int r = 0, at = 0; r < texts.Length; at += (int)counts[r++])
            texts[r] = Encoding.UTF8.GetString(all.AsSpan(at, (int)counts[r]));
        return texts;
    }
}
