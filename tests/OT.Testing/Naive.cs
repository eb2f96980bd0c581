using OT.Backends;
using OT.Geometries;

namespace OT.Testing;

/// <summary>Iterations and plans in the words of <see cref="ICostOperator"/>'s documentation.</summary>
public static class Naive
{
    /// <summary>Iterates in place and returns the last error.</summary>
    public static double Iterate(Geometry geometry, int count, SinkhornStep step, double[] f, double[] g)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(f);
        ArgumentNullException.ThrowIfNull(g);
        CostMatrix costs = CostMatrix.From(geometry),
            transposed = Oracles.Transposed(geometry);
        double error = double.NaN;
        for (int k = 0; k < count; k++)
        {
            error =
                Half(
                    Oracles.SoftMinRows(costs, g, step.B.Span, step.Epsilon),
                    step.A.Span,
                    step.TauA,
                    step.BoundA,
                    f,
                    after: true
                )
                + Half(
                    Oracles.SoftMinRows(transposed, f, step.A.Span, step.Epsilon),
                    step.B.Span,
                    step.TauB,
                    step.BoundB,
                    g,
                    after: false
                );
        }
        return error;

        double Half(double[] softMin, ReadOnlySpan<double> weights, double tau, double bound, double[] potential, bool after)
        {
            double sum = 0;
            for (int i = 0; i < potential.Length; i++)
            {
                double old = potential[i];
                double next = double.IsFinite(softMin[i])
                    ? Math.Clamp(((1 - step.Relaxation) * old) + (step.Relaxation * tau * softMin[i]), -bound, bound)
                    : 0;
                double inverseRho = (1 - tau) / (step.Epsilon * tau);
                double seen = after ? next : old;
                double share = Math.Exp((seen - softMin[i]) / step.Epsilon);
                if (weights[i] > 0)
                {
                    sum +=
                        weights[i]
                        * (
                            seen >= bound ? Math.Max(share - 1, 0)
                            : seen <= -bound ? Math.Max(1 - share, 0)
                            : Math.Abs(share - Math.Exp(-seen * inverseRho))
                        );
                }
                // Target bins of weight zero are left alone.
                if (after || weights[i] > 0)
                    potential[i] = next;
            }
            return sum;
        }
    }

    /// <summary><c>a_i b_j exp((f_i + g_j − C_ij)/ε)</c>.</summary>
    public static double[,] Plan(Geometry geometry, double[] f, double[] g, double[] a, double[] b, double epsilon)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(f);
        ArgumentNullException.ThrowIfNull(g);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        var plan = new double[f.Length, g.Length];
        for (int i = 0; i < f.Length; i++)
        {
            for (int j = 0; j < g.Length; j++)
                plan[i, j] = a[i] * b[j] * Math.Exp((f[i] + g[j] - geometry.Cost(i, j)) / epsilon);
        }
        return plan;
    }
}
