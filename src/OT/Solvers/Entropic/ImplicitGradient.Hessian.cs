using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Second derivatives of the optimal value: the envelope gradients of <see cref="EntropicGradient"/>, differentiated once more.</summary>
public sealed partial class ImplicitGradient
{
    /// <summary>The Hessian of the optimal value in the points, times the direction <c>(v, w)</c>; squared Euclidean costs and their halves only.</summary>
    /// <param name="source">v, n × d: how the sources move.</param>
    /// <param name="target">w, m × d: how the targets move.</param>
    /// <param name="cancellation">As in <see cref="Pullback"/>.</param>
    /// <exception cref="ArgumentException">A shape does not fit, or a value is not finite.</exception>
    /// <exception cref="NotSupportedException">The costs are not squared Euclidean ones of a <see cref="PointCloud"/>: others have no second derivative here.</exception>
    public HessianProduct HessianInPoints(Matrix source, Matrix target, CancellationToken cancellation = default)
    {
        PointCloud cloud = EntropicGradient.CloudOf(_result);
        if (cloud.GroundCost is not GroundCost.SquaredEuclideanCost squared)
        {
            throw new NotSupportedException(
                $"Second derivatives of the cost {cloud.GroundCost.Name} are not known: use squared Euclidean costs, or differences of gradients."
            );
        }
        CheckDirection(source, cloud.Source, nameof(source));
        CheckDirection(target, cloud.Target, nameof(target));
        // The slope of ⟨C, P⟩ at a fixed plan is Σ P_ij D_ij with D_ij = 2s (x_i − y_j)·(v_i − w_j); both P and D move.
        void Slope(int i, Span<double> values)
        {
            for (int j = 0; j < values.Length; j++)
            {
                double sum = 0;
                for (int k = 0; k < cloud.Dimension; k++)
                    sum += (cloud.Source[i, k] - cloud.Target[j, k]) * (source[i, k] - target[j, k]);
                values[j] = 2 * squared.Scale * sum;
            }
        }
        try
        {
            PlanGradient gradient = Compute(new PlanCotangent { Plan = Slope }, cancellation);
            PointGradient byPlan = gradient.Points(cancellation);
            LinearProblem problem = _result.Problem;
            var plan = new PotentialPlan(cloud, problem.A, problem.B, _result.Potentials!, _result.Epsilon);
            // ∂₁c of the directions is 2s (v − w), the Hessian of c times the direction.
            var byCost = PointGradient.Contract(
                new PointCloud(source, target, cloud.GroundCost),
                plan.Row,
                wantsTarget: true,
                Threads,
                cancellation
            );
            return Product(gradient, Sum(byPlan.Source, byCost.Source), Sum(byPlan.Target, byCost.Target));
        }
        catch (OperationCanceledException)
        {
            return NoProduct(cloud.Dimension);
        }
    }

    /// <summary>
    /// The Hessian of the optimal value in the weights, times the direction <c>(da, db)</c>: the change of <see cref="EntropicGradient.A"/> and
    /// <see cref="EntropicGradient.B"/>, balanced problems up to a constant on each side.
    /// </summary>
    /// <param name="a">da, n values.</param>
    /// <param name="b">db, m values; balanced problems need <c>Σ da = Σ db</c>.</param>
    /// <param name="cancellation">As in <see cref="Pullback"/>.</param>
    /// <exception cref="ArgumentException">A shape does not fit, a value is not finite, or the sums differ though the problem is balanced.</exception>
    public HessianProduct HessianInWeights(
        ReadOnlySpan<double> a,
        ReadOnlySpan<double> b,
        CancellationToken cancellation = default
    )
    {
        LinearProblem problem = _result.Problem;
        Guard.Length(a.Length, problem.A.Count, nameof(a));
        Guard.Length(b.Length, problem.B.Count, nameof(b));
        // The gradient is w_a(f) + ε (m_b − e^(−f/ρ_a)), and e^(−f/ρ) (1 + ε/ρ) its derivative in f.
        double[] slopesA = Slopes(a, _result.Potentials!.F, problem.PenaltyA),
            slopesB = Slopes(b, _result.Potentials.G, problem.PenaltyB);
        (double massA, double massB) = (Summation.Sum(a), Summation.Sum(b));
        try
        {
            PlanGradient gradient = Compute(PlanCotangent.OfPotentials(slopesA, slopesB), cancellation);
            return Product(gradient, Shifted(gradient.A, _result.Epsilon * massB), Shifted(gradient.B, _result.Epsilon * massA));
        }
        catch (OperationCanceledException)
        {
            return NoProduct(1);
        }
    }

    double[] Slopes(ReadOnlySpan<double> direction, ReadOnlySpan<double> potential, MarginalPenalty penalty)
    {
        double[] slopes = direction.ToArray();
        for (int k = 0; k < slopes.Length && !penalty.IsExact; k++)
            slopes[k] *= Math.Exp(-potential[k] / penalty.Rho) * (1 + (_result.Epsilon / penalty.Rho));
        return slopes;
    }

    static void CheckDirection(Matrix direction, Matrix points, string name)
    {
        ArgumentNullException.ThrowIfNull(direction, name);
        if (direction.Rows != points.Rows || direction.Columns != points.Columns)
        {
            throw new ArgumentException(
                $"The direction is {direction.Rows} x {direction.Columns}, the points {points.Rows} x {points.Columns}.",
                name
            );
        }
        Guard.Finite(direction.Values, name);
    }

    static Matrix Sum(Matrix x, Matrix y)
    {
        var sum = new double[x.Values.Length];
        TensorPrimitives.Add(x.Values, y.Values, sum);
        return new Matrix(x.Rows, x.Columns, sum);
    }

    static Matrix Shifted(ReadOnlySpan<double> x, double shift)
    {
        var sum = new double[x.Length];
        TensorPrimitives.Add(x, shift, sum);
        return new Matrix(x.Length, 1, sum);
    }

    static HessianProduct Product(PlanGradient gradient, Matrix source, Matrix target) =>
        new()
        {
            Status = gradient.Status,
            Iterations = gradient.Iterations,
            Residual = gradient.Residual,
            Backend = gradient.Backend,
            Message = gradient.Message,
            Source = source,
            Target = target,
        };

    HessianProduct NoProduct(int columns)
    {
        (int n, int m) = (_result.Problem.A.Count, _result.Problem.B.Count);
        return new()
        {
            Status = SolverStatus.Cancelled,
            Iterations = 0,
            Residual = double.NaN,
            Message = Unfinished,
            Source = new Matrix(n, columns, NotComputed(n * columns)),
            Target = new Matrix(m, columns, NotComputed(m * columns)),
        };
    }
}
