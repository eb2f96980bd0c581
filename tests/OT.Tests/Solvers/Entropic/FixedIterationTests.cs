using OT.Geometries;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>A number of iterations that is asked for, no more and no less.</summary>
public class FixedIterationTests
{
    static SinkhornOptions Exactly(int count) => new() { MaxIterations = count, StopEarly = false };

    /// <summary>K iterations are those of a loop written out, with every penalty; 0 of them leave the start.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(40)]
    public void Are_those_of_the_loop(int count) =>
        Law.Check(
            Cases.Of(8, CaseKind.Plain, CaseKind.Duplicates, CaseKind.ConstantCost, CaseKind.SignedCost, CaseKind.TinyEpsilon),
            c =>
            {
                foreach (
                    LinearProblem problem in (LinearProblem[])
                        [c.Entropic(), c.Unbalanced(), c.TotalVariation(), c.MixedPenalties()]
                )
                {
                    TransportResult result = problem.Solve(Exactly(count));
                    Assert.Equal(count, result.Iterations);
                    double epsilon = result.Epsilon;
                    double[] f = new double[c.Rows],
                        g = new double[c.Columns];
                    for (int k = 0; k < count; k++)
                    {
                        f = Oracles.SoftMinRows(problem.Geometry, g, problem.B.Weights, epsilon);
                        f = Array.ConvertAll(f, v => problem.PenaltyA.Update(v, epsilon));
                        g = Oracles.SoftMinColumns(problem.Geometry, f, problem.A.Weights, epsilon);
                        g = Array.ConvertAll(g, v => problem.PenaltyB.Update(v, epsilon));
                    }
                    var expected = new Potentials(f, g);
                    if (problem.IsBalanced)
                        expected = expected.Centred(problem.A, problem.B);
                    double rounding = 1e-13 * (1 + count) * Laws.ValueScale(problem) / problem.A.Mass;
                    Approx.Equal(expected.F, result.Potentials!.F, rounding, "f");
                    Approx.Equal(expected.G, result.Potentials.G, rounding, "g");
                }
            },
            25,
            250
        );

    /// <summary>As many on a problem that is solved at once, on one that will take thousands, and on one large enough for floats.</summary>
    [Fact]
    public void Are_as_many_for_every_input()
    {
        LinearProblem[] problems =
        [
            EntropicCase.Of(
                new CostMatrix(
                    new[,]
                    {
                        { 2.0 },
                    }
                ),
                [1],
                [1],
                0.1
            ),
            EntropicCase.Of("points2", 20, 20, 1e-4),
            EntropicCase.Of("points2", 20, 20, 10).Penalised(1, 1),
            new(
                new PointCloud(EntropicCase.Square(600, 1), EntropicCase.Square(500, 2)),
                Measure.Uniform(600),
                Measure.Uniform(500)
            )
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)),
            },
        ];
        foreach (LinearProblem problem in problems)
        {
            foreach (Acceleration acceleration in Enum.GetValues<Acceleration>())
            {
                TransportResult result = problem.Solve(Exactly(33) with { Acceleration = acceleration });
                Assert.Equal(33, result.Iterations);
                Assert.Equal(result.MarginalError <= 1e-6 ? SolverStatus.Converged : SolverStatus.IterationLimit, result.Status);
            }
        }
    }

    /// <summary>The default acceleration is none here; one that is asked for is used.</summary>
    [Fact]
    public void Are_plain_unless_asked_otherwise()
    {
        LinearProblem problem = EntropicCase.Of("points2", 30, 25, 0.002);
        double Error(Acceleration acceleration) => problem.Solve(Exactly(100) with { Acceleration = acceleration }).MarginalError;
        Assert.Equal(Error(Acceleration.None), Error(Acceleration.Auto));
        Assert.NotEqual(Error(Acceleration.None), Error(Acceleration.Anderson));
        Assert.NotEqual(Error(Acceleration.None), Error(Acceleration.OverRelaxation));
    }

    [Fact]
    public void Go_on_from_a_start_and_stop_at_the_time_limit()
    {
        LinearProblem problem = EntropicCase.Of("doubles", 12, 9, 0.05);
        TransportResult ten = problem.Solve(Exactly(10));
        TransportResult twice = new Sinkhorn(Exactly(5)).Solve(problem, problem.Solve(Exactly(5)).Potentials!);
        Approx.Equal(ten.Potentials!.F, twice.Potentials!.F, 1e-13, "5 + 5 iterations");
        Assert.Equal(
            SolverStatus.TimeLimit,
            problem.Solve(Exactly(int.MaxValue) with { TimeLimit = TimeSpan.FromMilliseconds(20) }).Status
        );
    }
}
