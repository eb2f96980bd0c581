using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Solvers.Convex;

/// <summary>One solve of a convex problem: the online iteration, the objective's gradients, and certificates along the way.</summary>
internal sealed class MirrorRun(ConvexProblem problem, MirrorSinkhornOptions options, CancellationToken cancellation)
{
    /// <summary>Pairs up to which the last certificate's linear minimum is found by an exact solver.</summary>
    const long ExactPairs = 1_000_000;

    /// <summary>An exact solver takes costs up to 1e300.</summary>
    const double LargestExact = 1e290;

    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    readonly TransportObjective _objective = problem.Objective;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
    readonly SupportGeometry _support = new(
        problem.A.Count,
        problem.B.Count,
        problem.Objective.HasForbiddenPairs ? problem.Objective.IsForbidden : null
    );
    double _lowerBound = double.NegativeInfinity;
    double _largestGradient;
    string _message = "";

    /// <summary>A plan moved to the marginals, and F there.</summary>
    sealed record Candidate(DensePlan Plan, double Value, double MarginalError, bool IsFeasible);

    public MirrorSinkhornResult Solve()
    {
        if (SupportGeometry.WhyInfeasible(_support, problem.A, problem.B, cancellation) is { } reason)
            return WithoutPlan(SolverStatus.Infeasible, reason);
        var online = new OnlineMirrorSinkhorn(
            problem.A,
            problem.B,
            options,
            _objective.HasForbiddenPairs ? _objective.IsForbidden : null,
            _objective.LargestStep
        );
        SolverStatus status = Iterate(online, out Candidate? best);
        best ??= Best(online, last: true);
        return Report(online, status, best);
    }

    /// <summary>Steps until a limit, a failure of the oracle, or a gap that is small enough; then the plan with that gap is given.</summary>
    SolverStatus Iterate(OnlineMirrorSinkhorn online, out Candidate? certified)
    {
        certified = null;
        var gradient = new double[online.Current.Length];
        var random = new SeededRandom(options.Seed);
        void Sample() => _objective.SampleGradient(online.Current, gradient, random);
        Action sample = Sample; // made once: the loop allocates nothing of its own
        while (online.Iterations < options.MaxIterations)
        {
            if (cancellation.IsCancellationRequested)
                return SolverStatus.Cancelled;
            if (options.TimeLimit != Timeout.InfiniteTimeSpan && _clock.Elapsed >= options.TimeLimit)
                return SolverStatus.TimeLimit;
            if (!Attempt("The gradient", sample))
                return _message.Length > 0 ? SolverStatus.NumericalFailure : SolverStatus.Cancelled;
            (double low, double high) = online.Range(gradient, out int bad);
            if (bad >= 0)
            {
                _message = Text(
                    $"The gradient at iteration {online.Iterations + 1} is {gradient[bad]} in row {bad / online.Columns} and column {bad % online.Columns}: it must be finite, and so its spread."
                );
                return SolverStatus.NumericalFailure;
            }
            _largestGradient = Math.Max(_largestGradient, Math.Max(-low, high));
            online.Advance(gradient, high - low);
            bool check = options.CertificateEvery > 0 && online.Iterations % options.CertificateEvery == 0;
            if (!check || online.Iterations == options.MaxIterations)
                continue;
            Candidate candidate = Best(online, last: false);
            if (_message.Length > 0)
                return SolverStatus.NumericalFailure;
            Note(online, candidate);
            if (IsCertified(online, candidate))
            {
                certified = candidate;
                return SolverStatus.Converged;
            }
        }
        return SolverStatus.IterationLimit;
    }

    bool IsCertified(OnlineMirrorSinkhorn online, Candidate candidate)
    {
        double wanted = options.GapTolerance * online.Bound * problem.A.Mass;
        return options.GapTolerance > 0
            && candidate.IsFeasible
            && candidate.Value - _lowerBound <= Math.Max(wanted, MirrorSteps.GapRounding * Terms(candidate));
    }

    /// <summary>The size of what F adds up: the first gradient, at a ⊗ b, shows the size of its terms.</summary>
    double Terms(Candidate candidate) => Math.Abs(candidate.Value) + (_largestGradient * problem.A.Mass);

    void Note(OnlineMirrorSinkhorn online, Candidate candidate)
    {
        (double[] rows, double[] columns) = online.CurrentIterate().Marginals();
        double error = Missed(rows, problem.A) + Missed(columns, problem.B);
        _errors.Add(error / problem.A.Mass);
        options.Progress?.Report(
            new SolverProgress(
                online.Iterations,
                error / problem.A.Mass,
                _clock.Elapsed,
                (double)online.Iterations / options.MaxIterations
            )
        );
    }

    double Missed(double[] sums, Measure measure) =>
        Summation.L1Distance(sums, MirrorSteps.SameMass(problem.A, measure).B.Weights);

    /// <summary>The better of the rounded average and the rounded last iterate; its gradient may raise the lower bound.</summary>
    Candidate Best(OnlineMirrorSinkhorn online, bool last)
    {
        Candidate average = Round(online.CurrentAverage());
        if (!_objective.IsKnown)
            return average;
        Candidate iterate = Round(online.CurrentIterate());
        bool wins =
            iterate.IsFeasible == average.IsFeasible
                ? iterate.Value < average.Value || double.IsNaN(average.Value)
                : iterate.IsFeasible;
        Candidate best = wins ? iterate : average;
        if (_objective.IsConvex)
            Bound(online, best, last);
        return best;
    }

