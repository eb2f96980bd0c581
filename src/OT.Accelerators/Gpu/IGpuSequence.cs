namespace OT.Accelerators.Gpu;

/// <summary>Launches that are queued again and again with the same arguments.</summary>
interface IGpuSequence : IDisposable
{
    /// <summary>Queues all of them, in order, so many times.</summary>
    void Run(int times);
}
