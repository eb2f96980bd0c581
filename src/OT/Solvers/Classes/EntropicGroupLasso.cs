using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>
/// Entropic transport that draws each target to few classes of sources: <c>⟨C, P⟩ + ε KL(P | a ⊗ b) + η Σ_j Σ_c |(P_ij) for i in c|₂</c>, by generalised conditional gradients.
/// </summary>
/// <remarks>
/// Convex. Each outer iteration solves an entropic problem with the costs <c>C + η P_ij / |P_cj|₂</c> (0 where the norm is 0: nothing is divided by it), in the log domain, and moves towards its plan as far as a convex upper bound
/// of the objective falls: the entropy between two plans lies below the line between its values. So no plan has a negative entry and the objective never rises.
/// Rakotomamonjy, Flamary, Courty 2015; docs/theory/sum-of-norms.md
/// </remarks>
public sealed class EntropicGroupLasso
{
    readonly ClassRegularizedOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">η, limits; defaults when left out.</param>
    /// <param name="backend">Where the inner iterations run; managed when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public EntropicGroupLasso(ClassRegularizedOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new ClassRegularizedOptions();
        _options.Validate();
        _backend = backend;
    }

    /// <summary>What is known of a plan: the plan itself, its cost and its entropy.</summary>
    readonly record struct Point(double[] Plan, double Cost, double Entropy);

    /// <summary>Solves one problem.</summary>
    /// <inheritdoc cref="LpL1.Solve"/>
    public ClassRegularizedResult Solve(LinearProblem problem, ReadOnlySpan<int> labels, CancellationToken cancellation = default)
    {
        using var inner = new InnerSinkhorn(problem, labels, _options, _backend, cancellation);
        (int m, double eta) = (inner.Columns, _options.Eta);
        Point at = default;
        double[] norms = new double[Math.Max(1, inner.Count * m)];
        while (true)
        {
            Point from = at;
            TransportResult solved = inner.Solve(
                (i, costs) =>
                {
                    if (from.Plan is null)
                        return;
                    ReadOnlySpan<double> row = from.Plan.AsSpan(i * m, m),
                        norm = norms.AsSpan(inner.Classes[i] * m, m);
                    for (int j = 0; j < m; j++)
                        costs[j] += norm[j] > 0 ? eta * (row[j] / norm[j]) : 0;
                }
            );
            if (solved.Status == SolverStatus.Infeasible || !double.IsFinite(solved.Value))
                return inner.Answer(solved.Status, solved.Plan, double.NaN, double.NaN, double.NaN, solved.Message);
            if (!solved.Converged && from.Plan is not null)
                return Answer(inner, solved.Status, solved.Message, from, eta * TensorPrimitives.Sum<double>(norms)); // it meets its marginals
            Point to = Evaluate(inner, solved);
            at = from.Plan is null ? to : Between(inner, from, to, eta);
            norms = Norms(inner, at.Plan);
            double classes = eta * TensorPrimitives.Sum<double>(norms);
            bool settled = inner.Settled(at.Cost + at.Entropy + classes) || eta == 0 || inner.Count == 0;
            SolverStatus? stop =
                !solved.Converged ? solved.Status
                : settled ? SolverStatus.Converged
                : inner.Outer >= _options.MaxIterations ? SolverStatus.IterationLimit
                : null;
            if (stop is { } status)
                return Answer(inner, status, solved.Message, at, classes);
        }
    }

    static ClassRegularizedResult Answer(InnerSinkhorn inner, SolverStatus status, string message, Point at, double classes) =>
        inner.Answer(
            status,
            new DensePlan(new Matrix(inner.Rows, inner.Columns, at.Plan)),
            at.Cost,
            at.Entropy,
            classes,
            message
        );

    /// <summary>The dense plan of an inner answer, and its cost without the class term.</summary>
    static Point Evaluate(InnerSinkhorn inner, TransportResult solved)
    {
        var plan = new double[inner.Costs.Length];
        double cost = inner.SumOverRows(i =>
        {
            Span<double> row = plan.AsSpan(i * inner.Columns, inner.Columns);
            solved.Plan.Row(i, row);
            return Summation.Dot(row, inner.Costs.AsSpan(i * inner.Columns, inner.Columns));
        });
        return new(plan, cost, solved.RegularizerValue);
    }

    /// <summary><c>|P_cj|₂</c>, scaled so that squares neither vanish nor overflow.</summary>
    static double[] Norms(InnerSinkhorn inner, double[] plan)
    {
        int m = inner.Columns;
        double scale = Math.Max(TensorPrimitives.Max<double>(plan), double.Epsilon);
        double[] squares = inner.Gather(
            (i, _, sum) =>
            {
                if (inner.Classes[i] < 0)
                    return;
                Span<double> of = sum.Slice(inner.Classes[i] * m, m);
                ReadOnlySpan<double> row = plan.AsSpan(i * m, m);
                for (int j = 0; j < m; j++)
                    of[j] += row[j] / scale * (row[j] / scale);
            }
        );
        TensorPrimitives.Sqrt(squares, squares);
        TensorPrimitives.Multiply(squares, scale, squares);
        return squares;
    }

    /// <summary>
    /// The point between two plans where <c>(1 − s) (cost + entropy at 0) + s (cost + entropy at 1) + η Σ |P_cj + s D_cj|</c> is least: by bisection of its derivative, from sums of squares made once.
    /// </summary>
    static Point Between(InnerSinkhorn inner, Point from, Point to, double eta)
    {
        int m = inner.Columns,
            groups = inner.Count * m;
        double scale = Math.Max(TensorPrimitives.Max<double>(from.Plan), double.Epsilon);
        // |P|², ⟨P, D⟩ and |D|² of every class and column.
        double[] sums = inner.Gather(
            (i, _, sum) =>
            {
                if (inner.Classes[i] < 0)
                    return;
                int at = inner.Classes[i] * m;
                for (int j = 0; j < m; j++)
                {
                    double p = from.Plan[(i * m) + j] / scale,
                        d = (to.Plan[(i * m) + j] / scale) - p;
                    sum[at + j] += p * p;
                    sum[groups + at + j] += p * d;
                    sum[(2 * groups) + at + j] += d * d;
                }
            },
            3
        );
        double line = (to.Cost + to.Entropy - from.Cost - from.Entropy) / scale;
        double Slope(double s)
        {
            double slope = 0;
            for (int k = 0; k < groups; k++)
            {
                (double p, double c, double d) = (sums[k], sums[groups + k], sums[(2 * groups) + k]);
                double square = p + (2 * s * c) + (s * s * d);
                slope += square > 0 ? (c + (s * d)) / Math.Sqrt(square) : 0;
            }
            return line + (eta * slope);
        }
        const int halvings = 40;
        (double low, double high) = (0, 1);
        if (Slope(1) <= 0)
            return to;
        for (int k = 0; k < halvings; k++)
        {
            double middle = 0.5 * (low + high);
            (low, high) = Slope(middle) <= 0 ? (middle, high) : (low, middle);
        }
        if (low == 0)
            return from;
        var plan = new double[from.Plan.Length];
        double entropy = inner.Entropy(
            i =>
            {
                Span<double> row = plan.AsSpan(i * m, m);
                TensorPrimitives.Multiply(from.Plan.AsSpan(i * m, m), 1 - low, row);
                TensorPrimitives.MultiplyAdd(to.Plan.AsSpan(i * m, m), low, row, row);
            },
            plan
        );
        return new(plan, ((1 - low) * from.Cost) + (low * to.Cost), inner.Epsilon * entropy);
    }
}
