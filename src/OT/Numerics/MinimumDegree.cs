namespace OT.Numerics;

/// <summary>
/// The order in which to eliminate the nodes of a sparse graph: one of fewest neighbours first, until what is left is so dense that a dense factor is faster.
/// </summary>
/// <remarks>
/// Eliminating a node joins its neighbours to one another. The join is not written out: an eliminated node is kept as an element, the list of the nodes it
/// joined, so that storage never grows; degrees are upper bounds (Amestoy, Davis and Duff, SIAM J. Matrix Anal. Appl. 1996).
/// </remarks>
internal sealed class MinimumDegree
{
    /// <summary>A multiply-add of the sparse factor takes so many times as long as one of the dense factor: about 1 ns to 1/64 ns.</summary>
    public const int SparsePenalty = 64;

    /// <summary>Fewer nodes are left to the dense factor in any case.</summary>
    const int SmallestTail = 32;

    readonly List<int>[] _variables;
    readonly List<int>[] _elements;
    readonly int[][] _patterns;
    readonly int[] _degrees;
    readonly int[] _heads;
    readonly int[] _next;
    readonly int[] _previous;
    readonly int[] _mark;
    readonly int[] _outside;
    readonly int[] _outsideMark;
    readonly bool[] _absorbed;
    int _tag;

    MinimumDegree(int nodes, ReadOnlySpan<int> starts, ReadOnlySpan<int> neighbours)
    {
        _variables = new List<int>[nodes];
        _elements = new List<int>[nodes];
        _patterns = new int[nodes][];
        (_degrees, _next, _previous) = (new int[nodes], new int[nodes], new int[nodes]);
        (_mark, _outside, _outsideMark) = (new int[nodes], new int[nodes], new int[nodes]);
        _absorbed = new bool[nodes];
        _heads = new int[nodes + 1];
        Array.Fill(_heads, -1);
        for (int i = 0; i < nodes; i++)
        {
            ReadOnlySpan<int> list = neighbours[starts[i]..starts[i + 1]];
            _variables[i] = new List<int>(list.Length);
            _variables[i].AddRange(list);
            _elements[i] = [];
            Insert(i, list.Length);
        }
    }

    /// <summary>Orders a graph.</summary>
    /// <param name="nodes">Number of nodes, N.</param>
    /// <param name="starts">Where each node's neighbours begin, N + 1 places.</param>
    /// <param name="neighbours">Each edge at both its ends; no node its own neighbour.</param>
    /// <param name="mostFill">Joined nodes in all, beyond which the rest is tail.</param>
    /// <returns>The nodes eliminated one by one, with the nodes each of them is joined to at that time; and the others, the tail.</returns>
    public static (int[] Order, int[][] Patterns, int[] Tail) Of(
        int nodes,
        ReadOnlySpan<int> starts,
        ReadOnlySpan<int> neighbours,
        long mostFill
    ) => new MinimumDegree(nodes, starts, neighbours).Run(mostFill);

    (int[] Order, int[][] Patterns, int[] Tail) Run(long mostFill)
    {
        long fill = 0;
        int left = _degrees.Length;
        var order = new List<int>(left);
        int least = 0;
        while (left > SmallestTail && fill <= mostFill)
        {
            while (_heads[least] < 0)
                least++;
            // d²/2 sparse multiply-adds now, or left²/2 dense ones later.
            if ((long)least * least * SparsePenalty > (long)left * left)
                break;
            int pivot = _heads[least];
            Remove(pivot);
            order.Add(pivot);
            left--;
            least = Eliminate(pivot, left, least);
            fill += _patterns[pivot].Length;
        }
        var isTail = new bool[_degrees.Length];
        Array.Fill(isTail, true);
        foreach (int node in order)
            isTail[node] = false;
        int[] tail = [.. Enumerable.Range(0, isTail.Length).Where(i => isTail[i])];
        return ([.. order], [.. order.Select(node => _patterns[node])], tail);
    }

    /// <summary>Makes an element of a node; gives the least degree there may now be.</summary>
    int Eliminate(int pivot, int left, int least)
    {
        int[] pattern = Pattern(pivot);
        _patterns[pivot] = pattern;
        foreach (int element in _elements[pivot])
            _absorbed[element] = true;
        int tag = ++_tag;
        foreach (int i in pattern)
            _mark[i] = tag;
        foreach (int i in pattern)
        {
            _variables[i].RemoveAll(j => j == pivot || _mark[j] == tag);
            _elements[i].RemoveAll(element => _absorbed[element]);
            foreach (int element in _elements[i])
            {
                if (_outsideMark[element] != tag)
                    (_outsideMark[element], _outside[element]) = (tag, _patterns[element].Length);
                _outside[element]--;
            }
        }
        foreach (int i in pattern)
        {
            int degree = _variables[i].Count + pattern.Length - 1;
            for (int k = _elements[i].Count - 1; k >= 0; k--)
            {
                int element = _elements[i][k];
                if (_outside[element] == 0)
                    _elements[i].RemoveAt(k); // all of it lies in the new element
                else
                    degree += _outside[element];
            }
            _elements[i].Add(pivot);
            Remove(i);
            degree = Math.Min(degree, left - 1);
            Insert(i, degree);
            least = Math.Min(least, degree);
        }
        return least;
    }

    /// <summary>The nodes that a node is joined to.</summary>
    int[] Pattern(int pivot)
    {
        int tag = ++_tag;
        _mark[pivot] = tag;
        var pattern = new List<int>();
        foreach (int j in _variables[pivot])
            Add(j);
        foreach (int element in _elements[pivot])
        {
            foreach (int j in _patterns[element])
                Add(j);
        }
        return [.. pattern];

        void Add(int j)
        {
            if (_mark[j] != tag)
            {
                _mark[j] = tag;
                pattern.Add(j);
            }
        }
    }

    void Insert(int node, int degree)
    {
        _degrees[node] = degree;
        int head = _heads[degree];
        (_next[node], _previous[node]) = (head, -1);
        if (head >= 0)
            _previous[head] = node;
        _heads[degree] = node;
    }

    void Remove(int node)
    {
        if (_previous[node] >= 0)
            _next[_previous[node]] = _next[node];
        else
            _heads[_degrees[node]] = _next[node];
        if (_next[node] >= 0)
            _previous[_next[node]] = _previous[node];
    }
}
