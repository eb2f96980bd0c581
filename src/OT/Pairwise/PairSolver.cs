using System.Diagnostics;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Pairwise;

/// <summary>The dual value of a measure with itself, and how its solve went.</summary>
readonly record struct SelfTerm(double Dual, SolverStatus Status, double Error);

/// <summary>Solves one pair at a time, on any thread, with the solver and the bits that the pair would have alone.</summary>
sealed class PairSolver
{
    /// <summary>Costs below this share of the largest have lost digits to the smallest double.</summary>
    const double Resolved = 1e-280;

    readonly PairwiseProblem _problem;
    readonly SinkhornOptions _sinkhorn;
    readonly IBackend? _given;
    readonly CancellationToken _stop;
    readonly Geometry? _exactCosts;
    readonly double _unit = 1;
    readonly bool _underflows;
    readonly Lock _refusing = new();
    (int Row, int Column, string Text)? _refusal;

    /// <summary>Prepares what all pairs share.</summary>
    /// <param name="problem">The matrix.</param>
    /// <param name="options">Tolerance and iterations of entropic solves.</param>
    /// <param name="given">The back end asked for, or null.</param>
    /// <param name="stop">Ends every solve.</param>
    /// <exception cref="OperationCanceledException">Stopped while ε was resolved.</exception>
    public PairSolver(PairwiseProblem problem, PairwiseOptions options, IBackend? given, CancellationToken stop)
    {
        (_problem, _given, _stop) = (problem, given, stop);
        _sinkhorn = new() { Tolerance = options.Tolerance, MaxIterations = options.MaxIterations };
        if (problem.Quantity is EntropicQuantity entropic)
            Epsilon = EpsilonOf(problem, entropic.Epsilon, stop);
        else if (problem.Shared is { } shared)
            (_exactCosts, _unit, _underflows) = ExactCosts(shared, problem.Quantity);
    }

    /// <summary>The absolute ε of every pair; NaN for quantities without one.</summary>
    public double Epsilon { get; } = double.NaN;

    /// <summary>Terms of the row measures with themselves, filled before pairs that need them.</summary>
    public SelfTerm[] RowTerms { get; init; } = [];

    /// <summary>Those of the column measures; the same array for one list.</summary>
    public SelfTerm[] ColumnTerms { get; init; } = [];

    /// <summary>Why a solver would not take a pair: of several the first, whichever thread met it.</summary>
    public string Refusal =>
        _refusal is { } first ? FormattableString.Invariant($"Pair ({first.Row}, {first.Column}) was refused: {first.Text}") : "";

    /// <summary>One entry, or null where it was cut short.</summary>
    /// <param name="row">Index of the first measure.</param>
    /// <param name="column">Index of the second.</param>
    /// <param name="own">The back end of this thread, for what the small engine does not take.</param>
    /// <exception cref="BackendException">The back end asked for failed: what it could not do is no answer, and no entry.</exception>
    public PairwiseEntry? Solve(int row, int column, IBackend own)
    {
        Measure a = _problem.Rows[row],
            b = _problem.Columns[column];
        if (Math.Abs(a.Mass - b.Mass) > Math.Max(a.MassSlack, b.MassSlack) * Math.Max(a.Mass, b.Mass))
            return new(row, column, double.NaN, SolverStatus.Infeasible, double.NaN);
        try
        {
            (double value, SolverStatus status, double error) = _problem.Quantity switch
            {
                TransportCostQuantity => Exact(row, column),
                WassersteinQuantity wasserstein => Distance(row, column, wasserstein.Order),
                EntropicQuantity entropic => Entropic(row, column, entropic.Part, own),
                SlicedQuantity sliced => Slices(a, b, sliced, own.Threads),
                _ => throw new UnreachableException(),
            };
            // What was cut short depends on the clock: it is no entry.
            return status is SolverStatus.Cancelled or SolverStatus.TimeLimit || _stop.IsCancellationRequested
                ? null
                : new PairwiseEntry(row, column, value, status, error);
        }
        catch (Exception refused) when (refused is ArgumentException or NotSupportedException)
        {
            Note(row, column, refused);
            return new(row, column, double.NaN, SolverStatus.NumericalFailure, double.NaN);
        }
    }

