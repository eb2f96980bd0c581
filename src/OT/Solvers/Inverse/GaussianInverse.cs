using System.Collections.Immutable;
using MathNet.Numerics.LinearAlgebra;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Inverse;

/// <summary>Inverse transport between Gaussians with a bilinear cost <c>xᵀ A y</c>: everything in closed form but the penalised estimate, which has closed gradients and Hessians.</summary>
/// <remarks>
/// In the cost convention: min ⟨c, P⟩ + ε KL(P | a ⊗ b). Means play no part. Covariances are positive definite; the joint covariance of an observed coupling is too.
/// Sources: Bojilov and Galichon 2016; Andrade, Peyré, Poon, ICLR 2024; docs/theory/inverse.md.
/// </remarks>
public static class GaussianInverse
{
    /// <summary>Eigenvalues of a covariance below this share of the largest are 0.</summary>
    const double Definite = 1e-14;

    /// <summary>The cross-covariance <c>E[x yᵀ]</c> of the entropic plan of a cost, and its value <c>OT_ε</c>.</summary>
    /// <param name="source">Σ_a, d × d.</param>
    /// <param name="target">Σ_b, d' × d'.</param>
    /// <param name="parameter">A, d × d'.</param>
    /// <param name="epsilon">ε, positive.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, a value is not finite, or a covariance is not symmetric and positive definite.</exception>
    public static (Matrix Cross, double Value) Forward(Matrix source, Matrix target, Matrix parameter, double epsilon)
    {
        GaussianModel model = Model(source, target, null, epsilon);
        double[] theta = Checked(parameter, source, target, nameof(parameter));
        return (Ours(model.Cross(theta)), model.Transport(theta));
    }

    /// <summary>The cost whose plan has the observed covariance: <c>A = −ε Σ_a⁻¹ Σ (Σ_b − Σᵀ Σ_a⁻¹ Σ)⁻¹</c>, ε times the off-diagonal block of the joint precision matrix.</summary>
    /// <param name="source">Σ_a, d × d.</param>
    /// <param name="target">Σ_b, d' × d'.</param>
    /// <param name="cross">Σ = E[x yᵀ], d × d'.</param>
    /// <param name="epsilon">ε, positive.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, a value is not finite, or the joint covariance is not symmetric and positive definite.</exception>
    public static Matrix Fit(Matrix source, Matrix target, Matrix cross, double epsilon)
    {
        Guard.Positive(epsilon);
        (Matrix<double> sa, Matrix<double> sb, Matrix<double> sigma) = Joint(source, target, cross);
        Matrix<double> half = sa.Cholesky().Solve(sigma);
        // (B⁻¹ halfᵀ)ᵀ = half B⁻¹ for the symmetric B.
        Matrix<double> conditional = sb - (sigma.Transpose() * half);
        return Ours(-epsilon * ((conditional + conditional.Transpose()) / 2).Cholesky().Solve(half.Transpose()).Transpose());
    }

    /// <summary>The penalised estimate <c>min over A of L(A) + λ R(A)</c> from covariances alone.</summary>
    /// <param name="source">Σ_a, d × d.</param>
    /// <param name="target">Σ_b, d' × d'.</param>
    /// <param name="cross">Σ = E[x yᵀ], d × d'.</param>
    /// <param name="epsilon">ε, positive.</param>
    /// <param name="lambda">λ, 0 or more.</param>
    /// <param name="penalty">R; the sum of absolute values when left out.</param>
    /// <param name="constraint">What A must be.</param>
    /// <param name="options">Tolerance, limits, algorithm; defaults when left out.</param>
    /// <exception cref="ArgumentException">As for <see cref="Fit(Matrix, Matrix, Matrix, double)"/>, or penalty and constraint do not fit A.</exception>
    public static GaussianInverseResult Fit(
        Matrix source,
        Matrix target,
        Matrix cross,
        double epsilon,
        double lambda,
        ParameterPenalty? penalty = null,
        ParameterConstraint constraint = ParameterConstraint.None,
        InverseTransportOptions? options = null
    )
    {
        Guard.NonNegative(lambda);
        options ??= new InverseTransportOptions();
        options.Validate();
        GaussianModel model = Model(source, target, cross, epsilon);
        ParameterSpace space = Space(model, source, target, penalty, constraint);
        using CancellationTokenSource limit = options.Limit(CancellationToken.None);
        var run = new InverseRun(model, space, options, limit.Token);
        double largest = double.NaN;
        InverseOutcome outcome;
        try
        {
            largest = run.LargestLambda();
            outcome = run.Solve(lambda);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            outcome = run.Stopped(SolverStatus.TimeLimit)!;
        }
        return new GaussianInverseResult
        {
            Status = outcome.Status,
            Iterations = outcome.Iterations,
            Errors = outcome.Errors,
            Message = outcome.Message,
            Why = run.Method,
            Parameter = new Matrix(source.Rows, target.Rows, space.Expand(outcome.Point.T)),
            Loss = outcome.Point.At.Value,
            KktResidual = outcome.Residual,
            LambdaMax = largest,
            Gradient = [.. outcome.Point.At.Gradient],
        };
    }

