using OT.Numerics;

namespace OT.Tests.Applications.DomainAdaptation;

/// <summary>Clouds of points, and what may be done to them.</summary>
static class Clouds
{
    /// <summary>Normal points, stretched and moved by the seed.</summary>
    public static Matrix Normal(int n, int d, ulong seed)
    {
        var random = new SeededRandom(seed);
        var mix = new double[d, d];
        var shift = new double[d];
        for (int k = 0; k < d; k++)
        {
            shift[k] = 3 * random.NextNormal();
            for (int l = 0; l < d; l++)
                mix[k, l] = (k == l ? 1 : 0) + (0.3 * random.NextNormal());
        }
        var values = new double[n * d];
        for (int i = 0; i < n; i++)
        {
            double[] normal = [.. Enumerable.Range(0, d).Select(_ => random.NextNormal())];
            for (int k = 0; k < d; k++)
                values[(i * d) + k] = shift[k] + Enumerable.Range(0, d).Sum(l => mix[k, l] * normal[l]);
        }
        return new Matrix(n, d, values);
    }

    /// <summary>Positive weights.</summary>
    public static double[] Weights(int n, ulong seed)
    {
        var random = new SeededRandom(seed);
        return [.. Enumerable.Range(0, n).Select(_ => 0.1 + random.NextDouble())];
    }

    public static Matrix Move(Matrix points, Func<double[], double[]> each) =>
        Matrix.From([.. Enumerable.Range(0, points.Rows).Select(i => each(points.Row(i).ToArray()))]);

    public static Matrix Shift(Matrix points, params double[] by) =>
        Move(points, point => [.. point.Select((value, k) => value + by[k % by.Length])]);

    /// <summary>Turns the first two coordinates.</summary>
    public static Matrix Turn(Matrix points, double angle) =>
        Move(
            points,
            point =>
            {
                (double sin, double cos) = Math.SinCos(angle);
                (double x, double y) = (point[0], point[1]);
                (point[0], point[1]) = ((cos * x) - (sin * y), (sin * x) + (cos * y));
                return point;
            }
        );

    /// <summary>Largest coordinate.</summary>
    public static double Size(params Matrix[] clouds) =>
        clouds.Max(cloud => Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(cloud.Values)));
}
