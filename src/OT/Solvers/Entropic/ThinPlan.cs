using System.Numerics;
using System.Runtime.ExceptionServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>The entries of an entropic plan that matter, row by row: transition probabilities <c>q_ij = b_j exp((f_i + g_j − C_ij)/ε)</c>, which sum to 1 over a whole row.</summary>
/// <remarks>
/// An entry is kept when it is at least a threshold θ times the smaller of its two marginals: no row and no column starves. At small ε a few entries a row remain.
/// One pass over the costs, with exponentials of the kept entries alone.
/// </remarks>
internal sealed class ThinPlan
{
    /// <summary>Smaller probabilities are taken for 0: their products would be denormal.</summary>
    const double Negligible = 1e-150;

    const int ChunkRows = 32;

    /// <summary>Rows that tell whether the others are worth a look.</summary>
    const int SampledRows = 16;

    /// <summary>Where each row's entries begin, n + 1 places.</summary>
    public int[] Starts { get; }

    /// <summary>Column of each entry, increasing within a row.</summary>
    public int[] Columns { get; }

    /// <summary>q of each entry.</summary>
    public double[] Values { get; }

    /// <summary>Takes entries over.</summary>
    public ThinPlan(int[] starts, int[] columns, double[] values) => (Starts, Columns, Values) = (starts, columns, values);

