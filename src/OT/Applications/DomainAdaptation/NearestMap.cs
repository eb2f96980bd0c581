using System.Buffers;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>
/// The displacement of the nearest anchor, that of equally near ones averaged by their masses so that their order does not matter. Ferradans, Papadakis, Peyré, Aujol, SIAM J. Imaging Sciences 2014,
/// for plans that are no permutation.
/// </summary>
sealed class NearestMap : PointMap
{
    readonly double[] _coordinates;
    readonly double[] _displacements;
    readonly double[] _masses;
    readonly int _dimension;

    /// <summary>Keeps the displacements.</summary>
    /// <param name="anchors">The points whose images are known, with a positive mass.</param>
    /// <param name="images">One image for each.</param>
    /// <param name="masses">Their masses.</param>
    public NearestMap(Matrix anchors, Matrix images, double[] masses)
    {
        (_dimension, _masses) = (anchors.Columns, masses);
        _coordinates = anchors.Transpose().Values.ToArray();
        _displacements = new double[anchors.Values.Length];
        TensorPrimitives.Subtract(images.Values, anchors.Values, _displacements);
    }

    public override void Map(ReadOnlySpan<double> point, Span<double> image)
    {
        double[] rented = ArrayPool<double>.Shared.Rent(_masses.Length);
        Span<double> distances = rented.AsSpan(0, _masses.Length);
        SquaredDistances.Fill(point, _dimension, _coordinates, distances);
        double least = TensorPrimitives.Min<double>(distances),
            mass = 0;
        Span<double> shift = stackalloc double[_dimension <= 64 ? _dimension : 0];
        if (_dimension > 64)
            shift = new double[_dimension];
        shift.Clear();
        for (int i = distances.IndexOf(least); i < distances.Length; i++)
        {
            if (distances[i] != least)
                continue;
            // A running mean: the first, and with one anchor only, is taken as it is.
            mass += _masses[i];
            ReadOnlySpan<double> displacement = _displacements.AsSpan(i * _dimension, _dimension);
            for (int k = 0; k < shift.Length; k++)
                shift[k] += (displacement[k] - shift[k]) * (_masses[i] / mass);
        }
        TensorPrimitives.Add(point, shift, image);
        ArrayPool<double>.Shared.Return(rented);
    }
}
