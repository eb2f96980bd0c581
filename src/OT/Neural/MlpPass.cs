using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Neural;

/// <summary>One forward pass of a <see cref="Mlp"/> over a batch, ready to be differentiated.</summary>
/// <remarks>Holds the outputs of every layer. The network's parameters must not be written between the pass and <see cref="Backward"/>.</remarks>
public sealed class MlpPass
{
    readonly Mlp _net;
    readonly Matrix[] _layers; // the inputs, then each layer's outputs

    internal MlpPass(Mlp net, Matrix inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentOutOfRangeException.ThrowIfZero(inputs.Rows, nameof(inputs));
        Guard.Length(inputs.Columns, net.Widths[0], "a row of inputs");
        _net = net;
        _layers = new Matrix[net.LayerCount + 1];
        _layers[0] = inputs;
        for (int l = 0; l < net.LayerCount; l++)
        {
            var z = new double[Guard.ArrayLength(inputs.Rows, net.Widths[l + 1], "a layer's outputs")];
            Products.TimesTransposed(_layers[l], net.WeightsIn(net.Parameters, l)).Values.CopyTo(z);
            for (int i = 0; i < inputs.Rows; i++)
            {
                Span<double> row = z.AsSpan(i * net.Widths[l + 1], net.Widths[l + 1]);
                TensorPrimitives.Add(row, net.Bias(l), row);
            }
            if (l + 1 < net.LayerCount)
                Activations.Apply(net.Activation, z);
            _layers[l + 1] = new Matrix(inputs.Rows, net.Widths[l + 1], z);
        }
    }

    /// <summary>The network's outputs, one row for each input.</summary>
    public Matrix Outputs => _layers[^1];

    /// <summary>The derivatives of a scalar ℓ, given those in the outputs. Takes twice the time of the forward pass.</summary>
    /// <param name="outputGradients"><c>∂ℓ/∂Outputs</c>, n × Widths[^1].</param>
    /// <param name="parameterGradients">Receives <c>∂ℓ/∂θ</c> in the order of <see cref="Mlp.Parameters"/>; empty to leave it out.</param>
    /// <param name="inputGradients">Receives <c>∂ℓ/∂inputs</c>, n × Widths[0], row-major; empty to leave it out.</param>
    /// <exception cref="ArgumentException">A length does not match.</exception>
    public void Backward(Matrix outputGradients, Span<double> parameterGradients, Span<double> inputGradients = default)
    {
        ArgumentNullException.ThrowIfNull(outputGradients);
        Guard.Length(outputGradients.Rows, Outputs.Rows, nameof(outputGradients));
        Guard.Length(outputGradients.Columns, Outputs.Columns, "a row of outputGradients");
        if (!parameterGradients.IsEmpty)
            Guard.Length(parameterGradients.Length, _net.Parameters.Length, nameof(parameterGradients));
        if (!inputGradients.IsEmpty)
            Guard.Length(inputGradients.Length, _layers[0].Values.Length, nameof(inputGradients));
        Matrix d = outputGradients;
        for (int l = _net.LayerCount - 1; l >= 0; l--)
        {
            if (!parameterGradients.IsEmpty)
                LayerGradients(d, _layers[l], _net.LayerPart(parameterGradients, l));
            if (l == 0 && inputGradients.IsEmpty)
                return;
            double[] before = Products.Times(d, _net.WeightsIn(_net.Parameters, l)).Values.ToArray();
            if (l > 0)
                Activations.TimesDerivative(_net.Activation, _layers[l].Values, before);
            d = new Matrix(d.Rows, _net.Widths[l], before);
        }
        d.Values.CopyTo(inputGradients);
    }

    /// <summary><c>∂ℓ/∂W = Dᵀ Y</c>, then <c>∂ℓ/∂b = Dᵀ 1</c>.</summary>
    static void LayerGradients(Matrix d, Matrix y, Span<double> gradients)
    {
        Products.TransposedTimes(d, y).Values.CopyTo(gradients);
        Span<double> bias = gradients[^d.Columns..];
        bias.Clear();
        for (int i = 0; i < d.Rows; i++)
            TensorPrimitives.Add(bias, d.Row(i), bias);
    }
}
