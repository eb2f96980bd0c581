using OT.Geometries;
using OT.Numerics;
using OT.Problems;

namespace OT.Testing;

/// <summary>What is special about a <see cref="TransportCase"/>.</summary>
public enum CaseKind
{
    /// <summary>Positive weights, points in the unit square, squared distances.</summary>
    Plain,

    /// <summary>About a third of the weights are zero.</summary>
    ZeroWeights,

    /// <summary>Points and costs repeat.</summary>
    Duplicates,

    /// <summary>Every pair costs the same.</summary>
    ConstantCost,

    /// <summary>Small integer costs and equal weights: many optimal plans.</summary>
    IntegerCost,

    /// <summary>ε is 0.002 of the mean cost.</summary>
    TinyEpsilon,

    /// <summary>Costs near 1e32.</summary>
    HugeCost,

    /// <summary>Costs of both signs without any structure.</summary>
    SignedCost,

    /// <summary>About a third of the pairs are forbidden; a plan exists.</summary>
    Forbidden,
}

/// <summary>A transport problem named by four numbers: it prints on one line, shrinks by size and replays by value.</summary>
/// <param name="Rows">Number of sources, n.</param>
/// <param name="Columns">Number of targets, m.</param>
/// <param name="Seed">Everything random follows from it.</param>
/// <param name="Kind">What is special.</param>
public sealed record TransportCase(int Rows, int Columns, ulong Seed, CaseKind Kind)
{
    /// <summary>Source weights, sum 1.</summary>
    public double[] A() => Weights(Rows, 1);

    /// <summary>Target weights, sum 1.</summary>
    public double[] B() => Weights(Columns, 2);

    /// <summary>Source points in the plane, n × 2.</summary>
    public Matrix Source() => Points(Rows, 3);

    /// <summary>Target points in the plane, m × 2.</summary>
    public Matrix Target() => Points(Columns, 4);

    /// <summary>Costs, n × m.</summary>
    public double[,] Costs()
    {
        var random = new SeededRandom(Seed ^ 0x5eed_0005);
        Matrix x = Source(),
            y = Target();
        bool[,] allowed = Kind == CaseKind.Forbidden ? AllowedPairs(random) : new bool[0, 0];
        var costs = new double[Rows, Columns];
        double constant = random.NextDouble();
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                double distance = GroundCost.SquaredEuclidean.Evaluate(x.Row(i), y.Row(j));
                costs[i, j] = Kind switch
                {
                    CaseKind.ConstantCost => constant,
                    CaseKind.IntegerCost => random.NextInt(5),
                    CaseKind.HugeCost => 1e32 * distance,
                    CaseKind.SignedCost => random.NextNormal(),
                    CaseKind.Forbidden => allowed[i, j] ? distance : double.PositiveInfinity,
                    _ => distance,
                };
            }
        }
        return costs;
    }

    /// <summary>The balanced problem without a regulariser.</summary>
    public LinearProblem Exact() => new(new CostMatrix(Costs()), Measure.Of(A()), Measure.Of(B()));

    /// <summary>The balanced problem with entropy: ε is 0.1 of the cost's standard deviation unless the kind says otherwise.</summary>
    public LinearProblem Entropic() => Exact() with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(AbsoluteEpsilon())) };

    /// <summary>The problem with entropy and a penalty on each side, ρ one and two times the cost's largest size.</summary>
    public LinearProblem Unbalanced()
    {
        double scale = Approx.CostScale(new CostMatrix(Costs()));
        return Entropic() with
        {
            PenaltyA = MarginalPenalty.KullbackLeibler(scale),
            PenaltyB = MarginalPenalty.KullbackLeibler(2 * scale),
        };
    }

    /// <summary>The problem with entropy and a total variation on each side, ρ a fifth and a third of the cost's largest size: some bins are worth their way, others not.</summary>
    public LinearProblem TotalVariation()
    {
        double scale = Approx.CostScale(new CostMatrix(Costs()));
        return Entropic() with
        {
            PenaltyA = MarginalPenalty.TotalVariation(scale / 5),
            PenaltyB = MarginalPenalty.TotalVariation(scale / 3),
        };
    }

    /// <summary>The problem with entropy, a total variation on one side, which the seed chooses, and Kullback-Leibler or a hard marginal on the other.</summary>
    public LinearProblem MixedPenalties()
    {
        double scale = Approx.CostScale(new CostMatrix(Costs()));
        var bounded = MarginalPenalty.TotalVariation(scale / 4);
        MarginalPenalty other = Seed % 4 < 2 ? MarginalPenalty.Exact : MarginalPenalty.KullbackLeibler(scale);
        return Entropic() with { PenaltyA = Seed % 2 == 0 ? bounded : other, PenaltyB = Seed % 2 == 0 ? other : bounded };
    }

    double AbsoluteEpsilon()
    {
        CostStatistics statistics = new CostMatrix(Costs()).Statistics;
        double scale = statistics.StandardDeviation > 0 ? statistics.StandardDeviation : Math.Max(statistics.MaxMagnitude, 1e-3);
        return scale * (Kind == CaseKind.TinyEpsilon ? 0.01 : 0.25);
    }

    double[] Weights(int count, ulong stream)
    {
        var random = new SeededRandom(Seed + stream);
        var weights = new double[count];
        for (int i = 0; i < count; i++)
        {
            weights[i] = Kind switch
            {
                CaseKind.IntegerCost => 1,
                CaseKind.ZeroWeights when random.NextInt(3) == 0 => 0,
                _ => 0.1 + random.NextDouble(),
            };
        }
        if (weights.Max() == 0)
            weights[random.NextInt(count)] = 1;
        double total = Oracles.Sum(weights);
        return Array.ConvertAll(weights, w => w / total);
    }

    Matrix Points(int count, ulong stream)
    {
        var random = new SeededRandom(Seed + stream);
        var points = new double[count, 2];
        for (int i = 0; i < count; i++)
        {
            for (int k = 0; k < 2; k++)
                points[i, k] = Kind == CaseKind.Duplicates ? random.NextInt(2) : random.NextDouble();
        }
        return Matrix.From(points);
    }

    /// <summary>Allowed are the pairs that a staircase plan needs, and two thirds of the others.</summary>
    bool[,] AllowedPairs(SeededRandom random)
    {
        var allowed = new bool[Rows, Columns];
        foreach ((int i, int j, double _) in Oracles.Staircase(A(), B()))
            allowed[i, j] = true;
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
                allowed[i, j] |= random.NextInt(3) > 0;
        }
        return allowed;
    }
}
