using System.Numerics.Tensors;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Applications.Rebasin;

/// <summary>
/// The doubly stochastic matrix <c>P = S_τ(X)</c> of a square matrix of scores: <c>P_ij = exp((f_i + g_j + X_ij)/τ)</c> with all row and column sums 1. Differentiable
/// in X, and the permutation of largest score in the limit τ → 0.
/// </summary>
/// <remarks>
/// It is the entropic plan of cost −X, ε = τ and weights 1, so adding a constant to a row or a column of X changes nothing. See docs/theory/rebasin.md. Sources: Guerrero Peña et
/// al. 2023; Eisenberger et al. 2022.
/// </remarks>
public sealed class SoftPermutation
{
    readonly IBackend? _backend;

    /// <summary>Solves for P.</summary>
    /// <param name="scores">X, h × h, finite; shared, not copied.</param>
    /// <param name="temperature">τ, positive, in the units of X.</param>
    /// <param name="options">Of the solve; the default stops at an error of 1e-9 per row and column, since the derivative assumes sums of 1.</param>
    /// <param name="backend">Where the solve runs; a managed back end on one thread when left out. Never disposed here.</param>
    /// <param name="start">Potentials of a similar X, to save iterations; they do not change the answer.</param>
    /// <param name="cancellation">Watched by the solve: see <see cref="Result"/>.</param>
    /// <exception cref="ArgumentException">X is not square, empty or not finite, or τ is out of the range that doubles resolve for these scores.</exception>
    public SoftPermutation(
        Matrix scores,
        double temperature,
        SinkhornOptions? options = null,
        IBackend? backend = null,
        Potentials? start = null,
        CancellationToken cancellation = default
    )
    {
        var problem = new LinearProblem(Costs(scores), Ones(scores), Ones(scores))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(temperature)),
        };
        using ManagedBackend? own = backend is null ? new ManagedBackend(threads: 1) : null;
        var sinkhorn = new Sinkhorn(options ?? new SinkhornOptions { Tolerance = 1e-9 }, backend ?? own!);
        Result = start is null ? sinkhorn.Solve(problem, cancellation) : sinkhorn.Solve(problem, start, cancellation);
        Plan = Result.Plan.ToDense();
        _backend = backend;
    }

    /// <summary>P, h × h.</summary>
    public Matrix Plan { get; }

    /// <summary>The solve: status, marginal error, potentials.</summary>
    public TransportResult Result { get; }

    /// <summary>The permutation of largest total score, found as an assignment: row i takes column <c>p[i]</c>. O(h³).</summary>
    /// <param name="scores">h × h, finite.</param>
    /// <exception cref="ArgumentException">The matrix is not square, empty or not finite.</exception>
    public static int[] Harden(Matrix scores) => Assignment.Match(Costs(scores));

    /// <summary>The derivatives of a scalar in X, given those in P: the vector-Jacobian product. Rows and columns of the result sum to 0.</summary>
    /// <param name="planGradients"><c>∂ℓ/∂P</c>, h × h, finite.</param>
    /// <returns><c>∂ℓ/∂X</c>, h × h.</returns>
    /// <remarks>
    /// One linear system of order 2h, O(h³), however many iterations the solve took; beyond h = 1024 by conjugate gradients, whose last iterate is taken where they
    /// stop before 1e-10 (see <see cref="ImplicitGradientOptions"/>).
    /// </remarks>
    /// <exception cref="ArgumentException">The shape does not fit, or a value is not finite.</exception>
    public Matrix Backward(Matrix planGradients)
    {
        ArgumentNullException.ThrowIfNull(planGradients);
        Guard.Length(planGradients.Rows, Plan.Rows, nameof(planGradients));
        Guard.Length(planGradients.Columns, Plan.Rows, "a row of planGradients");
        using ManagedBackend? own = _backend is null ? new ManagedBackend(threads: 1) : null;
        PlanGradient gradient = new ImplicitGradient(Result, backend: _backend ?? own).Pullback(
            PlanCotangent.OfPlan(planGradients)
        );
        double[] scores = gradient.Cost().Values.ToArray();
        TensorPrimitives.Negate<double>(scores, scores);
        return new Matrix(Plan.Rows, Plan.Rows, scores);
    }

    /// <summary>−X, since transport minimises.</summary>
    static CostMatrix Costs(Matrix scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        Guard.Length(scores.Columns, scores.Rows, "a row of scores");
        Guard.Finite(scores.Values, nameof(scores));
        var costs = new double[scores.Values.Length];
        TensorPrimitives.Negate(scores.Values, costs);
        return new CostMatrix(scores.Rows, scores.Rows, costs);
    }

    static Measure Ones(Matrix scores)
    {
        var ones = new double[scores.Rows];
        Array.Fill(ones, 1);
        return Measure.Of(ones);
    }
}
