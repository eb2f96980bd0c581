using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;

namespace OT.Results;

/// <summary>An entropic plan given by its potentials: <c>P_ij = a_i b_j exp((f_i + g_j − C_ij)/ε)</c>. Memory O(n + m); rows are made on demand.</summary>
public sealed class PotentialPlan : TransportPlan
{
    readonly Geometry _geometry;
    readonly double[] _logA;
    readonly double[] _logB;
    readonly Potentials _potentials;
    readonly double _epsilon;

    /// <summary>The plan of the given potentials.</summary>
    /// <param name="geometry">The costs C, n × m.</param>
    /// <param name="a">Source weights.</param>
    /// <param name="b">Target weights.</param>
    /// <param name="potentials">f and g in cost units.</param>
    /// <param name="epsilon">ε in cost units, positive.</param>
    public PotentialPlan(Geometry geometry, Measure a, Measure b, Potentials potentials, double epsilon)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(potentials);
        Guard.Length(a.Count, geometry.Rows, nameof(a));
        Guard.Length(b.Count, geometry.Columns, nameof(b));
        Guard.Length(potentials.F.Length, geometry.Rows, nameof(potentials));
        Guard.Length(potentials.G.Length, geometry.Columns, nameof(potentials));
        _geometry = geometry;
        _potentials = potentials;
        _epsilon = Guard.Positive(epsilon);
        _logA = VectorMath.LogWeights(a.Weights);
        _logB = VectorMath.LogWeights(b.Weights);
    }

    /// <summary>What operators take for it.</summary>
    internal GibbsPlan Gibbs =>
        new()
        {
            F = _potentials.F,
            G = _potentials.G,
            LogA = _logA,
            LogB = _logB,
            Epsilon = _epsilon,
        };

    /// <inheritdoc/>
    public override int Rows => _geometry.Rows;

    /// <inheritdoc/>
    public override int Columns => _geometry.Columns;

    /// <inheritdoc/>
    public override void Row(int row, Span<double> masses)
    {
        Guard.Index(row, Rows);
        masses = masses[..Columns];
        _geometry.CostRow(row, masses);
        double logA = _logA[row];
        double f = _potentials.F[row];
        ReadOnlySpan<double> g = _potentials.G;
        // ((f_i − C_ij + g_j) / ε) + log a_i + log b_j, a vector at a time.
        TensorPrimitives.Subtract(f, masses, masses);
        TensorPrimitives.Add(masses, g, masses);
        TensorPrimitives.Divide(masses, _epsilon, masses);
        TensorPrimitives.Add(masses, logA, masses);
        TensorPrimitives.Add(masses, _logB, masses);
        VectorMath.Exp(masses);
    }
}
