using System.Runtime.InteropServices;

namespace OT.Accelerators.Gpu;

/// <summary>Memory of a device, counted there from its making until it is released.</summary>
abstract class GpuBuffer : SafeHandle
{
    /// <summary>Takes over memory that the driver has given.</summary>
    protected GpuBuffer(nint handle, long bytes)
        : base(0, ownsHandle: true)
    {
        SetHandle(handle);
        Bytes = bytes;
    }

    /// <summary>Size.</summary>
    public long Bytes { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;
}
