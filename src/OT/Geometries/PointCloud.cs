using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>Costs between two point clouds, computed where they are needed and never stored: <c>C_ij = c(x_i, y_j)</c>.</summary>
/// <remarks>Memory O((n + m) d) for every ground cost. Points are kept as doubles; back ends pack them in the precision they stream.</remarks>
public sealed class PointCloud : Geometry
{
    readonly Lazy<double[]> _targetCoordinates;
    readonly Lazy<Matrix> _prepared;

    /// <summary>Costs from the rows of <paramref name="source"/> (n × d) to the rows of <paramref name="target"/> (m × d).</summary>
    /// <param name="source">Source points, shared.</param>
    /// <param name="target">Target points, shared.</param>
    /// <param name="cost">Ground cost; squared Euclidean when left out.</param>
    /// <exception cref="ArgumentException">A cloud is empty, dimensions differ, a coordinate is not finite, or the cost is not defined at a point.</exception>
    public PointCloud(Matrix source, Matrix target, GroundCost? cost = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentOutOfRangeException.ThrowIfZero(source.Rows, nameof(source));
        ArgumentOutOfRangeException.ThrowIfZero(target.Rows, nameof(target));
        if (source.Columns != target.Columns || source.Columns == 0)
        {
            throw new ArgumentException(
                $"Source points have {source.Columns} coordinates, target points {target.Columns}: the counts must be equal and positive.",
                nameof(target)
            );
        }
        Guard.Finite(source.Values, nameof(source));
        Guard.Finite(target.Values, nameof(target));
        GroundCost = cost ?? GroundCost.SquaredEuclidean;
        GroundCost.CheckPoints(source, nameof(source));
        GroundCost.CheckPoints(target, nameof(target));
        (Source, Target) = (source, target);
        (double bound, HasForbiddenPairs) = GroundCost.Range(source, target);
        if (!double.IsFinite(bound))
            throw new ArgumentException("The costs overflow: scale the points down.", nameof(source));
        MagnitudeBound = bound;
        _targetCoordinates = new(() => GroundCost.Prepared(Target).Transpose().Values.ToArray());
        _prepared = new(() => GroundCost.Prepared(Source));
    }

    /// <inheritdoc cref="PointCloud(Matrix, Matrix, GroundCost?)"/>
    public PointCloud(double[,] source, double[,] target, GroundCost? cost = null)
        : this(Matrix.From(source), Matrix.From(target), cost) { }

    /// <summary>Copies float points; strides are honoured.</summary>
    /// <inheritdoc cref="PointCloud(Matrix, Matrix, GroundCost?)"/>
    public PointCloud(ReadOnlyTensorSpan<float> source, ReadOnlyTensorSpan<float> target, GroundCost? cost = null)
        : this(Matrix.From(source), Matrix.From(target), cost) { }

    /// <summary>Source points, n × d.</summary>
    public Matrix Source { get; }

    /// <summary>Target points, m × d.</summary>
    public Matrix Target { get; }

    /// <summary>The cost of a pair of points.</summary>
    public GroundCost GroundCost { get; }

    /// <summary>Number of coordinates, d.</summary>
    public int Dimension => Source.Columns;

    /// <inheritdoc/>
    public override int Rows => Source.Rows;

    /// <inheritdoc/>
    public override int Columns => Target.Rows;

    /// <inheritdoc/>
    public override double MagnitudeBound { get; }

    /// <inheritdoc/>
    public override bool HasForbiddenPairs { get; }

    /// <inheritdoc/>
    public override double MeanCost => GroundCost.Mean(Source, Target) ?? base.MeanCost;

    internal override ulong Fingerprint() => BitHash.Of(BitHash.Of(base.Fingerprint(), Source.Values), Target.Values);

    internal override bool MeanNeedsScan => GroundCost is not GroundCost.SquaredEuclideanCost;

    /// <inheritdoc/>
    public override double Cost(int row, int column) => GroundCost.Evaluate(Source.Row(row), Target.Row(column));

    /// <inheritdoc/>
    public override void CostRow(int row, Span<double> costs) =>
        GroundCost.EvaluateRow(_prepared.Value.Row(row), Target, _targetCoordinates.Value, costs[..Columns]);

    /// <inheritdoc/>
    internal override void CostRows(int start, int count, Span<double> block) =>
        GroundCost.EvaluateRows(
            _prepared.Value.Values.Slice(start * Dimension, count * Dimension),
            Target,
            _targetCoordinates.Value,
            block[..(count * Columns)]
        );
}
