using System.Numerics.Tensors;

namespace OT.Solvers.Classes;

/// <summary>Projection on <c>{x ≥ 0, Σ x = s}</c>, which is <c>max(0, x + t)</c> for the t that makes the sum right.</summary>
internal static class SimplexProjection
{
    /// <summary>The t with <c>Σ max(0, x_k + t) = total</c>, by Newton's steps from the left of the root's convex function (Michelot 1986): finitely many.</summary>
    /// <param name="x">Any numbers, <c>−∞</c> too, one at least finite.</param>
    /// <param name="total">Positive.</param>
    public static double Shift(ReadOnlySpan<double> x, double total)
    {
        // With t = total − max the sum is at least the total: from there every step goes down and none too far.
        double t = total - TensorPrimitives.Max(x);
        while (true)
        {
            double sum = 0;
            int count = 0;
            foreach (double value in x)
            {
                double above = value + t;
                if (above > 0)
                {
                    sum += above;
                    count++;
                }
            }
            double next = t - ((sum - total) / Math.Max(1, count));
            if (!(next < t))
                return t;
            t = next;
        }
    }

    /// <summary>Projects in place.</summary>
    public static void Project(Span<double> x, double total)
    {
        TensorPrimitives.Add(x, Shift(x, total), x);
        TensorPrimitives.Max(x, 0, x);
    }
}
