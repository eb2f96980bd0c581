using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Multipliers of the optimality conditions: one per bin.</summary>
/// <param name="P">One per source bin.</param>
/// <param name="Q">One per target bin.</param>
/// <param name="Iterations">Of conjugate gradients; 0 when the system was factored.</param>
/// <param name="Residual">L2 norm of the residual over that of the right-hand side and of the diagonal's part.</param>
/// <param name="Status">How the solve ended.</param>
/// <param name="Method">What solved it.</param>
internal sealed record ImplicitSolution(
    double[] P,
    double[] Q,
    int Iterations,
    double Residual,
    SolverStatus Status,
    string Method
);

/// <summary>The linear system behind <see cref="ImplicitGradient"/>, in the notation of docs/theory/gradients.md.</summary>
internal sealed class ImplicitSystem
{
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    /// <summary>A diagonal entry of S, as a share of D, below which it is rounding.</summary>
    const double SmallestDiagonal = 1e-12;

    readonly TransportResult _result;
    readonly bool[] _aliveA;
    readonly bool[] _aliveB;
    readonly Side _kept;
    readonly Side _other;
    readonly bool _byRows;
    readonly double[][]? _table;
    readonly GroundedLaplacian? _factor;

    /// <summary>One side's diagonal <c>D = marginal + loss</c>, with <c>loss = ε w e^(−potential/ρ)/ρ</c>.</summary>
    sealed record Side(double[] Diagonal, double[] Loss, bool[] Alive);

    /// <summary>Reads the plan once.</summary>
    /// <param name="result">An entropic result with potentials.</param>
    /// <param name="factor">Whether the plan is stored and the system factored.</param>
    /// <param name="threads">Threads that share the rows.</param>
    /// <param name="cancellation">Watched once per row.</param>
    public ImplicitSystem(TransportResult result, bool factor, int threads, CancellationToken cancellation)
    {
        _result = result;
        Threads = threads;
        LinearProblem problem = result.Problem;
        (_aliveA, _aliveB) = (Alive(problem.A), Alive(problem.B));
        Rows = new LiveRows(result, factor, threads, cancellation);
        (double[] r, double[] c) = Marginals(cancellation);
        Side a = SideOf(r, Rows.A, _aliveA, result.Potentials!.F, problem.PenaltyA),
            b = SideOf(c, Rows.B, _aliveB, result.Potentials.G, problem.PenaltyB);
        _byRows = r.Length <= c.Length;
        (_kept, _other) = _byRows ? (a, b) : (b, a);
        if (!factor)
            return;
        _table = Table();
        _factor = Factor(_table, cancellation);
    }

    public LiveRows Rows { get; }

    public int Threads { get; }

    /// <summary>Whether a source bin has weight.</summary>
    public ReadOnlySpan<bool> AliveA => _aliveA;

    /// <summary>Whether a target bin has weight.</summary>
    public ReadOnlySpan<bool> AliveB => _aliveB;

    static bool[] Alive(Measure measure) => Array.ConvertAll(measure.Weights.ToArray(), w => w > 0);

    Side SideOf(double[] marginal, Measure weights, bool[] alive, ReadOnlySpan<double> potential, MarginalPenalty penalty)
    {
        var diagonal = new double[marginal.Length];
        var loss = new double[marginal.Length];
        for (int k = 0; k < loss.Length; k++)
        {
            if (!penalty.IsExact)
                loss[k] = weights.Weights[k] * Math.Exp(-potential[k] / penalty.Rho) * (_result.Epsilon / penalty.Rho);
            diagonal[k] = marginal[k] + loss[k];
        }
        return new Side(diagonal, loss, alive);
    }

    /// <summary>Row sums of P' over the columns that have weight, and column sums over the rows that have weight.</summary>
    (double[] Rows, double[] Columns) Marginals(CancellationToken cancellation)
    {
        int m = Rows.Columns;
        var rowSums = new double[Rows.Rows];
        double[] columnSums = RowReduction.Sum(
            Rows.Rows,
            m,
            m,
            Threads,
            cancellation: cancellation,
            action: (i, row, sum) =>
            {
                Rows.Row(i, row);
                if (_aliveA[i])
                    TensorPrimitives.Add(sum, row, sum);
                for (int j = 0; j < m; j++)
                    row[j] = _aliveB[j] ? row[j] : 0;
                rowSums[i] = TensorPrimitives.Sum<double>(row);
            }
        );
        return (rowSums, columnSums);
    }

