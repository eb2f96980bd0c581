using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Testing;

namespace OT.Tests.Solvers.Entropic;

/// <summary>Small entropic problems over every geometry.</summary>
static class EntropicCase
{
    /// <summary>A balanced problem; ε in cost units.</summary>
    public static LinearProblem Of(string kind, int n, int m, double epsilon = 0.1, ulong seed = 3, int zeroIn = 0)
    {
        var random = new SeededRandom(seed + 100);
        return Of(
            SomeGeometry.Of(kind, n, m, seed),
            SomeGeometry.Weights(random, n, zeroIn),
            SomeGeometry.Weights(random, m, zeroIn),
            epsilon
        );
    }

    public static LinearProblem Of(Geometry geometry, double[] a, double[] b, double epsilon) =>
        new(geometry, Measure.Of(a), Measure.Of(b)) { Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)) };

    /// <summary>The same with penalties; <c>+∞</c> is a hard marginal.</summary>
    public static LinearProblem Penalised(this LinearProblem problem, double rhoA, double rhoB) =>
        problem with
        {
            PenaltyA = MarginalPenalty.KullbackLeibler(rhoA),
            PenaltyB = MarginalPenalty.KullbackLeibler(rhoB),
        };

    /// <summary>The same with total variation; <c>+∞</c> is a hard marginal.</summary>
    public static LinearProblem Bounded(this LinearProblem problem, double rhoA, double rhoB) =>
        problem with
        {
            PenaltyA = MarginalPenalty.TotalVariation(rhoA),
            PenaltyB = MarginalPenalty.TotalVariation(rhoB),
        };

    public static TransportResult Solve(this LinearProblem problem, SinkhornOptions? options = null) =>
        new Sinkhorn(options).Solve(problem);

    public static SinkhornOptions Tight => new() { Tolerance = 1e-11, MaxIterations = 200_000 };

    /// <summary>Points of n rows in the unit square.</summary>
    public static Matrix Square(int n, ulong seed) => new(n, 2, SomeGeometry.Draw(new SeededRandom(seed), 2 * n));
}
