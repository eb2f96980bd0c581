using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;
using Matrix = OT.Numerics.Matrix;

namespace OT.Solvers.Entropic;

/// <summary>Potentials near the optimal ones, made without iterating, to start <see cref="Sinkhorn"/> from: <c>Solve(problem, StartingPotentials.Gaussian(problem))</c>.</summary>
/// <remarks>
/// A start changes the number of iterations and never the optimum. With one, <see cref="Sinkhorn"/> leaves out its epsilon scaling unless a schedule is given.
/// Sources: Thornton, Cuturi, AISTATS 2023; docs/theory/sinkhorn.md.
/// </remarks>
public static class StartingPotentials
{
    /// <summary>L1 error to which the subsample is solved: sampling itself is off by more.</summary>
    const double SampleTolerance = 1e-3;

    /// <summary>Eigenvalues of a covariance below this share of the largest are rounding.</summary>
    const double Negligible = 1e-12;

    /// <summary>
    /// The exact potentials between the normal distributions with the means and covariances of a and b:
    /// <c>f(x) = |x|² − (x − μ_a)ᵀ M (x − μ_a) − 2 μ_b·x</c> with <c>M = S_a^(−1/2) (S_a^(1/2) S_b S_a^(1/2))^(1/2) S_a^(−1/2)</c>, g likewise with sides exchanged.
    /// </summary>
    /// <remarks>
    /// Good for single clouds of any size, O((n + m) d² + d³). Directions in which a cloud has no extent are left out of its M. A problem with hard marginals gets the
    /// gauge <c>⟨a, f⟩ = ⟨b, g⟩</c>.
    /// </remarks>
    /// <param name="problem">A problem on a <see cref="PointCloud"/> with squared Euclidean cost, or half of it.</param>
    /// <exception cref="ArgumentException">The geometry is another.</exception>
    public static Potentials Gaussian(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (problem.Geometry is not PointCloud { GroundCost: GroundCost.SquaredEuclideanCost cost } cloud)
        {
            throw new ArgumentException(
                "Gaussian potentials need points and a squared Euclidean cost: use Subsample for others.",
                nameof(problem)
            );
        }
        (Vector<double> meanA, Matrix<double> covarianceA) = Moments(cloud.Source, problem.A);
        (Vector<double> meanB, Matrix<double> covarianceB) = Moments(cloud.Target, problem.B);
        Vector<double> step = meanB - meanA;
        // With the origin at each cloud's own mean: |x − y|² = |z − w|² − 2 step·z + 2 step·w + |step|².
        double[] f = Quadratic(cloud.Source, meanA, BuresMap(covarianceA, covarianceB), -2 * step, cost.Scale);
        double[] g = Quadratic(cloud.Target, meanB, BuresMap(covarianceB, covarianceA), 2 * step, cost.Scale);
        TensorPrimitives.Add(g, cost.Scale * step.DotProduct(step), g);
        return Finished(problem, f, g);
    }

    /// <summary>
    /// The exact potentials on the line where sorting is optimal: with the i-th smallest x sent to the i-th smallest y, <c>f_(i+1) − f_i</c> is the middle of what
    /// <c>f_i + g_j ≤ C_ij</c> allows between neighbours, and <c>g_i = C_ii − f_i</c>.
    /// </summary>
    /// <remarks>O(n): a sort by digits and a sweep. Neighbours suffice because a convex cost of the difference makes C a Monge matrix.</remarks>
    /// <param name="problem">As many points on both sides, of dimension 1, with uniform weights and a convex cost of their difference.</param>
    /// <exception cref="ArgumentException">The problem is another; for other weights the potentials of <see cref="Exact.Univariate"/> are a start.</exception>
    public static Potentials Sorting(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (
            problem.Geometry is not PointCloud { Dimension: 1, GroundCost.DifferenceExponent: >= 1 } cloud
            || cloud.Rows != cloud.Columns
            || problem.A.Weights.ContainsAnyExcept(problem.A.Weights[0])
            || problem.B.Weights.ContainsAnyExcept(problem.B.Weights[0])
        )
        {
            throw new ArgumentException(
                "Sorting needs as many points on both sides, of dimension 1, uniform weights and a convex cost of the difference: use the potentials of Univariate for other weights.",
                nameof(problem)
            );
        }
        int[] x = RadixSort.Order(cloud.Source.Values),
            y = RadixSort.Order(cloud.Target.Values);
        double[] f = new double[x.Length],
            g = new double[y.Length];
        double C(int i, int j) => cloud.Cost(x[i], y[j]);
        for (int i = 0; i < x.Length; i++)
        {
            if (i > 0)
            {
                double most = C(i, i - 1) - C(i - 1, i - 1),
                    least = C(i, i) - C(i - 1, i);
                f[x[i]] = f[x[i - 1]] + ((most + least) / 2);
            }
            g[y[i]] = C(i, i) - f[x[i]];
        }
        return Finished(problem, f, g);
    }

