using OT.Geometries;

namespace OT.Testing;

/// <summary>Transport by augmenting along cheapest paths of the residual graph, every path found anew by Bellman and Ford.</summary>
sealed class ShortestPathFlow(Geometry geometry, double[] a, double[] b)
{
    // What is left of a weight below this share of the mass is rounding.
    const double Negligible = 1e-15;

    readonly int _n = a.Length;
    readonly int _m = b.Length;
    readonly double[] _supply = [.. a];
    readonly double[] _demand = [.. b];
    readonly double _total = Oracles.Sum(a);

    public double[,] Masses { get; } = new double[a.Length, b.Length];

    public int Augmentations { get; private set; }

    public bool Solve()
    {
        while (Array.Exists(_supply, s => s > Negligible * _total))
        {
            (double[] distance, int[] parent) = Distances(fromSupply: true);
            int sink = -1;
            for (int j = 0; j < _m; j++)
            {
                if (
                    _demand[j] > Negligible * _total
                    && double.IsFinite(distance[_n + j])
                    && (sink < 0 || distance[_n + j] < distance[_n + sink])
                )
                    sink = j;
            }
            if (sink < 0)
                return Oracles.Sum(_supply) <= 1e-12 * _total;
            Augment(sink, parent);
            Augmentations++;
        }
        return true;
    }

    /// <summary><c>f + g ≤ C</c> with equality where mass flows: distances in the residual graph from everywhere at once.</summary>
    public (double[] F, double[] G) Potentials()
    {
        (double[] distance, _) = Distances(fromSupply: false);
        return (Array.ConvertAll(distance[.._n], d => -d), distance[_n..]);
    }

    void Augment(int sink, int[] parent)
    {
        double amount = _demand[sink];
        int node = _n + sink;
        for (; parent[node] >= 0; node = parent[node])
        {
            if (node < _n)
                amount = Math.Min(amount, Masses[node, parent[node] - _n]);
        }
        amount = Math.Min(amount, _supply[node]);
        _supply[node] -= amount;
        _demand[sink] -= amount;
        for (node = _n + sink; parent[node] >= 0; node = parent[node])
        {
            if (node >= _n)
                Masses[parent[node], node - _n] += amount;
            else
                Masses[node, parent[node] - _n] -= amount;
        }
    }

    (double[] Distance, int[] Parent) Distances(bool fromSupply)
    {
        var distance = new double[_n + _m];
        var parent = new int[_n + _m];
        Array.Fill(parent, -1);
        for (int k = 0; k < distance.Length; k++)
        {
            bool start = !fromSupply || (k < _n && _supply[k] > Negligible * _total);
            distance[k] = start ? 0 : double.PositiveInfinity;
        }
        // A strict improvement beyond rounding, so that a cycle of length zero is never entered.
        double step = 1e-14 * Approx.CostScale(geometry);
        bool changed = true;
        for (int round = 0; changed && round <= _n + _m; round++)
        {
            changed = false;
            for (int i = 0; i < _n; i++)
            {
                for (int j = 0; j < _m; j++)
                {
                    double cost = geometry.Cost(i, j);
                    if (double.IsInfinity(cost))
                        continue;
                    if (distance[i] + cost < distance[_n + j] - step)
                        (distance[_n + j], parent[_n + j], changed) = (distance[i] + cost, i, true);
                    if (Masses[i, j] > 0 && distance[_n + j] - cost < distance[i] - step)
                        (distance[i], parent[i], changed) = (distance[_n + j] - cost, _n + j, true);
                }
            }
        }
        return (distance, parent);
    }
}
