using System.Collections.Immutable;
using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>One solve of <see cref="Greenkhorn"/>: potentials, the plan they make, and its sums.</summary>
internal sealed class GreenkhornRun
{
    /// <summary>Logarithm of the largest factor that scales entries in place: what underflowed before could matter after a larger one.</summary>
    const double LargestLogFactor = 50;

    /// <summary>Sweeps without a smaller error, and with potentials at rest, after which rounding is what is left.</summary>
    const int StallSweeps = 200;

    /// <summary>After a cancellation, values are still computed when that takes about a tenth of a second.</summary>
    const long PairsWorthFinishing = 20_000_000;

    readonly LinearProblem _problem;
    readonly Geometry _costs;
    readonly double _epsilon;
    readonly GreenkhornOptions _options;
    readonly ManagedBackend _backend;
    readonly CancellationToken _limit;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
    readonly Side _rows;
    readonly Side _columns;
    readonly double[] _plan;
    readonly double[] _line;
    readonly double[] _restG;
    readonly double _target;
    readonly string _message = "";
    double _bestError = double.PositiveInfinity;
    int _bestSweep;

    /// <summary>What belongs to the rows, or to the columns.</summary>
    sealed class Side(ReadOnlySpan<double> weights)
    {
        public readonly double[] Weights = weights.ToArray();
        public readonly double[] Logs = VectorMath.LogWeights(weights);
        public readonly double[] Potential = new double[weights.Length];
        public readonly double[] Sums = new double[weights.Length];

        /// <summary>The bin with the largest d(t, s), that value, and the L1 error of all of them.</summary>
        public (int Index, double Gain, double Error) Greatest()
        {
            (int index, double greatest, double error) = (0, -1, 0);
            for (int k = 0; k < Sums.Length; k++)
            {
                if (Weights[k] == 0)
                    continue;
                error += Math.Abs(Sums[k] - Weights[k]);
                double gain = Gain(Weights[k], Sums[k]);
                if (gain > greatest)
                    (index, greatest) = (k, gain);
            }
            return (index, greatest, error);
        }

        /// <summary><c>d(t, s) = s − t + t log(t/s) = t (x − log(1 + x))</c> with x = s/t − 1, by its series where the terms would cancel.</summary>
        static double Gain(double t, double s)
        {
            if (!(s > 0))
                return double.PositiveInfinity;
            double x = (s - t) / t;
            return Math.Abs(x) < 1e-3
                ? t * x * x * (0.5 - (x * ((1.0 / 3) - (x * (0.25 - (x / 5))))))
                : t * (x - Math.Log(s / t));
        }
    }

    public GreenkhornRun(
        LinearProblem problem,
        double epsilon,
        GreenkhornOptions options,
        ManagedBackend backend,
        CancellationToken limit
    )
    {
        (double massA, double massB) = (problem.A.Mass, problem.B.Mass);
        _problem = problem;
        if (Math.Abs(massA - massB) > SinkhornRun.MassRounding * massA)
        {
            _problem = problem.WithTarget(problem.B.Scale(massA / massB));
            _message = FormattableString.Invariant($"Target weights were scaled by {massA / massB:G17} to the source mass.");
        }
        (_epsilon, _options, _backend, _limit) = (epsilon, options, backend, limit);
        _costs = CostMatrix.Quick(problem.Geometry, backend.MemoryLimit);
        (_rows, _columns) = (new Side(_problem.A.Weights), new Side(_problem.B.Weights));
        (int n, int m) = (problem.Geometry.Rows, problem.Geometry.Columns);
        _plan = new double[n * m];
        _line = new double[Math.Max(n, m)];
        _restG = new double[m];
        _target = options.Tolerance * massA;
    }

    /// <summary>Updates until the error meets the target; each sweep of n + m updates ends with a plan made anew.</summary>
    public TransportResult Solve(Func<SolverStatus> stopped)
    {
        using (ICostOperator start = _backend.Bind(_costs))
            start.SoftMinRows(_columns.Potential, _columns.Logs, _epsilon, _rows.Potential);
        ZeroInfinite(_rows.Potential);
        int sweeps = 0;
        bool complete = Renew();
        double error = Error();
        while (complete && error > _target && sweeps < _options.MaxIterations)
        {
            complete = Sweep() && Renew();
            error = Error();
            if (!complete)
                break;
            sweeps++;
            _errors.Add(error);
            _options.Progress?.Report(new SolverProgress(sweeps, error, _clock.Elapsed, Fraction(sweeps, error)));
            if (Stalled(sweeps, error))
                return Evaluate(SolverStatus.Stalled, sweeps, error);
        }
        SolverStatus status =
            !complete ? stopped()
            : error <= _target ? SolverStatus.Converged
            : double.IsFinite(error) ? SolverStatus.IterationLimit
            : SolverStatus.NumericalFailure;
        return Evaluate(status, sweeps, error);
    }

