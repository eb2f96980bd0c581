using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>The sums that a small dense problem is solved with, in one thread. Rows are padded to whole registers; pads are 0.</summary>
internal abstract class SmallKernels
{
    /// <summary>The longest row is as many columns, and all rows are padded to a multiple of this.</summary>
    public const int Padding = 8;

    /// <summary>What stands for the exponent of a forbidden pair: 2 to this power is 0, and so is its sum with any potential.</summary>
    public const double Forbidden = -1e30;

    /// <summary>The kernels of this processor.</summary>
    public static SmallKernels Best { get; } =
        Simd.Width switch
        {
            512 => new SmallKernels<Simd512<double>, Vector512<double>>(),
            256 => new SmallKernels<Simd256<double>, Vector256<double>>(),
            128 => new SmallKernels<Simd128<double>, Vector128<double>>(),
            _ => new SmallKernels<SimdScalar<double>, double>(),
        };

    /// <summary>Columns rounded up to whole registers.</summary>
    public static int Stride(int columns) => (columns + Padding - 1) / Padding * Padding;

    /// <summary><c>q_i = 2^(bias + exponents_i)</c> over its sum; the soft-min of a row is minus the base-2 logarithm of that sum. False where a row has none.</summary>
    public abstract bool Normalise(
        int rows,
        ReadOnlySpan<double> exponents,
        ReadOnlySpan<double> bias,
        Span<double> q,
        Span<double> softMin
    );

    /// <summary><c>q_ij = 2^(exponents_ij + shift_i + bias_j)</c>, with its row sums and <c>costs_i = Σ_j q_ij exponents_ij</c>.</summary>
    public abstract void Plan(
        int rows,
        ReadOnlySpan<double> exponents,
        ReadOnlySpan<double> shift,
        ReadOnlySpan<double> bias,
        Span<double> q,
        Span<double> sums,
        Span<double> costs
    );

    /// <summary><c>s = q v</c>.</summary>
    public abstract void RowSums(int rows, ReadOnlySpan<double> q, ReadOnlySpan<double> v, Span<double> s);

    /// <summary><c>c = qᵀ w</c>.</summary>
    public abstract void ColumnSums(int rows, ReadOnlySpan<double> q, ReadOnlySpan<double> w, Span<double> c);

    /// <summary><c>q_ij ← q_ij v_j w_i</c>.</summary>
    public abstract void Rescale(int rows, Span<double> q, ReadOnlySpan<double> v, ReadOnlySpan<double> w);

    /// <summary>The lower triangle of <c>qᵀ diag(w) q</c>, in the layout of q; what lies above is not defined.</summary>
    public abstract void Couplings(int rows, int columns, ReadOnlySpan<double> q, ReadOnlySpan<double> w, Span<double> couplings);

    /// <summary>
    /// Solves <c>(diag(loss + row sums) − couplings) x = right</c> by elimination from the last node to the first without a subtraction: a pivot is the sum of what
    /// leaves the node. Destroys its arguments.
    /// </summary>
    public abstract void SolveLaplacian(int nodes, Span<double> couplings, Span<double> loss, Span<double> right, Span<double> x);

    /// <summary><c>x ← 2^x</c> over a padded vector.</summary>
    public abstract void Exp2(Span<double> x);
}

