using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>Derivatives in the points of two clouds: <c>Σ_j w_ij ∂₁c(x_i, y_j)</c> at the sources, <c>Σ_i w_ij ∂₂c(x_i, y_j)</c> at the targets.</summary>
public sealed class PointGradient
{
    PointGradient(Matrix source, Matrix target, double largestSlope) =>
        (Source, Target, LargestSlope) = (source, target, largestSlope);

    /// <summary>Derivatives in the source points, n × d.</summary>
    public Matrix Source { get; }

    /// <summary>Derivatives in the target points, m × d; 0 × d where they were not asked for.</summary>
    public Matrix Target { get; }

    /// <summary>The largest Euclidean norm of a cost's gradient met: a plan that is off by δ in L1 moves no derivative by more than δ times this.</summary>
    public double LargestSlope { get; }

    /// <summary>The difference of two sums; a side that the other lacks stays as it is.</summary>
    internal PointGradient Less(PointGradient other) =>
        new(Difference(Source, other.Source), Difference(Target, other.Target), Math.Max(LargestSlope, other.LargestSlope));

    /// <summary>Source and target exchanged.</summary>
    internal PointGradient Exchanged() => new(Target, Source, LargestSlope);

    static Matrix Difference(Matrix x, Matrix y)
    {
        if (y.Rows == 0)
            return x;
        var difference = new double[x.Values.Length];
        TensorPrimitives.Subtract(x.Values, y.Values, difference);
        return new Matrix(x.Rows, x.Columns, difference);
    }

    /// <summary>Writes one row of w.</summary>
    internal delegate void RowWeights(int row, Span<double> weights);

    /// <summary>Sums over all pairs with a weight that is not 0, streamed: O(nm d) time, memory O((n + m) d) and up to 64 MiB of partial sums.</summary>
    /// <param name="cloud">The points.</param>
    /// <param name="weights">w by rows; called from several threads.</param>
    /// <param name="wantsTarget">Whether the target's derivatives are wanted too: they need a symmetric cost.</param>
    /// <param name="threads">Threads; they change no bit.</param>
    /// <param name="cancellation">Watched once per row.</param>
    internal static PointGradient Contract(
        PointCloud cloud,
        RowWeights weights,
        bool wantsTarget,
        int threads,
        CancellationToken cancellation
    )
    {
        int n = cloud.Rows,
            m = cloud.Columns,
            d = cloud.Dimension;
        cloud.GroundCost.Gradient(cloud.Source.Row(0), cloud.Target.Row(0), new double[d]); // refuses costs that have none
        var source = new double[Guard.ArrayLength(n, d, "a gradient")];
        var slopes = new double[n];
        int targetLength = wantsTarget ? Guard.ArrayLength(m, d, "a gradient") : 0;
        var squared = cloud.GroundCost as GroundCost.SquaredEuclideanCost;
        double[] coordinates = squared is null ? [] : cloud.Target.Transpose().Values.ToArray();
        double[] target = RowReduction.Sum(
            n,
            targetLength,
            (2 * m) + (2 * d),
            threads,
            cancellation: cancellation,
            action: (i, scratch, sum) =>
            {
                Span<double> row = scratch[..m];
                weights(i, row);
                Span<double> own = source.AsSpan(i * d, d);
                slopes[i] = squared is null
                    ? General(cloud, i, row, own, sum, scratch[(2 * m)..])
                    : Squared(squared.Scale, cloud.Source.Row(i), coordinates, row, scratch.Slice(m, m), own, sum);
            }
        );
        // The squared path sums coordinate after coordinate.
        var targets = new Matrix(wantsTarget ? m : 0, d, target);
        if (squared is not null && wantsTarget)
            targets = new Matrix(d, m, target).Transpose();
        return new PointGradient(new Matrix(n, d, source), targets, slopes.Max());
    }

    /// <summary>Products <c>w V</c>, or <c>wᵀ V</c>, with vectors stored one after the other.</summary>
    internal delegate void WeightProducts(ReadOnlySpan<double> vectors, Span<double> result, bool transpose);

    /// <summary>
    /// The sums of <see cref="Contract"/> for squared Euclidean costs, by products with w alone: <c>2s (x_i Σ_j w_ij − Σ_j w_ij y_j)</c>, both clouds about their
    /// common mean. What cancels there is of the size of the clouds, where <see cref="Contract"/> adds up differences.
    /// </summary>
    /// <param name="cloud">The points.</param>
    /// <param name="products">w.</param>
    /// <param name="wantsTarget">Whether the target's derivatives are wanted too.</param>
    internal static PointGradient ByProducts(PointCloud cloud, WeightProducts products, bool wantsTarget)
    {
        double scale = ((GroundCost.SquaredEuclideanCost)cloud.GroundCost).Scale;
        Matrix x = cloud.Source,
            y = cloud.Target;
        double[] centre = MeanOf(x, y);
        return new PointGradient(
            Side(x, y, centre, scale, products, transpose: false),
            wantsTarget ? Side(y, x, centre, scale, products, transpose: true) : new Matrix(0, cloud.Dimension, []),
            2 * scale * LongestDifference(x, y)
        );
    }

