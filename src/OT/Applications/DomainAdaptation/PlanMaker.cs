using OT.Backends;
using OT.Problems;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Applications.DomainAdaptation;

/// <summary>How the plan behind a <see cref="PlanMap"/> is made: a solver with its regulariser and its options.</summary>
public sealed class PlanMaker
{
    readonly Func<LinearProblem, Domain, Domain, CancellationToken, MadePlan> _make;

    PlanMaker(string name, Func<LinearProblem, Domain, Domain, CancellationToken, MadePlan> make) => (Name, _make) = (name, make);

    /// <summary>The exact plan, by <see cref="NetworkSimplex"/>: sparse, and a permutation between equally many equal weights.</summary>
    /// <param name="options">Limits and memory; defaults when left out.</param>
    public static PlanMaker Exact(ExactOptions? options = null) =>
        new("exact", (problem, _, _, cancellation) => MadePlan.Of(new NetworkSimplex(options).Solve(problem, cancellation)));

    /// <summary>The entropic plan, by <see cref="Solvers.Entropic.Sinkhorn"/>: smooth, and with it the map of new points.</summary>
    /// <param name="epsilon">Strength of the entropy; 0.05 of the mean cost when left out. Large values draw all images to the target's mean.</param>
    /// <param name="options">Tolerance and limits; defaults when left out.</param>
    /// <param name="backend">Where it runs, left undisposed; managed when left out.</param>
    public static PlanMaker Sinkhorn(Epsilon? epsilon = null, SinkhornOptions? options = null, IBackend? backend = null) =>
        new(
            "sinkhorn",
            (problem, _, _, cancellation) =>
                MadePlan.Of(
                    new Sinkhorn(options, backend).Solve(
                        problem with
                        {
                            Regularizer = Regularizer.Entropy(epsilon),
                        },
                        cancellation
                    )
                )
        );

    /// <summary>Any other solver.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="make">
    /// Solves a problem between source and target, whose weights, points and classes are at hand. The problem comes without a regulariser, its pairs of different
    /// known classes forbidden; <c>problem with { … }</c> adds what the solver takes.
    /// </param>
    public static PlanMaker Of(string name, Func<LinearProblem, Domain, Domain, CancellationToken, MadePlan> make)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(make);
        return new(name, make);
    }

    /// <summary>The solver's name, which a saved map keeps.</summary>
    public string Name { get; }

    internal MadePlan Make(LinearProblem problem, Domain source, Domain target, CancellationToken cancellation) =>
        _make(problem, source, target, cancellation);
}
