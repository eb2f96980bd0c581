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

/// <summary>
/// Entropic optimal transport, balanced or with Kullback-Leibler penalties, by Sinkhorn's iteration:
/// <c>f ← τ_a softmin_ε(C − g)</c>, <c>g ← τ_b softmin_ε(C − f)</c> in the log domain.
/// </summary>
/// <remarks>
/// <para>
/// Maximises <c>⟨a, f⟩ + ⟨b, g⟩ − ε Σ a_i b_j (exp((f_i + g_j − C_ij)/ε) − 1)</c> (with penalties <c>ρ Σ a (1 − exp(−f/ρ))</c> for the linear terms).
/// Each iteration reads or evaluates C once and takes one exponential per entry; memory is O(n + m) beyond the geometry.
/// Zero weights are legal; their potentials are the soft c-transform of the others.
/// </para>
/// <para>See docs/theory/sinkhorn.md. Sources: Cuturi 2013; Schmitzer 2019; Thibault et al. 2021; Séjourné, Vialard, Peyré 2022.</para>
/// </remarks>
public sealed class Sinkhorn : ISolver<LinearProblem, TransportResult>
{
    /// <summary>Exponents <c>C/ε</c> are trusted to 2⁻⁸: ε must be at least this share of the largest cost.</summary>
    const double Float64Resolution = 1.0 / (1L << 44);
    const double Float32Resolution = 1.0 / (1L << 15);

    /// <summary>Without a new smallest error for so many iterations, rounding is what is left.</summary>
    const int StallIterations = 2000;

    /// <summary>Without a new smallest error for so many iterations, acceleration starts again from the best iterate.</summary>
    const int RestartAfter = 50;

    /// <summary>Fewer pairs than this are not worth a second operator.</summary>
    const long PairsWorthFloats = 250_000;

    /// <summary>Iterations in floats without a new smallest error after which doubles take over.</summary>
    const int FloatPatience = 10;

    /// <summary>After a cancellation, values are still computed when that takes about a tenth of a second.</summary>
    const long PairsWorthFinishing = 50_000_000;

