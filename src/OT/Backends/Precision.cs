namespace OT.Backends;

/// <summary>What a back end stores and streams. Potentials, sums and certificates are double in both.</summary>
public enum Precision
{
    /// <summary>Doubles throughout.</summary>
    Float64,

    /// <summary>Costs, points and exponentials in float.</summary>
    Float32,
}
