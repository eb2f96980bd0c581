using OT.Geometries;
using OT.Numerics;

namespace OT.Results;

/// <summary>
/// Moves what rows still have to what columns still want along shortest alternating ways: onto any allowed pair, and back off any entry that holds mass.
/// </summary>
/// <remarks>
/// Edmonds and Karp's maximum flow on the residual graph of a small plan, for where <see cref="ForestRepair"/> finds no way: it finds one wherever one exists.
/// Cost: O(nm) for each way, and 8 nm bytes.
/// </remarks>
internal static class FlowRepair
{
    /// <summary>Pairs up to which ways are searched for.</summary>
    const long MostPairs = 1_000_000;

    /// <summary>The signed repair and the mass that found no way; no repair and <c>+∞</c> for large plans.</summary>
    /// <inheritdoc cref="ForestRepair.Route"/>
    public static (SparseMatrix? Repair, double Left) Route(
        Geometry geometry,
        TransportPlan plan,
        double[] supply,
        double[] demand,
        double negligible,
        CancellationToken cancellation
    )
    {
        int n = plan.Rows,
            m = plan.Columns;
        if ((long)n * m > MostPairs)
            return (null, double.PositiveInfinity);
        var given = new double[n * m];
        var allowed = new bool[n * m];
        var costs = new double[m];
        for (int i = 0; i < n; i++)
        {
            plan.Row(i, given.AsSpan(i * m, m));
            geometry.CostRow(i, costs);
            for (int j = 0; j < m; j++)
                allowed[(i * m) + j] = !double.IsPositiveInfinity(costs[j]);
        }
        double[] masses = [.. given],
            has = [.. supply],
            wants = [.. demand];
        double left = Summation.Sum(has);
        while (left > negligible && !cancellation.IsCancellationRequested)
        {
            double moved = Augment(masses, allowed, has, wants, n, m);
            if (moved == 0)
                break;
            left = Summation.Sum(has);
        }
        int[] changed = [.. Enumerable.Range(0, masses.Length).Where(k => masses[k] != given[k])];
        var repair = SparseMatrix.FromTriples(
            n,
            m,
            Array.ConvertAll(changed, k => k / m),
            Array.ConvertAll(changed, k => k % m),
            Array.ConvertAll(changed, k => masses[k] - given[k])
        );
        return (repair, left);
    }

    /// <summary>Sends as much as one shortest way takes; 0 when there is none.</summary>
    static double Augment(double[] masses, bool[] allowed, double[] has, double[] wants, int n, int m)
    {
        // Nodes: rows, then columns. cameFrom: −2 unseen, −1 a start, else the node before.
        var cameFrom = new int[n + m];
        Array.Fill(cameFrom, -2);
        var queue = new Queue<int>();
        for (int i = 0; i < n; i++)
        {
            if (has[i] > 0)
            {
                cameFrom[i] = -1;
                queue.Enqueue(i);
            }
        }
        int end = -1;
        while (end < 0 && queue.TryDequeue(out int node))
        {
            for (int k = 0; k < (node < n ? m : n) && end < 0; k++)
            {
                int other = node < n ? n + k : k;
                bool open = node < n ? allowed[(node * m) + k] : masses[(k * m) + (node - n)] > 0;
                if (!open || cameFrom[other] != -2)
                    continue;
                cameFrom[other] = node;
                queue.Enqueue(other);
                if (other >= n && wants[other - n] > 0)
                    end = other;
            }
        }
        if (end < 0)
            return 0;
        double amount = wants[end - n];
        int start = end;
        for (int node = end; cameFrom[node] >= 0; node = cameFrom[node])
        {
            start = cameFrom[node];
            if (node < n)
                amount = Math.Min(amount, masses[(node * m) + (start - n)]);
        }
        amount = Math.Min(amount, has[start]);
        for (int node = end; cameFrom[node] >= 0; node = cameFrom[node])
        {
            int before = cameFrom[node];
            if (node >= n)
                masses[(before * m) + (node - n)] += amount;
            else
                masses[(node * m) + (before - n)] -= amount;
        }
        has[start] -= amount;
        wants[end - n] -= amount;
        return amount;
    }
}
