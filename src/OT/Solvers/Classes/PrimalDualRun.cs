using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>
/// <c>P⁺ = Π_U(P − τ (C + KᵀZ))</c>, <c>Z⁺ = Π_balls(Z + σ K (2P⁺ − P))</c>, reflected and drawn to an anchor: <c>z ← (k/(k+1)) (2T(z) − z) + (1/(k+1)) z₀</c>, restarted where the
/// step's length has fallen enough.
/// </summary>
/// <remarks>
/// Chambolle and Pock 2011; Halpern's anchoring with restarts as Lu and Yang 2024 for linear programs. <c>τ = 1/(ω |K|)</c>, <c>σ = ω/|K|</c>, ω following the ways that
/// both sides have gone between restarts.
/// </remarks>
internal sealed class PrimalDualRun : FusionRun
{
    const double SufficientDecay = 0.2;
    const double NecessaryDecay = 0.8;
    const double LongestEpoch = 0.36; // as a share of all iterations
    const int FirstCheck = 20;
    const double CheckShare = 0.05; // of the iterations so far, between two looks at the gap

    /// <summary>Restarts move log ω this far towards what they measured.</summary>
    const double Smoothing = 0.4;

    /// <summary>ω starts at so many times the mean cost over the root mean square mass of a pair.</summary>
    const double FirstBalance = 10;

    /// <summary>The least L1 error of marginals that a projection is asked for, the mass being 1.</summary>
    const double Tightest = 1e-14;

    /// <summary>τ at most, for costs of size 1 and plans of mass 1: what is projected is rounded to a unit of τ, and mass with it.</summary>
    const double LongestStep = 1e4;

    /// <summary>A mean size of centred costs, the largest being 1, that is rounding.</summary>
    const double AllAlike = 1e-9;

    /// <summary>Where one side alone has moved, its step grows by this.</summary>
    const double Push = 4;

    readonly double _norm;
    double[] _plan;
    readonly double[] _anchor;
    readonly double[] _target; // V, then 2P⁺ − P
    double[] _next;
    double[] _adjoint;
    readonly double[] _adjointAnchor;
    double[] _adjointNext;
    readonly double[] _rowMovement;
    readonly double[] _rowTravel;
    readonly double[] _rowCross;
    double _omega;

    public PrimalDualRun(FusedProblem problem, SumOfNormsOptions options, SumOfNormsResult? start, CancellationToken cancellation)
        : base(problem, options, cancellation)
    {
        (int n, int m) = (problem.Rows, problem.Columns);
        _norm = Math.Sqrt(NormSquared);
        (_plan, _anchor, _target, _next) = (Start(start), new double[n * m], new double[n * m], new double[n * m]);
        (_adjoint, _adjointAnchor, _adjointNext) = (new double[n * m], new double[n * m], new double[n * m]);
        (_rowMovement, _rowTravel, _rowCross) = (new double[n], new double[n], new double[n]);
        double mean = 0;
        foreach (double cost in problem.Costs)
            mean += double.IsFinite(cost) ? Math.Abs(cost) / problem.Costs.Length : 0;
        // Dual vectors are as long as the costs they fight, or, where these are all alike, as their balls allow.
        double size = mean > AllAlike ? mean : Math.Max(Longest(problem.RowTerms), Longest(problem.ColumnTerms));
        _omega = FirstBalance * size * Math.Sqrt((double)n * m);
        RowPairs.Allocate();
        ColumnPairs.Allocate();
        if (start?.Duals is { } duals)
        {
            (double[] rows, double[] columns) = problem.Reduce(duals);
            RowPairs.Start(rows);
            ColumnPairs.Start(columns);
        }
    }

    static double Longest(PairTerm[] terms) => terms.Length == 0 ? 0 : terms.Max(term => term.Radius);

    double Tau => 1 / (_omega * _norm);

    double Sigma => _omega / _norm;

    protected override double PotentialScale => 1 / Tau;

