namespace OT.Backends;

/// <summary>An implicit plan <c>P_ij = a_i b_j exp((f_i + g_j − C_ij)/ε)</c>, the weights given by their logarithms.</summary>
public readonly ref struct GibbsPlan
{
    /// <summary>Source potential, length n.</summary>
    public required ReadOnlySpan<double> F { get; init; }

    /// <summary>Target potential, length m.</summary>
    public required ReadOnlySpan<double> G { get; init; }

    /// <summary>log a, <c>-∞</c> where a is 0.</summary>
    public required ReadOnlySpan<double> LogA { get; init; }

    /// <summary>log b, <c>-∞</c> where b is 0.</summary>
    public required ReadOnlySpan<double> LogB { get; init; }

    /// <summary>ε in cost units.</summary>
    public required double Epsilon { get; init; }

    /// <summary>The plan of the transposed costs.</summary>
    internal GibbsPlan Transposed =>
        new()
        {
            F = G,
            G = F,
            LogA = LogB,
            LogB = LogA,
            Epsilon = Epsilon,
        };
}
