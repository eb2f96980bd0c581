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

    internal static IEnumerable<LinearProblem> Variants(TransportCase c)
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
        costs.Check(problem, At, sum, Tolerance * (size + terms), "in C");

        Direction weights = Direction.OfWeights(problem, seed + 2);
        (double inA, double termsA) = Direction.Along(gradient.A, weights.A);
        (double inB, double termsB) = Direction.Along(gradient.B, weights.B);
        weights.Check(problem, At, inA + inB, Tolerance * (size + termsA + termsB), "in the weights");

        Direction epsilon = Direction.OfEpsilon(problem);
        epsilon.Check(
            problem,
            At,
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

    /// <summary>A loss of plan and potentials in the points of both clouds, contracted without any n × m matrix.</summary>
    [Theory]
    [InlineData("sqeuclidean", double.PositiveInfinity)]
    [InlineData("sqeuclidean", 0.7)]
    [InlineData("euclidean", double.PositiveInfinity)]
    [InlineData("custom", 0.7)]
    public void Points_of_both_clouds(string name, double rho)
    {
        GroundCost cost = name switch
        {
            "sqeuclidean" => GroundCost.SquaredEuclidean,
            "euclidean" => GroundCost.Euclidean,
            _ => EntropicGradientTests.Smooth,
        };
        var random = new SeededRandom(12);
        double[] x = EntropicGradientTests.Draw(random, 5, 2),
            y = EntropicGradientTests.Draw(random, 6, 2),
            v = EntropicGradientTests.Draw(random, 5, 2),
            w = EntropicGradientTests.Draw(random, 6, 2);
        double[] a = EntropicGradientTests.SomeWeights(random, 5, zero: 1),
            b = EntropicGradientTests.SomeWeights(random, 6, zero: 2);
        LinearProblem At(double t) =>
            EntropicCase
                .Of(
                    new PointCloud(
                        new Matrix(5, 2, EntropicGradientTests.Moved(x, v, t)),
                        new Matrix(6, 2, EntropicGradientTests.Moved(y, w, t)),
                        cost
                    ),
                    a,
                    b,
                    0.2
                )
                .Penalised(rho, rho);
        var loss = new Loss(At(0), 3, potentials: true);
        PlanGradient gradient = new ImplicitGradient(Solve(At(0))).Pullback(
            loss.Cotangent,
            TestContext.Current.CancellationToken
        );
        PointGradient points = gradient.Points(TestContext.Current.CancellationToken);
        double quotient = Direction.Stencil(t => loss.At(Solve(At(t))), 5e-4);
        double sum = Direction.Along(points.Source.Values, v).Sum + Direction.Along(points.Target.Values, w).Sum;
        Assert.Equal(quotient, sum, 1e-6 * (1 + Math.Abs(sum)));
    }

    [Theory]
    [InlineData(double.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(0.7, 1.2)]
    [InlineData(double.PositiveInfinity, 1.2)]
    public void Hessian_products_are_differences_of_gradients(double rhoA, double rhoB)
    {
        var random = new SeededRandom(21);
        double[] x = EntropicGradientTests.Draw(random, 6, 2),
            y = EntropicGradientTests.Draw(random, 4, 2),
            v = EntropicGradientTests.Draw(random, 6, 2),
            w = EntropicGradientTests.Draw(random, 4, 2);
        double[] a = EntropicGradientTests.SomeWeights(random, 6, zero: 1),
            b = EntropicGradientTests.SomeWeights(random, 4, zero: 0);
        LinearProblem At(double t, double[]? da = null, double[]? db = null, bool moves = true) =>
            EntropicCase
                .Of(
                    new PointCloud(
                        new Matrix(6, 2, moves ? EntropicGradientTests.Moved(x, v, t) : x),
                        new Matrix(4, 2, moves ? EntropicGradientTests.Moved(y, w, t) : y),
                        GroundCost.HalfSquaredEuclidean
                    ),
                    da is null ? a : EntropicGradientTests.Moved(a, da, t),
                    db is null ? b : EntropicGradientTests.Moved(b, db, t),
                    0.15
                )
                .Penalised(rhoA, rhoB);
        var implicitly = new ImplicitGradient(Solve(At(0)));
        HessianProduct inPoints = implicitly.HessianInPoints(
            new Matrix(6, 2, v),
            new Matrix(4, 2, w),
            TestContext.Current.CancellationToken
        );
        Assert.True(inPoints.Converged);
        for (int k = 0; k < 12; k++)
            Assert.Equal(
                Direction.Stencil(t => EntropicGradient.Of(Solve(At(t))).Points().Source.Values[k], 5e-4),
                inPoints.Source.Values[k],
                1e-7
            );
        for (int k = 0; k < 8; k++)
            Assert.Equal(
                Direction.Stencil(t => EntropicGradient.Of(Solve(At(t))).Points().Target.Values[k], 5e-4),
                inPoints.Target.Values[k],
                1e-7
            );

        Direction weights = Direction.OfWeights(At(0), 4);
        if (At(0).IsBalanced)
        {
            weights = weights with
            {
                A = EntropicGradientTests.KeepMass(weights.A!, At(0).A),
                B = EntropicGradientTests.KeepMass(weights.B!, At(0).B),
            };
        }
        HessianProduct inWeights = implicitly.HessianInWeights(weights.A, weights.B, TestContext.Current.CancellationToken);
        var moved = new ImplicitGradientTests.Weights(t => EntropicGradient.Of(Solve(At(t, weights.A, weights.B, moves: false))));
        double Free(ReadOnlySpan<double> side) => At(0).IsBalanced ? side[1] : 0;
        for (int k = 0; k < 6; k++)
            Assert.Equal(moved.Quotient(g => g.A[k] - Free(g.A)), inWeights.Source[k, 0] - Free(inWeights.Source.Values), 1e-7);
        for (int k = 0; k < 4; k++)
            Assert.Equal(moved.Quotient(g => g.B[k] - Free(g.B)), inWeights.Target[k, 0] - Free(inWeights.Target.Values), 1e-7);
    }

    sealed class Weights(Func<double, EntropicGradient> at)
    {
        public double Quotient(Func<EntropicGradient, double> of) => Direction.Stencil(t => of(at(t)), 5e-4);
    }

    /// <summary>Marginals of ones, cost −X, ε = τ, as re-basin has them: ∂ℓ/∂X has zero row and column sums, and X + r1ᵀ + 1sᵀ has the same.</summary>
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.7)]
    [InlineData(1)]
    public void Unit_marginals(double tau)
    {
        const int h = 6;
        var random = new SeededRandom(2);
        double[] x = [.. Enumerable.Range(0, h * h).Select(k => (k / h == k % h ? 1 : 0) + (0.1 * random.NextNormal()))];
        double[] shifted = [.. x.Select((value, k) => value + (0.3 * (k / h)) - (0.2 * (k % h)))];
        double[] ones = [.. Enumerable.Repeat(1.0, h)];
        var cotangent = PlanCotangent.OfPlan(new Matrix(h, h, [.. x.Select(_ => random.NextNormal())]));
        Matrix Gradient(double[] values) =>
            new ImplicitGradient(Solve(EntropicCase.Of(new CostMatrix(h, h, Array.ConvertAll(values, v => -v)), ones, ones, tau)))
                .Pullback(cotangent, TestContext.Current.CancellationToken)
                .Cost();
        Matrix gradient = Gradient(x);
        double size = gradient.Values.ToArray().Max(Math.Abs);
        double rounding = 4 * Approx.Unit * h * 3 / tau; // of the terms P̄ ∘ P / τ
        for (int i = 0; i < h; i++)
        {
            Assert.Equal(0, gradient.Row(i).ToArray().Sum(), rounding);
            Assert.Equal(0, gradient.Transpose().Row(i).ToArray().Sum(), rounding);
        }
        Approx.Equal(gradient.Values, Gradient(shifted).Values, 1e-10 * size, "shifted costs");
    }

    /// <summary>Near a permutation the system's couplings are far below rounding; derivatives in the costs stay small, and no ridge is needed.</summary>
    [Theory]
    [InlineData(0.05)]
    [InlineData(0.02)]
    [InlineData(0.002)]
    public void Near_permutations(double epsilon)
    {
        const int h = 5;
        var random = new SeededRandom(3);
        double[] costs =
        [
            .. Enumerable.Range(0, h * h).Select(k => (k / h == ((2 * (k % h)) + 1) % h ? 0 : 1.0) + (0.2 * random.NextDouble())),
        ];
        double[] ones = [.. Enumerable.Repeat(1.0, h)];
        LinearProblem problem = EntropicCase.Of(new CostMatrix(h, h, costs), ones, ones, epsilon);
        // Exponents C/ε are known to 1e-13 here.
        TransportResult Near(LinearProblem p) => new Sinkhorn(s_tight with { Tolerance = 1e-12 }).Solve(p);
        TransportResult result = Near(problem);
        var loss = new Loss(problem, 1, potentials: false);
        PlanGradient gradient = new ImplicitGradient(result).Pullback(loss.Cotangent, TestContext.Current.CancellationToken);
        Assert.True(gradient.Converged, gradient.Message);
        Matrix plan = result.Plan.ToDense(),
            cost = gradient.Cost();
        // |∂ℓ/∂C_ij| is at most a few times what crosses, Σ of the smaller masses, over ε.
        double crossing = 0;
        for (int k = 0; k < h * h; k++)
            crossing += Math.Min(plan.Values[k], Math.Abs(1 - plan.Values[k]));
        Assert.All(cost.Values.ToArray(), v => Assert.InRange(Math.Abs(v), 0, (100 * crossing / epsilon) + (1e-13 / epsilon)));
        Direction direction = Direction.OfCosts(problem, 8);
        double quotient = direction.Quotient(problem, p => loss.At(Near(p)));
        double expected = Direction.Along(cost.Values, direction.Costs!.Cast<double>().ToArray()).Sum;
        Assert.Equal(quotient, expected, 1e-9);
    }

    /// <summary>A weight of next to nothing has a multiplier of next to infinity, which must not swallow the others' digits.</summary>
    [Theory]
    [InlineData(1e-18, 1024)]
    [InlineData(1e-300, 1024)]
    [InlineData(1e-18, 0)]
    [InlineData(1e-300, 0)]
    public void Tiny_weights(double tiny, int maxNodes)
    {
        LinearProblem Problem(double first) =>
            EntropicCase.Of(
                new PointCloud(EntropicCase.Square(4, 5), EntropicCase.Square(5, 6)),
                [first, 0.3, 0.3, 0.4],
                [.2, .2, .1, .3, .2],
                0.1
            );
        var loss = new Loss(Problem(0), 4, potentials: true);
        PlanGradient Of(double first) =>
            new ImplicitGradient(Solve(Problem(first)), new ImplicitGradientOptions { MaxNodes = maxNodes }).Pullback(
                loss.Cotangent,
                TestContext.Current.CancellationToken
            );
        PlanGradient empty = Of(0),
            nearly = Of(tiny);
        Assert.True(empty.Converged, empty.Message);
        Assert.True(nearly.Converged, nearly.Message);
        double size = empty.A.ToArray().Max(Math.Abs);
        Approx.Equal(empty.A, nearly.A, 1e-8 * size, "A");
        Approx.Equal(empty.B, nearly.B, 1e-8 * size, "B");
        Approx.Equal(empty.Cost().Values, nearly.Cost().Values, 1e-8 * size, "C");
        Assert.Equal(empty.Epsilon, nearly.Epsilon, 1e-8 * (1 + Math.Abs(empty.Epsilon)));
    }

    /// <summary>Potentials across parts that no mass connects: said, not guessed.</summary>
    [Fact]
    public void Unconnected_parts_are_reported()
    {
        double inf = double.PositiveInfinity;
        TransportResult result = Solve(EntropicCase.Of(new CostMatrix(2, 2, [0, inf, inf, 0]), [.5, .5], [.5, .5], 1));
        var gradient = new ImplicitGradient(result);
        CancellationToken token = TestContext.Current.CancellationToken;
        PlanGradient across = gradient.Pullback(PlanCotangent.OfPotentials([1, -1], [0, 0]), token);
        Assert.Equal(SolverStatus.NumericalFailure, across.Status);
        Assert.Contains("unbounded", across.Message, StringComparison.Ordinal);
        PlanGradient within = gradient.Pullback(PlanCotangent.OfPotentials([1, 2], [1, 2]), token);
        Assert.True(within.Converged, within.Message);
        Assert.Equal([1, 0, 0, 2], within.Cost().Values.ToArray());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1024)]
    public void SameBitsAnyThreadCount(int maxNodes)
    {
        LinearProblem problem = EntropicCase.Of(
            new PointCloud(EntropicCase.Square(150, 1), EntropicCase.Square(190, 2)),
            [.. Enumerable.Repeat(1.0 / 150, 150)],
            [.. Enumerable.Repeat(1.0 / 190, 190)],
            0.05
        );
        TransportResult result = Solve(problem);
        var loss = new Loss(problem, 6, potentials: true);
        PlanGradient Of(int threads)
        {
            using var backend = new OT.Backends.ManagedBackend(threads);
            return new ImplicitGradient(result, new ImplicitGradientOptions { MaxNodes = maxNodes }, backend).Pullback(
                loss.Cotangent,
                TestContext.Current.CancellationToken
            );
        }
        PlanGradient one = Of(1),
            three = Of(3);
        Assert.True(one.Converged, one.Message);
        Assert.Equal(maxNodes == 0, one.Iterations > 0);
        Assert.Equal(one.A, three.A);
        Assert.Equal(one.B, three.B);
        Assert.Equal(one.Epsilon, three.Epsilon);
        Assert.Equal(one.Cost().Values, three.Cost().Values);
        // Both ways to solve agree.
        PlanGradient other = new ImplicitGradient(result, new ImplicitGradientOptions { MaxNodes = 1024 - maxNodes }).Pullback(
            loss.Cotangent,
            TestContext.Current.CancellationToken
        );
        double size = one.A.ToArray().Max(Math.Abs);
        Approx.Equal(one.A, other.A, 1e-7 * size, "A");
        Approx.Equal(one.B, other.B, 1e-7 * size, "B");
    }

    [Fact]
    public void Limits_and_cancellation_are_statuses()
    {
        LinearProblem problem = EntropicCase.Of(
            new PointCloud(EntropicCase.Square(30, 1), EntropicCase.Square(40, 2)),
            [.. Enumerable.Repeat(1.0 / 30, 30)],
            [.. Enumerable.Repeat(1.0 / 40, 40)],
            0.01
        );
        TransportResult result = Solve(problem);
        PlanCotangent cotangent = new Loss(problem, 1, potentials: true).Cotangent;
        PlanGradient limited = new ImplicitGradient(
            result,
            new ImplicitGradientOptions { MaxNodes = 0, MaxIterations = 2 }
        ).Pullback(cotangent, TestContext.Current.CancellationToken);
        Assert.Equal((SolverStatus.IterationLimit, 2), (limited.Status, limited.Iterations));
        Assert.True(limited.Residual > 1e-10);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        PlanGradient stopped = new ImplicitGradient(result).Pullback(cotangent, cancelled.Token);
        Assert.Equal(SolverStatus.Cancelled, stopped.Status);
        Assert.Equal(30, stopped.A.Length);
        Assert.True(double.IsNaN(stopped.A[0]));
        Assert.Throws<InvalidOperationException>(() => stopped.Cost());
        Assert.Equal(
            SolverStatus.Cancelled,
            new ImplicitGradient(result).HessianInPoints(new Matrix(30, 2), new Matrix(40, 2), cancelled.Token).Status
        );
        TransportResult rough = new Sinkhorn(new() { MaxIterations = 3 }).Solve(problem);
        PlanGradient early = new ImplicitGradient(rough).Pullback(cotangent, TestContext.Current.CancellationToken);
        Assert.Equal(SolverStatus.IterationLimit, early.Status);
        Assert.Contains("The plan itself", early.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refusals_give_the_rule()
    {
        LinearProblem problem = EntropicCase.Of(new CostMatrix(2, 3, [1, 2, 3, 4, 5, 7.0]), [.5, .5], [.2, .3, .5], 1);
        var gradient = new ImplicitGradient(Solve(problem));
        CancellationToken token = TestContext.Current.CancellationToken;
        string Refusal(PlanCotangent cotangent) =>
            Assert.ThrowsAny<ArgumentException>(() => gradient.Pullback(cotangent, token)).Message;
        Assert.Contains("(f + t, g − t)", Refusal(PlanCotangent.OfPotentials([1, 0], [0, 0, 0])), StringComparison.Ordinal);
        Assert.Contains("3 x 2", Refusal(PlanCotangent.OfPlan(new Matrix(3, 2))), StringComparison.Ordinal);
        Assert.Contains("F", Refusal(PlanCotangent.OfPotentials([1], [0, 1, 0])), StringComparison.Ordinal);
        Assert.Contains("finite", Refusal(PlanCotangent.OfPotentials([double.NaN, 0], [0, 0, 0])), StringComparison.Ordinal);
        Assert.Contains(
            "finite",
            Refusal(new PlanCotangent { Plan = (_, values) => values.Fill(double.NaN) }),
            StringComparison.Ordinal
        );
        Assert.ThrowsAny<ArgumentException>(() => PlanCotangent.OfPlan(new Matrix(1, 1, [double.NaN])));
        Assert.ThrowsAny<ArgumentException>(() => new ImplicitGradient(Solve(problem), new() { Tolerance = 0 }));
        Assert.ThrowsAny<ArgumentException>(() => new ImplicitGradient(Solve(problem), new() { MaxIterations = -1 }));
        Assert.Throws<NotSupportedException>(() => gradient.HessianInPoints(new Matrix(2, 1), new Matrix(3, 1), token));
        Assert.ThrowsAny<ArgumentException>(() => gradient.HessianInWeights([1, 0], [0, 0, 0], token));
        double inf = double.PositiveInfinity;
        var dead = new ImplicitGradient(Solve(EntropicCase.Of(new CostMatrix(2, 1, [inf, 1]), [0, 1], [1], 1)));
        Assert.Contains(
            "source bin 0",
            Assert.Throws<ArgumentException>(() => dead.Pullback(PlanCotangent.OfPotentials([1, 0], [1]), token)).Message,
            StringComparison.Ordinal
        );
        Assert.True(dead.Pullback(PlanCotangent.OfPotentials([0, 1], [1]), token).Converged);
        // With a penalty nothing is free, so nothing is refused.
        PlanGradient free = new ImplicitGradient(Solve(problem.Penalised(1, double.PositiveInfinity))).Pullback(
            PlanCotangent.OfPotentials([1, 0], [0, 0, 0]),
            token
        );
        Assert.True(free.Converged);
    }
}