    /// <summary>The potentials of a sample of bins at the problem's own ε, extended to all bins by the soft-min: <c>g_j = −ε log Σ_s a_s exp((f_s − C_sj)/ε)</c>.</summary>
    /// <remarks>
    /// Bins are drawn with probabilities proportional to their weights, at even steps through the cumulative weights; a side with no more than <paramref name="count"/> bins of positive
    /// weight is taken whole. O(count²) for each iteration on the sample, O((n + m) count) for the extension, 8 count² bytes.
    /// </remarks>
    /// <param name="problem">A problem with entropy in which no pair is forbidden; penalties are kept.</param>
    /// <param name="count">Bins of each side at most, positive. A few hundred serve well.</param>
    /// <param name="seed">Of the draw.</param>
    /// <param name="cancellation">Stops the solve of the sample, which then gives what it has.</param>
    /// <exception cref="ArgumentException">No entropy, forbidden pairs, hard marginals of different masses, or a count that is not positive.</exception>
    public static Potentials Subsample(LinearProblem problem, int count, ulong seed, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        if (problem.Regularizer is not EntropyRegularizer entropy || problem.Geometry.HasForbiddenPairs || !problem.MassesAgree)
        {
            throw new ArgumentException(
                "A subsample needs Regularizer.Entropy, no forbidden pairs, and hard marginals of equal masses.",
                nameof(problem)
            );
        }
        Geometry costs = problem.Geometry;
        double epsilon = entropy.Epsilon.Resolve(costs, cancellation);
        var random = new SeededRandom(seed);
        (int[] rows, double[] a) = Draw(problem.A, count, random);
        (int[] columns, double[] b) = Draw(problem.B, count, random);
        var table = new double[Guard.ArrayLength(rows.Length, columns.Length, "The costs of the sample")];
        for (int s = 0; s < rows.Length; s++)
        {
            for (int t = 0; t < columns.Length; t++)
                table[(s * columns.Length) + t] = costs.Cost(rows[s], columns[t]);
        }
        var sample = new LinearProblem(new CostMatrix(rows.Length, columns.Length, table), Measure.Of(a), Measure.Of(b))
        {
            Regularizer = Regularizer.Entropy(Epsilon.Absolute(epsilon)),
            PenaltyA = problem.PenaltyA,
            PenaltyB = problem.PenaltyB,
        };
        TransportResult solved = new Sinkhorn(new() { Tolerance = SampleTolerance }).Solve(sample, cancellation);
        if (solved.Potentials is not { } potentials)
            return Finished(problem, new double[costs.Rows], new double[costs.Columns]);
        double[] g = Extend(costs.Columns, (s, j) => costs.Cost(rows[s], j), a, potentials.F, problem.PenaltyB, epsilon);
        double[] f = Extend(costs.Rows, (t, i) => costs.Cost(i, columns[t]), b, potentials.G, problem.PenaltyA, epsilon);
        return Finished(problem, f, g);
    }

    /// <summary>Some bins, each once, with the weight of all draws that met it.</summary>
    static (int[] Bins, double[] Weights) Draw(Measure measure, int count, SeededRandom random)
    {
        var bins = new List<int>();
        var weights = new List<double>();
        int positive = measure.Count - measure.Weights.Count(0.0);
        double share = measure.Mass / count,
            next = random.NextDouble() * share,
            passed = 0;
        for (int k = 0; k < measure.Count; k++)
        {
            double weight = measure.Weights[k];
            passed += weight;
            double drawn = positive <= count ? weight : 0;
            for (; positive > count && next < passed; next += share)
                drawn += share;
            if (drawn > 0)
            {
                bins.Add(k);
                weights.Add(drawn);
            }
        }
        return ([.. bins], [.. weights]);
    }

