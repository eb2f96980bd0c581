namespace OT.Accelerators.Gpu;

/// <summary>A floating-point type of kernels.</summary>
enum GpuReal
{
    /// <summary>32 bits.</summary>
    Single,

    /// <summary>64 bits.</summary>
    Double,
}
