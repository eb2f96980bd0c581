using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>Costs <c>C_ij = x_iᵀ A y_j</c> between two clouds whose dimensions may differ; never stored. What a learned affinity costs.</summary>
/// <remarks>Memory O(n d' + m d'). A squared metric <c>(x − y)ᵀ M (x − y)</c> with symmetric M has this cost with <c>A = −2M</c>, up to terms of x and of y alone.</remarks>
public sealed class BilinearCost : Geometry
{
    readonly Matrix _left; // X A, n × d'
    readonly Lazy<Matrix> _coordinates; // Yᵀ, d' × m

    /// <summary>Costs from the rows of <paramref name="source"/> to the rows of <paramref name="target"/>.</summary>
    /// <param name="source">Source points X, n × d, shared.</param>
    /// <param name="parameter">A, d × d'.</param>
    /// <param name="target">Target points Y, m × d', shared.</param>
    /// <exception cref="ArgumentException">A cloud is empty, shapes do not fit, a value is not finite, or costs overflow.</exception>
    public BilinearCost(Matrix source, Matrix parameter, Matrix target)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(parameter);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentOutOfRangeException.ThrowIfZero(source.Rows, nameof(source));
        ArgumentOutOfRangeException.ThrowIfZero(target.Rows, nameof(target));
        if (parameter.Rows != source.Columns || parameter.Columns != target.Columns || parameter.Values.IsEmpty)
        {
            throw new ArgumentException(
                $"The parameter is {parameter.Rows} x {parameter.Columns} for {source.Columns} and {target.Columns} coordinates: these must be equal and positive.",
                nameof(parameter)
            );
        }
        Guard.Finite(source.Values, nameof(source));
        Guard.Finite(parameter.Values, nameof(parameter));
        Guard.Finite(target.Values, nameof(target));
        (Source, Parameter, Target) = (source, parameter, target);
        _left = Products.Times(source, parameter);
        MagnitudeBound = 0;
        for (int k = 0; k < target.Columns; k++)
            MagnitudeBound += Largest(_left, k) * Largest(target, k);
        if (!double.IsFinite(MagnitudeBound))
            throw new ArgumentException("The costs overflow: scale the points or the parameter down.", nameof(parameter));
        _coordinates = new(target.Transpose);
    }

    /// <summary>Source points X, n × d.</summary>
    public Matrix Source { get; }

    /// <summary>A, d × d'.</summary>
    public Matrix Parameter { get; }

    /// <summary>Target points Y, m × d'.</summary>
    public Matrix Target { get; }

    /// <inheritdoc/>
    public override int Rows => Source.Rows;

    /// <inheritdoc/>
    public override int Columns => Target.Rows;

    /// <inheritdoc/>
    public override double MagnitudeBound { get; }

    /// <inheritdoc/>
    public override bool HasForbiddenPairs => false;

    internal override ulong Fingerprint() => BitHash.Of(BitHash.Of(base.Fingerprint(), _left.Values), Target.Values);

    /// <inheritdoc/>
    public override double Cost(int row, int column)
    {
        ReadOnlySpan<double> x = _left.Row(row),
            y = Target.Row(column);
        double sum = 0;
        for (int k = 0; k < x.Length; k++)
            sum += x[k] * y[k];
        return sum;
    }

    /// <inheritdoc/>
    public override void CostRow(int row, Span<double> costs)
    {
        costs = costs[..Columns];
        costs.Clear();
        ReadOnlySpan<double> x = _left.Row(row);
        for (int k = 0; k < x.Length; k++)
            TensorPrimitives.MultiplyAdd(_coordinates.Value.Row(k), x[k], costs, costs);
    }

    static double Largest(Matrix points, int column)
    {
        double largest = 0;
        for (int i = 0; i < points.Rows; i++)
            largest = Math.Max(largest, Math.Abs(points[i, column]));
        return largest;
    }
}
