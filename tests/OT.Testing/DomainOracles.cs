using OT.Geometries;
using OT.Numerics;
using OT.Results;

namespace OT.Testing;

/// <summary>Maps between domains by their definitions, in plain loops.</summary>
public static class DomainOracles
{
    /// <summary><c>Σ_j P_ij y_j / Σ_j P_ij</c> for every row; NaN for a row without mass.</summary>
    public static Matrix Barycentres(Matrix plan, Matrix points)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(points);
        var images = new double[plan.Rows * points.Columns];
        for (int i = 0; i < plan.Rows; i++)
        {
            double mass = 0;
            for (int j = 0; j < plan.Columns; j++)
                mass += plan[i, j];
            for (int k = 0; k < points.Columns; k++)
            {
                double sum = 0;
                for (int j = 0; j < plan.Columns; j++)
                    sum += plan[i, j] * points[j, k];
                images[(i * points.Columns) + k] = sum / mass;
            }
        }
        return new Matrix(plan.Rows, points.Columns, images);
    }

    /// <summary><c>Σ_j y_j b_j exp((g_j − c(x, y_j))/ε) / Σ_j b_j exp((g_j − c(x, y_j))/ε)</c>, the largest exponent taken out.</summary>
    public static double[] EntropicImage(
        ReadOnlySpan<double> point,
        Measure target,
        Potentials potentials,
        double epsilon,
        GroundCost cost
    )
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(potentials);
        ArgumentNullException.ThrowIfNull(cost);
        var exponents = new double[target.Count];
        for (int j = 0; j < exponents.Length; j++)
            exponents[j] = (potentials.G[j] - cost.Evaluate(point, target.Points!.Row(j))) / epsilon;
        double most = exponents.Max(),
            mass = 0;
        var image = new double[point.Length];
        for (int j = 0; j < exponents.Length; j++)
        {
            double weight = target.Weights[j] * Math.Exp(exponents[j] - most);
            mass += weight;
            for (int k = 0; k < image.Length; k++)
                image[k] += weight * target.Points![j, k];
        }
        return Array.ConvertAll(image, value => value / mass);
    }

    /// <summary>The symmetric positive matrix A with <c>A S A = T</c> for 2 × 2 covariances: the geometric mean of S⁻¹ and T, by determinants.</summary>
    public static double[,] MapOfPlanarGaussians(Matrix s, Matrix t)
    {
        ArgumentNullException.ThrowIfNull(s);
        ArgumentNullException.ThrowIfNull(t);
        double detS = (s[0, 0] * s[1, 1]) - (s[0, 1] * s[1, 0]),
            detT = (t[0, 0] * t[1, 1]) - (t[0, 1] * t[1, 0]);
        double[,] inverse =
        {
            { s[1, 1] / detS, -s[0, 1] / detS },
            { -s[1, 0] / detS, s[0, 0] / detS },
        };
        // With α = √det X, β = √det Y: X # Y = √(αβ) (X/α + Y/β) / √det(X/α + Y/β).
        double alpha = Math.Sqrt(1 / detS),
            beta = Math.Sqrt(detT);
        var sum = new double[2, 2];
        for (int i = 0; i < 2; i++)
        {
            for (int j = 0; j < 2; j++)
                sum[i, j] = (inverse[i, j] / alpha) + (t[i, j] / beta);
        }
        double factor = Math.Sqrt(alpha * beta / ((sum[0, 0] * sum[1, 1]) - (sum[0, 1] * sum[1, 0])));
        for (int i = 0; i < 2; i++)
        {
            for (int j = 0; j < 2; j++)
                sum[i, j] *= factor;
        }
        return sum;
    }
}
