using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;
using OT.Interop;
using OT.Numerics;
using MathMatrix = MathNet.Numerics.LinearAlgebra.Matrix<double>;

namespace OT.Applications.DomainAdaptation;

/// <summary>Mean and covariance, with the symmetric matrix functions that maps between Gaussians are made of.</summary>
sealed record Gaussian(double[] Mean, OT.Numerics.Matrix Covariance)
{
    /// <summary>Share of the largest eigenvalue below which one is rounding: that of d sums over n terms.</summary>
    public double Rounding { get; private init; } = Unit(Mean.Length, 1);

    static double Unit(int d, int n) => (d + Math.Sqrt(n)) * Math.ScaleB(1, -50);

    /// <summary>Mean and covariance of a weighted cloud, by two passes.</summary>
    public static Gaussian Of(Measure measure, bool unbiased, string name)
    {
        OT.Numerics.Matrix points = measure.Points!;
        (int n, int d) = (points.Rows, points.Columns);
        var weights = new double[n];
        TensorPrimitives.Divide(measure.Weights, measure.Mass, weights);
        double[] columns = points.Transpose().Values.ToArray(),
            mean = new double[d],
            scaled = new double[n * d];
        double normalizer = unbiased ? 1 - Summation.Dot(weights, weights) : 1;
        for (int k = 0; k < d; k++)
        {
            Span<double> column = columns.AsSpan(k * n, n);
            // About the first point, so that points far from the origin lose no digits, and a point alone is its own mean.
            double first = column[0];
            TensorPrimitives.Subtract(column, first, column);
            double shift = Summation.Dot(weights, column);
            mean[k] = first + shift;
            for (int i = 0; i < n; i++)
                scaled[(k * n) + i] =
                    Math.Sqrt(weights[i] / (normalizer > Math.ScaleB(1, -40) ? normalizer : 1)) * (column[i] - shift);
        }
        var deviations = new OT.Numerics.Matrix(d, n, scaled);
        OT.Numerics.Matrix covariance = Products.TimesTransposed(deviations, deviations);
        double largest = scaled.Length == 0 ? 0 : TensorPrimitives.MaxMagnitude<double>(scaled);
        if (!double.IsFinite(TensorPrimitives.Sum(covariance.Values)) || (largest > 0 && largest < 1e-140))
            throw new ArgumentException("The covariance leaves the range of doubles: scale the points.", name);
        return new(mean, covariance) { Rounding = Unit(d, n) };
    }

    public double Trace => Enumerable.Range(0, Mean.Length).Sum(k => Covariance[k, k]);

    /// <summary>Eigenvalues in rising order, with their vectors as columns.</summary>
    public static (double[] Values, MathMatrix Vectors) Eigen(MathMatrix symmetric)
    {
        Evd<double> evd = ((symmetric + symmetric.Transpose()) / 2).Evd(Symmetricity.Symmetric);
        return ([.. evd.EigenValues.Select(value => value.Real)], evd.EigenVectors);
    }

    /// <summary><c>Σ_k f(λ_k) v_k v_kᵀ</c>.</summary>
    public static MathMatrix Function((double[] Values, MathMatrix Vectors) eigen, Func<double, double> f) =>
        (eigen.Vectors * MathMatrix.Build.DenseOfDiagonalArray([.. eigen.Values.Select(f)])).TransposeAndMultiply(eigen.Vectors);

    /// <summary>
    /// The symmetric matrix that takes one covariance to the other, <c>Σ_s^½⁺ (Σ_s^½ Σ_t Σ_s^½)^½ Σ_s^½⁺</c>, and the identity where the source does not vary; with
    /// <c>tr (Σ_s^½ Σ_t Σ_s^½)^½</c> and the rank of Σ_s.
    /// </summary>
    public static (OT.Numerics.Matrix Map, double Fidelity, int Rank) Between(Gaussian source, Gaussian target, double ridge)
    {
        int d = source.Mean.Length;
        MathMatrix identity = MathMatrix.Build.DenseIdentity(d);
        double sizeS = source.Trace + (d * ridge),
            sizeT = target.Trace + (d * ridge);
        // In units of their own traces nothing overflows.
        if (sizeS == 0)
            return (identity.ToMatrix(), 0, 0);
        MathMatrix s = (source.Covariance.ToMathNet() + (ridge * identity)) / sizeS,
            t = sizeT == 0 ? 0 * identity : (target.Covariance.ToMathNet() + (ridge * identity)) / sizeT;
        (double[] Values, MathMatrix Vectors) eigen = Eigen(s);
        double floor = source.Rounding * eigen.Values.Max();
        MathMatrix root = Function(eigen, value => value > floor ? Math.Sqrt(value) : 0),
            inverse = Function(eigen, value => value > floor ? 1 / Math.Sqrt(value) : 0),
            flat = Function(eigen, value => value > floor ? 0 : 1);
        (double[] Values, MathMatrix Vectors) middle = Eigen(root * t * root);
        MathMatrix map = inverse * Function(middle, value => Math.Sqrt(Math.Max(0, value))) * inverse;
        map = (Math.Sqrt(sizeT / sizeS) * (map + map.Transpose()) / 2) + flat;
        double fidelity = Math.Sqrt(sizeS) * Math.Sqrt(sizeT) * middle.Values.Sum(value => Math.Sqrt(Math.Max(0, value)));
        return (map.ToMatrix(), fidelity, eigen.Values.Count(value => value > floor));
    }
}