    /// <summary>Looks through all pairs.</summary>
    /// <param name="geometry">The costs C, n × m.</param>
    /// <param name="f">Soft-minima of the rows: what makes each row of q sum to 1.</param>
    /// <param name="g">Target potential.</param>
    /// <param name="rowMass">r, the mass of each row; rows without mass have no entries.</param>
    /// <param name="b">Target weights; columns without weight have no entries.</param>
    /// <param name="epsilon">ε.</param>
    /// <param name="threshold">θ, from 0, which keeps everything, to 1; or, when absolute, the smallest mass to keep.</param>
    /// <param name="absolute">Whether the threshold is a mass.</param>
    /// <param name="most">Entries beyond which it is not worth it.</param>
    /// <param name="threads">Threads; they change no bit.</param>
    /// <param name="share">The rows to look at here; the entries of all rows are given.</param>
    /// <param name="cancellation">Watched once per few rows.</param>
    /// <returns>The entries; null when there are too many of them, or when cancelled.</returns>
    public static ThinPlan? Of(
        Geometry geometry,
        ReadOnlyMemory<double> f,
        ReadOnlyMemory<double> g,
        double[] rowMass,
        double[] b,
        double epsilon,
        double threshold,
        bool absolute,
        long most,
        int threads,
        IRowShare share,
        CancellationToken cancellation
    )
    {
        (int start, int end) = share.RowsOf(geometry.Rows);
        var scan = new Scan(geometry, f, g, rowMass, b, epsilon, Math.Max(threshold, Negligible), absolute);
        var chunks = new Chunk[(end - start + ChunkRows - 1) / ChunkRows];
        long found = 0;
        try
        {
            Parallel.For(
                0,
                chunks.Length,
                new ParallelOptions { MaxDegreeOfParallelism = threads },
                () => new double[geometry.Columns],
                (k, _, costs) =>
                {
                    long room = most - Interlocked.Read(ref found);
                    if (cancellation.IsCancellationRequested || room < 0)
                        return costs;
                    chunks[k] = scan.Run(start + (k * ChunkRows), Math.Min(end, start + ((k + 1) * ChunkRows)), room, costs);
                    Interlocked.Add(ref found, chunks[k].Columns.Count);
                    return costs;
                },
                _ => { }
            );
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]); // a cost of the caller's own
        }
        if (cancellation.IsCancellationRequested || share.Gather<long>([found]).Sum() > Math.Min(most, Array.MaxLength))
            return null;
        var counts = new int[end - start];
        var columns = new int[found];
        var values = new double[found];
        int at = 0,
            row = 0;
        foreach (Chunk chunk in chunks)
        {
            chunk.Columns.CopyTo(columns, at);
            chunk.Values.CopyTo(values, at);
            chunk.Counts.CopyTo(counts, row);
            at += chunk.Columns.Count;
            row += chunk.Counts.Count;
        }
        int[] all = share.Gather<int>(counts),
            starts = new int[all.Length + 1];
        for (int i = 0; i < all.Length; i++)
            starts[i + 1] = starts[i] + all[i];
        return new ThinPlan(starts, share.Gather<int>(columns), share.Gather<double>(values));
    }

    /// <summary>About how many entries <see cref="Of"/> would find, judged by a few rows.</summary>
    public static double Estimate(
        Geometry geometry,
        ReadOnlyMemory<double> f,
        ReadOnlyMemory<double> g,
        double[] rowMass,
        double[] b,
        double epsilon,
        double threshold,
        IRowShare share
    ) => new Scan(geometry, f, g, rowMass, b, epsilon, Math.Max(threshold, Negligible), absolute: false).Sample(share);

    /// <summary>What some rows keep.</summary>
    readonly record struct Chunk(List<int> Columns, List<double> Values, List<int> Counts);

    sealed class Scan(
        Geometry geometry,
        ReadOnlyMemory<double> f,
        ReadOnlyMemory<double> g,
        double[] rowMass,
        double[] b,
        double epsilon,
        double threshold,
        bool absolute
    )
    {
        readonly double _cut = epsilon * Math.Log(threshold);
        readonly double[] _logB = VectorMath.LogWeights(b);
        readonly double[] _weighted = Weighted(g.Span, b, epsilon);

        /// <summary>g + ε log b.</summary>
        static double[] Weighted(ReadOnlySpan<double> g, double[] b, double epsilon)
        {
            var weighted = new double[b.Length];
            for (int j = 0; j < b.Length; j++)
                weighted[j] = b[j] > 0 ? g[j] + (epsilon * Math.Log(b[j])) : double.NegativeInfinity;
            return weighted;
        }

        /// <summary>Entries of the whole plan, judged by a few rows.</summary>
        public double Sample(IRowShare share)
        {
            int n = geometry.Rows,
                step = Math.Max(1, n / SampledRows);
            (int start, int end) = share.RowsOf(n);
            var costs = new double[b.Length];
            var columns = new List<int>();
            int rows = 0;
            for (int i = step / 2; i < n; i += step, rows++)
            {
                if (rowMass[i] == 0 || i < start || i >= end)
                    continue;
                geometry.CostRow(i, costs);
                Select(costs, i, columns);
            }
            return (double)share.Gather<long>([columns.Count]).Sum() / Math.Max(1, rows) * n;
        }

        public Chunk Run(int start, int end, long room, double[] costs)
        {
            var chunk = new Chunk([], [], []);
            for (int i = start; i < end && chunk.Columns.Count <= room; i++)
            {
                int before = chunk.Columns.Count;
                if (rowMass[i] > 0)
                {
                    geometry.CostRow(i, costs);
                    Select(costs, i, chunk.Columns);
                    for (int k = before; k < chunk.Columns.Count; k++)
                    {
                        int j = chunk.Columns[k];
                        chunk.Values.Add(Math.Exp(((f.Span[i] + g.Span[j] - costs[j]) / epsilon) + _logB[j]));
                    }
                }
                chunk.Counts.Add(chunk.Columns.Count - before);
            }
            return chunk;
        }

        /// <summary>Columns with <c>g_j − C_ij + ε max(log b_j, log r_i) ≥ ε log θ − f_i</c>; by mass, with <c>g_j + ε log b_j − C_ij ≥ ε log(θ/r_i) − f_i</c>.</summary>
        void Select(double[] costs, int row, List<int> columns)
        {
            double mass = epsilon * Math.Log(rowMass[row]);
            double cut = _cut - f.Span[row] - (absolute ? mass : 0),
                logMass = absolute ? double.NegativeInfinity : mass;
            ReadOnlySpan<double> potential = g.Span;
            int j = 0;
            for (; j <= costs.Length - Vector<double>.Count; j += Vector<double>.Count)
            {
                Vector<double> reach =
                    Vector.Max(new Vector<double>(_weighted, j), new Vector<double>(potential[j..]) + new Vector<double>(logMass))
                    - new Vector<double>(costs, j);
                if (!Vector.GreaterThanOrEqualAny(reach, new Vector<double>(cut)))
                    continue;
                for (int k = j; k < j + Vector<double>.Count; k++)
                    Add(k);
            }
            for (; j < costs.Length; j++)
                Add(j);

            void Add(int k)
            {
                if (b[k] > 0 && Math.Max(_weighted[k], g.Span[k] + logMass) - costs[k] >= cut)
                    columns.Add(k);
            }
        }
    }
}
