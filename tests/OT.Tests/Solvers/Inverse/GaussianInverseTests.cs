using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Inverse;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Inverse;

/// <summary>Closed forms between Gaussians, and what they say of samples and of certificates.</summary>
public class GaussianInverseTests
{
    /// <summary>A covariance with eigenvalues between 0.5 and a few.</summary>
    static Matrix Covariance(int d, ulong seed)
    {
        Matrix g = InverseCase.Normal(d, 2 * d, seed);
        Matrix product = Products.TimesTransposed(g, g);
        return Map(d, d, (i, j) => (product[i, j] / (2 * d)) + (i == j ? 0.5 : 0));
    }

    static Matrix Map(int rows, int columns, Func<int, int, double> value)
    {
        var values = new double[rows * columns];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
                values[(i * columns) + j] = value(i, j);
        }
        return new Matrix(rows, columns, values);
    }

    /// <summary>−(Laplacian of a circle + shift I).</summary>
    static Matrix Circle(int d, double shift) =>
        Map(
            d,
            d,
            (i, j) =>
                i == j ? -(2 + shift)
                : (i - j + d) % d is 1 || (j - i + d) % d == 1 ? 1
                : 0
        );

    /// <summary>A = −0.8, ε = 0.5, variances 1 and 1.5: 0.951484 by Sinkhorn on a fine grid and by hand.</summary>
    [Fact]
    public void One_dimension_is_known()
    {
        (Matrix cross, _) = GaussianInverse.Forward(One(1), One(1.5), One(-0.8), 0.5);
        Assert.Equal(0.951484, cross[0, 0], 1e-6);
        // By quadrature: plain iterations between two grids of seven deviations.
        const int n = 161;
        double[] x = [.. Enumerable.Range(0, n).Select(i => (i - 80) * 7 / 80.0)],
            y = [.. x.Select(v => v * Math.Sqrt(1.5))];
        double[] weights = [.. x.Select(v => Math.Exp(-v * v / 2))];
        double[] a = [.. weights.Select(w => w / weights.Sum())];
        var cost = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                cost[i, j] = -0.8 * x[i] * y[j];
        }
        (double[,] plan, double value) = InverseOracles.Entropic(cost, a, a, 0.5, 1e-12);
        double covariance = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
                covariance += plan[i, j] * x[i] * y[j];
        }
        Assert.Equal(covariance, cross[0, 0], 1e-9);
        Assert.Equal(value, GaussianInverse.Forward(One(1), One(1.5), One(-0.8), 0.5).Value, 1e-9);
    }

    static Matrix One(double value) => new(1, 1, [value]);

    [Theory]
    [InlineData(3, 3, 0.7)]
    [InlineData(2, 4, 1.3)]
    [InlineData(4, 2, 0.2)]
    [InlineData(1, 3, 5)]
    public void Fit_inverts_forward_and_is_a_block_of_the_precision(int d, int e, double epsilon)
    {
        Matrix sa = Covariance(d, 1),
            sb = Covariance(e, 2),
            a = InverseCase.Normal(d, e, 3);
        (Matrix cross, _) = GaussianInverse.Forward(sa, sb, a, epsilon);
        Approx.Equal(a.Values, GaussianInverse.Fit(sa, sb, cross, epsilon).Values, 1e-10, "A");
        var joint = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(
            d + e,
            d + e,
            (i, j) =>
                i < d && j < d ? sa[i, j]
                : i >= d && j >= d ? sb[i - d, j - d]
                : i < d ? cross[i, j - d]
                : cross[j, i - d]
        );
        var precision = joint.Inverse();
        Approx.Equal(a.Values, Map(d, e, (i, j) => epsilon * precision[i, d + j]).Values, 1e-10, "precision");
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(2, 3)]
    [InlineData(3, 2)]
    public void Value_cross_covariance_and_Hessian_are_derivatives_of_each_other(int d, int e)
    {
        const double epsilon = 0.6,
            h = 1e-5;
        Matrix sa = Covariance(d, 4),
            sb = Covariance(e, 5),
            a = InverseCase.Normal(d, e, 6);
        (Matrix cross, _) = GaussianInverse.Forward(sa, sb, a, epsilon);
        Matrix hessian = GaussianInverse.Hessian(sa, sb, a, epsilon);
        for (int k = 0; k < d * e; k++)
        {
            (Matrix above, double more) = GaussianInverse.Forward(sa, sb, Moved(a, k, h), epsilon);
            (Matrix below, double less) = GaussianInverse.Forward(sa, sb, Moved(a, k, -h), epsilon);
            Approx.Equal((more - less) / (2 * h), cross.Values[k], 1e-9, $"dOT/dA[{k}]");
            for (int l = 0; l < d * e; l++)
                Approx.Equal((below.Values[l] - above.Values[l]) / (2 * h), hessian[k, l], 1e-8, $"H[{k}, {l}]");
        }

        static Matrix Moved(Matrix a, int at, double by)
        {
            double[] values = a.Values.ToArray();
            values[at] += by;
            return new Matrix(a.Rows, a.Columns, values);
        }
    }

    /// <summary>At 0, and where singular values are equal, differences of ψ are derivatives.</summary>
    [Fact]
    public void A_cost_of_zero_or_of_low_rank_has_a_Hessian()
    {
        const double epsilon = 0.8;
        Matrix sa = Covariance(2, 7),
            sb = Covariance(2, 8);
        Matrix hessian = GaussianInverse.Hessian(sa, sb, new Matrix(2, 2), epsilon);
        Matrix expected = Map(4, 4, (k, l) => sa[k / 2, l / 2] * sb[k % 2, l % 2] / epsilon);
        Approx.Equal(expected.Values, hessian.Values, 1e-12, "H at 0");
        Assert.True(double.IsFinite(GaussianInverse.Hessian(sa, sb, new Matrix(2, 2, [1, 1, 1, 1]), epsilon)[0, 3]));
    }

    /// <summary>max |z| off the support for a circular graph, in 12 and 40 dimensions, beside figures computed elsewhere.</summary>
    [Theory]
    [InlineData(0.5, 1.255, 0.963, 0.002)]
    [InlineData(2, 0.607, 0.553, 0.003)]
    [InlineData(5, 0.313, 0.300, 0.004)]
    public void Certificates_of_circular_graphs_are_known(double shift, double small, double middle, double large)
    {
        foreach (int d in (int[])[12, 40])
        {
            Matrix a = Circle(d, shift);
            double[] z =
            [
                .. ((double[])[0.01, 1, 100]).Select(epsilon =>
                    1 - GaussianInverse.PreCertificate(InverseCase.Identity(d), InverseCase.Identity(d), a, epsilon).Margin
                ),
            ];
            Assert.Equal(small, z[0], small > 1 ? 0.01 : 0.001);
            Assert.Equal(middle, z[1], 0.001);
            Assert.Equal(large, z[2], 0.0006);
        }
    }

    /// <summary>ε → ∞: H → Σ_b ⊗ Σ_a / ε, the Lasso's Gram matrix.</summary>
    [Fact]
    public void At_a_large_epsilon_the_certificate_is_the_Lassos()
    {
        Matrix sa = Covariance(4, 9),
            sb = Covariance(3, 10);
        var a = new Matrix(4, 3, [1, 0, 0, 0, -1, 0, 0, 0.5, 0, 0, 0, 0]);
        Irrepresentability own = GaussianInverse.PreCertificate(sa, sb, a, 1e3);
        double[] z = Lasso((k, l) => sa[k / 3, l / 3] * sb[k % 3, l % 3], a.Values.ToArray());
        Approx.Equal(z, own.PreCertificate.AsSpan(), 1e-2, "z");
        Assert.Equal(1 - Enumerable.Range(0, 12).Where(k => a.Values[k] == 0).Max(k => Math.Abs(z[k])), own.Margin, 1e-2);
    }

    /// <summary>ε → 0, whitened, symmetric: H ~ (ε/2) A⁻¹ ⊗ A⁻¹ on symmetric directions, the graphical Lasso's.</summary>
    [Fact]
    public void At_a_small_epsilon_the_certificate_is_the_graphical_Lassos()
    {
        const int d = 6;
        Matrix a = Circle(d, 1);
        var inverse = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(d, d, (i, j) => a[i, j]).Inverse();
        Irrepresentability own = GaussianInverse.PreCertificate(
            InverseCase.Identity(d),
            InverseCase.Identity(d),
            a,
            1e-3,
            constraint: ParameterConstraint.Symmetric
        );
        double[] z = Lasso(
            (k, l) => (inverse[k / d, l / d] * inverse[k % d, l % d]) + (inverse[k / d, l % d] * inverse[k % d, l / d]),
            a.Values.ToArray(),
            ridge: true
        );
        Approx.Equal(z, own.PreCertificate.AsSpan(), 1e-2, "z");
    }

    /// <summary><c>H_{·,I} H_II⁺ sign</c>; the pseudo-inverse where each parameter is there twice.</summary>
    static double[] Lasso(Func<int, int, double> h, double[] a, bool ridge = false)
    {
        int[] support = [.. Enumerable.Range(0, a.Length).Where(k => a[k] != 0)];
        var block = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(
            support.Length,
            support.Length,
            (i, j) => h(support[i], support[j])
        );
        var right = MathNet.Numerics.LinearAlgebra.Vector<double>.Build.Dense([.. support.Select(k => (double)Math.Sign(a[k]))]);
        var v = ridge ? block.PseudoInverse() * right : block.Solve(right);
        return [.. Enumerable.Range(0, a.Length).Select(k => support.Select((l, at) => h(k, l) * v[at]).Sum())];
    }

    /// <summary>The estimate at a large ε, in units of it, is the Lasso's of the regression of the observed cross-covariance.</summary>
    [Fact]
    public void At_a_large_epsilon_the_estimate_is_the_Lassos()
    {
        const double epsilon = 1e3,
            lambda = 0.1;
        Matrix sa = Covariance(3, 11),
            sb = Covariance(3, 12),
            cross = Map(3, 3, (i, j) => i == j ? -0.4 : 0.1 * (i - j));
        // With B = A/ε: min ½ ⟨B, S_a B S_b⟩ + ⟨Σ, B⟩ + λ|B|, by coordinate descent.
        var b = new double[9];
        for (int sweep = 0; sweep < 2000; sweep++)
        {
            for (int k = 0; k < 9; k++)
            {
                double slope = cross.Values[k];
                for (int l = 0; l < 9; l++)
                    slope += l == k ? 0 : sa[k / 3, l / 3] * sb[k % 3, l % 3] * b[l];
                b[k] = -Math.Sign(slope) * Math.Max(0, Math.Abs(slope) - lambda) / (sa[k / 3, k / 3] * sb[k % 3, k % 3]);
            }
        }
        // ψ(s) = s/ε − (s/ε)³…: the Lasso is the limit of a small coupling, so the data are scaled down too.
        const double small = 1e-2;
        GaussianInverseResult own = GaussianInverse.Fit(
            sa,
            sb,
            Map(3, 3, (i, j) => small * cross[i, j]),
            epsilon,
            small * lambda,
            options: InverseCase.Tight
        );
        Assert.True(own.Converged);
        Approx.Equal(b, [.. own.Parameter.Values.ToArray().Select(v => v / epsilon / small)], 1e-2, "A/ε");
        Assert.Contains(0.0, b);
        Assert.Contains(b, value => value != 0);
    }

    /// <summary>The estimate at a small ε, whitened and symmetric, is the graphical Lasso's: <c>min ⟨Θ, S⟩ − log det Θ + μ|Θ|₁</c> with Θ = −A, S = 2(I − Σ)/ε, μ = 2λ/ε.</summary>
    [Fact]
    public void At_a_small_epsilon_the_estimate_is_the_graphical_Lassos()
    {
        const double epsilon = 1e-3,
            penalty = 0.15;
        const int d = 4;
        Matrix sample = Covariance(d, 13),
            scatter = Map(d, d, (i, j) => sample[i, j] / 3);
        Matrix cross = Map(d, d, (i, j) => (i == j ? 1 : 0) - (epsilon * scatter[i, j] / 2));
        GaussianInverseResult own = GaussianInverse.Fit(
            InverseCase.Identity(d),
            InverseCase.Identity(d),
            cross,
            epsilon,
            penalty * epsilon / 2,
            constraint: ParameterConstraint.Symmetric,
            options: new InverseTransportOptions { Tolerance = 1e-10 }
        );
        Assert.True(own.Converged, $"{own.Status} {own.KktResidual}");
        double[] theta = GraphicalLasso(scatter, penalty);
        Approx.Equal(theta, [.. own.Parameter.Values.ToArray().Select(v => -v)], 1e-2, "−A");
        Assert.Contains(0.0, theta);
    }

    /// <summary>Proximal gradient with backtracking on the log determinant.</summary>
    static double[] GraphicalLasso(Matrix s, double penalty)
    {
        int d = s.Rows;
        var theta = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseIdentity(d);
        var scatter = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(d, d, (i, j) => s[i, j]);
        double step = 1;
        double Smooth(MathNet.Numerics.LinearAlgebra.Matrix<double> x)
        {
            var values = x.Evd(MathNet.Numerics.LinearAlgebra.Symmetricity.Symmetric).EigenValues;
            return values.Any(v => v.Real <= 0)
                ? double.PositiveInfinity
                : (scatter * x).Trace() - values.Sum(v => Math.Log(v.Real));
        }
        for (int t = 0; t < 3000; t++)
        {
            var gradient = scatter - theta.Inverse();
            for (step = Math.Min(1, 2 * step); ; step /= 2)
            {
                var next = (theta - (step * gradient)).Map(v => Math.Sign(v) * Math.Max(0, Math.Abs(v) - (step * penalty)));
                var move = next - theta;
                double bound =
                    Smooth(theta)
                    + gradient.PointwiseMultiply(move).Enumerate().Sum()
                    + (Math.Pow(move.FrobeniusNorm(), 2) / (2 * step));
                if (Smooth(next) > bound + 1e-14)
                    continue;
                theta = next;
                break;
            }
        }
        return theta.ToRowMajorArray();
    }

    [Fact]
    public void Penalised_estimates_meet_their_conditions()
    {
        Matrix sa = Covariance(3, 14),
            sb = Covariance(4, 15),
            truth = InverseCase.Normal(3, 4, 16);
        (Matrix cross, _) = GaussianInverse.Forward(sa, sb, truth, 1);
        foreach (InverseAlgorithm algorithm in Enum.GetValues<InverseAlgorithm>())
        {
            GaussianInverseResult result = GaussianInverse.Fit(
                sa,
                sb,
                cross,
                1,
                0.1,
                options: new InverseTransportOptions
                {
                    Algorithm = algorithm,
                    Tolerance = 1e-9,
                    MaxIterations = 20_000,
                }
            );
            Assert.True(result.Converged, $"{algorithm} {result.Status}");
            Matrix own = GaussianInverse.Forward(sa, sb, result.Parameter, 1).Cross;
            for (int k = 0; k < 12; k++)
            {
                double gradient = cross.Values[k] - own.Values[k],
                    a = result.Parameter.Values[k];
                Assert.InRange(a != 0 ? Math.Abs(gradient + (0.1 * Math.Sign(a))) : Math.Abs(gradient) - 0.1, -1, 1e-8);
            }
            Assert.True(result.Loss >= 0);
        }
        GaussianInverseResult free = GaussianInverse.Fit(sa, sb, cross, 1, 0, options: InverseCase.Tight);
        Approx.Equal(truth.Values, free.Parameter.Values, 1e-7, "lambda 0");
        Assert.Equal(0, free.Loss, 1e-12);
        Assert.Equal(0, GaussianInverse.Fit(sa, sb, cross, 1, free.LambdaMax * 1.001).Parameter.Values.ToArray().Max(Math.Abs));
    }

    /// <summary>Estimates from N pairs miss the truth by about 1/√N.</summary>
    [Fact]
    public void Sampled_estimates_approach_the_truth_like_the_root_of_their_number()
    {
        var truth = new Matrix(2, 2, [-0.8, 0.3, 0, -0.5]);
        double[] errors =
        [
            .. ((int[])[64, 576]).Select(n =>
            {
                double squares = 0;
                for (ulong seed = 0; seed < 6; seed++)
                {
                    (Matrix x, Matrix y) = InverseCase.Pairs(n, truth, 1, 100 + seed);
                    InverseTransportResult result = new InverseTransport().Solve(InverseProblem.FromPairs(x, y));
                    Assert.True(result.Converged);
                    squares += result.Theta.Zip(truth.Values.ToArray(), (a, b) => (a - b) * (a - b)).Sum();
                }
                return Math.Sqrt(squares / 6);
            }),
        ];
        double slope = Math.Log(errors[1] / errors[0]) / Math.Log(9);
        // −1/2, with the noise of six draws of four numbers.
        Assert.InRange(slope, -0.8, -0.3);
    }

    /// <summary>x → Ox, y → O'y turns A into O A O'ᵀ.</summary>
    [Fact]
    public void Rotations_of_the_points_rotate_the_parameter()
    {
        (Matrix x, Matrix y) = InverseCase.Pairs(60, new Matrix(2, 2, [-0.8, 0.3, 0, -0.5]), 1, 3);
        (double c, double s, double c2, double s2) = (Math.Cos(0.7), Math.Sin(0.7), Math.Cos(-1.9), Math.Sin(-1.9));
        Matrix o = new(2, 2, [c, -s, s, c]),
            o2 = new(2, 2, [c2, -s2, s2, c2]);
        var solver = new InverseTransport(InverseCase.Tight);
        Matrix a = solver.Solve(InverseProblem.FromPairs(x, y)).Parameter!,
            turned =
                solver
                    .Solve(InverseProblem.FromPairs(Products.TimesTransposed(x, o), Products.TimesTransposed(y, o2)))
                    .Parameter!;
        Approx.Equal(Products.TimesTransposed(Products.Times(o, a), o2).Values, turned.Values, 1e-7, "O A O'ᵀ");
    }

    [Fact]
    public void Certificates_of_samples_approach_the_closed_form()
    {
        var truth = new Matrix(2, 2, [-0.8, 0, 0, -0.5]);
        (Matrix x, Matrix y) = InverseCase.Pairs(1500, truth, 1, 5);
        Irrepresentability sampled = new InverseTransport().PreCertificate(InverseProblem.FromPairs(x, y), truth.Values),
            exact = GaussianInverse.PreCertificate(InverseCase.Identity(2), InverseCase.Identity(2), truth, 1);
        // Of the order 1/√N.
        Approx.Equal(exact.PreCertificate.AsSpan(), sampled.PreCertificate.AsSpan(), 4 / Math.Sqrt(1500), "z");
        Assert.Equal(exact.Condition, sampled.Condition, 0.3);
        Assert.Equal([0, 3], sampled.Support.ToArray());
        Assert.True(sampled.IsRecoverable);
    }

    [Fact]
    public void Bad_covariances_are_refused()
    {
        Matrix one = InverseCase.Identity(2);
        Assert.Throws<ArgumentException>(() => GaussianInverse.Fit(new Matrix(2, 2, [1, 0.5, 0, 1]), one, one, 1));
        Assert.Throws<ArgumentException>(() => GaussianInverse.Fit(new Matrix(2, 2, [1, 2, 2, 1]), one, new Matrix(2, 2), 1));
        Assert.Throws<ArgumentException>(() => GaussianInverse.Fit(one, one, new Matrix(2, 2, [1.1, 0, 0, 0]), 1));
        Assert.Throws<ArgumentException>(() => GaussianInverse.Fit(one, one, new Matrix(2, 3), 1));
        Assert.Throws<ArgumentException>(() => GaussianInverse.Forward(one, one, new Matrix(2, 2, [double.NaN, 0, 0, 0]), 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianInverse.Forward(one, one, one, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => GaussianInverse.Fit(one, one, new Matrix(2, 2), 1, -1));
        Assert.Throws<ArgumentException>(() => GaussianInverse.Forward(new Matrix(2, 3), one, one, 1));
    }
}
