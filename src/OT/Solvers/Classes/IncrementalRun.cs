using System.Numerics.Tensors;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>
/// Proximal steps <c>min ⟨C, P⟩ + Σ ρ_e |K_e P| + |P − P_k|²/(2τ)</c>, each by dual coordinate ascent: a pair, a row or a column at a time in random order, each solved exactly. One step touches two rows.
/// </summary>
/// <remarks>
/// <c>P = P_k − τ (C + KᵀZ) − p − q</c> is kept up to date; the step for a pair is <c>Z_e ← Π_ball(Z_e + K_e P / (τ |K_e|²))</c>, for a row <c>P_i ← Π_simplex(P_i + p_i)</c> with p what the projection took away (Dykstra).
/// An iteration is a sweep over all of them in a random order.
/// </remarks>
internal sealed class IncrementalRun : FusionRun
{
    const int CheckEvery = 20;

    /// <summary>Sweeps of a proximal step at most, and how small its last sweep's movement must be beside its first's.</summary>
    const int SweepsPerStep = 40;
    const double Settled = 0.05;

    readonly SeededRandom _random;
    readonly double[] _plan;
    readonly double[] _rowMemory; // p
    readonly double[] _columnMemory; // q
    readonly double[] _rowDuals; // Z, pair after pair
    readonly double[] _columnDuals;
    readonly double[] _scratch;
    readonly double _tau;
    double _movement;

    public IncrementalRun(FusedProblem problem, SumOfNormsOptions options, CancellationToken cancellation)
        : base(problem, options, cancellation)
    {
        (int n, int m) = (problem.Rows, problem.Columns);
        _random = new SeededRandom(options.Seed);
        (_plan, _rowMemory, _columnMemory) = (new double[n * m], new double[n * m], new double[n * m]);
        _scratch = new double[Math.Max(n, m)];
        for (int i = 0; i < n; i++)
            TensorPrimitives.Multiply(problem.B, problem.A[i], Row(_plan, i));
        _tau = 1 / Math.Sqrt((double)n * m);
        _rowDuals = new double[Guard.ArrayLength(problem.RowTerms.Length, m, "dual vectors of all pairs")];
        _columnDuals = new double[Guard.ArrayLength(problem.ColumnTerms.Length, n, "dual vectors of all pairs")];
        RowPairs.Allocate();
        ColumnPairs.Allocate();
    }

    protected override double PotentialScale => 1 / _tau;

    protected override (SolverStatus Status, double[] Plan) Iterate()
    {
        (int n, int m) = (Problem.Rows, Problem.Columns);
        (int rowPairs, int columnPairs) = (RowPairs.Terms.Length, ColumnPairs.Terms.Length);
        double[] feasible = Rent(),
            adjoint = Rent();
        int settledFor = 0;
        double first = 0;
        bool begins = true;
        while (true)
        {
            SolverStatus? limit = Limit();
            if (Iterations % CheckEvery == CheckEvery - 1 || limit is not null)
            {
                Adjoint(adjoint);
                // The projection's potentials are those of P − τ (C + KᵀZ): a plan, and a bound.
                Add(Problem.Costs, adjoint, Changed);
                double[] target = Rent();
                EachRow(i => TensorPrimitives.MultiplyAdd(Row(Changed, i), -_tau, Row(_plan, i), Row(target, i)));
                Projection.Project(target, feasible, 1e-13, default);
                double[] g = Array.ConvertAll(Projection.G, value => value / _tau);
                for (int k = 0; k < target.Length; k++)
                    target[k] = IsForbidden(k) ? double.NegativeInfinity : _plan[k];
                Projection.Project(target, feasible, 1e-13, default);
                Return(target);
                bool close = IsClose(feasible, Penalty(feasible), adjoint, g);
                if (close || limit is not null)
                {
                    for (int j = 0; j < m; j++)
                        Projection.G[j] = g[j] * _tau;
                    return (close ? SolverStatus.Converged : limit!.Value, feasible);
                }
            }
            if (begins)
            {
                Begin(adjoint);
                (begins, settledFor) = (false, 0);
            }
            _movement = 0;
            foreach (int block in _random.NextPermutation(n + m + rowPairs + columnPairs))
            {
                if (block < n)
                    ProjectRow(block);
                else if (block < n + m)
                    ProjectColumn(block - n);
                else if (block < n + m + rowPairs)
                    StepPair(RowPairs.Terms, _rowDuals, block - n - m, m, m, 1);
                else
                    StepPair(ColumnPairs.Terms, _columnDuals, block - n - m - rowPairs, n, 1, m);
            }
            Iterations++;
            first = settledFor == 0 ? _movement : first;
            settledFor++;
            begins = settledFor >= SweepsPerStep || _movement <= Settled * first;
        }
    }

