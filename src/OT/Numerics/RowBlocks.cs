using System.Runtime.ExceptionServices;

namespace OT.Numerics;

/// <summary>Work cut into numbered blocks.</summary>
internal interface IBlockWork
{
    /// <summary>Does one block.</summary>
    /// <param name="block">Which block.</param>
    /// <param name="worker">Which worker, 0 … Threads − 1: selects scratch memory, never the result.</param>
    void Run(int block, int worker);
}

/// <summary>A parallel loop over numbered blocks whose borders never depend on the thread count: same bits for any number of threads.</summary>
/// <remarks>
/// Worker threads start with a loop that needs them, wait for the next, and end after ten idle seconds or with <see cref="Dispose"/>.
/// A loop allocates nothing. The calling thread works too, so one thread means no worker at all. One loop at a time.
/// </remarks>
internal sealed class RowBlocks : IDisposable
{
    const int SpinsBeforeBlocking = 2_000;
    const int IdleMilliseconds = 10_000;

    /// <summary>The loop that the present thread works in, as a worker.</summary>
    [ThreadStatic]
    static RowBlocks? t_working;

    readonly Lock _oneLoop = new();
    readonly object _gate = new();
    IBlockWork? _work;
    ExceptionDispatchInfo? _failure;
    int _blocks;
    int _next;
    int _active;
    int _generation;
    readonly bool[] _alive;
    bool _stopping;

    /// <summary>A loop over the given number of threads; nothing starts yet.</summary>
    public RowBlocks(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        Threads = threads;
        _alive = new bool[threads];
    }

    /// <summary>Threads at most, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Runs blocks 0 … <paramref name="blocks"/> − 1 and returns when all are done.</summary>
    public void Run(int blocks, IBlockWork work)
    {
        if (_oneLoop.IsHeldByCurrentThread || ReferenceEquals(t_working, this))
            throw new InvalidOperationException(
                "A block must not start a loop on the threads that run it: give the inner solve a back end of its own."
            );
        lock (_oneLoop)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (Threads == 1 || blocks <= 1)
            {
                for (int block = 0; block < blocks; block++)
                    work.Run(block, 0);
                return;
            }
            _work = work;
            _blocks = blocks;
            _failure = null;
            Volatile.Write(ref _next, 0);
            Volatile.Write(ref _active, Threads - 1);
            lock (_gate)
            {
                for (int worker = 1; worker < Threads; worker++)
                    StartIfNeeded(worker);
                _generation++;
                Monitor.PulseAll(_gate);
            }
            Take(work, 0);
            var spin = new SpinWait();
            while (Volatile.Read(ref _active) != 0)
                spin.SpinOnce(sleep1Threshold: -1);
            _work = null;
            _failure?.Throw();
        }
    }

    /// <summary>Ends the worker threads, after the loop that may be running.</summary>
    public void Dispose()
    {
        lock (_oneLoop)
        {
            lock (_gate)
            {
                _stopping = true;
                Monitor.PulseAll(_gate);
            }
        }
    }

    void StartIfNeeded(int worker)
    {
        if (!_alive[worker])
            Start(worker, _generation);
    }

    void Start(int worker, int seen)
    {
        _alive[worker] = true;
        new Thread(() => Loop(worker, seen)) { IsBackground = true, Name = $"OT worker {worker}" }.Start();
    }

    void Loop(int worker, int seen)
    {
        t_working = this;
        while (true)
        {
            // A short spin catches the next loop of an iteration; a longer wait gives the core back.
            for (int k = 0; k < SpinsBeforeBlocking && Volatile.Read(ref _generation) == seen && !_stopping; k++)
                Thread.SpinWait(4);
            lock (_gate)
            {
                while (_generation == seen && !_stopping)
                {
                    if (!Monitor.Wait(_gate, IdleMilliseconds) && _generation == seen)
                    {
                        _alive[worker] = false;
                        return;
                    }
                }
                if (_stopping)
                    return;
                seen = _generation;
            }
            Take(_work!, worker);
            Interlocked.Decrement(ref _active);
        }
    }

    void Take(IBlockWork work, int worker)
    {
        try
        {
            while (true)
            {
                int block = Interlocked.Increment(ref _next) - 1;
                if (block >= _blocks)
                    return;
                work.Run(block, worker);
            }
        }
#pragma warning disable CA1031 // Whatever a block throws (a custom cost may) is rethrown on the caller's thread.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            Volatile.Write(ref _next, _blocks);
        }
    }
}
