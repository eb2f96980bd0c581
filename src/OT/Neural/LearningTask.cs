using OT.Numerics;

namespace OT.Neural;

/// <summary>Examples and a loss: what a network is to learn, or is judged by.</summary>
public sealed class LearningTask
{
    const int Piece = 1024; // examples whose layers stay in the second-level cache

    readonly int[]? _labels;
    readonly Matrix? _targets;

    LearningTask(Matrix inputs, int[]? labels, Matrix? targets)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentOutOfRangeException.ThrowIfZero(inputs.Rows, nameof(inputs));
        Guard.Finite(inputs.Values, nameof(inputs));
        (Inputs, _labels, _targets) = (inputs, labels, targets);
    }

    /// <summary>Classes to tell apart, judged by <see cref="Loss.SoftmaxCrossEntropy"/>.</summary>
    /// <param name="inputs">n × d, finite; shared, not copied.</param>
    /// <param name="labels">n classes, from 0.</param>
    /// <exception cref="ArgumentException">There is no example, lengths differ, a value is not finite, or a label is negative.</exception>
    public static LearningTask Classification(Matrix inputs, ReadOnlySpan<int> labels)
    {
        var task = new LearningTask(inputs, labels.ToArray(), null);
        Guard.Length(labels.Length, inputs.Rows, nameof(labels));
        foreach (int label in labels)
            ArgumentOutOfRangeException.ThrowIfNegative(label, nameof(labels));
        return task;
    }

    /// <summary>Numbers to predict, judged by <see cref="Loss.MeanSquaredError"/>.</summary>
    /// <param name="inputs">n × d, finite; shared, not copied.</param>
    /// <param name="targets">n × k, finite; shared, not copied.</param>
    /// <exception cref="ArgumentException">There is no example, lengths differ, or a value is not finite.</exception>
    public static LearningTask Regression(Matrix inputs, Matrix targets)
    {
        ArgumentNullException.ThrowIfNull(targets);
        var task = new LearningTask(inputs, null, targets);
        Guard.Length(targets.Rows, inputs.Rows, nameof(targets));
        Guard.Finite(targets.Values, nameof(targets));
        return task;
    }

    /// <summary>What goes into the network, one example in each row.</summary>
    public Matrix Inputs { get; }

    /// <summary>Number of examples.</summary>
    public int Count => Inputs.Rows;

    /// <summary>Mean loss over all examples, and the share of those whose largest output is the right class (NaN for a regression).</summary>
    /// <exception cref="ArgumentException">The network does not fit.</exception>
    public (double Loss, double Accuracy) Evaluate(Mlp net)
    {
        ArgumentNullException.ThrowIfNull(net);
        double sum = 0;
        int right = 0;
        for (int start = 0; start < Count; start += Piece)
        {
            int[] rows = [.. Enumerable.Range(start, Math.Min(Piece, Count - start))];
            Matrix outputs = net.Forward(Inputs.SelectRows(rows));
            sum += rows.Length * LossOf(outputs, rows, []);
            for (int i = 0; _labels is not null && i < rows.Length; i++)
            {
                if (System.Numerics.Tensors.TensorPrimitives.IndexOfMax(outputs.Row(i)) == _labels[rows[i]])
                    right++;
            }
        }
        return (sum / Count, _labels is null ? double.NaN : (double)right / Count);
    }

    /// <summary>Mean loss over some examples, and its gradient in the parameters.</summary>
    /// <param name="net">The network.</param>
    /// <param name="examples">Indices of examples, repetitions allowed.</param>
    /// <param name="gradient">Receives one number for each of <see cref="Mlp.Parameters"/>.</param>
    /// <exception cref="ArgumentException">The network does not fit, or an index is out of range.</exception>
    public double Gradient(Mlp net, ReadOnlySpan<int> examples, Span<double> gradient)
    {
        ArgumentNullException.ThrowIfNull(net);
        MlpPass pass = net.Run(Inputs.SelectRows(examples));
        var outputGradients = new double[pass.Outputs.Values.Length];
        double loss = LossOf(pass.Outputs, examples, outputGradients);
        pass.Backward(new Matrix(pass.Outputs.Rows, pass.Outputs.Columns, outputGradients), gradient);
        return loss;
    }

    /// <summary>Trains a network in place with <see cref="Adam"/> on batches drawn with replacement.</summary>
    /// <param name="net">Its parameters are written.</param>
    /// <param name="steps">Number of steps.</param>
    /// <param name="batch">Examples in each.</param>
    /// <param name="options">Step length and decay.</param>
    /// <param name="random">Where the batches come from; the same bits for the same stream.</param>
    /// <returns>The last batch's loss; NaN for no steps.</returns>
    /// <exception cref="ArgumentException">The network does not fit, or a number is out of range.</exception>
    public double Train(Mlp net, int steps, int batch, AdamOptions options, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(net);
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batch);
        var adam = new Adam(net.Parameters.Length, options);
        var gradient = new double[net.Parameters.Length];
        var examples = new int[batch];
        double loss = double.NaN;
        for (int step = 0; step < steps; step++)
        {
            Draw(examples, random);
            loss = Gradient(net, examples, gradient);
            adam.Step(net.Parameters, gradient);
        }
        return loss;
    }

    /// <summary>Fills a batch with random examples.</summary>
    internal void Draw(Span<int> examples, SeededRandom random)
    {
        foreach (ref int example in examples)
            example = random.NextInt(Count);
    }

    double LossOf(Matrix outputs, ReadOnlySpan<int> examples, Span<double> gradients)
    {
        if (_targets is not null)
            return Loss.MeanSquaredError(outputs, _targets.SelectRows(examples), gradients);
        var labels = new int[examples.Length];
        for (int i = 0; i < labels.Length; i++)
            labels[i] = _labels![examples[i]];
        return Loss.SoftmaxCrossEntropy(outputs, labels, gradients);
    }
}