    /// <summary>Up to n + m updates of the row or column that gains most; false when interrupted.</summary>
    bool Sweep()
    {
        (int Index, double Gain, double Error) row = _rows.Greatest(),
            column = _columns.Greatest();
        for (int k = _rows.Sums.Length + _columns.Sums.Length; k > 0; k--)
        {
            if (_limit.IsCancellationRequested)
                return false;
            bool isRow = row.Gain >= column.Gain;
            Scale(isRow, isRow ? row.Index : column.Index);
            (row, column) = (_rows.Greatest(), _columns.Greatest());
            if (row.Error + column.Error <= _target)
                return true;
        }
        return true;
    }

    /// <summary>
    /// Scales a line of the plan, a row or a column, to its weight: <c>f_i ← f_i + ε log(a_i/r_i)</c>; the sums across follow.
    /// </summary>
    void Scale(bool isRow, int k)
    {
        (Side side, Side across, int at, int step) = Line(isRow, k);
        double ratio = side.Weights[k] / side.Sums[k],
            log = Math.Log(ratio);
        if (!(Math.Abs(log) <= LargestLogFactor))
        {
            RenewLine(isRow, k);
            return;
        }
        double sum = 0;
        for (int l = 0; l < across.Sums.Length; l++, at += step)
        {
            double entry = _plan[at] * ratio;
            across.Sums[l] += entry - _plan[at];
            _plan[at] = entry;
            sum += entry;
        }
        side.Potential[k] += _epsilon * log;
        side.Sums[k] = sum;
    }

    /// <summary>A line by the soft-min of its costs, whatever its entries were.</summary>
    void RenewLine(bool isRow, int k)
    {
        (Side side, Side across, int at, int step) = Line(isRow, k);
        Span<double> line = _line.AsSpan(0, across.Sums.Length);
        for (int l = 0; l < line.Length; l++)
        {
            double cost = isRow ? _costs.Cost(k, l) : _costs.Cost(l, k);
            line[l] = across.Logs[l] + ((across.Potential[l] - cost) / _epsilon);
        }
        double max = TensorPrimitives.Max<double>(line);
        if (!double.IsFinite(max))
            return; // no partner has weight
        TensorPrimitives.Subtract(line, max, line);
        VectorMath.Exp(line);
        double total = TensorPrimitives.Sum<double>(line);
        side.Potential[k] = -_epsilon * (max + Math.Log(total));
        side.Sums[k] = side.Weights[k];
        for (int l = 0; l < line.Length; l++, at += step)
        {
            double entry = side.Weights[k] * (line[l] / total);
            across.Sums[l] += entry - _plan[at];
            _plan[at] = entry;
        }
    }

    /// <summary>A line of the plan: its side, the other one, its first entry, and how far apart its entries are.</summary>
    (Side Side, Side Across, int Start, int Step) Line(bool isRow, int k) =>
        isRow ? (_rows, _columns, k * _columns.Sums.Length, 1) : (_columns, _rows, k, _columns.Sums.Length);

    /// <summary>Plan and sums from the potentials: <c>P_ij = a_i b_j exp((f_i + g_j − C_ij)/ε)</c>; false when interrupted.</summary>
    bool Renew()
    {
        int m = _columns.Sums.Length;
        bool small = _plan.Length <= Sinkhorn.UninterruptedPairs;
        var columns = new Compensated[m];
        Span<double> line = _line.AsSpan(0, m);
        for (int i = 0; i < _rows.Sums.Length; i++)
        {
            if (_limit.IsCancellationRequested && !small)
                return false;
            if (_rows.Weights[i] == 0)
                continue; // no mass, and none comes
            _costs.CostRow(i, line);
            for (int j = 0; j < m; j++)
                line[j] = _rows.Logs[i] + _columns.Logs[j] + ((_rows.Potential[i] + _columns.Potential[j] - line[j]) / _epsilon);
            VectorMath.Exp(line);
            line.CopyTo(_plan.AsSpan(i * m, m));
            _rows.Sums[i] = Summation.Sum(line);
            for (int j = 0; j < m; j++)
                columns[j].Add(line[j]);
        }
        for (int j = 0; j < m; j++)
            _columns.Sums[j] = columns[j].Value;
        return true;
    }

