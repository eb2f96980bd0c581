using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Convex;
using OT.Testing;

namespace OT.Tests.Solvers.Convex;

/// <summary>Small convex problems, and an objective of the tests' own.</summary>
static class ConvexCase
{
    /// <summary>All iterations, no certificate on the way.</summary>
    public static readonly MirrorSinkhornOptions Plain = new()
    {
        MaxIterations = 60,
        GapTolerance = 0,
        CertificateEvery = 0,
    };

    public static ConvexProblem Problem(TransportCase drawn, Func<CostMatrix, Measure, Measure, TransportObjective> objective)
    {
        (Measure a, Measure b) = (Measure.Of(drawn.A()), Measure.Of(drawn.B()));
        return new ConvexProblem(objective(new CostMatrix(drawn.Costs()), a, b), a, b);
    }

    public static ConvexProblem Linear(TransportCase drawn) => Problem(drawn, (costs, _, _) => TransportObjective.Linear(costs));

    public static MirrorSinkhornResult Solve(this ConvexProblem problem, MirrorSinkhornOptions? options = null) =>
        new MirrorSinkhorn(options).Solve(problem);

    /// <summary>Costs uniform in [0, 1) and weights 1/n.</summary>
    public static CostMatrix UniformCosts(int n, int m, ulong seed)
    {
        var random = new SeededRandom(seed);
        var costs = new double[n * m];
        for (int k = 0; k < costs.Length; k++)
            costs[k] = random.NextDouble();
        return new CostMatrix(n, m, costs);
    }

    /// <summary>Marginals, sign and value of an answer, whatever its status; and its bound, where an optimum is known, to rounding of its largest terms' size.</summary>
    public static void CheckFeasible(MirrorSinkhornResult result, double? optimum = null, double size = 0)
    {
        (Measure a, Measure b) = (result.Problem.A, result.Problem.B);
        (double[] rows, double[] columns) = Oracles.Marginals(result.Plan);
        double slack = 1e-14 * (a.Count + b.Count) * a.Mass;
        Approx.Equal(a.Weights, rows, slack, "row sums");
        Approx.Equal(b.Weights, columns, slack, "column sums");
        Approx.AtMost(result.MarginalError, slack * (a.Count + b.Count), "marginal error");
        double[] masses = [.. result.Plan.ToDense().Values];
        Approx.True(masses.All(mass => mass >= 0), "a mass is negative");
        if (optimum is { } best)
        {
            double scale = Math.Max(Math.Max(Math.Abs(best), Math.Abs(result.Value)), size);
            Approx.True(result.LowerBound <= best + (1e-13 * scale), $"bound {result.LowerBound} above the optimum {best}");
            Approx.True(result.Value >= best - (1e-13 * scale), $"value {result.Value} below the optimum {best}");
        }
        if (result.Gap is { } gap)
            Approx.AtMost(-gap, 0, "minus the gap");
    }

    /// <summary>An objective made of functions.</summary>
    public sealed class Custom(int rows, int columns, Func<double[], double> value, Func<double[], double[]> gradient)
        : TransportObjective(rows, columns)
    {
        readonly double _largestStep = double.PositiveInfinity;

        public override bool IsConvex => true;

        public override double LargestStep => _largestStep;

        public double Step
        {
            init => _largestStep = value;
        }

        public override double Value(ReadOnlySpan<double> plan) => value(plan.ToArray());

        public override void Gradient(ReadOnlySpan<double> plan, Span<double> result) => gradient(plan.ToArray()).CopyTo(result);
    }
}
