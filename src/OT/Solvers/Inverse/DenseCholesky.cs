using System.Numerics.Tensors;

namespace OT.Solvers.Inverse;

/// <summary>Small symmetric positive definite systems.</summary>
internal static class DenseCholesky
{
    /// <summary>Solves <c>H x = right</c> in place of the right-hand side, H overwritten.</summary>
    /// <returns>Whether H is positive definite; false leaves both undefined.</returns>
    public static bool Solve(double[][] h, double[] right)
    {
        int n = right.Length;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double rest = h[i][j] - TensorPrimitives.Dot<double>(h[i].AsSpan(0, j), h[j].AsSpan(0, j));
                if (i > j)
                    h[i][j] = rest / h[j][j];
                else if (rest > 0)
                    h[i][i] = Math.Sqrt(rest);
                else
                    return false;
            }
        }
        for (int i = 0; i < n; i++)
            right[i] = (right[i] - TensorPrimitives.Dot<double>(h[i].AsSpan(0, i), right.AsSpan(0, i))) / h[i][i];
        for (int i = n - 1; i >= 0; i--)
        {
            for (int j = i + 1; j < n; j++)
                right[i] -= h[j][i] * right[j];
            right[i] /= h[i][i];
        }
        return true;
    }
}
