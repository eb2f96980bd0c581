using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace OT.Numerics;

/// <summary>Factorises <c>diag(W1 + ℓ) − W</c>, the Laplacian of a dense graph with weights W ≥ 0 and losses ℓ ≥ 0, without one subtraction.</summary>
/// <remarks>
/// Nodes are eliminated from the last to the first: a pivot is the sum of what leaves the node, so weights of 1e-100 keep their digits beside weights of 1
/// (Grassmann, Taksar and Heyman, Operations Research 1985). Cost: m³/6 multiply-adds and 8 m² bytes.
/// </remarks>
internal sealed class DenseElimination
{
    /// <summary>Pivots that one sweep over W works in.</summary>
    public const int Panel = 32;

    /// <summary>Rows of W in registers at a time.</summary>
    const int Together = 4;

    /// <summary>Rows are padded to whole pairs of the widest registers.</summary>
    const int Wide = 16;

    /// <summary>Fewer nodes than this are not worth a second thread.</summary>
    const int NodesWorthThreads = 192;

    readonly double[] _w;
    readonly double[] _panel;
    readonly double[] _shares;
    readonly double[] _pivots;
    readonly int _stride;
    readonly int _threads;

    /// <summary>Room for a graph of so many nodes.</summary>
    public DenseElimination(int nodes, int threads)
    {
        (Count, _threads) = (nodes, threads);
        // An odd number of register pairs: rows that a sweep reads together then lie in different sets of the cache.
        _stride = (((nodes + Wide - 1) / Wide) | 1) * Wide;
        _w = new double[Guard.ArrayLength(nodes, _stride, "a dense factor")];
        _panel = new double[Panel * _stride];
        _shares = new double[Panel * _stride];
        _pivots = new double[nodes];
        Losses = new double[nodes];
    }

    /// <summary>Bytes of a factor of so many nodes; the largest number where no array holds it.</summary>
    public static long Bytes(long nodes) =>
        nodes * (nodes + (2 * Wide)) > Array.MaxLength
            ? long.MaxValue
            : sizeof(double) * nodes * (nodes + (2 * Wide) + (2 * Panel));

    /// <summary>Nodes, m.</summary>
    public int Count { get; }

    /// <summary>ℓ; overwritten by <see cref="Eliminate"/>.</summary>
    public double[] Losses { get; }

    /// <summary>Weights between a node and those before it; overwritten by <see cref="Eliminate"/>.</summary>
    public Span<double> Row(int node) => _w.AsSpan(node * _stride, node);

    /// <summary>No weights and no losses.</summary>
    public void Clear()
    {
        Array.Clear(_w);
        Array.Clear(Losses);
    }

    /// <summary>A vector over all nodes, one of the <see cref="Panel"/> that <see cref="AddPanel"/> adds.</summary>
    public Span<double> PanelVector(int u) => _panel.AsSpan(u * _stride, Count);

    /// <summary><c>W += Σ_u scale_u v_u v_uᵀ</c> over the first panel vectors.</summary>
    public void AddPanel(ReadOnlySpan<double> scales)
    {
        for (int u = 0; u < scales.Length; u++)
            TensorPrimitives.Multiply(PanelVector(u), scales[u], _shares.AsSpan(u * _stride, Count));
        AddOuterProducts(scales.Length, Count);
    }