    /// <summary>Whether the support of a parameter can be recovered from Gaussian data.</summary>
    /// <param name="source">Σ_a, d × d.</param>
    /// <param name="target">Σ_b, d' × d'.</param>
    /// <param name="parameter">A, d × d'.</param>
    /// <param name="epsilon">ε, positive.</param>
    /// <param name="penalty">R; the sum of absolute values when left out.</param>
    /// <param name="constraint">What A must be.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, a value is not finite, or a covariance is not symmetric and positive definite.</exception>
    /// <exception cref="NotSupportedException">The penalty is the nuclear norm or the parameter semidefinite.</exception>
    public static Irrepresentability PreCertificate(
        Matrix source,
        Matrix target,
        Matrix parameter,
        double epsilon,
        ParameterPenalty? penalty = null,
        ParameterConstraint constraint = ParameterConstraint.None
    )
    {
        GaussianModel model = Model(source, target, null, epsilon);
        ParameterSpace space = Space(model, source, target, penalty, constraint);
        double[] t = space.Restrict(Checked(parameter, source, target, nameof(parameter)));
        Evaluation at = model.Evaluate(space.Expand(t), 0, [], [])!;
        return Irrepresentability.Of(model, space, t, at);
    }

    /// <summary>The Hessian of the loss: dd' × dd', for A stored row after row.</summary>
    /// <param name="source">Σ_a, d × d.</param>
    /// <param name="target">Σ_b, d' × d'.</param>
    /// <param name="parameter">A, d × d'.</param>
    /// <param name="epsilon">ε, positive.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, a value is not finite, or a covariance is not symmetric and positive definite.</exception>
    public static Matrix Hessian(Matrix source, Matrix target, Matrix parameter, double epsilon)
    {
        GaussianModel model = Model(source, target, null, epsilon);
        Evaluation at = model.Evaluate(Checked(parameter, source, target, nameof(parameter)), 0, [], [])!;
        return Matrix.From(model.Hessian(at, [.. Enumerable.Range(0, model.Count)], InverseModel.ExactSystems).Values);
    }

    static ParameterSpace Space(
        GaussianModel model,
        Matrix source,
        Matrix target,
        ParameterPenalty? penalty,
        ParameterConstraint constraint
    ) => new(model.Count, (source.Rows, target.Rows), penalty ?? ParameterPenalty.L1, constraint, 1, model.Deviations);

    static GaussianModel Model(Matrix source, Matrix target, Matrix? cross, double epsilon)
    {
        Guard.Positive(epsilon);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        (Matrix<double> sa, Matrix<double> sb, Matrix<double> sigma) = Joint(
            source,
            target,
            cross ?? new Matrix(source.Rows, target.Rows)
        );
        return new GaussianModel(sa, sb, sigma, epsilon);
    }

    static (Matrix<double> A, Matrix<double> B, Matrix<double> Cross) Joint(Matrix source, Matrix target, Matrix cross)
    {
        Matrix<double> sa = Covariance(source, nameof(source)),
            sb = Covariance(target, nameof(target));
        Matrix<double> sigma = Theirs(new Matrix(source.Rows, target.Rows, Checked(cross, source, target, nameof(cross))));
        Matrix<double> conditional = sb - (sigma.Transpose() * sa.Cholesky().Solve(sigma));
        if (!IsDefinite((conditional + conditional.Transpose()) / 2))
            throw new ArgumentException(
                "The joint covariance is not positive definite: the cross-covariance is too large for the two covariances.",
                nameof(cross)
            );
        return (sa, sb, sigma);
    }

    static Matrix<double> Covariance(Matrix matrix, string name)
    {
        ArgumentNullException.ThrowIfNull(matrix, name);
        if (matrix.Rows != matrix.Columns || matrix.Rows == 0)
            throw new ArgumentException($"{name} is {matrix.Rows} x {matrix.Columns}: it must be square.", name);
        Guard.Finite(matrix.Values, name);
        Matrix<double> theirs = Theirs(matrix);
        double slack = 1e-10 * theirs.Enumerate().Max(Math.Abs);
        if ((theirs - theirs.Transpose()).Enumerate().Max(Math.Abs) > slack || !IsDefinite(theirs))
            throw new ArgumentException($"{name} must be symmetric and positive definite.", name);
        return (theirs + theirs.Transpose()) / 2;
    }

    static bool IsDefinite(Matrix<double> matrix)
    {
        double[] values = [.. matrix.Evd(Symmetricity.Symmetric).EigenValues.Select(value => value.Real)];
        return values.Min() > Definite * values.Max();
    }

    static double[] Checked(Matrix parameter, Matrix source, Matrix target, string name)
    {
        ArgumentNullException.ThrowIfNull(parameter, name);
        if (parameter.Rows != source.Rows || parameter.Columns != target.Rows)
            throw new ArgumentException(
                $"{name} is {parameter.Rows} x {parameter.Columns}: it must be {source.Rows} x {target.Rows}.",
                name
            );
        Guard.Finite(parameter.Values, name);
        return parameter.Values.ToArray();
    }

    static Matrix<double> Theirs(Matrix matrix) =>
        Matrix<double>.Build.DenseOfRowMajor(matrix.Rows, matrix.Columns, matrix.Values.ToArray());

    static Matrix Ours(Matrix<double> matrix) => new(matrix.RowCount, matrix.ColumnCount, matrix.ToRowMajorArray());
}