    /// <summary>P with the kept bins as rows.</summary>
    double[][] Table()
    {
        int k = _kept.Diagonal.Length,
            l = _other.Diagonal.Length;
        var table = new double[k][];
        for (int i = 0; i < k; i++)
            table[i] = new double[l];
        var row = new double[Rows.Columns];
        for (int i = 0; i < Rows.Rows; i++)
        {
            if (!_aliveA[i])
                continue;
            Rows.Row(i, row);
            for (int j = 0; j < row.Length; j++)
            {
                if (_aliveB[j])
                    (_byRows ? ref table[i][j] : ref table[j][i]) = row[j];
            }
        }
        return table;
    }

    /// <summary><c>S = D_k − P diag(1/D_o) Pᵀ</c>: couplings <c>W = P diag(1/D_o) Pᵀ</c>, losses <c>loss_k + P (loss_o/D_o)</c>.</summary>
    GroundedLaplacian Factor(double[][] table, CancellationToken cancellation)
    {
        int k = table.Length;
        var couplings = new double[k][];
        double[] share = Divided(_other.Loss, _other.Diagonal),
            losses = [.. _kept.Loss];
        RowReduction.Sum(
            k,
            0,
            table[0].Length,
            Threads,
            cancellation: cancellation,
            action: (i, scaled, _) =>
            {
                losses[i] = _kept.Alive[i] ? losses[i] + TensorPrimitives.Dot<double>(table[i], share) : 0;
                Divided(table[i], _other.Diagonal, scaled);
                couplings[i] = new double[i];
                for (int l = 0; l < i; l++)
                    couplings[i][l] = TensorPrimitives.Dot<double>(scaled, table[l]);
            }
        );
        return new GroundedLaplacian(couplings, losses, cancellation);
    }

    /// <summary>Solves for one cotangent.</summary>
    public ImplicitSolution Solve(
        double[] f,
        double[] g,
        PlanCotangentRow? plan,
        ImplicitGradientOptions options,
        IBackend? backend,
        CancellationToken cancellation
    )
    {
        (Flow u, Flow v) = RightSides(f, g, plan, cancellation);
        double[] p = SolveEmpty(u, _byRows ? _kept : _other),
            q = SolveEmpty(v, _byRows ? _other : _kept);
        MoveEmpty(u, v, p, q, cancellation);
        (Flow kept, Flow other) = _byRows ? (u, v) : (v, u);
        (double[] x, double[] y) = _byRows ? (p, q) : (q, p);
        double rounding = Unit * (f.Length + g.Length);

        using ManagedBackend? own = _table is null && backend is null ? new ManagedBackend(Threads) : null;
        using ICostOperator? op = _table is null
            ? (backend ?? own!).Bind(_result.Problem.Geometry, Precision.Float64, cancellation)
            : null;
        var product = new Coupling(this, op, cancellation);
        // rhs = kept − P (other / D_o)
        var right = new double[x.Length];
        var size = new double[x.Length];
        product.Apply(Divided(other.Net, _other.Diagonal), right);
        product.Apply(Divided(other.Size, _other.Diagonal), size);
        for (int k = 0; k < right.Length; k++)
        {
            bool live = _kept.Alive[k] && _kept.Diagonal[k] > 0;
            right[k] = live ? kept.Net[k] - right[k] : 0;
            size[k] = live ? kept.Size[k] + size[k] : 0;
        }
        double[] wanted = Norm(right) > rounding * Norm(size) ? right : new double[right.Length];
        var solution = new double[x.Length];
        (int iterations, SolverStatus status) = _factor is null
            ? Iterate(product, [.. wanted], options, solution)
            : (0, _factor.Solve([.. wanted], size, rounding, solution) ? SolverStatus.Converged : SolverStatus.NumericalFailure);

        double residual = Residual(product, solution, wanted);
        var back = new double[y.Length];
        product.ApplyTranspose(solution, back);
        for (int k = 0; k < x.Length; k++)
            x[k] = _kept.Alive[k] ? solution[k] : x[k];
        for (int k = 0; k < y.Length; k++)
        {
            if (_other.Alive[k])
                y[k] = _other.Diagonal[k] > 0 ? (other.Net[k] - back[k]) / _other.Diagonal[k] : 0;
        }
        if (op?.Interrupted == true)
            throw new OperationCanceledException(cancellation);
        if (!double.IsFinite(TensorPrimitives.Sum<double>(p) + TensorPrimitives.Sum<double>(q)))
            status = SolverStatus.NumericalFailure;
        else if (status == SolverStatus.Converged && residual > options.Tolerance)
            status = SolverStatus.Stalled;
        return new ImplicitSolution(
            p,
            q,
            iterations,
            residual,
            status,
            op is null ? $"Laplacian of {x.Length} nodes, factored" : $"conjugate gradients, {op.Description}"
        );
    }

