using System.Collections.Immutable;
using System.Diagnostics;
using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Exact;

namespace OT.Solvers.Classes;

/// <summary>What the three iterations share: the operators, bounds along the way, limits, and the answer.</summary>
internal abstract class FusionRun : IDisposable
{
    /// <summary>Pairs up to which a bound is found by an exact solver.</summary>
    const long ExactPairs = 4_000_000;

    /// <summary>Numbers that one iteration moves from which threads pay: it has some ten barriers.</summary>
    const long WorthThreads = 3_000_000;

    const int RowBlocksCount = 16;

    /// <summary>Values below this share of the largest centred cost times the mass count as that much.</summary>
    const double LeastValue = 1e-6;

    /// <summary>Thresholds at which rows that differ are tried as equal, as shares of the longest row.</summary>
    static readonly double[] s_fusing = [0.3, 0.1, 0.03, 1e-2, 1e-3, 1e-4, 1e-6];

    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly CancellationToken _cancellation;
    readonly ImmutableArray<double>.Builder _errors = ImmutableArray.CreateBuilder<double>();
    readonly Stack<double[]> _spare = new();
    Potentials? _lastExact;

    protected FusionRun(FusedProblem problem, SumOfNormsOptions options, CancellationToken cancellation)
    {
        (Problem, Options, _cancellation) = (problem, options, cancellation);
        (int n, int m) = (problem.Rows, problem.Columns);
        long work = ((long)problem.RowTerms.Length * m) + ((long)problem.ColumnTerms.Length * n) + ((long)n * m);
        Blocks = new RowBlocks(options.Threads ?? (work < WorthThreads ? 1 : Environment.ProcessorCount));
        RowPairs = new PairOperator(n, m, ofColumns: false, problem.RowTerms, Blocks);
        ColumnPairs = new PairOperator(n, m, ofColumns: true, problem.ColumnTerms, Blocks);
        NormSquared = RowPairs.NormSquared() + ColumnPairs.NormSquared();
        Projection = new TransportProjection(problem.A, problem.B, Blocks);
        Changed = new double[n * m];
    }

    protected FusedProblem Problem { get; }
    protected SumOfNormsOptions Options { get; }
    protected RowBlocks Blocks { get; }
    protected PairOperator RowPairs { get; }
    protected PairOperator ColumnPairs { get; }
    protected TransportProjection Projection { get; }

    /// <summary>|K|², from above.</summary>
    protected double NormSquared { get; }

    /// <summary>Room for <c>C + KᵀZ</c>.</summary>
    protected double[] Changed { get; }

    protected int Iterations { get; set; }

    /// <summary>The gap at which plan and bound were mended last; not before it is less by some are they mended again.</summary>
    protected double MendedAt { get; set; } = double.PositiveInfinity;

    /// <summary>The gap at the last look, in the scaled units, before any polish.</summary>
    protected double LastDifference { get; private set; }

    public void Dispose() => Blocks.Dispose();

    /// <summary>Iterates until a stopping rule; the plan and the dual vectors that it ends with are in the scaled problem's units.</summary>
    protected abstract (SolverStatus Status, double[] Plan) Iterate();

    public SumOfNormsResult Solve()
    {
        (SolverStatus status, double[] plan) = Iterate();
        return Answer(status, plan);
    }

    /// <summary>The limit that was reached, if one was.</summary>
    protected SolverStatus? Limit() =>
        _cancellation.IsCancellationRequested ? SolverStatus.Cancelled
        : Options.TimeLimit != Timeout.InfiniteTimeSpan && _clock.Elapsed >= Options.TimeLimit ? SolverStatus.TimeLimit
        : Iterations >= Options.MaxIterations ? SolverStatus.IterationLimit
        : null;

    /// <summary>Runs an action on blocks of rows, side by side.</summary>
    protected void EachRow(Action<int> row) => Blocks.Run(RowBlocksCount, new RowWork(Problem.Rows, row));

    sealed class RowWork(int rows, Action<int> row) : IBlockWork
    {
        public void Run(int block, int worker)
        {
            int end = (int)((long)rows * (block + 1) / RowBlocksCount);
            for (int i = (int)((long)rows * block / RowBlocksCount); i < end; i++)
                row(i);
        }
    }

