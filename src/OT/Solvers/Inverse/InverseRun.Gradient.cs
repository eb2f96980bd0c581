using System.Numerics.Tensors;
using OT.Results;

namespace OT.Solvers.Inverse;

internal sealed partial class InverseRun
{
    const double Growth = 1.1;
    const double ShortestGradientStep = 1e-18;

    /// <summary>
    /// <c>x⁺ = prox_{sλR}(y − s G(y))</c>, s cut until <c>L(x⁺) ≤ L(y) + G·d + |d|²/(2s)</c>, y moved on by Nesterov's momentum, which starts anew where the gradient points back
    /// (Beck and Teboulle 2009; O'Donoghue and Candès 2015). Distances are in units of the terms' deviations where the penalty allows it.
    /// </summary>
    InverseOutcome Gradient(InversePoint at, double lambda)
    {
        double[] metric = Metric();
        double step = _model.Epsilon,
            momentum = 1;
        InversePoint y = at;
        for (int iteration = 0; ; iteration++)
        {
            if (Look(ref at, lambda, iteration, out double residual) is { } end)
                return end;
            double inner = InnerFor(residual * InnerShare);
            if (Descend(y, lambda, metric, inner, ref step) is not { } next)
            {
                if (ReferenceEquals(y, at) && at.At.Tolerance <= Final)
                    return NoStep(at, iteration, residual);
                (at, momentum) = (Refined(at), 1);
                y = at;
                step = _model.Epsilon;
                continue;
            }
            if (Turns(y.T, next.T, at.T, metric))
                momentum = 1;
            double grown = (1 + Math.Sqrt(1 + (4 * momentum * momentum))) / 2;
            double share = (momentum - 1) / grown;
            momentum = grown;
            InversePoint before = at;
            at = next;
            y = share == 0 ? at : Ahead(at, before, share, inner) ?? at;
            step *= Growth;
        }
    }

    /// <summary>1/h for each coordinate: its variance, the block's largest, or the largest of all where coordinates are not apart.</summary>
    double[] Metric()
    {
        var metric = new double[_space.Count];
        double largest = _space.Scales.DefaultIfEmpty().Max();
        foreach (int[] block in _space.Blocks)
        {
            double scale = _space.IsSeparable ? block.Max(k => _space.Scales[k]) : largest;
            foreach (int k in block)
                metric[k] = scale > 0 ? 1 / (scale * scale) : 1;
        }
        return metric;
    }

    InversePoint? Descend(InversePoint y, double lambda, double[] metric, double inner, ref double step)
    {
        double[] t = new double[metric.Length],
            steps = new double[metric.Length],
            d = new double[metric.Length];
        for (; step > ShortestGradientStep; step /= 2)
        {
            TensorPrimitives.Multiply(metric, step, steps);
            for (int k = 0; k < t.Length; k++)
                t[k] = y.T[k] - (steps[k] * y.Gradient[k]);
            _space.Proximal(t, steps, lambda);
            TensorPrimitives.Subtract(t, y.T, d);
            double bend = 0;
            for (int k = 0; k < d.Length; k++)
                bend += d[k] * d[k] / (2 * steps[k]);
            InversePoint? next = Evaluate([.. t], inner, y.At.F, y.At.G);
            if (next is null)
                continue;
            double linear = y.At.Value + TensorPrimitives.Dot<double>(y.Gradient, d);
            if (next.At.Value <= linear + bend + Noise(y, 0) + Noise(next, 0))
                return next;
        }
        return null;
    }

    InversePoint? Ahead(InversePoint at, InversePoint before, double share, double inner)
    {
        var t = new double[_space.Count];
        for (int k = 0; k < t.Length; k++)
            t[k] = at.T[k] + (share * (at.T[k] - before.T[k]));
        return Evaluate(t, inner, at.At.F, at.At.G);
    }

    /// <summary>Whether the last step was against the momentum.</summary>
    static bool Turns(double[] y, double[] next, double[] at, double[] metric)
    {
        double sum = 0;
        for (int k = 0; k < y.Length; k++)
            sum += (y[k] - next[k]) * (next[k] - at[k]) / metric[k];
        return sum > 0;
    }
}
