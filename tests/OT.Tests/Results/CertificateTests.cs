using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Testing;
using Xunit;

namespace OT.Tests.Results;

public class CertificateTests
{
    // The five-by-three instance of the R package rwig's vignette.
    static readonly double[] A = [.3, .4, .1, .1, .1];
    static readonly double[] B = [.4, .5, .1];
    static readonly double[,] C =
    {
        { .1, .2, .3 },
        { .2, .3, .4 },
        { .4, .3, .2 },
        { .3, .2, .1 },
        { .5, .5, .4 },
    };

    static LinearProblem Golden => new(new CostMatrix(C), Measure.Of(A), Measure.Of(B));

    [Fact]
    public void Golden_instance_with_entropy()
    {
        LinearProblem problem = Golden with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)) };
        Certificate certificate = Oracles.Sinkhorn(problem, 1e-14).Certify();
        Assert.Equal(0.2506649150, certificate.PrimalValue, 1e-10);
        Assert.Equal(0.2506649150, certificate.DualValue!.Value, 1e-10);
        Assert.Equal(0.2399010252, certificate.TransportCost, 1e-10);
        Assert.InRange(certificate.Gap!.Value, 0, 1e-13);
        Assert.InRange(certificate.LowerBound!.Value, 0, 0.23);
    }

    [Fact]
    public void Golden_instance_with_penalties()
    {
        LinearProblem problem = Golden with
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(0.1)),
            PenaltyA = MarginalPenalty.KullbackLeibler(1),
            PenaltyB = MarginalPenalty.KullbackLeibler(1),
        };
        TransportResult result = Oracles.Sinkhorn(problem, 1e-14);
        Certificate certificate = result.Certify();
        Assert.Equal(0.2327211270, certificate.PrimalValue, 1e-10);
        Assert.Equal(0.2327211270, certificate.DualValue!.Value, 1e-10);
        Assert.Equal(0.8891804157, Oracles.Marginals(result.Plan).Rows.Sum(), 1e-10);
        Assert.InRange(certificate.Gap!.Value, 0, 1e-13);
        Assert.InRange(certificate.MarginalError, 0, 1e-12);
        Assert.Null(certificate.LowerBound);
        Assert.Same(result.Plan, certificate.FeasiblePlan);
    }

    [Fact]
    public void Golden_instance_exact()
    {
        Certificate certificate = Oracles.Exact(Golden).Certify();
        Assert.Equal(0.23, certificate.TransportCost, 1e-14);
        Assert.Equal(0.23, certificate.LowerBound!.Value, 1e-14);
        Assert.Equal(certificate.LowerBound, certificate.DualValue);
        Assert.InRange(certificate.Gap!.Value, 0, 1e-14);
    }

    [Fact]
    public void Bounds_hold_for_garbage() =>
        Law.Check(
            Cases.Any(8),
            c =>
            {
                LinearProblem problem = c.Exact();
                double optimum = Oracles.Exact(problem).TransportCost;
                double rounding = 1e-13 * Approx.CostScale(problem.Geometry); // of the oracle's own sums
                for (ulong kind = 0; kind < 4; kind++)
                {
                    Certificate certificate = Certificate.Verify(problem, GarbagePlan(c, kind), GarbagePotentials(c, kind));
                    Approx.AtMost(certificate.LowerBound!.Value, optimum + rounding, "The lower bound");
                    Approx.AtMost(optimum, certificate.TransportCost + rounding, "The optimum");
                    Approx.AtMost(0, certificate.Gap!.Value, "0, against the gap,");
                    Approx.True(double.IsFinite(certificate.LowerBound.Value), "The lower bound is not finite.");
                    if (c.Kind != CaseKind.Forbidden)
                        Laws.PlanIsFeasible(certificate.FeasiblePlan, problem);
                }
            }
        );

    [Fact]
    public void Entropic_bounds_hold_for_garbage() =>
        Law.Check(
            Cases.Any(8),
            c =>
            {
                foreach (LinearProblem problem in (LinearProblem[])[c.Entropic(), c.Unbalanced(), OneSided(c)])
                {
                    Certificate optimum = Oracles.Sinkhorn(problem, 1e-10, 2000).Certify();
                    for (ulong kind = 0; kind < 4; kind++)
                    {
                        Certificate certificate = Certificate.Verify(problem, GarbagePlan(c, kind), GarbagePotentials(c, kind));
                        Approx.AtMost(0, certificate.Gap!.Value, "0, against the gap,");
                        Approx.AtMost(certificate.DualValue!.Value, optimum.PrimalValue, "The dual value");
                        Approx.AtMost(optimum.DualValue!.Value, certificate.PrimalValue, "The optimum");
                        if (c.Kind != CaseKind.Forbidden)
                            Laws.PlanIsFeasible(certificate.FeasiblePlan, problem);
                    }
                }
            }
        );

    [Fact]
    public void Unregularised_penalties_have_a_dual_bound() =>
        Law.Check(
            Cases.AllPairsAllowed(6),
            c =>
            {
                double rho = 2 * Approx.CostScale(new CostMatrix(c.Costs()));
                LinearProblem problem = c.Exact() with
                {
                    PenaltyA = MarginalPenalty.KullbackLeibler(rho),
                    PenaltyB = MarginalPenalty.KullbackLeibler(rho),
                };
                // The exact dual of the balanced problem is feasible here too.
                Certificate certificate = Certificate.Verify(problem, GarbagePlan(c, 1), GarbagePotentials(c, 1));
                Approx.AtMost(0, certificate.Gap!.Value, "0, against the gap,");
                Approx.AtMost(
                    certificate.DualValue!.Value,
                    Certificate.Verify(problem, Oracles.Exact(c.Exact()).Plan).PrimalValue,
                    "The dual value"
                );
            }
        );

    [Fact]
    public void Values_equal_naive_loops() =>
        Law.Check(
            Cases.AllPairsAllowed(9),
            c =>
            {
                LinearProblem problem = c.Unbalanced();
                TransportPlan plan = GarbagePlan(c, 1, onlyWeighted: true);
                Potentials potentials = Oracles.Sinkhorn(problem, 1e-3, 50).Potentials!;
                Certificate certificate = Certificate.Verify(problem, plan, potentials);
                double epsilon = ((EntropyRegularizer)problem.Regularizer).Epsilon.Resolve(problem.Geometry);
                double[] a = c.A(),
                    b = c.B();
                (double[] rows, double[] columns) = Oracles.Marginals(plan);
                double value =
                    Oracles.TransportCost(problem.Geometry, plan)
                    + (epsilon * Oracles.RelativeEntropy(plan, a, b))
                    + (problem.PenaltyA.Rho * Oracles.RelativeEntropy(rows, a))
                    + (problem.PenaltyB.Rho * Oracles.RelativeEntropy(columns, b));
                double mass = rows.Sum() + 1;
                double tolerance = 1e-12 * mass * (Math.Abs(value) + Laws.ValueScale(problem));
                Approx.Equal(value, certificate.PlanValue, tolerance, "value");
                Approx.Equal(value, certificate.PrimalValue, tolerance, "upper bound");
                double dual = NaiveDual(problem, potentials, epsilon);
                Approx.Equal(
                    dual,
                    certificate.DualValue!.Value,
                    1e-12 * (Math.Abs(dual) + Laws.ValueScale(problem)),
                    "dual value"
                );
            }
        );

    [Fact]
    public void LowerBound_is_that_of_two_c_transforms() =>
        Law.Check(
            Cases.AllPairsAllowed(9),
            c =>
            {
                LinearProblem problem = c.Exact();
                Potentials potentials = GarbagePotentials(c, 1);
                double[] a = c.A(),
                    b = c.B();
                double[] f = Oracles.SoftMinRows(problem.Geometry, potentials.G, b, 0);
                double[] g = Oracles.SoftMinColumns(problem.Geometry, f, a, 0);
                double bound = f.Zip(a, (x, y) => x * y).Sum() + g.Zip(b, (x, y) => x * y).Sum();
                Certificate certificate = Certificate.Verify(problem, GarbagePlan(c, 1), potentials);
                Approx.Equal(bound, certificate.LowerBound!.Value, 1e-13 * Laws.ValueScale(problem), "lower bound");
            }
        );

    [Fact]
    public void Rounding_moves_no_more_than_twice_the_error() =>
        Law.Check(
            Cases.AllPairsAllowed(9),
            c =>
            {
                LinearProblem problem = c.Exact();
                TransportPlan plan = GarbagePlan(c, 2);
                Certificate certificate = Certificate.Verify(problem, plan);
                Approx.AtMost(
                    Approx.PlanDistance(plan, certificate.FeasiblePlan),
                    (2 * certificate.MarginalError) + 1e-13,
                    "The distance moved"
                );
                Assert.Null(certificate.Gap);
                Assert.Null(certificate.LowerBound);
            }
        );

    [Fact]
    public void Sparse_plans_stay_sparse_and_vertices_stay_vertices()
    {
        var c = new TransportCase(9, 7, 3, CaseKind.Plain);
        LinearProblem problem = c.Exact();
        var optimal = new SparsePlan(Oracles.Exact(problem).Plan.ToSparse());
        var kept = Assert.IsType<SparsePlan>(Certificate.Verify(problem, optimal).FeasiblePlan);
        Assert.Equal(optimal.NonZeros, kept.NonZeros);

        var half = new SparsePlan(SparseMatrix.FromTriples(9, 7, [0, 3], [1, 2], [0.01, 0.5]));
        var repaired = Assert.IsType<SparsePlan>(Certificate.Verify(problem, half).FeasiblePlan);
        Laws.PlanIsFeasible(repaired, problem);
        Assert.InRange(repaired.NonZeros, 1, 2 + 9 + 7 - 1);
    }

    [Fact]
    public void Repair_keeps_off_forbidden_pairs()
    {
        double inf = double.PositiveInfinity;
        var geometry = new CostMatrix(
            new[,]
            {
                { 1, inf, 2 },
                { inf, 1, 2 },
            }
        );
        var problem = new LinearProblem(geometry, Measure.Of([0.5, 0.5]), Measure.Of([0.4, 0.4, 0.2]));
        var plan = new DensePlan(
            Matrix.From(
                new double[,]
                {
                    { 0.3, 0, 0.1 },
                    { 0, 0.4, 0.05 },
                }
            )
        );
        Certificate certificate = Certificate.Verify(problem, plan);
        Laws.PlanIsFeasible(certificate.FeasiblePlan, problem);
        // 64 roundings of the mass, each on a way of up to n + m pairs.
        Assert.Equal(1.2, certificate.TransportCost, 70 * 5 * 2 * Approx.Unit);

        var forbidden = new DensePlan(
            Matrix.From(
                new double[,]
                {
                    { 0.3, 0.1, 0.1 },
                    { 0, 0.4, 0.05 },
                }
            )
        );
        Assert.Equal(inf, Certificate.Verify(problem, forbidden).PlanTransportCost);
        Assert.Equal(inf, Certificate.Verify(problem, forbidden).TransportCost);
    }

    [Fact]
    public void Repair_takes_detours_where_no_pair_joins_the_deficits()
    {
        double inf = double.PositiveInfinity;
        // Row 0 lacks mass and so does column 1, but their pair is forbidden: mass must go round over (0,0), (1,0), (1,1).
        var geometry = new CostMatrix(
            new[,]
            {
                { 1, inf },
                { 2, 4 },
            }
        );
        var problem = new LinearProblem(geometry, Measure.Of([0.5, 0.5]), Measure.Of([0.7, 0.3]));
        var values = Matrix.From(
            new double[,]
            {
                { 0.4, 0 },
                { 0.3, 0.2 },
            }
        );
        foreach (TransportPlan plan in (TransportPlan[])[new DensePlan(values), new SparsePlan(new DensePlan(values).ToSparse())])
        {
            Certificate certificate = Certificate.Verify(problem, plan);
            Laws.PlanIsFeasible(certificate.FeasiblePlan, problem);
            Assert.Equal(0.5 + 0.4 + 1.2, certificate.TransportCost, 70 * 4 * 4 * Approx.Unit);
        }
    }

    [Fact]
    public void Near_feasible_plans_on_forbidden_pairs_get_finite_bounds() =>
        Law.Check(
            Cases.Of(12, CaseKind.Forbidden),
            c =>
            {
                TransportResult result = Oracles.Sinkhorn(c.Entropic(), 1e-6, 100_000);
                if (!result.Converged)
                    return; // a pair that every plan must avoid but the costs allow is approached at rate 1/k only
                Certificate certificate = result.Certify();
                Laws.PlanIsFeasible(certificate.FeasiblePlan, c.Exact());
                Approx.AtMost(certificate.Gap!.Value, 1e-4 * Laws.ValueScale(c.Entropic()), "The gap");
            },
            50,
            500
        );

    [Theory]
    [InlineData(1e-300)]
    [InlineData(1e-150)]
    [InlineData(1)]
    [InlineData(1e150)]
    [InlineData(1e300)]
    public void EpsilonTwelveDecades(double scale)
    {
        var c = new TransportCase(5, 4, 11, CaseKind.ZeroWeights);
        LinearProblem unit = c.Exact();
        LinearProblem exact = unit.ChangeCost(scale, new double[5], new double[4]);
        Potentials optimal = Oracles.Exact(unit).Potentials!;
        var potentials = new Potentials(
            Array.ConvertAll(optimal.F.ToArray(), v => scale * v),
            Array.ConvertAll(optimal.G.ToArray(), v => scale * v)
        );
        for (int decade = -9; decade <= 3; decade++)
        {
            LinearProblem problem = exact with
            {
                Regularizer = Regularizer.Entropy(Epsilon.Absolute(scale * Math.Pow(10, decade))),
            };
            Certificate certificate = Certificate.Verify(problem, GarbagePlan(c, 1), potentials);
            Assert.True(certificate.Gap >= 0, $"gap {certificate.Gap} at 1e{decade}");
            Assert.True(double.IsFinite(certificate.PrimalValue));
            Assert.True(double.IsFinite(certificate.TransportCost));
            Assert.True(double.IsFinite(certificate.LowerBound!.Value));
            Assert.False(double.IsNaN(certificate.DualValue!.Value));
            Assert.Equal(Oracles.Exact(unit).TransportCost, certificate.LowerBound.Value / scale, 1e-12);
        }
    }

    [Fact]
    public void Infeasible_problems_have_no_finite_upper_bound()
    {
        double inf = double.PositiveInfinity;
        var blocked = new LinearProblem(
            new CostMatrix(
                new[,]
                {
                    { inf, inf },
                    { 1, 1 },
                }
            ),
            Measure.Uniform(2),
            Measure.Uniform(2)
        );
        var plan = new DensePlan(new Matrix(2, 2));
        Certificate certificate = Certificate.Verify(blocked, plan, new Potentials([0, 0], [0, 0]));
        Assert.Equal(inf, certificate.TransportCost);
        Assert.Equal(inf, certificate.Gap);
        Assert.True(double.IsFinite(certificate.LowerBound!.Value));

        var unequal = new LinearProblem(
            new CostMatrix(
                new double[,]
                {
                    { 1, 1 },
                }
            ),
            Measure.Of([1.0]),
            Measure.Of([1.0, 1.0])
        );
        Assert.Equal(inf, Certificate.Verify(unequal, new DensePlan(new Matrix(1, 2))).PrimalValue);
    }

    [Fact]
    public void Masses_that_differ_within_their_slack_are_equalised()
    {
        var problem = new LinearProblem(
            new CostMatrix(
                new double[,]
                {
                    { 1, 2 },
                    { 3, 1 },
                }
            ),
            Measure.Of([0.5f, 0.5f]),
            Measure.Of([0.500001, 0.500001])
        );
        Assert.True(problem.MassesAgree);
        TransportResult result = Oracles.Exact(problem);
        Certificate certificate = result.Certify();
        Laws.PlanIsFeasible(certificate.FeasiblePlan, problem);
        // The allowance is 136 units of rounding times the largest cost, the sum itself a few more.
        Assert.Equal(1, certificate.TransportCost, 150 * 3 * Approx.Unit);
        Assert.Equal(1, certificate.LowerBound!.Value, 50 * 3 * Approx.Unit);
    }

    [Fact]
    public void A_huge_constant_in_the_potentials_costs_no_digits()
    {
        LinearProblem problem = new TransportCase(6, 5, 1, CaseKind.Plain).Exact();
        TransportResult result = Oracles.Exact(problem);
        double[] f = [.. result.Potentials!.F],
            g = [.. result.Potentials.G];
        var shifted = new Potentials(Array.ConvertAll(f, v => v - 1e6), Array.ConvertAll(g, v => v + 1e6));
        // The shift itself rounds potentials near 1 to multiples of 1e-10.
        Assert.Equal(result.TransportCost, Certificate.Verify(problem, result.Plan, shifted).LowerBound!.Value, 1e-9);
    }

    [Fact]
    public void SameBitsAnyThreadCount()
    {
        var c = new TransportCase(300, 257, 5, CaseKind.Plain);
        LinearProblem problem = c.Entropic();
        TransportPlan plan = GarbagePlan(c, 1);
        PlanScan Scan(int threads) =>
            new PlanScan(problem.Geometry, plan, default)
            {
                A = c.A(),
                B = c.B(),
                RowTargets = c.A(),
                F = new double[300],
                G = new double[257],
                GibbsEpsilon = 0.1,
                FToTransform = new double[300],
                WantsEntropy = true,
                Threads = threads,
            }.Run();
        PlanScan one = Scan(1),
            many = Scan(7);
        Assert.Equal(one.Cost, many.Cost);
        Assert.Equal(one.Entropy, many.Entropy);
        Assert.Equal(one.GibbsMass, many.GibbsMass);
        Assert.Equal(one.RowSums, many.RowSums);
        Assert.Equal(one.ColumnSums, many.ColumnSums);
        Assert.Equal(one.ScaledColumnSums, many.ScaledColumnSums);
        Assert.Equal(one.GTransform, many.GTransform);
    }

    [Fact]
    public void Wrong_input_is_refused_with_names_and_values()
    {
        LinearProblem problem = Golden;
        var negative = new double[5, 3];
        negative[2, 1] = -0.5;
        var refused = Assert.Throws<ArgumentException>(() => Certificate.Verify(problem, new DensePlan(Matrix.From(negative))));
        Assert.Contains("plan[2, 1] is -0.5", refused.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Certificate.Verify(problem, new DensePlan(new Matrix(3, 5))));
        Assert.Throws<ArgumentException>(() =>
            Certificate.Verify(problem, new DensePlan(new Matrix(5, 3)), new Potentials(new double[5], new double[4]))
        );
    }

    [Fact]
    public void Cancellation_is_seen()
    {
        var c = new TransportCase(300, 300, 5, CaseKind.Plain);
        Assert.ThrowsAny<OperationCanceledException>(() =>
            Certificate.Verify(c.Exact(), GarbagePlan(c, 1), cancellation: new CancellationToken(true))
        );
    }

    static LinearProblem OneSided(TransportCase c) =>
        c.Seed % 2 == 0
            ? c.Unbalanced() with
            {
                PenaltyA = MarginalPenalty.Exact,
            }
            : c.Unbalanced() with
            {
                PenaltyB = MarginalPenalty.Exact,
            };

    /// <summary>Kind 0: zero; 1: random; 2: mostly zero; 3: wild sizes. Mass only on allowed pairs.</summary>
    static DensePlan GarbagePlan(TransportCase c, ulong kind, bool onlyWeighted = false)
    {
        var random = new SeededRandom(c.Seed + (100 * kind));
        double[,] costs = c.Costs();
        double[] a = c.A(),
            b = c.B();
        var masses = new double[c.Rows, c.Columns];
        for (int i = 0; i < c.Rows; i++)
        {
            for (int j = 0; j < c.Columns; j++)
            {
                double mass = kind switch
                {
                    0 => 0,
                    1 => random.NextDouble() / (c.Rows * c.Columns),
                    2 => random.NextInt(4) == 0 ? random.NextDouble() : 0,
                    _ => Math.Exp(20 * random.NextNormal()),
                };
                bool skip = double.IsInfinity(costs[i, j]) || (onlyWeighted && a[i] * b[j] == 0);
                masses[i, j] = skip ? 0 : mass;
            }
        }
        return new DensePlan(Matrix.From(masses));
    }

    /// <summary>Kind 0: zero; 1: of the cost's size; 2: far too large; 3: wild sizes and signs.</summary>
    static Potentials GarbagePotentials(TransportCase c, ulong kind)
    {
        var random = new SeededRandom(c.Seed + (100 * kind) + 7);
        double scale = Approx.CostScale(new CostMatrix(c.Costs()));
        double Draw() =>
            kind switch
            {
                0 => 0,
                1 => scale * random.NextNormal(),
                2 => 1e6 * scale * random.NextNormal(),
                _ => random.NextNormal() * Math.Exp(100 * random.NextNormal()),
            };
        return new Potentials(
            [.. Enumerable.Range(0, c.Rows).Select(_ => Draw())],
            [.. Enumerable.Range(0, c.Columns).Select(_ => Draw())]
        );
    }

    static double NaiveDual(LinearProblem problem, Potentials potentials, double epsilon)
    {
        double sum = 0;
        for (int i = 0; i < problem.A.Count; i++)
            sum += problem.A.Weights[i] * problem.PenaltyA.Rho * (1 - Math.Exp(-potentials.F[i] / problem.PenaltyA.Rho));
        for (int j = 0; j < problem.B.Count; j++)
            sum += problem.B.Weights[j] * problem.PenaltyB.Rho * (1 - Math.Exp(-potentials.G[j] / problem.PenaltyB.Rho));
        for (int i = 0; i < problem.A.Count; i++)
        {
            for (int j = 0; j < problem.B.Count; j++)
            {
                double product = problem.A.Weights[i] * problem.B.Weights[j];
                sum -=
                    epsilon
                    * product
                    * (Math.Exp((potentials.F[i] + potentials.G[j] - problem.Geometry.Cost(i, j)) / epsilon) - 1);
            }
        }
        return sum;
    }

    [Fact]
    public void Progress_runs_from_nothing_to_one()
    {
        const int n = 300;
        var costs = new double[n * n];
        for (int k = 0; k < costs.Length; k++)
            costs[k] = (k * 0.618034) % 1;
        var problem = new LinearProblem(new CostMatrix(n, n, costs), Measure.Uniform(n), Measure.Uniform(n));
        var plan = new DensePlan(new Matrix(n, n, Array.ConvertAll(costs, _ => 1.0 / (n * n))));
        var seen = new Shares();
        Certificate.Verify(problem, plan, new Potentials(new double[n], new double[n]), seen);
        Assert.Equal(1, seen.Values.Max());
        Assert.All(seen.Values, share => Assert.InRange(share, 0, 1));
        Assert.True(seen.Values.Distinct().Count() > 10);
    }

    sealed class Shares : IProgress<double>
    {
        public System.Collections.Concurrent.ConcurrentBag<double> Values { get; } = [];

        public void Report(double value) => Values.Add(value);
    }
}