    /// <summary>a ⊗ b, or the plan to start from.</summary>
    double[] Start(SumOfNormsResult? start)
    {
        if (start is not null)
            return Problem.Reduce(start.Plan);
        var plan = new double[Problem.Rows * Problem.Columns];
        for (int i = 0; i < Problem.Rows; i++)
            TensorPrimitives.Multiply(Problem.B, Problem.A[i], Row(plan, i));
        return plan;
    }

    protected override (SolverStatus Status, double[] Plan) Iterate()
    {
        // A first pass of no length makes what was given an anchor, inside the balls.
        _plan.CopyTo(_anchor, 0);
        Pass(PairPass.Anchor, _plan, null, 0, 1, _adjoint);
        _adjoint.CopyTo(_adjointAnchor, 0);
        int epoch = 0,
            check = FirstCheck;
        bool restart = false;
        double first = 0,
            previous = double.PositiveInfinity,
            movement = double.PositiveInfinity;
        while (true)
        {
            SolverStatus? limit = Limit();
            double missed = PrimalStep(movement);
            bool close = false;
            if (Iterations >= check || limit == SolverStatus.IterationLimit)
            {
                check = Iterations + Math.Max(FirstCheck, (int)(CheckShare * Iterations));
                close = Look();
                // What a plan misses of its marginals may be worth more than the gap: it ends with one that misses nothing.
                if (close && missed > Tightest)
                {
                    PrimalStep(0);
                    MendedAt = double.PositiveInfinity; // the plan is another one
                    close = Look();
                }
            }
            bool ends = close || limit is not null;
            double keep = (epoch + 1.0) / (epoch + 2.0);
            bool anchors = restart || ends;
            (double dual, double way, _) = Pass(
                anchors ? PairPass.Anchor : PairPass.Mix,
                _target,
                null,
                Sigma,
                keep,
                _adjointNext
            );
            Iterations += ends ? 0 : 1;
            if (ends)
                return (close ? SolverStatus.Converged : limit!.Value, _next);
            double residual = PrimalMove(anchors, keep, dual);
            movement = Math.Sqrt(TensorPrimitives.Sum<double>(_rowMovement));
            if (anchors)
            {
                Rebalance(Math.Sqrt(TensorPrimitives.Sum<double>(_rowTravel)), Math.Sqrt(way));
                (epoch, restart, previous) = (0, false, double.PositiveInfinity);
                continue;
            }
            first = epoch == 0 ? residual : first;
            epoch++;
            restart =
                epoch > 2
                && (
                    residual <= SufficientDecay * first
                    || (residual <= NecessaryDecay * first && residual > previous)
                    || epoch >= LongestEpoch * Iterations
                );
            previous = residual;
        }
    }

    bool Look()
    {
        (_, _, double penalty) = Pass(PairPass.Look, _target, _next, Sigma, 1, _adjointNext);
        return IsClose(_next, penalty, _adjointNext, Array.ConvertAll(Projection.G, g => g * PotentialScale));
    }

    /// <summary><c>P⁺</c> into <c>_next</c>, <c>2P⁺ − P</c> into <c>_target</c>; what P⁺ misses of its marginals, in L1.</summary>
    double PrimalStep(double movement)
    {
        double tau = Tau;
        EachRow(i =>
        {
            Span<double> row = Row(_target, i);
            TensorPrimitives.Add(Row(Problem.Costs, i), Row(_adjoint, i), row);
            TensorPrimitives.MultiplyAdd(row, -tau, Row(_plan, i), row);
        });
        // A projection that is off by a small share of the step does no harm; certificates repair what is left.
        const double share = 1e-2,
            loosest = 1e-5;
        double missed = Projection.Project(_target, _next, Math.Clamp(share * movement, Tightest, loosest), default);
        EachRow(i =>
        {
            Span<double> row = Row(_target, i);
            TensorPrimitives.Add(Row(_next, i), Row(_next, i), row);
            TensorPrimitives.Subtract(row, Row(_plan, i), row);
        });
        return missed;
    }

