using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;
using Xunit;

namespace OT.Tests.Solvers.Classes;

public class SumOfNormsHostileTests
{
    const double Forbidden = double.PositiveInfinity;

    [Theory]
    [InlineData(1e-5)]
    [InlineData(1e-9)]
    [InlineData(1e-12)]
    [InlineData(1e-16)]
    public void A_row_without_a_way_is_infeasible_however_little_it_holds(double little)
    {
        foreach (SumOfNormsAlgorithm algorithm in Enum.GetValues<SumOfNormsAlgorithm>())
        {
            foreach (double lambda in (double[])[0, 1])
            {
                foreach (bool turned in (bool[])[false, true])
                {
                    Measure uneven = Measure.Of([1 - little, little]),
                        whole = Measure.Uniform(1);
                    PairWeights pair = PairWeights.Complete(2),
                        none = PairWeights.None(1);
                    LinearProblem problem = turned
                        ? new(new CostMatrix(1, 2, [1, Forbidden]), whole, uneven)
                        {
                            Regularizer = Regularizer.SumOfNorms(lambda, none, pair),
                        }
                        : new(new CostMatrix(2, 1, [1, Forbidden]), uneven, whole)
                        {
                            Regularizer = Regularizer.SumOfNorms(lambda, pair, none),
                        };
                    SumOfNormsResult result = new SumOfNorms(new() { Algorithm = algorithm }).Solve(problem);
                    Assert.Equal(SolverStatus.Infeasible, result.Status);
                    Assert.Contains(turned ? "Column 1" : "Row 1", result.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void Mass_that_no_allowed_way_takes_is_infeasible_within_the_slack_too()
    {
        // Rows 1 and 2 may only use column 1, which wants a little less than they hold.
        double less = 0.25 - 1e-11;
        LinearProblem problem = new(
            new CostMatrix(3, 2, [0, 0, Forbidden, 1, Forbidden, 2]),
            Measure.Of([0.75, 0.125, 0.125]),
            Measure.Of([1 - less, less])
        )
        {
            Regularizer = Regularizer.SumOfNorms(0.1, PairWeights.Complete(3), PairWeights.None(2)),
        };
        SumOfNormsResult result = new SumOfNorms().Solve(problem);
        Assert.Equal(SolverStatus.Infeasible, result.Status);
        Assert.Contains("1E-11", result.Message, StringComparison.Ordinal);
    }

    /// <summary>Rows 1 and 2 hold little and have one way each, to different columns: their norm is √2 times what they hold in every plan, and nothing in one that leaves it out as negligible.</summary>
    [Fact]
    public void Mass_that_a_plan_misses_counts_in_the_bound_of_its_penalty()
    {
        const double little = 1e-15;
        const double lambda = 1 / little;
        LinearProblem problem = new(
            new CostMatrix(3, 2, [0, 0, 0, Forbidden, Forbidden, 0]),
            Measure.Of([1, little, little]),
            Measure.Of([0.5 + little, 0.5 + little])
        )
        {
            Regularizer = new SumOfNormsRegularizer(lambda, PairWeights.Of(3, new WeightedPair(1, 2, 1)), PairWeights.None(2)),
        };
        var careless = new DensePlan(new Matrix(3, 2, [0.5, 0.5, 0, 0, 0, 0]));
        var certificate = SumOfNormsCertificate.Verify(problem, careless);
        double optimum = lambda * little * Math.Sqrt(2);
        Assert.True(certificate.PrimalValue >= optimum, $"{certificate.PrimalValue} is below the optimum {optimum}.");
    }

    [Fact]
    public void A_start_may_be_of_any_lambda_and_not_of_other_pairs()
    {
        LinearProblem problem = new(new CostMatrix(3, 3, [1, 2, 3, 4, 5, 7, 7, 8, 10]), Measure.Uniform(3), Measure.Uniform(3))
        {
            Regularizer = Regularizer.SumOfNorms(0.1, PairWeights.Complete(3), PairWeights.None(3)),
        };
        LinearProblem At(double lambda, PairWeights rows) =>
            problem with
            {
                Regularizer = Regularizer.SumOfNorms(lambda, rows, PairWeights.None(3)),
            };
        var solver = new SumOfNorms();
        SumOfNormsResult alone = solver.Solve(problem);
        SumOfNormsResult fromExact = solver.Solve(problem, solver.Solve(At(0, PairWeights.Complete(3))));
        Assert.True(fromExact.Converged, fromExact.Message);
        Assert.InRange(fromExact.Value, alone.LowerBound, alone.LowerBound * (1 + (2e-6)));
        // As many pairs, and other ones.
        SumOfNormsResult other = solver.Solve(At(0.1, PairWeights.Of(3, new WeightedPair(0, 1, 1))));
        Assert.Throws<ArgumentException>(() => solver.Solve(At(0.1, PairWeights.Of(3, new WeightedPair(1, 2, 1))), other));
    }

    /// <summary>Long steps in the plan lose its digits: where costs can be met for nothing and λ is tiny, the value must be so too.</summary>
    [Fact]
    public void A_value_that_is_almost_nothing_is_found_as_such()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            const int n = 7;
            var random = new SeededRandom(seed);
            double[] costs = [.. Enumerable.Range(0, n * n).Select(_ => (double)random.NextInt(3))];
            LinearProblem problem = new(new CostMatrix(n, n, costs), Measure.Uniform(n), Measure.Uniform(n))
            {
                Regularizer = Regularizer.SumOfNorms(
                    1e-9,
                    PairWeights.None(n),
                    PairWeights.Of(n, new WeightedPair(0, 1, 1), new WeightedPair(2, 3, 1))
                ),
            };
            SumOfNormsResult result = new SumOfNorms(new() { MaxIterations = 2000 }).Solve(problem);
            Assert.True(result.Gap <= 1e-9, $"Seed {seed}: {result.Status}, gap {result.Gap:G3}. {result.Message}");
        }
    }

    [Fact]
    public void A_table_that_no_array_holds_is_refused()
    {
        const int n = 50_000;
        var points = new Matrix(n, 1);
        LinearProblem problem = new(new PointCloud(points, points), Measure.Uniform(n), Measure.Uniform(n))
        {
            Regularizer = Regularizer.SumOfNorms(1, PairWeights.Of(n, new WeightedPair(0, 1, 1)), PairWeights.None(n)),
        };
        Assert.Throws<ArgumentException>(() => SumOfNorms.LambdaMax(problem));
    }
}
