using OT.Geometries;
using OT.IO;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Applications.DomainAdaptation;

/// <summary>A map between two domains by a transport plan between their samples: each point goes to the centre of what the plan sends from it.</summary>
/// <remarks>
/// Classes known on both sides are kept apart: a pair of points whose known classes differ is forbidden. Courty, Flamary, Tuia, Rakotomamonjy, TPAMI 2017; docs/theory/domain-adaptation.md
/// </remarks>
public sealed class PlanMap : DomainMap
{
    readonly PlanMapOptions _options;
    readonly Lazy<(Matrix Images, PointMap Map)> _forward;
    readonly Lazy<(Matrix Images, PointMap Map)> _backward;

    internal PlanMap(
        Domain source,
        Domain target,
        MadePlan made,
        string method,
        PlanMapOptions options,
        Potentials? potentials,
        double epsilon
    )
    {
        (Source, Target, Status, Message, Result) = (source, target, made.Status, made.Message, made.Result);
        (Method, _options, Plan, Potentials, Epsilon) = (method, options, made.Plan, potentials, epsilon);
        bool isEntropic = potentials is not null;
        if (options.Extension == Extension.Entropic && !isEntropic)
            throw new ArgumentException(
                $"Extension.Entropic needs a plan that is known by its potentials, which '{method}' does not give: fit by PlanMaker.Sinkhorn.",
                nameof(options)
            );
        Extension =
            options.Extension != Extension.Automatic ? options.Extension
            : isEntropic ? Extension.Entropic
            : Extension.Nearest;
        _forward = new(() => Fitted(source, target, backward: false));
        _backward = new(() => Fitted(target, source, backward: true));
    }

    /// <summary>Fits a map from source to target.</summary>
    /// <param name="source">n points; classes where they are known.</param>
    /// <param name="target">m points; classes where they are known, which keeps points of other known classes away from them.</param>
    /// <param name="maker">The solver.</param>
    /// <param name="options">Cost and extension; defaults when left out.</param>
    /// <param name="cancellation">Stops the solver; the map is then that of its last usable plan, and <see cref="Status"/> says so.</param>
    /// <exception cref="ArgumentException">Dimensions differ, an option is out of range, or there is no plan: masses differ, or classes weigh more in the target than what may go there.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before there was a plan.</exception>
    /// <exception cref="InvalidOperationException">The solver stopped for another reason, as its time limit, before there was a plan.</exception>
    public static PlanMap Fit(
        Domain source,
        Domain target,
        PlanMaker maker,
        PlanMapOptions? options = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(maker);
        options ??= new();
        options.Validate();
        LinearProblem problem = ProblemOf(source, target, options.Cost);
        MadePlan made = maker.Make(problem, source, target, cancellation);
        if (made.Status == SolverStatus.Infeasible)
            throw new ArgumentException(WhyNone(source, target, made.Message), nameof(target));
        if (made.Plan.Rows != source.Count || made.Plan.Columns != target.Count)
            throw new ArgumentException(
                $"'{maker.Name}' made a plan of {made.Plan.Rows} x {made.Plan.Columns} for {source.Count} and {target.Count} points.",
                nameof(maker)
            );
        if (made.Status == SolverStatus.Cancelled && !Centre.HasMass(made.Plan))
            throw new OperationCanceledException($"Cancelled before there was a plan. {made.Message}".TrimEnd(), cancellation);
        // Potentials stand for the plan only where it is the implicit plan of this very problem.
        TransportResult? entropic =
            made.Result is { Plan: PotentialPlan, Potentials: not null, Epsilon: > 0 } result
            && ReferenceEquals(result.Plan, made.Plan)
            && ReferenceEquals(result.Problem.Geometry, problem.Geometry)
                ? result
                : null;
        var map = new PlanMap(source, target, made, maker.Name, options, entropic?.Potentials, entropic?.Epsilon ?? 0);
        _ = map._forward.Value; // what is wrong is told now, not at the first point
        return map;
    }

    /// <summary>What it was fitted to; its points are those that <see cref="Images"/> are of.</summary>
    public Domain Source { get; }

    /// <summary>Where it leads.</summary>
    public Domain Target { get; }

    /// <summary>The plan, n × m.</summary>
    public TransportPlan Plan { get; }

    /// <summary>Why the solver stopped. A map of a plan that did not converge is a map all the same; this says so.</summary>
    public SolverStatus Status { get; }

    /// <summary>What the solver had to say.</summary>
    public string Message { get; }

    /// <summary>The solver's whole answer, where it solved the linear problem: its values and certificate. Null for other solvers, and for maps that were read from files.</summary>
    public TransportResult? Result { get; }

    /// <summary>The name of the solver.</summary>
    public string Method { get; }

    /// <summary>What becomes of new points; never <see cref="Extension.Automatic"/>.</summary>
    public Extension Extension { get; }

    /// <summary>The potentials of an entropic plan; null for others.</summary>
    public Potentials? Potentials { get; }

    /// <summary>ε of an entropic plan, in cost units; 0 for others.</summary>
    public double Epsilon { get; }

    /// <summary>The ground cost.</summary>
    public GroundCost Cost => _options.Cost;

