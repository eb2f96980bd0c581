using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Derivatives of a loss ℓ(P, f, g) in everything that the entropic plan depends on; what <see cref="ImplicitGradient.Pullback"/> answers.</summary>
/// <remarks>
/// <see cref="SolverResult.Status"/> is <see cref="SolverStatus.Converged"/> when both the plan and the linear solve are; <see cref="SolverResult.Iterations"/>
/// counts those of conjugate gradients and is 0 where the system was factored.
/// </remarks>
public sealed class PlanGradient : SolverResult
{
    readonly TransportResult _result;
    readonly ImplicitSystem? _system;
    readonly ImplicitSolution? _solution;
    readonly PlanCotangentRow? _plan;
    readonly double[] _a;
    readonly double[] _b;

    internal PlanGradient(
        TransportResult result,
        ImplicitSystem? system,
        ImplicitSolution? solution,
        PlanCotangentRow? plan,
        double[] a,
        double[] b
    ) => (_result, _system, _solution, _plan, _a, _b) = (result, system, solution, plan, a, b);

    /// <summary>
    /// <c>∂ℓ/∂a</c>, n values. In balanced problems only changes with <c>Σ da = Σ db</c> exist, so <c>(∂ℓ/∂a + t, ∂ℓ/∂b − t)</c> are the same derivatives: t is
    /// chosen such that <c>⟨a, ∂ℓ/∂a⟩ = ⟨b, ∂ℓ/∂b⟩</c>.
    /// </summary>
    public ReadOnlySpan<double> A => _a;

    /// <summary><c>∂ℓ/∂b</c>, m values; see <see cref="A"/>.</summary>
    public ReadOnlySpan<double> B => _b;

    /// <summary><c>∂ℓ/∂ε</c>.</summary>
    public double Epsilon { get; init; }

    /// <summary>L2 norm of the linear system's residual, relative to the terms it is the difference of.</summary>
    public required double Residual { get; init; }

    /// <summary>One row of <c>∂ℓ/∂C</c>, made on demand in O(m).</summary>
    /// <param name="row">0 ≤ row &lt; n.</param>
    /// <param name="values">Receives m values; 0 at forbidden pairs.</param>
    /// <exception cref="InvalidOperationException">The pullback was cancelled.</exception>
    public void CostRow(int row, Span<double> values)
    {
        ImplicitSystem system = Solved;
        int m = system.Rows.Columns;
        var scratch = new double[m];
        CostRow(row, values[..m], scratch);
    }

    /// <summary><c>∂ℓ/∂C</c> as a matrix, n × m doubles.</summary>
    /// <exception cref="InvalidOperationException">The pullback was cancelled.</exception>
    public Matrix Cost()
    {
        LiveRows rows = Solved.Rows;
        int m = rows.Columns;
        var values = new double[Guard.ArrayLength(rows.Rows, m, "a gradient")];
        RowReduction.Sum(
            rows.Rows,
            0,
            m,
            Solved.Threads,
            cancellation: CancellationToken.None,
            action: (i, scratch, _) => CostRow(i, values.AsSpan(i * m, m), scratch)
        );
        return new Matrix(rows.Rows, m, values);
    }

    /// <summary>
    /// Derivatives in the points, <c>Σ_j C̄_ij ∂₁c(x_i, y_j)</c> and <c>Σ_i C̄_ij ∂₂c(x_i, y_j)</c> with <c>C̄ = ∂ℓ/∂C</c>, streamed: O(nm d) time and never n × m memory.
    /// </summary>
    /// <param name="cancellation">Watched once per row.</param>
    /// <exception cref="NotSupportedException">
    /// The costs do not come from a <see cref="PointCloud"/>, or from a custom cost that has no gradient or is not symmetric.
    /// </exception>
    /// <exception cref="InvalidOperationException">The pullback was cancelled.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public PointGradient Points(CancellationToken cancellation = default) =>
        PointGradient.Contract(EntropicGradient.CloudOf(_result), CostRow, wantsTarget: true, Solved.Threads, cancellation);

    ImplicitSystem Solved =>
        _system ?? throw new InvalidOperationException("The pullback was cancelled: there are no derivatives.");

