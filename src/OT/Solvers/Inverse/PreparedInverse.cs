using System.Collections.Immutable;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>One problem made ready: its back end, limits, model and coordinates, for one λ or many.</summary>
internal sealed class PreparedInverse : IDisposable
{
    readonly InverseProblem _problem;
    readonly CancellationToken _stop;
    readonly CancellationTokenSource _limit;
    readonly ManagedBackend? _own;
    readonly ParameterSpace _space;
    readonly InverseRun _run;
    readonly (ImmutableArray<int> Terms, Matrix? Directions) _unidentified;
    double? _lambdaMax;

    public PreparedInverse(
        InverseProblem problem,
        InverseTransportOptions options,
        IBackend? backend,
        CancellationToken cancellation
    )
    {
        (_problem, _stop) = (problem, cancellation);
        _limit = options.Limit(cancellation);
        _own = backend is null ? new ManagedBackend() : null;
        Model = new SampledModel(problem, backend ?? _own!, _limit.Token);
        _space = new ParameterSpace(
            Model.Count,
            problem.Dictionary.Shape,
            problem.Penalty,
            problem.Constraint,
            problem.CostSign,
            Model.Deviations
        );
        _run = new InverseRun(Model, _space, options, _limit.Token);
        Tolerance = options.Tolerance;
        _unidentified = Identifiability.Of(Model);
    }

    public SampledModel Model { get; }

    double Tolerance { get; }

    public void Dispose()
    {
        _limit.Dispose();
        _own?.Dispose();
    }

    /// <summary>The loss at a parameter, to the tolerance.</summary>
    public Evaluation At(double[] theta)
    {
        double[] cost = Array.ConvertAll(theta, value => _problem.CostSign * value);
        return Model.Evaluate(cost, Math.Min(1e-12, Tolerance), [], [])
            ?? throw new ArgumentException("The cost of this parameter is too large beside epsilon: doubles do not resolve it.");
    }

    public Irrepresentability PreCertificate(double[] theta) =>
        Irrepresentability.Of(Model, _space, _space.Restrict(theta), At(_space.Expand(_space.Restrict(theta))));

    public double LambdaMax() => _lambdaMax ??= _run.LargestLambda();

    public InverseTransportResult Solve(double lambda, double[] start)
    {
        InverseOutcome? outcome = null;
        try
        {
            LambdaMax();
            outcome = _run.Solve(lambda, start.Length > 0 ? Allowed(start) : null);
        }
        catch (OperationCanceledException) when (_limit.IsCancellationRequested)
        {
            outcome = _run.Stopped(_stop.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit);
        }
        return Report(_problem with { Lambda = lambda }, outcome);
    }

    public ImmutableArray<InverseTransportResult> Path(double[] asked)
    {
        var results = ImmutableArray.CreateBuilder<InverseTransportResult>();
        try
        {
            LambdaMax();
        }
        catch (OperationCanceledException) when (_limit.IsCancellationRequested)
        {
            return [];
        }
        double[] lambdas = asked.Length > 0 ? [.. asked.OrderDescending()] : InverseTransport.Spread(LambdaMax());
        foreach (double lambda in lambdas)
        {
            results.Add(Solve(lambda, []));
            if (_limit.IsCancellationRequested)
                break;
        }
        return results.ToImmutable();
    }

    double[] Allowed(double[] start)
    {
        double[] t = _space.Restrict(start),
            none = new double[t.Length];
        _space.Proximal(t, none, 0);
        return t;
    }

