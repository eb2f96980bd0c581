using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>The small engine answers what the large one answers, and its kernels are the naive sums.</summary>
public class SmallSinkhornTests
{
    static SmallKernels[] Kernels =>
        [
            SmallKernels.Best,
            new SmallKernels<SimdScalar<double>, double>(),
            new SmallKernels<Simd128<double>, System.Runtime.Intrinsics.Vector128<double>>(),
        ];

    [Fact]
    public void Both_engines_agree_on_every_kind_of_problem()
    {
        using var backend = new ManagedBackend(1);
        var options = new SinkhornOptions { Tolerance = 1e-11, MaxIterations = 20_000 };
        Law.Check(
            Cases.Any(16),
            c =>
            {
                foreach (LinearProblem problem in (LinearProblem[])[c.Entropic(), c.Unbalanced()])
                {
                    TransportResult small = new Sinkhorn(options).Solve(problem),
                        large = new Sinkhorn(options, backend).Solve(problem);
                    if (!small.Backend.Contains("small", StringComparison.Ordinal))
                        continue;
                    Assert.True(small.Converged);
                    if (!large.Converged)
                        continue;
                    // An L1 error of the tolerance moves a value by the tolerance times the potentials, a few cost scales.
                    double scale = Math.Max(Approx.CostScale(problem.Geometry), Math.Abs(large.Value));
                    Assert.Equal(large.Value, small.Value, 100 * options.Tolerance * scale);
                    Assert.Equal(large.TransportCost, small.TransportCost, 1e5 * options.Tolerance * scale);
                    Assert.InRange(Approx.PlanDistance(large.Plan, small.Plan), 0, 1e-6);
                }
            },
            150,
            5000
        );
    }

