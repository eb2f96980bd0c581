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
internal sealed class SinkhornRun : IDisposable
{
    /// <summary>Without a new smallest error for so many iterations, rounding is what is left.</summary>
    const int StallIterations = 2000;

    /// <summary>Without a new smallest error for so many iterations, acceleration starts again from the best iterate.</summary>
    const int RestartAfter = 50;
    const int MaxPlainSpell = 500;

    /// <summary>Fewer pairs than this are not worth a second operator.</summary>
    const long PairsWorthFloats = 250_000;

    /// <summary>Iterations in floats without a new smallest error after which doubles take over.</summary>
    const int FloatPatience = 10;

    /// <summary>After a cancellation, values are still computed when that takes about a tenth of a second.</summary>
    const long PairsWorthFinishing = 50_000_000;

    readonly LinearProblem _problem;
    readonly double _epsilon;
    readonly SinkhornOptions _options;
    readonly IBackend _backend;
    readonly CancellationToken _cancellation;
    readonly CancellationTokenSource _limit;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
    readonly Measure _b;
    readonly string _message = "";
    readonly double[] _f;
    readonly double[] _g;
    readonly double[] _logA;
    readonly double[] _logB;
    readonly double _rhoA;
    readonly double _rhoB;
    readonly double _floatFloor;
    ICostOperator _operator;
    Precision _precision;
    OverRelaxation? _relaxation;
    Anderson? _anderson;
    double _omega = 1;
    double _error = double.NaN;
    double _bestError = double.PositiveInfinity;
    int _bestIteration;
    readonly double[] _bestG;
    readonly double[] _stallG;
    int _lastStallCheck;
    int _plainUntil;
    int _plainSpell = RestartAfter;
    int _iteration;

    public SinkhornRun(
        LinearProblem problem,
        double epsilon,
        SinkhornOptions options,
        IBackend backend,
        Potentials? start,
        SinkhornState? state,
        CancellationToken cancellation
    )
    {
        (_problem, _epsilon, _options, _backend, _cancellation) = (problem, epsilon, options, backend, cancellation);
        _b = problem.B;
        if (problem.IsBalanced && problem.A.Mass != problem.B.Mass)
        {
            _b = problem.B.Scale(problem.A.Mass / problem.B.Mass);
            _message = string.Create(
                CultureInfo.InvariantCulture,
                $"Target weights were scaled by {problem.A.Mass / problem.B.Mass:G17} to the source mass."
            );
        }
        (_rhoA, _rhoB) = (problem.PenaltyA.Rho, problem.PenaltyB.Rho);
        (_bestG, _stallG) = (new double[_b.Count], new double[_b.Count]);
        _logA = Log(problem.A.Weights);
        _logB = Log(_b.Weights);
        _f = start is null ? new double[_logA.Length] : start.F.ToArray();
        _g = start is null ? new double[_logB.Length] : start.G.ToArray();
        if (state is not null)
        {
            _iteration = state.Iterations;
            _bestIteration = _lastStallCheck = state.Iterations;
            _errors.AddRange(state.Errors);
            _omega = state.Relaxation;
        }
        _limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (options.TimeLimit != Timeout.InfiniteTimeSpan)
            _limit.CancelAfter(options.TimeLimit);
        if (options.Acceleration == Acceleration.OverRelaxation)
            _relaxation = new OverRelaxation(_f.Length, _g.Length, _omega);
        else if (options.Acceleration != Acceleration.None)
            _anderson = new Anderson(AndersonMemory, _g.Length);
        // Below this error, rounding of the exponents C/ε to floats is what is seen.
        _floatFloor = 8 * problem.Geometry.MagnitudeBound / epsilon / (1 << 24);
        _precision = state?.Precision ?? (FloatsComeFirst() ? Precision.Float32 : options.Precision);
        _operator = backend.Bind(problem.Geometry, _precision, _limit.Token);
    }

    bool FloatsComeFirst()
    {
        Geometry geometry = _problem.Geometry;
        if (!_options.FloatsFirst || _options.Precision == Precision.Float32 || _floatFloor > 0.01)
            return false;
        if ((long)geometry.Rows * geometry.Columns < PairsWorthFloats)
            return false;
        return geometry is CostMatrix or PointCloud { GroundCost: GroundCost.SquaredEuclideanCost }
            && _backend.EstimateBytes(geometry, Precision.Float32) <= _backend.MemoryLimit;
    }

