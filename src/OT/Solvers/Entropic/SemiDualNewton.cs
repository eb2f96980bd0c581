using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>Newton's direction for the semi-dual <c>D(g) = max_f D(f, g)</c>, where first-order steps crawl: at small ε, between parts of the plan that hardly touch.</summary>
/// <remarks>
/// <para>
/// With transition probabilities <c>q_ij ∝ b_j exp((g_j − C_ij)/ε)</c>, row masses r and column masses <c>c = qᵀr</c>, the Hessian is −L/ε,
/// <c>L = diag(c + ε b̂/ρ_b) − τ_a qᵀ diag(r) q</c> with <c>b̂ = b exp(−g/ρ_b)</c>: the Laplacian of the graph with weights <c>W = τ_a qᵀ diag(r) q</c>, and a loss at each
/// node where marginals are penalised. The direction solves <c>L d = ε (b̂ − c)</c>.
/// </para>
/// <para>
/// Nodes are eliminated without one subtraction (Grassmann, Taksar and Heyman, Operations Research 1985: a pivot is the sum of what leaves the node), so that
/// couplings of 1e-100 keep their digits beside couplings of 1. Cost: n m²/2 + m³/6 multiply-adds and 8 m² bytes.
/// </para>
/// </remarks>
/// <param name="geometry">The costs C, n × m.</param>
/// <param name="a">Source weights.</param>
/// <param name="b">Target weights; columns without weight have no part in the system.</param>
/// <param name="threads">Threads that share the rows of W, which changes no bit of it.</param>
internal sealed class SemiDualNewton(Geometry geometry, double[] a, double[] b, int threads)
{
    /// <summary>Fewer nodes than this are not worth a second thread.</summary>
    const int NodesWorthThreads = 256;

    /// <summary>Rows, or pivots, that one sweep over W works in.</summary>
    const int Panel = 8;

    /// <summary>Longest first step, in units of ε; steps grow fourfold and shrink to a quarter.</summary>
    const double FirstRadius = 2;

    const double LongestRadius = 1e12;

    /// <summary>Smaller probabilities are taken for 0: their products would be denormal.</summary>
    const double Negligible = 1e-150;

    readonly int[] _nodes = [.. Enumerable.Range(0, b.Length).Where(j => b[j] > 0)];
    readonly double[] _w = new double[(long)b.Length * b.Length];
    readonly double[] _costs = new double[b.Length];
    readonly double[] _panel = new double[Panel * b.Length];
    readonly double[] _shares = new double[Panel * b.Length];
    readonly double[] _pivots = new double[b.Length];
    readonly double[] _loss = new double[b.Length];
    readonly double[] _right = new double[b.Length];
    readonly double[] _direction = new double[b.Length];
    readonly double[] _from = new double[b.Length];
    double _radius = FirstRadius;
    double _share;

    /// <summary>The direction d at the columns of positive weight; 0 at the others.</summary>
    public ReadOnlySpan<double> Direction => _direction;

    /// <summary>Forgets how long steps may be.</summary>
    public void Reset() => _radius = FirstRadius;

    /// <summary>
    /// A step from g along a new direction, no longer than the radius, which grows: the last step was a good one. Arguments are those of <see cref="Compute"/>;
    /// <c>next</c> receives the point and is left alone when there is no direction.
    /// </summary>
    public bool Step(
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> rowMass,
        ReadOnlySpan<double> wanted,
        double epsilon,
        double tauA,
        double rhoB,
        double damping,
        Span<double> next,
        CancellationToken cancellation
    )
    {
        if (!Compute(g, rowMass, wanted, epsilon, tauA, rhoB, damping, cancellation))
            return false;
        g.CopyTo(_from);
        _radius = Math.Min(4 * _radius, LongestRadius);
        _share = Math.Min(1, _radius * epsilon / Length);
        TensorPrimitives.MultiplyAdd(_direction, _share, _from, next);
        return true;
    }

    /// <summary>A quarter of the last step, which did harm.</summary>
    public void Shorten(double epsilon, Span<double> next)
    {
        _share /= 4;
        _radius = _share * Length / epsilon;
        TensorPrimitives.MultiplyAdd(_direction, _share, _from, next);
    }

