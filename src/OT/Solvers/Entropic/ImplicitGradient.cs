using System.Globalization;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>
/// Derivatives of the entropic plan and its potentials by the implicit function theorem: pulls <c>∂ℓ/∂P</c>, <c>∂ℓ/∂f</c>, <c>∂ℓ/∂g</c> back to a, b, C, ε and
/// the points, at the price of one linear solve and whatever number of iterations found the plan.
/// </summary>
/// <remarks>
/// <para>
/// The system is <c>[diag(r + ε a e^(−f/ρ_a)/ρ_a), P; Pᵀ, diag(c + ε b e^(−g/ρ_b)/ρ_b)] [p; q] = ε [u; v]</c> with <c>u = (∂ℓ/∂P ∘ P)1/ε + ∂ℓ/∂f</c>; its larger
/// block is eliminated. What is left is the Laplacian of a graph: up to 1024 nodes (and 2²² pairs) it is factored without subtractions, once for all cotangents
/// (k²·max(n, m)/2 + k³/6 multiply-adds with k = min(n, m)); beyond, conjugate gradients take two passes of O(nm) per iteration and O(n + m) memory. No ridge is
/// added: parts of a plan that hardly touch keep their digits.
/// </para>
/// <para>
/// Balanced problems of any total mass, Kullback-Leibler penalties, rectangular costs, forbidden pairs and zero weights are covered. The formulas hold at an
/// optimum: a plan that misses its marginals by a share e has derivatives that are off by about as much, so solve tightly. Safe to share between threads.
/// See docs/theory/gradients.md. Sources: Eisenberger et al., CVPR 2022; Cuturi et al. 2020.
/// </para>
/// </remarks>
public sealed partial class ImplicitGradient
{
    /// <summary>Pairs up to which the plan is stored.</summary>
    const long MaxStoredPairs = 1L << 22;

    /// <summary>Gauge: what Σ ∂ℓ/∂f and Σ ∂ℓ/∂g may differ by, relative to their terms.</summary>
    const double GaugeSlack = 1e-9;

    readonly TransportResult _result;
    readonly ImplicitGradientOptions _options;
    readonly IBackend? _backend;
    readonly Lock _preparing = new();
    ImplicitSystem? _system;

    const string Unfinished = "Stopped before the derivatives were computed.";

    /// <summary>Derivatives at a solved problem; nothing is computed yet.</summary>
    /// <param name="result">What an entropic solver answered; its problem, potentials and ε are used, not its plan, which may have been rounded.</param>
    /// <param name="options">Accuracy of the linear solve; defaults when left out.</param>
    /// <param name="backend">Where conjugate gradients run; a managed back end on all processors when left out. Never disposed here.</param>
    /// <exception cref="ArgumentException">The result has no potentials, or an option is out of range.</exception>
    /// <exception cref="NotSupportedException">The problem has no entropic regulariser: an exact plan is piecewise constant.</exception>
    public ImplicitGradient(TransportResult result, ImplicitGradientOptions? options = null, IBackend? backend = null)
    {
        CheckResult(result);
        _options = options ?? new ImplicitGradientOptions();
        _options.Validate();
        (_result, _backend) = (result, backend);
    }

