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
    readonly DenseElimination? _factor;

    /// <summary>Kept bins from heavy to light: the last node to be eliminated is the one that multipliers are counted from, and light bins have huge ones.</summary>
    readonly int[] _order = [];

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
        (_aliveA, _aliveB) = (LiveRows.Alive(problem.A), LiveRows.Alive(problem.B));
        Rows = new LiveRows(result, factor, threads, cancellation);
        (double[] r, double[] c) = Marginals(cancellation);
        Side a = SideOf(r, Rows.A, _aliveA, result.Potentials!.F, problem.PenaltyA),
            b = SideOf(c, Rows.B, _aliveB, result.Potentials.G, problem.PenaltyB);
        _byRows = r.Length <= c.Length;
        (_kept, _other) = _byRows ? (a, b) : (b, a);
        if (!factor)
            return;
        _table = Table();
        _order = [.. Enumerable.Range(0, _table.Length).OrderByDescending(k => _kept.Diagonal[k])];
        _factor = Factor(_table, cancellation);
    }

    public LiveRows Rows { get; }

    public int Threads { get; }

    /// <summary>Whether a source bin has weight.</summary>
    public ReadOnlySpan<bool> AliveA => _aliveA;

    /// <summary>Whether a target bin has weight.</summary>
    public ReadOnlySpan<bool> AliveB => _aliveB;

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
    DenseElimination Factor(double[][] table, CancellationToken cancellation)
    {
        int k = table.Length;
        var factor = new DenseElimination(k, Threads);
        double[] share = Divided(_other.Loss, _other.Diagonal);
        RowReduction.Sum(
            k,
            0,
            table[0].Length,
            Threads,
            cancellation: cancellation,
            action: (i, scaled, _) =>
            {
                int at = _order[i];
                factor.Losses[i] = _kept.Alive[at] ? _kept.Loss[at] + TensorPrimitives.Dot<double>(table[at], share) : 0;
                Divided(table[at], _other.Diagonal, scaled);
                Span<double> couplings = factor.Row(i);
                for (int l = 0; l < i; l++)
                    couplings[l] = TensorPrimitives.Dot<double>(scaled, table[_order[l]]);
            }
        );
        if (!factor.Eliminate(cancellation))
            cancellation.ThrowIfCancellationRequested();
        return factor;
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
        if (_result.Problem.IsBalanced)
        {
            CheckDefined(u, _byRows ? _kept : _other, "source");
            CheckDefined(v, _byRows ? _other : _kept, "target");
        }
        double[] p = SolveEmpty(u, _byRows ? _kept : _other),
            q = SolveEmpty(v, _byRows ? _other : _kept);
        MoveEmpty(u, v, p, q, cancellation);
        (Flow kept, Flow other) = _byRows ? (u, v) : (v, u);
        (double[] x, double[] y) = _byRows ? (p, q) : (q, p);
        double rounding = Unit * (f.Length + g.Length);

        using ManagedBackend? own = _table is null && backend is null ? new ManagedBackend(Threads) : null;
        using AgreedToken stop = (backend?.Share ?? RowShare.Whole).Agree(cancellation);
        using ICostOperator? op = _table is null
            ? (backend ?? own!).Bind(_result.Problem.Geometry, Precision.Float64, stop.Token)
            : null;
        var product = new Coupling(this, op, stop.Token);
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
            ? Iterate(product, wanted, options, solution)
            : (0, Eliminate(_factor, wanted, size, rounding, solution));

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
        else if (status == SolverStatus.Converged && !(residual <= options.Tolerance))
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

    SolverStatus Eliminate(DenseElimination factor, double[] right, double[] size, double rounding, double[] solution)
    {
        double[] ordered = Array.ConvertAll(_order, k => right[k]),
            sizes = Array.ConvertAll(_order, k => size[k]),
            x = new double[solution.Length];
        bool solvable = factor.Solve(ordered, sizes, rounding, x);
        for (int k = 0; k < x.Length; k++)
            solution[_order[k]] = x[k];
        return solvable ? SolverStatus.Converged : SolverStatus.NumericalFailure;
    }

    (int Iterations, SolverStatus Status) Iterate(
        Coupling product,
        double[] right,
        ImplicitGradientOptions options,
        double[] solution
    )
    {
        // The system is linear: in units of its largest entry no square leaves the range of doubles.
        double unit = Math.Abs(TensorPrimitives.MaxMagnitude<double>(right));
        double[] scaled = unit == 0 ? [.. right] : Array.ConvertAll(right, value => value / unit);
        ConjugateGradient.Outcome outcome = ConjugateGradient.Solve(
            product.Schur,
            scaled,
            product.InverseDiagonal(),
            _result.Problem.IsBalanced,
            options.Tolerance,
            options.MaxIterations,
            solution
        );
        TensorPrimitives.Multiply(solution, unit, solution);
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

    /// <summary>Refuses losses of potentials that are any number.</summary>
    static void CheckDefined(Flow flow, Side side, string name)
    {
        for (int k = 0; k < flow.Net.Length; k++)
        {
            if (side.Diagonal[k] == 0 && flow.Net[k] != 0)
            {
                throw new ArgumentException(
                    $"No mass can reach {name} bin {k}, so its potential is any number: the loss must not depend on it."
                );
            }
        }
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

    /// <summary>L2 norm, in units of the largest entry.</summary>
    static double Norm(ReadOnlySpan<double> x)
    {
        double unit = Math.Abs(TensorPrimitives.MaxMagnitude(x));
        double sum = 0;
        foreach (double value in x)
            sum += value / unit * (value / unit);
        return unit == 0 ? 0 : unit * Math.Sqrt(sum);
    }

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
        readonly double[] _logA = Logs(system._result.Problem.A, system._aliveA);
        readonly double[] _logB = Logs(system._result.Problem.B, system._aliveB);

        static double[] Logs(Measure measure, bool[] alive) =>
            VectorMath.LogWeights([.. alive.Select((lives, k) => lives ? measure.Weights[k] : 0)]);

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
