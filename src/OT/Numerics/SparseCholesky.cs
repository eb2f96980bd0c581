namespace OT.Numerics;

/// <summary>
/// Factorises <c>diag(W1 + ℓ) − W</c>, the Laplacian of a sparse graph with weights W ≥ 0 and losses ℓ ≥ 0, as <c>L D Lᵀ</c> without one subtraction.
/// </summary>
/// <remarks>
/// <para>
/// The order and the places of all entries are found once (<see cref="MinimumDegree"/>, or an order given) and serve any weights on the same graph. Nodes of
/// few neighbours are eliminated one by one, those that remain, the tail, by a <see cref="DenseElimination"/>.
/// </para>
/// <para>
/// A pivot is the sum of what leaves its node, so weights of 1e-100 keep their digits beside weights of 1 (Grassmann, Taksar and Heyman, Operations Research
/// 1985). A node that nothing leaves has a pivot of 0 and a solution of 0.
/// </para>
/// </remarks>
internal sealed class SparseCholesky
{
    /// <summary>A node joined to at least this share of the tail is added to the tail's weights as a dense vector.</summary>
    const double DenseShare = 1.0 / 12;

    readonly int[] _position; // of a node: its place in the order, tail nodes last
    readonly int[] _starts; // of each sparse node's entries
    readonly int[] _places; // positions of its entries, in increasing order
    readonly int[] _from; // edges of the graph by sparse node: which weights are its own
    readonly int[] _edges;
    readonly int[] _targets;
    readonly int[] _tailEdges; // edges within the tail
    readonly double[] _shares; // entry / pivot
    readonly double[] _pivots;
    readonly double[] _losses;
    readonly double[] _work;
    readonly int[] _cursor;
    readonly int[] _link;
    readonly int[] _nextLink;
    readonly int _sparse;
    readonly int _threads;
    DenseElimination? _dense;

    SparseCholesky(
        int nodes,
        ReadOnlySpan<int> starts,
        ReadOnlySpan<int> neighbours,
        int[] order,
        int[][] patterns,
        int[] tail,
        int threads
    )
    {
        (Count, TailCount, _threads) = (nodes, tail.Length, threads);
        _sparse = order.Length;
        _position = new int[nodes];
        for (int p = 0; p < order.Length; p++)
            _position[order[p]] = p;
        for (int t = 0; t < tail.Length; t++)
            _position[tail[t]] = _sparse + t;
        _starts = new int[_sparse + 1];
        for (int p = 0; p < _sparse; p++)
            _starts[p + 1] = checked(_starts[p] + patterns[p].Length);
        _places = new int[_starts[_sparse]];
        _shares = new double[_places.Length];
        for (int p = 0; p < _sparse; p++)
        {
            Span<int> places = _places.AsSpan(_starts[p]..(_starts[p + 1]));
            for (int k = 0; k < places.Length; k++)
                places[k] = _position[patterns[p][k]];
            places.Sort();
        }
        double work = tail.Length * (double)tail.Length * tail.Length / 6;
        for (int p = 0; p < _sparse; p++)
        {
            double count = patterns[p].Length;
            work += 0.5 * Math.Min(MinimumDegree.SparsePenalty * count * count, tail.Length * (double)tail.Length);
        }
        Work = work;
        (_from, _edges, _targets, _tailEdges) = OwnEdges(starts, neighbours);
        (_pivots, _losses, _work) = (new double[_sparse], new double[nodes], new double[nodes]);
        (_cursor, _link, _nextLink) = (new int[_sparse], new int[_sparse], new int[_sparse]);
    }

    /// <summary>Number of nodes, N.</summary>
    public int Count { get; }

    /// <summary>Entries of the sparse part of the factor.</summary>
    public int FillCount => _places.Length;

    /// <summary>Nodes that are eliminated densely.</summary>
    public int TailCount { get; }

    /// <summary>Bytes of the factor.</summary>
    public long Bytes =>
        DenseElimination.Bytes(TailCount) is var dense && dense == long.MaxValue ? dense : dense + (12L * _places.Length);

    /// <summary>The dense part, made when it is needed.</summary>
    DenseElimination Tail => _dense ??= new DenseElimination(TailCount, _threads);