    double Length => Math.Abs(TensorPrimitives.MaxMagnitude<double>(_direction));

    /// <summary>Computes the direction.</summary>
    /// <param name="g">The point.</param>
    /// <param name="rowMass">r: a, or <c>a exp(−f/ρ_a)</c> where a is penalised.</param>
    /// <param name="wanted">b̂: b, or <c>b exp(−g/ρ_b)</c> where b is penalised.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="tauA">τ_a; 1 for a hard marginal.</param>
    /// <param name="rhoB">ρ_b; +∞ for a hard marginal.</param>
    /// <param name="damping">Share of c added to every loss.</param>
    /// <param name="cancellation">Watched once per panel.</param>
    /// <returns>Whether there is a finite direction; false when cancelled, too.</returns>
    public bool Compute(
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> rowMass,
        ReadOnlySpan<double> wanted,
        double epsilon,
        double tauA,
        double rhoB,
        double damping,
        CancellationToken cancellation
    )
    {
        int m = _nodes.Length;
        Array.Clear(_w);
        double[] columns = AddRows(g, rowMass, epsilon, tauA, cancellation);
        for (int k = 0; k < m; k++)
        {
            int j = _nodes[k];
            _loss[k] = ((1 - tauA + damping) * columns[k]) + (epsilon * wanted[j] / rhoB);
            _right[k] = epsilon * (wanted[j] - columns[k]);
        }
        Eliminate(cancellation);
        Array.Clear(_direction);
        if (cancellation.IsCancellationRequested)
            return false;
        var solution = new double[m];
        for (int k = 0; k < m; k++)
        {
            double sum = _right[k] + TensorPrimitives.Dot<double>(Row(k), solution.AsSpan(0, k));
            solution[k] = _pivots[k] > 0 ? sum / _pivots[k] : 0;
            _direction[_nodes[k]] = solution[k];
        }
        return double.IsFinite(TensorPrimitives.Sum<double>(solution));
    }

    /// <summary>W, below its diagonal, and the column masses.</summary>
    double[] AddRows(
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> rowMass,
        double epsilon,
        double tauA,
        CancellationToken cancellation
    )
    {
        int m = _nodes.Length;
        var columns = new double[m];
        int filled = 0;
        for (int i = 0; i < a.Length && !cancellation.IsCancellationRequested; i++)
        {
            if (rowMass[i] > 0)
            {
                Span<double> q = _panel.AsSpan(filled * m, m);
                if (!Transition(i, g, epsilon, q))
                    continue;
                TensorPrimitives.MultiplyAdd(q, rowMass[i], columns, columns);
                TensorPrimitives.Multiply(q, tauA * rowMass[i], _shares.AsSpan(filled * m, m));
                filled++;
            }
            if (filled == Panel || (i == a.Length - 1 && filled > 0))
            {
                AddOuterProducts(filled, m);
                filled = 0;
            }
        }
        if (filled > 0)
            AddOuterProducts(filled, m);
        return columns;
    }

    /// <summary>One row of q; false when no column is allowed.</summary>
    bool Transition(int row, ReadOnlySpan<double> g, double epsilon, Span<double> q)
    {
        geometry.CostRow(row, _costs);
        for (int k = 0; k < q.Length; k++)
            q[k] = g[_nodes[k]] - _costs[_nodes[k]];
        double max = TensorPrimitives.Max<double>(q);
        if (!double.IsFinite(max))
            return false;
        TensorPrimitives.Subtract(q, max, q);
        TensorPrimitives.Divide(q, epsilon, q);
        VectorMath.Exp(q);
        for (int k = 0; k < q.Length; k++)
            q[k] *= b[_nodes[k]];
        TensorPrimitives.Divide(q, TensorPrimitives.Sum<double>(q), q);
        for (int k = 0; k < q.Length; k++)
        {
            if (q[k] < Negligible)
                q[k] = 0;
        }
        return true;
    }

