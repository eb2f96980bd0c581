using System.Collections.Immutable;
using MathNet.Numerics.LinearAlgebra;

namespace OT.Solvers.Inverse;

/// <summary>
/// Whether the support of a parameter can be recovered: <c>z = H_{·,I} H_{II}⁻¹ s_I</c> on the support I with signs s, H the Hessian of the loss at the parameter. Where |z| &lt; 1 off the support, the
/// penalised estimator has that support and those signs for small λ and enough data.
/// </summary>
/// <remarks>Generalised irrepresentability, Andrade, Peyré, Poon, ICLR 2024. At a large ε the Lasso's, at a small one and symmetric parameters the graphical Lasso's. Not defined for nuclear norms and semidefinite parameters.</remarks>
public sealed class Irrepresentability
{
    /// <summary>z, one number per term in the problem's convention, over the term's penalty weight; ±1 on the support of a plain l1 penalty. 0 where a constraint holds the term at 0.</summary>
    public required ImmutableArray<double> PreCertificate { get; init; }

    /// <summary>Terms whose parameter is not 0, ascending.</summary>
    public required ImmutableArray<int> Support { get; init; }

    /// <summary><c>1 − max |z|</c> off the support, over groups where the penalty has them; 1 where there is nothing off it. The support is recoverable where this is positive.</summary>
    public required double Margin { get; init; }

    /// <summary>Largest over smallest eigenvalue of H on the support; 1 for an empty one, infinite where terms of the support depend on each other.</summary>
    public required double Condition { get; init; }

    /// <summary>Whether the support is recoverable: <see cref="Margin"/> is positive and the support's terms are independent.</summary>
    public bool IsRecoverable => Margin > 0 && double.IsFinite(Condition);

    /// <summary>Eigenvalues of H on the support, each term in units of its own, below this are rounding.</summary>
    const double Dependent = 1e-12;

    internal static Irrepresentability Of(InverseModel model, ParameterSpace space, double[] t, Evaluation at)
    {
        if (!space.IsSeparable)
            throw new NotSupportedException(
                "The certificate of a support needs a penalty and a constraint that are sums over terms or groups, not nuclear norms or semidefinite parameters."
            );
        // A term free of the penalty is never driven to 0: it belongs to the support, without a sign where it is 0.
        bool IsKept(int k) => t[k] != 0 || (space.Weights[k] == 0 && space.Visible[k]);
        int[] support = [.. Enumerable.Range(0, t.Length).Where(IsKept)];
        double[] theta = space.Expand(t);
        double condition = 1;
        double[] z = new double[t.Length];
        if (support.Length > 0)
        {
            (int[] terms, Func<HessianBlock, HessianBlock> reduce) = space.Terms(support);
            double[][] h = reduce(model.Hessian(at, terms, InverseModel.ExactSystems)).Values;
            double[] eigenvalues =
            [
                .. Matrix<double>.Build.DenseOfRowArrays(h).Evd(Symmetricity.Symmetric).EigenValues.Select(value => value.Real),
            ];
            double largest = eigenvalues.Max(),
                smallest = eigenvalues.Min();
            double[][] correlations =
            [
                .. h.Select((row, k) => row.Select((value, l) => value / Math.Sqrt(h[k][k]) / Math.Sqrt(h[l][l])).ToArray()),
            ];
            double independent = Matrix<double>
                .Build.DenseOfRowArrays(correlations)
                .Evd(Symmetricity.Symmetric)
                .EigenValues.Min(value => value.Real);
            condition = independent > Dependent && smallest > 0 ? largest / smallest : double.PositiveInfinity;
            double[] sign = space.Subgradient(t),
                right = Array.ConvertAll(support, k => sign[k]);
            if (double.IsFinite(condition) && DenseCholesky.Solve(h, right))
            {
                var v = new double[t.Length];
                for (int k = 0; k < support.Length; k++)
                    v[support[k]] = right[k];
                z = space.RestrictFromCost(model.HessianTimes(at, space.ExpandToCost(v)));
            }
            else
            {
                (condition, z) = (double.PositiveInfinity, Array.ConvertAll(z, _ => double.NaN));
            }
        }
        double worst = 0;
        foreach (int[] block in space.Blocks)
        {
            if (block.Any(IsKept) || !block.Any(k => space.Visible[k]))
                continue;
            double size = space.IsNonNegative
                ? Math.Sqrt(block.Sum(k => Math.Max(0, z[k]) * Math.Max(0, z[k])))
                : ParameterSpace.Norm(z, block);
            double weight = space.Weights[block[0]];
            worst = Math.Max(worst, size == 0 ? 0 : size / weight);
        }
        var weighted = new double[z.Length];
        for (int k = 0; k < z.Length; k++)
            weighted[k] = space.Weights[k] > 0 ? z[k] / space.Weights[k] : z[k];
        return new Irrepresentability
        {
            PreCertificate = [.. space.ExpandDual(weighted)],
            Support = [.. Enumerable.Range(0, theta.Length).Where(k => theta[k] != 0)],
            Margin = 1 - worst,
            Condition = condition,
        };
    }
}
