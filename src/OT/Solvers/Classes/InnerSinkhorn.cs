using System.Collections.Immutable;
using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;

namespace OT.Solvers.Classes;

/// <summary>What the two class-regularised solvers share: entropic problems in the log domain whose costs hold the class term linearised, each started from the last one's potentials.</summary>
internal sealed class InnerSinkhorn : IDisposable
{
    readonly LinearProblem _problem;
    readonly ClassRegularizedOptions _options;
    readonly CancellationToken _cancellation;
    readonly ManagedBackend? _own;
    readonly IBackend _backend;
    double[] _changed;
    double[] _before; // the costs of the last plan, which it is known by
    readonly ImmutableArray<double>.Builder _values = ImmutableArray.CreateBuilder<double>();
    readonly Stopwatch _clock = Stopwatch.StartNew();
    Potentials? _potentials;

    public InnerSinkhorn(
        LinearProblem problem,
        ReadOnlySpan<int> labels,
        ClassRegularizedOptions options,
        IBackend? backend,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (problem.Regularizer is not EntropyRegularizer entropy || !problem.IsBalanced)
        {
            throw new NotSupportedException(
                "Class terms with entropy need Regularizer.Entropy and exact marginals: use SumOfNorms without entropy."
            );
        }
        ClassLabels.Check(labels, problem.A.Count);
        (_problem, _options, _cancellation) = (problem, options, cancellation);
        (Classes, Count) = ClassLabels.Renumber(labels);
        Epsilon = entropy.Epsilon.Resolve(problem.Geometry, cancellation);
        (Rows, Columns) = (problem.A.Count, problem.B.Count);
        Costs = new double[Guard.ArrayLength(Rows, Columns, "a table of costs")];
        for (int i = 0; i < Rows; i++)
            problem.Geometry.CostRow(i, Costs.AsSpan(i * Columns, Columns));
        (_changed, _before) = (new double[Costs.Length], new double[Costs.Length]);
        _own = backend is null ? new ManagedBackend() : null;
        _backend = backend ?? _own!;
    }

    public int Rows { get; }
    public int Columns { get; }

    /// <summary>The class of each row, from 0; −1 for none.</summary>
    public int[] Classes { get; }

    /// <summary>Number of classes.</summary>
    public int Count { get; }

    public double Epsilon { get; }

    /// <summary>C.</summary>
    public double[] Costs { get; }

    public void Dispose() => _own?.Dispose();

    /// <summary>The entropic plan for <c>C + η W</c>; W is written by <paramref name="change"/>, one row at a time, onto C.</summary>
    public TransportResult Solve(Action<int, Span<double>> change)
    {
        (_changed, _before) = (_before, _changed);
        RowReduction.Sum(
            Rows,
            0,
            0,
            _backend.Threads,
            (i, _, _) =>
            {
                Span<double> row = _changed.AsSpan(i * Columns, Columns);
                Costs.AsSpan(i * Columns, Columns).CopyTo(row);
                if (Classes[i] >= 0)
                    change(i, row);
            },
            default
        );
        var inner = new LinearProblem(new CostMatrix(Rows, Columns, _changed), _problem.A, _problem.B)
        {
            Regularizer = Regularizer.Entropy(Problems.Epsilon.Absolute(Epsilon)),
        };
        TimeSpan left =
            _options.TimeLimit == Timeout.InfiniteTimeSpan ? _options.TimeLimit
            : _options.TimeLimit > _clock.Elapsed ? _options.TimeLimit - _clock.Elapsed
            : TimeSpan.Zero;
        var sinkhorn = new Sinkhorn(
            new()
            {
                Tolerance = _options.Tolerance,
                MaxIterations = _options.InnerIterations,
                TimeLimit = left,
            },
            _backend
        );
        TransportResult result = _potentials is null
            ? sinkhorn.Solve(inner, _cancellation)
            : sinkhorn.Solve(inner, _potentials, _cancellation);
        // Those of a solve that was stopped belong to no plan that is answered with.
        if (result.Converged || _potentials is null)
            _potentials = result.Potentials;
        return result;
    }

    /// <summary>Outer iterations so far.</summary>
    public int Outer => _values.Count;

    /// <summary>Some values for every class and column, gathered from the rows.</summary>
    public double[] Gather(RowReduction.RowAction action, int values = 1) =>
        RowReduction.Sum(Rows, Math.Max(1, values * Count * Columns), Columns, _backend.Threads, action, default);

    /// <summary>The sum of a number for each row.</summary>
    public double SumOverRows(Func<int, double> number) =>
        RowReduction.Sum(Rows, 1, 0, _backend.Threads, (i, _, sum) => sum[0] += number(i), default)[0];

    /// <summary><c>Σ_ij P log(P/(a b)) − P + a b</c>; the rows of P are made one at a time.</summary>
    public double Entropy(Action<int> make, double[] plan)
    {
        double[] logB = new double[Columns];
        VectorMath.Log(_problem.B.Weights, logB);
        double mass = _problem.B.Mass;
        return RowReduction.Sum(
            Rows,
            1,
            Columns,
            _backend.Threads,
            (i, logs, sum) =>
            {
                make(i);
                double a = _problem.A.Weights[i];
                if (a == 0)
                    return;
                ReadOnlySpan<double> row = plan.AsSpan(i * Columns, Columns);
                VectorMath.Log(row, logs);
                TensorPrimitives.Subtract(logs, logB, logs);
                TensorPrimitives.Subtract(logs, Math.Log(a), logs);
                sum[0] += TensorPrimitives.Dot(row, logs) - TensorPrimitives.Sum(row) + (a * mass);
            },
            default
        )[0];
    }

    /// <summary>Records an outer iteration; whether the objective has settled.</summary>
    public bool Settled(double value)
    {
        double before = _values.Count > 0 ? _values[^1] : double.PositiveInfinity;
        _values.Add(value);
        _options.Progress?.Report(
            new SolverProgress(_values.Count, double.NaN, _clock.Elapsed, (double)_values.Count / _options.MaxIterations)
        );
        return Math.Abs(before - value) <= _options.Change * Math.Abs(value);
    }

    /// <summary>The answer from the plan of the last outer iteration.</summary>
    public ClassRegularizedResult Answer(
        SolverStatus status,
        TransportPlan plan,
        double cost,
        double entropy,
        double classes,
        string message
    )
    {
        (double[] rows, double[] columns) = plan.Marginals();
        return new ClassRegularizedResult
        {
            Problem = _problem,
            Status = status,
            Iterations = _values.Count,
            Values = _values.ToImmutable(),
            Backend = _backend.Name,
            Message = message,
            Plan = plan,
            Potentials = _potentials,
            Epsilon = Epsilon,
            TransportCost = cost,
            EntropyValue = entropy,
            ClassValue = classes,
            MarginalError = Summation.L1Distance(rows, _problem.A.Weights) + Summation.L1Distance(columns, _problem.B.Weights),
        };
    }
}
