using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;
using OT.Solvers.Exact;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Classes;

public class SumOfNormsLawTests
{
    const double Gap = 1e-6;

    /// <summary>What two values of one problem may differ by: each is within its gap, relative to its size or a millionth of the largest cost.</summary>
    static double Within(SumOfNormsResult result) =>
        2 * Gap * (Math.Abs(result.Value) + (1e-6 * Approx.CostScale(result.Problem.Geometry) * result.Problem.A.Mass));

    [Fact]
    public void Every_answer_is_feasible_and_certified() =>
        Law.Check(
            Cases.Any(8),
            value =>
            {
                SumOfNormsResult result = FusionCase.Solve(FusionCase.Of(value));
                FusionCase.Check(result);
                if (!result.Converged)
                    throw new LawViolatedException(
                        $"{result.Status} with gap {result.Gap:E2} of {result.Value:E2}. {result.Message}"
                    );
            },
            quickCount: 60,
            fullCount: 1000
        );

    [Fact]
    public void Without_strength_it_is_exact_transport() =>
        Law.Check(
            Cases.Any(8),
            value =>
            {
                LinearProblem problem = FusionCase.Of(value, 0);
                SumOfNormsResult result = FusionCase.Solve(problem);
                FusionCase.Check(result);
                if (!result.Converged)
                    throw new LawViolatedException($"{result.Status}: {result.Message}");
                TransportResult exact = new NetworkSimplex().Solve(value.Exact());
                Approx.Equal(exact.TransportCost, result.Value, 1e-12 * Approx.CostScale(problem.Geometry), "value");
            },
            quickCount: 40,
            fullCount: 1000
        );

    [Fact]
    public void From_lambda_max_on_connected_rows_are_equal_and_the_plan_is_the_product() =>
        Law.Check(
            Cases.AllPairsAllowed(7),
            value =>
            {
                LinearProblem problem = value.Exact() with
                {
                    Regularizer = Regularizer.SumOfNorms(
                        1,
                        PairWeights.Complete(value.Rows),
                        PairWeights.Complete(value.Columns)
                    ),
                };
                double lambda = SumOfNorms.LambdaMax(problem) * (1 + 1e-6);
                problem = problem with
                {
                    Regularizer = Regularizer.SumOfNorms(
                        lambda,
                        PairWeights.Complete(value.Rows),
                        PairWeights.Complete(value.Columns)
                    ),
                };
                SumOfNormsResult result = FusionCase.Solve(problem);
                var (a, b) = (problem.A.Weights.ToArray(), problem.B.Weights.ToArray());
                double product = 0;
                for (int i = 0; i < a.Length; i++)
                {
                    for (int j = 0; j < b.Length; j++)
                        product += a[i] * b[j] * problem.Geometry.Cost(i, j);
                }
                // a ⊗ b has this value and no penalty: no plan has less.
                Approx.AtMost(result.LowerBound, product + (1e-12 * Approx.CostScale(problem.Geometry)), "the bound");
                Approx.Equal(product, result.Value, Within(result), "value");
            },
            quickCount: 40,
            fullCount: 1000
        );

    [Fact]
    public void Penalty_over_lambda_falls_and_cost_rises_with_lambda() =>
        Law.Check(
            Cases.AllPairsAllowed(7),
            value =>
            {
                double norms = double.PositiveInfinity,
                    cost = double.NegativeInfinity,
                    slack = 0,
                    before = 0;
                foreach (double share in (double[])[0.01, 0.05, 0.2, 1])
                {
                    LinearProblem problem = FusionCase.Of(value, share);
                    double lambda = ((SumOfNormsRegularizer)problem.Regularizer).Lambda;
                    SumOfNormsResult result = FusionCase.Solve(problem, 1e-8);
                    // Two near optima at λ₁ < λ₂: (λ₂ − λ₁) (norms₂ − norms₁) ≤ both gaps; the cost's rise may miss λ₂ times that.
                    slack += result.Gap + (1e-14 * Approx.CostScale(problem.Geometry));
                    double allowed = slack / (lambda - before);
                    Approx.AtMost(result.Penalty / lambda, norms + allowed, "norms");
                    Approx.AtMost(-result.TransportCost, -cost + (lambda * allowed) + slack, "cost");
                    (norms, cost, before, slack) = (result.Penalty / lambda, result.TransportCost, lambda, result.Gap);
                }
            },
            quickCount: 25,
            fullCount: 500
        );

