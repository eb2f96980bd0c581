using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using Xunit;

namespace OT.Tests;

public sealed class TransportTests
{
    static readonly CostMatrix s_costs = new(5, 3, [.1, .2, .3, .2, .3, .4, .4, .3, .2, .3, .2, .1, .5, .5, .4]);
    static readonly LinearProblem s_golden = new(s_costs, Measure.Of([.3, .4, .1, .1, .1]), Measure.Of([.4, .5, .1]));

    [Fact]
    public void Golden_instance_exact_and_entropic()
    {
        TransportResult exact = Transport.Solve(s_golden);
        Assert.Equal(0.23, exact.Value, 1e-12);
        Assert.StartsWith("NetworkSimplex: ", exact.Why, StringComparison.Ordinal);
        TransportResult entropic = Transport.Solve(
            s_golden with
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)),
            },
            new SinkhornOptions { Tolerance = 1e-12 }
        );
        Assert.Equal(0.2506649150, entropic.Value, 1e-10);
        Assert.StartsWith("Sinkhorn: ", entropic.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Choice_by_problem()
    {
        Matrix line = new(3, 1, [0, 1, 2]);
        Matrix plane = new(3, 2, [0, 0, 1, 1, 2, 0]);
        var square = new CostMatrix(3, 3, [1, 2, 3, 4, 5, 6, 7, 8, 10]);
        Measure uniform = Measure.Uniform(3);
        Measure other = Measure.Of([0.5, 0.25, 0.25]);
        Assert.Equal(TransportMethod.Univariate, Choose(new PointCloud(line, line), uniform, other));
        Assert.Equal(TransportMethod.NetworkSimplex, Choose(new PointCloud(plane, plane), uniform, uniform));
        Assert.Equal(TransportMethod.Assignment, Choose(square, uniform, uniform));
        Assert.Equal(TransportMethod.NetworkSimplex, Choose(square, uniform, other));
        Assert.Equal(TransportMethod.NetworkSimplex, Choose(s_costs, s_golden.A, s_golden.B));
        Assert.Equal(TransportMethod.Sinkhorn, Transport.Choose(s_golden with { Regularizer = Regularizer.Entropy() }).Method);

        static TransportMethod Choose(Geometry geometry, Measure a, Measure b) =>
            Transport.Choose(new LinearProblem(geometry, a, b)).Method;
    }

    [Fact]
    public void A_concave_cost_on_the_line_is_not_sorted()
    {
        Matrix line = new(2, 1, [0, 1]);
        Matrix shifted = new(2, 1, [1, 2]);
        var problem = new LinearProblem(
            new PointCloud(line, shifted, GroundCost.Euclidean.ToPower(0.5)),
            Measure.Uniform(2),
            Measure.Uniform(2)
        );
        // Sorted: (1 + 1)/2; the optimum leaves the shared point where it is: sqrt(2)/2.
        Assert.Equal(Math.Sqrt(2) / 2, Transport.Solve(problem).Value, 1e-12);
    }

    [Fact]
    public void ByteCeilingHonoured()
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => Transport.Solve(s_golden, memoryLimit: 10));
        Assert.Contains("needs about", e.Message, StringComparison.Ordinal);
        Assert.Contains("10 bytes are allowed", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_of_another_solver_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Transport.Solve(s_golden, new SinkhornOptions()));
        Assert.Throws<ArgumentException>(() =>
            Transport.Solve(s_golden with { Regularizer = Regularizer.Entropy() }, new ExactOptions())
        );
    }

    [Fact]
    public void Penalties_without_entropy_are_refused_with_advice()
    {
        LinearProblem penalised = s_golden with { PenaltyA = MarginalPenalty.KullbackLeibler(1) };
        NotSupportedException e = Assert.Throws<NotSupportedException>(() => Transport.Solve(penalised));
        Assert.Contains("Regularizer.Entropy", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(2.0)]
    [InlineData(3.5)]
    public void Distance_of_a_translate_is_the_length_of_the_shift(double p)
    {
        Matrix x = new(4, 2, [0, 0, 1, 0, 0, 1, 5, 5]);
        Matrix y = new(4, 2, [3, 4, 4, 4, 3, 5, 8, 9]);
        Assert.Equal(5, Transport.Distance(x, y, p), 1e-12);
        // A root of rounding noise: 1e-15 of the cost becomes as much as its p-th root.
        Assert.Equal(0, Transport.Distance(x, x, p), Math.Pow(1e-15 * 50, 1 / p));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void SelfDistanceZero(int dimension)
    {
        var random = new SeededRandom(3);
        var values = new double[40 * dimension];
        foreach (ref double value in values.AsSpan())
            value = Math.Round(10 * random.NextDouble(), 1); // some coincide
        var x = new Matrix(40, dimension, values);
        foreach (double p in (double[])[1, 2, 3])
        {
            foreach (GroundCost? cost in (GroundCost?[])[null, GroundCost.CityBlock, GroundCost.Chebyshev])
                Assert.Equal(0, Transport.Distance(Measure.Uniform(x), Measure.Uniform(x), p, cost), 1e-15);
        }
    }

    [Fact]
    public void Distance_between_weighted_measures()
    {
        Matrix points = new(2, 1, [0, 4]);
        Assert.Equal(
            Math.Sqrt(0.25 * 16),
            Transport.Distance(Measure.Of([0.75, 0.25], points), Measure.Of([0.5, 0.5], points)),
            1e-14
        );
    }

    [Fact]
    public void Distance_refuses_what_has_none()
    {
        Matrix points = new(2, 1, [0, 4]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Transport.Distance(points, points, 0.5));
        Assert.Throws<ArgumentException>(() => Transport.Distance(Measure.Uniform(2), Measure.Uniform(points)));
        Assert.Throws<ArgumentException>(() => Transport.Distance(Measure.Of([1.0, 1.0], points), Measure.Uniform(points)));
        Assert.Throws<OperationCanceledException>(() =>
            Transport.Distance(points, points, cancellation: new CancellationToken(true))
        );
    }

    [Theory]
    [InlineData(300)]
    [InlineData(3000)]
    public void Distance_of_a_high_order_does_not_underflow(double p)
    {
        // Every point moves by 0.05 in a box a hundred times as wide; no other way is shorter.
        Matrix x = new(4, 2, [0, 0, 5, 0, 0, 5, 5, 5]);
        Matrix y = new(4, 2, [0.03, 0.04, 5.03, 0.04, 0.03, 5.04, 5.03, 5.04]);
        Assert.Equal(0.05, Transport.Distance(x, y, p), 1e-12);
        Matrix line = new(2, 1, [0, 1]);
        Assert.Equal(0.25, Transport.Distance(line, new(2, 1, [0.25, 1.25]), p), 1e-12);
        Matrix far = new(4, 2, [7e9, 0, 7e9, 0, 7e9, 0, 7e9, 0]);
        Assert.InRange(Transport.Distance(x, far, p), 7e9 * (1 - (5 / p)), 7e9);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Distance_of_tiny_and_huge_clouds(double p)
    {
        foreach (double unit in (double[])[1e-170, 1e-300, 1e150])
        {
            Matrix x = new(2, 2, [0, 0, unit, 0]);
            Matrix y = new(2, 2, [0, unit, unit, unit]);
            Assert.Equal(1, Transport.Distance(x, y, p) / unit, 1e-12);
        }
    }

    [Fact]
    public void Distance_for_another_cost()
    {
        Measure a = Measure.Uniform(new Matrix(1, 2, [1, 0]));
        Measure b = Measure.Uniform(new Matrix(1, 2, [1, 1e-5]));
        Assert.Equal(1e-5, Transport.Distance(a, b, 100, GroundCost.SphereGeodesic), 1e-14);
        Assert.Equal(1e-5, Transport.Distance(a, b, 1, GroundCost.CityBlock), 1e-19);
    }

    [Fact]
    public void The_limit_reaches_the_back_end()
    {
        // Large enough that a solve in doubles would begin in floats, whose copy of the matrix alone is beyond the limit.
        const int n = 600;
        var costs = new double[n * n];
        for (int k = 0; k < costs.Length; k++)
            costs[k] = (k * 0.618034) % 1;
        var problem = new LinearProblem(new CostMatrix(n, n, costs), Measure.Uniform(n), Measure.Uniform(n))
        {
            Regularizer = Regularizer.Entropy(),
        };
        long tight = (4L * n * n) - 1;
        Assert.True(Transport.Choose(problem, tight).EstimatedBytes <= tight);
        Assert.True(Transport.Choose(problem).EstimatedBytes > tight);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Transport.Solve(problem, new SinkhornOptions { MaxIterations = 20 }, memoryLimit: tight);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < tight);
    }
}
