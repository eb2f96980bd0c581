using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>A separable cost on the cells of a regular grid: <c>C((i_1,…,i_d), (j_1,…,j_d)) = Σ_k C_k(i_k, j_k)</c>.</summary>
/// <remarks>
/// Cells are numbered with the last axis fastest, as a row-major array. Squared Euclidean, city-block and any other cost that is a sum over axes
/// qualifies. A soft-min over N cells costs O(N Σ n_k) instead of O(N²), and memory is O(N).
/// </remarks>
public sealed class Grid : Geometry
{
    readonly int[] _rowShape;
    readonly int[] _columnShape;

    /// <summary>One cost matrix per axis: n_k source positions by m_k target positions. Shared, not copied.</summary>
    /// <exception cref="ArgumentException">No axis, an empty axis, a cost that is not finite, or more cells than an array can index.</exception>
    public Grid(params ReadOnlySpan<Matrix> axisCosts)
    {
        if (axisCosts.IsEmpty)
            throw new ArgumentException("A grid needs at least one axis.", nameof(axisCosts));
        long rows = 1,
            columns = 1;
        foreach (Matrix axis in axisCosts)
        {
            ArgumentNullException.ThrowIfNull(axis, nameof(axisCosts));
            ArgumentOutOfRangeException.ThrowIfZero(axis.Rows, nameof(axisCosts));
            ArgumentOutOfRangeException.ThrowIfZero(axis.Columns, nameof(axisCosts));
            Guard.Finite(axis.Values, nameof(axisCosts));
            rows = Guard.ArrayLength(rows, axis.Rows, "a grid");
            columns = Guard.ArrayLength(columns, axis.Columns, "a grid");
        }
        AxisCosts = [.. axisCosts];
        Rows = (int)rows;
        Columns = (int)columns;
        _rowShape = [.. AxisCosts.Select(axis => axis.Rows)];
        _columnShape = [.. AxisCosts.Select(axis => axis.Columns)];
    }

    /// <summary>The same regular grid on both sides, with a cost that is a sum over axes.</summary>
    /// <param name="shape">Cells along each axis, first axis slowest.</param>
    /// <param name="cost">A separable ground cost: squared Euclidean, its half, or city block.</param>
    /// <param name="spacing">Distance of neighbouring cells, the same along every axis; 1 by default.</param>
    /// <exception cref="ArgumentException">The cost is not a sum over axes.</exception>
    public static Grid Regular(ReadOnlySpan<int> shape, GroundCost? cost = null, double spacing = 1)
    {
        cost ??= GroundCost.SquaredEuclidean;
        Guard.Positive(spacing);
        if (!cost.IsSeparable)
            throw new ArgumentException($"{cost.Name} is not a sum over axes: use PointCloud.", nameof(cost));
        var axes = new Matrix[shape.Length];
        for (int k = 0; k < axes.Length; k++)
        {
            int n = shape[k];
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(n, nameof(shape));
            var values = new double[Guard.ArrayLength(n, n, "a grid axis")];
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < n; j++)
                    values[(i * n) + j] = cost.Evaluate([i * spacing], [j * spacing]);
            }
            axes[k] = new Matrix(n, n, values);
        }
        return new Grid(axes);
    }

    /// <summary>The cost along each axis, n_k × m_k.</summary>
    public ImmutableArray<Matrix> AxisCosts { get; }

    /// <inheritdoc/>
    public override int Rows { get; }

    /// <inheritdoc/>
    public override int Columns { get; }

    /// <inheritdoc/>
    public override double MeanCost
    {
        get
        {
            double sum = 0;
            foreach (Matrix axis in AxisCosts)
                sum += Summation.Sum(axis.Values) / axis.Values.Length;
            return sum;
        }
    }

    /// <inheritdoc/>
    public override bool HasForbiddenPairs => false;

    internal override bool MeanNeedsScan => false;

    /// <inheritdoc/>
    public override double MagnitudeBound
    {
        get
        {
            double bound = 0;
            foreach (Matrix axis in AxisCosts)
                bound += Math.Abs(TensorPrimitives.MaxMagnitude(axis.Values));
            return bound;
        }
    }

    /// <inheritdoc/>
    public override double Cost(int row, int column)
    {
        Guard.Index(row, Rows);
        Guard.Index(column, Columns);
        double sum = 0;
        for (int k = AxisCosts.Length - 1; k >= 0; k--)
        {
            (row, int i) = Math.DivRem(row, _rowShape[k]);
            (column, int j) = Math.DivRem(column, _columnShape[k]);
            sum += AxisCosts[k][i, j];
        }
        return sum;
    }

    /// <inheritdoc/>
    public override void CostRow(int row, Span<double> costs)
    {
        Guard.Index(row, Rows);
        costs = costs[..Columns];
        costs[0] = 0;
        int filled = 1;
        // Outer sums from the first axis on: after axis k, the first m_1…m_k entries hold the sum over those axes.
        int remaining = Rows;
        for (int k = 0; k < AxisCosts.Length; k++)
        {
            remaining /= _rowShape[k];
            ReadOnlySpan<double> axis = AxisCosts[k].Row(row / remaining % _rowShape[k]);
            for (int p = filled - 1; p >= 0; p--)
            {
                double prefix = costs[p];
                for (int j = 0; j < axis.Length; j++)
                    costs[(p * axis.Length) + j] = prefix + axis[j];
            }
            filled *= axis.Length;
        }
    }
}
