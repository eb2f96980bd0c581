using MathNet.Numerics.LinearAlgebra;
using OT.Numerics;

namespace OT.Visuals;

/// <summary>The plane in which two clouds together spread most: the mean and the two leading eigenvectors of their covariance.</summary>
/// <remarks>
/// Both clouds count alike, whatever their sizes. Up to 1000 evenly spaced points of each are used, 200 above 400 dimensions, so that the matrix to be
/// decomposed is at most 400 × 400. Cost O(s d min(s, d)) for s points in d dimensions.
/// </remarks>
sealed class PrincipalPlane
{
    readonly double[] _mean;
    readonly double[][] _axes;
    readonly double _scale;

    PrincipalPlane(double[] mean, double[][] axes, double scale, double[] shares) =>
        (_mean, _axes, _scale, Shares) = (mean, axes, scale, shares);

    /// <summary>Share of the total variance along each of the two axes; NaN where all points are the same.</summary>
    public double[] Shares { get; }

    public static PrincipalPlane Of(Matrix x, Matrix y)
    {
        int d = x.Columns;
        // Divided by the largest magnitude, squares cannot overflow.
        double scale = Math.Max(Magnitude(x), Magnitude(y));
        scale = scale == 0 ? 1 : scale;
        (double Weight, double[] Point)[] points = [.. Sampled(x, scale), .. Sampled(y, scale)];
        var mean = new double[d];
        foreach ((double weight, double[] point) in points)
        {
            for (int k = 0; k < d; k++)
                mean[k] += weight * point[k];
        }
        double[][] rows =
        [
            .. points.Select(p => p.Point.Select((value, k) => Math.Sqrt(p.Weight) * (value - mean[k])).ToArray()),
        ];

        // The smaller of covariance (d × d) and Gram matrix (s × s): their leading spectra agree.
        bool covariance = d <= rows.Length;
        double[][] vectors = covariance ? Transpose(rows, d) : rows;
        var products = Matrix<double>.Build.Dense(vectors.Length, vectors.Length);
        for (int p = 0; p < vectors.Length; p++)
        {
            for (int q = p; q < vectors.Length; q++)
                products[p, q] = products[q, p] = Dot(vectors[p], vectors[q]);
        }
        var spectrum = products.Evd(Symmetricity.Symmetric);
        double total = products.Trace();
        var axes = new double[2][];
        var shares = new double[2];
        for (int axis = 0; axis < 2; axis++)
        {
            int at = vectors.Length - 1 - axis;
            shares[axis] =
                at >= 0 && total > 0 ? Math.Max(0, spectrum.EigenValues[at].Real) / total
                : total > 0 ? 0
                : double.NaN;
            axes[axis] = Oriented(
                at < 0 ? new double[d]
                : covariance ? spectrum.EigenVectors.Column(at).ToArray()
                : Combine(rows, spectrum.EigenVectors.Column(at))
            );
        }
        return new PrincipalPlane(mean, axes, scale, shares);
    }

    /// <summary>Coordinates of one point in the plane, in the units of the points.</summary>
    public (double U, double V) Project(ReadOnlySpan<double> point)
    {
        double u = 0,
            v = 0;
        for (int k = 0; k < point.Length; k++)
        {
            double centred = (point[k] / _scale) - _mean[k];
            u += centred * _axes[0][k];
            v += centred * _axes[1][k];
        }
        return (u * _scale, v * _scale);
    }

    static double Magnitude(Matrix cloud) => Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(cloud.Values));

    static IEnumerable<(double Weight, double[] Point)> Sampled(Matrix cloud, double scale)
    {
        int count = Math.Min(cloud.Columns <= 400 ? 1000 : 200, cloud.Rows);
        return PlanRows
            .Spread(count, cloud.Rows)
            .Select(i => (0.5 / count, cloud.Row(i).ToArray().Select(value => value / scale).ToArray()));
    }

    static double Dot(double[] p, double[] q) => System.Numerics.Tensors.TensorPrimitives.Dot<double>(p, q);

    static double[][] Transpose(double[][] rows, int d)
    {
        var columns = new double[d][];
        for (int k = 0; k < d; k++)
            columns[k] = [.. rows.Select(row => row[k])];
        return columns;
    }

    static double[] Combine(double[][] rows, Vector<double> weights)
    {
        var sum = new double[rows[0].Length];
        for (int i = 0; i < rows.Length; i++)
        {
            for (int k = 0; k < sum.Length; k++)
                sum[k] += weights[i] * rows[i][k];
        }
        return sum;
    }

    /// <summary>Unit length, the coordinate of largest magnitude positive: eigenvectors have no sign of their own.</summary>
    static double[] Oriented(double[] axis)
    {
        double norm = Math.Sqrt(Dot(axis, axis));
        if (norm == 0)
            return axis;
        double extreme = System.Numerics.Tensors.TensorPrimitives.MaxMagnitude<double>(axis);
        double factor = Math.Sign(extreme) / norm;
        return Array.ConvertAll(axis, value => value * factor);
    }
}
