using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Solvers.Sparse;

/// <summary>What the sparse solvers share: marginals of one mass, a start, and answers put together.</summary>
internal sealed class SparseProblem
{
    /// <summary>Epsilon of the potentials at the start, in standard deviations of the cost.</summary>
    const double StartingEpsilon = 0.02;

    /// <summary>Sinkhorn's kernel wants differences of costs well above the least normal number.</summary>
    const double LeastDeviation = 1e-270;

    const double StartingError = 0.02;
    const int StartingIterations = 100;

    /// <summary>The problem as given, or, where its columns are limited, the other way round.</summary>
    public static SparseProblem Of(LinearProblem problem)
    {
        if (problem.Regularizer is not SparsityRegularizer { Axis: SparseAxis.Columns } columns)
            return new SparseProblem(problem);
        Geometry transposed = Transposed.Of(problem.Geometry, CostMatrix.TabulatedBytes);
        return new SparseProblem(
            new LinearProblem(transposed, problem.B, problem.A)
            {
                Regularizer = Regularizer.Sparsity(columns.Gamma, columns.MaxNonZeros, SparseAxis.Rows),
            }
        );
    }

    public SparseProblem(LinearProblem problem)
    {
        Geometry =
            problem.Geometry is SparseCost ? problem.Geometry : CostMatrix.Quick(problem.Geometry, CostMatrix.TabulatedBytes);
        (Problem, A, B) = (problem, problem.A.Weights.ToArray(), problem.B.Weights.ToArray());
        if (problem.MassesAgree)
            TensorPrimitives.Multiply(B, problem.A.Mass / problem.B.Mass, B);
    }

    public LinearProblem Problem { get; }

    /// <summary>The costs, tabulated where that is quicker.</summary>
    public Geometry Geometry { get; }

    /// <summary>Bytes of a solve beyond the problem: a table, or a transposed one, and supports of some tens of entries a bin, several of them at a time.</summary>
    public static long Bytes(LinearProblem problem)
    {
        const long binBytes = 4096;
        long pairs = (long)problem.Geometry.Rows * problem.Geometry.Columns;
        bool turns = problem is { Regularizer: SparsityRegularizer { Axis: SparseAxis.Columns }, Geometry: not PointCloud };
        long table =
            turns && sizeof(double) * pairs <= CostMatrix.TabulatedBytes
                ? sizeof(double) * pairs
                : CostMatrix.TableBytes(problem.Geometry);
        return checked(table + (binBytes * ((long)problem.Geometry.Rows + problem.Geometry.Columns)));
    }

    /// <summary>a.</summary>
    public double[] A { get; }

    /// <summary>b, scaled to the mass of a.</summary>
    public double[] B { get; }

    public double Mass => Problem.A.Mass;