    /// <summary>Derivatives of a loss ℓ(P, f, g) in everything that the plan depends on.</summary>
    /// <param name="cotangent">Derivatives of ℓ in the plan and the potentials.</param>
    /// <param name="cancellation">Watched once per row, node or pass; ends with <see cref="SolverStatus.Cancelled"/> and derivatives that are NaN.</param>
    /// <exception cref="ArgumentException">
    /// A shape does not fit, a value is not finite, or the problem is balanced and <c>Σ ∂ℓ/∂f ≠ Σ ∂ℓ/∂g</c>: ℓ then depends on the potentials' free constant.
    /// </exception>
    public PlanGradient Pullback(PlanCotangent cotangent, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cotangent);
        try
        {
            return Compute(cotangent, cancellation);
        }
        catch (OperationCanceledException)
        {
            LinearProblem problem = _result.Problem;
            return new PlanGradient(_result, null, null, null, NotComputed(problem.A.Count), NotComputed(problem.B.Count))
            {
                Status = SolverStatus.Cancelled,
                Iterations = 0,
                Message = Unfinished,
                Epsilon = double.NaN,
                Residual = double.NaN,
            };
        }
    }

    /// <summary>The work of <see cref="Pullback"/>; throws when cancelled.</summary>
    PlanGradient Compute(PlanCotangent cotangent, CancellationToken cancellation)
    {
        (double[] f, double[] g) = CheckedPotentials(cotangent);
        if (cotangent.Shape is { } shape && shape != (f.Length, g.Length))
        {
            throw new ArgumentException(
                $"The plan's cotangent is {shape.Rows} x {shape.Columns}, the plan {f.Length} x {g.Length}.",
                nameof(cotangent)
            );
        }
        ImplicitSystem system = Prepared(cancellation);
        ImplicitSolution solution = system.Solve(f, g, cotangent.Plan, _options, _backend, cancellation);
        return PlanGradient.Of(_result, system, solution, cotangent.Plan, cancellation);
    }

    /// <summary>NaN in place of what was not computed.</summary>
    internal static double[] NotComputed(int count)
    {
        var values = new double[count];
        Array.Fill(values, double.NaN);
        return values;
    }

    /// <summary>Refuses results that have no derivatives of this kind.</summary>
    internal static void CheckResult(TransportResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        if (result.Problem.Regularizer is not EntropyRegularizer)
        {
            throw new NotSupportedException(
                "The problem has no entropic regulariser, and exact plans are piecewise constant: solve with Regularizer.Entropy(...)."
            );
        }
        if (result.Problem.PenaltyA.IsTotalVariation || result.Problem.PenaltyB.IsTotalVariation)
        {
            throw new NotSupportedException(
                "Total variation has no derivatives where a potential rests on a bound: use MarginalPenalty.KullbackLeibler(...)."
            );
        }
        if (result.Potentials is null)
        {
            throw new ArgumentException(
                $"The result has no potentials to differentiate at: the solver stopped with {result.Status}. {result.Message}".TrimEnd(),
                nameof(result)
            );
        }
    }

    (double[] F, double[] G) CheckedPotentials(PlanCotangent cotangent)
    {
        LinearProblem problem = _result.Problem;
        double[] f = Checked(cotangent.F.Span, problem.A.Count, "F"),
            g = Checked(cotangent.G.Span, problem.B.Count, "G");
        if (!problem.IsBalanced)
            return (f, g);
        double difference = Summation.Sum(f) - Summation.Sum(g);
        double size = TensorPrimitives.SumOfMagnitudes<double>(f) + TensorPrimitives.SumOfMagnitudes<double>(g);
        if (Math.Abs(difference) > GaugeSlack * size)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The derivatives in f sum to {Summation.Sum(f):G17}, those in g to {Summation.Sum(g):G17}: balanced potentials are free up to (f + t, g − t), so the sums must be equal. Fix the constant in the loss first."
                ),
                nameof(cotangent)
            );
        }
        // What rounding left of the difference.
        for (int j = 0; j < g.Length && difference != 0; j++)
            g[j] += difference * (problem.B.Weights[j] / problem.B.Mass);
        return (f, g);

        static double[] Checked(ReadOnlySpan<double> values, int count, string name)
        {
            if (values.IsEmpty)
                return new double[count];
            Guard.Length(values.Length, count, name);
            Guard.Finite(values, name);
            return values.ToArray();
        }
    }

    int Threads => _backend?.Threads ?? Environment.ProcessorCount;

    ImplicitSystem Prepared(CancellationToken cancellation)
    {
        lock (_preparing)
        {
            if (_system is null)
            {
                (int n, int m) = (_result.Problem.A.Count, _result.Problem.B.Count);
                bool store = Math.Min(n, m) <= _options.MaxNodes && (long)n * m <= MaxStoredPairs;
                _system = new ImplicitSystem(_result, store, Threads, cancellation);
            }
            return _system;
        }
    }
}