    static Matrix Side(Matrix own, Matrix other, double[] centre, double scale, WeightProducts products, bool transpose)
    {
        int n = own.Rows,
            m = other.Rows,
            d = own.Columns;
        var vectors = new double[Guard.ArrayLength(d + 1, m, "a gradient")];
        vectors.AsSpan(0, m).Fill(1);
        for (int k = 0; k < d; k++)
        {
            for (int j = 0; j < m; j++)
                vectors[((k + 1) * m) + j] = other[j, k] - centre[k];
        }
        var sums = new double[Guard.ArrayLength(d + 1, n, "a gradient")];
        products(vectors, sums, transpose);
        var gradient = new double[n * d];
        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k < d; k++)
                gradient[(i * d) + k] = 2 * scale * (((own[i, k] - centre[k]) * sums[i]) - sums[((k + 1) * n) + i]);
        }
        return new Matrix(n, d, gradient);
    }

    static double[] MeanOf(Matrix x, Matrix y)
    {
        var mean = new double[x.Columns];
        foreach (Matrix points in (ReadOnlySpan<Matrix>)[x, y])
        {
            for (int i = 0; i < points.Rows; i++)
                TensorPrimitives.MultiplyAdd(points.Row(i), 0.5 / points.Rows, mean, mean);
        }
        return mean;
    }

    /// <summary>Over rows, the largest root of the sum over coordinates of the largest squared difference.</summary>
    static double LongestDifference(Matrix x, Matrix y)
    {
        double[] low = y.Row(0).ToArray(),
            high = y.Row(0).ToArray();
        for (int j = 1; j < y.Rows; j++)
        {
            TensorPrimitives.Min(low, y.Row(j), low);
            TensorPrimitives.Max(high, y.Row(j), high);
        }
        double longest = 0;
        for (int i = 0; i < x.Rows; i++)
        {
            double sum = 0;
            for (int k = 0; k < low.Length; k++)
            {
                double difference = Math.Max(Math.Abs(x[i, k] - low[k]), Math.Abs(x[i, k] - high[k]));
                sum += difference * difference;
            }
            longest = Math.Max(longest, sum);
        }
        return Math.Sqrt(longest);
    }

    /// <summary><c>∂₁c = 2s (x − y) = −∂₂c</c>, a coordinate at a time; returns the largest slope.</summary>
    static double Squared(
        double scale,
        ReadOnlySpan<double> x,
        double[] coordinates,
        Span<double> row,
        Span<double> difference,
        Span<double> own,
        Span<double> target
    )
    {
        int m = row.Length;
        TensorPrimitives.Multiply(row, 2 * scale, row);
        double slope = 0;
        for (int k = 0; k < x.Length; k++)
        {
            TensorPrimitives.Subtract(x[k], coordinates.AsSpan(k * m, m), difference);
            own[k] = TensorPrimitives.Dot<double>(row, difference);
            double largest = TensorPrimitives.MaxMagnitude<double>(difference);
            slope += largest * largest;
            if (target.IsEmpty)
                continue;
            TensorPrimitives.Multiply(row, difference, difference);
            Span<double> sum = target.Slice(k * m, m);
            TensorPrimitives.Subtract(sum, difference, sum);
        }
        return 2 * scale * Math.Sqrt(slope);
    }

    static double General(
        PointCloud cloud,
        int i,
        ReadOnlySpan<double> row,
        Span<double> own,
        Span<double> target,
        Span<double> scratch
    )
    {
        GroundCost cost = cloud.GroundCost;
        ReadOnlySpan<double> x = cloud.Source.Row(i);
        int d = x.Length;
        Span<double> gradient = scratch[..d];
        double slope = 0;
        for (int j = 0; j < row.Length; j++)
        {
            if (row[j] == 0)
                continue;
            ReadOnlySpan<double> y = cloud.Target.Row(j);
            cost.Gradient(x, y, gradient);
            slope = Math.Max(slope, Norm(gradient, i, j));
            TensorPrimitives.MultiplyAdd(gradient, row[j], own, own);
            if (target.IsEmpty)
                continue;
            cost.CheckSymmetric(x, y);
            cost.Gradient(y, x, gradient); // ∂₂c(x, y) of a symmetric cost
            slope = Math.Max(slope, Norm(gradient, i, j));
            Span<double> sum = target.Slice(j * d, d);
            TensorPrimitives.MultiplyAdd(gradient, row[j], sum, sum);
        }
        return slope;
    }

    static double Norm(ReadOnlySpan<double> gradient, int i, int j)
    {
        double norm = TensorPrimitives.Norm(gradient);
        return double.IsFinite(norm)
            ? norm
            : throw new ArgumentException(
                $"The cost's gradient between source {i} and target {j} is not finite: give 0 where the cost has a kink."
            );
    }
}
