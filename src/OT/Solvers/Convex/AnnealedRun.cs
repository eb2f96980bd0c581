using System.Collections.Immutable;
using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Convex;

/// <summary>Mirror Sinkhorn on <c>⟨C, P⟩</c> in O(n + m): <c>P_t = a b exp((f + g − C)/ε_t)</c>, one half iteration of Sinkhorn at each <c>ε_t = 1/Σ η_s</c>.</summary>
internal sealed class AnnealedRun : IDisposable
{
    /// <summary>After a cancellation the plan is still rounded and valued when that takes about a tenth of a second.</summary>
    const long PairsWorthFinishing = 20_000_000;

    /// <summary>ε as a share of the largest cost from which exponents are right to 2⁻⁸.</summary>
    const double Resolution = 1.0 / (1L << 44);

    readonly LinearProblem _problem;
    readonly MirrorSinkhornOptions _options;
    readonly IBackend _backend;
    readonly CancellationToken _cancellation;
    readonly CancellationToken _limit;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
    readonly Measure _b;
    readonly double[] _logA;
    readonly double[] _logB;
    double[] _f;
    double[] _g;
    double[] _nextF;
    double[] _nextG;
    double _epsilon;
    int _iteration;
    string _message = "";
    ICostOperator? _operator;

    public AnnealedRun(
        LinearProblem problem,
        MirrorSinkhornOptions options,
        IBackend backend,
        CancellationToken cancellation,
        CancellationToken limit
    )
    {
        (_problem, _options, _backend, _cancellation, _limit) = (problem, options, backend, cancellation, limit);
        _b = problem.B;
        if (problem.MassesAgree)
            (_b, _message) = MirrorSteps.SameMass(problem.A, problem.B);
        (_logA, _logB) = (VectorMath.LogWeights(problem.A.Weights), VectorMath.LogWeights(_b.Weights));
        (_f, _g) = (new double[_logA.Length], new double[_logB.Length]);
        (_nextF, _nextG) = (new double[_f.Length], new double[_g.Length]);
    }

    public void Dispose() => _operator?.Dispose();

    public TransportResult Solve()
    {
        (double Low, double High) costs;
        try
        {
            if (
                SupportOf(_problem.Geometry) is { } support
                && SupportGeometry.WhyInfeasible(support, _problem.A, _problem.B, _limit) is { } reason
            )
                return WithoutPlan(SolverStatus.Infeasible, reason);
            costs = CostRange();
        }
        catch (OperationCanceledException)
        {
            return WithoutPlan(Stopped, "Stopped in a first look at the costs, before any iteration.");
        }
        if (!double.IsFinite(costs.High - costs.Low))
            return WithoutPlan(SolverStatus.NumericalFailure, "The spread of the costs overflows: scale them down.");
        _operator = _backend.Bind(_problem.Geometry, Precision.Float64, _limit);
        return Iterate(costs, out Certificate? certificate) is var status && certificate is not null
            ? Report(status, certificate)
            : Evaluate(status);
    }

    SolverStatus Stopped => _cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;

    /// <summary>Half iterations at falling temperatures; the certificate of a plan whose gap is small enough, or of the last one.</summary>
    SolverStatus Iterate((double Low, double High) costs, out Certificate? certificate)
    {
        certificate = null;
        double spread = costs.High - costs.Low,
            largest = Math.Max(-costs.Low, costs.High),
            floor = largest * Resolution,
            rounding = largest * MirrorSteps.GapRounding;
        var steps = new MirrorSteps(_problem.A.Weights, _b.Weights, _options);
        double travelled = 0;
        while (_iteration < _options.MaxIterations)
        {
            double eta = steps.Next(spread);
            travelled += eta;
            // Below the floor exponents C/ε have no digits left. Without steps (a constant cost, one bin on each side) every ε gives the one plan.
            double epsilon = travelled > 0 ? Math.Max(1 / travelled, floor) : Math.Max(largest, 1);
            if (_limit.IsCancellationRequested || !HalfIteration(epsilon, out bool finite))
                return Stopped;
            if (!finite)
                return SolverStatus.NumericalFailure;
            bool check = _options.CertificateEvery > 0 && _iteration % _options.CertificateEvery == 0;
            if (!check && _iteration < _options.MaxIterations)
                continue;
            try
            {
                Certificate found = Certify(_limit);
                double error = found.MarginalError / _problem.A.Mass;
                _errors.Add(error);
                _options.Progress?.Report(
                    new SolverProgress(_iteration, error, _clock.Elapsed, (double)_iteration / _options.MaxIterations)
                );
                double wanted = _problem.A.Mass * Math.Max(_options.GapTolerance * steps.Bound, rounding);
                bool closed = _options.GapTolerance > 0 && found.Gap <= wanted;
                if (closed || _iteration == _options.MaxIterations)
                {
                    certificate = found;
                    return closed ? SolverStatus.Converged : SolverStatus.IterationLimit;
                }
            }
            catch (OperationCanceledException)
            {
                return Stopped;
            }
        }
        return SolverStatus.IterationLimit;
    }

    /// <summary>Least and largest cost of the pairs that may carry mass.</summary>
    (double Low, double High) CostRange()
    {
        ReadOnlySpan<double> a = _problem.A.Weights,
            b = _b.Weights;
        if (!a.Contains(0) && !b.Contains(0))
        {
            CostStatistics all = _problem.Geometry.Scan(_limit);
            return (all.Min, all.Max);
        }
        double low = double.PositiveInfinity,
            high = double.NegativeInfinity;
        var costs = new double[b.Length];
        (int start, int end) = _backend.Share.RowsOf(a.Length);
        for (int i = start; i < end; i++)
        {
            if (a[i] == 0)
                continue;
            _limit.ThrowIfCancellationRequested();
            _problem.Geometry.CostRow(i, costs);
            for (int j = 0; j < costs.Length; j++)
            {
                if (b[j] > 0 && double.IsFinite(costs[j]))
                    (low, high) = (Math.Min(low, costs[j]), Math.Max(high, costs[j]));
            }
        }
        return (_backend.Share.Gather<double>([low]).Min(), _backend.Share.Gather<double>([high]).Max());
    }

