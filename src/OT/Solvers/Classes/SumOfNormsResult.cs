using System.Collections.Immutable;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>The answer of <see cref="SumOfNorms"/>: a feasible plan, its value, a certified bound, and the classes that were found.</summary>
public sealed class SumOfNormsResult : SolverResult
{
    /// <summary>The problem that was solved.</summary>
    public required LinearProblem Problem { get; init; }

    /// <summary>A plan that meets both marginals to rounding; all zeros where no plan exists.</summary>
    public required TransportPlan Plan { get; init; }

    /// <summary><c>⟨C, P⟩</c>, rounded up.</summary>
    public required double TransportCost { get; init; }

    /// <summary>The regulariser at P, rounded up.</summary>
    public required double Penalty { get; init; }

    /// <summary>The objective at P: an upper bound of the optimum.</summary>
    public double Value => TransportCost + Penalty;

    /// <summary>A certified lower bound of the optimum, rounded down: the exact transport cost for costs that the dual vectors have changed.</summary>
    public required double LowerBound { get; init; }

    /// <summary><see cref="Value"/> less <see cref="LowerBound"/>, never negative.</summary>
    public double Gap => Value - LowerBound;

    /// <summary>L1 error of both marginals of <see cref="Plan"/>.</summary>
    public required double MarginalError { get; init; }

    /// <summary>The class of each row, from 0: rows in connected pairs that are equal within <see cref="SumOfNormsOptions.ClusterTolerance"/>. Empty rows stand alone.</summary>
    public required ImmutableArray<int> RowClusters { get; init; }

    /// <summary>The class of each column.</summary>
    public required ImmutableArray<int> ColumnClusters { get; init; }

    /// <summary>The dual vectors behind the bound; null where the run ended before there were any.</summary>
    public PairDuals? Duals { get; init; }

    /// <summary>Exact potentials for the costs that the dual vectors have changed; null without a bound.</summary>
    public Potentials? Potentials { get; init; }

    /// <summary>Recomputes value and bound by plain loops that share no code with the solver.</summary>
    /// <exception cref="InvalidOperationException">The problem is infeasible: there is no plan to certify.</exception>
    public SumOfNormsCertificate Certify() =>
        Status == SolverStatus.Infeasible
            ? throw new InvalidOperationException($"No plan exists, so there is nothing to certify. {Message}")
            : SumOfNormsCertificate.Verify(Problem, Plan, Duals, Potentials);
}
