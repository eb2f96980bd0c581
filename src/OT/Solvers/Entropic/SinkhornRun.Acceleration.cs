using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;
using OT.Problems;

namespace OT.Solvers.Entropic;

/// <summary>Steps that go further than a plain iteration: each is judged by the dual value, and taken back where it fell.</summary>
internal sealed partial class SinkhornRun
{
    /// <summary>Judges the last step, and prepares the next: relaxed, mixed, Newton's or plain.</summary>
    /// <param name="epsilon">ε of the last step.</param>
    /// <param name="iterations">Iterations since the last judgement.</param>
    /// <param name="leaps">Whether the next step may be another than a plain one: not before a checkpoint, which starts anew.</param>
    void Accelerate(double epsilon, int iterations, bool leaps)
    {
        // An accelerated step must not lower the dual: plain ones never do. So none can undo what was reached, however flat the error is.
        double dual = Dual(epsilon);
        // A step whose pass was not finite left no potentials to judge it by.
        bool isLost = double.IsPositiveInfinity(_error);
        if (_accelerated && (isLost || !(dual >= _keptDual - DualRounding(dual))))
        {
            ReturnToKept();
            _anderson!.Clear();
            _plainUntil = _iteration + _plainSpell;
            _plainSpell = Math.Min(2 * _plainSpell, MaxPlainSpell);
            _accelerated = _byNewton && ShorterNewtonStep(epsilon);
            return;
        }
        if (_accelerated)
            (_plainSpell, _newtonRefusals) = (1, 0);
        if (_accelerated)
            WatchGains(dual);
        // Newton starts from g as it was, and f as it came of it.
        SemiDualNewton.Point? point = leaps && NewtonIsDue(epsilon) ? NewtonPoint() : null;
        if (TranslatesPotentials)
            Translate();
        if (_relaxation is not null)
        {
            _relaxation.Observe(_error, iterations, _f, _g);
            _omega = _relaxation.Omega;
        }
        Keep(dual);
        _byNewton = point is not null && NewtonStep(point);
        _accelerated =
            _byNewton || (leaps && _anderson is not null && _iteration >= _plainUntil && _anderson.Mix(_before, _g, epsilon));
        if (_accelerated)
            Bound(_g, _problem.PenaltyB);
    }

    /// <summary>Newton waits for the target's ε, for doubles, and until it may pay; what rounding of the potentials explains is not for it to mend.</summary>
    bool NewtonIsDue(double epsilon) =>
        _options.Acceleration == Acceleration.Auto
        && !IsPlain
        && epsilon == _epsilon
        && _precision == Precision.Float64
        && _iteration >= _newtonFrom
        && _error > _newtonFloor;

    /// <summary>The point just evaluated: f came of g as it was before, and the new g of the column masses. What rests on a bound takes no part.</summary>
    SemiDualNewton.Point NewtonPoint()
    {
        double tauA = _problem.PenaltyA.Tau(_epsilon),
            tauB = _problem.PenaltyB.Tau(_epsilon);
        double[] softMin = [.. _f],
            columnMass = new double[_g.Length];
        TensorPrimitives.Divide(softMin, tauA, softMin);
        double[] free = Free(_weightsB, _g, _problem.PenaltyB);
        for (int j = 0; j < columnMass.Length; j++)
            columnMass[j] = free[j] > 0 ? free[j] * Math.Exp((_before[j] - (_g[j] / tauB)) / _epsilon) : 0;
        return new(
            softMin,
            [.. _before],
            free,
            Masses(Free(_weightsA, _f, _problem.PenaltyA), _f, SmoothRho(_problem.PenaltyA)),
            columnMass,
            Masses(free, _before, SmoothRho(_problem.PenaltyB)),
            _epsilon,
            tauA,
            SmoothRho(_problem.PenaltyB)
        );
    }

    /// <summary>ρ where the price is smooth; between its bounds, total variation is a hard marginal.</summary>
    static double SmoothRho(MarginalPenalty penalty) => penalty.IsTotalVariation ? double.PositiveInfinity : penalty.Rho;

    /// <summary>Weights of the bins whose potential may move: those at a bound have none.</summary>
    static double[] Free(double[] weights, double[] potential, MarginalPenalty penalty)
    {
        if (!penalty.IsTotalVariation)
            return weights;
        double[] free = [.. weights];
        for (int k = 0; k < free.Length; k++)
        {
            if (Math.Abs(potential[k]) >= penalty.Rho)
                free[k] = 0;
        }
        return free;
    }

