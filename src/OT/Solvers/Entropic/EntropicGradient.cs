using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>
/// Derivatives of the optimal value of an entropic problem in everything it depends on, by the envelope theorem: no linear solve, whatever number of iterations
/// found the plan.
/// </summary>
/// <remarks>
/// With the optimal plan P and potentials f, g: <c>∂/∂C = P</c>, <c>∂/∂ε = KL(P | a ⊗ b)</c>, <c>∂/∂a_i = w_a(f_i) + ε (m_b − e^(−f_i/ρ_a))</c> with
/// <c>w(f) = ρ (1 − e^(−f/ρ))</c> or f for a hard marginal, and <c>∂/∂x_i = Σ_j P_ij ∂₁c(x_i, y_j)</c>. Derivatives in C and in points take the plan as it is,
/// so they are off by no more than the plan is, see <see cref="PlanErrorBound"/>. See docs/theory/gradients.md.
/// </remarks>
public sealed class EntropicGradient
{
    readonly TransportResult _result;
    readonly double[] _a;
    readonly double[] _b;

    EntropicGradient(TransportResult result, double[] a, double[] b) => (_result, _a, _b) = (result, a, b);

    /// <summary>
    /// <c>∂/∂a</c>, n values, finite at empty bins too. Balanced problems: for changes that keep the mass, the mean taken out so that the values sum to 0. With a
    /// penalty: as they are, nothing is free.
    /// </summary>
    public ReadOnlySpan<double> A => _a;

    /// <summary><c>∂/∂b</c>, m values; see <see cref="A"/>.</summary>
    public ReadOnlySpan<double> B => _b;

    /// <summary><c>∂/∂ε = KL(P | a ⊗ b)</c>, at least 0 but for rounding.</summary>
    public double Epsilon => _result.RegularizerValue / _result.Epsilon;

    /// <summary><c>∂/∂C</c>: the plan, implicit.</summary>
    public TransportPlan Cost => _result.Plan;

    /// <summary>The derivatives at a solved problem, those in the weights computed here in O(n + m).</summary>
    /// <exception cref="ArgumentException">The result has no potentials.</exception>
    /// <exception cref="NotSupportedException">The problem has no entropic regulariser.</exception>
    public static EntropicGradient Of(TransportResult result)
    {
        ImplicitGradient.CheckResult(result);
        LinearProblem problem = result.Problem;
        double[] a = InWeights(result.Potentials!.F, problem.PenaltyA, result.Epsilon, problem.B.Mass),
            b = InWeights(result.Potentials.G, problem.PenaltyB, result.Epsilon, problem.A.Mass);
        if (problem.IsBalanced)
        {
            Centre(a);
            Centre(b);
        }
        return new EntropicGradient(result, a, b);
    }

    /// <summary>
    /// <c>Σ_j P_ij ∂₁c(x_i, y_j)</c> and <c>Σ_i P_ij ∂₂c(x_i, y_j)</c>: one pass over the pairs, streamed, O(nm d) time and never n × m memory. Where a cost has a
    /// kink its subgradient 0 is taken, so coincident points pull at nothing.
    /// </summary>
    /// <param name="threads">Threads, which change no bit; all processors when left out.</param>
    /// <param name="cancellation">Watched once per row.</param>
    /// <exception cref="NotSupportedException">
    /// The costs do not come from a <see cref="PointCloud"/>, or from a custom cost that has no gradient or is not symmetric.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public PointGradient Points(int? threads = null, CancellationToken cancellation = default) =>
        PointGradient.Contract(
            CloudOf(_result),
            _result.Plan.Row,
            wantsTarget: true,
            threads ?? Environment.ProcessorCount,
            cancellation
        );

