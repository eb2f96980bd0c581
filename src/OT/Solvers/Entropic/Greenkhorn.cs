using System.Globalization;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>
/// Balanced entropic transport by greedy updates: of all rows and columns the one with the largest <c>d(t, s) = s − t + t log(t/s)</c>, t its weight and s its
/// sum, is scaled to its weight.
/// </summary>
/// <remarks>
/// <para>
/// Each update raises the dual value by ε d, the most that one potential can, and costs O(n + m). The plan is kept whole, 8nm bytes; problems that do not fit are refused.
/// Plan and sums are updated in place and made anew from the potentials after every n + m updates, so that neither drift nor underflow lasts; a row or column
/// whose factor leaves e^±50 is made anew at once, by a soft-min. Starts from <c>f = softmin(0)</c>.
/// </para>
/// <para>
/// Needs fewer row and column updates than <see cref="Sinkhorn"/> where few bins are off, and more time nearly always: it is here to be compared with.
/// See docs/theory/sinkhorn.md. Source: Altschuler, Weed, Rigollet, NeurIPS 2017, Algorithm 4.
/// </para>
/// </remarks>
public sealed class Greenkhorn : ISolver<LinearProblem, TransportResult>
{
    readonly GreenkhornOptions _options;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance and limits; defaults when left out.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public Greenkhorn(GreenkhornOptions? options = null)
    {
        _options = options ?? new GreenkhornOptions();
        _options.Validate();
    }

    /// <summary>Whether this solver takes the problem: an entropic regulariser and two hard marginals.</summary>
    public static bool Supports(LinearProblem problem) => Sinkhorn.Supports(problem) && problem.IsBalanced;

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The problem has no entropy, or a marginal penalty.</exception>
    /// <exception cref="ArgumentException">The plan of 8nm bytes does not fit into memory.</exception>
    public TransportResult Solve(LinearProblem problem, CancellationToken cancellation = default)
    {
        if (!Supports(problem))
        {
            throw new NotSupportedException(
                "Greenkhorn needs Regularizer.Entropy and two hard marginals: use Sinkhorn for marginal penalties, NetworkSimplex for exact transport."
            );
        }
        Sinkhorn.CheckMass(problem.A.Mass, "source");
        Sinkhorn.CheckMass(problem.B.Mass, "target");
        using var backend = new ManagedBackend();
        EnsureFits(problem.Geometry, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        using CancellationTokenSource limit = _options.Limit(cancellation);
        SolverStatus Stopped() => cancellation.IsCancellationRequested ? SolverStatus.Cancelled : SolverStatus.TimeLimit;
        double epsilon = double.NaN;
        (bool[] Rows, bool[] Columns) partners;
        try
        {
            CancellationToken scan =
                (long)problem.A.Count * problem.B.Count > Sinkhorn.UninterruptedPairs ? limit.Token : default;
            epsilon = ((EntropyRegularizer)problem.Regularizer).Epsilon.Resolve(problem.Geometry, scan);
            Sinkhorn.CheckResolution(problem.Geometry.MagnitudeBound, epsilon, Precision.Float64);
            partners = Sinkhorn.WithPartners(problem, RowShare.Whole, scan);
        }
        catch (OperationCanceledException)
        {
            return Sinkhorn.WithoutPlan(
                problem,
                epsilon,
                Stopped(),
                "Stopped in a first look at the costs, before any iteration."
            );
        }
        if (Sinkhorn.WhyInfeasible(problem, partners.Rows, partners.Columns) is { } reason)
            return Sinkhorn.WithoutPlan(problem, epsilon, SolverStatus.Infeasible, reason);
        var run = new GreenkhornRun(problem, epsilon, _options, backend, limit.Token);
        TransportResult result = run.Solve(Stopped);
        return Sinkhorn.WhyNoPlanExists(result, limit.Token) is { } proof
            ? Sinkhorn.WithoutPlan(problem, epsilon, SolverStatus.Infeasible, proof)
            : result;
    }

    /// <summary>Bytes of the plan, of a table where costs are slow to compute, and of the vectors.</summary>
    internal static long OwnBytes(Geometry geometry) =>
        checked(
            (sizeof(double) * (((long)geometry.Rows * geometry.Columns) + (8L * geometry.Rows) + (8L * geometry.Columns)))
            + CostMatrix.TableBytes(geometry)
        );

    static void EnsureFits(Geometry geometry, long limit)
    {
        Guard.ArrayLength(geometry.Rows, geometry.Columns, "The plan of Greenkhorn");
        long bytes = OwnBytes(geometry);
        if (bytes > limit)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Greenkhorn keeps the plan: {geometry.Rows} x {geometry.Columns} needs {bytes:N0} bytes, and there are {limit:N0}. Sinkhorn needs O(n + m)."
                )
            );
        }
    }
}
