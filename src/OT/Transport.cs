using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;
using OT.Solvers.Sparse;

namespace OT;

/// <summary>The front door: picks a solver for a problem and says which and why.</summary>
public static class Transport
{
    /// <summary>
    /// Largest n = m at which a stored matrix of uniform weights goes to <see cref="Assignment"/>: its augmentations cost O(n³) at worst,
    /// where the network simplex goes on growing like n² to n^2.5.
    /// </summary>
    const int AssignmentLimit = 16_384;

    /// <summary>The solver for a problem, the reason, and the memory it would take. Nothing is solved.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="memoryLimit">Bytes that may be taken beyond the problem; the memory of the machine (or of its container) when left out.</param>
    /// <param name="backend">Where an entropic solve would run; managed when left out.</param>
    /// <param name="precision">What an entropic solve would stream.</param>
    /// <remarks>
    /// Entropy: <see cref="Sinkhorn"/>. Otherwise, in this order: one coordinate and a convex cost of the difference: <see cref="Univariate"/>;
    /// a stored matrix with n = m and equal weights: <see cref="Assignment"/>; everything else: <see cref="NetworkSimplex"/>.
    /// </remarks>
    /// <exception cref="NotSupportedException">No solver takes the problem; the message says what would help.</exception>
    /// <exception cref="ArgumentException">The solve would not fit: the message gives the estimate.</exception>
    public static TransportChoice Choose(
        LinearProblem problem,
        long? memoryLimit = null,
        IBackend? backend = null,
        Precision precision = Precision.Float64
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        (TransportMethod method, string why) = Pick(problem);
        return new TransportChoice(method, why, EnsureFits(problem, method, memoryLimit, backend, precision));
    }

    /// <summary>Refuses a solve whose estimated memory is above a ceiling.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="method">The solver.</param>
    /// <param name="memoryLimit">Bytes that may be taken beyond the problem; the memory of the machine (or of its container) when left out.</param>
    /// <param name="backend">Where an entropic solve would run; managed when left out.</param>
    /// <param name="precision">What an entropic solve would stream.</param>
    /// <returns>The estimate in bytes, beyond the problem itself.</returns>
    /// <exception cref="ArgumentException">The solve would not fit: the message gives the estimate.</exception>
    public static long EnsureFits(
        LinearProblem problem,
        TransportMethod method,
        long? memoryLimit = null,
        IBackend? backend = null,
        Precision precision = Precision.Float64
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        long limit = Limit(memoryLimit);
        long bytes = method switch
        {
            TransportMethod.Sinkhorn or TransportMethod.SparseNewton or TransportMethod.MirrorSinkhorn => EntropicBytes(
                problem,
                backend,
                precision,
                limit
            ),
            TransportMethod.Greenkhorn => Greenkhorn.OwnBytes(problem.Geometry),
            TransportMethod.QuadraticDual or TransportMethod.KSparseDual => SparseProblem.Bytes(problem),
            _ => ExactBytes(problem, method),
        };
        if (bytes > limit)
        {
            string advice =
                method is not (TransportMethod.Sinkhorn or TransportMethod.SparseNewton)
                    ? "With entropy, Sinkhorn needs O(n + m) for points."
                : problem.Geometry is PointCloud ? "Allow more, or give fewer points."
                : "Points in place of a stored matrix need O(n + m).";
            throw new ArgumentException(
                $"{method} on {problem.Geometry.Rows} x {problem.Geometry.Columns} needs about {Bytes(bytes)}, and {Bytes(limit)} are allowed. {advice}",
                nameof(problem)
            );
        }
        return bytes;
    }

