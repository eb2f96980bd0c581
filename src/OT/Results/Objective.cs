using OT.Numerics;
using OT.Problems;

namespace OT.Results;

/// <summary>Primal and dual objectives of a linear problem from the sums of a <see cref="PlanScan"/>, with bounds of their rounding errors.</summary>
/// <remarks>u = 2⁻⁵³. Sums are compensated: their error is that of their terms, of which every constant below counts more than there are.</remarks>
internal sealed class Objective(LinearProblem problem, double[] a, double[] b, double epsilon)
{
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    readonly double _massA = Summation.Sum(a);
    readonly double _massB = Summation.Sum(b);

    /// <summary><c>⟨C, P⟩ + ε KL(P | a ⊗ b)</c> and the penalties <c>ρ KL(P1 | a)</c> or <c>ρ |P1 − a|₁</c>, and those of Pᵀ1.</summary>
    public double Value(PlanScan plan) =>
        plan.Cost
        + Entropy(plan).Value
        + Penalty(problem.PenaltyA, plan.RowSums, a).Value
        + Penalty(problem.PenaltyB, plan.ColumnSums, b).Value;

    /// <summary>Cost and objective at a plan that meets the hard marginals up to rounding, each raised by what rounding may hide.</summary>
    public (double Cost, double Value) UpperBounds(PlanScan plan)
    {
        // What is still missing at the hard marginals could be shipped, and what is too much taken back, at the largest cost. Where pairs are forbidden it may
        // have to go a long way round: n + m − 1 pairs at most, for a shortest one visits no bin twice.
        double pairs = plan.SawForbidden ? a.Length + b.Length : 2;
        double mass = Summation.Sum(plan.RowSums),
            missed = Missed(plan);
        double cost = plan.Cost + (pairs * plan.MaxCost * missed) + (8 * Unit * plan.MaxCost * mass);

        (double entropy, double entropySize) = Entropy(plan);
        (double penaltyA, double sizeA) = Penalty(problem.PenaltyA, plan.RowSums, a);
        (double penaltyB, double sizeB) = Penalty(problem.PenaltyB, plan.ColumnSums, b);
        double relative = (16 * Unit) + (missed == 0 ? 0 : 4 * missed / mass);
        return (cost, cost + entropy + penaltyA + penaltyB + (relative * (entropySize + sizeA + sizeB)));
    }

    /// <summary>What the hard marginals of a plan may still miss, rounding of its sums included.</summary>
    public double Missed(PlanScan plan)
    {
        double missed = 0;
        if (problem.PenaltyA.IsExact)
            missed += Summation.L1Distance(plan.RowSums, a) + (32 * Unit * _massA);
        if (problem.PenaltyB.IsExact)
            missed += Summation.L1Distance(plan.ColumnSums, b) + (32 * Unit * _massB);
        return missed;
    }

    /// <summary>The dual without entropy at f̃ and its transform g̃, less its rounding error.</summary>
    public double HardDual(double[] f, double[] transform)
    {
        // g̃_j is the rounded minimum of exact differences, so one step down is below the true one: f̃_i + g̃_j ≤ C_ij holds exactly.
        double[] g = Array.ConvertAll(transform, v => double.IsPositiveInfinity(v) ? 0 : Math.BitDecrement(v));
        return Lowered(Conjugate(problem.PenaltyA, a, f), Conjugate(problem.PenaltyB, b, g), 0, 0);
    }

    /// <summary><c>⟨a, φ_a(f)⟩ + ⟨b, φ_b(g)⟩ − ε (Σ a_i b_j exp((f_i + g_j − C_ij)/ε) − m_a m_b)</c>, less its rounding error.</summary>
    public double EntropicDual(double[] f, double[] g, PlanScan scan)
    {
        double gibbs = scan.GibbsMass;
        // Exponents are (f − (C − g))/ε: error u(|C − g| + 4|exponent| ε), and |x| exp(x) ≤ 1/e below zero.
        double largestExponent = 0,
            largestDifference = 0;
        for (int i = 0; i < f.Length; i++)
        {
            if (a[i] > 0 && double.IsFinite(scan.FTransform[i]))
            {
                largestExponent = Math.Max(largestExponent, (f[i] - scan.FTransform[i]) / epsilon);
                largestDifference = Math.Max(largestDifference, Math.Abs(f[i]));
            }
        }
        // C − g = f − ε exponent: its size is that of f plus that of the exponent, counted with the roundings of the exponent.
        double exponentError = Unit * ((2 * largestDifference / epsilon) + 16 + (8 * largestExponent));
        double error = epsilon * ((gibbs * ExpM1(exponentError)) + (8 * Unit * _massA * _massB));
        return Lowered(
            Conjugate(problem.PenaltyA, a, f),
            Conjugate(problem.PenaltyB, b, g),
            epsilon * ((_massA * _massB) - gibbs),
            error
        );
    }