    Candidate Round(DensePlan plan)
    {
        var rounded = Certificate.Verify(new LinearProblem(_support, problem.A, problem.B), plan);
        bool feasible = double.IsFinite(rounded.TransportCost);
        DensePlan moved = feasible ? new DensePlan(rounded.FeasiblePlan.ToDense()) : plan;
        double value = double.NaN;
        if (
            _objective.IsKnown
            && Attempt("The value", () => value = _objective.Value(moved.ToDense().Values))
            && !double.IsFinite(value)
            && _message.Length == 0
        )
            _message = Text($"The objective's value is {value} at a plan that was reached: it must be finite.");
        (double[] rows, double[] columns) = moved.Marginals();
        return new Candidate(moved, value, Missed(rows, problem.A) + Missed(columns, problem.B), feasible);
    }

    /// <summary><c>F* ≥ F(X) − (⟨G, X⟩ − min_Q ⟨G, Q⟩)</c> at a feasible X, the minimum bounded by dual potentials in the cost G.</summary>
    void Bound(OnlineMirrorSinkhorn online, Candidate candidate, bool last)
    {
        double[] gradient = new double[online.Current.Length];
        if (
            !candidate.IsFeasible
            || !double.IsFinite(candidate.Value)
            || !Attempt("The gradient", () => _objective.Gradient(candidate.Plan.ToDense().Values, gradient))
        )
            return;
        (double low, double high) = online.Range(gradient, out int bad);
        if (bad >= 0)
            return; // no tangent here: a bound found elsewhere still holds
        for (int i = 0; i < online.Rows; i++)
        {
            for (int j = 0; j < online.Columns; j++)
            {
                ref double value = ref gradient[(i * online.Columns) + j];
                if (problem.A.Weights[i] == 0 || problem.B.Weights[j] == 0)
                    value = 0;
                if (_objective.HasForbiddenPairs && _objective.IsForbidden(i, j))
                    value = double.PositiveInfinity;
            }
        }
        var linear = new LinearProblem(new CostMatrix(online.Rows, online.Columns, gradient), problem.A, problem.B);
        Potentials? exact =
            last && gradient.Length <= ExactPairs && Math.Max(-low, high) < LargestExact
                ? new NetworkSimplex().Solve(linear, cancellation).Potentials
                : null;
        var certificate = Certificate.Verify(
            linear,
            candidate.Plan,
            exact ?? new Potentials(new double[online.Rows], online.TargetPotential())
        );
        if (certificate.Gap is not { } gap || !double.IsFinite(gap))
            return;
        _largestGradient = Math.Max(_largestGradient, Math.Max(-low, high));
        double rounding = 8 * Unit * (online.Rows + online.Columns + 8) * Terms(candidate); // of F's value
        _lowerBound = Math.Max(_lowerBound, candidate.Value - gap - rounding);
    }

    MirrorSinkhornResult Report(OnlineMirrorSinkhorn online, SolverStatus status, Candidate best)
    {
        if (status is SolverStatus.IterationLimit)
        {
            Note(online, best);
            if (IsCertified(online, best))
                status = SolverStatus.Converged;
        }
        if (_message.Length > 0 && status is SolverStatus.Converged or SolverStatus.IterationLimit)
            status = SolverStatus.NumericalFailure;
        List<string> remarks = [MirrorSteps.SameMass(problem.A, problem.B).Remark, _message];
        if (!best.IsFeasible)
            remarks.Add("The plan is not rounded: what its marginals miss found no allowed way.");
        if (!_objective.IsKnown)
            remarks.Add("The objective is known by samples alone: no value and no bound.");
        else if (!_objective.IsConvex)
            remarks.Add("The objective is not convex: no bound, and the plan may be a local answer.");
        bool bounded = _objective.IsConvex && double.IsFinite(_lowerBound) && double.IsFinite(best.Value);
        return new MirrorSinkhornResult
        {
            Problem = problem,
            Status = status,
            Iterations = online.Iterations,
            Errors = _errors.ToImmutable(),
            Backend = "managed",
            Message = string.Join(' ', remarks.Where(text => text.Length > 0)),
            Plan = best.Plan,
            AveragePlan = online.CurrentAverage(),
            LastIterate = online.CurrentIterate(),
            Value = best.Value,
            LowerBound = bounded && best.IsFeasible ? Math.Min(_lowerBound, best.Value) : null,
            MarginalError = best.MarginalError,
        };
    }

    MirrorSinkhornResult WithoutPlan(SolverStatus status, string reason)
    {
        var none = new SparsePlan(new SparseMatrix(problem.A.Count, problem.B.Count, new long[problem.A.Count + 1], [], []));
        return new MirrorSinkhornResult
        {
            Problem = problem,
            Status = status,
            Iterations = 0,
            Message = reason,
            Plan = none,
            AveragePlan = none,
            LastIterate = none,
            MarginalError = problem.A.Mass + problem.B.Mass,
        };
    }

    /// <summary>Calls the objective, which is the caller's code: whatever it throws ends the run, and its text is the message.</summary>
    bool Attempt(string what, Action call)
    {
        try
        {
            call();
            return true;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return false;
        }
#pragma warning disable CA1031 // the status and the message carry it: an exception would throw the iterate away
        catch (Exception failure) when (failure is not OutOfMemoryException)
#pragma warning restore CA1031
        {
            if (_message.Length == 0)
                _message = $"{what} of the objective threw {failure.GetType().Name}: {failure.Message}";
            return false;
        }
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
