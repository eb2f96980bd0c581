using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;
using Xunit;

namespace OT.Tests.Solvers.Exact;

public class AssignmentTests
{
    static readonly Costs[] AllowedKinds =
    [
        Costs.Cloud,
        Costs.Random,
        Costs.Ties,
        Costs.Constant,
        Costs.Duplicates,
        Costs.Negative,
        Costs.HugeRange,
    ];

    [Fact]
    public void Agrees_with_the_network_simplex_and_meets_the_optimality_conditions()
    {
        var random = new SeededRandom(3);
        for (int k = 0; k < 600; k++)
        {
            int n = 1 + random.NextInt(30);
            var drawn = new ExactCase(n, n, Masses.Uniform, AllowedKinds[random.NextInt(AllowedKinds.Length)], random.NextBits());
            LinearProblem problem = drawn.Problem();
            double value = Optimal.Check(new Assignment().Solve(problem), drawn.ToString());
            double simplex = Optimal.Check(new NetworkSimplex().Solve(problem), drawn.ToString());
            Assert.Equal(simplex, value, 1e-13 * Optimal.MaxCost(problem));
        }
    }

    [Fact]
    public void Brute_force_agrees()
    {
        foreach (Costs kind in AllowedKinds)
        {
            for (int n = 1; n <= 7; n++)
            {
                LinearProblem problem = new ExactCase(n, n, Masses.Uniform, kind, (ulong)(n + 50)).Problem();
                int[] match = Assignment.Match(problem.Geometry);
                Assert.Equal(n, match.Distinct().Count());
                double sum = match.Select((j, i) => problem.Geometry.Cost(i, j)).Sum();
                Assert.Equal(Optimal.BestPermutation(problem.Geometry), sum, 1e-14 * n * Optimal.MaxCost(problem));
            }
        }
    }

    // Source: SciPy 1.10.1, scipy.optimize.linear_sum_assignment on C_ij = ((7i² + 3ij + 5j) mod 23) / 23.
    [Theory]
    [InlineData(8, 1.2608695652173911)]
    [InlineData(11, 1.1739130434782608)]
    public void Reference_values_square_and_rectangular(int columns, double expected)
    {
        var costs = new double[8, columns];
        for (int i = 0; i < 8; i++)
        {
            for (int j = 0; j < columns; j++)
                costs[i, j] = ((7 * i * i) + (3 * i * j) + (5 * j)) % 23 / 23.0;
        }
        int[] match = Assignment.Match(new CostMatrix(costs));
        Assert.Equal(8, match.Distinct().Count());
        Assert.Equal(expected, match.Select((j, i) => costs[i, j]).Sum(), 1e-15 * 8);
    }

    [Fact]
    public void Evaluated_rows_give_the_same_matching_as_a_table()
    {
        LinearProblem problem = new ExactCase(70, 70, Masses.Uniform, Costs.Cloud, 6).Problem();
        TransportResult stored = new Assignment().Solve(problem);
        TransportResult evaluated = new Assignment(new() { TableBytes = 0 }).Solve(problem);
        Assert.Equal(stored.Plan.ToDense().Values.ToArray(), evaluated.Plan.ToDense().Values.ToArray());
    }

    [Fact]
    public void A_limit_on_augmentations_leaves_a_feasible_plan()
    {
        LinearProblem problem = new ExactCase(80, 80, Masses.Uniform, Costs.Cloud, 6).Problem();
        double optimum = Optimal.Check(new Assignment().Solve(problem));
        TransportResult result = new Assignment(new() { MaxIterations = 1 }).Solve(problem);
        Assert.Equal(SolverStatus.IterationLimit, result.Status);
        Assert.InRange(result.MarginalError, 0, 1e-15 * 160);
        Assert.True(result.TransportCost >= optimum);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Equal(SolverStatus.Cancelled, new Assignment().Solve(problem, source.Token).Status);
    }

    [Fact]
    public void Refuses_what_it_cannot_do_and_names_a_solver_that_can()
    {
        LinearProblem rectangular = new ExactCase(3, 4, Masses.Uniform, Costs.Cloud, 1).Problem();
        LinearProblem weighted = new ExactCase(4, 4, Masses.Random, Costs.Cloud, 1).Problem();
        foreach (LinearProblem problem in (ReadOnlySpan<LinearProblem>)[rectangular, weighted])
        {
            Assert.False(Assignment.Supports(problem));
            Assert.Contains(
                "NetworkSimplex",
                Assert.Throws<NotSupportedException>(() => new Assignment().Solve(problem)).Message
            );
        }
        double x = double.PositiveInfinity;
        var blocked = new CostMatrix(
            new[,]
            {
                { 1, x, x },
                { 2, x, x },
                { 1, 2, 3 },
            }
        );
        Assert.Contains("No plan exists", Assert.Throws<InvalidOperationException>(() => Assignment.Match(blocked)).Message);
        Assert.Throws<ArgumentException>(() => Assignment.Match(new CostMatrix(new double[3, 2])));
    }
}
