namespace OT.Accelerators.Gpu;

/// <summary>A file of kernels with the types it is compiled for.</summary>
/// <param name="Program">The file, and the ground cost where it has one.</param>
/// <param name="Real">Of exponents, points and partial sums.</param>
/// <param name="Stored">Of a stored matrix; elsewhere as <paramref name="Real"/>.</param>
/// <param name="Wide">Of potentials, weights and final sums: doubles wherever the device has them.</param>
readonly record struct GpuModule(GpuProgram Program, GpuReal Real, GpuReal Stored, GpuReal Wide)
{
    /// <summary>A name of its own: of a file of PTX, or in messages.</summary>
    public string Name =>
        $"{Program}-{Short(Real)}{(Stored == Real ? "" : $"-stored-{Short(Stored)}")}{(Wide == GpuReal.Double ? "" : "-narrow")}".ToLowerInvariant();

    /// <summary>The file that it is compiled from.</summary>
    public string File =>
        Program switch
        {
            GpuProgram.Tensor or GpuProgram.TensorHeads => "tensor.cu",
            GpuProgram.Limits => "limits.cl",
            GpuProgram.Vectors => "vectors.cl",
            GpuProgram.Matrix => "matrix.cl",
            GpuProgram.Batch => "batch.cl",
            GpuProgram.Sliced => "sliced.cl",
            _ => "points.cl",
        };

    /// <summary>What is defined before its first line, for the compiler's command line.</summary>
    public string Defines =>
        $"-D REAL_IS_DOUBLE={Flag(Real)} -D STORED_IS_DOUBLE={Flag(Stored)} -D WIDE_IS_DOUBLE={Flag(Wide)}"
        + Program switch
        {
            >= GpuProgram.Dot => $" -D COST={(int)Program}",
            GpuProgram.Tensor => " -D PRODUCTS=3",
            GpuProgram.TensorHeads => " -D PRODUCTS=1",
            _ => "",
        };

    /// <summary>A number for a parameter of type REAL.</summary>
    public GpuArgument AsReal(double value) => Of(value, Real);

    /// <summary>A number for a parameter of type WIDE.</summary>
    public GpuArgument AsWide(double value) => Of(value, Wide);

    static GpuArgument Of(double value, GpuReal type)
    {
        if (type == GpuReal.Double)
            return value;
        return (float)value;
    }

    static int Flag(GpuReal type) => type == GpuReal.Double ? 1 : 0;

    static string Short(GpuReal type) => type == GpuReal.Double ? "f64" : "f32";
}