    /// <summary>Moves the plan as the dual vectors were moved; the length of the plain step in the norm in which it never grows.</summary>
    double PrimalMove(bool anchors, double keep, double dual)
    {
        int m = Problem.Columns;
        // Of the plain step, the plan before it and the anchor, the next plan has so much; of their adjoints the plain one had so much.
        (double plain, double before, double anchored) = anchors ? (1, 0, 0) : (2 * keep, -keep, 1 - keep);
        (double mixed, double old, double from) = anchors ? (1, -1, 0) : (0.5 / keep, -0.5, -0.5 * (1 - keep) / keep);
        EachRow(i =>
        {
            (_rowMovement[i], _rowTravel[i], _rowCross[i]) = Move(
                i * m,
                (i + 1) * m,
                (plain, before, anchored),
                (mixed, old, from)
            );
            if (!anchors)
                return;
            Row(_plan, i).CopyTo(Row(_anchor, i));
            Row(_adjointNext, i).CopyTo(Row(_adjointAnchor, i));
        });
        (_adjoint, _adjointNext) = (_adjointNext, _adjoint);
        double square =
            (TensorPrimitives.Sum<double>(_rowMovement) / Tau) + (dual / Sigma) - (2 * TensorPrimitives.Sum<double>(_rowCross));
        return Math.Sqrt(Math.Max(0, square));
    }

    /// <summary><c>P ← Plain P⁺ + Before P + Anchored P₀</c> in a range; |P⁺ − P|², |P⁺ − P₀|² and <c>⟨P⁺ − P, the adjoint's plain step⟩</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    (double Movement, double Travel, double Cross) Move(
        int start,
        int end,
        (double Plain, double Before, double Anchored) shares,
        (double Mixed, double Old, double Anchor) adjoint
    )
    {
        Vector512<double> movement = default,
            travel = default,
            cross = default;
        int k = start;
        for (; k <= end - Vector512<double>.Count; k += Vector512<double>.Count)
        {
            Vector512<double> next = At(_next),
                plan = At(_plan),
                anchor = At(_anchor),
                moves = next - plan,
                away = next - anchor;
            movement += moves * moves;
            travel += away * away;
            cross +=
                moves
                * ((adjoint.Mixed * At(_adjointNext)) + (adjoint.Old * At(_adjoint)) + (adjoint.Anchor * At(_adjointAnchor)));
            ((shares.Plain * next) + (shares.Before * plan) + (shares.Anchored * anchor)).StoreUnsafe(ref _plan[k]);
        }
        (double m, double t, double c) = (Vector512.Sum(movement), Vector512.Sum(travel), Vector512.Sum(cross));
        for (; k < end; k++)
        {
            double moves = _next[k] - _plan[k],
                away = _next[k] - _anchor[k];
            m += moves * moves;
            t += away * away;
            c += moves * ((adjoint.Mixed * _adjointNext[k]) + (adjoint.Old * _adjoint[k]) + (adjoint.Anchor * _adjointAnchor[k]));
            _plan[k] = (shares.Plain * _next[k]) + (shares.Before * _plan[k]) + (shares.Anchored * _anchor[k]);
        }
        return (m, t, c);

        Vector512<double> At(double[] table) => Vector512.LoadUnsafe(ref table[k]);
    }

    /// <summary>ω towards the ratio of the ways gone since the last restart, in logarithms.</summary>
    void Rebalance(double primal, double dual)
    {
        const double least = 1e-12;
        double old = _omega;
        if (primal > least && dual > least)
            _omega = Math.Exp((Smoothing * Math.Log(dual / primal)) + ((1 - Smoothing) * Math.Log(_omega)));
        else if (dual > least)
            _omega *= Push;
        else if (primal > least)
            _omega /= Push;
        _omega = Math.Max(_omega, 1 / (_norm * LongestStep));
        // The projection's potentials are potentials of the costs times τ.
        TensorPrimitives.Multiply(Projection.F, old / _omega, Projection.F);
        TensorPrimitives.Multiply(Projection.G, old / _omega, Projection.G);
    }
}
