using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;
using OT.Testing;

namespace OT.Tests.Solvers.Classes;

/// <summary>Problems with sums of norms made from a case, and what must hold of every answer.</summary>
static class FusionCase
{
    /// <summary>Nearest neighbours on both sides; λ is a share, 0.01 to 1, of the mean distance of costs from their mean. Every third case compares plans as they stand.</summary>
    public static LinearProblem Of(TransportCase value, double? share = null)
    {
        var random = new SeededRandom(value.Seed ^ 0xc1a5);
        LinearProblem exact = value.Exact();
        CostStatistics statistics = exact.Geometry.Statistics;
        double scale = statistics.StandardDeviation > 0 ? statistics.StandardDeviation : Math.Max(statistics.MaxMagnitude, 1e-3);
        double lambda = scale * (share ?? Math.Pow(10, -2 * random.NextDouble()));
        return exact with
        {
            Regularizer = new SumOfNormsRegularizer(
                lambda,
                PairWeights.Nearest(value.Source(), 1 + random.NextInt(4)),
                random.NextInt(4) == 0
                    ? PairWeights.None(value.Columns)
                    : PairWeights.Nearest(value.Target(), 1 + random.NextInt(4))
            )
            {
                NormalizesByMass = random.NextInt(3) > 0,
            },
        };
    }

    public static SumOfNormsResult Solve(LinearProblem problem, double gap = 1e-6, SumOfNormsAlgorithm algorithm = default) =>
        new SumOfNorms(new() { RelativeGap = gap, Algorithm = algorithm }).Solve(problem);

    /// <summary>A feasible, nonnegative plan whose value is what it says, around a gap that is not negative.</summary>
    public static void Check(SumOfNormsResult result)
    {
        LinearProblem problem = result.Problem;
        double mass = problem.A.Mass,
            scale = Approx.CostScale(problem.Geometry),
            terms = problem.A.Count + problem.B.Count;
        Approx.AtMost(result.MarginalError, 1e-14 * terms * mass, "marginal error");
        Approx.AtMost(-result.Plan.ToDense().Values.ToArray().Min(), 0, "the most negative mass");
        // Equal rows of a plan differ by its rounding, and λ magnifies that.
        var regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        double pairs = regularizer.Rows.Pairs.Sum(p => p.Weight) + regularizer.Columns.Pairs.Sum(p => p.Weight),
            rounding = 1e-15 * regularizer.Lambda * pairs * mass;
        double objective = ClassOracles.Objective(problem, result.Plan);
        Approx.Equal(objective, result.Value, (1e-13 * terms * ((scale * mass) + Math.Abs(objective))) + (8 * rounding), "value");
        Approx.AtMost(-result.Gap, 0, "a gap below zero");
        SumOfNormsCertificate certificate = result.Certify();
        Approx.Equal(result.LowerBound, certificate.LowerBound!.Value, 1e-13 * terms * scale * mass, "bound");
    }
}
