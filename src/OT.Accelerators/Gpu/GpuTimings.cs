using System.Diagnostics;

namespace OT.Accelerators.Gpu;

/// <summary>Where a device's time went, as seen by the threads that waited for it; it only grows.</summary>
public sealed class GpuTimings
{
    long _compile;
    long _upload;
    long _run;
    long _download;

    internal GpuTimings() { }

    /// <summary>Building kernels.</summary>
    public TimeSpan Compile => Elapsed(Interlocked.Read(ref _compile));

    /// <summary>Copying to the device.</summary>
    public TimeSpan Upload => Elapsed(Interlocked.Read(ref _upload));

    /// <summary>Waiting for kernels.</summary>
    public TimeSpan Run => Elapsed(Interlocked.Read(ref _run));

    /// <summary>Copying from the device, once kernels were done.</summary>
    public TimeSpan Download => Elapsed(Interlocked.Read(ref _download));

    internal void Compiled(long since) => Add(ref _compile, since);

    internal void Uploaded(long since) => Add(ref _upload, since);

    internal void Ran(long since) => Add(ref _run, since);

    internal void Downloaded(long since) => Add(ref _download, since);

    static void Add(ref long total, long since) => Interlocked.Add(ref total, Stopwatch.GetTimestamp() - since);

    static TimeSpan Elapsed(long ticks) => Stopwatch.GetElapsedTime(0, ticks);
}