    /// <summary>Solves a linear problem by the solver that <see cref="Choose"/> names; <see cref="SolverResult.Why"/> repeats the reason.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="options"><see cref="SinkhornOptions"/> for problems with entropy, <see cref="QuadraticOptions"/> and <see cref="KSparseOptions"/> for those regularisers, <see cref="ExactOptions"/> for others; their defaults when left out.</param>
    /// <param name="backend">Where an entropic solve runs, left undisposed; managed when left out. Exact solvers need none.</param>
    /// <param name="memoryLimit">Bytes that may be taken beyond the problem; the memory of the machine when left out.</param>
    /// <param name="cancellation">Stops the solver, which then returns its last usable iterate.</param>
    /// <exception cref="ArgumentException">The options are another solver's, or the solve would not fit: the message gives the estimate.</exception>
    /// <exception cref="NotSupportedException">No solver takes the problem; the message says what would help.</exception>
    public static TransportResult Solve(
        LinearProblem problem,
        SolverOptions? options = null,
        IBackend? backend = null,
        long? memoryLimit = null,
        CancellationToken cancellation = default
    )
    {
        Precision precision = (options as SinkhornOptions)?.Precision ?? Precision.Float64;
        TransportChoice choice = Choose(problem, memoryLimit, backend, precision);
        using ManagedBackend? own =
            backend is null && choice.Method == TransportMethod.Sinkhorn
                ? new ManagedBackend(memoryLimit: Limit(memoryLimit))
                : null;
        TransportResult result = choice.Method switch
        {
            TransportMethod.Sinkhorn => new Sinkhorn(Options<SinkhornOptions>(options, choice), backend ?? own).Solve(
                problem,
                cancellation
            ),
            TransportMethod.QuadraticDual => new QuadraticDual(Options<QuadraticOptions>(options, choice)).Solve(
                problem,
                cancellation
            ),
            TransportMethod.KSparseDual => new KSparseDual(Options<KSparseOptions>(options, choice))
                .Solve(problem, cancellation)
                .Limited,
            TransportMethod.Univariate => new Univariate(Options<ExactOptions>(options, choice)).Solve(problem, cancellation),
            TransportMethod.Assignment => new Assignment(Options<ExactOptions>(options, choice)).Solve(problem, cancellation),
            _ => new NetworkSimplex(Options<ExactOptions>(options, choice)).Solve(problem, cancellation),
        };
        result.Explain($"{choice.Method}: {choice.Why}");
        return result;
    }

    /// <summary><c>W_p</c> between two uniformly weighted clouds for the Euclidean distance, solved exactly. The p-th root is taken.</summary>
    /// <param name="x">n × d, one point a row.</param>
    /// <param name="y">m × d.</param>
    /// <param name="p">Order, at least 1; 2 by default.</param>
    /// <param name="cancellation">Cancels the solve.</param>
    /// <exception cref="ArgumentException">A cloud is empty or not finite, dimensions differ, p is below 1, or the solve would not fit in memory.</exception>
    /// <exception cref="OperationCanceledException">Cancelled: half a distance is none.</exception>
    /// <remarks>On the line (d = 1) two sorts and a sum, without plan or problem.</remarks>
    public static double Distance(Matrix x, Matrix y, double p = 2, CancellationToken cancellation = default)
    {
        if (x is not { Columns: 1 } || y is not { Columns: 1 })
            return Distance(Measure.Uniform(x), Measure.Uniform(y), p, cost: null, cancellation);
        Guard.InRange(p, 1, double.MaxValue);
        cancellation.ThrowIfCancellationRequested();
        return Univariate.Distance(x.Values, [], y.Values, [], p);
    }

    /// <summary><c>W_p(a, b) = (min_P Σ P_ij c(x_i, y_j)^p)^(1/p)</c> between two measures of equal mass. Weights are taken as they are: mass is not normalised.</summary>
    /// <remarks>Powers that would leave the range of doubles are taken in units of the longest way that a plan needs.</remarks>
    /// <param name="a">Source measure, with points.</param>
    /// <param name="b">Target measure, with points.</param>
    /// <param name="p">Order, at least 1; 2 by default.</param>
    /// <param name="cost">The distance c; Euclidean when left out.</param>
    /// <param name="cancellation">Cancels the solve.</param>
    /// <exception cref="ArgumentException">A measure has no points, masses or dimensions differ, p is below 1, or the solve would not fit in memory.</exception>
    /// <exception cref="OperationCanceledException">Cancelled: half a distance is none.</exception>
    public static double Distance(
        Measure a,
        Measure b,
        double p = 2,
        GroundCost? cost = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        Guard.InRange(p, 1, double.MaxValue);
        cost ??= GroundCost.Euclidean;
        Matrix x = a.Points ?? throw new ArgumentException("The source measure has no points.", nameof(a));
        Matrix y = b.Points ?? throw new ArgumentException("The target measure has no points.", nameof(b));
        // Checks points and masses, and holds the cost whose first power is always in range.
        var problem = new LinearProblem(new PointCloud(x, y, cost), a, b);
        if (!problem.MassesAgree)
            throw new ArgumentException($"The masses are {a.Mass:R} and {b.Mass:R}: a distance needs equal masses.", nameof(b));
        cancellation.ThrowIfCancellationRequested();
        (double distance, TransportResult? stopped) = PoweredDistance(problem, cost, p, cancellation);
        if (stopped?.Status == SolverStatus.Cancelled)
            throw new OperationCanceledException(cancellation);
        stopped?.EnsureConverged();
        return distance;
    }

