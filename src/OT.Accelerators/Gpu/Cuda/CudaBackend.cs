using System.Collections.Immutable;
using OT.Backends;

namespace OT.Accelerators.Gpu.Cuda;

/// <summary>Runs on an NVIDIA device by its driver alone: kernels come as PTX, which the driver compiles when first needed; no toolkit has to be installed.</summary>
/// <remarks>
/// <para>Compute capability 8.0 or later, a driver of CUDA 11.4 or later. Iterations are queued as graphs. See docs/theory/cuda.md.</para>
/// <para>
/// Squared Euclidean costs in 32 dimensions or more use tensor cores where floats are asked for: in three products, as accurate as floats, for
/// <see cref="Precision.Float32"/>; in one of 10-bit mantissas for <see cref="Precision.TensorFloat32"/> and only then. <see cref="ICostOperator.Description"/> tells which.
/// At an ε so small that norms may not be folded into biases, both use differences in floats instead.
/// </para>
/// </remarks>
public sealed class CudaBackend : GpuBackend
{
    /// <summary>Opens a device. Kernels are not compiled before an operator needs them.</summary>
    /// <param name="memoryLimit">Bytes of device memory that one operator may take; those of the device by default.</param>
    /// <param name="device">
    /// Which device, from 0, in the driver's order: the fastest first unless the variables <c>CUDA_DEVICE_ORDER</c> and <c>CUDA_VISIBLE_DEVICES</c> say otherwise.
    /// </param>
    /// <exception cref="BackendException">There is no driver (every place tried is named), it is too old, or there is no such device.</exception>
    public CudaBackend(long? memoryLimit = null, int device = 0)
        : this(Checked(memoryLimit, device), device, memoryLimit) { }

    /// <summary>For tests: a device of a driver that is open already.</summary>
    internal CudaBackend(CudaDriver driver, int device = 0, long? memoryLimit = null)
        : base(new CudaDevice(driver, device), memoryLimit) { }

    /// <summary>Names of all devices there are, the one that is taken by default first.</summary>
    /// <exception cref="BackendException">There is no driver, it is too old, or it knows no device.</exception>
    public static ImmutableArray<string> Devices() => CudaDevice.Names(CudaDriver.Open());

    static CudaDriver Checked(long? memoryLimit, int device)
    {
        if (memoryLimit is { } bytes)
            ArgumentOutOfRangeException.ThrowIfNegative(bytes, nameof(memoryLimit));
        ArgumentOutOfRangeException.ThrowIfNegative(device);
        return CudaDriver.Open();
    }
}
