using System.Numerics.Tensors;

namespace OT.Numerics;

/// <summary>exp and log of many doubles, with the same bits wherever in memory they lie.</summary>
/// <remarks>
/// TensorPrimitives' registers start at aligned addresses, and one argument out of range sends its whole register through scalar code with other last bits.
/// Here no argument is out of range.
/// </remarks>
internal static class VectorMath
{
    /// <summary>Arguments below have an exponential of 0 here: exp(−707.5) = 5.5e-308 is the last normal one but a few.</summary>
    const double LowestExponent = -707.5;

    /// <summary>Taken off every exponential, which rounds away above 1e-291 and sends those of the lowest exponent below 0.</summary>
    const double Underflow = 6e-308;

    const double SmallestNormal = 2.2250738585072014e-308;

    /// <summary><c>x ← e^x</c> for x below 707; 0 below −707.5, and <c>−∞</c> is allowed.</summary>
    public static void Exp(Span<double> x)
    {
        TensorPrimitives.Max(x, LowestExponent, x);
        TensorPrimitives.Exp(x, x);
        TensorPrimitives.Subtract(x, Underflow, x);
        TensorPrimitives.Max(x, 0, x);
    }

    /// <summary><c>y = log x</c> for x ≥ 0; that of the smallest normal number, −708.4, where x is 0 or subnormal. Both may be the same span.</summary>
    public static void Log(ReadOnlySpan<double> x, Span<double> y)
    {
        TensorPrimitives.Max(x, SmallestNormal, y);
        TensorPrimitives.Log(y, y);
    }

    /// <summary>log w of weights; <c>-∞</c> where a weight is 0.</summary>
    public static double[] LogWeights(ReadOnlySpan<double> weights)
    {
        var logs = new double[weights.Length];
        for (int i = 0; i < logs.Length; i++)
            logs[i] = weights[i] > 0 ? Math.Log(weights[i]) : double.NegativeInfinity;
        return logs;
    }

    /// <summary><c>exp(x) − 1</c> without cancellation (Kahan): <c>(u − 1) x / log u</c> with u = exp(x). The runtime's own subtracts.</summary>
    public static double ExpM1(double x)
    {
        double u = Math.Exp(x);
        if (u == 1)
            return x;
        return Math.Abs(x) > 0.5 ? u - 1 : (u - 1) * x / Math.Log(u);
    }
}
