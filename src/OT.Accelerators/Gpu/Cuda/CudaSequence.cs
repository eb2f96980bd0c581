using System.Runtime.InteropServices;

namespace OT.Accelerators.Gpu.Cuda;

/// <summary>Launches that the driver has laid out once as a graph, to be queued again at the price of one.</summary>
sealed class CudaSequence : SafeHandle, IGpuSequence
{
    readonly CudaDevice _device;

    public CudaSequence(CudaDevice device, nint graph)
        : base(0, ownsHandle: true)
    {
        _device = device;
        SetHandle(graph);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <inheritdoc/>
    public void Run(int times)
    {
        bool held = false;
        try
        {
            DangerousAddRef(ref held);
            for (int k = 0; k < times; k++)
                _device.Replay(handle);
        }
        finally
        {
            if (held)
                DangerousRelease();
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => _device.Drop(handle);
}
