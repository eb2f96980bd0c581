using System.Collections.Immutable;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace OT.Solvers.Inverse;

/// <summary>What no coupling shows of a parameter: terms and combinations of terms that are functions of x plus functions of y.</summary>
/// <remarks>The terms less their means are a ⊗ b-orthogonal to such functions, so that these are the null space of their Gram matrix; every plan of positive masses has the same.</remarks>
internal static class Identifiability
{
    /// <summary>Eigenvalues of correlations below this are rounding.</summary>
    const double Rounding = 1e-10;

    public static (ImmutableArray<int> Terms, Numerics.Matrix? Directions) Of(SampledModel model)
    {
        ImmutableArray<int> invisible = [.. Enumerable.Range(0, model.Count).Where(k => model.Deviations[k] == 0)];
        double[][] directions = model.Gram is { } gram ? Dense(gram, model.Deviations) : Products(model);
        return (
            invisible,
            directions.Length == 0
                ? null
                : new Numerics.Matrix(directions.Length, model.Count, [.. directions.SelectMany(row => row)])
        );
    }

    static double[][] Dense(double[][] gram, double[] deviations)
    {
        int[] visible = [.. Enumerable.Range(0, gram.Length).Where(k => deviations[k] > 0)];
        if (visible.Length == 0)
            return [];
        double[][] found = NullVectors(
            Matrix<double>.Build.Dense(
                visible.Length,
                visible.Length,
                (k, l) => gram[visible[k]][visible[l]] / deviations[visible[k]] / deviations[visible[l]]
            )
        );
        // From correlations back to θ, and orthonormal again.
        double[][] directions = Array.ConvertAll(
            found,
            vector =>
            {
                var theta = new double[gram.Length];
                for (int k = 0; k < visible.Length; k++)
                    theta[visible[k]] = vector[k] / deviations[visible[k]];
                return theta;
            }
        );
        return Orthonormal(directions);
    }

    /// <summary>Of all products of coordinates: a null direction of either covariance, with any direction of the other.</summary>
    static double[][] Products(SampledModel model)
    {
        (Numerics.Matrix x, Numerics.Matrix y) = ((ProductFeatures)model.Features).Covariances();
        (double[][] Null, double[][] Other) left = Split(x),
            right = Split(y);
        return
        [
            .. left.Null.SelectMany(u => right.Null.Concat(right.Other).Select(v => Outer(u, v))),
            .. left.Other.SelectMany(u => right.Null.Select(v => Outer(u, v))),
        ];
    }

    static (double[][] Null, double[][] Other) Split(Numerics.Matrix covariance)
    {
        Evd<double> evd = Matrix<double>
            .Build.DenseOfRowMajor(covariance.Rows, covariance.Columns, covariance.Values.ToArray())
            .Evd(Symmetricity.Symmetric);
        double largest = evd.EigenValues.Max(value => value.Real);
        int[] all = [.. Enumerable.Range(0, covariance.Rows)];
        bool IsNull(int k) => evd.EigenValues[k].Real <= Rounding * largest;
        return (
            [.. all.Where(IsNull).Select(k => evd.EigenVectors.Column(k).ToArray())],
            [.. all.Where(k => !IsNull(k)).Select(k => evd.EigenVectors.Column(k).ToArray())]
        );
    }

    static double[] Outer(double[] u, double[] v) => [.. u.SelectMany(x => v.Select(y => x * y))];

    static double[][] NullVectors(Matrix<double> correlations)
    {
        Evd<double> evd = correlations.Evd(Symmetricity.Symmetric);
        return
        [
            .. Enumerable
                .Range(0, correlations.RowCount)
                .Where(k => evd.EigenValues[k].Real <= Rounding)
                .Select(k => evd.EigenVectors.Column(k).ToArray()),
        ];
    }

    static double[][] Orthonormal(double[][] rows)
    {
        if (rows.Length == 0)
            return [];
        Matrix<double> q = Matrix<double>.Build.DenseOfRowArrays(rows).Transpose().QR(QRMethod.Thin).Q;
        return [.. Enumerable.Range(0, rows.Length).Select(k => q.Column(k).ToArray())];
    }
}
