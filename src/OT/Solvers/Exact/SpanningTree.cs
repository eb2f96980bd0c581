namespace OT.Solvers.Exact;

/// <summary>
/// A basis of the transport polytope: a spanning tree over sources 0 … n−1, targets n … n+m−1 and the root n+m, strongly feasible, with its
/// flows and potentials.
/// </summary>
/// <remarks>
/// A node holds the arc to its parent. Real arcs run from source to target, artificial ones from source to root and from root to target, so a source's arc
/// goes up and a target's goes down. The artificial cost M is not a number: <see cref="IsDown"/> tells on which side of it a node is.
/// Zero flow occurs on upward arcs only (strong feasibility).
/// </remarks>
internal sealed class SpanningTree
{
    struct Node
    {
        public int Parent;
        public int Depth;
        public int FirstChild;
        public int Next;
        public int Previous;
        public double Flow;
        public double Cost;
    }

    readonly int _rows;
    readonly int _root;
    readonly Node[] _nodes;
    readonly int[] _stack;
    readonly bool[] _down;
    readonly double[] _belowM;
    readonly double[] _aboveM;
    int _downTops;
    double _artificial;

    /// <summary>A tree of the root alone; nodes that are never hung keep the price <c>−∞</c>, which no arc can beat.</summary>
    public SpanningTree(int rows, int columns)
    {
        _rows = rows;
        _root = rows + columns;
        _nodes = new Node[_root + 1];
        Array.Fill(
            _nodes,
            new Node
            {
                Parent = -1,
                FirstChild = -1,
                Next = -1,
                Previous = -1,
            }
        );
        _stack = new int[_root + 1];
        _down = new bool[_root];
        F = new double[rows];
        G = new double[columns];
        Array.Fill(G, double.NegativeInfinity);
        _belowM = new double[columns];
        _aboveM = new double[columns];
    }

    /// <summary>Source potentials, without the multiple of M.</summary>
    public double[] F { get; }

    /// <summary>Target potentials, without the multiple of M; <c>−∞</c> for targets that are not in the tree.</summary>
    public double[] G { get; }

    /// <summary>Whether some component hangs by an arc from the root, that is, some target still wants mass.</summary>
    public bool IsMixed => _downTops > 0;

    /// <summary>Whether a node hangs below an artificial arc from the root: a source's potential then holds −M, a target's +M.</summary>
    public bool IsDown(int node) => _down[node];

    /// <summary>
    /// Prices to compare a row's costs with: <see cref="G"/>, to which 2M is added where a source that has mass to send meets a target that wants it, and
    /// <c>−∞</c> in the opposite case.
    /// </summary>
    public ReadOnlySpan<double> Prices(int row)
    {
        if (!IsMixed)
            return G;
        return _down[row] ? _belowM : _aboveM;
    }

    /// <summary>Hangs a node, without children, below a parent; the flow and cost are those of the arc between them.</summary>
    public void Hang(int node, int parent, double flow, double cost)
    {
        Link(node, parent, flow, cost);
        _nodes[node].Depth = _nodes[parent].Depth + 1;
        _down[node] = parent == _root ? node >= _rows : _down[parent];
        if (parent == _root && node >= _rows)
            _downTops++;
    }

    /// <summary>Hangs a node at the root; a source sends <paramref name="flow"/> there, a target gets it from there.</summary>
    public void HangAtRoot(int node, double flow, double cost) => Hang(node, _root, flow, cost);

    /// <summary>Whether the pair is a tree arc.</summary>
    public bool Contains(int row, int column) => _nodes[row].Parent == _rows + column || _nodes[_rows + column].Parent == row;

    /// <summary>Sets the number that M stands for when costs are compared.</summary>
    public void SetArtificialCost(double cost)
    {
        _artificial = cost;
        for (int j = 0; j < G.Length; j++)
            Reprice(j);
    }

    /// <summary>Lets an arc with negative reduced cost enter; returns the mass that went round its cycle.</summary>
    public double Pivot(int row, int column, double cost)
    {
        int source = row,
            target = _rows + column;
        (int leaving, bool sourceSide, int join, double delta) = FindLeaving(source, target);
        if (delta > 0)
            Push(source, target, join, delta);
        double reduced = cost - F[row] - G[column];
        (int top, int parent) = sourceSide ? (source, target) : (target, source);
        if (_nodes[leaving].Parent == _root && leaving >= _rows)
            _downTops--;
        Rehang(top, parent, leaving, delta, cost);
        Shift(top, sourceSide ? reduced : -reduced);
        return delta;
    }

    /// <summary>
    /// Walks from both ends to their join. On the source's side a source's arc empties, on the target's side a target's does. Ties: the last arc
    /// met from the join along the entering arc leaves, which keeps the tree strongly feasible.
    /// </summary>
    (int Leaving, bool SourceSide, int Join, double Delta) FindLeaving(int source, int target)
    {
        Node[] nodes = _nodes;
        double onSource = double.PositiveInfinity,
            onTarget = double.PositiveInfinity;
        int atSource = -1,
            atTarget = -1;
        while (source != target)
        {
            if (nodes[source].Depth >= nodes[target].Depth)
            {
                if (source < _rows && nodes[source].Flow < onSource)
                    (onSource, atSource) = (nodes[source].Flow, source);
                source = nodes[source].Parent;
            }
            else
            {
                if (target >= _rows && nodes[target].Flow <= onTarget)
                    (onTarget, atTarget) = (nodes[target].Flow, target);
                target = nodes[target].Parent;
            }
        }
        return onTarget <= onSource ? (atTarget, false, source, onTarget) : (atSource, true, source, onSource);
    }

