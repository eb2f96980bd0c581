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
    GridOperator? _transposed;

    public GridOperator(Grid grid, RowBlocks blocks, string description, CancellationToken cancellation)
        : base(grid, blocks, description, cancellation)
    {
        _grid = grid;
        _axes = [.. grid.AxisCosts.Select(cost => new Axis(cost))];
    }

    public override void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        double inverse = epsilon == 0 ? 1 : 1 / epsilon;
        var exponents = new double[Columns];
        for (int j = 0; j < exponents.Length; j++)
            exponents[j] = (g[j] * inverse) + (epsilon == 0 && double.IsFinite(logB[j]) ? 0 : logB[j]);
        double[] sums = LogSumExp(exponents, epsilon, special: -1);
        for (int i = 0; i < sums.Length; i++)
            f[i] = epsilon == 0 ? -sums[i] : -epsilon * sums[i];
    }

    public override void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g) =>
        Transposed.SoftMinRows(f, logA, epsilon, g);

    public override void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false)
    {
        if (transpose)
        {
            var swapped = new GibbsPlan
            {
                F = plan.G,
                G = plan.F,
                LogA = plan.LogB,
                LogB = plan.LogA,
                Epsilon = plan.Epsilon,
            };
            Transposed.ApplyPlan(swapped, vectors, result);
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

    /// <summary><c>log Σ_j exp(x_j − C_ij/ε)</c> for every row cell; the maximum when ε is 0. On axis <paramref name="special"/> the kernel also carries <c>C_k − min C_k</c>.</summary>
    double[] LogSumExp(ReadOnlySpan<double> exponents, double epsilon, int special)
    {
        double[] values = exponents.ToArray();
        int before = 1; // cells of row axes already done, all slower than the axis at hand
        foreach (Axis axis in _axes)
            before *= axis.Targets;
        int after = 1; // cells of row axes done, faster than the axis at hand
        for (int k = _axes.Length - 1; k >= 0; k--)
        {
            Axis axis = _axes[k];
            before /= axis.Targets;
            var work = new AxisWork(this, axis, axis.LogKernel(epsilon, k == special), values, before, after, epsilon);
            Blocks.Run(before * axis.Sources, work);
            values = work.Result;
            after *= axis.Sources;
        }
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

    /// <summary>One axis: block (p, i) makes the cells with slower index p, new index i, and every faster index.</summary>
    sealed class AxisWork(GridOperator owner, Axis axis, double[] kernel, double[] values, int before, int after, double epsilon)
        : IBlockWork
    {
        public double[] Result { get; } = new double[(long)before * axis.Sources * after];

        public void Run(int block, int worker)
        {
            if (owner.Cancelled())
                return;
            (int p, int i) = Math.DivRem(block, axis.Sources);
            ReadOnlySpan<double> logKernel = kernel.AsSpan(i * axis.Targets, axis.Targets);
            ReadOnlySpan<double> input = values.AsSpan(p * axis.Targets * after, axis.Targets * after);
            Span<double> output = Result.AsSpan(block * after, after);
            if (after == 1)
                output[0] = Along(input, logKernel);
            else
                Across(input, logKernel, output);
        }

        /// <summary>The fastest axis: values along it lie side by side.</summary>
        double Along(ReadOnlySpan<double> input, ReadOnlySpan<double> logKernel)
        {
            Span<double> t = logKernel.Length <= 512 ? stackalloc double[logKernel.Length] : new double[logKernel.Length];
            TensorPrimitives.Add(input, logKernel, t);
            double max = TensorPrimitives.Max<double>(t);
            if (epsilon == 0 || double.IsNegativeInfinity(max))
                return max;
            TensorPrimitives.Subtract(t, max, t);
            TensorPrimitives.Exp(t, t);
            return max + Math.Log(TensorPrimitives.Sum<double>(t));
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
            if (epsilon == 0)
            {
                max.CopyTo(output);
            }
            else
            {
                output.Clear();
                TensorPrimitives.Max(max, double.MinValue, max); // a column of −∞ stays −∞ without becoming NaN
                for (int j = 0; j < logKernel.Length; j++)
                {
                    TensorPrimitives.Add(input.Slice(j * output.Length, output.Length), logKernel[j], t);
                    TensorPrimitives.Subtract(t, max, t);
                    TensorPrimitives.Exp(t, t);
                    TensorPrimitives.Add(output, t, output);
                }
                TensorPrimitives.Log(output, output);
                TensorPrimitives.Add(output, max, output);
            }
            System.Buffers.ArrayPool<double>.Shared.Return(rented);
        }
    }
}
