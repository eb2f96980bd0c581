using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>A Sinkhorn divergence with its gradients, and the three transport problems that it consists of.</summary>
/// <remarks>Status: the worst of the three. Iterations: their sum. Owns managed memory only.</remarks>
public sealed class DivergenceResult : SolverResult
{
    readonly double[] _a;
    readonly double[] _b;

    internal DivergenceResult(double[] a, double[] b) => (_a, _b) = (a, b);

    /// <summary>
    /// <c>S(a, b) = OT(a, b) − OT(a, a)/2 − OT(b, b)/2 + (ε/2)(m_a − m_b)²</c>, each term by its dual value, whose error is of second order in the marginal
    /// error. NaN where a term could not be evaluated.
    /// </summary>
    public required double Value { get; init; }

    /// <summary>The absolute ε of all three terms, in cost units.</summary>
    public required double Epsilon { get; init; }

    /// <summary>OT(a, b).</summary>
    public required TransportResult Cross { get; init; }

    /// <summary>OT(a, a); its two potentials are equal. Null where the cross term was infeasible or cancelled first.</summary>
    public TransportResult? SelfSource { get; init; }

    /// <summary>OT(b, b); its two potentials are equal. Null where an earlier term was infeasible or cancelled.</summary>
    public TransportResult? SelfTarget { get; init; }

    /// <summary>The largest marginal error of the three.</summary>
    public double MarginalError =>
        Math.Max(Cross.MarginalError, Math.Max(SelfSource?.MarginalError ?? 0, SelfTarget?.MarginalError ?? 0));

    /// <summary>
    /// <c>∂S/∂a</c>, n values: <c>f_ab − f_aa</c> less its mean on balanced problems, for changes that keep the mass; <c>w(f_ab) − w(f_aa) − ε (e^(−f_ab/ρ) − e^(−f_aa/ρ))</c>
    /// with penalties. Finite at empty bins too, where it tells what a first grain of mass would cost. NaN where a term is missing.
    /// </summary>
    public ReadOnlySpan<double> A => _a;

    /// <summary><c>∂S/∂b</c>, m values; see <see cref="A"/>.</summary>
    public ReadOnlySpan<double> B => _b;

    /// <summary>
    /// <c>∂S/∂x_i = Σ_j P^ab_ij ∂₁c(x_i, y_j) − Σ_k P^aa_ik ∂₁c(x_i, x_k)</c> and likewise at the targets, streamed: O((n + m)² d) time, never n × m memory, no linear
    /// solve. A cost's kink counts with the subgradient 0.
    /// </summary>
    /// <param name="threads">Threads, which change no bit; all processors when left out.</param>
    /// <param name="cancellation">Watched once per row.</param>
    /// <exception cref="NotSupportedException">The costs do not come from a <see cref="PointCloud"/>, or from a custom cost without a gradient.</exception>
    /// <exception cref="InvalidOperationException">A term is missing: the solve was infeasible or cancelled.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public PointGradient Points(int? threads = null, CancellationToken cancellation = default)
    {
        int count = threads ?? Environment.ProcessorCount;
        return Points(
            (term, wantsTarget) =>
                PointGradient.Contract(EntropicGradient.CloudOf(term), term.Plan.Row, wantsTarget, count, cancellation)
        );
    }

    /// <summary>
    /// As <see cref="Points(int?, CancellationToken)"/>, on a back end: squared Euclidean costs by products with the three plans, other costs on the host. See
    /// <see cref="EntropicGradient.Points(IBackend, CancellationToken)"/>.
    /// </summary>
    /// <param name="backend">Where the products are made. Never disposed here.</param>
    /// <param name="cancellation">Watched by the operators.</param>
    /// <exception cref="BackendException">The back end failed, or has not the memory.</exception>
    /// <exception cref="NotSupportedException">As without a back end.</exception>
    /// <exception cref="InvalidOperationException">A term is missing: the solve was infeasible or cancelled.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public PointGradient Points(IBackend backend, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(backend);
        return Points((term, wantsTarget) => EntropicGradient.Points(term, wantsTarget, backend, cancellation));
    }

    PointGradient Points(Func<TransportResult, bool, PointGradient> term)
    {
        EntropicGradient.CloudOf(Cross);
        (TransportResult xx, TransportResult yy) = Selves();
        return term(Cross, true).Less(term(xx, false)).Less(term(yy, false).Exchanged());
    }

    /// <summary>
    /// Certified bounds of the divergence: each term's dual bound and the value of its rounded plan, recomputed by code that is not the solvers'. A few passes
    /// over the pairs of all three.
    /// </summary>
    /// <returns>A lower and an upper bound; infinite where a term has none.</returns>
    /// <exception cref="InvalidOperationException">A term is missing: the solve was infeasible or cancelled.</exception>
    public (double Lower, double Upper) Certify()
    {
        (TransportResult xx, TransportResult yy) = Selves();
        (double low, double high) = Bounds(Cross);
        (double lowX, double highX) = Bounds(xx);
        (double lowY, double highY) = Bounds(yy);
        double mass = MassTerm(Cross.Problem, Epsilon);
        return (low - (highX / 2) - (highY / 2) + mass, high - (lowX / 2) - (lowY / 2) + mass);

        static (double Low, double High) Bounds(TransportResult term)
        {
            Certificate certificate = term.Certify();
            return (certificate.DualValue ?? double.NegativeInfinity, certificate.PrimalValue);
        }
    }

    /// <summary><c>(ε/2)(m_a − m_b)²</c>; 0 when balanced.</summary>
    internal static double MassTerm(LinearProblem problem, double epsilon)
    {
        double difference = problem.IsBalanced ? 0 : problem.A.Mass - problem.B.Mass;
        return epsilon / 2 * difference * difference;
    }

    (TransportResult Source, TransportResult Target) Selves() =>
        SelfSource is { } source && SelfTarget is { } target
            ? (source, target)
            : throw new InvalidOperationException($"A term of the divergence is missing: {Status}. {Message}".TrimEnd());
}
