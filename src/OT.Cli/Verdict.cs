using System.Globalization;
using OT.Problems;
using OT.Results;

namespace OT.Cli;

/// <summary>What a certificate says of a plan.</summary>
enum Standing
{
    /// <summary>Feasible, and no plan is noticeably better.</summary>
    Certified,

    /// <summary>Feasible; nothing is known of its distance from the optimum.</summary>
    Feasible,

    /// <summary>Neither shown to be right nor shown to be wrong.</summary>
    Open,

    /// <summary>Not what it claims to be.</summary>
    Refused,
}

/// <summary>A certificate in words.</summary>
/// <param name="Standing">What the words say.</param>
/// <param name="Text">The words.</param>
sealed record Verdict(Standing Standing, string Text)
{
    /// <summary>Relative rounding allowed between two computations of one number: sums of n + m terms of either sign stay far below it.</summary>
    const double Rounding = 1e-9;

    /// <summary>Rounding of the bounds relative to the cost of shipping without looking.</summary>
    const double BoundRounding = 1e-12;

    /// <summary>A gap of this share of the value is no small one.</summary>
    const double Notable = 0.01;

    /// <summary>What the certificate says of a reported value.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="certificate">Its certificate.</param>
    /// <param name="value">The value that somebody reports, or null.</param>
    /// <param name="tolerance">L1 error of the marginals that is accepted, relative to the mass.</param>
    /// <param name="converged">Whether whoever made the plan calls it finished; a plan that is not is bounded and never certified.</param>
    public static Verdict Of(
        LinearProblem problem,
        Certificate certificate,
        double? value,
        double tolerance,
        bool converged = true
    )
    {
        if (!double.IsFinite(certificate.PlanTransportCost))
            return Refused($"the plan puts mass on forbidden pairs, or its cost overflows");
        double mass = Math.Max(problem.A.Mass, problem.B.Mass);
        double epsilon = problem.Regularizer switch
        {
            EntropyRegularizer entropy => entropy.Epsilon.Resolve(problem.Geometry),
            // A quadratic term of strength γ changes potentials by γ times a mass.
            QuadraticRegularizer quadratic => quadratic.Gamma * mass,
            SparsityRegularizer sparsity => sparsity.Gamma * mass,
            _ => 0,
        };
        double size = Math.Abs(certificate.PlanValue);
        double scale = Math.Max((problem.Geometry.MagnitudeBound + (epsilon * Math.Max(mass, 1))) * mass, size);
        if (value is { } reported && !(Math.Abs(reported - certificate.PlanValue) <= (Rounding + tolerance) * scale))
            return Refused($"the reported value {reported:R} is not the plan's, {certificate.PlanValue:R}");
        if (!converged)
        {
            return certificate.Gap is { } bounded && double.IsFinite(bounded)
                ? Open(
                    $"bounded: the run stopped early; made feasible, its plan may be beaten by {Math.Max(bounded, 0):G3}, and it misses its marginals by {certificate.MarginalError:G3}"
                )
                : Open($"unbounded: the run stopped early; the plan misses its marginals by {certificate.MarginalError:G3}");
        }
        if (!(certificate.MarginalError <= ((tolerance * (1 + Rounding)) + Rounding) * mass))
        {
            // A tie at rank k: the solver found no plan on the entries it kept, and says so.
            return problem.Regularizer is SparsityRegularizer limited && certificate.Gap is { } rest
                ? Open(
                    $"bounded: with at most {limited.MaxNonZeros} entries a line the plan misses its marginals by {certificate.MarginalError:G3}; made feasible with more of them, another may be better by {Math.Max(rest, 0):G3}"
                )
                : Refused($"the plan misses its marginals by {certificate.MarginalError:G3}");
        }
        if (certificate.Gap is not { } gap)
            return new Verdict(Standing.Feasible, "feasible: without potentials there is no bound");
        if (!double.IsFinite(gap))
            return Open($"unbounded: no plan without any marginal error was found near this one, so nothing is known of its gap");
        if (gap < 0)
            return Refused($"the bounds contradict each other by {-gap:G3}");
        // Each potential is one step below its number. Beyond that, rounding is seen beside the cost of shipping without looking and beside the entropy's own terms.
        double underflow = 8 * (problem.A.Count + problem.B.Count + 2) * Math.Max(mass, 1) * double.Epsilon;
        double rounding = BoundRounding * (certificate.IndependentCost + (epsilon * mass * Math.Max(mass, 1)));
        double penalty = BoundRounding * mass * (Finite(problem.PenaltyA) + Finite(problem.PenaltyB));
        // An L1 error moves at most that much mass, each unit by at most the largest cost and back.
        double error = 4 * certificate.MarginalError * scale / mass;
        // A total variation charges ρ for what is missed.
        if (problem.PenaltyA.IsTotalVariation || problem.PenaltyB.IsTotalVariation)
            error += certificate.MarginalError * (Finite(problem.PenaltyA) + Finite(problem.PenaltyB));
        if (problem.Regularizer is SparsityRegularizer)
            error += tolerance * size; // the relaxation is solved to that
        // What is far from the value itself is never called optimal.
        double allowed = underflow + Math.Min(rounding + penalty + error + (Rounding * size), Math.Max(rounding, Notable * size));
        return gap <= allowed
            ? new Verdict(Standing.Certified, Say($"certified: no plan is better by more than {Math.Max(gap, 0):G3}"))
            : Open($"not optimal as far as the bound tells: another plan may be better by {gap:G3}");
    }

    static double Finite(MarginalPenalty penalty) => penalty.IsExact ? 0 : penalty.Rho;

    static Verdict Open(FormattableString text) => new(Standing.Open, Say(text));

    static Verdict Refused(FormattableString text) => new(Standing.Refused, "refused: " + Say(text));

    static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
