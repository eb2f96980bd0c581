using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>One solve: the iterate and everything that steers it.</summary>
internal sealed partial class SinkhornRun : IDisposable
{
    /// <summary>Without a new smallest error for so many iterations, and with potentials at rest, rounding is what is left.</summary>
    const int StallIterations = 2000;

    public const int AndersonMemory = 24;

    /// <summary>Plain iterations after a rejected step: twice as many each time, until an accelerated one is accepted.</summary>
    const int MaxPlainSpell = 64;

    /// <summary>Iterations at the target's ε before a first look at whether Newton's steps would pay.</summary>
    const int BeforeNewton = 20;

    /// <summary>An iteration takes about so long for each pair, in units of a sparse multiply-add.</summary>
    const double IterationWork = 0.25;

    /// <summary>Entries that Newton leaves out of the plan, relative to their marginals and to the error; at most <see cref="MostThinning"/>.</summary>
    const double NewtonThinning = 0.1;

    const double MostThinning = 1e-3;
    const double LeastThinning = 1e-12;

    const int MaxNewtonRefusals = 12;

    /// <summary>Steps without any gain after which first-order ones have their turn.</summary>
    const int MaxNewtonIdle = 3;

    /// <summary>Newton steps in which the error should fall tenfold; first-order ones have their turn where it does not.</summary>
    const int NewtonSpell = 50;

    /// <summary>Accelerated steps without any gain, between bounds, after which plain ones have their turn, and for how long.</summary>
    const int MaxIdleBetweenBounds = 10;

    const int PlainBetweenBounds = 100;

    /// <summary>Losses added to Newton's matrix, relative to the column masses and to the marginal error.</summary>
    const double NewtonDamping = 1e-3;

    /// <summary>Fewer pairs than this are not worth a second operator.</summary>
    const long PairsWorthFloats = 250_000;

    /// <summary>Iterations in floats without a new smallest error after which doubles take over.</summary>
    const int FloatPatience = 50;

    /// <summary>After a cancellation, values are still computed when that takes about a tenth of a second.</summary>
    const long PairsWorthFinishing = 20_000_000;

    /// <summary>Below this share of the cost bound, annealing pays unless the caller says otherwise.</summary>
    const double AnnealBelow = 0.01;

    /// <summary>Error, relative to the mass, at which annealing goes on to the next level.</summary>
    const double AnnealedError = 0.02;

    /// <summary>Shifts of bounded potentials are found to this share of ε, or of themselves.</summary>
    const double ShiftPrecision = 1e-3;

    /// <summary>No error is as small.</summary>
    const double NoTarget = -1;

    /// <summary>Masses that differ by less are equal: they are sums of rounded weights.</summary>
    public const double MassRounding = 1e-14;

    readonly LinearProblem _problem;
    readonly Geometry _costs;
    readonly double _epsilon;
    readonly SinkhornOptions _options;
    readonly IBackend _backend;
    readonly CancellationToken _cancellation;
    readonly CancellationToken _limit;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
    readonly Measure _b;
    readonly string _message;
    readonly double[] _f;
    readonly double[] _g;
    readonly double[] _logA;
    readonly double[] _logB;
    readonly double[] _weightsA;
    readonly double[] _weightsB;
    readonly double _rhoA;
    readonly double _rhoB;
    readonly double _floatFloor;
    readonly double _wanted;
    readonly long _newtonBytes;
    readonly LinearProblem _asked;
    readonly int _checkpointEvery;
    readonly ulong _fingerprint;
    double _newtonFloor;
    readonly EpsilonSchedule _schedule;
    readonly double[] _keptF;
    readonly double[] _keptG;
    readonly double[] _before;
    readonly double[] _stallG;
    readonly Anderson? _anderson;
    ICostOperator? _bound;
    string _ran = "";
    Precision _precision;
    OverRelaxation? _relaxation;
    SinkhornStep? _step;
    double _target;
    double _omega = 1;
    double _error = double.NaN;
    double _bestError = double.PositiveInfinity;
    double _keptDual = double.NegativeInfinity;
    double _keptError = double.NaN;
    double _keptEpsilon;
    SemiDualNewton? _newton;
    int _newtonFrom;
    int _newtonRefusals;
    int _newtonIdle;
    int _newtonSpell;
    double _newtonSpellError;
    int _idle;
    int _newtonSteps;
    int _thinEntries;
    int _annealed;
    int _inFloats;
    int _levelStart;
    bool _byNewton;
    bool _accelerated;
    bool _safeStart;
    int _iteration;
    int _bestIteration;
    int _lastStallCheck;
    int _plainUntil;
    int _plainSpell = 1;

