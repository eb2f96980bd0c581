using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Newton's iteration on the semi-dual J, from a warm start.</summary>
internal sealed class SparseNewtonRun : IDisposable
{
    /// <summary>Failures in a row after which Sinkhorn goes on.</summary>
    const int MaxFailures = 8;

    /// <summary>Steps in which the error must fall by a tenth, or J by so much of the largest cost.</summary>
    const int MaxIdle = 20;

    const double LeastGain = 1e-4;

    /// <summary>Predicted decreases below this share of |J|, or of the largest cost, are lost in its rounding.</summary>
    const double ValueRounding = 1e-13;

    /// <summary>Steps of the safe strategy, in the order they are tried.</summary>
    static readonly double[] SafeSteps = [1, 0.5, 0.25, 0.1];

    const double LeastShift = 1e-3;
    const double Armijo = 1e-4;
    const int MaxHalvings = 20;
    const int MaxProducts = 1000;

    /// <summary>A curvature pair is used where it is positive beyond rounding.</summary>
    const double LeastCurvature = 1e-6;

    readonly LinearProblem _problem;
    readonly double _epsilon;
    readonly SparseNewtonOptions _options;
    readonly IBackend _backend;
    readonly CancellationToken _limit;
    readonly Geometry _costs;
    readonly ICostOperator _operator;
    readonly SinkhornStep _step;
    readonly double[] _a;
    readonly double[] _b;
    readonly double _bound;
    readonly double _target;
    readonly ThinLaplacian _matrix;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly List<double> _errors = [];
    double _mu = 1;
    double _density;
    double _lastStep = 1;
    double _firstNorm;
    bool _fellBelowFirst;
    ThinPlan? _thin;
    Point _thinned;
    Point? _previous;

    /// <summary>Why Newton's iteration ended.</summary>
    public enum Ending
    {
        Converged,
        StepLimit,
        NoWay,
        Stopped,
    }

    /// <summary>What one pass says of g.</summary>
    /// <param name="F">Soft-minima.</param>
    /// <param name="G">g.</param>
    /// <param name="Next">Sinkhorn's update of g.</param>
    /// <param name="ColumnMass">c.</param>
    /// <param name="Gradient">∇J = c − b.</param>
    /// <param name="Norm">Its L2 norm.</param>
    /// <param name="Error">L1 marginal error.</param>
    /// <param name="Value">J.</param>
    readonly record struct Point(
        double[] F,
        double[] G,
        double[] Next,
        double[] ColumnMass,
        double[] Gradient,
        double Norm,
        double Error,
        double Value
    );

    public SparseNewtonRun(
        LinearProblem problem,
        double epsilon,
        SparseNewtonOptions options,
        IBackend backend,
        CancellationToken limit
    )
    {
        (_problem, _epsilon, _options, _backend, _limit) = (problem, epsilon, options, backend, limit);
        _costs = backend.Prepare(problem.Geometry);
        (_a, _b) = (problem.A.Weights.ToArray(), problem.B.Weights.ToArray());
        _bound = Math.Max(problem.Geometry.MagnitudeBound, epsilon);
        _target = options.Tolerance * problem.A.Mass;
        _operator = backend.Bind(_costs, Precision.Float64, limit);
        _step = new SinkhornStep
        {
            Epsilon = epsilon,
            A = _a,
            B = _b,
            LogA = VectorMath.LogWeights(_a),
            LogB = VectorMath.LogWeights(_b),
        };
        _matrix = new ThinLaplacian(_a.Length, _b.Length, backend.Threads);
        (F, G) = ([], []);
    }

    public double[] F { get; private set; }

    public double[] G { get; private set; }

    public double Error { get; private set; }

    public int Steps { get; private set; }

    public int Analyses => _matrix.Analyses;

    public int MostEntries { get; private set; }

    public int MostFill { get; private set; }

    public int LargestTail { get; private set; }

    public IEnumerable<double> Errors => _errors;

    public void Dispose() => _operator.Dispose();

