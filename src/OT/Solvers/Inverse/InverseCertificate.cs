using System.Numerics.Tensors;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>Proved bounds of the optimum of an inverse problem.</summary>
/// <remarks>
/// Above: <c>⟨C_θ, P̂⟩ + ε KL(P̂ | a ⊗ b)</c> less a dual bound of transport, plus λR(θ). Below: the dual is <c>max over plans P with R°(⟨c, P̂ − P⟩) ≤ λ of ⟨c_0, P̂ − P⟩ + ε KL(P̂ | a ⊗ b) − ε KL(P | a ⊗ b)</c>,
/// and any plan becomes feasible on its way to P̂. Both rest on <see cref="Certificate.Verify"/>, which shares no code with the solvers.
/// </remarks>
public sealed class InverseCertificate
{
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    /// <summary>At least the objective at θ.</summary>
    public required double UpperBound { get; init; }

    /// <summary>At most the optimum; null where a term is free of the penalty.</summary>
    public required double? LowerBound { get; init; }

    /// <summary><see cref="UpperBound"/> less <see cref="LowerBound"/>: θ is within this of the optimum.</summary>
    public double? Gap => UpperBound - LowerBound;

    /// <summary>The transport problem's own certificate.</summary>
    public required Certificate Transport { get; init; }

    internal static InverseCertificate Of(InverseTransportResult result)
    {
        InverseProblem problem = result.Problem;
        ObservedCoupling observed = problem.Observed;
        int threads = Environment.ProcessorCount;
        var transport = new LinearProblem(result.LearnedCost, observed.A, observed.B)
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(result.Epsilon)),
        };
        var certificate = Certificate.Verify(transport, result.Plan, result.Potentials);
        FeatureSet features = FeatureSet.Of(problem.Dictionary, observed.A, observed.B, threads, default);
        double[] theta = [.. result.Theta.Select(value => problem.CostSign * value)];

        // ⟨C_θ, P̂⟩ + ε KL(P̂ | a ⊗ b), and the size of its terms.
        Compensated sum = default,
            size = default;
        for (int i = 0; i < observed.Masses.Rows; i++)
        {
            ReadOnlySpan<int> columns = observed.Masses.RowColumns(i);
            for (int k = 0; k < columns.Length; k++)
            {
                double mass = observed.Masses.RowValues(i)[k];
                if (mass == 0)
                    continue;
                double cost = mass * result.LearnedCost.Cost(i, columns[k]),
                    entropy =
                        result.Epsilon
                        * mass
                        * (Math.Log(mass / observed.A.Weights[i]) - Math.Log(observed.B.Weights[columns[k]]));
                sum.Add(cost + entropy);
                size.Add(Math.Abs(cost) + Math.Abs(entropy));
            }
        }
        double penalty = result.PenaltyValue == 0 ? 0 : problem.Lambda * result.PenaltyValue;
        // Sums are compensated: what is left are the roundings of their terms, a few for each term of a cost, in units of what cancels in it.
        double parts = 0;
        for (int k = 0; k < theta.Length; k++)
            parts += Math.Abs(theta[k]) * features.Magnitude(k).Raw;
        double rounding =
            8 * Unit * (features.Count + 8) * (size.Value + certificate.IndependentCost + result.Epsilon + penalty + parts);
        double[] missed = Missed(result, certificate.FeasiblePlan, features, threads);
        var space = new ParameterSpace(
            features.Count,
            problem.Dictionary.Shape,
            problem.Penalty,
            problem.Constraint,
            problem.CostSign,
            Deviations(features)
        );
        double[] errors = MissedErrors(features);
        // R° is a gauge, so that errors add to it; all of one sign, none is lost to a constraint.
        double norm = (space.DualNorm(space.RestrictFromCost(missed)) + Largest(space, errors)) * (1 + 1e-12);
        double share = norm <= problem.Lambda ? 1 : problem.Lambda / norm;
        double slack = TensorPrimitives.Dot<double>(theta, missed);
        for (int k = 0; k < theta.Length; k++)
            slack += Math.Abs(theta[k]) * errors[k];
        double loss = sum.Value - certificate.PrimalValue;
        double lower = Math.Max(0, share * (loss - slack)) - (2 * rounding);
        return new InverseCertificate
        {
            UpperBound = sum.Value - certificate.DualValue!.Value + penalty + rounding,
            LowerBound = space.HasFree ? null : Math.Max(0, lower),
            Transport = certificate,
        };
    }

    /// <summary><c>⟨c_k, P̂ − P⟩</c>.</summary>
    static double[] Missed(InverseTransportResult result, TransportPlan plan, FeatureSet features, int threads)
    {
        double[] means = new PlanMoments(features, plan, threads, CancellationToken.None).Means().Means;
        double[] missed = features.Means(result.Problem.Observed.Masses);
        TensorPrimitives.Subtract(missed, means, missed);
        return missed;
    }

    /// <summary>
    /// Bounds of the rounding errors of <see cref="Missed"/>: a few units of a term as it was given, which centring leaves in every entry, and a unit of the centred term for each summand of two means.
    /// </summary>
    static double[] MissedErrors(FeatureSet features)
    {
        double summands = features.A.Count + features.B.Count + 16;
        var errors = new double[features.Count];
        for (int k = 0; k < errors.Length; k++)
        {
            (double raw, double centred) = features.Magnitude(k);
            errors[k] = Unit * ((16 * raw) + (2 * summands * centred));
        }
        return errors;
    }

    /// <summary><c>R°</c> of errors of any signs within bounds.</summary>
    static double Largest(ParameterSpace space, double[] bounds)
    {
        double[] t = space.Restrict(bounds);
        TensorPrimitives.Negate(t, t);
        return space.DualNorm(t);
    }

    /// <summary>Only whether a term is visible counts here, and every one is taken to be.</summary>
    static double[] Deviations(FeatureSet features)
    {
        var ones = new double[features.Count];
        Array.Fill(ones, 1);
        return ones;
    }
}