    /// <summary>
    /// Images of the source points, n × d: centres of the plan's rows. A point without mass takes the displacement of the nearest that has some.
    /// <see cref="DomainMap.Transform"/> agrees for <see cref="Extension.Nearest"/>, where points that coincide share the mean of their images, and, unless classes forbid pairs, for <see cref="Extension.Entropic"/>.
    /// </summary>
    public Matrix Images => _forward.Value.Images;

    /// <summary>Images of the target points in the source domain, m × d: centres of the plan's columns.</summary>
    public Matrix InverseImages => _backward.Value.Images;

    /// <inheritdoc/>
    public override int Dimension => Source.Dimension;

    /// <summary>Classes of the target points, as the plan carries those of the source.</summary>
    /// <param name="sourceLabels">A class for each source point, −1 where it is not known; those of the fit when left out.</param>
    /// <returns>m rows that sum to 1: the share of each class in the mass that arrives from points of known class; where none does, that of each class in all of them.</returns>
    /// <exception cref="ArgumentException">There are not as many labels as points, one is below −1, or no point of positive weight has a class.</exception>
    public ClassShares TransformLabels(ReadOnlySpan<int> sourceLabels = default) =>
        ClassShares.Of(
            Plan,
            sourceLabels.IsEmpty ? Source.Labels.AsSpan() : sourceLabels,
            Source.Measure.Weights,
            ofColumns: true
        );

    /// <summary>Classes of the source points, as the plan carries back those of the target.</summary>
    /// <param name="targetLabels">A class for each target point, −1 where it is not known; those of the fit when left out.</param>
    /// <inheritdoc cref="TransformLabels"/>
    /// <returns>n rows that sum to 1.</returns>
    public ClassShares InverseTransformLabels(ReadOnlySpan<int> targetLabels = default) =>
        ClassShares.Of(
            Plan,
            targetLabels.IsEmpty ? Target.Labels.AsSpan() : targetLabels,
            Target.Measure.Weights,
            ofColumns: false
        );

    private protected override Matrix Forward(Matrix points) => Extended(_forward.Value.Map, points);

    private protected override Matrix Backward(Matrix points) => Extended(_backward.Value.Map, points);

    private protected override (string Name, NpyArray Array)[] Members() => MapFile.Of(this, _options);

    Matrix Extended(PointMap map, Matrix points)
    {
        if (Extension == Extension.Entropic)
            Cost.CheckPoints(points, nameof(points));
        return map.Map(points);
    }

    /// <summary>The problem whose plans are asked for: costs between the points, pairs of different known classes forbidden.</summary>
    internal static LinearProblem ProblemOf(Domain source, Domain target, GroundCost cost)
    {
        var cloud = new PointCloud(source.Points, target.Points, cost);
        return new LinearProblem(
            ClassMask.IsNeeded(source, target) ? new CostSum((1, cloud), (0, new ClassMask(source, target))) : cloud,
            source.Measure,
            target.Measure
        );
    }

    static string WhyNone(Domain source, Domain target, string message)
    {
        (double stranded, int worst) = ClassMask.Stranded(source, target);
        return ClassMask.IsNeeded(source, target) && stranded > 0
            ? FormattableString.Invariant(
                $"No plan keeps the known classes apart: mass {stranded:G6} of the target's classes, of class {worst} above all, has no source of the same or of unknown class. Change weights or leave target classes out (-1)."
            )
            : $"There is no plan between these domains. {message}".TrimEnd();
    }

    /// <summary>Centres of what the plan sends from one side, and the map that goes on from them.</summary>
    (Matrix Images, PointMap Map) Fitted(Domain from, Domain to, bool backward)
    {
        bool median = Centre.IsMedian(Cost);
        Matrix centres = backward ? Centre.OfColumns(Plan, to.Points, median) : Centre.OfRows(Plan, to.Points, median);
        int[] kept =
        [
            .. Enumerable.Range(0, from.Count).Where(i => from.Measure.Weights[i] > 0 && double.IsFinite(centres[i, 0])),
        ];
        if (kept.Length == 0)
            throw new InvalidOperationException(
                $"The solver stopped with {Status} and left a plan without mass. {Message}".TrimEnd()
            );
        (Matrix anchors, Matrix images) = (from.Points.SelectRows(kept), centres.SelectRows(kept));
        double[] masses = Array.ConvertAll(kept, i => from.Measure.Weights[i]);
        var nearest = new NearestMap(anchors, images, masses);
        if (kept.Length < from.Count)
            centres = Completed(centres, kept, nearest.Map(from.Points));
        PointMap map = Extension switch
        {
            Extension.Entropic => new EntropicMap(
                to.Points,
                to.Measure.Weights,
                backward ? Potentials!.F : Potentials!.G,
                Epsilon,
                Cost,
                backward
            ),
            Extension.Gaussian => new GaussianMap(anchors, images, masses, _options.Bandwidth, _options.Ridge),
            _ => nearest,
        };
        return (centres, map);
    }

    static Matrix Completed(Matrix centres, int[] kept, Matrix others)
    {
        double[] values = others.Values.ToArray();
        foreach (int i in kept)
            centres.Row(i).CopyTo(values.AsSpan(i * centres.Columns));
        return new Matrix(centres.Rows, centres.Columns, values);
    }
}