    /// <summary>Iterates from given potentials; <see cref="F"/> and <see cref="G"/> are then the last good ones.</summary>
    public Ending Solve(Potentials start)
    {
        (F, G) = (start.F.ToArray(), start.G.ToArray());
        if (Evaluate(G, F) is not { } point)
            return _limit.IsCancellationRequested ? Ending.Stopped : Ending.NoWay;
        (_firstNorm, _density) = (point.Norm, 0.1 * LargestDensity);
        (double bestError, double bestValue, int idle) = (double.PositiveInfinity, double.PositiveInfinity, 0);
        for (int failures = 0; ; )
        {
            Keep(point);
            bool gains = point.Error < 0.9 * bestError || point.Value < bestValue - (LeastGain * _bound * _problem.A.Mass);
            idle = gains ? 0 : idle + 1;
            if (gains)
                (bestError, bestValue) = (Math.Min(bestError, point.Error), Math.Min(bestValue, point.Value));
            if (point.Error <= _target)
                return Ending.Converged;
            if (Steps >= _options.MaxIterations)
                return Ending.StepLimit;
            if (idle == MaxIdle)
                return Ending.NoWay;
            Steps++;
            Point? next = _options.Strategy switch
            {
                SparseNewtonStrategy.Sns => PublishedStep(point),
                SparseNewtonStrategy.Splr => LowRankStep(point),
                _ => SafeStep(point),
            };
            if (_limit.IsCancellationRequested)
                return Ending.Stopped;
            if (next is null)
            {
                // A plain iteration never raises J; a safe step that was rejected has already raised its shift.
                if (++failures == MaxFailures)
                    return Ending.NoWay;
                bool again = _options.Strategy == SparseNewtonStrategy.Ssns && failures < MaxFailures / 2;
                if (!again && (next = Evaluate(point.Next, point.F)) is null)
                    return _limit.IsCancellationRequested ? Ending.Stopped : Ending.NoWay;
            }
            else
            {
                failures = 0;
            }
            if (next is { } reached)
                (_previous, point) = (point, reached);
        }
    }

    void Keep(Point point)
    {
        (F, G, Error) = (point.F, point.G, point.Error);
        _errors.Add(point.Error);
        _options.Progress?.Report(
            new SolverProgress(
                Steps,
                point.Error,
                _clock.Elapsed,
                Math.Clamp(Math.Log(_errors[0] / point.Error) / Math.Log(_errors[0] / _target), 0, 1)
            )
        );
    }

    /// <summary>One pass over the costs; null when stopped or not finite.</summary>
    Point? Evaluate(double[] g, double[] guess)
    {
        double[] f = [.. guess],
            next = [.. g];
        _operator.Iterate(1, _step, f, next, out double error);
        if (_operator.Interrupted || !double.IsFinite(error))
            return null;
        double[] columns = new double[g.Length],
            gradient = new double[g.Length];
        double square = 0;
        for (int j = 0; j < g.Length; j++)
        {
            if (_b[j] == 0)
                continue;
            double change = VectorMath.ExpM1((g[j] - next[j]) / _epsilon);
            columns[j] = _b[j] * (1 + change);
            gradient[j] = _b[j] * change;
            square += gradient[j] * gradient[j];
        }
        double value = -Summation.Dot(_a, f) - Summation.Dot(_b, g);
        return new Point(f, g, next, columns, gradient, Math.Sqrt(square), error, value);
    }

    Point? Along(Point from, double[] direction, double step)
    {
        var g = new double[from.G.Length];
        TensorPrimitives.MultiplyAdd(direction, step, from.G, g);
        return Evaluate(g, from.F);
    }

    /// <summary>Whether a predicted decrease is lost in the rounding of J.</summary>
    bool IsRounding(double decrease, double value) =>
        decrease < ValueRounding * Math.Max(_bound * _problem.A.Mass, Math.Abs(value));

    /// <summary>Whether J rises along a direction, beyond its rounding.</summary>
    bool IsAscent(double slope, double value) => slope > 0 && !IsRounding(slope, value);

    /// <summary>Shifts are stated for costs of largest value 1: added to the Laplacian, they are <c>shift ε/max|C|</c>.</summary>
    double Loss(double shift) => shift * _epsilon / _bound;

    // ---- Ssns ----