    /// <summary>Replaces g by a Newton step, once as much time went into iterations at this ε as the step would take.</summary>
    bool NewtonStep(SemiDualNewton.Point point)
    {
        _newton ??= new SemiDualNewton(_costs, _backend.Threads, _backend.Share);
        double error = _error / Mass;
        double threshold = Math.Clamp(NewtonThinning * error, LeastThinning, MostThinning);
        int made = _iteration - _levelStart;
        double iterationWork = IterationWork * _f.Length * _g.Length;
        double iterations = _newton.Look(point, threshold, _newtonBytes, made * iterationWork, _limit) / iterationWork;
        if (iterations > made)
        {
            _newtonFrom = (int)Math.Min(_iteration + Math.Max(BeforeNewton, iterations - made), int.MaxValue);
            return false;
        }
        if (!_newton.Compute(point, NewtonDamping * Math.Min(1, error), _limit))
            return false;
        _newton.Step(point, _g);
        _newtonSteps++;
        _thinEntries = Math.Max(_thinEntries, _newton.Entries);
        return true;
    }

    /// <summary>A quarter of a step that lowered the dual; after several of them, first-order steps again for a while.</summary>
    bool ShorterNewtonStep(double epsilon)
    {
        if (++_newtonRefusals == MaxNewtonRefusals)
        {
            (_newtonRefusals, _byNewton) = (0, false);
            _newtonFrom = _iteration + Math.Max(BeforeNewton, _iteration - _levelStart);
            return false;
        }
        _newton!.Shorten(epsilon, _g);
        return true;
    }

    /// <summary>
    /// Steps that neither raise the dual nor lower the error, as between two sets of bins at their bounds, are left alone for a while; so are Newton's where many of
    /// them gain little.
    /// </summary>
    void WatchGains(double dual)
    {
        bool gains = dual > _keptDual + DualRounding(dual) || _error < 0.9 * _keptError;
        if (!_byNewton)
        {
            _idle = gains || !IsBounded ? 0 : _idle + 1;
            if (_idle == MaxIdleBetweenBounds)
                (_idle, _plainUntil) = (0, _iteration + PlainBetweenBounds);
            return;
        }
        _newtonIdle = gains ? 0 : _newtonIdle + 1;
        if (_newtonSpell++ == 0)
            _newtonSpellError = _error;
        bool slow = _newtonSpell >= NewtonSpell && _error > 0.1 * _newtonSpellError;
        if (_newtonSpell >= NewtonSpell)
            _newtonSpell = 0;
        if (_newtonIdle < MaxNewtonIdle && !slow)
            return;
        (_newtonIdle, _newtonSpell) = (0, 0);
        _newtonFrom = _iteration + Math.Max(BeforeNewton, _iteration - _levelStart);
    }

    /// <summary>What a marginal tends to: its weights, or <c>w exp(−potential/ρ)</c> with a penalty.</summary>
    static double[] Masses(double[] weights, double[] potential, double rho)
    {
        var masses = new double[weights.Length];
        for (int k = 0; k < masses.Length; k++)
            masses[k] = double.IsPositiveInfinity(rho) ? weights[k] : weights[k] * Math.Exp(-potential[k] / rho);
        return masses;
    }

    /// <summary>
    /// The dual value of the last f with the g it was made from: the mass of its plan is known from the rows, which f meets exactly unless it is at a bound.
    /// </summary>
    double Dual(double epsilon)
    {
        (MarginalPenalty penaltyA, MarginalPenalty penaltyB) = (_problem.PenaltyA, _problem.PenaltyB);
        Compensated sum = default;
        if (penaltyA.IsTotalVariation)
            sum.Add(-epsilon * Operator.PlanMass);
        for (int i = 0; i < _f.Length; i++)
        {
            if (_weightsA[i] == 0)
                continue;
            sum.Add(
                _weightsA[i]
                    * (
                        penaltyA.IsExact || penaltyA.IsTotalVariation
                            ? _f[i]
                            : (-_rhoA * VectorMath.ExpM1(-_f[i] / _rhoA)) - (epsilon * Math.Exp(-_f[i] / _rhoA))
                    )
            );
        }
        for (int j = 0; j < _before.Length; j++)
        {
            if (_weightsB[j] > 0)
                sum.Add(
                    _weightsB[j]
                        * (
                            penaltyB.IsExact || penaltyB.IsTotalVariation
                                ? _before[j]
                                : -_rhoB * VectorMath.ExpM1(-_before[j] / _rhoB)
                        )
                );
        }
        return sum.Value;
    }

