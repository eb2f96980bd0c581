using OT.Numerics;

namespace OT.Results;

/// <summary>
/// Moves what rows still have to what columns still want along a forest of the plan's own largest entries, adding to some and taking from others.
/// </summary>
/// <remarks>
/// On a tree the flow is unique: every branch sends its surplus to its root. Entries of the plan are allowed pairs, and large ones can spare what a small repair takes.
/// Candidates are each row's 16 and each column's 4 largest entries, of which Kruskal's rule keeps a forest of greatest mass. Cost: one pass over the plan.
/// </remarks>
internal sealed class ForestRepair
{
    const int RowCandidates = 16;
    const int ColumnCandidates = 4;

    readonly int _n;
    readonly int _m;
    readonly List<(int Row, int Column, double Mass)> _entries = [];
    readonly List<int>[] _incident; // entries kept in the forest, by node: rows first, then columns

    ForestRepair(TransportPlan plan, CancellationToken cancellation)
    {
        (_n, _m) = (plan.Rows, plan.Columns);
        _incident = new List<int>[_n + _m];
        for (int node = 0; node < _incident.Length; node++)
            _incident[node] = [];
        CollectLargest(plan, cancellation);
        KeepForest();
    }

    /// <summary>The signed repair and the mass that found no way; no repair and <c>+∞</c> when an entry would have to give more than it holds.</summary>
    /// <param name="plan">The plan to repair, with mass on allowed pairs only.</param>
    /// <param name="supply">What each row still has.</param>
    /// <param name="demand">What each column still wants.</param>
    /// <param name="negligible">Mass that is rounding: an entry that lacks no more than this gives all it has.</param>
    /// <param name="cancellation">Watched once per row.</param>
    public static (SparseMatrix? Repair, double Left) Route(
        TransportPlan plan,
        double[] supply,
        double[] demand,
        double negligible,
        CancellationToken cancellation
    )
    {
        var forest = new ForestRepair(plan, cancellation);
        double[] surplus = [.. supply, .. demand.Select(d => -d)];
        var flows = new double[forest._entries.Count];
        double left = forest.SendToRoots(surplus, flows);
        var used = new List<int>();
        for (int e = 0; e < flows.Length; e++)
        {
            if (flows[e] == 0)
                continue;
            used.Add(e);
            double mass = forest._entries[e].Mass;
            if (mass + flows[e] < -negligible)
                return (null, double.PositiveInfinity);
            flows[e] = Math.Max(flows[e], -mass);
        }
        var repair = SparseMatrix.FromTriples(
            plan.Rows,
            plan.Columns,
            [.. used.Select(e => forest._entries[e].Row)],
            [.. used.Select(e => forest._entries[e].Column)],
            [.. used.Select(e => flows[e])]
        );
        return (repair, left);
    }

    void CollectLargest(TransportPlan plan, CancellationToken cancellation)
    {
        var row = new double[_m];
        var largestOfRow = new Largest(RowCandidates);
        Largest[] largestOfColumn = [.. Enumerable.Range(0, _m).Select(_ => new Largest(ColumnCandidates))];
        for (int i = 0; i < _n; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            plan.Row(i, row);
            largestOfRow.Clear();
            for (int j = 0; j < _m; j++)
            {
                if (row[j] > 0)
                {
                    largestOfRow.Offer(j, row[j]);
                    largestOfColumn[j].Offer(i, row[j]);
                }
            }
            foreach ((int j, double mass) in largestOfRow.Items)
                _entries.Add((i, j, mass));
        }
        for (int j = 0; j < _m; j++)
        {
            foreach ((int i, double mass) in largestOfColumn[j].Items)
                _entries.Add((i, j, mass));
        }
        _entries.Sort((x, y) => x.Mass != y.Mass ? y.Mass.CompareTo(x.Mass) : (x.Row, x.Column).CompareTo((y.Row, y.Column)));
    }

    void KeepForest()
    {
        int[] parent = [.. Enumerable.Range(0, _n + _m)];
        int Find(int node)
        {
            while (parent[node] != node)
                node = parent[node] = parent[parent[node]];
            return node;
        }
        for (int e = 0; e < _entries.Count; e++)
        {
            int i = Find(_entries[e].Row),
                j = Find(_n + _entries[e].Column);
            if (i == j)
                continue;
            parent[i] = j;
            _incident[_entries[e].Row].Add(e);
            _incident[_n + _entries[e].Column].Add(e);
        }
    }

    /// <summary>Every node, farthest first, hands its surplus to the entry towards its root; what a root keeps found no way.</summary>
    double SendToRoots(double[] surplus, double[] flows)
    {
        var entryToRoot = new int[_n + _m];
        Array.Fill(entryToRoot, -2);
        double left = 0;
        var order = new List<int>();
        for (int root = 0; root < entryToRoot.Length; root++)
        {
            if (entryToRoot[root] != -2)
                continue;
            order.Clear();
            order.Add(root);
            entryToRoot[root] = -1;
            for (int k = 0; k < order.Count; k++)
            {
                foreach (int e in _incident[order[k]])
                {
                    int other = Other(order[k], e);
                    if (entryToRoot[other] != -2)
                        continue;
                    entryToRoot[other] = e;
                    order.Add(other);
                }
            }
            for (int k = order.Count - 1; k > 0; k--)
            {
                int node = order[k];
                int e = entryToRoot[node];
                // A row's surplus goes out along its entry; a column's deficit comes in along it.
                flows[e] += node < _n ? surplus[node] : -surplus[node];
                surplus[Other(node, e)] += surplus[node];
            }
            left += Math.Abs(surplus[root]);
        }
        return left;
    }

    int Other(int node, int entry) => node < _n ? _n + _entries[entry].Column : _entries[entry].Row;

    /// <summary>The few largest of the values offered.</summary>
    sealed class Largest(int capacity)
    {
        readonly List<(int Index, double Mass)> _items = new(capacity);

        public IReadOnlyList<(int Index, double Mass)> Items => _items;

        public void Clear() => _items.Clear();

        public void Offer(int index, double mass)
        {
            if (_items.Count == capacity && mass <= _items[^1].Mass)
                return;
            if (_items.Count == capacity)
                _items.RemoveAt(capacity - 1);
            int at = _items.Count;
            while (at > 0 && _items[at - 1].Mass < mass)
                at--;
            _items.Insert(at, (index, mass));
        }
    }
}
