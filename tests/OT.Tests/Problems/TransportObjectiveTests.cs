using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Testing;
using Xunit;

namespace OT.Tests.Problems;

public class TransportObjectiveTests
{
    const int N = 4;
    const int M = 3;
    static readonly CostMatrix s_costs = new(N, M, [1, 2, 3, 3, 1, 2, -1, 0, 4, 2, 2, 0.5]);
    static readonly Measure s_a = Measure.Of([.1, .2, .3, .4]);
    static readonly Measure s_b = Measure.Of([.5, .3, .2]);

    static Matrix Symmetric(int size, ulong seed)
    {
        var random = new SeededRandom(seed);
        var values = new double[size, size];
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j <= i; j++)
                values[i, j] = values[j, i] = random.NextNormal();
        }
        return Matrix.From(values);
    }

    public static TheoryData<string> Names => ["linear", "quadratic", "entropic", "inner", "group", "sum", "sampled"];

    static TransportObjective Of(string name) =>
        name switch
        {
            "linear" => TransportObjective.Linear(s_costs),
            "quadratic" => TransportObjective.Quadratic(s_costs, 3),
            "entropic" => TransportObjective.Entropic(s_costs, s_a, s_b, Epsilon.Absolute(0.7)),
            "inner" => TransportObjective.NegativeInner(Symmetric(N, 1), Symmetric(M, 2)),
            "group" => TransportObjective.GroupLasso([7, 0, 7, 2], M, 1.5),
            "sum" => TransportObjective.Sum((2, Of("quadratic")), (0.5, Of("group")), (0, Of("inner"))),
            _ => TransportObjective.Sampled(
                Of("entropic"),
                (_, _, _) => throw new InvalidOperationException("not drawn from here")
            ),
        };

    [Theory]
    [MemberData(nameof(Names))]
    public void GradientVsFiniteDifference(string name)
    {
        TransportObjective objective = Of(name);
        var random = new SeededRandom(3);
        double[] plan = [.. Enumerable.Range(0, N * M).Select(_ => 0.05 + (0.1 * random.NextDouble()))];
        var gradient = new double[plan.Length];
        objective.Gradient(plan, gradient);
        for (int k = 0; k < plan.Length; k++)
        {
            const double h = 1e-5;
            double[] up = [.. plan],
                down = [.. plan];
            (up[k], down[k]) = (plan[k] + h, plan[k] - h);
            double slope = (objective.Value(up) - objective.Value(down)) / (2 * h);
            // Third derivatives are below 1e3 here: h² of that, and rounding over h.
            Assert.Equal(slope, gradient[k], 1e-6);
        }
    }

    [Fact]
    public void Values_are_their_formulas()
    {
        double[] plan = [.. Enumerable.Range(0, N * M).Select(k => (k + 1) / 78.0)];
        double linear = plan.Select((p, k) => p * s_costs.Cost(k / M, k % M)).Sum(),
            squares = plan.Sum(p => p * p);
        Assert.Equal(linear, Of("linear").Value(plan), 1e-14);
        Assert.Equal(linear + (1.5 * squares), Of("quadratic").Value(plan), 1e-14);
        double kl = Oracles.RelativeEntropy(new OT.Results.DensePlan(new Matrix(N, M, plan)), s_a.Weights, s_b.Weights);
        Assert.Equal(linear + (0.7 * kl), Of("entropic").Value(plan), 1e-13);
        double group = 0;
        foreach (
            int[] rows in (int[][])
                [
                    [0, 2],
                    [1],
                    [3],
                ]
        )
        {
            for (int j = 0; j < M; j++)
                group += Math.Sqrt(rows.Sum(i => plan[(i * M) + j] * plan[(i * M) + j]));
        }
        Assert.Equal(1.5 * group, Of("group").Value(plan), 1e-14);
        (Matrix kx, Matrix ky) = (Symmetric(N, 1), Symmetric(M, 2));
        double inner = 0;
        for (int i = 0; i < N; i++)
        {
            for (int j = 0; j < M; j++)
            {
                for (int k = 0; k < N; k++)
                {
                    for (int l = 0; l < M; l++)
                        inner += kx[i, k] * plan[(k * M) + l] * ky[l, j] * plan[(i * M) + j];
                }
            }
        }
        Assert.Equal(-inner, Of("inner").Value(plan), 1e-13);
    }

    /// <summary>Convexity on differences of plans, by the second difference along random ones.</summary>
    [Fact]
    public void Inner_products_say_whether_they_are_convex()
    {
        Matrix positive = Matrix.From(
                new double[,]
                {
                    { 2, 1, 0 },
                    { 1, 2, 1 },
                    { 0, 1, 2 },
                }
            ),
            negative = Matrix.From(
                new double[,]
                {
                    { -2, -1, 0 },
                    { -1, -2, -1 },
                    { 0, -1, -2 },
                }
            ),
            // Distances on a line: positive entries, negative semidefinite once centred.
            distances = Matrix.From(
                new double[,]
                {
                    { 0, 1, 4 },
                    { 1, 0, 3 },
                    { 4, 3, 0 },
                }
            ),
            indefinite = Matrix.From(
                new double[,]
                {
                    { 1, 0, 0 },
                    { 0, -1, 0 },
                    { 0, 0, 0 },
                }
            );
        Assert.False(TransportObjective.NegativeInner(positive, positive).IsConvex);
        Assert.False(TransportObjective.NegativeInner(distances, distances).IsConvex);
        Assert.False(TransportObjective.NegativeInner(indefinite, positive).IsConvex);
        Assert.True(TransportObjective.NegativeInner(positive, negative).IsConvex);
        Assert.True(TransportObjective.NegativeInner(positive, distances).IsConvex);
        Assert.True(TransportObjective.NegativeInner(distances, positive).IsConvex);
        Assert.True(TransportObjective.NegativeInner(new Matrix(3, 3), positive).IsConvex);
        TransportObjective convex = TransportObjective.NegativeInner(positive, distances);
        var random = new SeededRandom(4);
        for (int trial = 0; trial < 50; trial++)
        {
            var difference = new double[9];
            // u vᵀ with sums 0, twice
            for (int part = 0; part < 2; part++)
            {
                double[] u = [.. Enumerable.Range(0, 3).Select(_ => random.NextNormal())],
                    v = [.. Enumerable.Range(0, 3).Select(_ => random.NextNormal())];
                (double meanU, double meanV) = (u.Average(), v.Average());
                for (int k = 0; k < 9; k++)
                    difference[k] += (u[k / 3] - meanU) * (v[k % 3] - meanV);
            }
            Assert.True(convex.Value(difference) >= -1e-13);
        }
    }

    [Fact]
    public void Sums_and_samples_inherit_what_they_are_made_of()
    {
        Assert.True(Of("sum").IsConvex); // the term that is not convex has weight 0
        Assert.False(TransportObjective.Sum((1, Of("inner")), (1, Of("linear"))).IsConvex);
        Assert.True(Of("sampled").IsConvex && Of("sampled").IsKnown);
        TransportObjective unknown = TransportObjective.Sampled(N, M, (_, gradient, _) => gradient.Clear());
        Assert.False(unknown.IsConvex || unknown.IsKnown);
        Assert.Equal(1 / 0.7, Of("entropic").LargestStep, 1e-15);
        Assert.Equal(1 / 2.1, TransportObjective.Sum((3, Of("entropic")), (1, Of("linear"))).LargestStep, 1e-15);
        Assert.Equal(double.PositiveInfinity, Of("quadratic").LargestStep);
        var barred = new CostMatrix(1, 2, [1, double.PositiveInfinity]);
        TransportObjective sum = TransportObjective.Sum(
            (1, TransportObjective.Linear(barred)),
            (1, TransportObjective.GroupLasso([0], 2, 1))
        );
        Assert.True(sum.HasForbiddenPairs && sum.IsForbidden(0, 1) && !sum.IsForbidden(0, 0));
        Assert.Equal(3, sum.Value([1.0, 1.0]), 1e-15); // a forbidden pair's cost counts nowhere
    }

    [Fact]
    public void Costs_in_floats_and_points_are_tabulated()
    {
        var floats = new CostMatrix(1, 2, new[] { 0.5f, 0.25f });
        Assert.Equal(0.75, TransportObjective.Linear(floats).Value([1.0, 1.0]), 1e-15);
        var cloud = new PointCloud(new Matrix(1, 1, [0.0]), new Matrix(2, 1, [1.0, 2]));
        Assert.Equal(5, TransportObjective.Linear(cloud).Value([1.0, 1.0]), 1e-15);
    }

    [Fact]
    public void Bad_arguments_throw()
    {
        Assert.Throws<ArgumentNullException>(() => TransportObjective.Linear(null!));
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.Quadratic(s_costs, 0));
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.Quadratic(s_costs, double.NaN));
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.Entropic(s_costs, s_b, s_a));
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.GroupLasso([0, -1], 2, 1));
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.GroupLasso([], 2, 1));
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.Sum());
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.Sum((-1, Of("linear"))));
        Assert.ThrowsAny<ArgumentException>(() =>
            TransportObjective.Sum((1, Of("linear")), (1, TransportObjective.GroupLasso([0], 2, 1)))
        );
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.NegativeInner(new Matrix(2, 3), new Matrix(3, 3)));
        Assert.Contains(
            "symmetric",
            Assert
                .ThrowsAny<ArgumentException>(() =>
                    TransportObjective.NegativeInner(new Matrix(2, 2, [0, 1, 2, 0]), new Matrix(2, 2))
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.ThrowsAny<ArgumentException>(() =>
            TransportObjective.NegativeInner(new Matrix(1, 1, [double.NaN]), new Matrix(2, 2))
        );
        Assert.Throws<ArgumentNullException>(() => TransportObjective.Sampled(null!, (_, _, _) => { }));
        Assert.Throws<ArgumentNullException>(() => TransportObjective.Sampled(2, 2, null!));
        Assert.ThrowsAny<ArgumentException>(() => TransportObjective.Sampled(0, 2, (_, _, _) => { }));
    }
}