    double DualRounding(double dual) =>
        (_precision == Precision.Float64 ? 1e-13 : 1e-6)
        * (Math.Abs(dual) + (_problem.Geometry.MagnitudeBound * Mass) + (IsBounded ? _epsilon * Operator.PlanMass : 0));

    /// <summary>Notes the pair of potentials just evaluated as the one to fall back on.</summary>
    void Keep(double dual)
    {
        (_keptDual, _keptError, _keptEpsilon) = (dual, _error, _step!.Epsilon);
        _f.CopyTo(_keptF.AsSpan());
        _g.CopyTo(_keptG.AsSpan());
    }

    /// <summary>Puts back the last good pair; an accelerated g was not evaluated.</summary>
    void ReturnToKept()
    {
        _keptF.CopyTo(_f.AsSpan());
        _keptG.CopyTo(_g.AsSpan());
    }

    /// <summary>Whether a marginal is penalised, so that shifting mass between the potentials changes the dual.</summary>
    bool TranslatesPotentials => !IsPlain && (double.IsFinite(_rhoA) || double.IsFinite(_rhoB));

    /// <summary>
    /// The best shift f + t, g − t, in closed form without total variation (Séjourné, Vialard, Peyré, AISTATS 2022): removes the slow mode of large ρ. A hard
    /// marginal is ρ = ∞.
    /// </summary>
    void Translate()
    {
        double t = IsBounded
            ? BestShift()
            : (LogSumExp(_logA, _f, _rhoA) - LogSumExp(_logB, _g, _rhoB)) / ((1 / _rhoA) + (1 / _rhoB));
        if (!double.IsFinite(t))
            return; // one side has no mass in play
        TensorPrimitives.Add(_f, t, _f);
        TensorPrimitives.Subtract(_g, t, _g);
        Bound(_f, _problem.PenaltyA);
        Bound(_g, _problem.PenaltyB);
    }

    /// <summary>
    /// The shift by bisection where a potential is bounded: the dual is concave in t, piecewise smooth, and flat around 0 as long as nothing is at its bound and
    /// the masses agree. The end of the last interval that is nearer to 0 is taken, so that the dual never falls.
    /// </summary>
    double BestShift()
    {
        double rounding = 1e-13 * (_problem.A.Mass + _b.Mass);
        bool up = ShiftSlope(0, right: true) > rounding;
        if (!up && !(ShiftSlope(0, right: false) < -rounding))
            return 0;
        // Beyond these, a potential would be below −ρ, or all of them above ρ, where nothing is left to win.
        double far = up
            ? Math.Min(_problem.PenaltyA.Bound - Least(_weightsA, _f), _problem.PenaltyB.Bound + Least(_weightsB, _g))
            : Math.Max(-_problem.PenaltyA.Bound - Least(_weightsA, _f), Least(_weightsB, _g) - _problem.PenaltyB.Bound);
        double near = 0;
        if (!double.IsFinite(far))
            return near; // one side has no mass in play
        while (Math.Abs(far - near) > ShiftPrecision * Math.Max(_epsilon, Math.Abs(near)))
        {
            double t = near + ((far - near) / 2);
            double slope = ShiftSlope(t, right: up);
            if (up ? slope > 0 : slope < 0)
                near = t;
            else
                far = t;
        }
        return near;
    }

    /// <summary>One-sided derivative of the dual at f + t, g − t.</summary>
    double ShiftSlope(double t, bool right) =>
        MassAfter(_weightsA, _f, t, _problem.PenaltyA, right) - MassAfter(_weightsB, _g, -t, _problem.PenaltyB, !right);

    /// <summary>What the marginal tends to at a shifted potential: <c>Σ w φ'(v + t)</c>, from the right or from the left of v.</summary>
    static double MassAfter(double[] weights, double[] potential, double t, MarginalPenalty penalty, bool right)
    {
        double sum = 0;
        for (int k = 0; k < weights.Length; k++)
        {
            double v = potential[k] + t;
            if (!penalty.IsExact && !penalty.IsTotalVariation)
                sum += weights[k] * Math.Exp(-v / penalty.Rho);
            else if (right ? v < penalty.Bound : v <= penalty.Bound)
                sum += weights[k];
        }
        return sum;
    }

    static double Least(double[] weights, double[] potential)
    {
        double least = double.PositiveInfinity;
        for (int k = 0; k < weights.Length; k++)
        {
            if (weights[k] > 0)
                least = Math.Min(least, potential[k]);
        }
        return least;
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
}
