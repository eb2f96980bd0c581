using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Results;

/// <summary>Dual potentials f (one per row) and g (one per column), in cost units.</summary>
/// <remarks>
/// Canonical convention: <c>P_ij = a_i b_j exp((f_i + g_j − C_ij)/ε)</c> for entropic problems, <c>f_i + g_j ≤ C_ij</c> for exact ones.
/// Balanced potentials are defined up to <c>(f + t, g − t)</c>; solvers return the gauge <c>⟨a, f⟩ = ⟨b, g⟩</c>.
/// </remarks>
public sealed class Potentials
{
    readonly double[] _f;
    readonly double[] _g;

    /// <summary>Copies the two vectors.</summary>
    /// <exception cref="ArgumentException">A value is NaN or infinite.</exception>
    public Potentials(ReadOnlySpan<double> f, ReadOnlySpan<double> g)
    {
        Guard.Finite(f);
        Guard.Finite(g);
        (_f, _g) = (f.ToArray(), g.ToArray());
    }

    Potentials(double[] f, double[] g) => (_f, _g) = (f, g);

    /// <summary>Source potential, length n.</summary>
    public ReadOnlySpan<double> F => _f;

    /// <summary>Target potential, length m.</summary>
    public ReadOnlySpan<double> G => _g;

    /// <summary>The same potentials shifted to the gauge <c>⟨a, f⟩ = ⟨b, g⟩</c>.</summary>
    public Potentials Centred(Measure a, Measure b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        return Centred(_f.AsSpan().ToArray(), _g.AsSpan().ToArray(), a, b);
    }

    /// <summary>Takes two vectors over and shifts them to the gauge <c>⟨a, f⟩ = ⟨b, g⟩</c>.</summary>
    internal static Potentials Centred(double[] f, double[] g, Measure a, Measure b)
    {
        double shift = (Summation.Dot(b.Weights, g) - Summation.Dot(a.Weights, f)) / (a.Mass + b.Mass);
        TensorPrimitives.Add(f, shift, f);
        TensorPrimitives.Subtract(g, shift, g);
        Guard.Finite(f);
        Guard.Finite(g);
        return new Potentials(f, g);
    }
}
