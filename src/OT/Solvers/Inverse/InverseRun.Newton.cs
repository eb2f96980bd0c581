using System.Numerics.Tensors;
using OT.Results;

namespace OT.Solvers.Inverse;

internal sealed partial class InverseRun
{
    /// <summary>Decrease of the objective, as a share of what the model promises, that a step must bring.</summary>
    const double Decrease = 1e-4;

    const double ShortestStep = 1e-12;

    /// <summary>Residual of the systems behind a step's Hessian: each step then leaves this share of the error at most.</summary>
    const double NewtonSystems = 1e-6;

    /// <summary>Terms that enter at once: as many as there are, and at least these.</summary>
    const int FewTerms = 32;

    /// <summary>
    /// Proximal Newton: <c>min over d of G·d + dᵀHd/2 + λR(t + d)</c> on the terms that are active or violate their condition, then a step along d that decreases the objective enough.
    /// </summary>
    InverseOutcome Newton(InversePoint at, double lambda)
    {
        for (int iteration = 0; ; iteration++)
        {
            if (Look(ref at, lambda, iteration, out double residual) is { } end)
                return end;
            InversePoint? next = NewtonStep(at, lambda, residual);
            if (next is null && at.At.Tolerance > Final)
            {
                // No step helps what the inner solve's error hides: look again without it.
                at = Refined(at);
                continue;
            }
            if (next is null)
                return NoStep(at, iteration, residual);
            at = next;
        }
    }

    /// <summary>Where the run is, for an answer when it is stopped.</summary>
    (InversePoint Point, int Iterations, double Residual)? _current;

    /// <summary>The answer of a run that was stopped; null before there is one.</summary>
    public InverseOutcome? Stopped(SolverStatus status) =>
        _current is { } current ? Ended(current.Point, status, current.Iterations, current.Residual) : null;

    InversePoint? NewtonStep(InversePoint at, double lambda, double residual)
    {
        int[] working = WorkingSet(at, lambda);
        (int[] terms, Func<HessianBlock, HessianBlock> reduce) = _space.Terms(working);
        HessianBlock hessian = reduce(_model.Hessian(at.At, terms, NewtonSystems));
        double[] target = new QuadraticStep(_space, working, hessian.Values, at.T, at.Gradient, lambda).Solve();
        double[] d = new double[_space.Count];
        for (int k = 0; k < working.Length; k++)
            d[working[k]] = target[k] - at.T[working[k]];
        double[] full = [.. at.T];
        TensorPrimitives.Add(full, d, full);
        // G·d + λR(t + d) − λR(t) ≤ −dᵀHd at the model's minimum, and this has nothing to cancel.
        double promised = -Curvature(hessian.Values, working, d);
        if (!(promised < 0))
            return null;
        double inner = InnerFor(residual * InnerShare),
            objective = Objective(at, lambda);
        for (double step = 1; step > ShortestStep; step /= 2)
        {
            double[] t = [.. at.T];
            TensorPrimitives.MultiplyAdd(d, step, t, t);
            if (step == 1)
                full.CopyTo(t, 0); // exact zeros stay zeros
            (double[] f, double[] g) = Predicted(at, hessian, working, d, step);
            InversePoint? next = Evaluate(t, inner, f, g);
            if (next is null)
                continue;
            double change = Objective(next, lambda) - objective;
            if (change <= Decrease * step * promised)
                return next;
            if (change <= Noise(at, lambda) + Noise(next, lambda) && Residual(next, lambda) < residual)
                return next;
            if (-promised * step <= Noise(at, lambda))
                return null;
        }
        return null;
    }

    static double Curvature(double[][] hessian, int[] working, double[] d)
    {
        double[] moved = Array.ConvertAll(working, k => d[k]);
        double sum = 0;
        for (int k = 0; k < moved.Length; k++)
            sum += moved[k] * TensorPrimitives.Dot<double>(hessian[k], moved);
        return sum;
    }

    /// <summary>Potentials after a step, to first order: the start of the next inner solve.</summary>
    static (double[] F, double[] G) Predicted(InversePoint at, HessianBlock hessian, int[] working, double[] d, double step)
    {
        double[] f = [.. at.At.F],
            g = [.. at.At.G];
        for (int k = 0; k < hessian.U.Length; k++)
        {
            if (d[working[k]] == 0)
                continue;
            TensorPrimitives.MultiplyAdd(hessian.U[k], step * d[working[k]], f, f);
            TensorPrimitives.MultiplyAdd(hessian.V[k], step * d[working[k]], g, g);
        }
        return (f, g);
    }

    /// <summary>Blocks that are not 0, and the worst of those that should not be.</summary>
    int[] WorkingSet(InversePoint at, double lambda)
    {
        var active = new List<int[]>();
        var violators = new List<(double By, int[] Block)>();
        foreach (int[] block in _space.Blocks)
        {
            double scale = _space.ScaleOf(block);
            if (scale == 0)
                continue;
            double by = _space.BlockResidual(at.T, at.Gradient, Scaled(lambda, _space.Weights[block[0]]), block);
            if (block.Any(k => at.T[k] != 0))
                active.Add(block);
            else if (by > 0)
                violators.Add((by / scale, block));
        }
        int entering = Math.Max(FewTerms, active.Count);
        return
        [
            .. active
                .Concat(violators.OrderByDescending(v => v.By).Take(entering).Select(v => v.Block))
                .SelectMany(block => block)
                .Where(k => _space.Visible[k])
                .Order(),
        ];
    }
}
