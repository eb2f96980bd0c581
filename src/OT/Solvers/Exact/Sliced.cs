using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>Sliced and max-sliced Wasserstein distances: one-dimensional transport of projections on directions of the unit sphere.</summary>
/// <remarks>
/// O((n + m) d) per direction, directions side by side on all processors, the same bits for any number of them. Memory: one copy of the points, and for every
/// thread at most 16 projections of each. Both are at most W_p of the full problem with Euclidean cost. Sources: Bonneel, Rabin, Peyré, Pfister, J. Math.
/// Imaging Vis. 51, 2015; Deshpande et al., CVPR 2019 (max-sliced); docs/theory/exact.md.
/// </remarks>
public static class Sliced
{
    /// <summary>Positions of one cloud that a device sorts at a time: 64 MiB of them.</summary>
    const int DeviceDoubles = 1 << 23;

    /// <summary><c>SW_p^p = E_θ W_p^p(⟨θ, x⟩, ⟨θ, y⟩)</c>, θ uniform on the sphere, estimated by the mean over seeded directions.</summary>
    /// <param name="a">Source weights with points, n × d.</param>
    /// <param name="b">Target weights with points, m × d, of the same total mass up to rounding.</param>
    /// <param name="p">1 ≤ p &lt; ∞; 2 by default.</param>
    /// <param name="options">Number of directions and seed.</param>
    /// <param name="backend">Where points are projected and sorted: a GPU does both and hands the sorted positions back, on other back ends the host does, with their threads; all processors when left out.</param>
    /// <exception cref="ArgumentException">A measure has no points, dimensions or masses differ, or p is out of range.</exception>
    /// <exception cref="BackendException">The back end failed, or has not the memory for one direction.</exception>
    public static SlicedResult Distance(
        Measure a,
        Measure b,
        double p = 2,
        SlicedOptions? options = null,
        IBackend? backend = null
    ) => Distance(a, b, p, options, backend?.Threads ?? -1, Simd.Width, backend as ISlicingBackend);

    internal static SlicedResult Distance(
        Measure a,
        Measure b,
        double p,
        SlicedOptions? options,
        int threads,
        int width,
        ISlicingBackend? device = null
    )
    {
        var clouds = new Clouds(a, b, p, width);
        options = Checked(options);
        var random = new SeededRandom(options.Seed);
        int d = clouds.Dimension;
        var thetas = new double[Guard.ArrayLength(options.Projections, d, "the directions")];
        for (int k = 0; k < options.Projections; k++)
            Draw(random, thetas.AsSpan(k * d, d));
        var values = new double[options.Projections];
        if (device is null)
            OnHost(clouds, thetas, values, threads);
        else
            OnDevice(clouds, thetas, values, device);
        double mean = Summation.Sum(values) / values.Length;
        Compensated squares = default;
        foreach (double value in values)
            squares.Add((value - mean) * (value - mean));
        double error = values.Length == 1 ? double.NaN : Math.Sqrt(squares.Value / (values.Length - 1) / values.Length);
        double distance = clouds.Unit * Math.Pow(mean, 1 / p);
        double power = Math.Pow(clouds.Unit, p);
        return new SlicedResult(distance, mean * power, error * power, values.Length, [])
        {
            DistanceStandardError = mean == 0 ? error : error * distance / (p * mean),
        };
    }

    static void OnHost(Clouds clouds, double[] thetas, double[] values, int threads)
    {
        int d = clouds.Dimension,
            block = clouds.Block,
            blocks = (values.Length + block - 1) / block;
        Parallel.For(
            0,
            blocks,
            new ParallelOptions { MaxDegreeOfParallelism = threads },
            () => new Slices(clouds, block),
            (at, _, slices) =>
            {
                int start = at * block,
                    count = Math.Min(block, values.Length - start);
                slices.Values(thetas.AsSpan(start * d, count * d), values.AsSpan(start, count));
                return slices;
            },
            _ => { }
        );
    }

