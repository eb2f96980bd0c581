using System.Collections.Immutable;
using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>Where a run is: coordinates t, the loss there, and its gradient in t.</summary>
internal sealed record InversePoint(double[] T, Evaluation At, double[] Gradient, double Penalty);

/// <summary>How a run ended.</summary>
internal sealed record InverseOutcome(
    InversePoint Point,
    SolverStatus Status,
    int Iterations,
    ImmutableArray<double> Errors,
    double Residual,
    string Message
);

/// <summary>The minimisation of <c>L + λR</c> for one λ after another, each from the last.</summary>
internal sealed partial class InverseRun
{
    /// <summary>Marginal errors of inner solves: never better than rounding allows, never worse than this.</summary>
    const double FinestInner = 1e-13;
    const double CoarsestInner = 1e-4;

    /// <summary>Share of what the next step must see that an inner solve may miss.</summary>
    const double InnerShare = 0.1;

    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    readonly InverseModel _model;
    readonly ParameterSpace _space;
    readonly InverseTransportOptions _options;
    readonly bool _newton;
    readonly CancellationToken _cancellation;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
    InversePoint? _last;

    public InverseRun(InverseModel model, ParameterSpace space, InverseTransportOptions options, CancellationToken cancellation)
    {
        (_model, _space, _options, _cancellation) = (model, space, options, cancellation);
        if (options.Algorithm == InverseAlgorithm.Newton && !space.IsSeparable)
            throw new NotSupportedException(
                "Newton's method needs a penalty and a constraint that are sums over terms or groups: use InverseAlgorithm.ProximalGradient for nuclear norms and semidefinite parameters."
            );
        _newton = space.IsSeparable && options.Algorithm != InverseAlgorithm.ProximalGradient;
    }

    /// <summary>What ran.</summary>
    public string Method => _newton ? "proximal Newton" : "proximal gradient";

    /// <summary>The minimiser for λ, from t or from the last answer.</summary>
    public InverseOutcome Solve(double lambda, double[]? start = null)
    {
        _errors = ImmutableArray.CreateBuilder<double>();
        _current = null;
        double[] t = start ?? _last?.T ?? new double[_space.Count];
        InversePoint at =
            (_last is { } last && t.AsSpan().SequenceEqual(last.T) ? last : null)
            ?? Evaluate(t, CoarsestInner, [], [])
            ?? At(new double[_space.Count], CoarsestInner);
        _current = (at, 0, Residual(at, lambda));
        InverseOutcome outcome = _newton ? Newton(at, lambda) : Gradient(at, lambda);
        _last = outcome.Point;
        return outcome;
    }

    /// <summary>The least λ whose answer is 0 where terms are penalised: the dual norm of the gradient with these at 0. Asked before anything else.</summary>
    public double LargestLambda()
    {
        var zero = new double[_space.Count];
        _last = _space.HasFree ? Solve(double.MaxValue / 16, zero).Point : At(zero, Final);
        return _space.DualNorm(_last.Gradient);
    }

    InversePoint At(double[] t, double tolerance) =>
        Evaluate(t, tolerance, [], [])
        ?? throw new ArgumentException("Epsilon is too small for the fixed cost: doubles do not resolve it.");

    /// <summary>Marginal error below which the tolerance sees nothing.</summary>
    double Final => InnerFor(_options.Tolerance);

    /// <summary>Marginal error that a step towards a relative residual may have.</summary>
    double InnerFor(double residual) =>
        Math.Clamp(InnerShare * residual / Math.Max(_model.Sensitivity, 1), FinestInner, CoarsestInner);

    InversePoint? Evaluate(double[] t, double tolerance, double[] f, double[] g)
    {
        Evaluation? at = _model.Evaluate(_space.ExpandToCost(t), tolerance, f, g);
        return at is null ? null : new InversePoint(t, at, _space.RestrictFromCost(at.Gradient), _space.Penalty(t));
    }

    static double Objective(InversePoint point, double lambda) => point.At.Value + Scaled(lambda, point.Penalty);

    static double Scaled(double lambda, double penalty) => penalty == 0 ? 0 : lambda * penalty;

    double Residual(InversePoint point, double lambda) => _space.Residual(point.T, point.Gradient, lambda);

    /// <summary>Differences of objectives below this are rounding, or the inner solve's.</summary>
    double Noise(InversePoint point, double lambda) =>
        (64 * Unit * (Math.Abs(Objective(point, lambda)) + _model.Epsilon))
        + (_model.Epsilon * point.At.MarginalError * point.At.MarginalError);

    void Note(double residual, int iteration)
    {
        _errors.Add(residual);
        _options.Progress?.Report(
            new SolverProgress(iteration, residual, _clock.Elapsed, Math.Min(1, (double)iteration / _options.MaxIterations))
        );
    }

    InverseOutcome Ended(InversePoint point, SolverStatus status, int iterations, double residual, string message = "") =>
        new(point, status, iterations, _errors.ToImmutable(), residual, message);

    /// <summary>The head of every step: how far the point is from its conditions, and the end of the run where there is one.</summary>
    InverseOutcome? Look(ref InversePoint at, double lambda, int iteration, out double residual)
    {
        residual = Residual(at, lambda);
        if (residual <= _options.Tolerance && at.At.Tolerance > Final)
        {
            at = Refined(at);
            residual = Residual(at, lambda);
        }
        Note(residual, iteration);
        if (residual <= _options.Tolerance)
            return Settled(at, iteration, residual);
        if (iteration >= _options.MaxIterations)
            return Ended(at, SolverStatus.IterationLimit, iteration, residual);
        _cancellation.ThrowIfCancellationRequested();
        _current = (at, iteration, residual);
        return null;
    }

    InverseOutcome NoStep(InversePoint point, int iterations, double residual) =>
        Ended(
            point,
            SolverStatus.Stalled,
            iterations,
            residual,
            "No step decreases the objective any more: rounding allows no better, or the cost is too large beside epsilon."
        );

    /// <summary>The end of a run whose conditions hold, as far as the inner solve lets them be seen.</summary>
    InverseOutcome Settled(InversePoint point, int iterations, double residual) =>
        point.At.MarginalError * Math.Max(_model.Sensitivity, 1) <= _options.Tolerance
            ? Ended(point, SolverStatus.Converged, iterations, residual)
            : Ended(
                point,
                SolverStatus.Stalled,
                iterations,
                residual,
                InverseTransport.Text(
                    $"The conditions hold, but the plan misses its marginals by {point.At.MarginalError:G3}, which the gradient may show: give a larger epsilon, lambda or tolerance."
                )
            );

    /// <summary>The point with its inner solve at the final tolerance.</summary>
    InversePoint Refined(InversePoint point) =>
        point.At.Tolerance <= Final ? point : Evaluate(point.T, Final, point.At.F, point.At.G) ?? point;
}
