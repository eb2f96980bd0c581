using MathNet.Numerics.LinearAlgebra;

namespace OT.Numerics;

/// <summary>Anderson acceleration of a fixed-point iteration x ← G(x): the next point is the combination of past images whose residuals nearly cancel.</summary>
/// <remarks>Anderson 1965; Walker and Ni, SIAM J. Numer. Anal. 2011. Weights w minimise |Σ w_k r_k|² + ridge |w|² under Σ w = 1.</remarks>
internal sealed class Anderson(int memory, int length)
{
    const double Ridge = 1e-10;

    readonly double[][] _images = NewRows(memory, length);
    readonly double[][] _residuals = NewRows(memory, length);
    int _count;
    int _next;

    /// <summary>Forgets all past points.</summary>
    public void Clear() => (_count, _next) = (0, 0);

    /// <summary>Takes a point and its image, and writes the accelerated next point over <paramref name="image"/>.</summary>
    public void Mix(ReadOnlySpan<double> point, Span<double> image)
    {
        image.CopyTo(_images[_next]);
        System.Numerics.Tensors.TensorPrimitives.Subtract(image, point, _residuals[_next]);
        _next = (_next + 1) % memory;
        _count = Math.Min(_count + 1, memory);
        if (_count < 2)
            return;
        Matrix<double> gram = Matrix<double>.Build.Dense(
            _count,
            _count,
            (i, j) => System.Numerics.Tensors.TensorPrimitives.Dot(_residuals[i], (ReadOnlySpan<double>)_residuals[j])
        );
        double scale = gram.Trace();
        if (!(scale > 0) || double.IsInfinity(scale))
            return;
        for (int k = 0; k < _count; k++)
            gram[k, k] += Ridge * scale;
        Vector<double> weights = gram.Divide(scale).LU().Solve(Vector<double>.Build.Dense(_count, 1));
        double sum = weights.Sum();
        if (!double.IsFinite(sum) || sum == 0)
            return;
        image.Clear();
        for (int k = 0; k < _count; k++)
            System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(_images[k], weights[k] / sum, image, image);
    }

    static double[][] NewRows(int count, int length)
    {
        var rows = new double[count][];
        for (int k = 0; k < count; k++)
            rows[k] = new double[length];
        return rows;
    }
}