    /// <summary>Projections and orders from a device, quantiles matched here.</summary>
    static void OnDevice(Clouds clouds, double[] thetas, double[] values, ISlicingBackend device)
    {
        int n = clouds.X.Rows,
            m = clouds.Y.Rows,
            d = clouds.Dimension;
        int most = Math.Clamp(DeviceDoubles / Math.Max(n, m), 1, values.Length);
        using ISliceSorter sorter = device.BindSlices(clouds.X, clouds.Y, most);
        most = sorter.Directions;
        double[] x = new double[Guard.ArrayLength(most, n, "the projections")],
            y = new double[Guard.ArrayLength(most, m, "the projections")];
        int[] ofX = new int[clouds.IsEven ? 0 : x.Length],
            ofY = new int[clouds.IsEven ? 0 : y.Length];
        for (int start = 0; start < values.Length; start += most)
        {
            int from = start,
                count = Math.Min(most, values.Length - start);
            ReadOnlySpan<double> directions = thetas.AsSpan(start * d, count * d);
            sorter.Sort(target: false, directions, x, ofX);
            sorter.Sort(target: true, directions, y, ofY);
            Parallel.For(0, count, k => values[from + k] = Value(k));
        }

        double Value(int k)
        {
            ReadOnlySpan<double> positionsX = x.AsSpan(k * n, n),
                positionsY = y.AsSpan(k * m, m);
            return clouds.IsEven
                ? clouds.A[0] * Univariate.EvenPower(positionsX, positionsY, clouds.P)
                : Univariate.Power(
                    positionsX,
                    Gathered(clouds.A, ofX.AsSpan(k * n, n)),
                    positionsY,
                    Gathered(clouds.B, ofY.AsSpan(k * m, m)),
                    clouds.P
                );
        }

        static double[] Gathered(double[] weights, ReadOnlySpan<int> points)
        {
            var own = new double[points.Length];
            for (int i = 0; i < own.Length; i++)
                own[i] = weights[points[i]];
            return own;
        }
    }

    /// <summary>A lower bound of <c>max_θ W_p(⟨θ, x⟩, ⟨θ, y⟩)</c>, and so of W_p, by gradient ascent on the sphere from several starts.</summary>
    /// <inheritdoc cref="Distance(Measure, Measure, double, SlicedOptions?, IBackend?)"/>
    public static SlicedResult MaxDistance(Measure a, Measure b, double p = 2, SlicedOptions? options = null)
    {
        var clouds = new Clouds(a, b, p, Simd.Width);
        options = Checked(options);
        var random = new SeededRandom(options.Seed);
        var starts = new double[options.Restarts][];
        for (int start = 0; start < starts.Length; start++)
        {
            starts[start] = new double[clouds.Dimension];
            if (start > 0 || !clouds.MeanDifference(starts[start]))
                Draw(random, starts[start]);
        }
        var values = new double[starts.Length];
        int evaluations = 0;
        Parallel.For(
            0,
            starts.Length,
            () => new Slices(clouds, 1),
            (start, _, slices) =>
            {
                values[start] = Ascend(slices, starts[start], options.AscentSteps);
                return slices;
            },
            slices => Interlocked.Add(ref evaluations, slices.Evaluations)
        );
        int best = Array.IndexOf(values, values.Max());
        return new SlicedResult(
            clouds.Unit * Math.Pow(values[best], 1 / p),
            values[best] * Math.Pow(clouds.Unit, p),
            0,
            evaluations,
            [.. starts[best]]
        );
    }

    /// <summary>θ ← normalise(θ + t ∇W / |∇W|), t halved until the value grows and doubled after it did.</summary>
    static double Ascend(Slices slices, double[] theta, int steps)
    {
        const double leastStep = 1e-8; // the value is flat to second order: no double shows a smaller turn
        var gradient = new double[theta.Length];
        var trial = new double[theta.Length];
        double value = slices.Gradient(theta, gradient);
        double t = 1;
        for (int step = 0; step < steps; step++)
        {
            double along = Summation.Dot(gradient, theta);
            TensorPrimitives.MultiplyAdd(theta, -along, gradient, gradient);
            double norm = Norm(gradient);
            if (norm <= leastStep * Math.Abs(along))
                break;
            while (true)
            {
                TensorPrimitives.MultiplyAdd(gradient, t / norm, theta, trial);
                TensorPrimitives.Divide(trial, Norm(trial), trial);
                if (slices.Value(trial) > value)
                    break;
                t /= 2;
                if (t < leastStep)
                    return value;
            }
            trial.CopyTo(theta, 0);
            value = slices.Gradient(theta, gradient);
            t = Math.Min(2 * t, 1);
        }
        return value;
    }