    void Push(int source, int target, int join, double delta)
    {
        for (int u = source; u != join; u = _nodes[u].Parent)
            _nodes[u].Flow += u < _rows ? -delta : delta;
        for (int u = target; u != join; u = _nodes[u].Parent)
            _nodes[u].Flow += u < _rows ? delta : -delta;
    }

    /// <summary>Reverses the path from the top up to the leaving node and hangs it below its new parent.</summary>
    void Rehang(int top, int parent, int leaving, double flow, double cost)
    {
        for (int child = top; ; )
        {
            (int up, double upFlow, double upCost) = (_nodes[child].Parent, _nodes[child].Flow, _nodes[child].Cost);
            Unlink(child);
            Link(child, parent, flow, cost);
            if (child == leaving)
                return;
            (parent, child, flow, cost) = (child, up, upFlow, upCost);
        }
    }

    void Link(int node, int parent, double flow, double cost)
    {
        ref Node child = ref _nodes[node];
        ref Node above = ref _nodes[parent];
        (child.Parent, child.Flow, child.Cost) = (parent, flow, cost);
        (child.Previous, child.Next) = (-1, above.FirstChild);
        if (above.FirstChild >= 0)
            _nodes[above.FirstChild].Previous = node;
        above.FirstChild = node;
    }

    void Unlink(int node)
    {
        ref Node child = ref _nodes[node];
        if (child.Previous >= 0)
            _nodes[child.Previous].Next = child.Next;
        else
            _nodes[child.Parent].FirstChild = child.Next;
        if (child.Next >= 0)
            _nodes[child.Next].Previous = child.Previous;
    }

    /// <summary>Adds to the source potentials of a re-hung subtree, takes from its target potentials, and brings depths up to date.</summary>
    void Shift(int top, double change)
    {
        Node[] nodes = _nodes;
        int[] stack = _stack;
        bool down = _down[nodes[top].Parent];
        bool repriced = IsMixed || _down[top] != down;
        nodes[top].Depth = nodes[nodes[top].Parent].Depth + 1;
        int count = 0;
        stack[count++] = top;
        while (count > 0)
        {
            int u = stack[--count];
            if (u < _rows)
                F[u] += change;
            else
                G[u - _rows] -= change;
            if (repriced)
            {
                _down[u] = down;
                if (u >= _rows)
                    Reprice(u - _rows);
            }
            int depth = nodes[u].Depth + 1;
            for (int child = nodes[u].FirstChild; child >= 0; child = nodes[child].Next)
            {
                nodes[child].Depth = depth;
                stack[count++] = child;
            }
        }
    }

    void Reprice(int column)
    {
        bool down = _down[_rows + column];
        _aboveM[column] = down ? G[column] + (2 * _artificial) : G[column];
        _belowM[column] = down ? G[column] : double.NegativeInfinity;
    }

    /// <summary>The nodes of the tree, parents first.</summary>
    int[] Preorder()
    {
        var order = new List<int>(_root);
        int count = 0;
        _stack[count++] = _root;
        while (count > 0)
        {
            int u = _stack[--count];
            if (u != _root)
                order.Add(u);
            for (int child = _nodes[u].FirstChild; child >= 0; child = _nodes[child].Next)
                _stack[count++] = child;
        }
        return [.. order];
    }

    /// <summary>Computes the potentials afresh from the costs of the tree arcs, which ends the drift of many shifts.</summary>
    public void RefreshPotentials()
    {
        foreach (int u in Preorder())
        {
            ref readonly Node node = ref _nodes[u];
            double above = 0;
            if (node.Parent != _root)
                above = node.Parent < _rows ? F[node.Parent] : G[node.Parent - _rows];
            if (u < _rows)
                F[u] = node.Cost - above;
            else
                G[u - _rows] = node.Cost - above;
        }
        if (IsMixed)
            SetArtificialCost(_artificial);
    }

    /// <summary>Computes the flows afresh from the supplies, leaves first, which ends the drift of many pushes.</summary>
    public void RefreshFlows(ReadOnlySpan<double> supply, ReadOnlySpan<double> demand)
    {
        var net = new double[_root + 1];
        supply.CopyTo(net);
        for (int j = 0; j < demand.Length; j++)
            net[_rows + j] = -demand[j];
        int[] order = Preorder();
        for (int k = order.Length - 1; k >= 0; k--)
        {
            int u = order[k];
            ref Node node = ref _nodes[u];
            node.Flow = Math.Max(u < _rows ? net[u] : -net[u], 0);
            net[node.Parent] += net[u];
        }
    }

    /// <summary>The positive flows on real arcs.</summary>
    public IEnumerable<(int Row, int Column, double Mass)> Flows()
    {
        for (int u = 0; u < _root; u++)
        {
            (int parent, double flow) = (_nodes[u].Parent, _nodes[u].Flow);
            if (parent >= 0 && parent != _root && flow > 0)
                yield return u < _rows ? (u, parent - _rows, flow) : (parent, u - _rows, flow);
        }
    }

    /// <summary>The positive flows on artificial arcs of one side: what sources could not send (nodes below n) or targets did not get.</summary>
    public IEnumerable<(int Node, double Mass)> Unsent(bool targets)
    {
        for (int u = _nodes[_root].FirstChild; u >= 0; u = _nodes[u].Next)
        {
            if (u >= _rows == targets && _nodes[u].Flow > 0)
                yield return (u, _nodes[u].Flow);
        }
    }
}
