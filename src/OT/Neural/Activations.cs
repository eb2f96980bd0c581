using System.Numerics.Tensors;

namespace OT.Neural;

/// <summary>Values and derivatives of <see cref="Activation"/>. Only what is exact is vectorised: other vector code gives bits that depend on alignment.</summary>
internal static class Activations
{
    /// <summary><c>z ← σ(z)</c>.</summary>
    public static void Apply(Activation activation, Span<double> z)
    {
        if (activation == Activation.Relu)
        {
            TensorPrimitives.Max(z, 0, z);
        }
        else if (activation == Activation.Tanh)
        {
            foreach (ref double value in z)
                value = Math.Tanh(value);
        }
        else
        {
            foreach (ref double value in z)
                value = Softplus(value);
        }
    }

    /// <summary><c>d ← d σ'(z)</c>, with the derivative computed from y = σ(z).</summary>
    public static void TimesDerivative(Activation activation, ReadOnlySpan<double> y, Span<double> d)
    {
        for (int i = 0; i < d.Length; i++)
        {
            d[i] *= activation switch
            {
                Activation.Relu => y[i] > 0 ? 1 : 0,
                Activation.Tanh => 1 - (y[i] * y[i]),
                _ => 1 - Math.Exp(-y[i]),
            };
        }
    }

    /// <summary><c>max(z, 0) + log(1 + e^−|z|)</c>, the logarithm without cancellation (Kahan).</summary>
    static double Softplus(double z)
    {
        double e = Math.Exp(-Math.Abs(z)),
            u = 1 + e;
        return Math.Max(z, 0) + (u == 1 ? e : Math.Log(u) * e / (u - 1));
    }
}
