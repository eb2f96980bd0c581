using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Testing;
using Xunit;

namespace OT.Tests.Results;

public class PlanTests
{
    public static TheoryData<string> Kinds => ["dense", "sparse", "potential", "rounded"];

    [Fact]
    public void PlanCsrRoundTrip() =>
        Law.Check(
            Cases.Any(9),
            c =>
            {
                TransportPlan exact = Oracles.Exact(c.Exact()).Plan;
                SparseMatrix rows = exact.ToSparse();
                var again = new SparsePlan(
                    new SparseMatrix(rows.Rows, rows.Columns, [.. rows.RowStarts], [.. rows.ColumnIndices], [.. rows.Values])
                );
                Assert.Equal(exact.ToDense().ToArray(), again.ToDense().ToArray());
                Assert.Same(again.Values, again.ToSparse());
                Assert.All(rows.Values.ToArray(), mass => Assert.True(mass > 0));
            },
            30
        );

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_view_of_a_plan_is_the_same_plan(string kind) =>
        Law.Check(
            Cases.AllPairsAllowed(8),
            c =>
            {
                TransportPlan plan = Make(kind, c);
                double[,] dense = plan.ToDense().ToArray();
                double largest = dense.Cast<double>().Max();
                double[] v = [.. Enumerable.Range(0, c.Columns).Select(j => j - 1.5)];
                double[] u = [.. Enumerable.Range(0, c.Rows).Select(i => 2.5 - i)];
                var applied = new double[c.Rows];
                var appliedTranspose = new double[c.Columns];
                plan.Apply(v, applied);
                plan.ApplyTranspose(u, appliedTranspose);
                (double[] rows, double[] columns) = plan.Marginals();
                double tolerance = 1e-14 * 8 * c.Rows * c.Columns * largest;
                for (int i = 0; i < c.Rows; i++)
                {
                    Approx.Equal(Enumerable.Range(0, c.Columns).Sum(j => dense[i, j] * v[j]), applied[i], tolerance, "P v");
                    Approx.Equal(Enumerable.Range(0, c.Columns).Sum(j => dense[i, j]), rows[i], tolerance, "P 1");
                }
                for (int j = 0; j < c.Columns; j++)
                {
                    Approx.Equal(
                        Enumerable.Range(0, c.Rows).Sum(i => dense[i, j] * u[i]),
                        appliedTranspose[j],
                        tolerance,
                        "Pᵀ u"
                    );
                    Approx.Equal(Enumerable.Range(0, c.Rows).Sum(i => dense[i, j]), columns[j], tolerance, "Pᵀ 1");
                }
                SparseMatrix half = plan.ToSparse(largest / 2);
                Assert.Equal(dense.Cast<double>().Count(mass => mass > largest / 2), half.NonZeros);
                Assert.Equal(dense.Cast<double>().Count(mass => mass > 0), plan.ToSparse().NonZeros);
            },
            30
        );