    /// <summary>The best potential of every bin of the other side, given those of a sample.</summary>
    static double[] Extend(
        int bins,
        Func<int, int, double> cost,
        double[] weights,
        ReadOnlySpan<double> potential,
        MarginalPenalty penalty,
        double epsilon
    )
    {
        double[] logs = VectorMath.LogWeights(weights),
            exponents = new double[weights.Length],
            extended = new double[bins];
        for (int k = 0; k < bins; k++)
        {
            for (int s = 0; s < exponents.Length; s++)
                exponents[s] = logs[s] + ((potential[s] - cost(s, k)) / epsilon);
            double max = TensorPrimitives.Max<double>(exponents);
            TensorPrimitives.Subtract(exponents, max, exponents);
            VectorMath.Exp(exponents);
            extended[k] = penalty.Update(-epsilon * (max + Math.Log(TensorPrimitives.Sum<double>(exponents))), epsilon);
        }
        return extended;
    }

    /// <summary>Weighted mean and covariance of a cloud.</summary>
    static (Vector<double> Mean, Matrix<double> Covariance) Moments(Matrix points, Measure measure)
    {
        int d = points.Columns;
        Vector<double> mean = Vector<double>.Build.Dense(d);
        for (int i = 0; i < points.Rows; i++)
        {
            for (int k = 0; k < d; k++)
                mean[k] += measure.Weights[i] / measure.Mass * points[i, k];
        }
        Matrix<double> covariance = Matrix<double>.Build.Dense(d, d);
        for (int i = 0; i < points.Rows; i++)
        {
            double weight = measure.Weights[i] / measure.Mass;
            for (int k = 0; k < d && weight > 0; k++)
            {
                for (int l = 0; l <= k; l++)
                {
                    double term = weight * (points[i, k] - mean[k]) * (points[i, l] - mean[l]);
                    covariance[k, l] += term;
                    if (l < k)
                        covariance[l, k] += term;
                }
            }
        }
        return (mean, covariance);
    }

    /// <summary><c>S^(−1/2) (S^(1/2) T S^(1/2))^(1/2) S^(−1/2)</c>: the linear map that carries N(0, S) to N(0, T); pseudo-inverses where S is singular.</summary>
    static Matrix<double> BuresMap(Matrix<double> s, Matrix<double> t)
    {
        Matrix<double> root = Power(s, 0.5),
            inverseRoot = Power(s, -0.5);
        return inverseRoot * Power(root * t * root, 0.5) * inverseRoot;
    }

    /// <summary>A power of a positive semidefinite matrix, with 0 for the powers of what is rounding.</summary>
    static Matrix<double> Power(Matrix<double> matrix, double exponent)
    {
        MathNet.Numerics.LinearAlgebra.Factorization.Evd<double> evd = ((matrix + matrix.Transpose()) / 2).Evd(
            Symmetricity.Symmetric
        );
        double[] values = [.. evd.EigenValues.Select(value => value.Real)];
        double smallest = Negligible * values.Max();
        double[] powers = Array.ConvertAll(values, value => value > smallest ? Math.Pow(value, exponent) : 0);
        return evd.EigenVectors * Matrix<double>.Build.DenseOfDiagonalArray(powers) * evd.EigenVectors.Transpose();
    }

    /// <summary><c>scale (|z|² − zᵀ M z + slope·z)</c> at <c>z = x − mean</c>, for every point x.</summary>
    static double[] Quadratic(Matrix points, Vector<double> mean, Matrix<double> map, Vector<double> slope, double scale)
    {
        var potential = new double[points.Rows];
        for (int i = 0; i < points.Rows; i++)
        {
            Vector<double> z = Vector<double>.Build.Dense(points.Row(i).ToArray()) - mean;
            potential[i] = scale * (z.DotProduct(z) - z.DotProduct(map * z) + slope.DotProduct(z));
        }
        return potential;
    }

    static Potentials Finished(LinearProblem problem, double[] f, double[] g)
    {
        var potentials = new Potentials(f, g);
        return problem.IsBalanced ? potentials.Centred(problem.A, problem.B) : potentials;
    }
}