    /// <summary>The next proximal step: P stands for <c>P_k − τ (C + KᵀZ) − p − q</c>, with the P reached for P_k and all memory kept.</summary>
    void Begin(double[] adjoint)
    {
        Adjoint(adjoint);
        for (int k = 0; k < _plan.Length; k++)
        {
            double reached = Math.Max(0, _plan[k]),
                cost = Problem.Costs[k];
            _plan[k] = IsForbidden(k) ? 0 : reached - (_tau * (cost + adjoint[k])) - _rowMemory[k] - _columnMemory[k];
        }
    }

    /// <summary>KᵀZ, by a look without any step.</summary>
    void Adjoint(double[] adjoint)
    {
        RowPairs.Start(_rowDuals);
        ColumnPairs.Start(_columnDuals);
        Pass(PairPass.Look, _plan, null, 0, 1, adjoint);
    }

    /// <summary>Forbidden pairs hold 0 between projections, which see <c>−∞</c> there.</summary>
    bool IsForbidden(int k) => double.IsPositiveInfinity(Problem.Costs[k]);

    void ProjectRow(int i)
    {
        int m = Problem.Columns;
        Span<double> row = _plan.AsSpan(i * m, m),
            memory = _rowMemory.AsSpan(i * m, m);
        Span<double> old = _scratch.AsSpan(0, m);
        row.CopyTo(old);
        TensorPrimitives.Add(row, memory, row);
        for (int j = 0; j < m; j++)
        {
            if (IsForbidden((i * m) + j))
                row[j] = double.NegativeInfinity;
        }
        row.CopyTo(memory);
        SimplexProjection.Project(row, Problem.A[i]);
        for (int j = 0; j < m; j++)
        {
            memory[j] = double.IsNegativeInfinity(memory[j]) ? 0 : memory[j] - row[j];
            _movement += Math.Abs(row[j] - old[j]);
        }
    }

    void ProjectColumn(int j)
    {
        (int n, int m) = (Problem.Rows, Problem.Columns);
        Span<double> column = _scratch.AsSpan(0, n);
        for (int i = 0; i < n; i++)
        {
            int k = (i * m) + j;
            column[i] = IsForbidden(k) ? double.NegativeInfinity : _plan[k] + _columnMemory[k];
        }
        double shift = SimplexProjection.Shift(column, Problem.B[j]);
        for (int i = 0; i < n; i++)
        {
            int k = (i * m) + j;
            double mass = Math.Max(0, column[i] + shift);
            _columnMemory[k] = IsForbidden(k) ? 0 : column[i] - mass;
            _movement += Math.Abs(mass - _plan[k]);
            _plan[k] = mass;
        }
    }

    /// <summary>One pair: rows of P where the stride within them is 1, columns where it is m.</summary>
    void StepPair(PairTerm[] terms, double[] duals, int e, int length, int apart, int stride)
    {
        PairTerm term = terms[e];
        double square = (term.First * term.First) + (term.Second * term.Second),
            rate = 1 / (_tau * square),
            norm = 0;
        Span<double> z = duals.AsSpan(e * length, length),
            moved = _scratch.AsSpan(0, length);
        int x = term.I * apart,
            y = term.K * apart;
        for (int k = 0; k < length; k++)
        {
            double difference = (term.First * _plan[x + (k * stride)]) - (term.Second * _plan[y + (k * stride)]);
            moved[k] = z[k] + (rate * difference);
            norm += moved[k] * moved[k];
        }
        norm = Math.Sqrt(norm);
        double shrink = norm > term.Radius ? term.Radius / norm : 1;
        for (int k = 0; k < length; k++)
        {
            double next = shrink * moved[k],
                change = _tau * (next - z[k]);
            z[k] = next;
            _plan[x + (k * stride)] -= term.First * change;
            _plan[y + (k * stride)] += term.Second * change;
        }
    }
}