    [Theory]
    [MemberData(nameof(Kinds))]
    public void LengthMismatchThrows(string kind)
    {
        TransportPlan plan = Make(kind, new TransportCase(3, 2, 1, CaseKind.Plain));
        Assert.Throws<ArgumentException>(() => plan.Apply(new double[3], new double[3]));
        Assert.Throws<ArgumentException>(() => plan.Apply(new double[2], new double[2]));
        Assert.Throws<ArgumentException>(() => plan.ApplyTranspose(new double[2], new double[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => plan.ToSparse(-1));
    }

    [Fact]
    public void Potential_plans_are_the_formula_and_zero_at_zero_weights()
    {
        var geometry = new CostMatrix(
            new[,]
            {
                { 0.5, double.PositiveInfinity },
                { 1, 2 },
            }
        );
        var plan = new PotentialPlan(
            geometry,
            Measure.Of([0.25, 0.75]),
            Measure.Of([1.0, 0.5]),
            new Potentials([1, -1], [0.5, 2]),
            0.5
        );
        double[,] dense = plan.ToDense().ToArray();
        Assert.Equal(0.25 * Math.Exp((1 + 0.5 - 0.5) / 0.5), dense[0, 0], 1e-14);
        Assert.Equal(0, dense[0, 1]);
        Assert.Equal(0.75 * 0.5 * Math.Exp((-1 + 2 - 2) / 0.5), dense[1, 1], 1e-15);
        var padded = new PotentialPlan(
            geometry,
            Measure.Of([0.0, 1.0]),
            Measure.Of([1.0, 0.0]),
            new Potentials([1, -1], [0.5, 2]),
            0.5
        );
        Assert.Equal([0.0, 0.0], padded.ToDense().Row(0).ToArray());
        Assert.Equal(0, padded.ToDense()[1, 1]);
        Assert.Throws<ArgumentException>(() =>
            new PotentialPlan(geometry, Measure.Uniform(3), Measure.Uniform(2), new Potentials([1, 1], [1, 1]), 1)
        );
        Assert.Throws<ArgumentException>(() =>
            new PotentialPlan(geometry, Measure.Uniform(2), Measure.Uniform(2), new Potentials([1], [1, 1]), 1)
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new PotentialPlan(geometry, Measure.Uniform(2), Measure.Uniform(2), new Potentials([1, 1], [1, 1]), 0)
        );
    }

    [Fact]
    public void Masses_and_potentials_must_be_finite()
    {
        Assert.Throws<ArgumentException>(() => new DensePlan(Matrix.From([double.NaN])));
        Assert.Throws<ArgumentException>(() =>
            new SparsePlan(SparseMatrix.FromTriples(1, 1, [0], [0], [double.PositiveInfinity]))
        );
        Assert.Contains(
            "f[1] is NaN",
            Assert.Throws<ArgumentException>(() => new Potentials([0, double.NaN], [0])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Centred_potentials_balance_their_means_and_keep_their_sums()
    {
        Measure a = Measure.Of([0.2, 0.8]),
            b = Measure.Of([0.5, 0.5, 0]);
        var potentials = new Potentials([3, 5], [-1, 2, 7]);
        Potentials centred = potentials.Centred(a, b);
        double left = (0.2 * centred.F[0]) + (0.8 * centred.F[1]);
        double right = 0.5 * (centred.G[0] + centred.G[1]);
        Assert.Equal(left, right, 1e-14);
        Assert.Equal(potentials.F[1] + potentials.G[2], centred.F[1] + centred.G[2], 1e-14);
    }

    [Fact]
    public void ValuePartsSumToTotal()
    {
        var result = new TransportResult
        {
            Status = SolverStatus.Converged,
            Iterations = 1,
            Problem = new TransportCase(1, 1, 1, CaseKind.Plain).Exact(),
            Plan = new DensePlan(Matrix.From([1.0])),
            TransportCost = 1,
            RegularizerValue = 2,
            PenaltyValueA = 4,
            PenaltyValueB = 8,
        };
        Assert.Equal(15, result.Value);
        Assert.True(result.Converged);
        result.EnsureConverged();
        Assert.Same(result.Certify(), result.Certify());
    }

    [Fact]
    public void EnsureConverged_throws_with_status_and_message()
    {
        var result = new TransportResult
        {
            Status = SolverStatus.IterationLimit,
            Iterations = 17,
            Message = "Told to stop.",
            Problem = new TransportCase(1, 1, 1, CaseKind.Plain).Exact(),
            Plan = new DensePlan(Matrix.From([1.0])),
        };
        string message = Assert.Throws<InvalidOperationException>(result.EnsureConverged).Message;
        Assert.Contains("IterationLimit after 17 iterations. Told to stop.", message, StringComparison.Ordinal);
    }

    static TransportPlan Make(string kind, TransportCase c)
    {
        LinearProblem problem = c.Entropic();
        double epsilon = ((EntropyRegularizer)problem.Regularizer).Epsilon.Resolve(problem.Geometry);
        return kind switch
        {
            "dense" => Oracles.Exact(c.Exact()).Plan,
            "sparse" => new SparsePlan(Oracles.Exact(c.Exact()).Plan.ToSparse()),
            "potential" => new PotentialPlan(
                problem.Geometry,
                problem.A,
                problem.B,
                Oracles.Sinkhorn(problem, 1e-3, 100).Potentials!,
                epsilon
            ),
            _ => Certificate.Verify(c.Exact(), new DensePlan(new Matrix(c.Rows, c.Columns))).FeasiblePlan,
        };
    }
}