    /// <summary>Multiply-adds of a factorisation, in units of the dense part's; a sparse one takes 64 times as long.</summary>
    public double Work { get; }

    /// <summary>Finds an order that keeps the factor sparse, and the places of its entries.</summary>
    /// <param name="nodes">Number of nodes, N.</param>
    /// <param name="starts">Where each node's neighbours begin, N + 1 places.</param>
    /// <param name="neighbours">Each edge at both its ends; no node its own neighbour.</param>
    /// <param name="threads">Threads of the dense part; they change no bit.</param>
    /// <param name="mostFill">Entries of the sparse part, beyond which nodes are left to the dense part.</param>
    public static SparseCholesky Analyse(
        int nodes,
        ReadOnlySpan<int> starts,
        ReadOnlySpan<int> neighbours,
        int threads,
        long mostFill = int.MaxValue / 2
    )
    {
        (int[] order, int[][] patterns, int[] tail) = MinimumDegree.Of(nodes, starts, neighbours, mostFill);
        return new(nodes, starts, neighbours, order, patterns, tail, threads);
    }

    /// <summary>The order of a bipartite graph that eliminates the first nodes, which have no edges among them, and leaves the others to the dense part.</summary>
    /// <inheritdoc cref="Analyse"/>
    public static SparseCholesky FirstNodesFirst(
        int first,
        int nodes,
        ReadOnlySpan<int> starts,
        ReadOnlySpan<int> neighbours,
        int threads
    )
    {
        var patterns = new int[first][];
        for (int i = 0; i < first; i++)
            patterns[i] = neighbours[starts[i]..starts[i + 1]].ToArray();
        int[] order = [.. Enumerable.Range(0, first)];
        int[] tail = [.. Enumerable.Range(first, nodes - first)];
        return new(nodes, starts, neighbours, order, patterns, tail, threads);
    }

    /// <summary>Each edge belongs to the end that is eliminated first.</summary>
    (int[] From, int[] Edges, int[] Targets, int[] TailEdges) OwnEdges(ReadOnlySpan<int> starts, ReadOnlySpan<int> neighbours)
    {
        var from = new int[_sparse + 1];
        var tailEdges = new List<int>();
        for (int i = 0; i < Count; i++)
        {
            for (int e = starts[i]; e < starts[i + 1]; e++)
            {
                int own = _position[i],
                    other = _position[neighbours[e]];
                if (own < _sparse && own < other)
                    from[own + 1]++;
                else if (own >= _sparse && other >= _sparse && own > other)
                    tailEdges.AddRange([e, own - _sparse, other - _sparse]);
            }
        }
        for (int p = 0; p < _sparse; p++)
            from[p + 1] += from[p];
        int[] edges = new int[from[_sparse]],
            targets = new int[from[_sparse]],
            at = [.. from];
        for (int i = 0; i < Count; i++)
        {
            int own = _position[i];
            for (int e = starts[i]; e < starts[i + 1] && own < _sparse; e++)
            {
                int other = _position[neighbours[e]];
                if (own < other)
                    (edges[at[own]], targets[at[own]++]) = (e, other);
            }
        }
        return (from, edges, targets, [.. tailEdges]);
    }

    /// <summary>Factorises for given weights, one per place of the neighbours given to <see cref="Analyse"/> (both ends of an edge alike), and losses; false when cancelled.</summary>
    public bool Factor(ReadOnlySpan<double> weights, ReadOnlySpan<double> losses, CancellationToken cancellation)
    {
        Tail.Clear();
        for (int i = 0; i < Count; i++)
            _losses[_position[i]] = losses[i];
        for (int k = 0; k < _tailEdges.Length; k += 3)
            Tail.Row(_tailEdges[k + 1])[_tailEdges[k + 2]] += weights[_tailEdges[k]];
        Array.Fill(_link, -1);
        var panel = new double[DenseElimination.Panel];
        int vectors = 0;
        for (int p = 0; p < _sparse; p++)
        {
            if ((p & 255) == 0 && cancellation.IsCancellationRequested)
                return false;
            for (int e = _from[p]; e < _from[p + 1]; e++)
                _work[_targets[e]] += weights[_edges[e]];
            for (int q = _link[p]; q >= 0; )
            {
                int next = _nextLink[q];
                Update(q);
                q = next;
            }
            Finish(p);
            vectors = AddToTail(p, panel, vectors);
        }
        if (vectors > 0)
            Tail.AddPanel(panel.AsSpan(0, vectors));
        for (int t = 0; t < TailCount; t++)
            Tail.Losses[t] = _losses[_sparse + t];
        return Tail.Eliminate(cancellation);
    }

