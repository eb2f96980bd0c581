using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>The dual value of an entropic solve: its error is of second order in the marginal error, where that of the primal value is of first.</summary>
static class EntropicDual
{
    /// <summary>
    /// <c>⟨a, w(f)⟩ + ⟨b, w(g)⟩ − ε (Σ P − m_a m_b)</c> at g = τ softmin(f), where the columns are met and the mass of P is known: the dual at a point of it.
    /// NaN where it was cancelled.
    /// </summary>
    public static double Value(TransportResult term, IBackend backend, CancellationToken cancellation)
    {
        LinearProblem of = term.Problem;
        ReadOnlySpan<double> f = term.Potentials!.F;
        double epsilon = term.Epsilon;
        var g = new double[of.B.Count];
        using ICostOperator op = backend.Bind(of.Geometry, Precision.Float64, cancellation);
        op.SoftMinColumns(f, VectorMath.LogWeights(of.A.Weights), epsilon, g);
        if (op.Interrupted)
            return double.NaN;
        TensorPrimitives.Multiply(g, of.PenaltyB.Tau(epsilon), g);
        Compensated sum = default;
        AddConjugates(of.A.Weights, f, of.PenaltyA, 0, ref sum);
        AddConjugates(of.B.Weights, g, of.PenaltyB, epsilon, ref sum);
        sum.Add(epsilon * of.A.Mass * of.B.Mass);
        return sum.Value;
    }

    /// <summary>
    /// The dual value of a balanced measure with itself, of mass m, after every weight was multiplied by s: <c>s D − ε s m log s − ε s (1 − s) m²</c>. The same f gives
    /// it, for its soft-min falls by ε log s.
    /// </summary>
    public static double Scaled(double value, double mass, double epsilon, double scale) =>
        (scale * value) - (epsilon * scale * mass * (Math.Log(scale) + ((1 - scale) * mass)));

    /// <summary>Adds <c>Σ w_k (w(v_k) − share · e^(−v_k/ρ))</c>.</summary>
    static void AddConjugates(
        ReadOnlySpan<double> weights,
        ReadOnlySpan<double> potential,
        MarginalPenalty penalty,
        double share,
        ref Compensated sum
    )
    {
        for (int k = 0; k < weights.Length; k++)
        {
            if (weights[k] == 0)
                continue;
            double exponent = penalty.IsExact ? 0 : -potential[k] / penalty.Rho;
            double conjugate = penalty.IsExact ? potential[k] : -penalty.Rho * VectorMath.ExpM1(exponent);
            sum.Add(weights[k] * (conjugate - (share * Math.Exp(exponent))));
        }
    }
}
