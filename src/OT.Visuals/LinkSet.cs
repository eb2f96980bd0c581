using OT.Results;

namespace OT.Visuals;

/// <summary>An entry of a plan.</summary>
readonly record struct Link(int Row, int Column, double Mass);

/// <summary>The strongest entries of a plan, strongest first.</summary>
/// <param name="Items">The entries kept.</param>
/// <param name="Total">Positive entries seen.</param>
/// <param name="Mass">The mass of all entries seen.</param>
/// <param name="Rows">Rows looked at.</param>
sealed record LinkSet(IReadOnlyList<Link> Items, long Total, double Mass, int Rows)
{
    /// <summary>At most <paramref name="count"/> entries, the strongest; among equals a spread-out choice that depends on the indices alone.</summary>
    public static LinkSet Strongest(TransportPlan plan, int count)
    {
        var heap = new PriorityQueue<Link, (float Mass, uint Spread)>(count + 1);
        long total = 0;
        double mass = 0;
        PlanRows.Visit(
            plan,
            (row, columns, masses) =>
            {
                for (int k = 0; k < columns.Length; k++)
                {
                    if (!(masses[k] > 0))
                        continue;
                    total++;
                    mass += masses[k];
                    // As a float, so that equal masses that differ by rounding count as equal.
                    (float, uint) rank = ((float)masses[k], Spread((uint)row, (uint)columns[k]));
                    if (heap.Count < count)
                        heap.Enqueue(new Link(row, columns[k], masses[k]), rank);
                    else if (heap.TryPeek(out _, out (float, uint) least) && rank.CompareTo(least) > 0)
                        heap.EnqueueDequeue(new Link(row, columns[k], masses[k]), rank);
                }
            }
        );
        // The heap gives the weakest first.
        var kept = new Link[heap.Count];
        for (int k = kept.Length - 1; k >= 0; k--)
            kept[k] = heap.Dequeue();
        return new LinkSet(kept, total, mass, PlanRows.RowCount(plan));
    }

    /// <summary>Mixes two indices (the finaliser of MurmurHash3).</summary>
    static uint Spread(uint row, uint column)
    {
        uint h = unchecked((row * 0x9e3779b1u) + (column * 0x85ebca77u));
        h = unchecked((h ^ (h >> 16)) * 0x85ebca6bu);
        h = unchecked((h ^ (h >> 13)) * 0xc2b2ae35u);
        return h ^ (h >> 16);
    }
}