    /// <summary>Goes over from floats to doubles; errors seen so far were those of floats.</summary>
    void Promote()
    {
        _operator.Dispose();
        _precision = _options.Precision;
        _operator = _backend.Bind(_problem.Geometry, _precision, _limit.Token);
        _anderson?.Clear();
        (_bestError, _bestIteration) = (double.PositiveInfinity, _iteration);
    }

    /// <summary>Whether floats have given what they can.</summary>
    bool FloatsAreDone =>
        _precision != _options.Precision
        && (_error <= Math.Max(_options.Tolerance, _floatFloor) || _iteration - _bestIteration >= FloatPatience);

    public void Dispose()
    {
        _operator.Dispose();
        _limit.Dispose();
    }

    /// <summary>Runs levels of epsilon, then iterates at the target until a stopping rule is met.</summary>
    public SolverStatus Iterate()
    {
        if (_options.Schedule is { } schedule && _iteration == 0)
        {
            double level = schedule.Start * _problem.Geometry.MagnitudeBound;
            for (; level > _epsilon && _iteration < _options.MaxIterations; level *= schedule.Decay)
            {
                SinkhornStep step = Step(level);
                int count = Math.Min(schedule.IterationsPerLevel, _options.MaxIterations - _iteration);
                if (Advance(count, step) is { } stopped)
                    return stopped;
            }
            // Errors at other levels say nothing about the target.
            (_bestError, _bestIteration) = (double.PositiveInfinity, _iteration);
        }
        double[]? before = _anderson is null ? null : new double[_g.Length];
        while (true)
        {
            if (_iteration >= _options.MaxIterations)
                return SolverStatus.IterationLimit;
            if (before is not null)
                _g.CopyTo(before.AsSpan());
            int count = Math.Min(
                _anderson is null && !TranslatesPotentials ? _options.CheckEvery : 1,
                _options.MaxIterations - _iteration
            );
            if (_options.Checkpoint is not null)
                count = Math.Min(count, _options.CheckpointEvery - (_iteration % _options.CheckpointEvery));
            int from = _iteration;
            if (Advance(count, Step(_epsilon)) is { } stopped)
                return stopped;
            if (FloatsAreDone)
            {
                Promote();
                continue;
            }
            if (_error <= _options.Tolerance)
                return SolverStatus.Converged;
            if (Stalled())
                return SolverStatus.Stalled;
            if (TranslatesPotentials)
                Translate();
            Accelerate(before, _iteration - from);
            if (_options.Checkpoint is not null && _iteration % _options.CheckpointEvery == 0)
                WriteCheckpoint();
        }
    }

    const int AndersonMemory = 8;

    SinkhornStep? _step;

    SinkhornStep Step(double epsilon)
    {
        if (_step is null || _step.Epsilon != epsilon || _step.Relaxation != _omega)
        {
            _step = new SinkhornStep
            {
                Epsilon = epsilon,
                A = _problem.A.Weights.ToArray(),
                B = _b.Weights.ToArray(),
                LogA = _logA,
                LogB = _logB,
                TauA = _problem.PenaltyA.Tau(epsilon),
                TauB = _problem.PenaltyB.Tau(epsilon),
                Relaxation = _omega,
                Tolerance = epsilon == _epsilon ? _options.Tolerance : 0,
            };
        }
        return _step;
    }

    /// <summary>Iterates and takes note of the error; a status when the run must end.</summary>
    SolverStatus? Advance(int count, SinkhornStep step)
    {
        int made = _operator.Iterate(count, step, _f, _g, out double error);
        _iteration += made;
        if (_operator.Interrupted)
            return _cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;
        if (double.IsNaN(error) && _precision != _options.Precision)
        {
            Promote();
            return null;
        }
        if (double.IsNaN(error) && _omega == 1)
            return SolverStatus.NumericalFailure;
        _error = error;
        if (error < _bestError)
            (_bestError, _bestIteration) = (error, _iteration);
        if (_iteration % _options.CheckEvery != 0 && error > step.Tolerance)
            return null;
        _errors.Add(error);
        _options.Progress?.Report(new SolverProgress(_iteration, error, _clock.Elapsed, Fraction(error)));
        return null;
    }

