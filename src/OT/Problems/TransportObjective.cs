using OT.Geometries;
using OT.Numerics;

namespace OT.Problems;

/// <summary>Draws an unbiased estimate of a gradient at a plan.</summary>
/// <param name="plan">P, n × m, row-major.</param>
/// <param name="gradient">Receives the estimate, n × m.</param>
/// <param name="random">The solver's seeded stream: an oracle that draws from it alone is deterministic.</param>
public delegate void GradientSampler(ReadOnlySpan<double> plan, Span<double> gradient, SeededRandom random);

/// <summary>A function F of a transport plan, by its values and (sub)gradients. Plans and gradients are n × m, row-major.</summary>
/// <remarks>
/// Subclass it for an objective of your own: <see cref="Value"/>, <see cref="Gradient"/> and <see cref="IsConvex"/> are enough. Where <see cref="IsConvex"/> is wrongly true, bounds are wrong.
/// Implementations must be pure: the same plan gives the same answer. docs/theory/mirror-sinkhorn.md
/// </remarks>
public abstract class TransportObjective
{
    /// <summary>Gives the shape of the plans.</summary>
    /// <param name="rows">n, positive.</param>
    /// <param name="columns">m, positive.</param>
    protected TransportObjective(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(columns);
        (Rows, Columns) = (rows, columns);
    }

    /// <summary>Number of sources, n.</summary>
    public int Rows { get; }

    /// <summary>Number of targets, m.</summary>
    public int Columns { get; }

    /// <summary>Whether F is convex on plans of equal marginals, so that gradients bound it from below.</summary>
    public abstract bool IsConvex { get; }

    /// <summary>Whether <see cref="Value"/> and <see cref="Gradient"/> are known, not only samples; true by default.</summary>
    public virtual bool IsKnown => true;

    /// <summary>1/L where F − L Σ P log P is concave: a mirror step is never longer. Positive; infinite by default, no limit.</summary>
    public virtual double LargestStep => double.PositiveInfinity;

    /// <summary>Whether some pair is forbidden; false by default.</summary>
    public virtual bool HasForbiddenPairs => false;

    /// <summary>Whether a pair must not carry mass. F is then never looked at there: values of the gradient are ignored, and masses are 0.</summary>
    public virtual bool IsForbidden(int row, int column) => false;

    /// <summary>F(P).</summary>
    public abstract double Value(ReadOnlySpan<double> plan);

    /// <summary>A (sub)gradient of F at P.</summary>
    /// <param name="plan">P, n × m.</param>
    /// <param name="gradient">Receives ∂F/∂P_ij, n × m.</param>
    public abstract void Gradient(ReadOnlySpan<double> plan, Span<double> gradient);

    /// <summary>What a solver steps along: <see cref="Gradient"/> unless overridden, else an unbiased estimate of it drawn from <paramref name="random"/>.</summary>
    public virtual void SampleGradient(ReadOnlySpan<double> plan, Span<double> gradient, SeededRandom random) =>
        Gradient(plan, gradient);

    /// <summary><c>⟨C, P⟩</c>; pairs with cost <c>+∞</c> are forbidden. Keeps n × m doubles.</summary>
    public static TransportObjective Linear(Geometry costs) => new CostObjective(costs);

    /// <summary><c>⟨C, P⟩ + (γ/2) Σ P²</c>.</summary>
    /// <param name="costs">C, n × m.</param>
    /// <param name="gamma">γ, positive.</param>
    public static TransportObjective Quadratic(Geometry costs, double gamma) =>
        new CostObjective(costs) { Gamma = Guard.Positive(gamma) };

    /// <summary><c>⟨C, P⟩ + ε KL(P | a ⊗ b)</c>, <c>KL(P|Q) = Σ P log(P/Q) − P + Q</c>: the objective of <see cref="Regularizer.Entropy"/>.</summary>
    /// <param name="costs">C, n × m.</param>
    /// <param name="a">Source weights of the reference.</param>
    /// <param name="b">Target weights of the reference.</param>
    /// <param name="epsilon">ε; 0.05 of the mean cost when left out.</param>
    public static TransportObjective Entropic(Geometry costs, Measure a, Measure b, Epsilon? epsilon = null)
    {
        var problem = new LinearProblem(costs, a, b); // checks the shapes
        return new CostObjective(costs)
        {
            Epsilon = (epsilon ?? Epsilon.Default).Resolve(problem.Geometry),
            LogReference = (VectorMath.LogWeights(a.Weights), VectorMath.LogWeights(b.Weights), a.Mass * b.Mass),
        };
    }

    /// <summary><c>−⟨K_x P K_y, P⟩</c> with gradient <c>−2 K_x P K_y</c>: plans that match similar pairs to similar pairs.</summary>
    /// <param name="kx">K_x, n × n, symmetric.</param>
    /// <param name="ky">K_y, m × m, symmetric.</param>
    /// <remarks>
    /// Convex only where one of the centred matrices is positive semidefinite and the other negative semidefinite, which is found out here by two eigenvalue decompositions, O(n³ + m³).
    /// Two kernels make it concave or indefinite: <see cref="IsConvex"/> is then false. O(nm(n + m)) per gradient.
    /// </remarks>
    /// <exception cref="ArgumentException">A matrix is not square, not symmetric, or not finite.</exception>
    public static TransportObjective NegativeInner(Matrix kx, Matrix ky) => new InnerProductObjective(kx, ky);

    /// <summary><c>λ Σ_K Σ_j |(P_ij) for i in class K|₂</c>: each column is drawn towards few classes of rows. The subgradient is 0 where a norm is 0.</summary>
    /// <param name="rowClasses">The class of each row, n numbers from 0.</param>
    /// <param name="columns">m.</param>
    /// <param name="lambda">λ, positive.</param>
    public static TransportObjective GroupLasso(ReadOnlySpan<int> rowClasses, int columns, double lambda) =>
        new GroupLassoObjective(rowClasses, columns, lambda);

    /// <summary><c>Σ_k w_k F_k(P)</c>. A pair that any term forbids is forbidden.</summary>
    /// <param name="terms">At least one; weights finite and not negative.</param>
    public static TransportObjective Sum(params ReadOnlySpan<(double Weight, TransportObjective Objective)> terms) =>
        new ObjectiveSum(terms);

    /// <summary>An objective whose steps follow sampled gradients, while values and certificates use its expectation.</summary>
    /// <param name="expectation">F itself.</param>
    /// <param name="sampler">Unbiased estimates of its gradient. Clipping them would bias the mean.</param>
    public static TransportObjective Sampled(TransportObjective expectation, GradientSampler sampler) =>
        new SampledObjective(expectation, sampler);

    /// <summary>An objective known by sampled gradients alone: no value, no bound.</summary>
    /// <param name="rows">n.</param>
    /// <param name="columns">m.</param>
    /// <param name="sampler">Unbiased estimates of the gradient.</param>
    public static TransportObjective Sampled(int rows, int columns, GradientSampler sampler) =>
        new SampledObjective(rows, columns, sampler);
}