    /// <summary>What an earlier node passes to the one at its cursor, whose entries are being gathered.</summary>
    void Update(int q)
    {
        int at = _cursor[q],
            end = _starts[q + 1];
        double weight = _shares[at] * _pivots[q];
        for (int k = at + 1; k < end; k++)
            _work[_places[k]] += weight * _shares[k];
        Enlist(q, at + 1);
    }

    /// <summary>Notes which node a column concerns next.</summary>
    void Enlist(int q, int cursor)
    {
        _cursor[q] = cursor;
        if (cursor < _starts[q + 1] && _places[cursor] is int place && place < _sparse)
            (_nextLink[q], _link[place]) = (_link[place], q);
    }

    /// <summary>The pivot of a node whose entries are gathered, and its shares.</summary>
    void Finish(int p)
    {
        Span<double> shares = _shares.AsSpan(_starts[p]..(_starts[p + 1]));
        ReadOnlySpan<int> places = _places.AsSpan(_starts[p]..(_starts[p + 1]));
        double pivot = _losses[p];
        for (int k = 0; k < places.Length; k++)
        {
            shares[k] = _work[places[k]];
            _work[places[k]] = 0;
            pivot += shares[k];
        }
        _pivots[p] = pivot;
        double inverse = pivot > 0 ? 1 / pivot : 0;
        for (int k = 0; k < places.Length; k++)
        {
            shares[k] *= inverse;
            _losses[places[k]] += shares[k] * _losses[p];
        }
        Enlist(p, _starts[p]);
    }

    /// <summary>What a node's elimination adds to the weights within the tail: pair by pair, or in a panel of dense vectors.</summary>
    int AddToTail(int p, double[] panel, int vectors)
    {
        int end = _starts[p + 1],
            start = end;
        while (start > _starts[p] && _places[start - 1] >= _sparse)
            start--;
        ReadOnlySpan<int> places = _places.AsSpan(start..end);
        ReadOnlySpan<double> shares = _shares.AsSpan(start..end);
        double pivot = _pivots[p];
        if (places.Length < 2 || pivot == 0)
            return vectors;
        if (places.Length < DenseShare * TailCount)
        {
            for (int u = 1; u < places.Length; u++)
            {
                Span<double> row = Tail.Row(places[u] - _sparse);
                double weight = pivot * shares[u];
                for (int v = 0; v < u; v++)
                    row[places[v] - _sparse] += weight * shares[v];
            }
            return vectors;
        }
        Span<double> vector = Tail.PanelVector(vectors);
        vector.Clear();
        for (int u = 0; u < places.Length; u++)
            vector[places[u] - _sparse] = shares[u];
        panel[vectors++] = pivot;
        if (vectors < panel.Length)
            return vectors;
        Tail.AddPanel(panel);
        return 0;
    }

    /// <summary>Solves with the factor: <c>(diag(W1 + ℓ) − W) x = right</c>.</summary>
    public void Solve(ReadOnlySpan<double> right, Span<double> solution)
    {
        Span<double> x = _work;
        for (int i = 0; i < Count; i++)
            x[_position[i]] = right[i];
        for (int p = 0; p < _sparse; p++)
        {
            for (int k = _starts[p]; k < _starts[p + 1]; k++)
                x[_places[k]] += _shares[k] * x[p];
        }
        Tail.Solve(x[_sparse..]);
        for (int p = _sparse - 1; p >= 0; p--)
        {
            double sum = _pivots[p] > 0 ? x[p] / _pivots[p] : 0;
            for (int k = _starts[p]; k < _starts[p + 1]; k++)
                sum += _shares[k] * x[_places[k]];
            x[p] = sum;
        }
        for (int i = 0; i < Count; i++)
            solution[i] = x[_position[i]];
        x.Clear();
    }
}