    /// <summary>A measure with itself at the common ε; its status is cancelled where it was cut short.</summary>
    /// <param name="number">What messages call the measure.</param>
    /// <param name="measure">The measure.</param>
    /// <param name="own">The back end of this thread.</param>
    public SelfTerm Self(int number, Measure measure, IBackend own)
    {
        Geometry costs = _problem.GeometryOf(measure, measure);
        IBackend backend = _given ?? own;
        var term = new LinearProblem(costs, measure, measure) { Regularizer = Regularizer };
        try
        {
            if (costs is PointCloud { GroundCost: var cost, Source: var points })
                SinkhornDivergence.CheckSymmetric(cost, points, _stop);
            TransportResult result = new SymmetricSinkhorn(_sinkhorn, backend).Solve(term, Epsilon, _stop, _stop);
            double dual = result.Potentials is null ? double.NaN : EntropicDual.Value(result, backend, _stop);
            return new(dual, result.Status, result.MarginalError);
        }
        catch (Exception refused) when (refused is ArgumentException or NotSupportedException)
        {
            Note(number, number, refused);
            return new(double.NaN, SolverStatus.NumericalFailure, double.NaN);
        }
    }

    void Note(int row, int column, Exception refused)
    {
        lock (_refusing)
        {
            if (_refusal is not { } first || (row, column).CompareTo((first.Row, first.Column)) < 0)
                _refusal = (row, column, refused.Message);
        }
    }

    Regularizer Regularizer => Regularizer.Entropy(Problems.Epsilon.Absolute(Epsilon));

    (double, SolverStatus, double) Exact(int row, int column)
    {
        TransportResult result = Transport.Solve(ExactPair(row, column), cancellation: _stop);
        return (
            result.Status == SolverStatus.Infeasible ? double.NaN : result.TransportCost,
            result.Status,
            result.MarginalError
        );
    }

    (double, SolverStatus, double) Distance(int row, int column, double p)
    {
        if (_problem.Cost is { } distance)
        {
            (double value, TransportResult? stopped) = Transport.PoweredDistance(ExactPair(row, column), distance, p, _stop);
            return (value, stopped?.Status ?? SolverStatus.Converged, stopped?.MarginalError ?? 0);
        }
        LinearProblem pair = ExactPair(row, column);
        TransportResult result = Transport.Solve(pair, cancellation: _stop);
        if (!result.Converged)
            return (double.NaN, result.Status, result.MarginalError);
        if (_underflows && result.TransportCost < Resolved * pair.A.Mass && !pair.A.Weights.SequenceEqual(pair.B.Weights))
            throw new ArgumentException("The powers of its distances are below the smallest double: give a smaller p.");
        return (_unit * Math.Pow(Math.Max(result.TransportCost, 0), 1 / p), result.Status, result.MarginalError);
    }

    /// <summary>The exact problem of a pair.</summary>
    public LinearProblem ExactPair(int row, int column)
    {
        (Measure a, Measure b) = (_problem.Rows[row], _problem.Columns[column]);
        return new(_exactCosts ?? _problem.GeometryOf(a, b), a, b);
    }