    /// <summary>Solves in a first unit, then in that of the longest way of the plan found, until the powers of that plan are in range.</summary>
    /// <returns>The distance; NaN and the solve that did not converge, where one did not.</returns>
    internal static (double Distance, TransportResult? Stopped) PoweredDistance(
        LinearProblem problem,
        GroundCost cost,
        double p,
        CancellationToken cancellation
    )
    {
        const double resolved = 1e-280; // far above the smallest normal double: what underflows beside it is below rounding
        const int rounds = 200;
        var cloud = (PointCloud)problem.Geometry;
        bool isLength = cost.DifferenceExponent == 1;
        if (isLength && cloud.Dimension == 1)
        {
            Measure b = problem.B.Scale(problem.A.Mass / problem.B.Mass);
            return (Univariate.Distance(cloud.Source.Values, problem.A.Weights, cloud.Target.Values, b.Weights, p), null);
        }
        // Lengths scale with the points, by a power of two and so without rounding; the first unit is the longest side of their box.
        double scale = isLength ? PowerOfTwo(GroundCost.Chebyshev.Bound(cloud.Source, cloud.Target)) : 1;
        (Matrix x, Matrix y) = (Scaled(cloud.Source, scale), Scaled(cloud.Target, scale));
        double unit = 1;
        double bound = Math.Pow(cost.Bound(x, y), p);
        Geometry? geometry = bound is > resolved and < 1e290 ? new PointCloud(x, y, cost.ToPower(p)) : null;
        if (geometry is null)
        {
            unit = Positive(cost.Bound(x, y));
            geometry = new PowerOfDistance(x, y, cost, p, unit);
        }
        for (int round = 0; round < rounds; round++)
        {
            TransportResult result = Solve(new LinearProblem(geometry, problem.A, problem.B), cancellation: cancellation);
            if (!result.Converged)
                return (double.NaN, result);
            if (result.TransportCost > resolved * problem.A.Mass)
                return (scale * unit * Math.Pow(result.TransportCost, 1 / p), null);

            SparseMatrix ways = result.Plan.ToSparse();
            if (isLength)
            {
                scale = PowerOfTwo(Longest(ways, cloud.Source, cloud.Target, GroundCost.Chebyshev));
                (x, y) = (Scaled(cloud.Source, scale), Scaled(cloud.Target, scale));
            }
            unit = Longest(ways, x, y, cost);
            if (unit == 0)
                return (0, null);
            geometry = new PowerOfDistance(x, y, cost, p, unit);
        }
        throw new ArgumentException(
            FormattableString.Invariant($"The powers of order {p} span more than doubles hold: give a smaller p."),
            nameof(p)
        );
    }

    /// <summary>The longest way on which a plan sends mass.</summary>
    static double Longest(SparseMatrix plan, Matrix x, Matrix y, GroundCost cost)
    {
        double longest = 0;
        for (int i = 0; i < plan.Rows; i++)
        {
            ReadOnlySpan<int> columns = plan.RowColumns(i);
            for (int k = 0; k < columns.Length; k++)
            {
                if (plan.RowValues(i)[k] > 0)
                    longest = Math.Max(longest, cost.Evaluate(x.Row(i), y.Row(columns[k])));
            }
        }
        return longest;
    }

    /// <summary>The power of two next to a length, so that dividing by it is exact; 1 for 0.</summary>
    internal static double PowerOfTwo(double length) =>
        length > 0 ? Math.ScaleB(1, Math.Clamp(Math.ILogB(length), -1000, 1000)) : 1;

    static double Positive(double unit) => unit > 0 ? unit : 1;

    static Matrix Scaled(Matrix points, double unit)
    {
        if (unit == 1)
            return points;
        var values = new double[points.Values.Length];
        TensorPrimitives.Divide(points.Values, unit, values);
        return new Matrix(points.Rows, points.Columns, values);
    }

