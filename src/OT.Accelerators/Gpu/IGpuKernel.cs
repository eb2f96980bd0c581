namespace OT.Accelerators.Gpu;

/// <summary>A kernel that its device can launch.</summary>
interface IGpuKernel
{
    /// <summary>Its name in the source.</summary>
    string Name { get; }
}