    (int Iterations, SolverStatus Status) Iterate(
        Coupling product,
        double[] right,
        ImplicitGradientOptions options,
        double[] solution
    )
    {
        ConjugateGradient.Outcome outcome = ConjugateGradient.Solve(
            product.Schur,
            right,
            product.InverseDiagonal(),
            _result.Problem.IsBalanced,
            options.Tolerance,
            options.MaxIterations,
            solution
        );
        SolverStatus status =
            outcome.Residual <= options.Tolerance ? SolverStatus.Converged
            : outcome.Iterations >= options.MaxIterations ? SolverStatus.IterationLimit
            : SolverStatus.Stalled;
        return (outcome.Iterations, status);
    }

    /// <summary>What flows into each bin, and the sum of the sizes that it is the difference of.</summary>
    sealed record Flow(double[] Net, double[] Size);

    /// <summary><c>ε u = (P̄ ∘ P) 1 + ε f̄</c> and <c>ε v = (P̄ ∘ P)ᵀ 1 + ε ḡ</c>.</summary>
    (Flow U, Flow V) RightSides(double[] f, double[] g, PlanCotangentRow? plan, CancellationToken cancellation)
    {
        int m = g.Length;
        double eps = _result.Epsilon;
        var u = new Flow(Scaled(f), Scaled(Array.ConvertAll(f, Math.Abs)));
        var v = new Flow(Scaled(g), Scaled(Array.ConvertAll(g, Math.Abs)));
        if (plan is null)
            return (u, v);
        double[] sums = RowReduction.Sum(
            f.Length,
            2 * m,
            2 * m,
            Threads,
            cancellation: cancellation,
            action: (i, scratch, sum) =>
            {
                if (!_aliveA[i])
                    return;
                Span<double> row = scratch[..m],
                    upstream = scratch[m..];
                Rows.Row(i, row);
                plan(i, upstream);
                double net = 0,
                    size = 0;
                for (int j = 0; j < m; j++)
                {
                    double term = _aliveB[j] ? row[j] * upstream[j] : 0;
                    net += term;
                    size += Math.Abs(term);
                    sum[j] += term;
                    sum[m + j] += Math.Abs(term);
                }
                if (!double.IsFinite(net))
                    Guard.Finite(upstream, "cotangent.Plan");
                u.Net[i] += net;
                u.Size[i] += size;
            }
        );
        TensorPrimitives.Add(v.Net, sums.AsSpan(0, m), v.Net);
        TensorPrimitives.Add(v.Size, sums.AsSpan(m), v.Size);
        return (u, v);

        double[] Scaled(double[] values) => Array.ConvertAll(values, value => eps * value);
    }

    /// <summary>An empty bin's potential depends on the others and none on it: its multiplier is known at once.</summary>
    static double[] SolveEmpty(Flow flow, Side side)
    {
        var multipliers = new double[flow.Net.Length];
        for (int k = 0; k < multipliers.Length; k++)
        {
            if (!side.Alive[k] && side.Diagonal[k] > 0)
                multipliers[k] = flow.Net[k] / side.Diagonal[k];
        }
        return multipliers;
    }

    /// <summary>Takes what the empty bins' multipliers p and q pull at over to the bins with weight.</summary>
    void MoveEmpty(Flow u, Flow v, double[] p, double[] q, CancellationToken cancellation)
    {
        if (!p.AsSpan().ContainsAnyExcept(0) && !q.AsSpan().ContainsAnyExcept(0))
            return;
        int m = q.Length;
        double[] moved = RowReduction.Sum(
            p.Length,
            m,
            m,
            Threads,
            cancellation: cancellation,
            action: (i, row, sum) =>
            {
                Rows.Row(i, row);
                if (_aliveA[i])
                {
                    u.Net[i] -= TensorPrimitives.Dot<double>(row, q);
                    u.Size[i] += Math.Abs(TensorPrimitives.Dot<double>(row, q));
                    return;
                }
                for (int j = 0; j < m; j++)
                    sum[j] += _aliveB[j] ? row[j] * p[i] : 0;
            }
        );
        for (int j = 0; j < m; j++)
        {
            v.Net[j] -= moved[j];
            v.Size[j] += Math.Abs(moved[j]);
        }
    }