    readonly SinkhornOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance, limits, acceleration; defaults when left out.</param>
    /// <param name="backend">Where the O(nm) work runs; a managed back end on all processors when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public Sinkhorn(SinkhornOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new SinkhornOptions();
        _options.Validate();
        _backend = backend;
    }

    /// <summary>Whether this solver takes the problem: it needs an entropic regulariser.</summary>
    public static bool Supports(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        return problem.Regularizer is EntropyRegularizer;
    }

    /// <inheritdoc/>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, null, null, cancellation);

    /// <summary>Starts from given potentials, which changes the number of iterations and never the optimum.</summary>
    /// <exception cref="ArgumentException">The potentials do not fit the problem.</exception>
    public TransportResult Solve(LinearProblem problem, Potentials start, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(start);
        return Solve(problem, start, null, cancellation);
    }

    /// <summary>Goes on from a checkpoint, with the same bits as the run that wrote it.</summary>
    /// <exception cref="ArgumentException">The state belongs to another problem.</exception>
    public TransportResult Solve(LinearProblem problem, SinkhornState state, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Solve(problem, state.Potentials, state, cancellation);
    }

    TransportResult Solve(LinearProblem problem, Potentials? start, SinkhornState? state, CancellationToken cancellation)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "Sinkhorn needs an entropic regulariser: set LinearProblem.Regularizer to Regularizer.Entropy(...), or use NetworkSimplex for exact transport."
            );
        }
        double epsilon = ((EntropyRegularizer)problem.Regularizer).Epsilon.Resolve(problem.Geometry);
        CheckResolution(problem.Geometry, epsilon);
        if (start is not null)
        {
            Guard.Length(start.F.Length, problem.Geometry.Rows, nameof(start));
            Guard.Length(start.G.Length, problem.Geometry.Columns, nameof(start));
        }
        if (state is not null && Math.Abs(state.Epsilon - epsilon) > 1e-12 * epsilon)
        {
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"The state was written at epsilon {state.Epsilon}, the problem has {epsilon}."),
                nameof(state)
            );
        }
        (bool[] rows, bool[] columns) = Partners.Of(problem);
        if (Partners.WhyInfeasible(problem, rows, columns) is { } reason)
            return Infeasible(problem, epsilon, reason);

        using ManagedBackend? own = _backend is null ? new ManagedBackend() : null;
        using var run = new Run(problem, epsilon, _options, _backend ?? own!, start, state, cancellation);
        run.KeepAtHome(rows, columns);
        SolverStatus status = run.Iterate();
        return run.Finish(status);
    }

    void CheckResolution(Geometry geometry, double epsilon)
    {
        double smallest = geometry.MagnitudeBound * (_options.Precision == Precision.Float64 ? Float64Resolution : Float32Resolution);
        if (epsilon < smallest)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Epsilon {epsilon:G6} is below what {_options.Precision} resolves for these costs: the smallest is {smallest:G6}."
                )
            );
        }
    }

    static TransportResult Infeasible(LinearProblem problem, double epsilon, string reason)
    {
        int n = problem.Geometry.Rows,
            m = problem.Geometry.Columns;
        return new TransportResult
        {
            Problem = problem,
            Status = SolverStatus.Infeasible,
            Iterations = 0,
            Epsilon = epsilon,
            Plan = new SparsePlan(new SparseMatrix(n, m, new long[n + 1], [], [])),
            TransportCost = double.NaN,
            MarginalError = problem.A.Mass + problem.B.Mass,
            Message = reason,
        };
    }

    /// <summary>One solve: the iterate and everything that steers it.</summary>
    sealed class Run : IDisposable
    {
        readonly LinearProblem _problem;
        readonly double _epsilon;
        readonly SinkhornOptions _options;
        readonly IBackend _backend;
        readonly CancellationToken _cancellation;
        readonly CancellationTokenSource _limit;
        readonly Stopwatch _clock = Stopwatch.StartNew();
        readonly ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
        readonly Measure _b;
        string _message = "";
        readonly double[] _f;
        readonly double[] _g;
        readonly double[] _activeA;
        readonly double[] _activeB;
        readonly double[] _logA;
        readonly double[] _logB;
        readonly double _rhoA;
        readonly double _rhoB;
        readonly double _floatFloor;
        readonly double _roundingFloor;
        ICostOperator _operator;
        Precision _precision;
        OverRelaxation? _relaxation;
        Anderson? _anderson;
        double _omega = 1;
        double _error = double.NaN;
        double _bestError = double.PositiveInfinity;
        int _bestIteration;
        int _sinceRestart;
        int _fruitless;
        int _plainUntil;
        readonly double[] _bestG;

        // The last f and g that an iteration made: what acceleration makes of them is where the next one starts, and no answer.
        readonly double[] _madeF;
        readonly double[] _madeG;
        bool _anyMade;
        int _iteration;

        public Run(
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
            _bestG = new double[_b.Count];
            (_madeF, _madeG) = (new double[problem.A.Count], new double[_b.Count]);
            (_activeA, _activeB) = (problem.A.Weights.ToArray(), _b.Weights.ToArray());
            (_logA, _logB) = (Log(_activeA), Log(_activeB));
            _f = start is null ? new double[_logA.Length] : start.F.ToArray();
            _g = start is null ? new double[_logB.Length] : start.G.ToArray();
            if (state is not null)
            {
                _iteration = state.Iterations;
                _bestIteration = state.Iterations;
                _errors.AddRange(state.Errors);
                _omega = state.Relaxation;
            }
            _limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            // A timer counts at most 49 days; a longer limit is none.
            if (options.TimeLimit == TimeSpan.Zero)
                _limit.Cancel();
            else if (options.TimeLimit != Timeout.InfiniteTimeSpan && options.TimeLimit.TotalMilliseconds < int.MaxValue)
                _limit.CancelAfter(options.TimeLimit);
            if (options.Acceleration == Acceleration.OverRelaxation)
                _relaxation = new OverRelaxation(_f.Length, _g.Length, _omega);
            else if (options.Acceleration != Acceleration.None)
                _anderson = new Anderson(AndersonMemory, _g.Length);
            // Below this error, rounding of the exponents C/ε to floats is what is seen.
            _floatFloor = 8 * problem.Geometry.MagnitudeBound / epsilon / (1 << 24);
            double unit = options.Precision == Precision.Float64 ? 1.0 / (1L << 53) : 1.0 / (1 << 24);
            _roundingFloor = 64 * unit * (1 + (problem.Geometry.MagnitudeBound / epsilon)) * Math.Max(problem.A.Mass, problem.B.Mass);
            _precision = state?.Precision ?? (FloatsComeFirst() ? Precision.Float32 : options.Precision);
            _operator = backend.Bind(problem.Geometry, _precision, _limit.Token);
        }

        /// <summary>
        /// Takes penalised bins without a partner out of the iteration: their plan is 0, they pay ρ times their weight, and their potential is so large
        /// that <c>exp(−f/ρ)</c> is 0.
        /// </summary>
        public void KeepAtHome(bool[] rows, bool[] columns)
        {
            Keep(rows, _activeA, _logA, _f, _rhoA);
            Keep(columns, _activeB, _logB, _g, _rhoB);

            static void Keep(bool[] partners, double[] weights, double[] logs, double[] potential, double rho)
            {
                for (int k = 0; k < partners.Length; k++)
                {
                    if (weights[k] > 0 && !partners[k])
                        (weights[k], logs[k], potential[k]) = (0, double.NegativeInfinity, AtHome(rho));
                }
            }
        }

        /// <summary>A potential whose <c>exp(−f/ρ)</c> underflows.</summary>
        static double AtHome(double rho) => Math.Min(800 * rho, double.MaxValue);

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
            (_bestError, _bestIteration, _sinceRestart) = (double.PositiveInfinity, _iteration, 0);
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
                int count = Math.Min(_anderson is null && !TranslatesPotentials ? _options.CheckEvery : 1, _options.MaxIterations - _iteration);
                if (_options.Checkpoint is not null)
                    count = Math.Min(count, _options.CheckpointEvery - (_iteration % _options.CheckpointEvery));
                int from = _iteration;
                SinkhornStep step = Step(_epsilon);
                if (Advance(count, step) is { } stopped)
                    return stopped;
                if (FloatsAreDone)
                {
                    Promote();
                    continue;
                }
                if (_error <= step.Tolerance)
                    return SolverStatus.Converged;
                // At small ε the error may stay on a plateau for long while potentials move on: far above rounding that is no stall.
                if (_iteration - _bestIteration > StallIterations && _bestError <= _roundingFloor)
                    return SolverStatus.Stalled;
                if (TranslatesPotentials)
                    Translate();
                // A checkpoint holds what was made, so that it is also the answer of a run that ends there.
                if (_options.Checkpoint is not null && _iteration % _options.CheckpointEvery == 0)
                    WriteCheckpoint();
                else
                    Accelerate(before, _iteration - from);
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
                    A = _activeA,
                    B = _activeB,
                    LogA = _logA,
                    LogB = _logB,
                    TauA = _problem.PenaltyA.Tau(epsilon),
                    TauB = _problem.PenaltyB.Tau(epsilon),
                    Relaxation = _omega,
                    // The error seen is that before g moves. A relaxed g moves up to twice as far as would mend its side: to first order, the error after it
                    // is at most three times as large, where a plain step never raises it.
                    Tolerance = epsilon == _epsilon ? _options.Tolerance / (_omega == 1 ? 1 : 4) : 0,
                };
            }
            return _step;
        }

        /// <summary>Iterates and takes note of the error; a status when the run must end.</summary>
        SolverStatus? Advance(int count, SinkhornStep step)
        {
            int made = _operator.Iterate(count, step, _f, _g, out double error);
            _iteration += made;
            if (made > 0)
                KeepWhatWasMade();
            if (_operator.Interrupted)
                return Interruption;
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

        SolverStatus Interruption => _cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;

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
                {
                    _g.CopyTo(_bestG.AsSpan());
                    _fruitless = 0;
                }
                if (_iteration < _plainUntil)
                    return;
                if (_iteration - _bestIteration >= RestartAfter && _sinceRestart >= RestartAfter)
                {
                    // Lost: everything begins anew at the best iterate. Where that has not helped (with penalties, a plain step may raise the error),
                    // plain iterations go on from here for longer and longer.
                    if (_fruitless == 0)
                        _bestG.CopyTo(_g.AsSpan());
                    else
                        _plainUntil = _iteration + (RestartAfter << Math.Min(_fruitless, 16));
                    _fruitless++;
                    _anderson.Clear();
                    _sinceRestart = 0;
                    return;
                }
                _sinceRestart += iterations;
                if (_error <= 2 * _bestError)
                    _anderson.Mix(before, _g);
                else
                    _anderson.Clear();
            }
        }

        /// <summary>Whether both marginals are penalised, so that mass may be shifted between the potentials.</summary>
        bool TranslatesPotentials => double.IsFinite(_rhoA) && double.IsFinite(_rhoB);

        /// <summary>The best shift f + t, g − t, in closed form (Séjourné, Vialard, Peyré, AISTATS 2022): removes the slow mode of large ρ.</summary>
        void Translate()
        {
            double t = _rhoA * _rhoB / (_rhoA + _rhoB) * (MarginalTerms.LogSumExp(_logA, _f, _rhoA) - MarginalTerms.LogSumExp(_logB, _g, _rhoB));
            TensorPrimitives.Add(_f, t, _f);
            TensorPrimitives.Subtract(_g, t, _g);
            KeepWhatWasMade();
        }

        void KeepWhatWasMade()
        {
            _f.CopyTo(_madeF.AsSpan());
            _g.CopyTo(_madeG.AsSpan());
            _anyMade = true;
        }

        /// <summary>Writes the state and forgets what it does not hold, so that a resumed run has the same bits as this one.</summary>
        void WriteCheckpoint()
        {
            _options.Checkpoint!(new SinkhornState(new Potentials(_f, _g), _iteration, _epsilon, _omega, _errors.ToImmutable(), _precision));
            if (_relaxation is not null)
                _relaxation = new OverRelaxation(_f.Length, _g.Length, _omega);
            _anderson?.Clear();
            (_sinceRestart, _fruitless, _plainUntil) = (0, 0, 0);
            _bestError = double.PositiveInfinity;
            _bestIteration = _iteration;
            _operator.Dispose();
            _operator = _backend.Bind(_problem.Geometry, _precision, _limit.Token);
        }

        /// <summary>Potentials of empty bins, gauge, values and the true marginal error.</summary>
        public TransportResult Finish(SolverStatus status)
        {
            if (_anyMade)
            {
                _madeF.CopyTo(_f.AsSpan());
                _madeG.CopyTo(_g.AsSpan());
            }
            // Whoever stops the run while it computes values has stopped it, and an interrupted operator gives none.
            if (_limit.IsCancellationRequested)
                return Evaluate(Interruption);
            TransportResult result = Evaluate(status);
            return _operator.Interrupted ? Evaluate(Interruption) : result;
        }

        TransportResult Evaluate(SolverStatus status)
        {
            bool early = status is SolverStatus.Cancelled or SolverStatus.TimeLimit;
            bool evaluate = !early || (long)_f.Length * _g.Length <= PairsWorthFinishing;
            using ICostOperator? fresh = early && evaluate ? _backend.Bind(_problem.Geometry, _options.Precision) : null;
            ICostOperator op = fresh ?? _operator;
            for (int i = 0; i < _f.Length; i++)
            {
                if (_activeA[i] == 0 && _problem.A.Weights[i] > 0)
                    _f[i] = AtHome(_rhoA);
            }
            if (evaluate && _b.Weights.Contains(0.0))
                ExtendToEmptyColumns(op);
            var potentials = new Potentials(_f, _g);
            if (_problem.IsBalanced)
                potentials = potentials.Centred(_problem.A, _b);
            TransportPlan plan = new PotentialPlan(_problem.Geometry, _problem.A, _b, potentials, _epsilon);
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
                    new GibbsPlan { F = f, G = g, LogA = _logA, LogB = _logB, Epsilon = _epsilon },
                    rows,
                    columns
                );
                double mass = Summation.Sum(rows);
                // ε Σ P log(P/ab) = Σ P (f + g − C)
                entropy = Summation.Dot(rows, f) + Summation.Dot(columns, g) - cost - (_epsilon * (mass - (_problem.A.Mass * _b.Mass)));
                penaltyA = MarginalTerms.Penalty(rows, _problem.A.Weights, _rhoA);
                penaltyB = MarginalTerms.Penalty(columns, _b.Weights, _rhoB);
                error = MarginalTerms.Residual(rows, _activeA, f, _rhoA) + MarginalTerms.Residual(columns, _activeB, g, _rhoB);
                if (status == SolverStatus.Converged && error > 2 * _options.Tolerance)
                    status = SolverStatus.Stalled;
            }
            if (evaluate && _options.Round && _problem.IsBalanced)
            {
                LinearProblem problem = _problem.WithTarget(_b);
                plan = Certificate.Verify(problem, plan).FeasiblePlan;
                Certificate rounded = Certificate.Verify(problem, plan);
                (cost, entropy, error) = (rounded.PlanTransportCost, rounded.PlanValue - rounded.PlanTransportCost, rounded.MarginalError);
            }
            return new TransportResult
            {
                Problem = ReferenceEquals(_b, _problem.B) ? _problem : _problem.WithTarget(_b),
                Status = status,
                Iterations = _iteration,
                Errors = _errors.ToImmutable(),
                Backend = _operator.Description,
                Message = status == SolverStatus.Stalled ? $"{_message} Rounding allows no smaller error in {_options.Precision}.".Trim() : _message,
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

        static double[] Log(ReadOnlySpan<double> weights)
        {
            var logs = new double[weights.Length];
            for (int i = 0; i < logs.Length; i++)
                logs[i] = weights[i] > 0 ? Math.Log(weights[i]) : double.NegativeInfinity;
            return logs;
        }
    }
}