    /// <summary><c>C̄_ij = P'_ij (p_i [b_j > 0] + q_j [a_i > 0] − P̄_ij [P_ij > 0]) / ε</c>.</summary>
    void CostRow(int row, Span<double> values, Span<double> upstream)
    {
        ImplicitSystem system = Solved;
        (double p, double[] q) = (_solution!.P[row], _solution.Q);
        double alive = system.AliveA[row] ? 1 : 0;
        ReadOnlySpan<bool> aliveB = system.AliveB;
        system.Rows.Row(row, values);
        upstream.Clear();
        _plan?.Invoke(row, upstream);
        for (int j = 0; j < values.Length; j++)
            values[j] *= ((alive * (q[j] - (aliveB[j] ? upstream[j] : 0))) + (aliveB[j] ? p : 0)) / _result.Epsilon;
    }

    /// <summary>The chain rule with the multipliers p and q: one more pass over the rows.</summary>
    internal static PlanGradient Of(
        TransportResult result,
        ImplicitSystem system,
        ImplicitSolution solution,
        PlanCotangentRow? plan,
        CancellationToken cancellation
    )
    {
        LinearProblem problem = result.Problem;
        LiveRows rows = system.Rows;
        (int n, int m, double eps) = (rows.Rows, rows.Columns, result.Epsilon);
        (double[] p, double[] q, Potentials potentials) = (solution.P, solution.Q, result.Potentials!);
        var a = new double[n];
        // ā_i = Σ_j P'_ij (P̄_ij [b_j > 0] − q_j) / a'_i, b̄ with the roles exchanged, ε̄ = Σ C̄_ij (f_i + g_j − C_ij) / ε.
        double[] sums = RowReduction.Sum(
            n,
            m + 1,
            3 * m,
            system.Threads,
            cancellation: cancellation,
            action: (i, scratch, sum) =>
            {
                Span<double> row = scratch[..m],
                    upstream = scratch.Slice(m, m),
                    costs = scratch.Slice(2 * m, m);
                rows.Row(i, row);
                upstream.Clear();
                plan?.Invoke(i, upstream);
                problem.Geometry.CostRow(i, costs);
                double alive = system.AliveA[i] ? 1 : 0;
                double own = 0,
                    slope = 0;
                for (int j = 0; j < m; j++)
                {
                    double aliveB = system.AliveB[j] ? 1 : 0;
                    own += row[j] * ((aliveB * upstream[j]) - q[j]);
                    sum[j] += row[j] * ((alive * upstream[j]) - p[i]);
                    double cost = row[j] * ((alive * (q[j] - (aliveB * upstream[j]))) + (aliveB * p[i])) / eps;
                    if (cost != 0)
                        slope += cost * (potentials.F[i] + potentials.G[j] - costs[j]) / eps;
                }
                a[i] = own / rows.A.Weights[i];
                sum[m] += slope;
            }
        );
        double[] b = sums[..m];
        TensorPrimitives.Divide(b, rows.B.Weights, b);
        if (problem.IsBalanced)
            Centre(a, b, problem);
        bool finite = double.IsFinite(Summation.Sum(a) + Summation.Sum(b) + sums[m]);
        SolverStatus status =
            !finite ? SolverStatus.NumericalFailure
            : solution.Status != SolverStatus.Converged ? solution.Status
            : result.Status;
        return new PlanGradient(result, system, solution, plan, a, b)
        {
            Status = status,
            Iterations = solution.Iterations,
            Residual = solution.Residual,
            Backend = solution.Method,
            Epsilon = sums[m],
            Message = Caveat(result, solution, finite),
        };
    }

    static string Caveat(TransportResult result, ImplicitSolution solution, bool finite) =>
        !finite ? "A derivative is beyond the range of doubles."
        : solution.Status == SolverStatus.NumericalFailure
            ? "Parts of the plan are not connected by any mass that doubles hold: the potentials' derivatives are unbounded."
        : solution.Status == SolverStatus.IterationLimit
            ? "The linear solve did not converge: allow more iterations or a larger tolerance."
        : solution.Status == SolverStatus.Stalled ? "Rounding allows no smaller residual of the linear system."
        : !result.Converged ? $"The plan itself stopped with {result.Status}: its derivatives are as far from exact as it is."
        : "";

    /// <summary>Shifts to <c>⟨a, ā⟩ = ⟨b, b̄⟩</c>.</summary>
    static void Centre(double[] a, double[] b, LinearProblem problem)
    {
        double shift =
            (Summation.Dot(problem.B.Weights, b) - Summation.Dot(problem.A.Weights, a)) / (problem.A.Mass + problem.B.Mass);
        TensorPrimitives.Add(a, shift, a);
        TensorPrimitives.Subtract(b, shift, b);
    }
}