    /// <summary>Potentials to start from, those given or some of Sinkhorn's, or the reason why there is no plan; both null when stopped.</summary>
    public (double[]? G, string? Infeasible) Start(double[]? given, int threads, CancellationToken cancellation)
    {
        if (!Problem.MassesAgree)
        {
            return (
                null,
                FormattableString.Invariant($"The masses are {Problem.A.Mass:G17} and {Problem.B.Mass:G17}: no plan has both.")
            );
        }
        CostStatistics statistics = Problem.Geometry.Scan(cancellation);
        var linear = new LinearProblem(Problem.Geometry, Problem.A, Problem.B);
        if (statistics.FiniteCount < (long)Problem.Geometry.Rows * Problem.Geometry.Columns)
        {
            // An exact solver knows whether there is a plan at all: without one the dual grows for ever.
            TransportResult exact = new NetworkSimplex().Solve(linear, cancellation);
            return exact.Status == SolverStatus.Infeasible
                ? (null, exact.Message)
                : (given ?? exact.Potentials?.G.ToArray() ?? (exact.Converged ? new double[B.Length] : null), null);
        }
        if (given is not null)
            return (given, null);
        if (!(statistics.StandardDeviation > LeastDeviation) || !Sinkhorn.TakesMass(Mass) || !Sinkhorn.TakesMass(Problem.B.Mass))
            return (new double[B.Length], null);
        // Differences of costs may be their rounding: the potentials are then as coarse as that.
        double epsilon = Math.Max(
            StartingEpsilon * statistics.StandardDeviation,
            Sinkhorn.LeastEpsilon(Problem.Geometry.MagnitudeBound, Precision.Float64)
        );
        using var backend = new Backends.ManagedBackend(threads);
        TransportResult soft = new Sinkhorn(
            new SinkhornOptions { Tolerance = StartingError, MaxIterations = StartingIterations },
            backend
        ).Solve(linear with { Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)) }, cancellation);
        return soft.Status switch
        {
            SolverStatus.Infeasible => (null, soft.Message),
            SolverStatus.Cancelled or SolverStatus.TimeLimit => (null, null),
            _ => (soft.Potentials?.G.ToArray() ?? new double[B.Length], null),
        };
    }

    /// <summary><c>f_i = min_j (C_ij − g_j)</c>; 0 where no pair is allowed.</summary>
    public double[] Transform(double[] g)
    {
        var f = new double[A.Length];
        var costs = new double[g.Length];
        for (int i = 0; i < f.Length; i++)
        {
            Geometry.CostRow(i, costs);
            TensorPrimitives.Subtract(costs, g, costs);
            double least = TensorPrimitives.Min<double>(costs);
            f[i] = double.IsFinite(least) ? least : 0;
        }
        return f;
    }

    /// <summary>Potentials of the problem; those of bins without weight are set where they leave every <c>f_i + g_j − C_ij ≤ 0</c>.</summary>
    public Potentials Complete(double[] f, double[] g)
    {
        (f, g) = ([.. f], [.. g]);
        if (A.Contains(0) || B.Contains(0))
        {
            var costs = new double[g.Length];
            double[] lowest = Filled(g.Length);
            for (int i = 0; i < f.Length; i++)
            {
                if (A[i] == 0)
                    continue;
                Geometry.CostRow(i, costs);
                for (int j = 0; j < g.Length; j++)
                    lowest[j] = Math.Min(lowest[j], costs[j] - f[i]);
            }
            for (int j = 0; j < g.Length; j++)
            {
                if (B[j] == 0)
                    g[j] = double.IsFinite(lowest[j]) ? lowest[j] : 0;
            }
            double[] transform = Transform(g);
            for (int i = 0; i < f.Length; i++)
                f[i] = A[i] == 0 ? transform[i] : f[i];
        }
        return Potentials.Centred(f, g, Problem.A, Problem.B);
    }

    /// <summary>The answer: every number from the plan itself.</summary>
    public TransportResult Answer(
        SolverStatus status,
        int iterations,
        IEnumerable<double> errors,
        SparseMatrix plan,
        Potentials? potentials,
        string message
    )
    {
        var sparse = new SparsePlan(plan);
        (double[] rows, double[] columns) = sparse.Marginals();
        return new TransportResult
        {
            Problem = Problem,
            Status = status,
            Iterations = iterations,
            Errors = [.. errors],
            Backend = "managed",
            Message = message,
            Plan = sparse,
            Potentials = potentials,
            TransportCost = Cost(plan),
            RegularizerValue = SparseObjective.Value(Problem.Regularizer, plan),
            MarginalError = Summation.L1Distance(rows, A) + Summation.L1Distance(columns, B),
        };
    }

    public static SolverStatus StatusOf(Ending ending, Func<SolverStatus> stopped) =>
        ending switch
        {
            Ending.Converged => SolverStatus.Converged,
            Ending.StepLimit => SolverStatus.IterationLimit,
            Ending.Stalled => SolverStatus.Stalled,
            _ => stopped(),
        };

    /// <summary>An answer without a plan.</summary>
    public TransportResult Nothing(SolverStatus status, string message) =>
        Answer(status, 0, [], new SparseMatrix(A.Length, B.Length, new long[A.Length + 1], [], []), null, message);

    /// <summary><c>⟨C, P⟩</c>.</summary>
    public double Cost(SparseMatrix plan)
    {
        Compensated sum = default;
        for (int i = 0; i < plan.Rows; i++)
        {
            ReadOnlySpan<int> columns = plan.RowColumns(i);
            ReadOnlySpan<double> masses = plan.RowValues(i);
            for (int k = 0; k < columns.Length; k++)
            {
                if (masses[k] > 0)
                    sum.Add(masses[k] * Problem.Geometry.Cost(i, columns[k]));
            }
        }
        return sum.Value;
    }

    static double[] Filled(int length)
    {
        var values = new double[length];
        Array.Fill(values, double.PositiveInfinity);
        return values;
    }
}