    /// <summary>Eliminates all nodes; false when cancelled.</summary>
    public bool Eliminate(CancellationToken cancellation)
    {
        for (int last = Count - 1; last >= 0; last -= Panel)
        {
            if (cancellation.IsCancellationRequested)
                return false;
            int first = Math.Max(0, last - Panel + 1);
            for (int p = last; p >= first; p--)
            {
                Span<double> row = Row(p);
                for (int u = last; u > p; u--)
                    TensorPrimitives.MultiplyAdd(Row(u)[..p], Share(u, p), row, row);
                _pivots[p] = TensorPrimitives.Sum<double>(row) + Losses[p];
                double share = _pivots[p] > 0 ? Losses[p] / _pivots[p] : 0;
                TensorPrimitives.MultiplyAdd(row, share, Losses.AsSpan(0, p), Losses.AsSpan(0, p));
            }
            // What is left of the graph sees the whole panel at once.
            for (int u = last; u >= first && first > 0; u--)
            {
                Span<double> row = Row(u)[..first];
                row.CopyTo(_panel.AsSpan((last - u) * _stride));
                double inverse = _pivots[u] > 0 ? 1 / _pivots[u] : 0;
                TensorPrimitives.Multiply(row, inverse, _shares.AsSpan((last - u) * _stride, first));
            }
            AddOuterProducts(last - first + 1, first);
        }
        return true;
    }

    /// <summary>Solves with the factor: the right-hand side becomes the solution.</summary>
    public void Solve(Span<double> x)
    {
        for (int p = Count - 1; p > 0; p--)
        {
            if (_pivots[p] > 0)
                TensorPrimitives.MultiplyAdd(Row(p), x[p] / _pivots[p], x[..p], x[..p]);
        }
        for (int p = 0; p < Count; p++)
            x[p] = _pivots[p] > 0 ? (x[p] + TensorPrimitives.Dot<double>(Row(p), x[..p])) / _pivots[p] : 0;
    }

    /// <summary>Solves with the factor, and knows rounding from a flow; of the solutions of a graph without losses, one.</summary>
    /// <param name="right">The right-hand side; overwritten.</param>
    /// <param name="size">What each entry is the difference of: a net flow of no more than <paramref name="rounding"/> of it is none. Overwritten.</param>
    /// <param name="rounding">Relative rounding of the right-hand side.</param>
    /// <param name="solution">Receives x.</param>
    /// <returns>False when a part of the graph that neither leaks nor is connected has a net flow: there is no solution, and 0 is returned there.</returns>
    public bool Solve(Span<double> right, Span<double> size, double rounding, Span<double> solution)
    {
        bool solvable = true;
        for (int p = Count - 1; p >= 0; p--)
        {
            // Between parts that hardly touch, the rounding of what flows inside them would be taken for a flow across.
            if (Math.Abs(right[p]) <= rounding * size[p])
                right[p] = 0;
            if (_pivots[p] == 0)
            {
                solvable &= right[p] == 0;
                continue;
            }
            TensorPrimitives.MultiplyAdd(Row(p), right[p] / _pivots[p], right[..p], right[..p]);
            TensorPrimitives.MultiplyAdd(Row(p), size[p] / _pivots[p], size[..p], size[..p]);
        }
        right.CopyTo(solution);
        for (int p = 0; p < Count; p++)
            solution[p] = _pivots[p] > 0 ? (solution[p] + TensorPrimitives.Dot<double>(Row(p), solution[..p])) / _pivots[p] : 0;
        return solvable;
    }

    /// <summary>The share of what leaves a node that goes to another.</summary>
    double Share(int node, int to) => _pivots[node] > 0 ? Row(node)[to] / _pivots[node] : 0;

    /// <summary><c>W_k[..k] += Σ_u shares_u[k] panel_u[..k]</c> for the nodes k below <paramref name="count"/>.</summary>
    void AddOuterProducts(int vectors, int count)
    {
        if (_threads == 1 || count < NodesWorthThreads)
        {
            AddToRows(vectors, 0, count);
            return;
        }
        // Row k has k entries: borders at square roots share them evenly.
        Parallel.For(
            0,
            _threads,
            new ParallelOptions { MaxDegreeOfParallelism = _threads },
            part =>
                AddToRows(
                    vectors,
                    Border(count, Math.Sqrt((double)part / _threads)),
                    Border(count, Math.Sqrt((part + 1.0) / _threads))
                )
        );
    }

    static int Border(int count, double share) => share >= 1 ? count : (int)(count * share) / Together * Together;

