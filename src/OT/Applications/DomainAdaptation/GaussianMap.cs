using System.Buffers;
using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;
using OT.Interop;
using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>
/// Displacements by ridge regression in a Gaussian kernel about their mean: minimises <c>Σ_i a_i |t_i − v − Σ_k κ(x_i, x_k) w_k|² + λ Σ κ(x_i, x_k) w_i·w_k</c> over w, the map step of
/// Perrot, Courty, Flamary, Habrard, NeurIPS 2016, with the plan kept.
/// </summary>
sealed class GaussianMap : PointMap
{
    readonly double[] _coordinates;
    readonly OT.Numerics.Matrix _weights;
    readonly double[] _shift;
    readonly double _scale;

    /// <summary>Fits the displacements.</summary>
    /// <param name="anchors">The points whose images are known, n × d.</param>
    /// <param name="images">One image for each.</param>
    /// <param name="masses">Their masses, positive.</param>
    /// <param name="bandwidth">σ; null for the root mean square distance from the mean.</param>
    /// <param name="ridge">λ.</param>
    public GaussianMap(OT.Numerics.Matrix anchors, OT.Numerics.Matrix images, double[] masses, double? bandwidth, double ridge)
    {
        (int n, int d) = (anchors.Rows, anchors.Columns);
        double mass = Summation.Sum(masses);
        var displacements = new double[n * d];
        TensorPrimitives.Subtract(images.Values, anchors.Values, displacements);
        double[] mean = Mean(anchors.Values, masses, mass);
        _shift = Mean(displacements, masses, mass);
        double spread = 0;
        for (int i = 0; i < n; i++)
        {
            double distance = TensorPrimitives.Distance(anchors.Row(i), mean);
            spread += masses[i] / mass * distance * distance;
            Span<double> displacement = displacements.AsSpan(i * d, d);
            TensorPrimitives.Subtract(displacement, _shift, displacement);
        }
        // Points that are all the same have no width of their own.
        double sigma = bandwidth ?? (spread > 0 ? Math.Sqrt(spread) : 1);
        _scale = -0.5 / (sigma * sigma);
        _coordinates = anchors.Transpose().Values.ToArray();
        var kernel = new double[Guard.ArrayLength(n, n, "a kernel")];
        for (int i = 0; i < n; i++)
        {
            Kernel(anchors.Row(i), kernel.AsSpan(i * n, n));
            kernel[(i * n) + i] += ridge * mass / masses[i];
        }
        Matrix<double> solved = new OT.Numerics.Matrix(n, n, kernel)
            .ToMathNet()
            .Cholesky()
            .Solve(new OT.Numerics.Matrix(n, d, displacements).ToMathNet());
        // Coordinate after coordinate: an image is d dot products.
        _weights = solved.Transpose().ToMatrix();
    }

    public override void Map(ReadOnlySpan<double> point, Span<double> image)
    {
        int n = _weights.Columns;
        double[] rented = ArrayPool<double>.Shared.Rent(n);
        Span<double> kernel = rented.AsSpan(0, n);
        Kernel(point, kernel);
        for (int k = 0; k < image.Length; k++)
            image[k] = point[k] + (_shift[k] + TensorPrimitives.Dot(kernel, _weights.Row(k)));
        ArrayPool<double>.Shared.Return(rented);
    }

    void Kernel(ReadOnlySpan<double> point, Span<double> values)
    {
        SquaredDistances.Fill(point, point.Length, _coordinates, values);
        TensorPrimitives.Multiply(values, _scale, values);
        VectorMath.Exp(values);
    }

    static double[] Mean(ReadOnlySpan<double> rows, double[] masses, double mass)
    {
        int d = rows.Length / masses.Length;
        var mean = new double[d];
        for (int i = 0; i < masses.Length; i++)
            TensorPrimitives.MultiplyAdd(rows.Slice(i * d, d), masses[i] / mass, mean, mean);
        return mean;
    }
}