    /// <summary><c>⟨a, f⟩ + ⟨b, g⟩ − Σ D(f_i + g_j − C_ij)</c> of a sparse regulariser, less its rounding error.</summary>
    public double SparseDual(Regularizer regularizer, double[] f, double[] g, CancellationToken cancellation) =>
        Lowered(
            Conjugate(problem.PenaltyA, a, f),
            Conjugate(problem.PenaltyB, b, g),
            -SparseObjective.Conjugate(regularizer, problem.Geometry, f, g, cancellation),
            0
        );

    /// <summary>L1 and largest error of the marginals of a plan; see <see cref="Certificate.MarginalError"/>.</summary>
    public (double L1, double Max) MarginalErrors(PlanScan plan, Potentials? potentials)
    {
        (double l1A, double maxA) = Error(
            problem.PenaltyA,
            plan.RowSums,
            a,
            potentials is null ? default : potentials.F,
            potentials is null
        );
        (double l1B, double maxB) = Error(
            problem.PenaltyB,
            plan.ColumnSums,
            b,
            potentials is null ? default : potentials.G,
            potentials is null
        );
        return (l1A + l1B, Math.Max(maxA, maxB));
    }

    static (double L1, double Max) Error(
        MarginalPenalty penalty,
        double[] sums,
        double[] weights,
        ReadOnlySpan<double> potential,
        bool unknown
    )
    {
        if (!penalty.IsExact && unknown)
            return (0, 0);
        Compensated l1 = default;
        double max = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            double target = weights[i];
            if (!penalty.IsExact && !penalty.IsTotalVariation && target > 0)
                target *= Math.Exp(-potential[i] / penalty.Rho);
            // At ρ nothing is asked of a row that sends less than its weight, at −ρ of one that sends more.
            bool isFree =
                penalty.IsTotalVariation
                && (potential[i] >= penalty.Rho ? sums[i] <= target : potential[i] <= -penalty.Rho && sums[i] >= target);
            double error = isFree ? 0 : Math.Abs(sums[i] - target);
            l1.Add(error);
            max = Math.Max(max, error);
        }
        return (l1.Value, max);
    }

    /// <summary><c>ε KL(P | a ⊗ b)</c> as <c>Σ P log P − Σ r log a − Σ c log b − Σ P + m_a m_b</c>, and the size of its terms.</summary>
    (double Value, double Size) Entropy(PlanScan plan)
    {
        if (epsilon == 0)
            return (0, 0);
        Compensated sum = default;
        double size = plan.EntropyMagnitude;
        sum.Add(plan.Entropy);
        AddCross(plan.RowSums, a, ref sum, ref size);
        AddCross(plan.ColumnSums, b, ref sum, ref size);
        double mass = Summation.Sum(plan.RowSums);
        sum.Add(-mass);
        sum.Add(_massA * _massB);
        size += mass + (_massA * _massB);
        return (epsilon * sum.Value, epsilon * size);
    }

    static void AddCross(double[] sums, double[] weights, ref Compensated total, ref double size)
    {
        for (int i = 0; i < sums.Length; i++)
        {
            if (sums[i] == 0)
                continue;
            double term = sums[i] * Math.Log(weights[i]);
            total.Add(-term);
            size += Math.Abs(term);
        }
    }

    /// <summary>
    /// <c>ρ KL(sums | weights) = ρ Σ w φ(r/w)</c> with φ(x) = x log x − x + 1, and the size of what rounding acts on: an error δ of r moves a term by
    /// <c>δ log(r/w)</c>, which is small where the marginal is nearly met, however large ρ is. With total variation <c>ρ Σ |r − w|</c>, which it moves by ρδ.
    /// </summary>
    static (double Value, double Size) Penalty(MarginalPenalty penalty, double[] sums, double[] weights)
    {
        if (penalty.IsExact)
            return (0, 0);
        Compensated total = default;
        double size = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            if (weights[i] == 0 && sums[i] != 0)
                return (double.PositiveInfinity, 0); // mass where there may be none
            if (sums[i] == 0 || penalty.IsTotalVariation)
            {
                total.Add(Math.Abs(sums[i] - weights[i]));
                size += sums[i] + weights[i];
                continue;
            }
            double d = (sums[i] - weights[i]) / weights[i];
            if (d is > 1 or < -0.5)
            {
                double term = sums[i] * (Math.Log(sums[i]) - Math.Log(weights[i]));
                total.Add(term - sums[i] + weights[i]);
                size += Math.Abs(term) + sums[i] + weights[i];
                continue;
            }
            // Both forms keep φ to a few roundings of d: the first where its terms would cancel (left out: less than 1e-17 of the sum), the second beyond.
            double log = LogP1(d);
            double phi =
                Math.Abs(d) < 1e-4 ? d * d * (0.5 + (d * ((-1.0 / 6) + (d * ((1.0 / 12) - (d / 20)))))) : ((1 + d) * log) - d;
            total.Add(weights[i] * phi);
            size += weights[i] * ((Math.Abs(d) * (1 + Math.Abs(log))) + phi + (32 * Unit));
        }
        return (penalty.Rho * total.Value, penalty.Rho * size);
    }

    /// <summary>
    /// <c>Σ w φ(v)</c> with φ(v) = v for a hard marginal, <c>ρ (1 − exp(−v/ρ))</c> with Kullback-Leibler, and min(v, ρ), −∞ below −ρ, with total variation;
    /// and the size of what its rounding acts on.
    /// </summary>
    static (double Value, double Size) Conjugate(MarginalPenalty penalty, double[] weights, double[] potential)
    {
        Compensated total = default;
        double size = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (weights[i] == 0)
                continue;
            double v = potential[i];
            if (penalty.IsExact)
            {
                total.Add(weights[i] * v);
                size += weights[i] * Math.Abs(v);
                continue;
            }
            double rho = penalty.Rho;
            if (penalty.IsTotalVariation)
            {
                total.Add(v < -rho ? double.NegativeInfinity : weights[i] * Math.Min(v, rho));
                size += weights[i] * Math.Min(Math.Abs(v), rho);
                continue;
            }
            double value = rho * (1 - Math.Exp(-v / rho));
            if (Math.Abs(v) < rho)
                value = -rho * ExpM1(-v / rho);
            total.Add(weights[i] * value);
            size += weights[i] * (Math.Abs(value) + (Math.Abs(v) * Math.Exp(-v / rho)));
        }
        return (total.Value, size);
    }

    /// <summary><c>exp(x) − 1</c> without cancellation (Kahan): <c>(u − 1) x / log u</c> with u = exp(x).</summary>
    static double ExpM1(double x)
    {
        double u = Math.Exp(x);
        if (u == 1)
            return x;
        return (u - 1) * x / Math.Log(u);
    }

    /// <summary><c>log(1 + x)</c> without cancellation (Kahan): <c>x log u / (u − 1)</c> with u = 1 + x.</summary>
    static double LogP1(double x)
    {
        double u = 1 + x;
        return u == 1 ? x : x * Math.Log(u) / (u - 1);
    }

    /// <summary>The sum of the parts less their rounding errors; a bound that overflowed says nothing: <c>-∞</c>.</summary>
    double Lowered((double Value, double Size) first, (double Value, double Size) second, double third, double thirdError)
    {
        Compensated sum = default;
        sum.Add(first.Value);
        sum.Add(second.Value);
        sum.Add(third);
        // Eight roundings and the scaling of b to a's mass: 16 u of each part. The last term covers products below the normal range.
        double error = (16 * Unit * (first.Size + second.Size)) + thirdError + ((a.Length + b.Length + 2) * double.Epsilon);
        double bound = sum.Value - error;
        return double.IsFinite(bound) ? bound : double.NegativeInfinity;
    }
}
