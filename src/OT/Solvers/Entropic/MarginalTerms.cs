using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>What a marginal adds to the objective and to the error.</summary>
internal static class MarginalTerms
{
    /// <summary>ρ KL(marginal | weights); 0 for a hard constraint.</summary>
    public static double Penalty(ReadOnlySpan<double> marginal, ReadOnlySpan<double> weights, double rho)
    {
        if (double.IsPositiveInfinity(rho))
            return 0;
        var sum = new Compensated();
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] > 0)
                sum.Add(weights[i] * Divergence((marginal[i] - weights[i]) / weights[i]));
        }
        return rho * sum.Value;
    }

    /// <summary><c>(1 + d) log(1 + d) − d</c> for d ≥ −1. Near 0, where a large ρ would multiply the rounding of the difference, by its series.</summary>
    static double Divergence(double d)
    {
        if (d <= -1)
            return 1;
        // The next term of the series is d⁷/42, below rounding of d²/2 where |d| is below 1e-3.
        return Math.Abs(d) > 1e-3
            ? ((1 + d) * Math.Log(1 + d)) - d
            : d * d * (0.5 - (d * ((1 / 6.0) - (d * ((1 / 12.0) - (d * ((1 / 20.0) - (d / 30))))))));
    }

    /// <summary>L1 norm of <c>marginal − weights · exp(−potential/ρ)</c>.</summary>
    public static double Residual(ReadOnlySpan<double> marginal, ReadOnlySpan<double> weights, ReadOnlySpan<double> potential, double rho)
    {
        var sum = new Compensated();
        for (int i = 0; i < weights.Length; i++)
            sum.Add(Math.Abs(marginal[i] - (double.IsPositiveInfinity(rho) ? weights[i] : weights[i] * Math.Exp(-potential[i] / rho))));
        return sum.Value;
    }

    /// <summary><c>log Σ w exp(−potential/ρ)</c>.</summary>
    public static double LogSumExp(double[] logWeights, double[] potential, double rho)
    {
        double max = double.NegativeInfinity;
        for (int i = 0; i < potential.Length; i++)
            max = Math.Max(max, logWeights[i] - (potential[i] / rho));
        double sum = 0;
        for (int i = 0; i < potential.Length; i++)
            sum += Math.Exp(logWeights[i] - (potential[i] / rho) - max);
        return max + Math.Log(sum);
    }
}