    void AddToRows(int vectors, int first, int end)
    {
        if (Simd.Width == 512)
            AddToRows<Simd512<double>, Vector512<double>>(vectors, first, end);
        else if (Simd.Width == 256)
            AddToRows<Simd256<double>, Vector256<double>>(vectors, first, end);
        else if (Simd.Width == 128)
            AddToRows<Simd128<double>, Vector128<double>>(vectors, first, end);
        else
            AddToRows<SimdScalar<double>, double>(vectors, first, end);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void AddToRows<TSimd, TVector>(int vectors, int first, int end)
        where TSimd : struct, ISimd<TVector, double>
    {
        // Rows are wider than they are long, and what lies beyond their length is never read: a register may reach over it.
        for (int k = first; k < end; k += Together)
        {
            int rows = Math.Min(Together, end - k);
            int length = Math.Min((k + rows + Wide - 1) / Wide * Wide, _stride);
            if (rows == Together)
            {
                for (int j = 0; j < length; j += 2 * TSimd.Count)
                    FourRows<TSimd, TVector>(vectors, k, j);
            }
            else
            {
                for (int r = 0; r < rows; r++)
                {
                    Span<double> row = Row(k + r);
                    for (int u = 0; u < vectors; u++)
                        TensorPrimitives.MultiplyAdd(
                            _panel.AsSpan(u * _stride, row.Length),
                            _shares[(u * _stride) + k + r],
                            row,
                            row
                        );
                }
            }
        }
    }

    /// <summary>Two registers of columns of four rows, all panel vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void FourRows<TSimd, TVector>(int vectors, int k, int j)
        where TSimd : struct, ISimd<TVector, double>
    {
        nint stride = _stride,
            next = TSimd.Count;
        ref double w = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_w), (k * stride) + j);
        ref double panel = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_panel), j);
        ref double shares = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_shares), k);
        TVector a0 = TSimd.Load(ref w, 0),
            a1 = TSimd.Load(ref w, next),
            b0 = TSimd.Load(ref w, stride),
            b1 = TSimd.Load(ref w, stride + next),
            c0 = TSimd.Load(ref w, 2 * stride),
            c1 = TSimd.Load(ref w, (2 * stride) + next),
            d0 = TSimd.Load(ref w, 3 * stride),
            d1 = TSimd.Load(ref w, (3 * stride) + next);
        for (nint u = 0; u < vectors; u++)
        {
            TVector v0 = TSimd.Load(ref panel, 0),
                v1 = TSimd.Load(ref panel, next);
            TVector a = TSimd.Fill(shares);
            a0 = TSimd.MultiplyAdd(v0, a, a0);
            a1 = TSimd.MultiplyAdd(v1, a, a1);
            TVector b = TSimd.Fill(Unsafe.Add(ref shares, 1));
            b0 = TSimd.MultiplyAdd(v0, b, b0);
            b1 = TSimd.MultiplyAdd(v1, b, b1);
            TVector c = TSimd.Fill(Unsafe.Add(ref shares, 2));
            c0 = TSimd.MultiplyAdd(v0, c, c0);
            c1 = TSimd.MultiplyAdd(v1, c, c1);
            TVector d = TSimd.Fill(Unsafe.Add(ref shares, 3));
            d0 = TSimd.MultiplyAdd(v0, d, d0);
            d1 = TSimd.MultiplyAdd(v1, d, d1);
            panel = ref Unsafe.Add(ref panel, stride);
            shares = ref Unsafe.Add(ref shares, stride);
        }
        TSimd.Store(a0, ref w, 0);
        TSimd.Store(a1, ref w, next);
        TSimd.Store(b0, ref w, stride);
        TSimd.Store(b1, ref w, stride + next);
        TSimd.Store(c0, ref w, 2 * stride);
        TSimd.Store(c1, ref w, (2 * stride) + next);
        TSimd.Store(d0, ref w, 3 * stride);
        TSimd.Store(d1, ref w, (3 * stride) + next);
    }
}
