using System.Globalization;
using OT.Problems;
using OT.Results;

namespace OT.Cli;

/// <summary>A certificate in words.</summary>
static class Verdict
{
    /// <summary>Relative rounding allowed between two computations of one number: sums of n + m terms of either sign stay far below it.</summary>
    const double Rounding = 1e-9;

    public const string Certified = "certified";

    /// <summary>What the certificate says of a reported value.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="certificate">Its certificate.</param>
    /// <param name="value">The value that somebody reports, or null.</param>
    /// <param name="tolerance">L1 error of the marginals that is accepted.</param>
    /// <param name="converged">Whether whoever made the plan calls it finished; a plan that is not is bounded and never certified.</param>
    public static string Of(
        LinearProblem problem,
        Certificate certificate,
        double? value,
        double tolerance,
        bool converged = true
    )
    {
        double mass = Math.Max(problem.A.Mass, problem.B.Mass);
        double scale = Math.Max(problem.Geometry.MagnitudeBound * mass, Math.Abs(certificate.PlanValue));
        if (value is { } reported && !(Math.Abs(reported - certificate.PlanValue) <= (Rounding + tolerance) * scale))
            return Say($"refused: the reported value {reported:R} is not the plan's, {certificate.PlanValue:R}");
        if (!converged)
        {
            return certificate.Gap is { } bounded
                ? Say(
                    $"bounded: the run stopped early; made feasible, its plan may be beaten by {Math.Max(bounded, 0):G3}, and it misses its marginals by {certificate.MarginalError:G3}"
                )
                : Say(
                    $"unbounded: the run stopped early without potentials; the plan misses its marginals by {certificate.MarginalError:G3}"
                );
        }
        if (!(certificate.MarginalError <= (tolerance * (1 + Rounding)) + (Rounding * mass)))
            return Say($"refused: the plan misses its marginals by {certificate.MarginalError:G3}");
        if (certificate.Gap is not { } gap)
            return "feasible: without potentials there is no bound";
        // An L1 error moves at most that much mass, each unit by at most the largest cost and back.
        double allowed = ((4 * tolerance) + Rounding) * scale;
        if (problem.Regularizer is NoRegularizer)
            allowed = Math.Max(Rounding * scale, 4 * certificate.MarginalError * scale / mass);
        // Each potential is one step below its number, and the last step above zero is one whole double.Epsilon.
        allowed += 8 * (problem.A.Count + problem.B.Count + 2) * Math.Max(mass, 1) * double.Epsilon;
        return gap <= allowed
            ? Say($"{Certified}: no plan is better by more than {Math.Max(gap, 0):G3}")
            : Say($"not optimal as far as the bound tells: another plan may be better by {gap:G3}");
    }

    static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
