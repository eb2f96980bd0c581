using System.Numerics.Tensors;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>
/// Accelerated projected gradient (FISTA) on <c>⟨C, P⟩ + Σ h_μ(K_e P)</c>, h_μ the Moreau envelope of a norm: its gradient is <c>Kᵀ Z</c> with <c>Z_e = Π_ball(K_e P / μ)</c>, which is feasible in the dual, so that
/// every look gives a certificate. μ is halved where the smoothing is what the gap is made of.
/// </summary>
/// <remarks>Beck and Teboulle 2009; Nesterov 2005; restart by gradients, O'Donoghue and Candès 2015. The step is <c>μ/|K|²</c>.</remarks>
internal sealed class AcceleratedRun : FusionRun
{
    const int CheckEvery = 20;

    /// <summary>Where more than this share of the gap is the smoothing's, μ is made smaller.</summary>
    const double SmoothingShare = 0.5;
    const double Finer = 0.5;

    double[] _plan;
    double[] _next;
    readonly double[] _ahead;
    readonly double[] _target;
    readonly double[] _adjoint;
    double _mu;

    public AcceleratedRun(FusedProblem problem, SumOfNormsOptions options, CancellationToken cancellation)
        : base(problem, options, cancellation)
    {
        (_plan, _next, _ahead) = (Rent(), Rent(), Rent());
        (_target, _adjoint) = (Rent(), Rent());
        for (int i = 0; i < problem.Rows; i++)
            TensorPrimitives.Multiply(problem.B, problem.A[i], Row(_plan, i));
        _plan.CopyTo(_ahead, 0);
        // The first step moves a share of the mass: costs have size 1.
        _mu = NormSquared / Math.Sqrt((double)problem.Rows * problem.Columns);
    }

    double Step => _mu / NormSquared;

    protected override double PotentialScale => 1 / Step;

    protected override (SolverStatus Status, double[] Plan) Iterate()
    {
        double momentum = 1,
            moved = double.PositiveInfinity;
        while (true)
        {
            SolverStatus? limit = Limit();
            Pass(PairPass.Smooth, _ahead, null, 1 / _mu, 1, _adjoint);
            moved = Gradient(moved);
            if (Iterations % CheckEvery == CheckEvery - 1 || limit is not null)
            {
                double penalty = Pass(PairPass.Smooth, _next, _next, 1 / _mu, 1, _adjoint).Penalty;
                bool close = IsClose(_next, penalty, _adjoint, Array.ConvertAll(Projection.G, g => g * PotentialScale));
                if (close || limit is not null)
                    return (close ? SolverStatus.Converged : limit!.Value, Finish());
                // The gap is <C + KᵀZ, P> less its least value, which iterations make small, and what the envelopes lie below the norms.
                double smoothing = penalty - TensorPrimitives.Dot<double>(_adjoint, _next);
                if (smoothing > SmoothingShare * LastDifference)
                {
                    Refine();
                    momentum = 1;
                }
            }
            Iterations++;
            momentum = Extrapolate(momentum, moved);
        }
    }

    /// <summary>A projected gradient step from the point ahead into the next plan; how far it went.</summary>
    double Gradient(double moved)
    {
        EachRow(i =>
        {
            Span<double> row = Row(_target, i);
            TensorPrimitives.Add(Row(Problem.Costs, i), Row(_adjoint, i), row);
            TensorPrimitives.MultiplyAdd(row, -Step, Row(_ahead, i), row);
        });
        const double share = 1e-3,
            loosest = 1e-6,
            tightest = 1e-15;
        Projection.Project(_target, _next, Math.Clamp(share * moved, tightest, loosest), default);
        return TensorPrimitives.Distance<double>(_next, _ahead);
    }

    /// <summary>Nesterov's momentum, forgotten where it points uphill.</summary>
    double Extrapolate(double momentum, double moved)
    {
        double uphill = 0;
        for (int k = 0; k < _next.Length; k++)
            uphill += (_ahead[k] - _next[k]) * (_next[k] - _plan[k]);
        double next = uphill > 0 || moved == 0 ? 1 : (1 + Math.Sqrt(1 + (4 * momentum * momentum))) / 2,
            share = next == 1 ? 0 : (momentum - 1) / next;
        EachRow(i =>
        {
            Span<double> ahead = Row(_ahead, i);
            TensorPrimitives.Subtract(Row(_next, i), Row(_plan, i), ahead);
            TensorPrimitives.MultiplyAdd(ahead, share, Row(_next, i), ahead);
        });
        (_plan, _next) = (_next, _plan);
        return next;
    }

    /// <summary>A finer smoothing; the projection's potentials are potentials of the costs times the step.</summary>
    void Refine()
    {
        _mu *= Finer;
        TensorPrimitives.Multiply(Projection.F, Finer, Projection.F);
        TensorPrimitives.Multiply(Projection.G, Finer, Projection.G);
    }

    /// <summary>The dual vectors are written down once, at the end.</summary>
    double[] Finish()
    {
        RowPairs.Allocate();
        ColumnPairs.Allocate();
        Pass(PairPass.Smooth, _next, null, 1 / _mu, 1, _adjoint);
        Add(Problem.Costs, _adjoint, Changed);
        return _next;
    }
}