    [Fact]
    public void Order_of_bins_and_sides_do_not_matter() =>
        Law.Check(
            Cases.Any(7),
            value =>
            {
                LinearProblem problem = FusionCase.Of(value);
                var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
                int[] order = new SeededRandom(value.Seed + 9).NextPermutation(value.Columns);
                // Transposed, and its rows in another order.
                double[,] costs = value.Costs(),
                    turned = new double[value.Columns, value.Rows];
                for (int j = 0; j < value.Columns; j++)
                {
                    for (int i = 0; i < value.Rows; i++)
                        turned[j, i] = costs[i, order[j]];
                }
                var place = new int[order.Length];
                for (int j = 0; j < order.Length; j++)
                    place[order[j]] = j;
                LinearProblem other = new(
                    new CostMatrix(turned),
                    Measure.Of(Array.ConvertAll(order, j => problem.B.Weights[j])),
                    problem.A
                )
                {
                    Regularizer = new SumOfNormsRegularizer(
                        regularizer.Lambda,
                        PairWeights.Of(
                            value.Columns,
                            [
                                .. regularizer.Columns.Pairs.Select(p => new WeightedPair(
                                    place[p.First],
                                    place[p.Second],
                                    p.Weight
                                )),
                            ]
                        ),
                        regularizer.Rows
                    )
                    {
                        NormalizesByMass = regularizer.NormalizesByMass,
                    },
                };
                SumOfNormsResult result = FusionCase.Solve(problem),
                    turnedResult = FusionCase.Solve(other);
                Approx.Equal(result.Value, turnedResult.Value, Within(result), "value");
            },
            quickCount: 30,
            fullCount: 500
        );

    [Fact]
    public void Numbers_for_rows_and_columns_added_to_costs_shift_the_value_alone() =>
        Law.Check(
            Cases.Of(7, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates, CaseKind.SignedCost),
            value =>
            {
                LinearProblem problem = FusionCase.Of(value);
                var random = new SeededRandom(value.Seed + 4);
                double[] u = [.. Enumerable.Range(0, value.Rows).Select(_ => random.NextNormal())],
                    v = [.. Enumerable.Range(0, value.Columns).Select(_ => random.NextNormal())];
                double[,] costs = value.Costs();
                double shift = 0;
                for (int i = 0; i < value.Rows; i++)
                {
                    for (int j = 0; j < value.Columns; j++)
                        costs[i, j] += u[i] + v[j];
                }
                for (int i = 0; i < value.Rows; i++)
                    shift += u[i] * problem.A.Weights[i];
                for (int j = 0; j < value.Columns; j++)
                    shift += v[j] * problem.B.Weights[j];
                SumOfNormsResult result = FusionCase.Solve(problem),
                    shifted = FusionCase.Solve(
                        new LinearProblem(new CostMatrix(costs), problem.A, problem.B) { Regularizer = problem.Regularizer }
                    );
                Approx.Equal(result.Value + shift, shifted.Value, Within(result) + Within(shifted), "value");
            },
            quickCount: 30,
            fullCount: 500
        );

    [Fact]
    public void Three_algorithms_agree() =>
        Law.Check(
            Cases.Of(6, CaseKind.Plain, CaseKind.ZeroWeights, CaseKind.Duplicates, CaseKind.SignedCost, CaseKind.Forbidden),
            value =>
            {
                LinearProblem problem = FusionCase.Of(value);
                double scale = Approx.CostScale(problem.Geometry),
                    expected = FusionCase.Solve(problem).Value;
                const double agreed = 1e-5;
                foreach (SumOfNormsAlgorithm algorithm in Enum.GetValues<SumOfNormsAlgorithm>())
                {
                    SumOfNormsResult result = new SumOfNorms(
                        new()
                        {
                            Algorithm = algorithm,
                            RelativeGap = agreed / 2,
                            MaxIterations = 30_000,
                        }
                    ).Solve(problem);
                    FusionCase.Check(result);
                    Approx.Equal(expected, result.Value, agreed * scale, $"{algorithm}, {result.Status}");
                }
            },
            quickCount: 25,
            fullCount: 300
        );

    [Fact]
    public void The_certificate_refuses_nothing_that_is_true_and_claims_nothing_that_is_not() =>
        Law.Check(
            Cases.Any(7),
            value =>
            {
                LinearProblem problem = FusionCase.Of(value);
                SumOfNormsResult best = FusionCase.Solve(problem);
                var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
                var random = new SeededRandom(value.Seed + 5);
                double scale = Approx.CostScale(problem.Geometry);
                // Any vectors at all, of any length, and any potentials: the bound holds.
                Matrix Some(int rows, int columns) =>
                    new(rows, columns, [.. Enumerable.Range(0, rows * columns).Select(_ => scale * random.NextNormal())]);
                var duals = new PairDuals(
                    Some(regularizer.Rows.Pairs.Length, value.Columns),
                    Some(regularizer.Columns.Pairs.Length, value.Rows)
                );
                var potentials = new Potentials(Some(1, value.Rows).Values.ToArray(), Some(1, value.Columns).Values.ToArray());
                SumOfNormsCertificate certificate = SumOfNormsCertificate.Verify(problem, best.Plan, duals, potentials);
                Approx.AtMost(certificate.LowerBound!.Value, best.Value, "a bound from noise");
                Approx.AtMost(best.LowerBound, certificate.PrimalValue, "the value of a plan");
            },
            quickCount: 40,
            fullCount: 1000
        );
}