    /// <summary>One pass over all pairs: <paramref name="adjoint"/> receives KᵀZ.</summary>
    /// <param name="pass">What is done with the dual vectors.</param>
    /// <param name="point">What they move along, n × m.</param>
    /// <param name="at">Where the penalty is wanted, or null.</param>
    /// <param name="step">The dual step.</param>
    /// <param name="keep">See <see cref="PairOperator.Run"/>.</param>
    /// <param name="adjoint">n × m.</param>
    protected (double Movement, double Travel, double Penalty) Pass(
        PairPass pass,
        double[] point,
        double[]? at,
        double step,
        double keep,
        double[] adjoint
    )
    {
        Array.Clear(adjoint);
        (double movement, double travel, double penalty) = RowPairs.Run(pass, point, at, step, keep, adjoint);
        (double movement2, double travel2, double penalty2) = ColumnPairs.Run(pass, point, at, step, keep, adjoint);
        return (movement + movement2, travel + travel2, penalty + penalty2);
    }

    protected double[] Rent() => _spare.TryPop(out double[]? spare) ? spare : new double[Problem.Rows * Problem.Columns];

    protected void Return(double[] table) => _spare.Push(table);

    protected Span<double> Row(double[] table, int i) => table.AsSpan(i * Problem.Columns, Problem.Columns);

    /// <summary><c>⟨C, P⟩ + λ Σ …</c> in the scaled units.</summary>
    protected double Objective(double[] plan) => Cost(plan) + Penalty(plan);

    protected double Cost(double[] plan)
    {
        double sum = 0;
        for (int i = 0; i < Problem.Rows; i++)
        {
            // Forbidden pairs have no mass.
            sum += Summation.Dot(Row(plan, i), Row(Problem.Costs, i));
        }
        return sum;
    }

    protected double Penalty(double[] plan) => RowPairs.Penalty(plan) + ColumnPairs.Penalty(plan);

    /// <summary>Whether the gap between a plan's objective and what the dual vectors prove is small enough; costs are those that they have changed.</summary>
    /// <param name="plan">A feasible plan.</param>
    /// <param name="penalty">Its penalty.</param>
    /// <param name="adjoint">KᵀZ for dual vectors in their balls.</param>
    /// <param name="g">Potentials to make a bound from.</param>
    protected bool IsClose(double[] plan, double penalty, double[] adjoint, ReadOnlySpan<double> g)
    {
        double value = Cost(plan) + penalty;
        Add(Problem.Costs, adjoint, Changed);
        double lower = Bound(Changed, g),
            wanted = Options.RelativeGap * Scale(value);
        double gap = LastDifference = value - lower;
        // Near the end a bound from these potentials, and rows that are all but equal, are the worse part of the gap; they are mended a few times only.
        const double near = 5,
            again = 0.7;
        if (gap > wanted && gap < near * wanted && gap < again * MendedAt)
        {
            MendedAt = gap;
            double polished = Math.Min(value, Objective(Polish(plan)));
            gap = polished - lower > 0.9 * wanted ? polished - Math.Max(lower, ExactBound(g)) : polished - lower;
        }
        double relative = gap / Scale(value);
        _errors.Add(relative);
        Options.Progress?.Report(new SolverProgress(Iterations, relative, _clock.Elapsed, double.NaN));
        return gap <= 0.9 * wanted;
    }

    /// <summary>What gaps are measured by: the value's size, or a small share of the largest cost.</summary>
    double Scale(double value) => Math.Max(Math.Abs(value + Problem.Offset), LeastValue);

    protected void Add(double[] x, double[] y, double[] sum) =>
        EachRow(i => TensorPrimitives.Add(Row(x, i), Row(y, i), Row(sum, i)));

