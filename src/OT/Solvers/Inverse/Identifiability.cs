using System.Collections.Immutable;
using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace OT.Solvers.Inverse;

/// <summary>What no coupling shows of a parameter: terms and combinations of terms that are functions of x plus functions of y.</summary>
/// <remarks>The terms less their means are a ⊗ b-orthogonal to such functions, so that these are the null space of their Gram matrix; every plan of positive masses has the same. Where pairs are forbidden, those of the allowed ones.</remarks>
internal static class Identifiability
{
    /// <summary>Eigenvalues of correlations below this are rounding.</summary>
    const double Rounding = 1e-10;

    public static (ImmutableArray<int> Terms, Numerics.Matrix? Directions) Of(SampledModel model)
    {
        ImmutableArray<int> invisible = [.. Enumerable.Range(0, model.Count).Where(k => model.Deviations[k] == 0)];
        double[][] directions = (model.AllowedGram ?? model.Features.Gram) is { } gram
            ? Dense(gram, model.AllowedGram is null ? model.Deviations : [.. gram.Select((row, k) => Math.Sqrt(row[k]))])
            : Products((ProductFeatures)model.Features);
        return (
            invisible,
            directions.Length == 0
                ? null
                : new Numerics.Matrix(directions.Length, model.Count, [.. directions.SelectMany(row => row)])
        );
    }

    static double[][] Dense(double[][] gram, double[] deviations) => Orthonormal(Split(deviations, (k, l) => gram[k][l]).Null);

    /// <summary>Of all products of coordinates: a null direction of either covariance, with any direction of the other.</summary>
    static double[][] Products(ProductFeatures features)
    {
        (Numerics.Matrix x, Numerics.Matrix y) = features.Covariances();
        (double[][] Null, double[][] Other) left = Split(features.DeviationsX, (k, l) => x[k, l]),
            right = Split(features.DeviationsY, (k, l) => y[k, l]);
        return Orthonormal([
            .. left.Null.SelectMany(u => right.Null.Concat(right.Other).Select(v => Outer(u, v))),
            .. left.Other.SelectMany(u => right.Null.Select(v => Outer(u, v))),
        ]);
    }

    /// <summary>Eigenvectors of the correlations of what varies, in units of the parameter: those of eigenvalue 0, and the others.</summary>
    static (double[][] Null, double[][] Other) Split(double[] deviations, Func<int, int, double> covariance)
    {
        int[] visible = [.. Enumerable.Range(0, deviations.Length).Where(k => deviations[k] > 0)];
        if (visible.Length == 0)
            return ([], []);
        Evd<double> evd = Matrix<double>
            .Build.Dense(
                visible.Length,
                visible.Length,
                (k, l) => covariance(visible[k], visible[l]) / deviations[visible[k]] / deviations[visible[l]]
            )
            .Evd(Symmetricity.Symmetric);
        double[] Direction(int vector)
        {
            var theta = new double[deviations.Length];
            for (int k = 0; k < visible.Length; k++)
                theta[visible[k]] = evd.EigenVectors[k, vector] / deviations[visible[k]];
            return theta;
        }
        bool IsNull(int vector) => evd.EigenValues[vector].Real <= Rounding;
        int[] all = [.. Enumerable.Range(0, visible.Length)];
        return ([.. all.Where(IsNull).Select(Direction)], [.. all.Where(vector => !IsNull(vector)).Select(Direction)]);
    }

    static double[] Outer(double[] u, double[] v) => [.. u.SelectMany(x => v.Select(y => x * y))];

    static double[][] Orthonormal(double[][] rows)
    {
        if (rows.Length == 0)
            return [];
        // In units of their largest entry: terms of very different sizes make very different rows.
        double[][] scaled = Array.ConvertAll(rows, row => Array.ConvertAll(row, value => value / row.Max(Math.Abs)));
        Matrix<double> q = Matrix<double>.Build.DenseOfRowArrays(scaled).Transpose().QR(QRMethod.Thin).Q;
        return [.. Enumerable.Range(0, rows.Length).Select(k => q.Column(k).ToArray())];
    }
}