    static void Draw(SeededRandom random, Span<double> theta)
    {
        double norm;
        do
        {
            foreach (ref double value in theta)
                value = random.NextNormal();
            norm = Norm(theta);
        } while (!(norm > 0));
        TensorPrimitives.Divide(theta, norm, theta);
    }

    static SlicedOptions Checked(SlicedOptions? options)
    {
        options ??= new();
        options.Validate();
        return options;
    }

    static double Norm(ReadOnlySpan<double> vector) => Math.Sqrt(Summation.Dot(vector, vector));

    /// <summary>The two measures, checked, with equal masses and packed points.</summary>
    sealed class Clouds
    {
        const int MaxBlock = 16;
        const int BlockDoubles = 1 << 19; // 4 MiB of projections

        public Clouds(Measure a, Measure b, double p, int width)
        {
            ArgumentNullException.ThrowIfNull(a);
            ArgumentNullException.ThrowIfNull(b);
            Matrix x = a.Points ?? throw new ArgumentException("The source measure has no points.", nameof(a));
            Matrix y = b.Points ?? throw new ArgumentException("The target measure has no points.", nameof(b));
            if (x.Columns != y.Columns || x.Columns == 0)
            {
                throw new ArgumentException(
                    ExactProblem.Text(
                        $"Source points have {x.Columns} coordinates, target points {y.Columns}: the counts must be equal and positive."
                    ),
                    nameof(b)
                );
            }
            if (Math.Abs(a.Mass - b.Mass) > Math.Max(a.MassSlack, b.MassSlack) * Math.Max(a.Mass, b.Mass))
            {
                throw new ArgumentException(
                    ExactProblem.Text($"The masses differ: {a.Mass:G17} against {b.Mass:G17}. A distance needs equal masses."),
                    nameof(b)
                );
            }
            P = Guard.InRange(p, 1, double.MaxValue);
            Mass = a.Mass;
            A = a.Weights.ToArray();
            B = b.Weights.ToArray();
            TensorPrimitives.Multiply(B, a.Mass / b.Mass, B);
            IsEven = A.Length == B.Length && !a.Weights.ContainsAnyExcept(A[0]) && !b.Weights.ContainsAnyExcept(b.Weights[0]);
            Unit = UnitOf(x, y);
            (X, Y) = (Scaled(x), Scaled(y));
            (PackedX, PackedY) = (new RowPanels(X, width), new RowPanels(Y, width));
            Block = Math.Clamp(BlockDoubles / (x.Rows + y.Rows), 1, MaxBlock);
        }

        /// <summary>A power of two next to the largest coordinate where p-th powers of the coordinates would leave the range of doubles; else 1.</summary>
        double UnitOf(Matrix x, Matrix y)
        {
            double largest = Math.Max(
                Math.Abs(TensorPrimitives.MaxMagnitude(x.Values)),
                Math.Abs(TensorPrimitives.MaxMagnitude(y.Values))
            );
            bool safe = largest == 0 || Math.Abs(Math.ILogB(largest)) * Math.Max(P, 2) < 400;
            return safe ? 1 : Math.ScaleB(1, Math.Clamp(Math.ILogB(largest), -1000, 1000));
        }

        Matrix Scaled(Matrix points)
        {
            if (Unit == 1)
                return points;
            var values = new double[points.Values.Length];
            TensorPrimitives.Divide(points.Values, Unit, values);
            return new Matrix(points.Rows, points.Columns, values);
        }

        /// <summary>What coordinates are divided by.</summary>
        public double Unit { get; }

        public double P { get; }

        public double Mass { get; }

        public double[] A { get; }

        /// <summary>b, scaled to the mass of a.</summary>
        public double[] B { get; }

        /// <summary>As many points on both sides, all of the same weight.</summary>
        public bool IsEven { get; }

        public Matrix X { get; }

        public Matrix Y { get; }

        public RowPanels PackedX { get; }

        public RowPanels PackedY { get; }

        public int Dimension => X.Columns;

        /// <summary>Directions that are projected on together.</summary>
        public int Block { get; }

