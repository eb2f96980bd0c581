using System.Globalization;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>What a finished run reports: potentials, plan, every part of the value and the true marginal error.</summary>
internal sealed partial class SinkhornRun
{
    /// <summary>Potentials of empty bins, gauge, values and the true marginal error, by an operator that the time limit does not stop.</summary>
    TransportResult Evaluate(SolverStatus status)
    {
        ReturnToKept();
        string backend = _ran.Length > 0 ? _ran : Operator.Description;
        bool small = (long)_f.Length * _g.Length <= PairsWorthFinishing;
        bool evaluate = small || status is not (SolverStatus.Cancelled or SolverStatus.TimeLimit);
        if (!evaluate)
            LowerToTarget();
        double cost = double.NaN,
            entropy = double.NaN,
            penaltyA = 0,
            penaltyB = 0,
            error = _keptError;
        string failure = "";
        double[] rows = new double[_f.Length],
            columns = new double[_g.Length];
        Potentials potentials;
        if (evaluate)
        {
            // What takes a tenth of a second is finished in any case; the time limit stops no evaluation.
            CancellationToken stop = small ? CancellationToken.None : _cancellation;
            Unbind(); // a device may have no room for two
            using ICostOperator op = _backend.Bind(_costs, Precision.Float64, stop);
            if (_keptEpsilon != _epsilon)
                op.Iterate(1, Step(_epsilon, 0), _f, _g, out _); // stopped before the target's own iterations
            for (int i = 0; i < _f.Length; i++)
            {
                if (_weightsA[i] == 0 && _problem.A.Weights[i] > 0)
                    _f[i] = HomePotential(_problem.PenaltyA); // iterations put 0 where no column is allowed
            }
            double[] g = [.. _g];
            for (int j = 0; j < g.Length; j++)
            {
                if (_weightsB[j] == 0 && _b.Weights[j] > 0)
                    g[j] = HomePotential(_problem.PenaltyB); // shifts moved it along
            }
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
                status = SolverStatus.Cancelled;
            }
            else if (!double.IsFinite(total))
            {
                status = SolverStatus.NumericalFailure;
                failure = "The plan of these potentials overflows.";
            }
            else
            {
                cost = total;
                // Exact marginals fix the mass, and a huge ε would make much of its last digit.
                double mass = _problem.IsBalanced ? _problem.A.Mass : Summation.Sum(rows);
                // ε Σ P log(P/ab) = Σ P (f + g − C)
                entropy =
                    Summation.Dot(rows, potentials.F)
                    + Summation.Dot(columns, potentials.G)
                    - cost
                    - (_epsilon * (mass - (_problem.A.Mass * _b.Mass)));
                penaltyA = Penalty(rows, _problem.A.Weights, _problem.PenaltyA);
                penaltyB = Penalty(columns, _b.Weights, _problem.PenaltyB);
                error =
                    Residual(rows, _weightsA, potentials.F, _problem.PenaltyA)
                    + Residual(columns, _weightsB, potentials.G, _problem.PenaltyB);
                // A smaller target of a later round may not have been met; what was asked for may.
                if (status is SolverStatus.IterationLimit or SolverStatus.Stalled && error <= _wanted)
                    status = SolverStatus.Converged;
            }
        }
        else
        {
            potentials = Gauge(_g);
        }
        LinearProblem problem = ReferenceEquals(_b, _problem.B) ? _problem : _problem.WithTarget(_b);
        TransportPlan plan = new PotentialPlan(_problem.Geometry, _problem.A, _b, potentials, _epsilon);
        if (status == SolverStatus.NumericalFailure && failure.Length == 0)
            failure = "A potential overflowed, and no further precision or start is left to try.";
        string message =
            failure.Length > 0 ? failure
            : status == SolverStatus.Stalled ? $"Rounding allows no smaller error in {_options.Precision}."
            : "";
        if (_options.Round && problem.IsBalanced && double.IsFinite(cost))
        {
            try
            {
                var given = Certificate.Verify(problem, plan, cancellation: _cancellation);
                if (double.IsFinite(given.TransportCost))
                {
                    plan = given.FeasiblePlan;
                    var rounded = Certificate.Verify(problem, plan, cancellation: _cancellation);
                    (cost, entropy, error) = (
                        rounded.PlanTransportCost,
                        rounded.PlanValue - rounded.PlanTransportCost,
                        rounded.MarginalError
                    );
                }
                else
                {
                    message = $"{message} The plan is not rounded: what its marginals miss found no allowed way.";
                }
            }
            catch (OperationCanceledException)
            {
                (status, message) = (SolverStatus.Cancelled, "Stopped before the plan was rounded.");
            }
        }
        return new TransportResult
        {
            Problem = problem,
            Status = status,
            Iterations = _iteration,
            Errors = _errors.ToImmutable(),
            Backend = backend,
            Message = $"{_message} {message}".Trim(),
            Why = Account(),
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

    /// <summary>What helped: epsilon scaling, floats, Newton's steps.</summary>
    string Account()
    {
        var parts = new List<string>();
        if (_annealed > 0)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{_annealed} iterations of epsilon scaling"));
        if (_inFloats > 0 && _options.Precision == Precision.Float64)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{_inFloats} iterations in floats"));
        if (_newtonSteps > 0)
        {
            parts.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{_newtonSteps} Newton steps on thin plans of at most {_thinEntries} entries"
                )
            );
        }
        return string.Join(", ", parts);
    }

    /// <summary>Potentials of a larger ε, taken down so far that the target's plan cannot overflow: at ε_k, <c>f_i + g_j − C_ij ≤ −ε_k log b_j</c>.</summary>
    void LowerToTarget()
    {
        if (_keptEpsilon == _epsilon)
            return;
        double smallest = _weightsB.Where(weight => weight > 0).DefaultIfEmpty(1).Min();
        TensorPrimitives.Add(_f, _keptEpsilon * Math.Min(Math.Log(smallest), 0), _f);
    }

    Potentials Gauge(double[] g)
    {
        if (!double.IsFinite(TensorPrimitives.Sum<double>(_f)) || !double.IsFinite(TensorPrimitives.Sum<double>(g)))
        {
            // Nothing usable is left; zeros are potentials of a plan, too.
            Array.Clear(_f);
            g = new double[g.Length];
        }
        var potentials = new Potentials(_f, g);
        return _problem.IsBalanced ? potentials.Centred(_problem.A, _b) : potentials;
    }

    void ExtendToEmptyColumns(ICostOperator op, double[] g)
    {
        var softMin = new double[g.Length];
        op.SoftMinColumns(_f, _logA, _epsilon, softMin);
        for (int j = 0; j < g.Length; j++)
        {
            if (_b.Weights[j] == 0)
                g[j] = double.IsFinite(softMin[j]) ? _problem.PenaltyB.Update(softMin[j], _epsilon) : 0;
        }
    }

    /// <summary>ρ KL(marginal | weights) or ρ |marginal − weights|₁; 0 for a hard constraint.</summary>
    internal static double Penalty(ReadOnlySpan<double> marginal, ReadOnlySpan<double> weights, MarginalPenalty penalty)
    {
        if (penalty.IsExact)
            return 0;
        if (penalty.IsTotalVariation)
            return penalty.Rho * Summation.L1Distance(marginal, weights);
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

    /// <summary>L1 norm of the dual's gradient: what the marginals miss.</summary>
    static double Residual(
        ReadOnlySpan<double> marginal,
        ReadOnlySpan<double> weights,
        ReadOnlySpan<double> potential,
        MarginalPenalty penalty
    )
    {
        var sum = new Compensated();
        for (int i = 0; i < weights.Length; i++)
            sum.Add(weights[i] == 0 ? marginal[i] : penalty.Missed(marginal[i], weights[i], potential[i]));
        return sum.Value;
    }
}
