using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace OT.Solvers.Inverse;

/// <summary>The loss of a bilinear cost between two centred Gaussians, in closed form.</summary>
/// <remarks>
/// With <c>S = Σ_a^½ A Σ_b^½ = U diag(s) Vᵀ</c> and <c>ψ(s) = 2s/(ε + √(ε² + 4s²))</c> the plan's cross-covariance is <c>−Σ_a^½ U ψ(s) Vᵀ Σ_b^½</c> and
/// <c>OT_ε = −Σ s ψ − (ε/2) Σ log(1 − ψ²)</c>. Where d and d' differ, the smaller side is filled up with coordinates that have no part. docs/theory/inverse.md, section on Gaussians.
/// </remarks>
internal sealed class GaussianModel : InverseModel
{
    readonly Matrix<double> _rootA; // filled up to the larger dimension
    readonly Matrix<double> _rootB;
    readonly Matrix<double> _observed;
    readonly int _rows;
    readonly int _columns;
    readonly double _constant;
    (double[] Theta, Svd<double> Factors)? _last;

    /// <summary>A model of covariances that were checked.</summary>
    public GaussianModel(Matrix<double> sa, Matrix<double> sb, Matrix<double> observed, double epsilon)
    {
        (_rows, _columns, Epsilon) = (sa.RowCount, sb.RowCount, epsilon);
        int larger = Math.Max(_rows, _columns);
        (_rootA, _rootB, _observed) = (Filled(Root(sa), larger), Filled(Root(sb), larger), observed);
        Deviations = new double[_rows * _columns];
        for (int a = 0; a < _rows; a++)
        {
            for (int b = 0; b < _columns; b++)
                Deviations[(a * _columns) + b] = Math.Sqrt(sa[a, a] * sb[b, b]);
        }
        // ε KL of the observed Gaussian beside independence: −(ε/2) log det(I − KᵀK).
        Matrix<double> k = Root(sa).Inverse() * observed * Root(sb).Inverse();
        _constant = -0.5 * epsilon * k.Svd(computeVectors: false).S.Sum(value => Math.Log((1 - value) * (1 + value)));
    }

    public override int Count => _rows * _columns;

    public override double Epsilon { get; }

    public override double[] Deviations { get; }

    public override double Sensitivity => 0; // no inner solve

    /// <summary><c>2s/(ε + √(ε² + 4s²))</c>.</summary>
    static double Psi(double s, double epsilon) => 2 * s / (epsilon + Radius(s, epsilon));

    static double Radius(double s, double epsilon) => double.Hypot(epsilon, 2 * s);

    public override Evaluation? Evaluate(double[] theta, double tolerance, double[] f, double[] g)
    {
        Svd<double> factors = Factors(theta);
        double value = _constant;
        foreach (double s in factors.S)
        {
            double psi = Psi(s, Epsilon);
            // 1 − ψ² = ε ψ/s
            value += (s * psi) + (0.5 * Epsilon * (s > 0 ? Math.Log(Epsilon * psi / s) : 0));
        }
        Matrix<double> cross = Cross(factors);
        var gradient = new double[Count];
        for (int k = 0; k < Count; k++)
        {
            (int a, int b) = (k / _columns, k % _columns);
            gradient[k] = _observed[a, b] - cross[a, b];
            value += theta[k] * _observed[a, b];
        }
        return double.IsFinite(value) ? new Evaluation(theta, value, gradient, 0, 0) : null;
    }

    /// <summary>The plan's cross-covariance, d × d'.</summary>
    public Matrix<double> Cross(double[] theta) => Cross(Factors(theta)).SubMatrix(0, _rows, 0, _columns);

    /// <summary><c>OT_ε</c>.</summary>
    public double Transport(double[] theta) =>
        Factors(theta)
            .S.Sum(s => s == 0 ? 0 : -(s * Psi(s, Epsilon)) - (0.5 * Epsilon * Math.Log(Epsilon * Psi(s, Epsilon) / s)));

