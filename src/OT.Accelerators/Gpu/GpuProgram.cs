namespace OT.Accelerators.Gpu;

/// <summary>A family of kernels. Numbers from 1 on are the values of COST in <c>points.cl</c>.</summary>
enum GpuProgram
{
    /// <summary>Projections on many directions, sorted.</summary>
    Sliced = -7,

    /// <summary>What the device can do at most.</summary>
    Limits = -6,

    /// <summary>As <see cref="Dot"/> in many dimensions: floats on tensor cores by three products of their parts.</summary>
    Tensor = -5,

    /// <summary>As <see cref="Tensor"/>, by the heads alone.</summary>
    TensorHeads = -4,

    /// <summary>Biases, potentials, errors and sums: all of O(n + m).</summary>
    Vectors = -3,

    /// <summary>Stored costs.</summary>
    Matrix = -2,

    /// <summary>Many small problems, one group for each.</summary>
    Batch = -1,

    /// <summary>Squared Euclidean as a dot product, its norms in the biases.</summary>
    Dot = 1,

    /// <summary>Sums of squared differences.</summary>
    Squared = 2,

    /// <summary>Roots of such sums.</summary>
    Euclidean = 3,

    /// <summary>Sums of differences.</summary>
    CityBlock = 4,

    /// <summary>Largest difference.</summary>
    Chebyshev = 5,

    /// <summary>Minkowski distances.</summary>
    Minkowski = 6,
}
