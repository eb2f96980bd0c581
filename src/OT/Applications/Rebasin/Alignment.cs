using System.Globalization;
using System.Numerics.Tensors;
using OT.Neural;
using OT.Numerics;

namespace OT.Applications.Rebasin;

/// <summary>
/// What the methods share: how far two networks are apart, and a network under doubly stochastic matrices in place of permutations, <c>W'_l = P_l W_l P_{l−1}ᵀ</c>,
/// <c>b'_l = P_l b_l</c>, with the identity at both ends.
/// </summary>
/// <remarks>Layers are counted from 0 as in <see cref="Mlp"/>: <c>plans[l]</c> acts on the outputs of layer l.</remarks>
static class Alignment
{
    /// <summary>Distances below this share of <c>|θ_B|</c> are rounding.</summary>
    const double Rounding = 1e-12;

    const double LargestParameter = 1e100;

    /// <summary>π_P(net).</summary>
    public static Mlp Apply(Mlp net, ReadOnlySpan<Matrix> plans)
    {
        Mlp result = net.Copy();
        for (int l = 0; l < net.LayerCount; l++)
        {
            Matrix weights = After(net.WeightsIn(net.Parameters, l), plans, l);
            if (l < plans.Length)
            {
                weights = Products.Times(plans[l], weights);
                for (int i = 0; i < plans[l].Rows; i++)
                    result.Bias(l)[i] = Summation.Dot(plans[l].Row(i), net.Bias(l));
            }
            weights.Values.CopyTo(result.Weights(l));
        }
        return result;
    }

    /// <summary><c>∂ℓ/∂P_l = G_l P_{l−1} W_lᵀ + g_l b_lᵀ + G_{l+1}ᵀ P_{l+1} W_{l+1}</c>, with G and g the gradient in the parameters of π_P(net).</summary>
    /// <remarks>With the parameters of another network for G this is the profit matrix of weight matching.</remarks>
    public static Matrix PlanGradient(Mlp net, Span<double> gradient, ReadOnlySpan<Matrix> plans, int layer)
    {
        int h = net.Widths[layer + 1];
        // G_l P_{l−1} W_lᵀ = G_l (W_l P_{l−1}ᵀ)ᵀ.
        Matrix incoming = Products.TimesTransposed(
            net.WeightsIn(gradient, layer),
            After(net.WeightsIn(net.Parameters, layer), plans, layer)
        );
        Matrix next = net.WeightsIn(net.Parameters, layer + 1);
        if (layer + 1 < plans.Length)
            next = Products.Times(plans[layer + 1], next);
        Matrix outgoing = Products.TransposedTimes(net.WeightsIn(gradient, layer + 1), next);
        var sum = new double[h * h];
        TensorPrimitives.Add(incoming.Values, outgoing.Values, sum);
        ReadOnlySpan<double> biasGradient = net.LayerPart(gradient, layer)[^h..];
        for (int i = 0; i < h; i++)
        {
            Span<double> row = sum.AsSpan(i * h, h);
            TensorPrimitives.MultiplyAdd(net.Bias(layer), biasGradient[i], row, row);
        }
        return new Matrix(h, h, sum);
    }

    /// <summary>The permutation as a matrix: <c>P[i, p[i]] = 1</c>.</summary>
    public static Matrix ToMatrix(int[] permutation)
    {
        var values = new double[permutation.Length * permutation.Length];
        for (int i = 0; i < permutation.Length; i++)
            values[(i * permutation.Length) + permutation[i]] = 1;
        return new Matrix(permutation.Length, permutation.Length, values);
    }

    /// <summary><c>|θ_A − θ_B|₂</c>.</summary>
    public static double Distance(Mlp a, Mlp b)
    {
        var difference = new double[a.Parameters.Length];
        TensorPrimitives.Subtract<double>(a.Parameters, b.Parameters, difference);
        return Math.Sqrt(Summation.Dot(difference, difference));
    }

    /// <summary>Whether two networks are the same up to rounding.</summary>
    public static bool AreEqual(Mlp a, Mlp b) =>
        Distance(a, b) <= Rounding * Math.Sqrt(Summation.Dot(b.Parameters, b.Parameters));

    /// <summary>Refuses networks that differ in shape, and parameters that are not finite or whose products would overflow.</summary>
    public static void Check(Mlp a, Mlp b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        a.RequireShapeOf(b, nameof(b));
        CheckParameters(a, nameof(a));
        CheckParameters(b, nameof(b));
    }

    static void CheckParameters(Mlp net, string name)
    {
        Guard.Finite(net.Parameters, name);
        double largest = Math.Abs(TensorPrimitives.MaxMagnitude<double>(net.Parameters));
        if (largest > LargestParameter)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"A parameter of {name} is {largest:G6} in size: beyond {LargestParameter:G1} products overflow."
                ),
                name
            );
        }
    }

    /// <summary>The permutations that change nothing.</summary>
    public static int[][] Identity(Mlp net) => [.. net.Widths[1..^1].Select(width => Enumerable.Range(0, width).ToArray())];

    /// <summary><c>W P_{l−1}ᵀ</c>; W itself in the first layer.</summary>
    static Matrix After(Matrix weights, ReadOnlySpan<Matrix> plans, int layer) =>
        layer == 0 ? weights : Products.TimesTransposed(weights, plans[layer - 1]);
}
