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
    /// <summary>Without a new smallest error for so many iterations, and with potentials at rest, rounding is what is left.</summary>
    const int StallIterations = 2000;

    const int AndersonMemory = 8;

    /// <summary>Without a new smallest error for so many iterations, acceleration starts again from the best iterate.</summary>
    const int RestartAfter = 50;
    const int MaxPlainSpell = 500;

    /// <summary>Fewer pairs than this are not worth a second operator.</summary>
    const long PairsWorthFloats = 250_000;

    /// <summary>Iterations in floats without a new smallest error after which doubles take over.</summary>
    const int FloatPatience = 10;

    /// <summary>After a cancellation, values are still computed when that takes about a tenth of a second.</summary>
    const long PairsWorthFinishing = 50_000_000;

    /// <summary>Below this share of the cost bound, annealing pays unless the caller says otherwise.</summary>
    const double AnnealBelow = 0.01;

    /// <summary>Masses that differ by less are equal: they are sums of rounded weights.</summary>
    const double MassRounding = 1e-14;

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
    readonly double[] _weightsA;
    readonly double[] _weightsB;
    readonly double _rhoA;
    readonly double _rhoB;
    readonly double _floatFloor;
    readonly EpsilonSchedule _schedule;
    readonly double[] _bestF;
    readonly double[] _bestG;
    readonly double[] _before;
    readonly double[] _stallG;
    readonly Anderson? _anderson;
    ICostOperator _operator;
    Precision _precision;
    OverRelaxation? _relaxation;
    SinkhornStep? _step;
    double _target;
    double _omega = 1;
    double _error = double.NaN;
    double _bestError = double.PositiveInfinity;
    bool _hasBest;
    int _iteration;
    int _bestIteration;
    int _lastStallCheck;
    int _plainUntil;
    int _plainSpell = RestartAfter;

    public SinkhornRun(
        LinearProblem problem,
        double epsilon,
        SinkhornOptions options,
        IBackend backend,
        Potentials? start,
        SinkhornState? state,
        (bool[] Rows, bool[] Columns) partners,
        CancellationToken cancellation
    )
    {
        (_problem, _epsilon, _options, _backend, _cancellation) = (problem, epsilon, options, backend, cancellation);
        (double massA, double massB) = (problem.A.Mass, problem.B.Mass);
        _b = problem.B;
        if (problem.IsBalanced && Math.Abs(massA - massB) > MassRounding * massA)
        {
            _b = problem.B.Scale(massA / massB);
            _message = string.Create(
                CultureInfo.InvariantCulture,
                $"Target weights were scaled by {massA / massB:G17} to the source mass."
            );
        }
        (_rhoA, _rhoB) = (problem.PenaltyA.Rho, problem.PenaltyB.Rho);
        // A penalty that doubles cannot tell from a constraint is one, as long as the masses allow it.
        if (problem.MassesWouldAgree)
        {
            _rhoA = problem.PenaltyA.Tau(epsilon) == 1 ? double.PositiveInfinity : _rhoA;
            _rhoB = problem.PenaltyB.Tau(epsilon) == 1 ? double.PositiveInfinity : _rhoB;
        }
        _target = Target(Math.Max(massA, massB));
        (_weightsA, _weightsB) = (problem.A.Weights.ToArray(), _b.Weights.ToArray());
        _f = start is null ? new double[_weightsA.Length] : start.F.ToArray();
        _g = start is null ? new double[_weightsB.Length] : start.G.ToArray();
        KeepHome(partners.Rows, _weightsA, _f, _rhoA);
        KeepHome(partners.Columns, _weightsB, _g, _rhoB);
        (_logA, _logB) = (VectorMath.LogWeights(_weightsA), VectorMath.LogWeights(_weightsB));
        (_bestF, _bestG) = (new double[_f.Length], new double[_g.Length]);
        (_before, _stallG) = (new double[_g.Length], new double[_g.Length]);
        if (state is not null)
        {
            _iteration = _bestIteration = _lastStallCheck = state.Iterations;
            _errors.AddRange(state.Errors);
            _omega = state.Relaxation;
        }
        _schedule =
            options.Schedule
            ?? (
                start is null && epsilon < AnnealBelow * problem.Geometry.MagnitudeBound
                    ? new EpsilonSchedule()
                    : EpsilonSchedule.None
            );
        if (options.Acceleration == Acceleration.OverRelaxation)
            _relaxation = new OverRelaxation(_f.Length, _g.Length, _omega);
        else if (options.Acceleration != Acceleration.None)
            _anderson = new Anderson(AndersonMemory, _g.Length);
        _limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // Timers count at most 49 days; a longer limit is none.
        if (options.TimeLimit == TimeSpan.Zero)
            _limit.Cancel();
        else if (options.TimeLimit != Timeout.InfiniteTimeSpan && options.TimeLimit.TotalMilliseconds < int.MaxValue)
            _limit.CancelAfter(options.TimeLimit);
        // Below this error, rounding of the exponents C/ε to floats is what is seen.
        _floatFloor = 8 * problem.Geometry.MagnitudeBound / epsilon / (1 << 24);
        _precision = state?.Precision ?? (FloatsComeFirst() ? Precision.Float32 : options.Precision);
        _operator = backend.Bind(problem.Geometry, _precision, _limit.Token);
    }

    public void Dispose()
    {
        _operator.Dispose();
        _limit.Dispose();
    }

    /// <summary>
    /// The L1 error to stop at. A penalty weighs it by ρ: an error e moves <c>ρ KL</c> by about <c>ρ e²/mass</c>, which is kept below the tolerance times ε.
    /// </summary>
    double Target(double mass)
    {
        double target = _options.Tolerance * mass;
        double rho = Math.Max(double.IsFinite(_rhoA) ? _rhoA : 0, double.IsFinite(_rhoB) ? _rhoB : 0);
        return rho > _epsilon ? Math.Min(target, mass * Math.Sqrt(_options.Tolerance * _epsilon / rho)) : target;
    }

    /// <summary>
    /// Takes penalised bins whose pairs are all forbidden out of the iteration: they pay ρ times their weight, and their potential is so large that
    /// <c>exp(−f/ρ)</c> is 0.
    /// </summary>
    static void KeepHome(bool[] partners, double[] weights, double[] potential, double rho)
    {
        for (int k = 0; k < partners.Length; k++)
        {
            if (weights[k] > 0 && !partners[k])
                (weights[k], potential[k]) = (0, Math.Min(800 * rho, double.MaxValue));
        }
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
        return result;
    }

    double Mass => Math.Max(_problem.A.Mass, _b.Mass);

    /// <summary>A few iterations at each level of a shrinking ε.</summary>
    SolverStatus? Anneal()
    {
        if (_iteration > 0)
            return null;
        double level = _schedule.Start * _problem.Geometry.MagnitudeBound;
        for (; level > _epsilon && _iteration < _options.MaxIterations; level *= _schedule.Decay)
        {
            int count = Math.Min(_schedule.IterationsPerLevel, _options.MaxIterations - _iteration);
            if (Advance(count, Step(level)) is { } stopped)
                return stopped;
        }
        // Errors at other levels say nothing about the target.
        (_bestError, _bestIteration) = (double.PositiveInfinity, _iteration);
        return null;
    }

    SolverStatus Iterate()
    {
        while (true)
        {
            if (_iteration >= _options.MaxIterations)
                return SolverStatus.IterationLimit;
            _g.CopyTo(_before.AsSpan());
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
            if (_error <= _target)
                return SolverStatus.Converged;
            if (Stalled())
                return SolverStatus.Stalled;
            if (TranslatesPotentials)
                Translate();
            // A checkpoint holds what an iteration made, so that it is also the answer of a run that ends there.
            if (_options.Checkpoint is not null && _iteration % _options.CheckpointEvery == 0)
                WriteCheckpoint();
            else
                Accelerate(_iteration - from);
        }
    }

    SinkhornStep Step(double epsilon)
    {
        if (_step is null || _step.Epsilon != epsilon || _step.Relaxation != _omega || _step.Tolerance > _target)
        {
            _step = new SinkhornStep
            {
                Epsilon = epsilon,
                A = _weightsA,
                B = _weightsB,
                LogA = _logA,
                LogB = _logB,
                TauA = Tau(_rhoA, epsilon),
                TauB = Tau(_rhoB, epsilon),
                Relaxation = _omega,
                Tolerance = epsilon == _epsilon ? _target : 0,
            };
        }
        return _step;
    }

    static double Tau(double rho, double epsilon) => 1 / (1 + (epsilon / rho));

    /// <summary>Iterates and takes note of the error; a status when the run must end.</summary>
    SolverStatus? Advance(int count, SinkhornStep step)
    {
        int made = _operator.Iterate(count, step, _f, _g, out double error);
        _iteration += made;
        if (_operator.Interrupted)
            return _cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;
        if (double.IsNaN(error))
            return Recover();
        _error = error;
        if (error < _bestError)
        {
            (_bestError, _bestIteration, _hasBest) = (error, _iteration, true);
            _f.CopyTo(_bestF.AsSpan());
            _g.CopyTo(_bestG.AsSpan());
        }
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
            ReturnToBest();
            Promote();
            return null;
        }
        if (_omega > 1)
            return null; // over-relaxation takes itself back
        if (_anderson is not null && _hasBest && _iteration >= _plainUntil)
        {
            RestartFromBest();
            return null;
        }
        return SolverStatus.NumericalFailure;
    }

    /// <summary>Share of the way from the first error to the tolerance, on a logarithmic scale, or of the iteration limit if that is nearer.</summary>
    double Fraction(double error)
    {
        if (_errors.Count == 0)
            return double.NaN;
        double way = Math.Log(_errors[0] / _target);
        double done = way > 0 ? Math.Log(_errors[0] / error) / way : 1;
        return Math.Clamp(Math.Max(done, (double)_iteration / _options.MaxIterations), 0, 1);
    }

    void Accelerate(int iterations)
    {
        if (_relaxation is not null)
        {
            _relaxation.Observe(_error, iterations, _f, _g);
            _omega = _relaxation.Omega;
        }
        else if (_anderson is not null && _iteration >= _plainUntil)
        {
            if (_iteration - Math.Max(_bestIteration, _plainUntil) >= RestartAfter)
                RestartFromBest();
            else if (_error <= 2 * _bestError)
                _anderson.Mix(_before, _g);
            else
                _anderson.Clear();
        }
    }

    /// <summary>Lost: back to the best iterate, and plain iterations from there, more of them each time.</summary>
    void RestartFromBest()
    {
        ReturnToBest();
        _anderson!.Clear();
        _plainUntil = _iteration + _plainSpell;
        _plainSpell = Math.Min(2 * _plainSpell, MaxPlainSpell);
    }

    /// <summary>Puts back the best pair of potentials that was evaluated; an accelerated one was not.</summary>
    void ReturnToBest()
    {
        if (!_hasBest)
            return;
        _bestF.CopyTo(_f.AsSpan());
        _bestG.CopyTo(_g.AsSpan());
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
        double rounding = _precision == Precision.Float32 ? 1e-6 : 1e-14;
        return move <= Math.Max(1e-6 * _epsilon, rounding * size);
    }

    /// <summary>Whether floats have given what they can.</summary>
    bool FloatsAreDone =>
        _precision != _options.Precision
        && (_error <= Math.Max(_target, _floatFloor * Mass) || _iteration - _bestIteration >= FloatPatience);

    /// <summary>Goes over from floats to doubles; errors seen so far were those of floats.</summary>
    void Promote()
    {
        _operator.Dispose();
        _precision = _options.Precision;
        _operator = _backend.Bind(_problem.Geometry, _precision, _limit.Token);
        _anderson?.Clear();
        (_bestError, _bestIteration) = (double.PositiveInfinity, _iteration);
    }

    /// <summary>Whether both marginals are penalised, so that mass may be shifted between the potentials.</summary>
    bool TranslatesPotentials => double.IsFinite(_rhoA) && double.IsFinite(_rhoB);

    /// <summary>The best shift f + t, g − t, in closed form (Séjourné, Vialard, Peyré, AISTATS 2022): removes the slow mode of large ρ.</summary>
    void Translate()
    {
        double t = (LogSumExp(_logA, _f, _rhoA) - LogSumExp(_logB, _g, _rhoB)) / ((1 / _rhoA) + (1 / _rhoB));
        if (!double.IsFinite(t))
            return; // one side has no mass in play
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
        (_plainUntil, _plainSpell) = (0, RestartAfter);
        (_bestError, _bestIteration, _hasBest) = (double.PositiveInfinity, _iteration, false);
    }

    /// <summary>Potentials of empty bins, gauge, values and the true marginal error, by an operator that the time limit does not stop.</summary>
    TransportResult Evaluate(SolverStatus status)
    {
        if (status != SolverStatus.Converged)
            ReturnToBest();
        string backend = _operator.Description;
        bool evaluate =
            status is not (SolverStatus.Cancelled or SolverStatus.TimeLimit)
            || (long)_f.Length * _g.Length <= PairsWorthFinishing;
        double[] g = [.. _g];
        double cost = double.NaN,
            entropy = double.NaN,
            penaltyA = 0,
            penaltyB = 0,
            error = _hasBest ? Math.Min(_error, _bestError) : _error;
        double[] rows = new double[_f.Length],
            columns = new double[_g.Length];
        Potentials potentials;
        if (evaluate)
        {
            CancellationToken stop = status == SolverStatus.Cancelled ? CancellationToken.None : _cancellation;
            using ICostOperator op = _backend.Bind(_problem.Geometry, Precision.Float64, stop);
            if (_weightsB.Contains(0.0))
                ExtendToEmptyColumns(op, g);
            potentials = Gauge(g);
            double total = op.TransportCost(
                new GibbsPlan
                {
                    F = potentials.F,
                    G = potentials.G,
                    LogA = _logA,
                    LogB = _logB,
                    Epsilon = _epsilon,
                },
                rows,
                columns
            );
            if (op.Interrupted)
            {
                // Cancelled meanwhile: values again where they are cheap, none where they are not.
                return Evaluate(SolverStatus.Cancelled);
            }
            else
            {
                cost = total;
                double mass = Summation.Sum(rows);
                // ε Σ P log(P/ab) = Σ P (f + g − C)
                entropy =
                    Summation.Dot(rows, potentials.F)
                    + Summation.Dot(columns, potentials.G)
                    - cost
                    - (_epsilon * (mass - (_problem.A.Mass * _b.Mass)));
                penaltyA = Penalty(rows, _problem.A.Weights, _problem.PenaltyA);
                penaltyB = Penalty(columns, _b.Weights, _problem.PenaltyB);
                error = Residual(rows, _weightsA, potentials.F, _rhoA) + Residual(columns, _weightsB, potentials.G, _rhoB);
            }
        }
        else
        {
            potentials = Gauge(g);
        }
        LinearProblem problem = ReferenceEquals(_b, _problem.B) ? _problem : _problem.WithTarget(_b);
        TransportPlan plan = new PotentialPlan(_problem.Geometry, _problem.A, _b, potentials, _epsilon);
        if (_options.Round && problem.IsBalanced && double.IsFinite(cost))
        {
            plan = Certificate.Verify(problem, plan, cancellation: CancellationToken.None).FeasiblePlan;
            var rounded = Certificate.Verify(problem, plan);
            (cost, entropy, error) = (
                rounded.PlanTransportCost,
                rounded.PlanValue - rounded.PlanTransportCost,
                rounded.MarginalError
            );
        }
        return new TransportResult
        {
            Problem = problem,
            Status = status,
            Iterations = _iteration,
            Errors = _errors.ToImmutable(),
            Backend = backend,
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

    Potentials Gauge(double[] g)
    {
        var potentials = new Potentials(_f, g);
        return _problem.IsBalanced ? potentials.Centred(_problem.A, _b) : potentials;
    }

    void ExtendToEmptyColumns(ICostOperator op, double[] g)
    {
        var softMin = new double[g.Length];
        op.SoftMinColumns(_f, _logA, _epsilon, softMin);
        double tau = Tau(_rhoB, _epsilon);
        for (int j = 0; j < g.Length; j++)
        {
            if (_b.Weights[j] == 0)
                g[j] = double.IsFinite(softMin[j]) ? tau * softMin[j] : 0;
        }
    }

    /// <summary>ρ KL(marginal | weights); 0 for a hard constraint.</summary>
    static double Penalty(ReadOnlySpan<double> marginal, ReadOnlySpan<double> weights, MarginalPenalty penalty)
    {
        if (penalty.IsExact)
            return 0;
        var sum = new Compensated();
        for (int i = 0; i < weights.Length; i++)
        {
            // x log x − x + 1 at x = marginal/weight, by its series near 1 where the terms would cancel.
            double d = weights[i] > 0 ? (marginal[i] - weights[i]) / weights[i] : 0;
            double x = 1 + d;
            double term =
                Math.Abs(d) < 1e-4 ? d * d * (0.5 - (d / 6) + (d * d / 12))
                : x > 0 ? (x * Math.Log(x)) - d
                : 1;
            sum.Add(weights[i] * term);
        }
        return penalty.Rho * sum.Value;
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
        {
            double wanted =
                weights[i] == 0 ? 0 : weights[i] * (double.IsPositiveInfinity(rho) ? 1 : Math.Exp(-potential[i] / rho));
            sum.Add(Math.Abs(marginal[i] - wanted));
        }
        return sum.Value;
    }
}