    double Error() => _rows.Greatest().Error + _columns.Greatest().Error;

    bool Stalled(int sweeps, double error)
    {
        if (error < _bestError)
            (_bestError, _bestSweep) = (error, sweeps);
        if (sweeps % StallSweeps != 0)
            return false;
        double move = 0,
            size = _costs.MagnitudeBound;
        for (int j = 0; j < _restG.Length; j++)
        {
            move = Math.Max(move, Math.Abs(_columns.Potential[j] - _restG[j]));
            size = Math.Max(size, Math.Abs(_columns.Potential[j]));
        }
        _columns.Potential.CopyTo(_restG.AsSpan());
        return sweeps - _bestSweep >= StallSweeps && move <= Math.Max(1e-6 * _epsilon, 1e-14 * size);
    }

    double Fraction(int sweeps, double error)
    {
        double way = Math.Log(_errors[0] / _target);
        double done = way > 0 ? Math.Log(_errors[0] / error) / way : 1;
        return Math.Clamp(Math.Max(done, (double)sweeps / _options.MaxIterations), 0, 1);
    }

    /// <summary>Potentials of empty bins, gauge, and values by a pass that the time limit does not stop.</summary>
    TransportResult Evaluate(SolverStatus status, int sweeps, double error)
    {
        (double[] f, double[] g) = (_rows.Potential, _columns.Potential);
        double cost = double.NaN,
            entropy = double.NaN;
        bool small = _plan.Length <= PairsWorthFinishing;
        using ICostOperator op = _backend.Bind(_costs);
        FillEmpty(op);
        var potentials = Potentials.Centred([.. f], [.. g], _problem.A, _problem.B);
        if (small || status is not (SolverStatus.Cancelled or SolverStatus.TimeLimit))
        {
            double[] rows = new double[f.Length],
                columns = new double[g.Length];
            cost = op.TransportCost(
                new GibbsPlan
                {
                    F = potentials.F,
                    G = potentials.G,
                    LogA = _rows.Logs,
                    LogB = _columns.Logs,
                    Epsilon = _epsilon,
                },
                rows,
                columns
            );
            error = Summation.L1Distance(rows, _rows.Weights) + Summation.L1Distance(columns, _columns.Weights);
            (double massA, double massB) = (_problem.A.Mass, _problem.B.Mass);
            entropy =
                Summation.Dot(rows, potentials.F)
                + Summation.Dot(columns, potentials.G)
                - cost
                - (_epsilon * massA * (1 - massB));
            if (!double.IsFinite(cost))
                status = SolverStatus.NumericalFailure;
            else if (status == SolverStatus.Converged && error > _target)
                status = SolverStatus.Stalled; // rounding of the exponents
        }
        return new TransportResult
        {
            Problem = _problem,
            Status = status,
            Iterations = sweeps,
            Errors = _errors.ToImmutable(),
            Backend = op.Description,
            Message = $"{_message} {(status == SolverStatus.Stalled ? "Rounding allows no smaller error." : "")}".Trim(),
            Plan = new PotentialPlan(_problem.Geometry, _problem.A, _problem.B, potentials, _epsilon),
            Potentials = potentials,
            Epsilon = _epsilon,
            TransportCost = cost,
            RegularizerValue = entropy,
            MarginalError = error,
        };
    }

    void FillEmpty(ICostOperator op)
    {
        double[] f = _rows.Potential,
            g = _columns.Potential,
            softMinRows = new double[f.Length],
            softMinColumns = new double[g.Length];
        if (!_rows.Weights.Contains(0.0) && !_columns.Weights.Contains(0.0))
            return;
        op.SoftMinRows(g, _columns.Logs, _epsilon, softMinRows);
        op.SoftMinColumns(f, _rows.Logs, _epsilon, softMinColumns);
        ZeroInfinite(softMinRows);
        ZeroInfinite(softMinColumns);
        for (int i = 0; i < f.Length; i++)
            f[i] = _rows.Weights[i] == 0 ? softMinRows[i] : f[i];
        for (int j = 0; j < g.Length; j++)
            g[j] = _columns.Weights[j] == 0 ? softMinColumns[j] : g[j];
    }

    /// <summary>A bin without partners of weight gets the potential 0.</summary>
    static void ZeroInfinite(double[] potential)
    {
        for (int k = 0; k < potential.Length; k++)
        {
            if (!double.IsFinite(potential[k]))
                potential[k] = 0;
        }
    }
}
