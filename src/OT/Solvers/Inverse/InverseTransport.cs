using System.Collections.Immutable;
using System.Globalization;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>
/// Inverse entropic transport: the cost, sparse or of low rank in known terms, whose plan explains an observed coupling, by proximal Newton or proximal gradient steps on a convex loss.
/// </summary>
/// <remarks>
/// <para>Each evaluation is one Sinkhorn solve, started from the last, and one pass over its plan for the means of all terms; bilinear terms are never formed, in O((n + m) d) memory on any back end.</para>
/// <para>Sources: Andrade, Peyré, Poon, ICLR 2024 (the estimator and its certificate); Dupuy, Galichon, Sun 2019 (low rank); Carlier, Dupuy, Galichon, Sun 2023; docs/theory/inverse.md.</para>
/// </remarks>
public sealed partial class InverseTransport : ISolver<InverseProblem, InverseTransportResult>
{
    readonly InverseTransportOptions _options;
    readonly IBackend? _backend;

    /// <summary>Configures the solver.</summary>
    /// <param name="options">Tolerance, limits, algorithm; defaults when left out.</param>
    /// <param name="backend">Where the O(nm) work runs; a managed back end on all processors when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public InverseTransport(InverseTransportOptions? options = null, IBackend? backend = null)
    {
        _options = options ?? new InverseTransportOptions();
        _options.Validate();
        _backend = backend;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Penalty or constraint do not fit the dictionary, or the observed coupling uses a forbidden pair.</exception>
    public InverseTransportResult Solve(InverseProblem problem, CancellationToken cancellation = default) =>
        Solve(problem, [], cancellation);

    /// <summary>Starts from a parameter, which changes the number of steps and never the optimum.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="start">θ to start from, p numbers in the problem's convention; empty for 0. What the constraint forbids of it is dropped.</param>
    /// <param name="cancellation">Stops the run, which then answers with its last iterate.</param>
    /// <exception cref="ArgumentException">The start has another length, penalty or constraint do not fit the dictionary, or the observed coupling uses a forbidden pair.</exception>
    public InverseTransportResult Solve(
        InverseProblem problem,
        ReadOnlySpan<double> start,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        double[] from = start.ToArray();
        Guard.Finite(from, nameof(start));
        if (from.Length > 0)
            Guard.Length(from.Length, problem.Dictionary.Count, nameof(start));
        return SolverResult.Timed(
            _backend,
            () =>
            {
                using var prepared = new PreparedInverse(problem, _options, _backend, cancellation);
                return prepared.Solve(problem.Lambda, from);
            }
        );
    }

    /// <summary>Whether the support of a parameter can be recovered: at a solution, or at a truth to be simulated.</summary>
    /// <param name="problem">Dictionary, marginals, ε, penalty and constraint; λ and the observed masses beyond their marginals play no part.</param>
    /// <param name="theta">θ, p numbers in the problem's convention.</param>
    /// <param name="cancellation">Watched once per row.</param>
    /// <exception cref="ArgumentException">The length is not p, a value is not finite, or the cost is too large beside ε.</exception>
    /// <exception cref="NotSupportedException">The penalty is the nuclear norm or the parameter semidefinite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Irrepresentability PreCertificate(
        InverseProblem problem,
        ReadOnlySpan<double> theta,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        Guard.Length(theta.Length, problem.Dictionary.Count, nameof(theta));
        Guard.Finite(theta);
        using var prepared = new PreparedInverse(problem, _options, _backend, cancellation);
        return prepared.PreCertificate(theta.ToArray());
    }

    /// <summary>The loss <c>L(θ)</c>, its gradient, and no penalty: of a coupling that was held out, or of a parameter from elsewhere.</summary>
    /// <param name="problem">The problem; λ plays no part.</param>
    /// <param name="theta">θ, p numbers in the problem's convention.</param>
    /// <param name="cancellation">Watched once per row.</param>
    /// <exception cref="ArgumentException">The length is not p, a value is not finite, or the cost is too large beside ε.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public (double Loss, ImmutableArray<double> Gradient) Evaluate(
        InverseProblem problem,
        ReadOnlySpan<double> theta,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        Guard.Length(theta.Length, problem.Dictionary.Count, nameof(theta));
        Guard.Finite(theta);
        using var prepared = new PreparedInverse(problem, _options, _backend, cancellation);
        Evaluation at = prepared.At(theta.ToArray());
        return (at.Value, [.. at.Gradient.Select(value => problem.CostSign * value)]);
    }

    /// <summary>The Hessian of the loss at a parameter: p × p, <c>⟨c_k^⊥, c_l^⊥⟩_P / ε</c>. One linear system in the plan for each term.</summary>
    /// <inheritdoc cref="Evaluate" path="/param"/>
    /// <exception cref="ArgumentException">The length is not p, a value is not finite, or the cost is too large beside ε.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Matrix Hessian(InverseProblem problem, ReadOnlySpan<double> theta, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        Guard.Length(theta.Length, problem.Dictionary.Count, nameof(theta));
        Guard.Finite(theta);
        using var prepared = new PreparedInverse(problem, _options, _backend, cancellation);
        int[] all = [.. Enumerable.Range(0, theta.Length)];
        double[][] h = prepared.Model.Hessian(prepared.At(theta.ToArray()), all, InverseModel.ExactSystems).Values;
        return Matrix.From(h);
    }

    /// <summary>Answers for many λ, each started from the one before.</summary>
    /// <param name="problem">The problem; its own λ plays no part.</param>
    /// <param name="lambdas">λ, 0 or more; they are taken from large to small. When empty, 30 from λ_max down to a thousandth of it.</param>
    /// <param name="cancellation">Ends the path; what was found so far is returned.</param>
    /// <returns>One result per λ, from large to small.</returns>
    /// <exception cref="ArgumentException">A λ is negative or not finite, or as for <see cref="Solve(InverseProblem, CancellationToken)"/>.</exception>
    public ImmutableArray<InverseTransportResult> Path(
        InverseProblem problem,
        ReadOnlySpan<double> lambdas = default,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        double[] asked = Checked(lambdas);
        using var prepared = new PreparedInverse(problem, _options, _backend, cancellation);
        return prepared.Path(asked);
    }

    static double[] Checked(ReadOnlySpan<double> lambdas)
    {
        double[] asked = lambdas.ToArray();
        foreach (double lambda in asked)
            Guard.NonNegative(lambda, nameof(lambdas));
        return asked;
    }

    /// <summary>λ_max, and 30 values from it down to a thousandth, evenly spaced in their logarithms.</summary>
    internal static double[] Spread(double largest)
    {
        const int count = 30;
        const double span = 1e-3;
        return [.. Enumerable.Range(0, count).Select(k => largest * Math.Pow(span, k / (count - 1.0)))];
    }

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