    /// <summary>Share of the way from the first error to the tolerance, on a logarithmic scale, or of the iteration limit if that is nearer.</summary>
    double Fraction(double error)
    {
        if (_errors.Count == 0)
            return double.NaN;
        double way = Math.Log(_errors[0] / _options.Tolerance);
        double done = way > 0 ? Math.Log(_errors[0] / error) / way : 1;
        return Math.Clamp(Math.Max(done, (double)_iteration / _options.MaxIterations), 0, 1);
    }

    void Accelerate(double[]? before, int iterations)
    {
        if (_relaxation is not null)
        {
            _relaxation.Observe(_error, iterations, _f, _g);
            _omega = _relaxation.Omega;
        }
        else if (_anderson is not null)
        {
            if (_bestIteration == _iteration)
                _g.CopyTo(_bestG.AsSpan());
            if (_iteration < _plainUntil)
                return;
            if (_iteration - Math.Max(_bestIteration, _plainUntil) >= RestartAfter)
            {
                // Lost: back to the best iterate, and plain iterations from there, more of them each time.
                _bestG.CopyTo(_g.AsSpan());
                _anderson.Clear();
                _plainUntil = _iteration + _plainSpell;
                _plainSpell = Math.Min(2 * _plainSpell, MaxPlainSpell);
            }
            else if (_error <= 2 * _bestError)
            {
                _anderson.Mix(before, _g);
            }
            else
            {
                _anderson.Clear();
            }
        }
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
            size = 0;
        for (int j = 0; j < _g.Length; j++)
        {
            move = Math.Max(move, Math.Abs(_g[j] - _stallG[j]));
            size = Math.Max(size, Math.Abs(_g[j]));
        }
        _g.CopyTo(_stallG.AsSpan());
        _lastStallCheck = _iteration;
        return move <= Math.Max(1e-6 * _epsilon, 1e-14 * size);
    }

    /// <summary>Whether both marginals are penalised, so that mass may be shifted between the potentials.</summary>
    bool TranslatesPotentials => double.IsFinite(_rhoA) && double.IsFinite(_rhoB);

    /// <summary>The best shift f + t, g − t, in closed form (Séjourné, Vialard, Peyré, AISTATS 2022): removes the slow mode of large ρ.</summary>
    void Translate()
    {
        double t = _rhoA * _rhoB / (_rhoA + _rhoB) * (LogSumExp(_logA, _f, _rhoA) - LogSumExp(_logB, _g, _rhoB));
        TensorPrimitives.Add(_f, t, _f);
        TensorPrimitives.Subtract(_g, t, _g);
    }

    static double LogSumExp(double[] logWeights, double[] potential, double rho)
    {
        double max = double.NegativeInfinity;
        for (int i = 0; i < potential.Length; i++)
            max = Math.Max(max, logWeights[i] - (potential[i] / rho));
        double sum = 0;
        for (int i = 0; i < potential.Length; i++)
            sum += Math.Exp(logWeights[i] - (potential[i] / rho) - max);
        return max + Math.Log(sum);
    }

    /// <summary>Writes the state and forgets what it does not hold, so that a resumed run has the same bits as this one.</summary>
    void WriteCheckpoint()
    {
        _options.Checkpoint!(
            new SinkhornState(new Potentials(_f, _g), _iteration, _epsilon, _omega, _errors.ToImmutable(), _precision)
        );
        if (_relaxation is not null)
            _relaxation = new OverRelaxation(_f.Length, _g.Length, _omega);
        _anderson?.Clear();
        (_plainUntil, _plainSpell, _lastStallCheck) = (0, RestartAfter, _iteration);
        _bestError = double.PositiveInfinity;
        _bestIteration = _iteration;
        _operator.Dispose();
        _operator = _backend.Bind(_problem.Geometry, _precision, _limit.Token);
    }