    /// <summary><c>|S x − right| / (|right| + |D x|)</c>: what remains, beside the terms it is the difference of.</summary>
    double Residual(Coupling product, double[] x, double[] right)
    {
        double[] rest = new double[x.Length],
            terms = new double[x.Length];
        product.Schur(x, rest);
        for (int k = 0; k < rest.Length; k++)
        {
            rest[k] = _kept.Alive[k] ? rest[k] - right[k] : 0;
            terms[k] = _kept.Diagonal[k] * x[k];
        }
        double scale = Norm(right) + Norm(terms);
        return scale == 0 ? 0 : Norm(rest) / scale;
    }

    static double Norm(ReadOnlySpan<double> x) => TensorPrimitives.Norm(x);

    static double[] Divided(double[] x, double[] by)
    {
        var result = new double[x.Length];
        Divided(x, by, result);
        return result;
    }

    static void Divided(double[] x, double[] by, Span<double> result)
    {
        for (int k = 0; k < x.Length; k++)
            result[k] = by[k] > 0 ? x[k] / by[k] : 0;
    }

    /// <summary>Products with P, its kept bins as rows: from the table, or by an operator.</summary>
    sealed class Coupling(ImplicitSystem system, ICostOperator? op, CancellationToken cancellation)
    {
        readonly double[] _other = new double[system._other.Diagonal.Length];
        readonly double[] _logA = VectorMath.LogWeights(system._result.Problem.A.Weights);
        readonly double[] _logB = VectorMath.LogWeights(system._result.Problem.B.Weights);

        /// <summary><c>result = P x</c>, one value per kept bin.</summary>
        public void Apply(ReadOnlySpan<double> x, Span<double> result)
        {
            if (op is not null)
            {
                op.ApplyPlan(Plan(1), x, result, transpose: !system._byRows);
                return;
            }
            for (int k = 0; k < result.Length; k++)
                result[k] = TensorPrimitives.Dot(system._table![k], x);
        }

        /// <summary><c>result = Pᵀ x</c>, one value per eliminated bin.</summary>
        public void ApplyTranspose(ReadOnlySpan<double> x, Span<double> result)
        {
            if (op is not null)
            {
                op.ApplyPlan(Plan(1), x, result, transpose: system._byRows);
                return;
            }
            result.Clear();
            for (int k = 0; k < x.Length; k++)
                TensorPrimitives.MultiplyAdd(system._table![k], x[k], result, result);
        }

        /// <summary><c>result = D_k x − P diag(1/D_o) Pᵀ x</c>; false when interrupted.</summary>
        public bool Schur(ReadOnlySpan<double> x, Span<double> result)
        {
            ApplyTranspose(x, _other);
            Divided(_other, system._other.Diagonal, _other);
            Apply(_other, result);
            for (int k = 0; k < result.Length; k++)
                result[k] = (system._kept.Diagonal[k] * x[k]) - result[k];
            return op?.Interrupted != true && !cancellation.IsCancellationRequested;
        }

        /// <summary>1 / S_kk; 0 at bins that have no part in the system.</summary>
        public double[] InverseDiagonal()
        {
            var inverse = new double[system._kept.Diagonal.Length];
            double[] reciprocal = Array.ConvertAll(system._other.Diagonal, d => d > 0 ? 1 / d : 0);
            op!.ApplyPlan(Plan(2), reciprocal, inverse, transpose: !system._byRows);
            for (int k = 0; k < inverse.Length; k++)
            {
                double d = system._kept.Diagonal[k];
                inverse[k] = system._kept.Alive[k] && d > 0 ? 1 / Math.Max(d - inverse[k], SmallestDiagonal * d) : 0;
            }
            return inverse;
        }

        /// <summary>P, or its entries squared.</summary>
        GibbsPlan Plan(int power) =>
            new()
            {
                F = system._result.Potentials!.F,
                G = system._result.Potentials.G,
                LogA = power == 1 ? _logA : Array.ConvertAll(_logA, log => power * log),
                LogB = power == 1 ? _logB : Array.ConvertAll(_logB, log => power * log),
                Epsilon = system._result.Epsilon / power,
            };
    }
}
