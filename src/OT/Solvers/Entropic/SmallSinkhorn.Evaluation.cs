using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>What a solve reports: potentials of all bins, and values and errors of the plan that these potentials have.</summary>
internal sealed partial class SmallSinkhorn
{
    /// <summary>f of the last sweep with the g it was made from, in cost units and gauged, and one more pass of exponentials for all values. False where one is not finite.</summary>
    bool Evaluate(in SmallProblem problem, Span<double> f, Span<double> g, int iterations, out SmallAnswer answer)
    {
        answer = default;
        if (_kappaB == 0)
            FromV();
        SoftMin(_phi);
        if (_kappaA > 0)
            TensorPrimitives.Multiply(_phi.AsSpan(0, _n), 1 / (1 + _kappaA), _phi.AsSpan(0, _n));
        Span<double> first = _swapped ? g : f,
            second = _swapped ? f : g;
        Scatter(_phi, _rowAt, _n, first);
        Scatter(_gamma, _columnAt, _m, second);
        ExtendToEmptyBins(problem, f, g);
        if (problem.IsBalanced)
        {
            double scale = problem.TargetScale;
            double shift =
                ((scale * Summation.Dot(problem.B, g)) - Summation.Dot(problem.A, f)) / (problem.MassA + (scale * problem.MassB));
            TensorPrimitives.Add(f, shift, f);
            TensorPrimitives.Subtract(g, shift, g);
        }
        if (
            !double.IsFinite(TensorPrimitives.MaxMagnitude<double>(f))
            || !double.IsFinite(TensorPrimitives.MaxMagnitude<double>(g))
        )
            return false;
        // The values are those of the doubles that are given, not of the numbers they were rounded from.
        Gather(first, _rowAt, _n, _phi);
        Gather(second, _columnAt, _m, _gamma);
        answer = Values(problem, iterations);
        return double.IsFinite(answer.TransportCost + answer.Entropy + answer.PenaltyA + answer.PenaltyB + answer.Error);
    }

    void Scatter(double[] potential, int[] at, int count, Span<double> all)
    {
        all.Clear();
        for (int k = 0; k < count; k++)
            all[at[k]] = potential[k] * _unit;
    }

    void Gather(ReadOnlySpan<double> all, int[] at, int count, double[] potential)
    {
        for (int k = 0; k < count; k++)
            potential[k] = all[at[k]] / _unit;
    }

    SmallAnswer Values(in SmallProblem problem, int iterations)
    {
        Span<double> shift = _w.AsSpan(0, _n),
            sums = _s.AsSpan(0, _n),
            costs = _mass.AsSpan(0, _n),
            bias = _scratch.AsSpan(0, _stride),
            columns = _c.AsSpan(0, _stride),
            phi = _phi.AsSpan(0, _n),
            gamma = _gamma.AsSpan(0, _m);
        for (int i = 0; i < _n; i++)
            shift[i] = phi[i] + Math.Log2(_a[i]);
        bias.Clear();
        TensorPrimitives.Add(gamma, _logB.AsSpan(0, _m), bias[.._m]);
        _kernels.Plan(_n, _exponents, shift, bias, _q, sums, costs);
        shift.Fill(1);
        _kernels.ColumnSums(_n, _q, shift, columns);
        double cost = -_unit * Summation.Sum(costs);
        double mass = problem.IsBalanced ? problem.MassA : Summation.Sum(sums);
        double product = problem.MassA * problem.MassB * problem.TargetScale;
        // ε Σ P log(P/ab) = Σ P (f + g − C)
        double entropy =
            (_unit * (Summation.Dot(sums, phi) + Summation.Dot(columns[.._m], gamma)))
            - cost
            - (problem.Epsilon * (mass - product));
        (double penaltyRows, double errorRows) = Marginal(sums, _a, phi, _kappaA, problem.Epsilon);
        (double penaltyColumns, double errorColumns) = Marginal(columns[.._m], _b, gamma, _kappaB, problem.Epsilon);
        _a.AsSpan(0, _n).CopyTo(_mass);
        return new SmallAnswer(
            iterations,
            cost,
            entropy,
            _swapped ? penaltyColumns : penaltyRows,
            _swapped ? penaltyRows : penaltyColumns,
            errorRows + errorColumns
        );
    }

    /// <summary><c>ρ KL(marginal | weights)</c> and the L1 norm of <c>marginal − weights exp(−potential/ρ)</c>; a hard constraint has κ = 0.</summary>
    static (double Penalty, double Error) Marginal(
        ReadOnlySpan<double> marginal,
        double[] weights,
        ReadOnlySpan<double> potential,
        double kappa,
        double epsilon
    )
    {
        Compensated penalty = default,
            error = default;
        for (int k = 0; k < marginal.Length; k++)
        {
            double wanted = kappa == 0 ? weights[k] : weights[k] * Math.Exp(-kappa * potential[k] / Log2E);
            error.Add(Math.Abs(marginal[k] - wanted));
            if (kappa == 0)
                continue;
            // x log x − x + 1 at x = marginal/weight, by its series near 1 where the terms would cancel.
            double d = (marginal[k] - weights[k]) / weights[k];
            double term =
                Math.Abs(d) < 1e-4 ? d * d * (0.5 - (d / 6) + (d * d / 12))
                : d > -1 ? ((1 + d) * Math.Log(1 + d)) - d
                : 1;
            penalty.Add(weights[k] * term);
        }
        return (kappa == 0 ? 0 : epsilon / kappa * penalty.Value, error.Value);
    }

    /// <summary>Empty bins take the soft c-transform of the others, or 0 where all their pairs with the others are forbidden.</summary>
    void ExtendToEmptyBins(in SmallProblem problem, Span<double> f, Span<double> g)
    {
        int n = problem.A.Length,
            m = problem.B.Length;
        if (_n + _m == n + m)
            return;
        double scale = problem.TargetScale;
        for (int i = 0; i < n; i++)
        {
            if (problem.A[i] == 0)
                f[i] =
                    problem.PenaltyA.Tau(problem.Epsilon)
                    * SoftMin(problem.Costs.Slice(i * m, m), 1, g, problem.B, scale, problem.Epsilon);
        }
        for (int j = 0; j < m; j++)
        {
            if (problem.B[j] == 0)
                g[j] = problem.PenaltyB.Tau(problem.Epsilon) * SoftMin(problem.Costs[j..], m, f, problem.A, 1, problem.Epsilon);
        }
    }

    /// <summary><c>−ε log Σ_k w_k exp((potential_k − C_k)/ε)</c> over bins of positive weight; 0 where there is none.</summary>
    static double SoftMin(
        ReadOnlySpan<double> costs,
        int step,
        ReadOnlySpan<double> potential,
        ReadOnlySpan<double> weights,
        double scale,
        double epsilon
    )
    {
        double max = double.NegativeInfinity;
        for (int k = 0; k < potential.Length; k++)
        {
            if (weights[k] > 0)
                max = Math.Max(max, potential[k] - costs[k * step]);
        }
        if (double.IsNegativeInfinity(max))
            return 0;
        double sum = 0;
        for (int k = 0; k < potential.Length; k++)
        {
            if (weights[k] > 0)
                sum += scale * weights[k] * Math.Exp((potential[k] - costs[k * step] - max) / epsilon);
        }
        return -max - (epsilon * Math.Log(sum));
    }
}
