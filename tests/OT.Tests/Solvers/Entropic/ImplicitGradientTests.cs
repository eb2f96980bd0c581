using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Entropic;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Entropic;

/// <summary>Derivatives of plans and potentials against difference quotients, in everything they depend on.</summary>
public class ImplicitGradientTests
{
    static readonly SinkhornOptions s_tight = new() { Tolerance = 1e-14, MaxIterations = 100_000 };

    static readonly CaseKind[] s_kinds =
    [
        CaseKind.Plain,
        CaseKind.ZeroWeights,
        CaseKind.Duplicates,
        CaseKind.ConstantCost,
        CaseKind.IntegerCost,
        CaseKind.SignedCost,
        CaseKind.HugeCost,
        CaseKind.Forbidden,
    ];

    /// <summary>A loss <c>⟨P̄, P⟩ + ⟨f̄, f⟩ + ⟨ḡ, g⟩</c> with numbers of size 1, or 1/cost where they meet potentials.</summary>
    sealed class Loss
    {
        readonly Matrix _plan;
        readonly double[] _f;
        readonly double[] _g;

        public Loss(LinearProblem problem, ulong seed, bool potentials)
        {
            var random = new SeededRandom(seed);
            int n = problem.A.Count,
                m = problem.B.Count;
            double unit = potentials ? 1 / Approx.CostScale(problem.Geometry) : 0;
            _plan = new Matrix(n, m, [.. Enumerable.Range(0, n * m).Select(_ => random.NextNormal())]);
            _f = [.. Enumerable.Range(0, n).Select(_ => unit * random.NextNormal())];
            _g = [.. Enumerable.Range(0, m).Select(_ => unit * random.NextNormal())];
            if (problem.IsBalanced)
                _g[0] += _f.Sum() - _g.Sum();
        }

        public PlanCotangent Cotangent => PlanCotangent.OfPlan(_plan) with { F = _f, G = _g };

        public double At(TransportResult result)
        {
            Matrix plan = result.Plan.ToDense();
            double sum = 0;
            for (int k = 0; k < plan.Values.Length; k++)
                sum += plan.Values[k] * _plan.Values[k];
            return sum + Summation.Dot(_f, result.Potentials!.F) + Summation.Dot(_g, result.Potentials.G);
        }
    }

    static TransportResult Solve(LinearProblem problem) => new Sinkhorn(s_tight).Solve(problem);

    static IEnumerable<LinearProblem> Variants(TransportCase c)
    {
        LinearProblem balanced = c.Entropic(),
            unbalanced = c.Unbalanced();
        yield return balanced;
        // Any total mass: re-basin's marginals are ones.
        double mass = Math.Max(c.Rows, c.Columns);
        yield return new LinearProblem(balanced.Geometry, balanced.A.Scale(mass), balanced.B.Scale(mass))
        {
            Regularizer = balanced.Regularizer,
        };
        yield return unbalanced;
        yield return unbalanced with
        {
            PenaltyA = MarginalPenalty.Exact,
        };
        yield return new LinearProblem(unbalanced.Geometry, unbalanced.A.Scale(2), unbalanced.B.Scale(0.7))
        {
            Regularizer = unbalanced.Regularizer,
            PenaltyA = unbalanced.PenaltyA,
            PenaltyB = unbalanced.PenaltyB,
        };
    }

    // Quotients: truncation 1e-12 and rounding 1e-14/1e-3, both times what near-degenerate plans amplify; relative to the sizes of loss and terms.
    const double Tolerance = 2e-7;

    static void CheckAll(LinearProblem problem, ulong seed, bool potentials, ImplicitGradientOptions? options = null)
    {
        var loss = new Loss(problem, seed, potentials);
        TransportResult result = Solve(problem);
        PlanGradient gradient = new ImplicitGradient(result, options).Pullback(
            loss.Cotangent,
            TestContext.Current.CancellationToken
        );
        double At(LinearProblem moved) => loss.At(Solve(moved));
        double size = 1 + Math.Abs(loss.At(result));

        Direction costs = Direction.OfCosts(problem, seed + 1);
        (double sum, double terms) = Direction.Along(gradient.Cost().Values, costs.Costs!.Cast<double>().ToArray());
        Approx.Equal(costs.Quotient(problem, At), sum, Tolerance * (size + terms), "in C");

        Direction weights = Direction.OfWeights(problem, seed + 2);
        (double inA, double termsA) = Direction.Along(gradient.A, weights.A);
        (double inB, double termsB) = Direction.Along(gradient.B, weights.B);
        Approx.Equal(weights.Quotient(problem, At), inA + inB, Tolerance * (size + termsA + termsB), "in the weights");

        Direction epsilon = Direction.OfEpsilon(problem);
        Approx.Equal(
            epsilon.Quotient(problem, At),
            gradient.Epsilon * epsilon.Epsilon,
            Tolerance * (size + terms + Math.Abs(gradient.Epsilon * epsilon.Epsilon)),
            "in ε"
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void GradientVsFiniteDifference(bool potentials) =>
        Law.Check(
            Cases.Of(6, s_kinds),
            c =>
            {
                foreach (LinearProblem problem in Variants(c))
                    CheckAll(problem, c.Seed, potentials);
            },
            25,
            2000
        );

    /// <summary>Conjugate gradients, on which larger systems depend.</summary>
    [Fact]
    public void Iterative_solves_give_the_same() =>
        Law.Check(
            Cases.Of(6, s_kinds),
            c =>
            {
                foreach (LinearProblem problem in Variants(c))
                    CheckAll(problem, c.Seed, potentials: true, new ImplicitGradientOptions { MaxNodes = 0 });
            },
            10,
            1000
        );
}
