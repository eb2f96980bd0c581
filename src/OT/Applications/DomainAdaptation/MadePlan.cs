using OT.Results;

namespace OT.Applications.DomainAdaptation;

/// <summary>What a <see cref="PlanMaker"/> answers.</summary>
/// <param name="Plan">Masses between the points of both domains, n × m.</param>
/// <param name="Status">Why the solver stopped.</param>
public sealed record MadePlan(TransportPlan Plan, SolverStatus Status)
{
    /// <summary>What the solver has to say.</summary>
    public string Message { get; init; } = "";

    /// <summary>The whole answer where a solver of linear problems gave it: with its certificate. Null otherwise.</summary>
    public TransportResult? Result { get; init; }

    /// <summary>The answer of a solver of linear problems.</summary>
    public static MadePlan Of(TransportResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return new(result.Plan, result.Status) { Message = result.Message, Result = result };
    }
}