    /// <summary>A step of the safe strategy; null when it was rejected.</summary>
    Point? SafeStep(Point point)
    {
        if (_thin is null || !ReferenceEquals(_thinned.G, point.G))
        {
            double budget = _options.DroppedShare * point.Norm;
            if (Thin(point, budget / Math.Max(_a.Length, _b.Length)) is not { } thin)
                return null;
            (_thin, _thinned) = (Thinning.WithinBudget(thin, _a, point.ColumnMass, budget), point);
            Load(_thin, point);
        }
        double loss = Loss(_mu * point.Norm);
        if (Direction(point, loss, point.Gradient) is not { } solution)
            return null;
        double[] direction = solution[_a.Length..];
        double slope = TensorPrimitives.Dot<double>(point.Gradient, direction); // negative
        // (∇J, d) + dᵀ H d + shift |d|² = 0 by the system.
        double curvature = Math.Max(0, -slope - (loss / _epsilon * TensorPrimitives.SumOfSquares<double>(solution)));
        bool blind = IsRounding(-slope / 2, point.Value);
        Point? best = null;
        double step = 0;
        foreach (double alpha in SafeSteps)
        {
            if (Along(point, direction, alpha) is not { } trial)
            {
                if (_limit.IsCancellationRequested)
                    return null;
                continue;
            }
            if (best is null || trial.Value < best.Value.Value)
                (best, step) = (trial, alpha);
            if (blind || trial.Value < point.Value)
                break;
        }
        double predicted = (-step * slope) - (0.5 * step * step * curvature);
        double ratio =
            best is not { } found ? -1
            : blind ? (found.Norm < point.Norm ? 1 : -1)
            : (point.Value - found.Value) / predicted;
        if (!(ratio >= 0.25))
            _mu *= 4;
        else if (ratio > 0.75)
            _mu = Math.Max(_mu / 2, LeastShift);
        return ratio > 0 ? best : null;
    }

    // ---- Sns ----

    /// <summary>A step of the published strategy; null when no step length decreases J enough.</summary>
    Point? PublishedStep(Point point)
    {
        long entries = (long)_options.EntriesPerNode * Math.Max(_a.Length, _b.Length);
        double smallest = Thinning.MassOfRank(
            _costs,
            point.F,
            point.G,
            _a,
            _b,
            _epsilon,
            entries,
            _backend.Threads,
            _backend.Share,
            _limit
        );
        if (Thin(point, smallest) is not { } thin)
            return null;
        Load(thin, point);
        if (Direction(point, 0, point.Gradient) is not { } solution)
            return null;
        double[] direction = solution[_a.Length..];
        double slope = TensorPrimitives.Dot<double>(point.Gradient, direction);
        if (IsAscent(slope, point.Value))
            return null;
        bool blind = IsRounding(-slope / 2, point.Value);
        double step = 1;
        for (int k = 0; k < MaxHalvings && !_limit.IsCancellationRequested; k++, step /= 2)
        {
            if (Along(point, direction, step) is not { } trial)
                continue;
            if (blind ? trial.Norm < point.Norm : trial.Value <= point.Value + (Armijo * step * slope))
                return trial;
            if (blind)
                return null;
        }
        return null;
    }

    // ---- Splr ----

    double LargestDensity => Math.Min(1, Math.Max(_options.Density, 10.0 / Math.Min(_a.Length, _b.Length)));

    /// <summary>A step of the sparse-plus-low-rank strategy; null when no step length decreases J enough.</summary>
    Point? LowRankStep(Point point)
    {
        if (_previous is { } last)
        {
            _fellBelowFirst |= point.Norm < _firstNorm;
            _density *= _fellBelowFirst && point.Norm > last.Norm ? 1.1 : 0.99;
            _density = Math.Clamp(_density, 0.01 * LargestDensity, LargestDensity);
        }
        long entries = (long)Math.Max(1, _density * _a.Length * _b.Length);
        double smallest = Thinning.MassOfRank(
            _costs,
            point.F,
            point.G,
            _a,
            _b,
            _epsilon,
            entries,
            _backend.Threads,
            _backend.Share,
            _limit
        );
        if (Thin(point, smallest) is not { } thin)
            return null;
        Load(thin, point);
        double loss = Loss(Math.Min(point.Norm, 1e-3));
        if (Direction(point, loss, point.Gradient) is not { } solution)
            return null;
        double[] direction = solution[_a.Length..];
        if (_previous is { } before)
            AddLastStep(point, before, loss, direction);
        double slope = TensorPrimitives.Dot<double>(point.Gradient, direction);
        if (IsAscent(slope, point.Value))
            return null;
        if (IsRounding(-slope / 2, point.Value))
            return Along(point, direction, 1) is { } full && full.Norm < point.Norm ? full : null;
        if (!(slope < 0))
            return null;
        (double Step, Point? Point) tried = default;
        double? step = WolfeSearch.Find(
            alpha =>
            {
                tried = (alpha, Along(point, direction, alpha));
                return tried.Point is { } trial
                    ? (trial.Value, TensorPrimitives.Dot<double>(trial.Gradient, direction))
                    : (double.NaN, double.NaN);
            },
            point.Value,
            slope,
            Math.Min(1, 1.5 * _lastStep),
            largest: 2
        );
        if (step is not { } length)
            return null;
        _lastStep = length;
        return tried.Step == length ? tried.Point : Along(point, direction, length);
    }