    (double, SolverStatus, double) Entropic(int row, int column, EntropicPart part, IBackend own)
    {
        LinearProblem pair = _problem.Pair(row, column, Regularizer);
        bool small = (long)pair.Geometry.Rows * pair.Geometry.Columns <= SmallSinkhorn.MaxPairs;
        // Without a back end the solver has an engine for small problems.
        TransportResult cross = new Sinkhorn(_sinkhorn, _given ?? (small ? null : own)).Solve(pair, _stop);
        if (cross.Potentials is null)
            return (double.NaN, cross.Status, cross.MarginalError);
        if (part != EntropicPart.Divergence)
            return (part == EntropicPart.Value ? cross.Value : cross.TransportCost, cross.Status, cross.MarginalError);
        (SelfTerm xx, SelfTerm yy) = (RowTerms[row], ColumnTerms[column]);
        // The cross term was solved with b at a's mass.
        double scale = cross.Problem.B.Mass / pair.B.Mass;
        double value = SinkhornDivergence.IsSelf(pair)
            ? 0
            : EntropicDual.Value(cross, _given ?? own, _stop)
                - (xx.Dual / 2)
                - (EntropicDual.Scaled(yy.Dual, pair.B.Mass, Epsilon, scale) / 2);
        SolverStatus status = Entries.Graver(cross.Status, Entries.Graver(xx.Status, yy.Status));
        return double.IsFinite(value)
            ? (value, status, Math.Max(cross.MarginalError, Math.Max(xx.Error, yy.Error)))
            : (double.NaN, status == SolverStatus.Converged ? SolverStatus.NumericalFailure : status, double.NaN);
    }

    static (double, SolverStatus, double) Slices(Measure a, Measure b, SlicedQuantity sliced, int threads)
    {
        SlicedResult result = Solvers.Exact.Sliced.Distance(a, b, sliced.Order, sliced.Options, threads, Simd.Width);
        return (result.Distance, SolverStatus.Converged, result.DistanceStandardError);
    }

    /// <summary>ε once for all: a statistic of the costs between all points of the rows and all of the columns.</summary>
    static double EpsilonOf(PairwiseProblem problem, Epsilon epsilon, CancellationToken stop)
    {
        if (epsilon.Scale == EpsilonScale.Absolute)
            return epsilon.Factor;
        if (problem.Shared is { } shared)
            return epsilon.Resolve(shared, stop);
        Matrix rows = Pooled(problem.Rows.AsSpan());
        return epsilon.Resolve(
            new PointCloud(rows, problem.IsOneList ? rows : Pooled(problem.Columns.AsSpan()), problem.Cost),
            stop
        );
    }

    static Matrix Pooled(ReadOnlySpan<Measure> measures)
    {
        long count = 0;
        foreach (Measure measure in measures)
            count += measure.Count;
        int d = measures[0].Points!.Columns;
        var all = new double[Guard.ArrayLength(count, d, "all points together")];
        int at = 0;
        foreach (Measure measure in measures)
        {
            measure.Points!.Values.CopyTo(all.AsSpan(at));
            at += measure.Points.Values.Length;
        }
        return new Matrix((int)count, d, all);
    }

    /// <summary>Shared costs as exact solvers read them best: stored, and raised to the order in a unit near the largest distance, a power of two.</summary>
    static (Geometry Costs, double Unit, bool Underflows) ExactCosts(Geometry shared, PairwiseQuantity quantity)
    {
        double p = quantity is WassersteinQuantity { Order: var order } ? order : 1;
        if (p == 1)
        {
            bool table = (long)shared.Rows * shared.Columns <= ExactOptions.DefaultTableBytes / sizeof(double);
            // Points on a line are sorted, and stored costs read in place.
            bool asItIs = shared is CostMatrix or SparseCost or PointCloud { Dimension: 1 } || !table;
            return (asItIs ? shared : CostMatrix.From(shared), 1, false);
        }
        double unit = Transport.PowerOfTwo(shared.Statistics.Max);
        var powers = new double[Guard.ArrayLength(shared.Rows, shared.Columns, "a table of powers")];
        for (int i = 0; i < shared.Rows; i++)
            shared.CostRow(i, powers.AsSpan(i * shared.Columns, shared.Columns));
        bool underflows = false;
        foreach (ref double d in powers.AsSpan())
        {
            double power = Math.Pow(d / unit, p);
            underflows |= d > 0 && power < Resolved;
            d = power;
        }
        return (new CostMatrix(shared.Rows, shared.Columns, powers), unit, underflows);
    }
}
