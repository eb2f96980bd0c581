using OT.Numerics;

namespace OT.Neural;

/// <summary>Adam, or AdamW with <see cref="AdamOptions.WeightDecay"/>: gradient steps scaled by running means of the gradient and of its square.</summary>
/// <remarks>
/// <c>m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − η w θ − η (m/(1 − β₁ᵗ)) / (√(v/(1 − β₂ᵗ)) + floor)</c>. Sources: Kingma, Ba 2015, algorithm 1; Loshchilov, Hutter 2019.
/// A step is O(parameters) and allocates nothing.
/// </remarks>
public sealed class Adam
{
    readonly AdamOptions _options;
    readonly double[] _mean;
    readonly double[] _square;
    double _power1 = 1;
    double _power2 = 1;

    /// <summary>Starts with empty means.</summary>
    /// <param name="count">Number of parameters.</param>
    /// <param name="options">Step length and decay; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public Adam(int count, AdamOptions? options = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        _options = options ?? new AdamOptions();
        _options.Validate();
        (_mean, _square) = (new double[count], new double[count]);
    }

    /// <summary>One step against a gradient.</summary>
    /// <param name="parameters">θ, as many as were announced; written.</param>
    /// <param name="gradient">g, as many.</param>
    /// <exception cref="ArgumentException">A length does not match.</exception>
    public void Step(Span<double> parameters, ReadOnlySpan<double> gradient)
    {
        Guard.Length(parameters.Length, _mean.Length, nameof(parameters));
        Guard.Length(gradient.Length, _mean.Length, nameof(gradient));
        (double beta1, double beta2) = (_options.Beta1, _options.Beta2);
        _power1 *= beta1;
        _power2 *= beta2;
        double rate = _options.LearningRate / (1 - _power1);
        double decay = 1 - (_options.LearningRate * _options.WeightDecay);
        for (int i = 0; i < parameters.Length; i++)
        {
            double g = gradient[i] + (_options.L2Penalty * parameters[i]);
            double m = _mean[i] = (beta1 * _mean[i]) + ((1 - beta1) * g);
            double v = _square[i] = (beta2 * _square[i]) + ((1 - beta2) * g * g);
            parameters[i] = (decay * parameters[i]) - (rate * m / (Math.Sqrt(v / (1 - _power2)) + _options.Floor));
        }
    }
}