    public SinkhornRun(
        LinearProblem problem,
        double epsilon,
        SinkhornOptions options,
        IBackend backend,
        Potentials? start,
        SinkhornState? state,
        (bool[] Rows, bool[] Columns) partners,
        CancellationToken cancellation,
        CancellationToken limit
    )
    {
        (_asked, _problem) = (problem, WithoutIdlePenalties(problem, epsilon));
        (_epsilon, _options, _backend, _cancellation, _limit) = (epsilon, options, backend, cancellation, limit);
        (double massA, double massB) = (problem.A.Mass, problem.B.Mass);
        _costs = backend.Prepare(problem.Geometry);
        _b = problem.B;
        var messages = new List<string>();
        if (_problem != problem)
            messages.Add(
                "A penalty that doubles cannot tell from a constraint, or whose bound no potential reaches, is held as one."
            );
        if (_problem.IsBalanced && Math.Abs(massA - massB) > MassRounding * massA)
        {
            _b = problem.B.Scale(massA / massB);
            messages.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Target weights were scaled by {massA / massB:G17} to the source mass."
                )
            );
        }
        _message = string.Join(' ', messages);
        (_rhoA, _rhoB) = (_problem.PenaltyA.Rho, _problem.PenaltyB.Rho);
        _wanted = Target(Math.Max(massA, massB));
        _target = options.StopEarly ? _wanted : NoTarget;
        if (!options.StopEarly)
            _keptEpsilon = epsilon; // the start is itself the answer of no iterations
        (_weightsA, _weightsB) = (problem.A.Weights.ToArray(), _b.Weights.ToArray());
        bool coldStart = start is null || IsAbsurd(start);
        _safeStart = coldStart && !IsBounded;
        _f = coldStart ? new double[_weightsA.Length] : start!.F.ToArray();
        _g = coldStart ? new double[_weightsB.Length] : start!.G.ToArray();
        KeepHome(partners.Rows, _weightsA, _f, _problem.PenaltyA);
        KeepHome(partners.Columns, _weightsB, _g, _problem.PenaltyB);
        Bound(_g, _problem.PenaltyB);
        (_logA, _logB) = (VectorMath.LogWeights(_weightsA), VectorMath.LogWeights(_weightsB));
        (_keptF, _keptG) = ([.. _f], [.. _g]);
        (_before, _stallG) = (new double[_g.Length], new double[_g.Length]);
        // Checkpoints end spells of acceleration: where one process asks for them, all make the same steps.
        _checkpointEvery = backend.Share.Gather<int>([options.Checkpoint is null ? int.MaxValue : options.CheckpointEvery]).Min();
        if (_checkpointEvery < int.MaxValue)
            _fingerprint = state is { Problem: not 0 } ? state.Problem : SinkhornState.ProblemOf(problem);
        if (state is not null)
        {
            _iteration = _bestIteration = _lastStallCheck = state.Iterations;
            _errors.AddRange(state.Errors);
            _omega = state.Relaxation;
            _keptEpsilon = epsilon;
        }
        _schedule =
            options.Schedule
            ?? (
                start is null && options.StopEarly && epsilon < AnnealBelow * problem.Geometry.MagnitudeBound
                    ? new EpsilonSchedule()
                    : EpsilonSchedule.None
            );
        if (options.Acceleration == Acceleration.OverRelaxation)
            _relaxation = new OverRelaxation(_f.Length, _g.Length, _omega);
        else if (options.Acceleration != Acceleration.None && !IsPlain)
            _anderson = new Anderson(AndersonMemory, _g.Length);
        // Below this error, rounding of the exponents C/ε to floats is what is seen.
        _floatFloor = 8 * problem.Geometry.MagnitudeBound / epsilon / (1 << 24);
        _precision = state?.Precision ?? (FloatsComeFirst() ? Precision.Float32 : options.Precision);
        long other = backend.EstimateBytes(_costs, Precision.Float64) + Sinkhorn.OwnBytes(problem.Geometry, backend);
        _newtonBytes = Math.Min(backend.MemoryLimit, backend.Share.AvailableBytes / 2) - other;
    }

    public void Dispose() => Unbind();

    /// <summary>What iterates: bound when first needed, so that one operator is resident at a time.</summary>
    ICostOperator Operator
    {
        get
        {
            if (_bound is null)
            {
                _bound = _backend.Bind(_costs, _precision, _limit);
                _ran = _bound.Description;
            }
            return _bound;
        }
    }

    void Unbind()
    {
        _bound?.Dispose();
        _bound = null;
    }

    /// <summary>
    /// Penalties that doubles cannot tell from constraints become constraints, as long as the masses allow it. A total variation is one where no balanced
    /// potential reaches its bound: f varies by 2 max|C| at most, and g by as much around <c>−ε log m_a</c>.
    /// </summary>
    static LinearProblem WithoutIdlePenalties(LinearProblem problem, double epsilon)
    {
        double reach = problem.Geometry.HasForbiddenPairs
            ? double.PositiveInfinity
            : (2 * problem.Geometry.MagnitudeBound) + (epsilon * Math.Abs(Math.Log(problem.A.Mass)));
        bool Rigid(MarginalPenalty penalty) =>
            penalty.IsTotalVariation ? penalty.Rho > reach : penalty.IsExact || penalty.Tau(epsilon) == 1;
        bool bothRigid = Rigid(problem.PenaltyA) && Rigid(problem.PenaltyB);
        bool Idle(MarginalPenalty penalty) =>
            !penalty.IsExact && problem.MassesWouldAgree && (penalty.IsTotalVariation ? bothRigid : Rigid(penalty));
        return Idle(problem.PenaltyA) || Idle(problem.PenaltyB)
            ? problem with
            {
                PenaltyA = Idle(problem.PenaltyA) ? MarginalPenalty.Exact : problem.PenaltyA,
                PenaltyB = Idle(problem.PenaltyB) ? MarginalPenalty.Exact : problem.PenaltyB,
            }
            : problem;
    }

    /// <summary>Whether given potentials are so far beyond the costs that their differences are rounding.</summary>
    bool IsAbsurd(Potentials start)
    {
        double limit = 1e6 * (_problem.Geometry.MagnitudeBound + _epsilon);
        return Math.Abs(TensorPrimitives.MaxMagnitude(start.F)) > limit
            || Math.Abs(TensorPrimitives.MaxMagnitude(start.G)) > limit;
    }

    /// <summary>
    /// The L1 error to stop at. A hard marginal weighs it by the costs, a penalty by ρ: a larger ρ asks for a smaller error, as far as exponents resolve it.
    /// </summary>
    double Target(double mass)
    {
        double bound = Math.Max(_problem.Geometry.MagnitudeBound, _epsilon);
        double rho = Math.Max(double.IsFinite(_rhoA) ? _rhoA : 0, double.IsFinite(_rhoB) ? _rhoB : 0);
        // A price too high to be paid makes a hard marginal, but what is missed of it is still paid for.
        foreach (MarginalPenalty asked in (ReadOnlySpan<MarginalPenalty>)[_asked.PenaltyA, _asked.PenaltyB])
            rho = Math.Max(rho, asked.IsTotalVariation ? asked.Rho : 0);
        // Potentials are as large as the costs, or as what the masses' difference costs, or as their bounds.
        double size = Math.Max(bound, rho * (IsBounded ? 1 : Math.Abs(Math.Log(_problem.A.Mass / _problem.B.Mass))));
        _newtonFloor = mass * Math.Max(1, size / _epsilon) / (1L << 52);
        double resolved = Math.Min(Math.Max(size / _epsilon, 8) / (1L << 52), 1);
        return mass * Math.Min(_options.Tolerance, Math.Max(_options.Tolerance * bound / rho, resolved));
    }

    /// <summary>
    /// Takes penalised bins whose pairs are all forbidden out of the iteration: they pay ρ times their weight, and their potential is so large that
    /// <c>exp(−f/ρ)</c> is 0, or at its bound.
    /// </summary>
    static void KeepHome(bool[] partners, double[] weights, double[] potential, MarginalPenalty penalty)
    {
        for (int k = 0; k < partners.Length; k++)
        {
            if (weights[k] > 0 && !partners[k])
                (weights[k], potential[k]) = (0, HomePotential(penalty));
        }
    }

    static double HomePotential(MarginalPenalty penalty) =>
        penalty.IsTotalVariation ? penalty.Rho : Math.Min(800 * penalty.Rho, double.MaxValue);

    /// <summary>Whether a total variation keeps a potential between bounds.</summary>
    bool IsBounded => _problem.PenaltyA.IsTotalVariation || _problem.PenaltyB.IsTotalVariation;

    /// <summary>Brings potentials that were not made by an iteration between their bounds.</summary>
    static void Bound(double[] potential, MarginalPenalty penalty)
    {
        if (!penalty.IsTotalVariation)
            return;
        TensorPrimitives.Min(potential, penalty.Rho, potential);
        TensorPrimitives.Max(potential, -penalty.Rho, potential);
    }

    bool FloatsComeFirst()
    {
        Geometry geometry = _costs;
        if (!_options.FloatsFirst || !_options.StopEarly || _options.Precision != Precision.Float64 || _floatFloor > 0.01)
            return false;
        if ((long)geometry.Rows * geometry.Columns < PairsWorthFloats)
            return false;
        return geometry is CostMatrix or PointCloud { GroundCost: GroundCost.SquaredEuclideanCost }
            && _backend.EstimateBytes(geometry, Precision.Float32) <= _backend.MemoryLimit;
    }

    /// <summary>Solves: iterates, evaluates, and goes on where the final pass finds a larger error than the iteration did.</summary>
    public TransportResult Solve()
    {
        const int Rounds = 4;
        SolverStatus status = Anneal() ?? Iterate();
        TransportResult result = Evaluate(status);
        for (int round = 1; round < Rounds && result.Converged && result.MarginalError > _options.Tolerance * Mass; round++)
        {
            _target *= 0.25;
            result = Evaluate(Iterate());
        }
        // Rounding of the exponents, which the iteration cannot see: the plan of these potentials is no better.
        bool missed = result.Converged && result.MarginalError > _options.Tolerance * Mass;
        return missed ? Evaluate(SolverStatus.Stalled) : result;
    }

    double Mass => Math.Max(_problem.A.Mass, _b.Mass);

    /// <summary>
    /// Levels of a shrinking ε, each left as soon as its marginals are roughly met. Half of the iterations are kept for the target: few allowed make larger steps.
    /// </summary>
    SolverStatus? Anneal()
    {
        double start = _schedule.Start * _problem.Geometry.MagnitudeBound;
        int levels = _options.MaxIterations / 2 / _schedule.IterationsPerLevel;
        if (_iteration > 0 || start <= _epsilon || levels == 0)
            return null;
        double decay = Math.Min(_schedule.Decay, Math.Pow(_epsilon / start, 1.0 / levels));
        for (double level = start; level > _epsilon * (1 + 1e-9); level *= decay)
        {
            SolverStatus status = Iterate(level, AnnealedError * Mass, _iteration + _schedule.IterationsPerLevel);
            _annealed = _iteration;
            if (status is SolverStatus.Cancelled or SolverStatus.TimeLimit or SolverStatus.NumericalFailure)
                return status;
        }
        return null;
    }

    SolverStatus Iterate() => Iterate(_epsilon, _target, _options.MaxIterations);

    /// <summary>Whether a fixed number of iterations is asked for, and no acceleration of them.</summary>
    bool IsPlain => !_options.StopEarly && _options.Acceleration is Acceleration.Auto or Acceleration.None;

    /// <summary>Iterates at one ε until the error meets a target or an iteration number is reached.</summary>
    SolverStatus Iterate(double epsilon, double target, int last)
    {
        ForgetHistory();
        while (true)
        {
            if (_iteration >= last)
                return SolverStatus.IterationLimit;
            _g.CopyTo(_before.AsSpan());
            int count = Math.Min(_anderson is null && !TranslatesPotentials ? _options.CheckEvery : 1, last - _iteration);
            bool checkpoints = _checkpointEvery < int.MaxValue && epsilon == _epsilon;
            if (checkpoints)
                count = Math.Min(count, _checkpointEvery - (_iteration % _checkpointEvery));
            int from = _iteration;
            if (Advance(count, Step(epsilon, target)) is { } stopped)
                return stopped;
            if (FloatsAreDone(epsilon, target))
            {
                Promote();
                continue;
            }
            if (_error <= target)
            {
                Keep(double.NegativeInfinity);
                return SolverStatus.Converged;
            }
            if (_options.StopEarly && Stalled())
                return SolverStatus.Stalled;
            bool writes = checkpoints && _iteration % _checkpointEvery == 0;
            Accelerate(epsilon, _iteration - from, leaps: !writes);
            if (writes)
                WriteCheckpoint();
        }
    }

    /// <summary>What other ε, other precisions or earlier checkpoints say of errors and steps does not count.</summary>
    void ForgetHistory()
    {
        if (_accelerated)
            ReturnToKept();
        _anderson?.Clear();
        if (_relaxation is not null)
            _relaxation = new OverRelaxation(_f.Length, _g.Length, _omega);
        (_bestError, _bestIteration, _lastStallCheck) = (double.PositiveInfinity, _iteration, _iteration);
        (_keptDual, _plainUntil, _plainSpell, _accelerated, _byNewton) = (double.NegativeInfinity, 0, 1, false, false);
        _levelStart = _iteration;
        (_newtonFrom, _newtonRefusals, _newtonIdle, _newtonSpell, _idle) = (_iteration + BeforeNewton, 0, 0, 0, 0);
        _newton?.Reset();
    }

    SinkhornStep Step(double epsilon, double target)
    {
        if (_step is null || _step.Epsilon != epsilon || _step.Relaxation != _omega || _step.Tolerance != target)
        {
            _step = new SinkhornStep
            {
                Epsilon = epsilon,
                A = _weightsA,
                B = _weightsB,
                LogA = _logA,
                LogB = _logB,
                TauA = _problem.PenaltyA.Tau(epsilon),
                TauB = _problem.PenaltyB.Tau(epsilon),
                BoundA = _problem.PenaltyA.Bound,
                BoundB = _problem.PenaltyB.Bound,
                Relaxation = _omega,
                Tolerance = target,
            };
        }
        return _step;
    }

    /// <summary>Iterates and takes note of the error; a status when the run must end.</summary>
    SolverStatus? Advance(int count, SinkhornStep step)
    {
        int made = Operator.Iterate(count, step, _f, _g, out double error);
        _iteration += made;
        _inFloats += _precision == Precision.Float64 ? 0 : made;
        if (Operator.Interrupted)
            return _cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;
        if (double.IsNaN(error))
            return Recover();
        _error = error;
        if (error < _bestError)
            (_bestError, _bestIteration) = (error, _iteration);
        if (_iteration % _options.CheckEvery == 0 || error <= step.Tolerance)
        {
            _errors.Add(error);
            _options.Progress?.Report(new SolverProgress(_iteration, error, _clock.Elapsed, Fraction(error)));
        }
        return null;
    }

    /// <summary>After a value that is not finite: doubles instead of floats, plain steps instead of accelerated ones, or the end.</summary>
    SolverStatus? Recover()
    {
        _iteration++; // an attempt counts, or a run might never end
        _error = double.PositiveInfinity;
        if (_precision != _options.Precision)
        {
            ReturnToKept();
            Promote();
            return null;
        }
        if (_accelerated || (_omega > 1 && !IsBounded))
            return null; // taken back when it is judged
        if (_omega > 1)
            (_omega, _relaxation) = (1, null); // over-relaxed, g leaves where a bounded f can answer it
        else if (_safeStart)
            return SolverStatus.NumericalFailure;
        // Given potentials may overflow where zeros do not; and where f cannot go below −ρ, only a low g keeps the plan of negative costs small.
        _safeStart = true;
        Array.Clear(_f);
        Array.Fill(_g, IsBounded ? -Math.Min(_problem.Geometry.MagnitudeBound, _problem.PenaltyB.Bound) : 0);
        return null;
    }

    /// <summary>Share of the way from the first error to the tolerance, on a logarithmic scale, or of the iteration limit if that is nearer.</summary>
    double Fraction(double error)
    {
        if (!_options.StopEarly)
            return (double)_iteration / _options.MaxIterations;
        if (_errors.Count == 0)
            return double.NaN;
        double way = Math.Log(_errors[0] / _target);
        double done = way > 0 ? Math.Log(_errors[0] / error) / way : 1;
        return Math.Clamp(Math.Max(done, (double)_iteration / _options.MaxIterations), 0, 1);
    }

    /// <summary>
    /// Whether rounding is all that is left: no smaller error for a long time, and potentials that do not move either. At small ε the error may rest for
    /// thousands of iterations while the potentials travel.
    /// </summary>
    bool Stalled()
    {
        if (_iteration - Math.Max(_bestIteration, _lastStallCheck) < StallIterations)
            return false;
        double move = 0,
            size = _problem.Geometry.MagnitudeBound;
        for (int j = 0; j < _g.Length; j++)
        {
            move = Math.Max(move, Math.Abs(_g[j] - _stallG[j]));
            size = Math.Max(size, Math.Abs(_g[j]));
        }
        _g.CopyTo(_stallG.AsSpan());
        _lastStallCheck = _iteration;
        double rounding = _precision == Precision.Float64 ? 1e-14 : 1e-6;
        return move <= Math.Max(1e-6 * _epsilon, rounding * size);
    }

    /// <summary>Whether floats have given what they can: at the target's ε, or where they make no way.</summary>
    bool FloatsAreDone(double epsilon, double target) =>
        _precision != _options.Precision
        && (
            _iteration - _bestIteration >= FloatPatience
            || (epsilon == _epsilon && (_error <= _floatFloor * Mass || (_error <= target && target == _target)))
        );

    /// <summary>Goes over from floats to doubles; errors and duals seen so far were those of floats.</summary>
    void Promote()
    {
        Unbind();
        _precision = _options.Precision;
        ForgetHistory();
    }

    /// <summary>Writes the state and forgets what it does not hold, so that a resumed run has the same bits as this one.</summary>
    void WriteCheckpoint()
    {
        _options.Checkpoint?.Invoke(
            new SinkhornState(new Potentials(_keptF, _keptG), _iteration, _epsilon, _omega, _errors.ToImmutable(), _precision)
            {
                Problem = _fingerprint,
            }
        );
        ForgetHistory();
    }
}
