using OT.Backends;
using OT.Problems;
using OT.Results;
using OT.Solvers.Classes;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Solvers.Sparse;

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

    /// <summary>The quadratic plan, by <see cref="QuadraticDual"/>: sparse, and between the exact and the entropic one in smoothness.</summary>
    /// <param name="gamma">γ, in cost units per mass.</param>
    /// <param name="options">Tolerance and limits; defaults when left out.</param>
    public static PlanMaker Quadratic(double gamma, QuadraticOptions? options = null) =>
        new(
            "quadratic",
            (problem, _, _, cancellation) =>
            {
                TransportResult result = new QuadraticDual(options).Solve(
                    problem with
                    {
                        Regularizer = Regularizer.Quadratic(gamma),
                    },
                    cancellation
                );
                return new MadePlan(result.Plan, result.Status) { Message = result.Message };
            }
        );

    /// <summary>Near source points, of one class where classes are known, drawn together, by <see cref="SumOfNorms"/>. Weights of source points must be positive.</summary>
    /// <param name="lambda">λ, in cost units.</param>
    /// <param name="neighbours">Nearest source points that a point is drawn to; 10 by default.</param>
    /// <param name="options">Gap and limits; defaults when left out.</param>
    public static PlanMaker SumOfNorms(double lambda, int neighbours = 10, SumOfNormsOptions? options = null) =>
        new(
            "sum-of-norms",
            (problem, source, target, cancellation) =>
            {
                var rows = PairWeights.Nearest(source.Points, neighbours);
                if (source.KnowsClasses)
                    rows = rows.Within(source.Labels.AsSpan());
                SumOfNormsResult result = new SumOfNorms(options).Solve(
                    problem with
                    {
                        Regularizer = Regularizer.SumOfNorms(lambda, rows, PairWeights.None(target.Points.Rows)),
                    },
                    cancellation
                );
                return new MadePlan(result.Plan, result.Status) { Message = result.Message };
            }
        );

    /// <summary>Entropy and a concave term that sends each target's mass from few classes, by <see cref="Solvers.Classes.LpL1"/> (Courty et al. 2017).</summary>
    /// <param name="epsilon">Strength of the entropy; 0.05 of the mean cost when left out.</param>
    /// <param name="options">Strength of the class term, tolerance and limits; defaults when left out.</param>
    public static PlanMaker LpL1(Epsilon? epsilon = null, ClassRegularizedOptions? options = null) =>
        Entropic("lpl1", epsilon, (problem, labels, cancellation) => new LpL1(options).Solve(problem, labels, cancellation));

    /// <summary>Entropy and the norms of the classes in each column, by <see cref="EntropicGroupLasso"/>.</summary>
    /// <inheritdoc cref="LpL1"/>
    public static PlanMaker GroupLasso(Epsilon? epsilon = null, ClassRegularizedOptions? options = null) =>
        Entropic(
            "group-lasso",
            epsilon,
            (problem, labels, cancellation) => new EntropicGroupLasso(options).Solve(problem, labels, cancellation)
        );

    /// <summary>The potentials of a class-regularised plan belong to altered costs: new points go with their neighbours.</summary>
    static PlanMaker Entropic(
        string name,
        Epsilon? epsilon,
        Func<LinearProblem, ReadOnlySpan<int>, CancellationToken, ClassRegularizedResult> solve
    ) =>
        new(
            name,
            (problem, source, _, cancellation) =>
            {
                ClassRegularizedResult result = solve(
                    problem with
                    {
                        Regularizer = Regularizer.Entropy(epsilon),
                    },
                    source.Labels.AsSpan(),
                    cancellation
                );
                return new MadePlan(result.Plan, result.Status) { Message = result.Message };
            }
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
