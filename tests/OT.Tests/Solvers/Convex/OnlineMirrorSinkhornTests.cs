using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Convex;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Convex;

public class OnlineMirrorSinkhornTests
{
    [Fact]
    public void Fed_with_gradients_of_an_objective_it_is_the_solver() =>
        Law.Check(
            Cases.AllPairsAllowed(8),
            drawn =>
            {
                ConvexProblem problem = ConvexCase.Linear(drawn);
                var online = new OnlineMirrorSinkhorn(problem.A, problem.B);
                var gradient = new double[drawn.Rows * drawn.Columns];
                for (int t = 0; t < 30; t++)
                {
                    problem.Objective.Gradient(online.Current, gradient);
                    online.Step(gradient);
                }
                MirrorSinkhornResult solved = problem.Solve(ConvexCase.Plain with { MaxIterations = 30 });
                Approx.True(online.Iterations == 30, "iterations");
                Approx.Equal(solved.LastIterate.ToDense().Values, online.Current, 0, "last iterate");
                Approx.Equal(solved.AveragePlan.ToDense().Values, online.CurrentAverage().ToDense().Values, 0, "average");
            },
            quickCount: 30
        );

    [Fact]
    public void It_starts_at_the_product_and_an_average_is_a_copy()
    {
        var online = new OnlineMirrorSinkhorn(Measure.Of([2.0, 2]), Measure.Of([1.0, 3]));
        Assert.Equal((2, 2, 0), (online.Rows, online.Columns, online.Iterations));
        Approx.Equal([0.5, 1.5, 0.5, 1.5], online.Current, 1e-15, "P_1");
        DensePlan before = online.CurrentAverage();
        online.Step([0, 1, 1, 0]);
        Approx.Equal([0.5, 1.5, 0.5, 1.5], before.ToDense().Values, 1e-15, "the first average");
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_bad_gradient_is_refused_and_changes_nothing(double bad)
    {
        var online = new OnlineMirrorSinkhorn(Measure.Uniform(2), Measure.Uniform(2));
        double[] before = [.. online.Current];
        ArgumentException thrown = Assert.Throws<ArgumentException>(() => online.Step([0, 1, bad, 0]));
        Assert.Contains("gradient[2]", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => online.Step([0, 1]));
        Assert.True(online.Current.SequenceEqual(before));
        Assert.Equal(0, online.Iterations);
    }

    [Fact]
    public void Values_at_zero_weights_are_not_looked_at()
    {
        var online = new OnlineMirrorSinkhorn(Measure.Of([1.0, 0]), Measure.Of([0.5, 0.5]));
        online.Step([0, 1, double.NaN, double.PositiveInfinity]);
        online.Step([0, 1, double.NaN, double.NegativeInfinity]);
        Approx.Equal([0.5, 0.5, 0, 0], [.. online.Current], 0.5, "P");
        Assert.Equal([0.0, 0], online.Current[2..].ToArray());
        Assert.Equal(1, online.Current[0] + online.Current[1], 1e-15);
    }

    [Fact]
    public void Bad_arguments_throw()
    {
        Measure one = Measure.Uniform(2);
        Assert.ThrowsAny<ArgumentException>(() => new OnlineMirrorSinkhorn(one, one, gradientBound: -1));
        Assert.ThrowsAny<ArgumentException>(() => new OnlineMirrorSinkhorn(one, one, averaging: Averaging.Suffix));
        Assert.Throws<ArgumentNullException>(() => new OnlineMirrorSinkhorn(null!, one));
    }
}
