using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>Weighted least-squares fits of costs by <c>u(x) + v(y)</c> in L²(P): <c>D_a u + P v = r</c>, <c>Pᵀ u + D_b v = s</c> for many right-hand sides at once.</summary>
/// <remarks>
/// v is eliminated and <c>(D_a − P D_b⁻¹ Pᵀ) u = r − P D_b⁻¹ s</c> solved by conjugate gradients with D_a as preconditioner, all systems sharing each product with the plan.
/// The matrix maps constants to 0, and r and s belong to one cost, so that the sum of a right-hand side is 0 but for rounding, which is taken out.
/// </remarks>
internal sealed class PlanProjection
{
    const int MaxIterations = 2000;

    readonly ICostOperator _op;
    readonly Potentials _potentials;
    readonly double[] _logA;
    readonly double[] _logB;
    readonly double _epsilon;
    readonly CancellationToken _cancellation;
    readonly double[] _rows; // P1
    readonly double[] _columns; // Pᵀ1

    public PlanProjection(
        ICostOperator op,
        Potentials potentials,
        double[] logA,
        double[] logB,
        double epsilon,
        CancellationToken cancellation
    )
    {
        (_op, _potentials, _logA, _logB, _epsilon, _cancellation) = (op, potentials, logA, logB, epsilon, cancellation);
        (_rows, _columns) = (new double[logA.Length], new double[logB.Length]);
        var ones = new double[Math.Max(logA.Length, logB.Length)];
        Array.Fill(ones, 1);
        Multiply(ones.AsSpan(0, logB.Length), _rows, transpose: false);
        Multiply(ones.AsSpan(0, logA.Length), _columns, transpose: true);
    }

    /// <summary>Solves <paramref name="count"/> systems, their sides one after another, to a residual relative to the right-hand side.</summary>
    public (double[] U, double[] V) Solve(double[] r, double[] s, int count, double tolerance)
    {
        int n = _rows.Length,
            m = _columns.Length;
        double[] u = new double[count * n],
            residual = new double[count * n],
            scaled = new double[count * m],
            image = new double[count * n];
        ByColumns(s, scaled);
        Multiply(scaled, image, transpose: false);
        TensorPrimitives.Subtract(r, image, residual);
        Iterate(u, residual, count, tolerance);
        // v = D_b⁻¹ (s − Pᵀ u)
        var v = new double[count * m];
        Multiply(u, v, transpose: true);
        TensorPrimitives.Subtract(s, v, v);
        ByColumns(v, v);
        return (u, v);
    }

    /// <summary>Conjugate gradients for systems that share their products; one that is solved stands still.</summary>
    void Iterate(double[] u, double[] residual, int count, double tolerance)
    {
        int n = _rows.Length;
        double[] direction = new double[count * n],
            image = new double[count * n],
            between = new double[count * _columns.Length],
            slopes = new double[count],
            start = new double[count];
        var open = new bool[count];
        for (int k = 0; k < count; k++)
        {
            Centre(residual.AsSpan(k * n, n));
            start[k] = Slope(residual.AsSpan(k * n, n));
            open[k] = start[k] > 0;
        }
        for (int iteration = 0; iteration < MaxIterations && open.Contains(true); iteration++)
        {
            for (int k = 0; k < count; k++)
            {
                Span<double> d = direction.AsSpan(k * n, n),
                    res = residual.AsSpan(k * n, n);
                double slope = open[k] ? Slope(res) : 0;
                double share = iteration == 0 || !open[k] ? 0 : slope / slopes[k];
                for (int i = 0; i < n; i++)
                    d[i] = open[k] ? (_rows[i] > 0 ? res[i] / _rows[i] : 0) + (share * d[i]) : 0;
                slopes[k] = slope;
            }
            Multiply(direction, between, transpose: true);
            ByColumns(between, between);
            Multiply(between, image, transpose: false);
            for (int k = 0; k < count; k++)
            {
                if (!open[k])
                    continue;
                Span<double> d = direction.AsSpan(k * n, n),
                    im = image.AsSpan(k * n, n),
                    res = residual.AsSpan(k * n, n);
                for (int i = 0; i < n; i++)
                    im[i] = (_rows[i] * d[i]) - im[i];
                double curvature = TensorPrimitives.Dot<double>(d, im);
                if (!(curvature > 0))
                {
                    open[k] = false; // rounding is all that is left
                    continue;
                }
                double step = slopes[k] / curvature;
                Span<double> x = u.AsSpan(k * n, n);
                TensorPrimitives.MultiplyAdd(d, step, x, x);
                TensorPrimitives.MultiplyAdd(im, -step, res, res);
                Centre(res);
                open[k] = Slope(res) > tolerance * tolerance * start[k];
            }
        }
    }

    /// <summary><c>rᵀ D_a⁻¹ r</c>.</summary>
    double Slope(ReadOnlySpan<double> residual)
    {
        double sum = 0;
        for (int i = 0; i < residual.Length; i++)
            sum += _rows[i] > 0 ? residual[i] * residual[i] / _rows[i] : 0;
        return sum;
    }

    /// <summary>Takes the sum out, from each row its weight's share.</summary>
    void Centre(Span<double> residual)
    {
        double mean = Summation.Sum(residual) / Summation.Sum(_rows);
        for (int i = 0; i < residual.Length; i++)
            residual[i] -= mean * _rows[i];
    }

    void ByColumns(double[] from, double[] to)
    {
        int m = _columns.Length;
        for (int k = 0; k < from.Length; k++)
            to[k] = _columns[k % m] > 0 ? from[k] / _columns[k % m] : 0;
    }

    void Multiply(ReadOnlySpan<double> vectors, Span<double> result, bool transpose)
    {
        var plan = new GibbsPlan
        {
            F = _potentials.F,
            G = _potentials.G,
            LogA = _logA,
            LogB = _logB,
            Epsilon = _epsilon,
        };
        _op.ApplyPlan(plan, vectors, result, transpose);
        if (_op.Interrupted)
            throw new OperationCanceledException(_cancellation);
    }
}