    /// <summary>
    /// As <see cref="Points(int?, CancellationToken)"/>, on a back end: squared Euclidean costs by <c>2s (x_i (P1)_i − (P y)_i)</c>, products with the plan in
    /// doubles, within 1e-13 of the clouds' extent times the mass; other costs on the host, with <see cref="IBackend.Threads"/> threads.
    /// </summary>
    /// <param name="backend">Where the products are made. Never disposed here.</param>
    /// <param name="cancellation">Watched by the operator.</param>
    /// <exception cref="BackendException">The back end failed, or has not the memory.</exception>
    /// <exception cref="NotSupportedException">As without a back end.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public PointGradient Points(IBackend backend, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(backend);
        return Points(_result, wantsTarget: true, backend, cancellation);
    }

    internal static PointGradient Points(
        TransportResult result,
        bool wantsTarget,
        IBackend backend,
        CancellationToken cancellation
    )
    {
        PointCloud cloud = CloudOf(result);
        if (result.Plan is not PotentialPlan plan || cloud.GroundCost is not GroundCost.SquaredEuclideanCost)
            return PointGradient.Contract(cloud, result.Plan.Row, wantsTarget, backend.Threads, cancellation);
        using AgreedToken stop = backend.Share.Agree(cancellation);
        using ICostOperator op = backend.Bind(cloud, cancellation: stop.Token);
        return PointGradient.ByProducts(
            cloud,
            (vectors, products, transpose) =>
            {
                op.ApplyPlan(plan.Gibbs, vectors, products, transpose);
                if (op.Interrupted)
                    throw new OperationCanceledException(cancellation);
            },
            wantsTarget
        );
    }

    /// <summary>
    /// How far the plan is from the optimal one at most: with K the certified gap over ε, <c>|P − P*|₁ ≤ 2 err + 2K/3 + sqrt(4K²/9 + 2 m K)</c>. Times
    /// <see cref="PointGradient.LargestSlope"/> it bounds the error of every derivative in a point. Pessimistic, since it takes a root.
    /// </summary>
    /// <param name="certificate">What <see cref="TransportResult.Certify"/> returned for this result.</param>
    /// <returns>The bound, in units of mass; <c>+∞</c> where the certificate has no gap.</returns>
    public double PlanErrorBound(Certificate certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        if (certificate.Gap is not { } gap || !double.IsFinite(gap))
            return double.PositiveInfinity;
        // The objective is ε-strongly convex in KL, and |P − Q|₁² ≤ 2/3 (|P| + 2|Q|) KL(P | Q). Rounding may have gone a long way round forbidden pairs.
        LinearProblem problem = _result.Problem;
        double mass = problem.IsBalanced ? problem.A.Mass : Summation.Sum(_result.Plan.Marginals().Rows);
        double moved = problem.Geometry.HasForbiddenPairs ? problem.A.Count + problem.B.Count : 2;
        double k = gap / _result.Epsilon;
        return (moved * certificate.MarginalError) + (2 * k / 3) + Math.Sqrt((4 * k * k / 9) + (2 * mass * k));
    }

    /// <summary><c>w(f) + ε (m − e^(−f/ρ))</c>.</summary>
    static double[] InWeights(ReadOnlySpan<double> potential, MarginalPenalty penalty, double epsilon, double otherMass)
    {
        var gradient = new double[potential.Length];
        for (int k = 0; k < gradient.Length; k++)
        {
            double exponent = penalty.IsExact ? 0 : -potential[k] / penalty.Rho;
            double conjugate = penalty.IsExact ? potential[k] : -penalty.Rho * VectorMath.ExpM1(exponent);
            gradient[k] = conjugate + (epsilon * (otherMass - Math.Exp(exponent)));
        }
        return gradient;
    }

    static void Centre(double[] gradient) =>
        TensorPrimitives.Subtract(gradient, Summation.Sum(gradient) / gradient.Length, gradient);

    /// <summary>The points of a result, or a refusal.</summary>
    internal static PointCloud CloudOf(TransportResult result) =>
        result.Problem.Geometry as PointCloud
        ?? throw new NotSupportedException(
            $"Derivatives in points need costs from a PointCloud, and these come from {result.Problem.Geometry.GetType().Name}: take the derivatives in the costs."
        );
}
