using System.Numerics.Tensors;

namespace OT.Solvers.Inverse;

/// <summary>The minimiser z of <c>G·(z − t) + (z − t)ᵀH(z − t)/2 + λR(z)</c> over some coordinates: coordinate descent by blocks, then the linear system of the support that it found.</summary>
internal sealed class QuadraticStep
{
    const int MaxRounds = 40;
    const int SweepsPerRound = 25;

    /// <summary>Added to H's diagonal, relative to it: dependent terms share what they explain.</summary>
    const double Ridge = 1e-12;

    /// <summary>Change of z in a sweep, relative to z, that ends the descent.</summary>
    const double Settled = 1e-13;

    readonly ParameterSpace _space;
    readonly int[] _working;
    readonly double[][] _h;
    readonly double[] _t;
    readonly double[] _gradient;
    readonly double _lambda;
    readonly (int[] Local, double Weight, double Curvature)[] _blocks;

    public QuadraticStep(ParameterSpace space, int[] working, double[][] hessian, double[] t, double[] gradient, double lambda)
    {
        (_space, _working, _h, _lambda) = (space, working, hessian, lambda);
        _t = Array.ConvertAll(working, k => t[k]);
        _gradient = Array.ConvertAll(working, k => gradient[k]);
        for (int k = 0; k < working.Length; k++)
            hessian[k][k] *= 1 + Ridge;
        _blocks =
        [
            .. space
                .Blocks.Select(block => Array.FindAll(Array.ConvertAll(block, k => Array.BinarySearch(working, k)), k => k >= 0))
                .Where(local => local.Length > 0)
                .Select(local => (local, space.Weights[working[local[0]]], local.Sum(k => hessian[k][k]))),
        ];
    }

    public double[] Solve()
    {
        double[] z = [.. _t];
        // G + H (z − t), kept up to date.
        double[] slope = [.. _gradient];
        for (int round = 0; round < MaxRounds; round++)
        {
            bool settled = Sweep(z, slope);
            if (Polished(z) is { } exact)
                return exact;
            if (settled)
                break;
        }
        return z;
    }

    bool Sweep(double[] z, double[] slope)
    {
        var moved = new double[z.Length];
        for (int sweep = 0; sweep < SweepsPerRound; sweep++)
        {
            double largest = 0;
            foreach ((int[] local, double weight, double curvature) in _blocks)
            {
                if (!(curvature > 0))
                    continue;
                foreach (int k in local)
                    moved[k] = z[k] - (slope[k] / curvature);
                Shrink(moved, local, _lambda * weight / curvature);
                foreach (int k in local)
                {
                    double change = moved[k] - z[k];
                    if (change == 0)
                        continue;
                    TensorPrimitives.MultiplyAdd(_h[k], change, slope, slope);
                    z[k] = moved[k];
                    largest = Math.Max(largest, Math.Abs(change));
                }
            }
            if (largest <= Settled * Math.Abs(TensorPrimitives.MaxMagnitude<double>(z)))
                return true;
        }
        return false;
    }

    void Shrink(double[] z, int[] local, double threshold)
    {
        if (_space.IsNonNegative)
        {
            foreach (int k in local)
                z[k] = Math.Max(0, z[k]);
        }
        double norm = ParameterSpace.Norm(z, local);
        double factor = norm > 0 ? Math.Max(0, 1 - (threshold / norm)) : 0;
        foreach (int k in local)
            z[k] *= factor;
    }

    /// <summary>The solution of the linear system on z's support where it has z's signs and the rest obeys its condition; null where it does not, or where blocks are groups.</summary>
    double[]? Polished(double[] z)
    {
        if (_blocks.Any(block => block.Local.Length > 1))
            return null;
        var weight = new double[z.Length];
        foreach ((int[] local, double w, _) in _blocks)
            weight[local[0]] = w == 0 ? 0 : _lambda * w;
        int[] support = [.. Enumerable.Range(0, z.Length).Where(k => z[k] != 0)];
        if (support.Length == 0)
            return null;
        double[][] h = Array.ConvertAll(support, k => Array.ConvertAll(support, l => _h[k][l]));
        double[] right = Array.ConvertAll(
            support,
            k => TensorPrimitives.Dot<double>(_h[k], _t) - _gradient[k] - (weight[k] * Math.Sign(z[k]))
        );
        if (!DenseCholesky.Solve(h, right) || !double.IsFinite(TensorPrimitives.SumOfMagnitudes<double>(right)))
            return null;
        var exact = new double[z.Length];
        for (int k = 0; k < support.Length; k++)
        {
            if (Math.Sign(right[k]) != Math.Sign(z[support[k]]) && (weight[support[k]] > 0 || _space.IsNonNegative))
                return null;
            exact[support[k]] = right[k];
        }
        double[] moved = new double[z.Length];
        TensorPrimitives.Subtract(exact, _t, moved);
        for (int k = 0; k < z.Length; k++)
        {
            if (z[k] != 0)
                continue;
            double slope = _gradient[k] + TensorPrimitives.Dot<double>(_h[k], moved);
            bool holds = _space.IsNonNegative ? slope >= -weight[k] : Math.Abs(slope) <= weight[k];
            if (!holds)
                return null;
        }
        return exact;
    }
}