        /// <summary>The unit vector between the means; false when they coincide.</summary>
        public bool MeanDifference(Span<double> theta)
        {
            theta.Clear();
            for (int i = 0; i < X.Rows; i++)
                TensorPrimitives.MultiplyAdd(X.Row(i), A[i] / Mass, theta, theta);
            for (int j = 0; j < Y.Rows; j++)
                TensorPrimitives.MultiplyAdd(Y.Row(j), -B[j] / Mass, theta, theta);
            double norm = Norm(theta);
            if (!(norm > 0))
                return false;
            TensorPrimitives.Divide(theta, norm, theta);
            return true;
        }
    }

    /// <summary>The projections of two clouds, and the workspace of one thread.</summary>
    sealed class Slices(Clouds clouds, int block)
    {
        readonly double[] _projectedX = new double[Guard.ArrayLength(block, clouds.PackedX.Stride, "the projections")];
        readonly double[] _projectedY = new double[Guard.ArrayLength(block, clouds.PackedY.Stride, "the projections")];
        Order? _x;
        Order? _y;

        public int Evaluations { get; private set; }

        /// <summary>W_p^p of the projections on each direction.</summary>
        public void Values(ReadOnlySpan<double> thetas, Span<double> values)
        {
            Project(thetas);
            for (int k = 0; k < values.Length; k++)
            {
                Span<double> x = _projectedX.AsSpan(k * clouds.PackedX.Stride, clouds.X.Rows),
                    y = _projectedY.AsSpan(k * clouds.PackedY.Stride, clouds.Y.Rows);
                if (clouds.IsEven)
                {
                    RadixSort.Sort(x);
                    RadixSort.Sort(y);
                    values[k] = clouds.A[0] * Univariate.EvenPower(x, y, clouds.P);
                }
                else
                {
                    Sort(x, y);
                    values[k] = Univariate.Power(_x!.Positions, _x.Weights, _y!.Positions, _y.Weights, clouds.P);
                }
            }
        }

        /// <summary>W_p^p of the projections.</summary>
        public double Value(ReadOnlySpan<double> theta)
        {
            double value = 0;
            Values(theta, new Span<double>(ref value));
            return value;
        }

        /// <summary>W_p^p of the projections, and its gradient <c>Σ P_ij p |d|^(p−1) sign(d) (x_i − y_j)</c> in θ.</summary>
        public double Gradient(ReadOnlySpan<double> theta, Span<double> gradient)
        {
            Project(theta);
            Sort(_projectedX.AsSpan(0, clouds.X.Rows), _projectedY.AsSpan(0, clouds.Y.Rows));
            gradient.Clear();
            Compensated value = default;
            double p = clouds.P;
            var stairs = new Staircase(_x!.Weights, _y!.Weights);
            do
            {
                double d = _x.Positions[stairs.I] - _y.Positions[stairs.J];
                if (stairs.Mass == 0 || d == 0)
                    continue;
                value.Add(stairs.Mass * Univariate.Power(Math.Abs(d), p));
                double slope = stairs.Mass * p * Math.Sign(d) * Univariate.Power(Math.Abs(d), p - 1);
                TensorPrimitives.MultiplyAdd(clouds.X.Row(_x.Indices[stairs.I]), slope, gradient, gradient);
                TensorPrimitives.MultiplyAdd(clouds.Y.Row(_y.Indices[stairs.J]), -slope, gradient, gradient);
            } while (stairs.Advance());
            return value.Value;
        }

        void Project(ReadOnlySpan<double> thetas)
        {
            Evaluations += thetas.Length / clouds.Dimension;
            clouds.PackedX.Multiply(thetas, _projectedX);
            clouds.PackedY.Multiply(thetas, _projectedY);
        }

        void Sort(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
        {
            (_x ??= new(x.Length)).Sort(x, clouds.A);
            (_y ??= new(y.Length)).Sort(y, clouds.B);
        }
    }

    /// <summary>Positions in ascending order, with their weights and the points that they belong to.</summary>
    sealed class Order(int count)
    {
        public int[] Indices { get; } = new int[count];

        public double[] Positions { get; } = new double[count];

        public double[] Weights { get; } = new double[count];

        public void Sort(ReadOnlySpan<double> positions, ReadOnlySpan<double> weights)
        {
            RadixSort.Order(positions, Indices);
            for (int i = 0; i < count; i++)
                (Positions[i], Weights[i]) = (positions[Indices[i]], weights[Indices[i]]);
        }
    }
}