    /// <summary>Potentials of empty bins, gauge, values and the true marginal error.</summary>
    public TransportResult Finish(SolverStatus status)
    {
        bool early = status is SolverStatus.Cancelled or SolverStatus.TimeLimit;
        bool evaluate = !early || (long)_f.Length * _g.Length <= PairsWorthFinishing;
        // An interrupted operator stays so; values need a fresh one.
        using ICostOperator? fresh = early && evaluate ? _backend.Bind(_problem.Geometry, _options.Precision) : null;
        ICostOperator op = fresh ?? _operator;
        if (evaluate && _b.Weights.Contains(0.0))
            ExtendToEmptyColumns(op);
        var potentials = new Potentials(_f, _g);
        if (_problem.IsBalanced)
            potentials = potentials.Centred(_problem.A, _b);
        var plan = new PotentialPlan(_problem.Geometry, _problem.A, _b, potentials, _epsilon);
        double cost = double.NaN,
            entropy = double.NaN,
            penaltyA = 0,
            penaltyB = 0,
            error = _error;
        if (evaluate)
        {
            var rows = new double[_f.Length];
            var columns = new double[_g.Length];
            ReadOnlySpan<double> f = potentials.F,
                g = potentials.G;
            cost = op.TransportCost(
                new GibbsPlan
                {
                    F = f,
                    G = g,
                    LogA = _logA,
                    LogB = _logB,
                    Epsilon = _epsilon,
                },
                rows,
                columns
            );
            double mass = Summation.Sum(rows);
            // ε Σ P log(P/ab) = Σ P (f + g − C)
            entropy =
                Summation.Dot(rows, f) + Summation.Dot(columns, g) - cost - (_epsilon * (mass - (_problem.A.Mass * _b.Mass)));
            penaltyA = Penalty(rows, _problem.A.Weights, _rhoA);
            penaltyB = Penalty(columns, _b.Weights, _rhoB);
            error = Residual(rows, _problem.A.Weights, f, _rhoA) + Residual(columns, _b.Weights, g, _rhoB);
            if (status == SolverStatus.Converged && error > 2 * _options.Tolerance)
                status = SolverStatus.Stalled;
        }
        return new TransportResult
        {
            Problem = ReferenceEquals(_b, _problem.B) ? _problem : _problem.WithTarget(_b),
            Status = status,
            Iterations = _iteration,
            Errors = _errors.ToImmutable(),
            Backend = _operator.Description,
            Message =
                status == SolverStatus.Stalled
                    ? $"{_message} Rounding allows no smaller error in {_options.Precision}.".Trim()
                    : _message,
            Plan = plan,
            Potentials = potentials,
            Epsilon = _epsilon,
            TransportCost = cost,
            RegularizerValue = entropy,
            PenaltyValueA = penaltyA,
            PenaltyValueB = penaltyB,
            MarginalError = error,
        };
    }

    void ExtendToEmptyColumns(ICostOperator op)
    {
        var softMin = new double[_g.Length];
        op.SoftMinColumns(_f, _logA, _epsilon, softMin);
        double tau = _problem.PenaltyB.Tau(_epsilon);
        for (int j = 0; j < _g.Length; j++)
        {
            if (_b.Weights[j] == 0)
                _g[j] = double.IsFinite(softMin[j]) ? tau * softMin[j] : 0;
        }
    }

    /// <summary>ρ KL(marginal | weights); 0 for a hard constraint.</summary>
    static double Penalty(ReadOnlySpan<double> marginal, ReadOnlySpan<double> weights, double rho)
    {
        if (double.IsPositiveInfinity(rho))
            return 0;
        var sum = new Compensated();
        for (int i = 0; i < weights.Length; i++)
            sum.Add((marginal[i] > 0 ? marginal[i] * Math.Log(marginal[i] / weights[i]) : 0) - marginal[i] + weights[i]);
        return rho * sum.Value;
    }

    /// <summary>L1 norm of <c>marginal − weights · exp(−potential/ρ)</c>.</summary>
    static double Residual(
        ReadOnlySpan<double> marginal,
        ReadOnlySpan<double> weights,
        ReadOnlySpan<double> potential,
        double rho
    )
    {
        var sum = new Compensated();
        for (int i = 0; i < weights.Length; i++)
            sum.Add(
                Math.Abs(marginal[i] - (double.IsPositiveInfinity(rho) ? weights[i] : weights[i] * Math.Exp(-potential[i] / rho)))
            );
        return sum.Value;
    }

    static double[] Log(ReadOnlySpan<double> weights)
    {
        var logs = new double[weights.Length];
        for (int i = 0; i < logs.Length; i++)
            logs[i] = weights[i] > 0 ? Math.Log(weights[i]) : double.NegativeInfinity;
        return logs;
    }
}
