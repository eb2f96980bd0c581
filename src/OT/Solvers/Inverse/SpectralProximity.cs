using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;
using OT.Problems;

namespace OT.Solvers.Inverse;

/// <summary>Steps for what is not a sum over entries: nuclear norms and semidefinite matrices.</summary>
internal static class SpectralProximity
{
    const int MaxRounds = 500;

    /// <summary>Movement between rounds, relative to the matrix, that is rounding.</summary>
    const double Settled = 1e-14;

    /// <summary>The minimiser of <c>threshold R(θ) + |θ − v|²/2</c> under the constraint.</summary>
    public static double[] Of(
        double[] v,
        (int Rows, int Columns) shape,
        ParameterPenalty penalty,
        ParameterConstraint constraint,
        double threshold,
        ParameterSpace space
    )
    {
        bool nuclear = penalty is NuclearPenalty;
        if (nuclear && constraint == ParameterConstraint.PositiveSemidefinite)
            return Eigenvalues(v, shape.Rows, value => Math.Max(0, value - threshold)); // the trace
        if (nuclear && constraint != ParameterConstraint.NonNegative)
            return Shrink(v, shape, threshold); // of a symmetric or diagonal matrix it is one
        return Dykstra(v, First, Second);

        double[] First(double[] x)
        {
            if (nuclear)
                return Shrink(x, shape, threshold);
            double[] t = space.Restrict(x);
            foreach (int[] block in space.Blocks)
                space.ProximalBlock(t, block, threshold);
            return space.Expand(t);
        }

        double[] Second(double[] x) =>
            nuclear ? Array.ConvertAll(x, value => Math.Max(0, value)) : Eigenvalues(x, shape.Rows, value => Math.Max(0, value));
    }

    /// <summary>The proximal point of a sum by those of its two parts (Bauschke and Combettes 2008). Ends in the second: the constraint holds exactly.</summary>
    static double[] Dykstra(double[] v, Func<double[], double[]> first, Func<double[], double[]> second)
    {
        double[] x = v,
            p = new double[v.Length],
            q = new double[v.Length];
        for (int round = 0; round < MaxRounds; round++)
        {
            double[] y = first(Add(x, p, 1));
            p = Add(Add(x, p, 1), y, -1);
            double[] next = second(Add(y, q, 1));
            q = Add(Add(y, q, 1), next, -1);
            // x may stand still while p and q still move; at the end both parts agree.
            double moved = Math.Max(Add(next, x, -1).Max(Math.Abs), Add(next, y, -1).Max(Math.Abs)),
                size = Math.Max(v.Max(Math.Abs), next.Max(Math.Abs));
            x = next;
            if (round > 0 && moved <= Settled * size)
                break;
        }
        return x;
    }

    static double[] Add(double[] x, double[] y, double factor)
    {
        var sum = new double[x.Length];
        for (int k = 0; k < sum.Length; k++)
            sum[k] = x[k] + (factor * y[k]);
        return sum;
    }

    public static double[] SingularValues(double[] theta, (int Rows, int Columns) shape) =>
        [.. ToMatrix(theta, shape).Svd(computeVectors: false).S];

    /// <summary>The least λ whose solution is 0 when the gradient at 0 is G.</summary>
    public static double DualNorm(
        double[] gradient,
        (int Rows, int Columns) shape,
        ParameterPenalty penalty,
        ParameterConstraint constraint,
        ParameterSpace space
    )
    {
        if (
            penalty is NuclearPenalty
            && constraint is not (ParameterConstraint.NonNegative or ParameterConstraint.PositiveSemidefinite)
        )
            return SingularValues(gradient, shape).FirstOrDefault();
        if (penalty is NuclearPenalty && constraint == ParameterConstraint.PositiveSemidefinite)
            return Math.Max(0, -Symmetric(gradient, shape.Rows).EigenValues.Min(value => value.Real));
        // The least λ at which the proximal point of −G is 0: bisection, for want of a formula.
        double[] minus = Array.ConvertAll(gradient, value => -value);
        double low = 0,
            high = penalty is NuclearPenalty ? SingularValues(gradient, shape).FirstOrDefault() : LargestOf(gradient, space);
        double size = gradient.Max(Math.Abs);
        for (int k = 0; k < 50 && high - low > Settled * high; k++)
        {
            double middle = (low + high) / 2;
            bool vanishes = Of(minus, shape, penalty, constraint, middle, space).Max(Math.Abs) <= 1e-12 * size;
            (low, high) = vanishes ? (low, middle) : (middle, high);
        }
        return high;
    }

    static double LargestOf(double[] gradient, ParameterSpace space)
    {
        double[] t = space.Restrict(gradient);
        return space.Blocks.Max(block =>
            space.Weights[block[0]] > 0 ? ParameterSpace.Norm(t, block) / space.Weights[block[0]] : 0
        );
    }

    static double[] Shrink(double[] theta, (int Rows, int Columns) shape, double threshold)
    {
        Svd<double> svd = ToMatrix(theta, shape).Svd();
        Matrix<double> values = svd.W.Clone();
        for (int k = 0; k < svd.S.Count; k++)
            values[k, k] = Math.Max(0, svd.S[k] - threshold);
        return (svd.U * values * svd.VT).ToRowMajorArray();
    }

    static double[] Eigenvalues(double[] theta, int d, Func<double, double> map)
    {
        Evd<double> evd = Symmetric(theta, d);
        Matrix<double> values = Matrix<double>.Build.DiagonalOfDiagonalVector(evd.EigenValues.Map(value => map(value.Real)));
        return (evd.EigenVectors * values * evd.EigenVectors.Transpose()).ToRowMajorArray();
    }

    static Evd<double> Symmetric(double[] theta, int d)
    {
        Matrix<double> matrix = ToMatrix(theta, (d, d));
        return ((matrix + matrix.Transpose()) / 2).Evd(Symmetricity.Symmetric);
    }

    static Matrix<double> ToMatrix(double[] theta, (int Rows, int Columns) shape) =>
        Matrix<double>.Build.DenseOfRowMajor(shape.Rows, shape.Columns, theta);
}