/// <inheritdoc/>
internal sealed class SmallKernels<TSimd, TVector> : SmallKernels
    where TSimd : struct, ISimd<TVector, double>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool Normalise(
        int rows,
        ReadOnlySpan<double> exponents,
        ReadOnlySpan<double> bias,
        Span<double> q,
        Span<double> softMin
    )
    {
        int stride = bias.Length;
        ref double shift = ref MemoryMarshal.GetReference(bias);
        TVector lowest = TSimd.Fill(Forbidden);
        for (int i = 0; i < rows; i++)
        {
            ref double source = ref Unsafe.Add(ref MemoryMarshal.GetReference(exponents), i * stride);
            ref double row = ref Unsafe.Add(ref MemoryMarshal.GetReference(q), i * stride);
            TVector largest = lowest;
            for (int j = 0; j < stride; j += TSimd.Count)
            {
                TVector t = TSimd.Add(TSimd.Load(ref source, j), TSimd.Load(ref shift, j));
                TSimd.Store(t, ref row, j);
                largest = TSimd.Max(largest, t);
            }
            double max = TSimd.MaxAcross(largest);
            if (!(max > Forbidden / 2))
                return false;
            TVector down = TSimd.Fill(-max);
            TVector sum = TSimd.Zero;
            for (int j = 0; j < stride; j += TSimd.Count)
            {
                TVector power = TSimd.Exp2(TSimd.Max(TSimd.Add(TSimd.Load(ref row, j), down), lowest));
                TSimd.Store(power, ref row, j);
                sum = TSimd.Add(sum, power);
            }
            double total = TSimd.Sum(sum);
            TVector share = TSimd.Fill(1 / total);
            for (int j = 0; j < stride; j += TSimd.Count)
                TSimd.Store(TSimd.Multiply(TSimd.Load(ref row, j), share), ref row, j);
            softMin[i] = -max - Math.Log2(total);
        }
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Plan(
        int rows,
        ReadOnlySpan<double> exponents,
        ReadOnlySpan<double> shift,
        ReadOnlySpan<double> bias,
        Span<double> q,
        Span<double> sums,
        Span<double> costs
    )
    {
        int stride = bias.Length;
        ref double biases = ref MemoryMarshal.GetReference(bias);
        TVector lowest = TSimd.Fill(Forbidden);
        for (int i = 0; i < rows; i++)
        {
            ref double source = ref Unsafe.Add(ref MemoryMarshal.GetReference(exponents), i * stride);
            ref double row = ref Unsafe.Add(ref MemoryMarshal.GetReference(q), i * stride);
            TVector up = TSimd.Fill(shift[i]),
                sum = TSimd.Zero,
                cost = TSimd.Zero;
            for (int j = 0; j < stride; j += TSimd.Count)
            {
                TVector exponent = TSimd.Load(ref source, j);
                TVector t = TSimd.Add(TSimd.Add(exponent, up), TSimd.Load(ref biases, j));
                TVector mass = TSimd.Exp2(TSimd.Max(t, lowest));
                TSimd.Store(mass, ref row, j);
                sum = TSimd.Add(sum, mass);
                cost = TSimd.MultiplyAdd(mass, exponent, cost);
            }
            sums[i] = TSimd.Sum(sum);
            costs[i] = TSimd.Sum(cost);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void RowSums(int rows, ReadOnlySpan<double> q, ReadOnlySpan<double> v, Span<double> s)
    {
        int stride = v.Length;
        ref double factor = ref MemoryMarshal.GetReference(v);
        for (int i = 0; i < rows; i++)
        {
            ref double row = ref Unsafe.Add(ref MemoryMarshal.GetReference(q), i * stride);
            TVector sum = TSimd.Zero;
            for (int j = 0; j < stride; j += TSimd.Count)
                sum = TSimd.MultiplyAdd(TSimd.Load(ref row, j), TSimd.Load(ref factor, j), sum);
            s[i] = TSimd.Sum(sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void ColumnSums(int rows, ReadOnlySpan<double> q, ReadOnlySpan<double> w, Span<double> c)
    {
        int stride = c.Length;
        ref double start = ref MemoryMarshal.GetReference(q);
        for (int j = 0; j < stride; j += TSimd.Count)
        {
            // Two chains of additions, so that one does not wait for the other.
            TVector even = TSimd.Zero,
                odd = TSimd.Zero;
            int i = 0;
            for (; i + 1 < rows; i += 2)
            {
                even = TSimd.MultiplyAdd(TSimd.Load(ref start, (i * stride) + j), TSimd.Fill(w[i]), even);
                odd = TSimd.MultiplyAdd(TSimd.Load(ref start, ((i + 1) * stride) + j), TSimd.Fill(w[i + 1]), odd);
            }
            if (i < rows)
                even = TSimd.MultiplyAdd(TSimd.Load(ref start, (i * stride) + j), TSimd.Fill(w[i]), even);
            TSimd.Store(TSimd.Add(even, odd), ref MemoryMarshal.GetReference(c), j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Rescale(int rows, Span<double> q, ReadOnlySpan<double> v, ReadOnlySpan<double> w)
    {
        int stride = v.Length;
        ref double factor = ref MemoryMarshal.GetReference(v);
        for (int i = 0; i < rows; i++)
        {
            ref double row = ref Unsafe.Add(ref MemoryMarshal.GetReference(q), i * stride);
            TVector weight = TSimd.Fill(w[i]);
            for (int j = 0; j < stride; j += TSimd.Count)
            {
                TVector scaled = TSimd.Multiply(TSimd.Load(ref row, j), TSimd.Multiply(TSimd.Load(ref factor, j), weight));
                TSimd.Store(scaled, ref row, j);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Couplings(int rows, int columns, ReadOnlySpan<double> q, ReadOnlySpan<double> w, Span<double> couplings)
    {
        int stride = Stride(columns);
        ref double start = ref MemoryMarshal.GetReference(q);
        ref double weights = ref MemoryMarshal.GetReference(w);
        for (int k = 0; k < columns; k += 4)
        {
            // Four rows of the result share each load of q; those beyond the last column are pads of q, which are 0.
            for (int j = 0; j < Math.Min(k + 4, stride); j += TSimd.Count)
            {
                TVector s0 = TSimd.Zero,
                    s1 = TSimd.Zero,
                    s2 = TSimd.Zero,
                    s3 = TSimd.Zero;
                for (int i = 0; i < rows; i++)
                {
                    int row = i * stride;
                    TVector x = TSimd.Multiply(TSimd.Load(ref start, row + j), TSimd.Fill(Unsafe.Add(ref weights, i)));
                    s0 = TSimd.MultiplyAdd(x, TSimd.Fill(Unsafe.Add(ref start, row + k)), s0);
                    s1 = TSimd.MultiplyAdd(x, TSimd.Fill(Unsafe.Add(ref start, row + k + 1)), s1);
                    s2 = TSimd.MultiplyAdd(x, TSimd.Fill(Unsafe.Add(ref start, row + k + 2)), s2);
                    s3 = TSimd.MultiplyAdd(x, TSimd.Fill(Unsafe.Add(ref start, row + k + 3)), s3);
                }
                ref double result = ref Unsafe.Add(ref MemoryMarshal.GetReference(couplings), (k * stride) + j);
                TSimd.Store(s0, ref result, 0);
                TSimd.Store(s1, ref result, stride);
                TSimd.Store(s2, ref result, 2 * stride);
                TSimd.Store(s3, ref result, 3 * stride);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void SolveLaplacian(int nodes, Span<double> couplings, Span<double> loss, Span<double> right, Span<double> x)
    {
        int stride = x.Length;
        ref double start = ref MemoryMarshal.GetReference(couplings);
        ref double losses = ref MemoryMarshal.GetReference(loss);
        ref double rights = ref MemoryMarshal.GetReference(right);
        for (int p = nodes - 1; p >= 0; p--)
        {
            ref double row = ref Unsafe.Add(ref start, p * stride);
            int end = Stride(p);
            couplings.Slice((p * stride) + p, end - p).Clear();
            TVector sum = TSimd.Zero;
            for (int j = 0; j < end; j += TSimd.Count)
                sum = TSimd.Add(sum, TSimd.Load(ref row, j));
            double pivot = TSimd.Sum(sum) + loss[p];
            double inverse = pivot > 0 && double.IsFinite(1 / pivot) ? 1 / pivot : 0;
            x[p] = inverse;
            // The node's right-hand side and loss go to its neighbours, and their couplings through it to each other.
            TVector shareOfLoss = TSimd.Fill(loss[p] * inverse),
                shareOfRight = TSimd.Fill(right[p] * inverse);
            for (int j = 0; j < end; j += TSimd.Count)
            {
                TVector coupling = TSimd.Load(ref row, j);
                TSimd.Store(TSimd.MultiplyAdd(coupling, shareOfLoss, TSimd.Load(ref losses, j)), ref losses, j);
                TSimd.Store(TSimd.MultiplyAdd(coupling, shareOfRight, TSimd.Load(ref rights, j)), ref rights, j);
            }
            for (int k = 1; k < p; k++)
            {
                ref double other = ref Unsafe.Add(ref start, k * stride);
                TVector share = TSimd.Fill(Unsafe.Add(ref row, k) * inverse);
                for (int j = 0; j < k; j += TSimd.Count)
                    TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(ref row, j), share, TSimd.Load(ref other, j)), ref other, j);
            }
        }
        // From the first node to the last; x holds inverse pivots ahead of the solution, and rows are 0 from their diagonal on.
        for (int p = 0; p < nodes; p++)
        {
            double dot = 0;
            for (int j = 0; j < p; j++)
                dot = Math.FusedMultiplyAdd(couplings[(p * stride) + j], x[j], dot);
            x[p] *= right[p] + dot;
        }
        x[nodes..].Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Exp2(Span<double> x)
    {
        ref double start = ref MemoryMarshal.GetReference(x);
        TVector lowest = TSimd.Fill(Forbidden);
        for (int j = 0; j < x.Length; j += TSimd.Count)
            TSimd.Store(TSimd.Exp2(TSimd.Max(TSimd.Load(ref start, j), lowest)), ref start, j);
    }
}
