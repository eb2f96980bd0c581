namespace OT.Accelerators.Gpu.Cuda;

/// <summary>Memory that <c>cuMemAlloc</c> gave.</summary>
sealed class CudaBuffer : GpuBuffer
{
    readonly CudaDevice _device;

    public CudaBuffer(CudaDevice device, nint address, long bytes)
        : base(address, bytes) => _device = device;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => _device.Free(handle, Bytes);
}