    static (TransportMethod, string) Pick(LinearProblem problem)
    {
        if (Sinkhorn.Supports(problem))
            return (TransportMethod.Sinkhorn, WhySinkhorn(problem));
        if (QuadraticDual.Supports(problem))
            return (
                TransportMethod.QuadraticDual,
                "the regulariser is quadratic: Newton's method on the dual, with a sparse plan"
            );
        if (KSparseDual.Supports(problem))
            return (TransportMethod.KSparseDual, "the entries of each line are limited");
        if (!problem.IsBalanced)
            throw new NotSupportedException(
                "Penalised marginals are solved with entropy: set Regularizer = Regularizer.Entropy(...)."
            );
        if (problem.Geometry is PointCloud { Dimension: 1 } && Univariate.Supports(problem))
            return (TransportMethod.Univariate, "points on a line and a convex cost of the difference: sorting is optimal");
        bool uniform = problem.Geometry.Rows == problem.Geometry.Columns && IsConstant(problem.A) && IsConstant(problem.B);
        if (uniform && problem.Geometry is CostMatrix { Rows: <= AssignmentLimit } && Assignment.Supports(problem))
            return (
                TransportMethod.Assignment,
                "a stored matrix with as many rows as columns and equal weights: a permutation is optimal"
            );
        if (problem.Regularizer is SumOfNormsRegularizer)
            throw new NotSupportedException("Sums of norms have a solver and a kind of answer of their own: use SumOfNorms.");
        if (!NetworkSimplex.Supports(problem))
            throw new NotSupportedException(
                $"No solver takes {problem.Regularizer.GetType().Name} on {problem.Geometry.GetType().Name}."
            );
        return (
            TransportMethod.NetworkSimplex,
            uniform
                ? "an exact solve with equal weights on points, where it outruns an assignment solver"
                : "an exact solve of a general problem"
        );
    }

    /// <summary>What the problem is, and how its costs will be read; which accelerations helped, the solver says.</summary>
    static string WhySinkhorn(LinearProblem problem)
    {
        string why = problem.IsBalanced ? "the problem has entropy" : "the problem has entropy and penalised marginals";
        string costs = problem.Geometry switch
        {
            Grid => "soft-minima along each axis of the grid",
            CostMatrix => "costs read as they are stored",
            PointCloud { GroundCost: GroundCost.SquaredEuclideanCost } when CostMatrix.TableBytes(problem.Geometry) == 0 =>
                "costs made from points as they are needed",
            _ when CostMatrix.TableBytes(problem.Geometry) > 0 => "costs tabulated, which is faster than making them again",
            _ => "costs made row by row as they are needed",
        };
        return $"{why}; {costs}";
    }

    static bool IsConstant(Measure measure) => !measure.Weights.ContainsAnyExcept(measure.Weights[0]);

    /// <summary>Bytes of an exact solve: the matrix where costs are tabulated, which larger ones are not, and the O(n + m) of trees, potentials and plan.</summary>
    static long ExactBytes(LinearProblem problem, TransportMethod method)
    {
        const long nodeBytes = 128; // tree links, flow, potential, one plan entry, and their copies
        long n = problem.Geometry.Rows;
        long m = problem.Geometry.Columns;
        bool tabulates =
            method != TransportMethod.Univariate && problem.Geometry is not (CostMatrix { IsSingle: false } or SparseCost);
        long table = checked(sizeof(double) * n * m);
        return checked(((n + m) * nodeBytes) + (tabulates && table <= ExactOptions.DefaultTableBytes ? table : 0));
    }

    static long Limit(long? memoryLimit) => memoryLimit ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>
    /// Bytes of the solver's vectors and of the operator; of the larger one where a solve in doubles may begin in floats, which it does only below the limit.
    /// </summary>
    static long EntropicBytes(LinearProblem problem, IBackend? backend, Precision precision, long limit)
    {
        using ManagedBackend? managed = backend is null ? new ManagedBackend() : null;
        long bytes = (backend ?? managed!).EstimateBytes(problem.Geometry, precision);
        long floats = (backend ?? managed!).EstimateBytes(problem.Geometry, Precision.Float32);
        if (floats <= Math.Min(limit, backend?.MemoryLimit ?? limit))
            bytes = Math.Max(bytes, floats);
        return checked(bytes + Sinkhorn.OwnBytes(problem.Geometry, backend ?? managed!));
    }

    static string Bytes(long bytes) =>
        bytes switch
        {
            >= 1L << 30 => FormattableString.Invariant($"{bytes / (double)(1L << 30):0.0} GiB"),
            >= 1L << 20 => FormattableString.Invariant($"{bytes / (double)(1L << 20):0.0} MiB"),
            >= 1L << 10 => FormattableString.Invariant($"{bytes / (double)(1L << 10):0.0} KiB"),
            _ => FormattableString.Invariant($"{bytes} bytes"),
        };

    static T? Options<T>(SolverOptions? options, TransportChoice choice)
        where T : SolverOptions =>
        options switch
        {
            null => null,
            T fitting => fitting,
            _ => throw new ArgumentException(
                $"{options.GetType().Name} do not fit {choice.Method}, chosen because {choice.Why}: give {typeof(T).Name}.",
                nameof(options)
            ),
        };
}
