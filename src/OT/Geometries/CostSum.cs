using System.Buffers;
using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>A weighted sum of geometries of one shape: <c>C = Σ_k weight_k C_k</c>.</summary>
/// <remarks>A pair that any term forbids is forbidden, whatever its weight, so a term with forbidden pairs takes a nonnegative weight.</remarks>
public sealed class CostSum : Geometry
{
    /// <summary>The terms, in the order given.</summary>
    public ImmutableArray<(double Weight, Geometry Geometry)> Terms { get; }

    /// <summary>Sums the given terms.</summary>
    /// <exception cref="ArgumentException">No term, unequal shapes, a weight that is not finite, or a negative weight on a term with forbidden pairs.</exception>
    public CostSum(params ReadOnlySpan<(double Weight, Geometry Geometry)> terms)
    {
        if (terms.IsEmpty)
            throw new ArgumentException("A cost sum needs at least one term.", nameof(terms));
        foreach ((double weight, Geometry geometry) in terms)
        {
            ArgumentNullException.ThrowIfNull(geometry, nameof(terms));
            if (!double.IsFinite(weight))
                throw new ArgumentException($"A weight is {weight}: it must be finite.", nameof(terms));
            if (geometry.Rows != terms[0].Geometry.Rows || geometry.Columns != terms[0].Geometry.Columns)
            {
                throw new ArgumentException(
                    $"A term is {geometry.Rows} x {geometry.Columns}, the first is {terms[0].Geometry.Rows} x {terms[0].Geometry.Columns}: shapes must be equal.",
                    nameof(terms)
                );
            }
            if (weight < 0 && geometry.HasForbiddenPairs)
                throw new ArgumentException("A term with forbidden pairs needs a weight of 0 or more.", nameof(terms));
        }
        Terms = [.. terms];
    }

    /// <inheritdoc/>
    public override int Rows => Terms[0].Geometry.Rows;

    /// <inheritdoc/>
    public override int Columns => Terms[0].Geometry.Columns;

    /// <inheritdoc/>
    public override double MeanCost => HasForbiddenPairs ? base.MeanCost : Terms.Sum(t => t.Weight * t.Geometry.MeanCost);

    internal override bool MeanNeedsScan => HasForbiddenPairs || Terms.Any(t => t.Geometry.MeanNeedsScan);

    /// <inheritdoc/>
    public override double MagnitudeBound => Terms.Sum(t => Math.Abs(t.Weight) * t.Geometry.MagnitudeBound);

    /// <inheritdoc/>
    public override bool HasForbiddenPairs => Terms.Any(t => t.Geometry.HasForbiddenPairs);

    /// <inheritdoc/>
    public override double Cost(int row, int column)
    {
        double sum = 0;
        foreach ((double weight, Geometry geometry) in Terms)
        {
            double cost = geometry.Cost(row, column);
            if (double.IsPositiveInfinity(cost))
                return cost;
            sum += weight * cost;
        }
        return sum;
    }

    /// <inheritdoc/>
    public override void CostRow(int row, Span<double> costs)
    {
        costs = costs[..Columns];
        costs.Clear();
        double[] rented = ArrayPool<double>.Shared.Rent(Columns);
        Span<double> term = rented.AsSpan(0, Columns);
        try
        {
            foreach ((double weight, Geometry geometry) in Terms)
            {
                geometry.CostRow(row, term);
                if (weight != 0)
                {
                    TensorPrimitives.MultiplyAdd(term, weight, costs, costs);
                    continue;
                }
                for (int j = 0; j < term.Length; j++)
                {
                    if (double.IsPositiveInfinity(term[j]))
                        costs[j] = term[j];
                }
            }
        }
        finally
        {
            ArrayPool<double>.Shared.Return(rented);
        }
    }
}
