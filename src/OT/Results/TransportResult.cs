using OT.Problems;

namespace OT.Results;

/// <summary>The answer to a <see cref="LinearProblem"/>: plan, potentials and every part of the value. Owns managed memory only.</summary>
public sealed class TransportResult : SolverResult
{
    Certificate? _certificate;

    /// <summary>The problem that was solved.</summary>
    public required LinearProblem Problem { get; init; }

    /// <summary>The plan found; implicit for entropic solvers.</summary>
    public required TransportPlan Plan { get; init; }

    /// <summary>The dual potentials, where the solver has them.</summary>
    public Potentials? Potentials { get; init; }

    /// <summary>The absolute ε used, in cost units; 0 for problems without entropy, but for the last temperature of an annealed solver.</summary>
    public double Epsilon { get; init; }

    /// <summary><c>⟨C, P⟩</c> alone; no root is taken of a squared cost.</summary>
    public double TransportCost { get; init; }

    /// <summary>The regulariser's part: <c>ε KL(P | a ⊗ b)</c> for entropy.</summary>
    public double RegularizerValue { get; init; }

    /// <summary><c>ρ_a KL(P1 | a)</c> or <c>ρ_a |P1 − a|₁</c>; 0 when the marginal is exact.</summary>
    public double PenaltyValueA { get; init; }

    /// <summary><c>ρ_b KL(Pᵀ1 | b)</c> or <c>ρ_b |Pᵀ1 − b|₁</c>; 0 when the marginal is exact.</summary>
    public double PenaltyValueB { get; init; }

    /// <summary>The objective: the sum of the four parts.</summary>
    public double Value => TransportCost + RegularizerValue + PenaltyValueA + PenaltyValueB;

    /// <summary>
    /// L1 error of both marginals: <c>|P1 − a|₁ + |Pᵀ1 − b|₁</c>; with a penalty, the L1 norm of the dual gradient,
    /// <c>|P1 − a exp(−f/ρ_a)|₁ + |Pᵀ1 − b exp(−g/ρ_b)|₁</c>. With total variation <c>|P1 − a|₁</c>, where a row whose potential is ρ may send less than its weight
    /// and one at −ρ more.
    /// </summary>
    public double MarginalError { get; init; }

    /// <summary>Recomputes values, bounds and errors in a separate pass that shares no code with the solvers. Made once; cost as <see cref="Certificate.Verify"/>.</summary>
    /// <exception cref="InvalidOperationException">The problem is infeasible: there is no plan to certify.</exception>
    public Certificate Certify() =>
        Status == SolverStatus.Infeasible
            ? throw new InvalidOperationException($"No plan exists, so there is nothing to certify. {Message}")
            : _certificate ??= Certificate.Verify(Problem, Plan, Potentials);
}
