using System.Numerics.Tensors;

namespace OT.Numerics;

/// <summary>Anderson acceleration of a fixed-point iteration x ← G(x): the next point is the combination of past images whose residuals nearly cancel.</summary>
/// <remarks>
/// Anderson 1965; Walker and Ni, SIAM J. Numer. Anal. 2011. Weights w minimise <c>|Σ w_k r_k|² + ridge Σ |w_k r_k|²</c> under <c>Σ w_k = 1</c>: they solve
/// <c>(RᵀR + ridge diag|r|²) w ∝ 1</c>. Allocates nothing after construction.
/// </remarks>
internal sealed class Anderson
{
    const double Ridge = 1e-9;
    const double MaxWeights = 1e4;

    readonly int _memory;
    readonly double[][] _images;
    readonly double[][] _residuals;
    readonly double[] _products;
    readonly double[] _factor;
    readonly double[] _weights;
    readonly double[] _norms;
    int _count;
    int _next;

    /// <summary>Combines up to <paramref name="memory"/> past points of the given length.</summary>
    public Anderson(int memory, int length)
    {
        _memory = memory;
        _images = new double[memory][];
        _residuals = new double[memory][];
        for (int k = 0; k < memory; k++)
            (_images[k], _residuals[k]) = (new double[length], new double[length]);
        _products = new double[memory * memory];
        _factor = new double[memory * memory];
        _weights = new double[memory];
        _norms = new double[memory];
    }

    /// <summary>Forgets all past points.</summary>
    public void Clear() => (_count, _next) = (0, 0);

    /// <summary>
    /// Takes a point and its image, and writes the accelerated next point over <paramref name="image"/>; false, and the image left alone, where the past says nothing
    /// or weights so large that they would amplify rounding.
    /// </summary>
    /// <param name="point">x.</param>
    /// <param name="image">G(x); receives the next point.</param>
    /// <param name="unit">The size that differences are measured in, so that their squares stay in the range of doubles.</param>
    public bool Mix(ReadOnlySpan<double> point, Span<double> image, double unit)
    {
        image.CopyTo(_images[_next]);
        TensorPrimitives.Subtract(image, point, _residuals[_next]);
        TensorPrimitives.Divide(_residuals[_next], unit, _residuals[_next]);
        _count = Math.Min(_count + 1, _memory);
        for (int k = 0; k < _count; k++)
        {
            double product = TensorPrimitives.Dot(_residuals[_next], (ReadOnlySpan<double>)_residuals[k]);
            _products[(_next * _memory) + k] = _products[(k * _memory) + _next] = product;
        }
        _next = (_next + 1) % _memory;
        if (_count < 2 || !SolveWeights())
            return false;
        image.Clear();
        for (int k = 0; k < _count; k++)
            TensorPrimitives.MultiplyAdd(_images[k], _weights[k], image, image);
        return true;
    }

    /// <summary>Weights by Cholesky's factorisation of the products of normalised residuals; false when they say nothing.</summary>
    bool SolveWeights()
    {
        // Old residuals are larger by orders of magnitude: without normalising, the ridge would drown the new ones.
        for (int i = 0; i < _count; i++)
        {
            double square = _products[(i * _memory) + i];
            if (!(square > 0) || double.IsInfinity(square))
                return false;
            _norms[i] = Math.Sqrt(square);
        }
        for (int i = 0; i < _count; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = (_products[(i * _memory) + j] / _norms[i] / _norms[j]) + (i == j ? Ridge : 0);
                for (int k = 0; k < j; k++)
                    sum -= _factor[(i * _memory) + k] * _factor[(j * _memory) + k];
                if (i == j && !(sum > 0))
                    return false;
                _factor[(i * _memory) + j] = i == j ? Math.Sqrt(sum) : sum / _factor[(j * _memory) + j];
            }
        }
        for (int i = 0; i < _count; i++)
        {
            double sum = 1 / _norms[i];
            for (int k = 0; k < i; k++)
                sum -= _factor[(i * _memory) + k] * _weights[k];
            _weights[i] = sum / _factor[(i * _memory) + i];
        }
        double total = 0;
        for (int i = _count - 1; i >= 0; i--)
        {
            double sum = _weights[i];
            for (int k = i + 1; k < _count; k++)
                sum -= _factor[(k * _memory) + i] * _weights[k];
            _weights[i] = sum / _factor[(i * _memory) + i];
        }
        for (int i = 0; i < _count; i++)
        {
            _weights[i] /= _norms[i];
            total += _weights[i];
        }
        if (!double.IsFinite(1 / total))
            return false;
        double size = 0;
        for (int i = 0; i < _count; i++)
        {
            _weights[i] /= total;
            size += Math.Abs(_weights[i]);
        }
        return size <= MaxWeights;
    }
}