    /// <summary>Most small problems of ordinary ε are answered by the small engine, or it would be there for nothing.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(0.05)]
    [InlineData(0.005)]
    public void Ordinary_problems_are_not_declined(double share)
    {
        for (ulong seed = 1; seed <= 30; seed++)
        {
            var random = new SeededRandom(seed);
            int n = 1 + random.NextInt(64),
                m = 1 + random.NextInt(64);
            LinearProblem problem = EntropicCase.Of("doubles", n, m, share * 0.5, seed);
            TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-9 });
            Assert.Contains("small", result.Backend, StringComparison.Ordinal);
            Assert.InRange(result.MarginalError, 0, 1e-9);
            Certificate certificate = result.Certify();
            Assert.Equal(certificate.MarginalError, result.MarginalError, 1e-12);
            Assert.InRange(certificate.Gap!.Value, 0, 1e-7);
        }
    }

    /// <summary>Penalties of very different ρ at small ε: a marginal error within the tolerance would say little of the value.</summary>
    [Theory]
    [InlineData(1e-5, 1e3, 1e-9)]
    [InlineData(1e-3, 1e5, 1e-4)]
    [InlineData(double.PositiveInfinity, 1e6, 1e-3)]
    [InlineData(1e4, 1e4, 1e-2)]
    public void Distant_penalties_leave_no_gap(double rhoA, double rhoB, double epsilon)
    {
        for (ulong seed = 1; seed <= 20; seed++)
        {
            var random = new SeededRandom(seed);
            double[] costs = [.. Enumerable.Range(0, 40 * 34).Select(_ => (double)random.NextInt(3))];
            LinearProblem problem = new LinearProblem(new CostMatrix(40, 34, costs), Measure.Uniform(40), Measure.Uniform(34))
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
            }.Penalised(rhoA, rhoB);
            TransportResult result = problem.Solve(new SinkhornOptions { Tolerance = 1e-9 });
            if (result.Backend.Contains("small", StringComparison.Ordinal))
                Assert.InRange(result.Certify().Gap!.Value, 0, 1e-6);
        }
    }

    [Fact]
    public void A_back_end_that_is_asked_for_is_used()
    {
        using var backend = new ManagedBackend(1);
        LinearProblem problem = EntropicCase.Of("doubles", 5, 6);
        Assert.DoesNotContain("small", new Sinkhorn(null, backend).Solve(problem).Backend, StringComparison.Ordinal);
        Assert.Contains("small", new Sinkhorn().Solve(problem).Backend, StringComparison.Ordinal);
    }

    [Fact]
    public void Laplacian_systems_are_solved()
    {
        foreach (SmallKernels kernels in Kernels)
        {
            for (int m = 1; m <= 64; m++)
            {
                int stride = SmallKernels.Stride(m);
                var random = new SeededRandom((ulong)m);
                double[] w = new double[stride * stride],
                    loss = new double[stride],
                    right = new double[stride],
                    x = new double[stride];
                for (int k = 0; k < m; k++)
                {
                    (loss[k], right[k]) = (0.1 + random.NextDouble(), random.NextNormal());
                    for (int j = 0; j < k; j++)
                        w[(k * stride) + j] = random.NextDouble();
                }
                double Coupling(int j, int k) => j == k ? 0 : w[(Math.Max(j, k) * stride) + Math.Min(j, k)];
                double[] couplings = [.. w],
                    wanted = [.. right],
                    given = [.. loss];
                kernels.SolveLaplacian(m, couplings, loss, right, x);
                for (int k = 0; k < m; k++)
                {
                    double sum = given[k] * x[k];
                    for (int j = 0; j < m; j++)
                        sum += Coupling(j, k) * (x[k] - x[j]);
                    // Sums of m couplings up to 1 times differences of a solution up to about ten.
                    Assert.Equal(wanted[k], sum, 1e-13 * m);
                }
            }
        }
    }

    [Fact]
    public void Sums_are_the_naive_ones_at_every_length()
    {
        foreach (SmallKernels kernels in Kernels)
        {
            for (int n = 1; n <= 9; n++)
            {
                for (int m = 1; m <= 20; m++)
                    SumsAreNaive(kernels, n, m);
            }
        }
    }

    static void SumsAreNaive(SmallKernels kernels, int n, int m)
    {
        int stride = SmallKernels.Stride(m);
        var random = new SeededRandom((ulong)((100 * n) + m));
        double[] exponents = new double[n * stride],
            bias = new double[stride],
            q = new double[n * stride],
            softMin = new double[n],
            s = new double[n],
            c = new double[stride],
            w = new double[n],
            couplings = new double[stride * stride];
        exponents.AsSpan().Fill(SmallKernels.Forbidden);
        for (int i = 0; i < n; i++)
        {
            w[i] = random.NextDouble();
            for (int j = 0; j < m; j++)
                exponents[(i * stride) + j] = 20 * random.NextNormal();
        }
        for (int j = 0; j < m; j++)
            bias[j] = random.NextNormal();
        Assert.True(kernels.Normalise(n, exponents, bias, q, softMin));
        for (int i = 0; i < n; i++)
        {
            double[] row = [.. Enumerable.Range(0, m).Select(j => Math.Pow(2, exponents[(i * stride) + j] + bias[j]))];
            Assert.Equal(-Math.Log2(row.Sum()), softMin[i], 1e-13 * 100);
            for (int j = 0; j < stride; j++)
                Assert.Equal(j < m ? row[j] / row.Sum() : 0, q[(i * stride) + j], 1e-13);
        }
        kernels.ColumnSums(n, q, w, c);
        double[] ones = [.. Enumerable.Repeat(1.0, stride)];
        kernels.RowSums(n, q, ones, s);
        kernels.Couplings(n, m, q, w, couplings);
        double Q(int i, int j) => q[(i * stride) + j];
        for (int j = 0; j < m; j++)
        {
            Assert.Equal(Enumerable.Range(0, n).Sum(i => w[i] * Q(i, j)), c[j], 1e-14 * n);
            for (int k = 0; k <= j; k++)
                Assert.Equal(Enumerable.Range(0, n).Sum(i => w[i] * Q(i, j) * Q(i, k)), couplings[(j * stride) + k], 1e-14 * n);
        }
        Assert.All(s, sum => Assert.Equal(1, sum, 1e-14 * m));
    }
}
