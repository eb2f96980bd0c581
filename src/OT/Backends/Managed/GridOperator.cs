using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>
/// Separable costs on a grid: a soft-min over all cells is a soft-min along each axis in turn, O(N Σ n_k) instead of O(N²), in the log domain at any epsilon.
/// </summary>
internal sealed class GridOperator : ManagedOperator
{
    readonly Grid _grid;
    readonly Axis[] _axes;
    readonly AxisWork[] _works;
    readonly double[] _exponents;
    GridOperator? _transposed;

    public GridOperator(Grid grid, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(grid, blocks, description, cancellation)
    {
        _grid = grid;
        _axes = [.. grid.AxisCosts.Select(cost => new Axis(cost))];
        _works = new AxisWork[_axes.Length];
        _exponents = new double[Columns];
        int before = Columns, // cells of column axes not yet done, all slower than the axis at hand
            after = 1; // cells of row axes done, faster than the axis at hand
        for (int k = _axes.Length - 1; k >= 0; k--)
        {
            before /= _axes[k].Targets;
            _works[k] = new AxisWork(this, _axes[k], before, after);
            after *= _axes[k].Sources;
        }
    }

    /// <summary>Bytes of an operator and its transpose: exponents, and what each axis leaves behind.</summary>
    public static long Bytes(Grid grid)
    {
        long there = (long)grid.Rows + grid.Columns,
            before = grid.Columns,
            after = 1,
            seenBefore = grid.Rows,
            seenAfter = 1,
            kernels = 0;
        for (int k = grid.AxisCosts.Length - 1; k >= 0; k--)
        {
            Matrix axis = grid.AxisCosts[k];
            kernels += 2L * axis.Values.Length;
            before = before / axis.Columns * axis.Rows;
            seenBefore = seenBefore / axis.Rows * axis.Columns;
            there += (before * after) + (seenBefore * seenAfter);
            before /= axis.Rows;
            seenBefore /= axis.Columns;
            after *= axis.Rows;
            seenAfter *= axis.Columns;
        }
        return (there + (2L * grid.Rows) + (2L * grid.Columns) + kernels) * sizeof(double);
    }

    public override void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        double inverse = epsilon == 0 ? 1 : 1 / epsilon;
        double[] exponents = _exponents;
        for (int j = 0; j < exponents.Length; j++)
            exponents[j] = (g[j] * inverse) + (epsilon == 0 && double.IsFinite(logB[j]) ? 0 : logB[j]);
        double[] sums = LogSumExp(exponents, epsilon, special: -1);
        for (int i = 0; i < sums.Length; i++)
            f[i] = epsilon == 0 ? -sums[i] : -epsilon * sums[i];
    }