    Matrix<double> Cross(Svd<double> factors) =>
        -(
            _rootA
            * factors.U
            * Matrix<double>.Build.DiagonalOfDiagonalVector(factors.S.Map(s => Psi(s, Epsilon)))
            * factors.VT
            * _rootB
        );

    public override HessianBlock Hessian(Evaluation at, int[] terms, double tolerance)
    {
        var values = new double[terms.Length][];
        for (int l = 0; l < terms.Length; l++)
        {
            var unit = new double[Count];
            unit[terms[l]] = 1;
            double[] column = HessianTimes(at, unit);
            values[l] = Array.ConvertAll(terms, k => column[k]);
        }
        for (int k = 0; k < terms.Length; k++)
        {
            for (int l = 0; l < k; l++)
                values[k][l] = values[l][k] = (values[k][l] + values[l][k]) / 2;
        }
        return new HessianBlock(values, [], []);
    }

    public override double[] HessianTimes(Evaluation at, double[] v)
    {
        Svd<double> factors = Factors(at.Theta);
        Matrix<double> left = factors.U.Transpose() * _rootA,
            right = factors.VT * _rootB;
        Matrix<double> e =
            left * Filled(Matrix<double>.Build.DenseOfRowMajor(_rows, _columns, v), left.RowCount, 0) * right.Transpose();
        Matrix<double> bent = Matrix<double>.Build.Dense(
            e.RowCount,
            e.ColumnCount,
            (i, j) =>
                (0.5 * (e[i, j] + e[j, i]) * Difference(factors.S[i], factors.S[j]))
                + (0.5 * (e[i, j] - e[j, i]) * Mean(factors.S[i], factors.S[j]))
        );
        Matrix<double> result = left.Transpose() * bent * right;
        return result.SubMatrix(0, _rows, 0, _columns).ToRowMajorArray();
    }

    /// <summary><c>(ψ(s) − ψ(t))/(s − t)</c> without a subtraction; ψ' where they are equal.</summary>
    double Difference(double s, double t)
    {
        double rs = Radius(s, Epsilon),
            rt = Radius(t, Epsilon);
        double mixed = (s * rt) + (t * rs);
        double slope = mixed > 0 ? (s + t) / mixed : 1 / Epsilon;
        return 2 * (Epsilon + (Epsilon * Epsilon * slope)) / ((Epsilon + rs) * (Epsilon + rt));
    }

    /// <summary><c>(ψ(s) + ψ(t))/(s + t)</c>; 1/ε where both are 0.</summary>
    double Mean(double s, double t) => s + t > 0 ? (Psi(s, Epsilon) + Psi(t, Epsilon)) / (s + t) : 1 / Epsilon;

    Svd<double> Factors(double[] theta)
    {
        if (_last is { } last && last.Theta.AsSpan().SequenceEqual(theta))
            return last.Factors;
        Matrix<double> a = Filled(Matrix<double>.Build.DenseOfRowMajor(_rows, _columns, theta), _rootA.RowCount, 0);
        Svd<double> factors = (_rootA * a * _rootB).Svd();
        _last = (theta, factors);
        return factors;
    }

    /// <summary>The symmetric square root.</summary>
    static Matrix<double> Root(Matrix<double> covariance)
    {
        Evd<double> evd = covariance.Evd(Symmetricity.Symmetric);
        Matrix<double> values = Matrix<double>.Build.DiagonalOfDiagonalVector(
            evd.EigenValues.Map(value => Math.Sqrt(Math.Max(0, value.Real)))
        );
        return evd.EigenVectors * values * evd.EigenVectors.Transpose();
    }

    static Matrix<double> Filled(Matrix<double> matrix, int size, double diagonal = 1)
    {
        if (matrix.RowCount == size && matrix.ColumnCount == size)
            return matrix;
        Matrix<double> filled = Matrix<double>.Build.DenseDiagonal(size, size, diagonal);
        if (diagonal == 0)
            filled = Matrix<double>.Build.Dense(size, size);
        filled.SetSubMatrix(0, 0, matrix);
        return filled;
    }
}
