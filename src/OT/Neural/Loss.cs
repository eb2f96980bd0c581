using OT.Numerics;

namespace OT.Neural;

/// <summary>How far outputs are from what was wanted, as a mean over a batch, with the gradient in the outputs.</summary>
public static class Loss
{
    /// <summary>Softmax cross-entropy: <c>(1/n) Σ_i (log Σ_k exp y_ik − y_{i,c_i})</c>, in nats.</summary>
    /// <param name="outputs">n × k logits.</param>
    /// <param name="labels">n classes in [0, k).</param>
    /// <param name="gradients">Receives n × k numbers, <c>(softmax(y_i)_k − [k = c_i]) / n</c>; empty to leave them out.</param>
    /// <exception cref="ArgumentException">Lengths do not match, or a label is not a class.</exception>
    public static double SoftmaxCrossEntropy(Matrix outputs, ReadOnlySpan<int> labels, Span<double> gradients = default)
    {
        ArgumentNullException.ThrowIfNull(outputs);
        (int n, int k) = (outputs.Rows, outputs.Columns);
        Guard.Length(labels.Length, n, nameof(labels));
        if (!gradients.IsEmpty)
            Guard.Length(gradients.Length, n * k, nameof(gradients));
        var exponentials = new double[k];
        double sum = 0;
        for (int i = 0; i < n; i++)
        {
            Guard.Index(labels[i], k, nameof(labels));
            ReadOnlySpan<double> y = outputs.Row(i);
            double largest = System.Numerics.Tensors.TensorPrimitives.Max(y),
                total = 0;
            for (int c = 0; c < k; c++)
                total += exponentials[c] = Math.Exp(y[c] - largest);
            sum += Math.Log(total) - (y[labels[i]] - largest);
            if (gradients.IsEmpty)
                continue;
            for (int c = 0; c < k; c++)
                gradients[(i * k) + c] = ((exponentials[c] / total) - (c == labels[i] ? 1 : 0)) / n;
        }
        return sum / n;
    }

    /// <summary>Mean squared error: <c>(1/nk) Σ_ik (y_ik − t_ik)²</c>.</summary>
    /// <param name="outputs">n × k.</param>
    /// <param name="targets">n × k.</param>
    /// <param name="gradients">Receives n × k numbers, <c>2 (y_ik − t_ik) / nk</c>; empty to leave them out.</param>
    /// <exception cref="ArgumentException">Lengths do not match.</exception>
    public static double MeanSquaredError(Matrix outputs, Matrix targets, Span<double> gradients = default)
    {
        ArgumentNullException.ThrowIfNull(outputs);
        ArgumentNullException.ThrowIfNull(targets);
        Guard.Length(targets.Rows, outputs.Rows, nameof(targets));
        Guard.Length(targets.Columns, outputs.Columns, "a row of targets");
        ReadOnlySpan<double> y = outputs.Values,
            t = targets.Values;
        if (!gradients.IsEmpty)
            Guard.Length(gradients.Length, y.Length, nameof(gradients));
        double sum = 0;
        for (int i = 0; i < y.Length; i++)
        {
            double difference = y[i] - t[i];
            sum += difference * difference;
            if (!gradients.IsEmpty)
                gradients[i] = 2 * difference / y.Length;
        }
        return sum / y.Length;
    }
}