    /// <summary>The columns when t is odd, the rows when it is even, at a new ε; the other side keeps its φ = f/ε. Nothing has changed when interrupted (false) or not finite.</summary>
    bool HalfIteration(double epsilon, out bool finite)
    {
        double ratio = _iteration == 0 ? 1 : epsilon / _epsilon;
        bool rows = _iteration % 2 == 1;
        if (rows)
        {
            TensorPrimitives.Multiply(_g, ratio, _nextG);
            _operator!.SoftMinRows(_nextG, _logB, epsilon, _nextF);
            ClearEmpty(_problem.A.Weights, _nextF);
        }
        else
        {
            TensorPrimitives.Multiply(_f, ratio, _nextF);
            _operator!.SoftMinColumns(_nextF, _logA, epsilon, _nextG);
            ClearEmpty(_b.Weights, _nextG);
        }
        finite = double.IsFinite(TensorPrimitives.Sum<double>(_nextF)) && double.IsFinite(TensorPrimitives.Sum<double>(_nextG));
        if (_operator!.Interrupted || !finite)
            return !_operator.Interrupted;
        (_f, _g, _nextF, _nextG) = (_nextF, _nextG, _f, _g);
        (_epsilon, _iteration) = (epsilon, _iteration + 1);
        return true;
    }

    /// <summary>An empty bin may have no partner, and so no finite soft-min.</summary>
    static void ClearEmpty(ReadOnlySpan<double> weights, double[] potential)
    {
        for (int k = 0; k < potential.Length; k++)
        {
            if (weights[k] == 0)
                potential[k] = 0;
        }
    }

    Potentials Current => new Potentials(_f, _g).Centred(_problem.A, _b);

    Certificate Certify(CancellationToken cancellation) =>
        Certificate.VerifyShared(_problem, LastIterate, Current, null, _backend.Share, cancellation);

    /// <summary>Rounds and values what a stopped run left, where that is quick.</summary>
    TransportResult Evaluate(SolverStatus status)
    {
        if (status == SolverStatus.NumericalFailure)
            Remark("A potential overflowed: scale the costs down.");
        if (_iteration == 0)
            return WithoutPlan(status, "Stopped before the first iteration.");
        bool small = (long)_f.Length * _g.Length <= PairsWorthFinishing;
        if (small || status == SolverStatus.NumericalFailure)
            return Report(status, Certify(CancellationToken.None));
        Remark("Stopped: the plan is the last iterate, neither rounded nor valued.");
        return Answer(status, LastIterate, double.NaN, double.NaN);
    }

    TransportResult Report(SolverStatus status, Certificate certificate)
    {
        if (!double.IsFinite(certificate.TransportCost))
        {
            Remark("The plan is not rounded: what its marginals miss found no allowed way.");
            return Answer(status, LastIterate, certificate.PlanTransportCost, certificate.MarginalError);
        }
        // A second look: the certificate's own cost is rounded up.
        TransportPlan plan = certificate.FeasiblePlan;
        var value = Certificate.VerifyShared(_problem, plan, null, null, _backend.Share, CancellationToken.None);
        return Answer(status, plan, value.PlanTransportCost, value.MarginalError);
    }

    PotentialPlan LastIterate => new(_problem.Geometry, _problem.A, _b, Current, _epsilon);

    TransportResult Answer(SolverStatus status, TransportPlan plan, double cost, double error) =>
        new()
        {
            Problem = _problem,
            Status = status,
            Iterations = _iteration,
            Errors = _errors.ToImmutable(),
            Backend = _operator!.Description,
            Message = _message,
            Plan = plan,
            Potentials = Current,
            Epsilon = _epsilon,
            TransportCost = cost,
            MarginalError = error,
        };

    void Remark(string text) => _message = $"{_message} {text}".Trim();

    /// <summary>The geometry without its costs, where pairs may be forbidden or masses differ.</summary>
    Geometry? SupportOf(Geometry geometry)
    {
        if (geometry is SparseCost sparse)
        {
            SparseMatrix c = sparse.Costs;
            return new SparseCost(
                new SparseMatrix(c.Rows, c.Columns, c.RowStarts.ToArray(), c.ColumnIndices.ToArray(), new double[c.NonZeros])
            );
        }
        if (!geometry.HasForbiddenPairs)
            return _problem.MassesAgree ? null : geometry;
        if (!ReferenceEquals(geometry.Share, RowShare.Whole))
            throw new NotSupportedException(
                "Whether any plan exists where pairs are forbidden is decided by a maximum flow in one process, and these costs lie with several: use Sinkhorn."
            );
        bool forbids = geometry.Scan(_limit).FiniteCount < (long)geometry.Rows * geometry.Columns;
        return new SupportGeometry(
            geometry.Rows,
            geometry.Columns,
            forbids ? (i, j) => double.IsPositiveInfinity(geometry.Cost(i, j)) : null
        );
    }

    TransportResult WithoutPlan(SolverStatus status, string reason) =>
        new()
        {
            Problem = _problem,
            Status = status,
            Iterations = _iteration,
            Plan = new SparsePlan(new SparseMatrix(_f.Length, _g.Length, new long[_f.Length + 1], [], [])),
            TransportCost = double.NaN,
            MarginalError = _problem.A.Mass + _problem.B.Mass,
            Message = $"{_message} {reason}".Trim(),
        };
}