    InverseTransportResult Report(InverseProblem problem, InverseOutcome? outcome)
    {
        Measure a = problem.Observed.A,
            b = problem.Observed.B;
        bool none = outcome is null;
        InversePoint point =
            outcome?.Point
            ?? new InversePoint(
                new double[_space.Count],
                new Evaluation(new double[Model.Count], double.NaN, new double[Model.Count], 1, double.NaN)
                {
                    F = new double[a.Count],
                    G = new double[b.Count],
                },
                new double[_space.Count],
                0
            );
        double[] theta = _space.Expand(point.T),
            gradient = Array.ConvertAll(point.At.Gradient, value => problem.CostSign * value);
        Geometry terms = problem.Dictionary.Cost(point.At.Theta);
        Geometry learned = problem.FixedCost is null
            ? terms
            : new CostSum((1, problem.FixedCost), (1, new FiniteGeometry(terms)));
        Potentials potentials = Shifted(terms, point.At, a, b);
        return new InverseTransportResult
        {
            Problem = problem,
            Status = outcome?.Status ?? (_stop.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit),
            Iterations = outcome?.Iterations ?? 0,
            Errors = outcome?.Errors ?? [],
            Backend = Model.Backend,
            Why = _run.Method,
            Message = none ? "Stopped before the first look at the plan." : Remarks(problem, outcome!, theta),
            Theta = [.. theta],
            LearnedCost = learned,
            Potentials = potentials,
            Plan = Model.PlanOf(point.At),
            Epsilon = Model.Epsilon,
            Loss = point.At.Value,
            PenaltyValue = point.Penalty,
            LowerBound = _space.HasFree || none ? null : Bound(point, problem.Lambda),
            Gradient = [.. gradient],
            KktResidual = outcome?.Residual ?? double.NaN,
            LambdaMax = _lambdaMax ?? double.NaN,
            MarginalError = point.At.MarginalError,
            InvisibleTerms = _unidentified.Terms,
            NullSpace = _unidentified.Directions,
        };
    }

    /// <summary>The dual at <c>P_θ + (1 − s)(P̂ − P_θ)</c>, which misses no term by more than λ.</summary>
    double Bound(InversePoint point, double lambda)
    {
        double norm = _space.DualNorm(point.Gradient);
        double share = norm <= lambda ? 1 : lambda / norm;
        double slack = System.Numerics.Tensors.TensorPrimitives.Dot<double>(point.T, point.Gradient);
        return Math.Max(0, share * (point.At.Value - slack));
    }

    /// <summary>Potentials of the terms as they were given: they differ from the centred ones by a function of x plus one of y.</summary>
    Potentials Shifted(Geometry terms, Evaluation at, Measure a, Measure b)
    {
        ShiftedCost centred = Model.Features.Cost(at.Theta);
        double[] f = [.. at.F],
            g = [.. at.G];
        for (int i = 0; i < f.Length; i++)
            f[i] += Difference(i, 0);
        for (int j = 0; j < g.Length; j++)
            g[j] += Difference(0, j) - Difference(0, 0);
        return new Potentials(f, g).Centred(a, b);

        double Difference(int i, int j) =>
            terms.Cost(i, j) - (centred.Geometry.Cost(i, j) - centred.RowShift[i] - centred.ColumnShift[j]);
    }

    string Remarks(InverseProblem problem, InverseOutcome outcome, double[] theta)
    {
        var remarks = new List<string> { outcome.Message };
        if (problem.Lambda > 0 && problem.Lambda >= _lambdaMax)
        {
            remarks.Add(
                InverseTransport.Text(
                    $"Lambda {problem.Lambda:G6} is not below lambda_max {_lambdaMax:G6}: {(_space.HasFree ? "every penalised term is 0" : "theta is 0")}."
                )
            );
        }
        if (_unidentified.Terms.Length > 0)
            remarks.Add(
                $"Not identified, and 0: {(_unidentified.Terms.Length == 1 ? "term" : "terms")} {string.Join(", ", _unidentified.Terms.Take(10))}{(_unidentified.Terms.Length > 10 ? ", ..." : "")}: a function of x plus one of y."
            );
        if (_unidentified.Directions is { } directions)
            remarks.Add(
                $"The terms depend on each other: theta is identified up to {directions.Rows} {(directions.Rows == 1 ? "direction" : "directions")}, see NullSpace."
            );
        if (problem.Lambda == 0 && outcome.Status is SolverStatus.IterationLimit or SolverStatus.TimeLimit)
            remarks.Add(
                "Without a penalty there may be no minimiser: a coupling that some cost of the family makes optimal without entropy is approached as theta grows. Give a lambda."
            );
        return string.Join(' ', remarks.Where(text => text.Length > 0));
    }
}