    /// <summary>Eliminates the nodes from the last to the first, a panel at a time; right-hand sides and losses go along.</summary>
    void Eliminate(CancellationToken cancellation)
    {
        int m = _nodes.Length;
        for (int last = m - 1; last >= 0 && !cancellation.IsCancellationRequested; last -= Panel)
        {
            int first = Math.Max(0, last - Panel + 1);
            for (int p = last; p >= first; p--)
            {
                Span<double> row = Row(p);
                for (int u = last; u > p; u--)
                    TensorPrimitives.MultiplyAdd(Row(u)[..p], Share(u, p), row, row);
                _pivots[p] = TensorPrimitives.Sum<double>(row) + _loss[p];
                for (int k = first; k < p; k++)
                    Pass(p, k);
            }
            // What is left of the graph sees the whole panel at once.
            for (int u = last; u >= first; u--)
            {
                Row(u)[..first].CopyTo(_panel.AsSpan((last - u) * m, first));
                Span<double> shares = _shares.AsSpan((last - u) * m, first);
                for (int k = 0; k < first; k++)
                {
                    shares[k] = Share(u, k);
                    Pass(u, k);
                }
            }
            AddOuterProducts(last - first + 1, m, first);
        }
    }

    /// <summary>The share of what leaves a node that goes to another.</summary>
    double Share(int node, int to) => _pivots[node] > 0 ? Row(node)[to] / _pivots[node] : 0;

    /// <summary>An eliminated node's right-hand side and loss go to its neighbours.</summary>
    void Pass(int node, int to)
    {
        double share = Share(node, to);
        _right[to] += share * _right[node];
        _loss[to] += share * _loss[node];
    }

    /// <summary>Couplings of a node with those before it.</summary>
    Span<double> Row(int node) => MemoryMarshal.CreateSpan(ref _w[(long)node * _nodes.Length], node);

    /// <summary><c>W_k[..k] += Σ_u shares_u[k] panel_u[..k]</c> for k below <paramref name="count"/>, all of them by default.</summary>
    void AddOuterProducts(int panels, int stride, int count = -1)
    {
        count = count < 0 ? stride : count;
        if (panels < Panel)
        {
            for (int u = panels; u < Panel; u++)
            {
                _panel.AsSpan(u * stride, stride).Clear();
                _shares.AsSpan(u * stride, stride).Clear();
            }
        }
        if (threads == 1 || count < NodesWorthThreads)
        {
            AddToRows(1, count, stride);
            return;
        }
        // Row k has k entries: borders at square roots share them evenly.
        Parallel.For(
            0,
            threads,
            new ParallelOptions { MaxDegreeOfParallelism = threads },
            part =>
                AddToRows(
                    Math.Max(1, (int)(count * Math.Sqrt((double)part / threads))),
                    (int)(count * Math.Sqrt((part + 1.0) / threads)),
                    stride
                )
        );
    }

    void AddToRows(int first, int end, int stride)
    {
        for (int k = first; k < end; k++)
        {
            double s0 = _shares[k],
                s1 = _shares[stride + k],
                s2 = _shares[(2 * stride) + k],
                s3 = _shares[(3 * stride) + k],
                s4 = _shares[(4 * stride) + k],
                s5 = _shares[(5 * stride) + k],
                s6 = _shares[(6 * stride) + k],
                s7 = _shares[(7 * stride) + k];
            if (s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 == 0)
                continue;
            Span<double> row = Row(k);
            ref double start = ref MemoryMarshal.GetReference(row);
            ref double panel = ref _panel[0];
            int j = 0;
            for (; j <= k - Vector<double>.Count; j += Vector<double>.Count)
            {
                Vector<double> sum = Vector.LoadUnsafe(ref start, (nuint)j);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)j), new(s0), sum);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)(stride + j)), new(s1), sum);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)((2 * stride) + j)), new(s2), sum);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)((3 * stride) + j)), new(s3), sum);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)((4 * stride) + j)), new(s4), sum);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)((5 * stride) + j)), new(s5), sum);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)((6 * stride) + j)), new(s6), sum);
                sum = Vector.FusedMultiplyAdd(Vector.LoadUnsafe(ref panel, (nuint)((7 * stride) + j)), new(s7), sum);
                sum.StoreUnsafe(ref start, (nuint)j);
            }
            for (; j < k; j++)
            {
                double sum = row[j];
                for (int u = 0; u < Panel; u++)
                    sum = Math.FusedMultiplyAdd(_panel[(u * stride) + j], _shares[(u * stride) + k], sum);
                row[j] = sum;
            }
        }
    }
}