    public override void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        Transposed.SoftMinRows(f, logA, epsilon, g);
        StopWith(Transposed);
    }

    public override void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false)
    {
        if (transpose)
        {
            Transposed.ApplyPlan(plan.Transposed, vectors, result);
            StopWith(Transposed);
            return;
        }
        int n = Rows,
            m = Columns;
        int count = vectors.Length / m;
        Guard.Length(vectors.Length, count * m, nameof(vectors));
        Guard.Length(result.Length, count * n, nameof(result));
        var exponents = new double[m];
        for (int k = 0; k < count; k++)
        {
            Span<double> output = result.Slice(k * n, n);
            output.Clear();
            // A signed vector is the difference of two nonnegative ones, each of which has a logarithm.
            foreach (int sign in (ReadOnlySpan<int>)[1, -1])
            {
                for (int j = 0; j < m; j++)
                    exponents[j] = (plan.G[j] / plan.Epsilon) + plan.LogB[j] + Math.Log(Math.Max(sign * vectors[(k * m) + j], 0));
                double[] sums = LogSumExp(exponents, plan.Epsilon, special: -1);
                for (int i = 0; i < n; i++)
                    output[i] += sign * Math.Exp(sums[i] + (plan.F[i] / plan.Epsilon) + plan.LogA[i]);
            }
        }
    }

    public override double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
        double[] ones = new double[Math.Max(Rows, Columns)];
        Array.Fill(ones, 1);
        ApplyPlan(plan, ones.AsSpan(0, Columns), rowSums);
        ApplyPlan(plan, ones.AsSpan(0, Rows), columnSums, transpose: true);
        var exponents = new double[Columns];
        for (int j = 0; j < exponents.Length; j++)
            exponents[j] = (plan.G[j] / plan.Epsilon) + plan.LogB[j];
        // ⟨C_k, P⟩ = min C_k · mass + Σ exp(LSE with the axis kernel weighted by C_k − min C_k).
        var terms = new Compensated();
        double mass = Summation.Sum(rowSums);
        for (int axis = 0; axis < _axes.Length; axis++)
        {
            double[] sums = LogSumExp(exponents, plan.Epsilon, axis);
            for (int i = 0; i < sums.Length; i++)
                terms.Add(Math.Exp(sums[i] + (plan.F[i] / plan.Epsilon) + plan.LogA[i]));
            terms.Add(_axes[axis].Min * mass);
        }
        return terms.Value;
    }

    GridOperator Transposed =>
        _transposed ??= new(new Grid([.. _grid.AxisCosts.Select(axis => axis.Transpose())]), Blocks, Description, Cancellation);

    /// <summary><c>log Σ_j exp(x_j − C_ij/ε)</c> for every row cell; the maximum when ε is 0. On axis <paramref name="special"/> the kernel also carries <c>C_k − min C_k</c>. The next call overwrites the result.</summary>
    double[] LogSumExp(double[] exponents, double epsilon, int special)
    {
        double[] values = exponents;
        for (int k = _axes.Length - 1; k >= 0; k--)
            values = _works[k].Run(values, _axes[k].LogKernel(epsilon, k == special), epsilon);
        return values;
    }

    /// <summary>The costs along one axis, with the kernels last used.</summary>
    sealed class Axis(Matrix cost)
    {
        double _epsilon = double.NaN;
        double[] _plain = [];

        public int Sources => cost.Rows;

        public int Targets => cost.Columns;

        public double Min { get; } = TensorPrimitives.Min(cost.Values);

        /// <summary><c>−C/ε</c> row after row (<c>−C</c> when ε is 0), plus <c>log(C − min C)</c> where weighted.</summary>
        public double[] LogKernel(double epsilon, bool weighted)
        {
            if (_epsilon != epsilon)
            {
                _plain = new double[cost.Values.Length];
                TensorPrimitives.Multiply(cost.Values, epsilon == 0 ? -1 : -1 / epsilon, _plain);
                _epsilon = epsilon;
            }
            if (!weighted)
                return _plain;
            var kernel = new double[_plain.Length];
            for (int k = 0; k < kernel.Length; k++)
                kernel[k] = _plain[k] + Math.Log(cost.Values[k] - Min);
            return kernel;
        }
    }

    /// <summary>Exponentials of some nanoseconds each that are worth waking other threads for.</summary>
    const long WorthThreads = 1 << 15;

    /// <summary>One axis: block (p, i) makes the cells with slower index p, new index i, and every faster index.</summary>
    sealed class AxisWork(GridOperator owner, Axis axis, int before, int after) : IBlockWork
    {
        readonly double[] _result = new double[Guard.ArrayLength(before * (long)axis.Sources, after, "a grid between two axes")];
        double[] _values = [];
        double[] _kernel = [];
        double _epsilon;

        public double[] Run(double[] values, double[] kernel, double epsilon)
        {
            (_values, _kernel, _epsilon) = (values, kernel, epsilon);
            int blocks = before * axis.Sources;
            if ((long)blocks * axis.Targets * after >= WorthThreads)
            {
                owner.Blocks.Run(blocks, this);
                return _result;
            }
            for (int block = 0; block < blocks; block++)
                Run(block, worker: 0);
            return _result;
        }

        public void Run(int block, int worker)
        {
            if (owner.Cancelled())
                return;
            (int p, int i) = Math.DivRem(block, axis.Sources);
            ReadOnlySpan<double> logKernel = _kernel.AsSpan(i * axis.Targets, axis.Targets);
            ReadOnlySpan<double> input = _values.AsSpan(p * axis.Targets * after, axis.Targets * after);
            Span<double> output = _result.AsSpan(block * after, after);
            if (after == 1)
                output[0] = Along(input, logKernel);
            else
                Across(input, logKernel, output);
        }

        /// <summary>The fastest axis: values along it lie side by side.</summary>
        double Along(ReadOnlySpan<double> input, ReadOnlySpan<double> logKernel)
        {
            double[] rented = System.Buffers.ArrayPool<double>.Shared.Rent(logKernel.Length);
            Span<double> t = rented.AsSpan(0, logKernel.Length);
            TensorPrimitives.Add(input, logKernel, t);
            double result = TensorPrimitives.Max<double>(t);
            if (_epsilon != 0 && !double.IsNegativeInfinity(result))
            {
                TensorPrimitives.Subtract(t, result, t);
                VectorMath.Exp(t);
                result += Math.Log(TensorPrimitives.Sum<double>(t));
            }
            System.Buffers.ArrayPool<double>.Shared.Return(rented);
            return result;
        }

        /// <summary>A slower axis: all faster cells are treated as vectors.</summary>
        void Across(ReadOnlySpan<double> input, ReadOnlySpan<double> logKernel, Span<double> output)
        {
            double[] rented = System.Buffers.ArrayPool<double>.Shared.Rent(2 * output.Length);
            Span<double> max = rented.AsSpan(0, output.Length);
            Span<double> t = rented.AsSpan(output.Length, output.Length);
            max.Fill(double.NegativeInfinity);
            for (int j = 0; j < logKernel.Length; j++)
            {
                TensorPrimitives.Add(input.Slice(j * output.Length, output.Length), logKernel[j], t);
                TensorPrimitives.Max(max, t, max);
            }
            if (_epsilon == 0)
            {
                max.CopyTo(output);
            }
            else
            {
                output.Clear();
                TensorPrimitives.Max(max, double.MinValue, max); // −∞ − −∞ would be NaN
                for (int j = 0; j < logKernel.Length; j++)
                {
                    TensorPrimitives.Add(input.Slice(j * output.Length, output.Length), logKernel[j], t);
                    TensorPrimitives.Subtract(t, max, t);
                    VectorMath.Exp(t);
                    TensorPrimitives.Add(output, t, output);
                }
                VectorMath.Log(output, output);
                TensorPrimitives.Add(output, max, output);
                for (int k = 0; k < output.Length; k++)
                {
                    if (max[k] == double.MinValue)
                        output[k] = double.NegativeInfinity;
                }
            }
            System.Buffers.ArrayPool<double>.Shared.Return(rented);
        }
    }
}
