using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Neural;

/// <summary>
/// A multilayer perceptron: <c>y_l = σ(W_l y_{l−1} + b_l)</c>, the last layer without σ. Its parameters are one vector, which training writes.
/// </summary>
/// <remarks>
/// Layers are counted from 0: layer l takes <c>Widths[l]</c> numbers to <c>Widths[l + 1]</c>. Parameters in order: W_0 (row-major, Widths[1] × Widths[0]), b_0, W_1, b_1, …
/// See docs/theory/neural.md.
/// </remarks>
public sealed class Mlp
{
    readonly double[] _parameters;
    readonly int[] _starts; // of each layer's parameters

    /// <summary>A network with all parameters 0.</summary>
    /// <param name="widths">Length of the input, of each hidden layer, and of the output: two positive numbers or more.</param>
    /// <param name="activation">Between layers; not after the last one.</param>
    /// <exception cref="ArgumentException">There are fewer than two widths, one is not positive, or the activation is not one.</exception>
    public Mlp(ReadOnlySpan<int> widths, Activation activation)
    {
        if (widths.Length < 2)
            throw new ArgumentException($"There are {widths.Length} widths: a network has at least 2.", nameof(widths));
        if (!Enum.IsDefined(activation))
            throw new ArgumentOutOfRangeException(nameof(activation), $"{activation} is not an activation.");
        foreach (int width in widths)
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width, nameof(widths));
        _starts = new int[widths.Length];
        for (int l = 0; l + 1 < widths.Length; l++)
        {
            // A layer has a row of W and an entry of b for each output.
            long end = _starts[l] + ((long)widths[l + 1] * (widths[l] + 1L));
            _starts[l + 1] = Guard.ArrayLength(end, 1, "the parameters of a network");
        }
        _parameters = new double[_starts[^1]];
        (Widths, Activation) = ([.. widths], activation);
    }

    /// <summary>
    /// A network at a random start (He et al. 2015): weights <c>N(0, 2/fan-in)</c> for <see cref="Activation.Relu"/>, <c>N(0, 1/fan-in)</c> otherwise, biases 0.
    /// </summary>
    /// <param name="widths">As of the constructor.</param>
    /// <param name="activation">As of the constructor.</param>
    /// <param name="random">Where the weights come from; the same bits for the same stream.</param>
    /// <exception cref="ArgumentException">As of the constructor.</exception>
    public static Mlp Random(ReadOnlySpan<int> widths, Activation activation, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(random);
        var net = new Mlp(widths, activation);
        for (int l = 0; l < net.LayerCount; l++)
        {
            double deviation = Math.Sqrt((activation == Activation.Relu ? 2.0 : 1.0) / widths[l]);
            foreach (ref double weight in net.Weights(l))
                weight = deviation * random.NextNormal();
        }
        return net;
    }

    /// <summary>Length of the input, of each hidden layer, and of the output.</summary>
    public ImmutableArray<int> Widths { get; }

    /// <summary>The function between layers.</summary>
    public Activation Activation { get; }

    /// <summary>Number of layers of weights: one less than widths.</summary>
    public int LayerCount => Widths.Length - 1;

    /// <summary>All parameters, layer after layer; may be written.</summary>
    public Span<double> Parameters => _parameters;

    /// <summary>W of a layer, <c>Widths[layer + 1] × Widths[layer]</c>, row-major; may be written.</summary>
    public Span<double> Weights(int layer) => LayerPart(_parameters, layer)[..^Bias(layer).Length];

    /// <summary>b of a layer, <c>Widths[layer + 1]</c> numbers; may be written.</summary>
    public Span<double> Bias(int layer) => LayerPart(_parameters, layer)[^Widths[layer + 1]..];

    /// <summary>The outputs for some inputs.</summary>
    /// <param name="inputs">n × Widths[0].</param>
    /// <returns>n × Widths[^1].</returns>
    /// <remarks>O(n) products with each weight; memory for all layers' outputs, as of <see cref="Run"/>.</remarks>
    /// <exception cref="ArgumentException">The inputs do not fit.</exception>
    public Matrix Forward(Matrix inputs) => Run(inputs).Outputs;

    /// <summary>A forward pass that keeps what the derivatives need: n numbers for each unit.</summary>
    /// <param name="inputs">n × Widths[0], n ≥ 1.</param>
    /// <exception cref="ArgumentException">The inputs do not fit.</exception>
    public MlpPass Run(Matrix inputs) => new(this, inputs);

    /// <summary>A network of its own with the same parameters.</summary>
    public Mlp Copy()
    {
        var copy = new Mlp(Widths.AsSpan(), Activation);
        _parameters.CopyTo(copy.Parameters);
        return copy;
    }

    /// <summary>The network on the straight line between two: parameters <c>(1 − t) from + t to</c>.</summary>
    /// <param name="from">The network at t = 0.</param>
    /// <param name="to">The network at t = 1, of the same widths and activation.</param>
    /// <param name="t">Any finite number.</param>
    /// <exception cref="ArgumentException">The networks differ in shape.</exception>
    public static Mlp Interpolate(Mlp from, Mlp to, double t)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        from.RequireShapeOf(to, nameof(to));
        Guard.InRange(t, double.MinValue, double.MaxValue);
        Mlp net = from.Copy();
        TensorPrimitives.Multiply(net._parameters, 1 - t, net._parameters);
        TensorPrimitives.MultiplyAdd(to._parameters, t, net._parameters, net._parameters);
        return net;
    }

    /// <summary>The same function with its hidden units renumbered: unit i of hidden layer l is this network's unit <c>permutations[l][i]</c>.</summary>
    /// <param name="permutations">One for each hidden layer: every index below its width once.</param>
    /// <exception cref="ArgumentException">The permutations do not fit, or one is not a permutation.</exception>
    public Mlp Permute(IReadOnlyList<int[]> permutations)
    {
        ArgumentNullException.ThrowIfNull(permutations);
        Guard.Length(permutations.Count, LayerCount - 1, nameof(permutations));
        for (int l = 0; l < permutations.Count; l++)
            CheckPermutation(permutations[l], Widths[l + 1], l);
        var result = new Mlp(Widths.AsSpan(), Activation);
        for (int l = 0; l < LayerCount; l++)
        {
            int fanIn = Widths[l];
            for (int i = 0; i < Widths[l + 1]; i++)
            {
                int row = l < permutations.Count ? permutations[l][i] : i;
                ReadOnlySpan<double> from = Weights(l).Slice(row * fanIn, fanIn);
                Span<double> to = result.Weights(l).Slice(i * fanIn, fanIn);
                for (int j = 0; j < fanIn; j++)
                    to[j] = from[l > 0 ? permutations[l - 1][j] : j];
                result.Bias(l)[i] = Bias(l)[row];
            }
        }
        return result;
    }

    /// <summary>The part of a vector like <see cref="Parameters"/> that belongs to a layer: W, then b.</summary>
    internal Span<double> LayerPart(Span<double> parameters, int layer)
    {
        Guard.Index(layer, LayerCount);
        return parameters[_starts[layer].._starts[layer + 1]];
    }

    /// <summary>A copy of the weights of a layer in a vector like <see cref="Parameters"/>.</summary>
    internal Matrix WeightsIn(Span<double> parameters, int layer)
    {
        int count = Widths[layer + 1] * Widths[layer];
        return new Matrix(Widths[layer + 1], Widths[layer], LayerPart(parameters, layer)[..count].ToArray());
    }

    internal void RequireShapeOf(Mlp other, string name)
    {
        if (Activation != other.Activation || !Widths.AsSpan().SequenceEqual(other.Widths.AsSpan()))
        {
            throw new ArgumentException(
                $"The networks are {this} and {other}: both must have the same widths and activation.",
                name
            );
        }
    }

    /// <summary>Widths and activation: <c>10-32-3 Relu</c>.</summary>
    public override string ToString() => $"{string.Join('-', Widths)} {Activation}";

    static void CheckPermutation(int[] permutation, int width, int layer)
    {
        ArgumentNullException.ThrowIfNull(permutation);
        Guard.Length(permutation.Length, width, $"permutations[{layer}]");
        var seen = new bool[width];
        foreach (int unit in permutation)
        {
            if ((uint)unit >= (uint)width || seen[unit])
            {
                throw new ArgumentException($"permutations[{layer}] holds {unit}: it must hold every index below {width} once.");
            }
            seen[unit] = true;
        }
    }
}