    /// <summary>The c-transform's bound, less its rounding: potentials may be far larger than costs.</summary>
    double Bound(double[] costs, ReadOnlySpan<double> g)
    {
        (int n, int m) = (Problem.Rows, Problem.Columns);
        var room = new double[m];
        var second = new double[m];
        Array.Fill(second, double.PositiveInfinity);
        double sum = 0,
            size = 0;
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.Subtract(Row(costs, i), g, room);
            double f = TensorPrimitives.Min<double>(room);
            sum += Problem.A[i] * f;
            size += Problem.A[i] * Math.Abs(f);
            TensorPrimitives.Subtract(Row(costs, i), f, room);
            TensorPrimitives.Min(second, room, second);
        }
        const double rounding = 1e-15;
        return sum + TensorPrimitives.Dot<double>(Problem.B, second) - (4 * rounding * size);
    }

    double ExactBound(ReadOnlySpan<double> g)
    {
        Potentials? exact = ExactPotentials(g);
        return exact is null ? double.NegativeInfinity : Bound(Changed, exact.G);
    }

    TimeSpan Left =>
        Options.TimeLimit == Timeout.InfiniteTimeSpan ? Options.TimeLimit
        : Options.TimeLimit > _clock.Elapsed ? Options.TimeLimit - _clock.Elapsed
        : TimeSpan.Zero;

    /// <summary>Exact potentials for the changed costs; null where the problem is large or a limit came first.</summary>
    Potentials? ExactPotentials(ReadOnlySpan<double> g)
    {
        (int n, int m) = (Problem.Rows, Problem.Columns);
        if ((long)n * m > ExactPairs)
            return null;
        var costs = new CostMatrix(n, m, Changed);
        var problem = new LinearProblem(costs, Measure.Of(Problem.A), Measure.Of(Problem.B));
        Potentials? start = _lastExact;
        if (start is null)
        {
            var f = new double[n];
            var room = new double[m];
            for (int i = 0; i < n; i++)
            {
                TensorPrimitives.Subtract(Row(Changed, i), g, room);
                f[i] = TensorPrimitives.Min<double>(room);
            }
            start = new Potentials(f, g.ToArray());
        }
        return _lastExact =
            new NetworkSimplex(new() { TimeLimit = Left }).Solve(problem, start, _cancellation).Potentials ?? _lastExact;
    }

    /// <summary>The best of the plan and of what it becomes when rows (and columns) that are nearly equal are made equal.</summary>
    protected double[] Polish(double[] plan)
    {
        double best = Objective(plan);
        double[] answer = plan;
        double[] rows = Distances(Problem.RowTerms, plan, Problem.Columns, Problem.Columns, 1),
            columns = Distances(Problem.ColumnTerms, plan, Problem.Rows, 1, Problem.Columns);
        (int Rows, int Columns) seen = (Problem.Rows, Problem.Columns);
        foreach (double share in s_fusing)
        {
            int[] rowClasses = Classes(Problem.RowTerms, rows, share, Problem.Rows),
                columnClasses = Classes(Problem.ColumnTerms, columns, share, Problem.Columns);
            (int, int) counts = (rowClasses.Max() + 1, columnClasses.Max() + 1);
            if (counts == seen || counts == (Problem.Rows, Problem.Columns))
                continue;
            seen = counts;
            double[] averaged = Average(plan, rowClasses, columnClasses);
            double value = Objective(averaged);
            if (value < best)
                (best, answer) = (value, averaged);
        }
        return answer;
    }

    /// <summary>How far the vectors of each pair are apart, beside the longest such vector; they start <paramref name="apart"/> from each other in the table, coordinates lie <paramref name="stride"/> apart.</summary>
    static double[] Distances(PairTerm[] terms, double[] table, int length, int apart, int stride)
    {
        var distances = new double[terms.Length];
        double longest = 0;
        for (int e = 0; e < terms.Length; e++)
        {
            PairTerm t = terms[e];
            double sum = 0,
                size = 0;
            for (int j = 0; j < length; j++)
            {
                double first = t.First * table[(t.I * apart) + (j * stride)],
                    difference = first - (t.Second * table[(t.K * apart) + (j * stride)]);
                sum += difference * difference;
                size += first * first;
            }
            distances[e] = Math.Sqrt(sum);
            longest = Math.Max(longest, Math.Sqrt(size));
        }
        if (longest > 0)
            TensorPrimitives.Divide(distances, longest, distances);
        return distances;
    }

    static int[] Classes(PairTerm[] terms, double[] distances, double share, int count) =>
        PairWeights.Components(
            count,
            terms.Where((t, e) => distances[e] <= share && t.I != t.K).Select(t => new WeightedPair(t.I, t.K, 1))
        );

    /// <summary><c>Q_kl a_i b_j / (A_k B_l)</c> with Q the masses of blocks: the same marginals, and equal rows within a class.</summary>
    double[] Average(double[] plan, int[] rows, int[] columns)
    {
        (int n, int m) = (Problem.Rows, Problem.Columns);
        (int kinds, int sorts) = (rows.Max() + 1, columns.Max() + 1);
        var masses = new double[kinds * sorts];
        double[] rowMass = new double[kinds],
            columnMass = new double[sorts];
        for (int i = 0; i < n; i++)
        {
            rowMass[rows[i]] += Problem.A[i];
            for (int j = 0; j < m; j++)
                masses[(rows[i] * sorts) + columns[j]] += plan[(i * m) + j];
        }
        for (int j = 0; j < m; j++)
            columnMass[columns[j]] += Problem.B[j];
        var averaged = new double[n * m];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
            {
                averaged[(i * m) + j] =
                    masses[(rows[i] * sorts) + columns[j]]
                    * (Problem.A[i] / rowMass[rows[i]])
                    * (Problem.B[j] / columnMass[columns[j]]);
            }
        }
        // Mass on a forbidden pair would cost infinitely much.
        for (int k = 0; k < averaged.Length; k++)
        {
            if (averaged[k] > 0 && double.IsPositiveInfinity(Problem.Costs[k]))
                return plan;
        }
        return averaged;
    }

    /// <summary>Certifies what the iteration ended with, by code that is not the iteration's.</summary>
    SumOfNormsResult Answer(SolverStatus status, double[] plan)
    {
        plan = Polish(plan);
        PairDuals duals = Problem.ExpandDuals(RowPairs.DualVectors(), ColumnPairs.DualVectors());
        double[] g = Array.ConvertAll(Projection.G, value => value * PotentialScale);
        bool interrupted = status is SolverStatus.Cancelled or SolverStatus.TimeLimit;
        Potentials? exact = interrupted ? null : ExactPotentials(g);
        Potentials potentials = exact is null
            ? Problem.ExpandPotentials(new double[Problem.Rows], g)
            : Problem.ExpandPotentials(exact.F, exact.G);
        double unit = Problem.Scale * Problem.Mass;
        return Certified(
            Problem.Problem,
            Options,
            status,
            Iterations,
            Problem.ExpandPlan(plan),
            duals,
            potentials,
            unit,
            _errors.ToImmutable()
        );
    }

    /// <summary>Puts an answer together from a plan and what bounds it; whether it has converged is what the certificate says. One unit is the largest centred cost times the mass.</summary>
    public static SumOfNormsResult Certified(
        LinearProblem problem,
        SumOfNormsOptions options,
        SolverStatus status,
        int iterations,
        TransportPlan plan,
        PairDuals? duals,
        Potentials potentials,
        double unit,
        ImmutableArray<double> errors
    )
    {
        var certificate = SumOfNormsCertificate.Verify(problem, plan, duals, potentials);
        var feasible = new DensePlan(certificate.FeasiblePlan.ToDense());
        (double[] rows, double[] columns) = feasible.Marginals();
        double ratio = problem.A.Mass / problem.B.Mass,
            error = Summation.L1Distance(rows, problem.A.Weights);
        for (int j = 0; j < columns.Length; j++)
            error += Math.Abs(columns[j] - (problem.B.Weights[j] * ratio));
        double lower = certificate.LowerBound!.Value,
            value = certificate.TransportCost + certificate.Penalty;
        string message = "";
        if (!double.IsFinite(value))
            (status, message) = (SolverStatus.NumericalFailure, "The value is not finite: scale costs or masses down.");
        else if (value - lower <= options.RelativeGap * Math.Max(Math.Abs(value), LeastValue * unit))
            status = SolverStatus.Converged;
        else if (status == SolverStatus.Converged)
            (status, message) = (
                SolverStatus.Stalled,
                "Rounding allows no smaller gap. From LambdaMax on the plan no longer changes: a larger lambda magnifies its rounding."
            );
        return new SumOfNormsResult
        {
            Problem = problem,
            Status = status,
            Iterations = iterations,
            Errors = errors,
            Message = message,
            Plan = feasible,
            TransportCost = certificate.TransportCost,
            Penalty = certificate.Penalty,
            LowerBound = lower,
            MarginalError = error,
            RowClusters = [.. FusedClasses.OfRows(problem, feasible, options.ClusterTolerance)],
            ColumnClusters = [.. FusedClasses.OfColumns(problem, feasible, options.ClusterTolerance)],
            Duals = duals,
            Potentials = potentials,
        };
    }

    /// <summary>What potentials of the projection are multiplied by to be potentials of the costs.</summary>
    protected abstract double PotentialScale { get; }
}
