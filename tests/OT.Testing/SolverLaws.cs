using OT.Problems;
using OT.Results;

namespace OT.Testing;

/// <summary>All laws that concern one solver, by name, to be run one after another or as rows of a theory.</summary>
/// <param name="solve">The solver.</param>
/// <param name="marginalTolerance">L1 marginal error that it was asked for.</param>
/// <param name="valueTolerance">Gap, and error of a value, allowed in units of <see cref="Laws.ValueScale"/>.</param>
public sealed class SolverLaws(Func<LinearProblem, TransportResult> solve, double marginalTolerance, double valueTolerance)
{
    /// <summary>Laws of balanced problems, with or without entropy.</summary>
    public IReadOnlyDictionary<string, Action<LinearProblem>> Balanced { get; } =
        new Dictionary<string, Action<LinearProblem>>(StringComparer.Ordinal)
        {
            [nameof(Laws.CertificateCloses)] = p => Laws.CertificateCloses(solve, p, valueTolerance),
            [nameof(Laws.RoundedPlanIsFeasible)] = p => Laws.RoundedPlanIsFeasible(solve, p),
            [nameof(Laws.MarginalsWithinTolerance)] = p => Laws.MarginalsWithinTolerance(solve, p, marginalTolerance),
            [nameof(Laws.PlanValueEqualsReported)] = p => Laws.PlanValueEqualsReported(solve, p),
            [nameof(Laws.ValuePartsSumToTotal)] = p => Laws.ValuePartsSumToTotal(solve, p),
            [nameof(Laws.PermutationEquivariance)] = p => Laws.PermutationEquivariance(solve, p, valueTolerance),
            [nameof(Laws.Transposition)] = p => Laws.Transposition(solve, p, valueTolerance),
            [nameof(Laws.CostShift)] = p => Laws.CostShift(solve, p, valueTolerance),
            [nameof(Laws.Scaling)] = p => Laws.Scaling(solve, p, valueTolerance),
            [nameof(Laws.ZeroMassBins)] = p => Laws.ZeroMassBins(solve, p, valueTolerance),
            [nameof(Laws.MergedDuplicates)] = p => Laws.MergedDuplicates(solve, p, valueTolerance),
            [nameof(Laws.BoundsEncloseExact)] = p => Laws.BoundsEncloseExact(solve, p, valueTolerance),
        };

    /// <summary>Laws of balanced problems with entropy alone.</summary>
    public IReadOnlyDictionary<string, Action<LinearProblem>> Entropic { get; } =
        new Dictionary<string, Action<LinearProblem>>(StringComparer.Ordinal)
        {
            [nameof(Laws.EpsilonToZero)] = p => Laws.EpsilonToZero(solve, p, valueTolerance),
            [nameof(Laws.EpsilonToInfinity)] = p => Laws.EpsilonToInfinity(solve, p),
        };

    /// <summary>Laws of problems with penalties.</summary>
    public IReadOnlyDictionary<string, Action<LinearProblem>> Unbalanced { get; } =
        new Dictionary<string, Action<LinearProblem>>(StringComparer.Ordinal)
        {
            [nameof(Laws.CertificateCloses)] = p => Laws.CertificateCloses(solve, p, valueTolerance),
            [nameof(Laws.MarginalsWithinTolerance)] = p => Laws.MarginalsWithinTolerance(solve, p, marginalTolerance),
            [nameof(Laws.PlanValueEqualsReported)] = p => Laws.PlanValueEqualsReported(solve, p),
            [nameof(Laws.ValuePartsSumToTotal)] = p => Laws.ValuePartsSumToTotal(solve, p),
            [nameof(Laws.PermutationEquivariance)] = p => Laws.PermutationEquivariance(solve, p, valueTolerance),
            [nameof(Laws.Transposition)] = p => Laws.Transposition(solve, p, valueTolerance),
            [nameof(Laws.Scaling)] = p => Laws.Scaling(solve, p, valueTolerance),
            [nameof(Laws.ZeroMassBins)] = p => Laws.ZeroMassBins(solve, p, valueTolerance),
            [nameof(Laws.MergedDuplicates)] = p => Laws.MergedDuplicates(solve, p, valueTolerance),
        };
}
