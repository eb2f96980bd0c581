using System.Buffers;
using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>A row of an entropic plan at any point: weights <c>b_j exp((g_j − c(x, y_j))/ε)</c>, normalised, and their centre. Pooladian and Niles-Weed, arXiv:2109.12004.</summary>
sealed class EntropicMap : PointMap
{
    readonly Matrix _targets;
    readonly double[] _tilt;
    readonly double _epsilon;
    readonly GroundCost _cost;
    readonly bool _backward;
    readonly double _square;

    /// <summary>The weights of one side.</summary>
    /// <param name="targets">Where mass goes, y_j.</param>
    /// <param name="weights">b_j.</param>
    /// <param name="potential">g_j.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="cost">c.</param>
    /// <param name="backward">Whether the new point is the cost's second argument.</param>
    public EntropicMap(
        Matrix targets,
        ReadOnlySpan<double> weights,
        ReadOnlySpan<double> potential,
        double epsilon,
        GroundCost cost,
        bool backward
    )
    {
        (_targets, _epsilon, _cost, _backward) = (targets, epsilon, cost, backward);
        _tilt = VectorMath.LogWeights(weights);
        for (int j = 0; j < _tilt.Length; j++)
            _tilt[j] += potential[j] / epsilon;
        _square =
            cost == GroundCost.SquaredEuclidean ? 1
            : cost == GroundCost.HalfSquaredEuclidean ? 0.5
            : 0;
    }

    public override void Map(ReadOnlySpan<double> point, Span<double> image)
    {
        int m = _targets.Rows;
        double[] rented = ArrayPool<double>.Shared.Rent(m);
        Span<double> weights = rented.AsSpan(0, m);
        if (_square > 0)
            SquaredExponents(point, weights);
        else
        {
            for (int j = 0; j < m; j++)
            {
                ReadOnlySpan<double> y = _targets.Row(j);
                weights[j] = _tilt[j] - ((_backward ? _cost.Evaluate(y, point) : _cost.Evaluate(point, y)) / _epsilon);
            }
        }
        double most = TensorPrimitives.Max<double>(weights);
        if (double.IsFinite(most))
        {
            TensorPrimitives.Subtract(weights, most, weights);
            VectorMath.Exp(weights);
            Centre.Of([], weights, _targets, Centre.IsMedian(_cost), image);
        }
        else
        {
            image.Fill(double.NaN); // too far for its costs: refused by the map
        }
        ArrayPool<double>.Shared.Return(rented);
    }

    /// <summary>
    /// Exponents for squared distances, less that of the nearest target: <c>|x − y_j|² − |x − z|² = |y_j − z|² − 2 (x − z)·(y_j − z)</c>, which loses no digit far from all targets.
    /// </summary>
    void SquaredExponents(ReadOnlySpan<double> point, Span<double> exponents)
    {
        int nearest = 0;
        double least = double.PositiveInfinity;
        for (int j = 0; j < exponents.Length; j++)
        {
            double distance = TensorPrimitives.Distance(point, _targets.Row(j));
            if (distance < least)
                (nearest, least) = (j, distance);
        }
        ReadOnlySpan<double> z = _targets.Row(nearest);
        for (int j = 0; j < exponents.Length; j++)
        {
            ReadOnlySpan<double> y = _targets.Row(j);
            double square = 0;
            for (int k = 0; k < y.Length; k++)
            {
                double step = y[k] - z[k];
                square += step * (step - (2 * (point[k] - z[k])));
            }
            exponents[j] = _tilt[j] - (_square * square / _epsilon);
        }
    }
}
