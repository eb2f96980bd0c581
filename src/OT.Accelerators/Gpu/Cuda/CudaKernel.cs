namespace OT.Accelerators.Gpu.Cuda;

/// <summary>A function of a loaded module.</summary>
/// <param name="Name">Its name in the source.</param>
/// <param name="Function">The driver's handle, good for the life of the device.</param>
sealed record CudaKernel(string Name, nint Function) : IGpuKernel;