    /// <summary>BFGS's inverse update of A with the last step s and its change of gradient y, applied to −∇J: <c>d ← d₀ + ((1 + ⟨y, q⟩/⟨y, s⟩) t − ⟨y, d₀⟩/⟨y, s⟩) s − t q</c>.</summary>
    void AddLastStep(Point point, Point last, double loss, double[] direction)
    {
        double[] s = new double[_b.Length],
            y = new double[_b.Length];
        TensorPrimitives.Subtract(point.G, last.G, s);
        TensorPrimitives.Subtract(point.Gradient, last.Gradient, y);
        double ys = TensorPrimitives.Dot<double>(y, s);
        double[] minus = new double[y.Length];
        TensorPrimitives.Negate(y, minus);
        if (
            !(ys / _bound > LeastCurvature * TensorPrimitives.SumOfSquares<double>(y))
            || Direction(point, loss, minus) is not { } image
        )
            return;
        double[] q = image[_a.Length..];
        double t = -TensorPrimitives.Dot<double>(s, point.Gradient) / ys;
        double along = ((1 + (TensorPrimitives.Dot<double>(y, q) / ys)) * t) - (TensorPrimitives.Dot<double>(y, direction) / ys);
        for (int j = 0; j < direction.Length; j++)
            direction[j] += (along * s[j]) - (t * q[j]);
    }

    // ---- the linear system ----

    /// <summary>The entries of at least so much mass; null when stopped or too many.</summary>
    ThinPlan? Thin(Point point, double smallest) =>
        ThinPlan.Of(
            _costs,
            point.F,
            point.G,
            _a,
            _b,
            _epsilon,
            smallest,
            absolute: true,
            Bytes / 256,
            _backend.Threads,
            _backend.Share,
            _limit
        );

    long Bytes =>
        Math.Min(_backend.MemoryLimit, _backend.Share.AvailableBytes / 2) - Sinkhorn.OwnBytes(_problem.Geometry, _backend);

    void Load(ThinPlan thin, Point point)
    {
        _matrix.Load(thin, _a, point.ColumnMass);
        MostEntries = Math.Max(MostEntries, thin.Values.Length);
        if (_options.LinearSolver == LinearSolver.SparseCholesky && double.IsFinite(_matrix.Prepare(thin, Bytes)))
        {
            MostFill = Math.Max(MostFill, _matrix.FactorSize.Fill);
            LargestTail = Math.Max(LargestTail, _matrix.FactorSize.Tail);
        }
    }

    /// <summary>Solves <c>(L + loss) x = −ε (0, v)</c> for rows and columns; null when there is no finite answer.</summary>
    double[]? Direction(Point point, double loss, double[] v)
    {
        int n = _a.Length;
        double[] losses = new double[_matrix.Count],
            right = new double[_matrix.Count],
            solution = new double[_matrix.Count];
        Array.Fill(losses, loss);
        for (int j = 0; j < v.Length; j++)
            right[n + j] = -_epsilon * v[j];
        if (_options.LinearSolver == LinearSolver.ConjugateGradient)
        {
            _matrix.Solve(losses, right, Math.Min(0.1, Math.Sqrt(point.Norm)), MaxProducts, solution, _limit);
        }
        else
        {
            if (_matrix.FactorSize == default || !_matrix.Factor(losses, _limit))
                return null;
            _matrix.Solve(right, solution);
        }
        for (int k = 0; k < solution.Length; k++)
        {
            if (k < n ? _a[k] == 0 : _b[k - n] == 0)
                solution[k] = 0;
        }
        return double.IsFinite(TensorPrimitives.Sum<double>(solution)) ? solution : null;
    }
}
