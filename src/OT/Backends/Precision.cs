namespace OT.Backends;

/// <summary>What a back end stores and streams. Potentials, sums and certificates are double in all.</summary>
public enum Precision
{
    /// <summary>Doubles throughout.</summary>
    Float64,

    /// <summary>Costs, points and exponentials in float. Tensor cores serve only where the product is split so that its error stays that of floats.</summary>
    Float32,

    /// <summary>
    /// As <see cref="Float32"/>, and products of coordinates may be made by tensor cores from 10-bit mantissas: an error of <c>2^-10 |x_i||y_j|</c> per product.
    /// A back end without them uses <see cref="Float32"/> and says so in <see cref="ICostOperator.Description"/>. Never used unless asked for.
    /// </summary>
    TensorFloat32,
}
