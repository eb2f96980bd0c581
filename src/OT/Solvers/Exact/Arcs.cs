using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>The arcs that leave each source, with their costs; a missing or infinite one is forbidden. Rows are numbered as in the geometry.</summary>
internal abstract class Arcs
{
    /// <summary>Listed pairs as they are, anything else as rows of costs.</summary>
    public static Arcs Of(Geometry geometry, long tableBytes, Watch watch) =>
        geometry is SparseCost sparse ? new SparseArcs(sparse.Costs) : Of(CostRows.Of(geometry, tableBytes, watch));

    /// <summary>All pairs of a dense cost.</summary>
    public static Arcs Of(CostRows rows) => new DenseArcs(rows);

    /// <summary>Arcs that leave a source.</summary>
    public abstract int Count(int row);

    /// <summary>Among arcs start … start + count − 1 of a row, the one of least slackened reduced cost (<see cref="ReducedCosts.ArgMin"/>); column −1 if none.</summary>
    public abstract Candidate Best(int row, int start, int count, double f, ReadOnlySpan<double> prices);

    /// <summary><c>g_j = min(g_j, C_ij − f_i)</c> over the arcs of row i.</summary>
    public abstract void Lower(int row, double f, Span<double> g);

    /// <summary><c>min_j C_ij − g_j</c> over the arcs of a row.</summary>
    public abstract double Min(int row, ReadOnlySpan<double> g);

    /// <summary>Smallest and largest finite |C_ij| of a row; (+∞, 0) when it has none.</summary>
    public abstract (double Min, double Max) Magnitudes(int row);

    /// <summary>Smallest positive |C_ij| of a row; <c>+∞</c> when it has none.</summary>
    public abstract double LeastPositive(int row);

    /// <summary>The columns that a row may ship to.</summary>
    public abstract IEnumerable<int> Columns(int row);

    static (double Min, double Max) Magnitudes(ReadOnlySpan<double> costs)
    {
        if (costs.IsEmpty)
            return (double.PositiveInfinity, 0);
        double min = Math.Abs(TensorPrimitives.MinMagnitude(costs));
        double max = Math.Abs(TensorPrimitives.MaxMagnitude(costs));
        if (double.IsFinite(max))
            return (min, max);
        if (double.IsNaN(max))
            throw new ArgumentException("A cost is NaN: it must be finite, or +∞ to forbid the pair.");
        max = 0;
        foreach (double c in costs)
        {
            if (double.IsFinite(c))
                max = Math.Max(max, Math.Abs(c));
        }
        return (min, max);
    }

    static double LeastPositive(ReadOnlySpan<double> costs)
    {
        double least = double.PositiveInfinity;
        foreach (double c in costs)
        {
            if (c != 0)
                least = Math.Min(least, Math.Abs(c));
        }
        return least;
    }

    sealed class DenseArcs(CostRows rows) : Arcs
    {
        public override int Count(int row) => rows.Columns;

        public override Candidate Best(int row, int start, int count, double f, ReadOnlySpan<double> prices)
        {
            ReadOnlySpan<double> costs = rows[row].Slice(start, count);
            int at = ReducedCosts.ArgMin(costs, prices.Slice(start, count), f, out double key);
            return at < 0 ? Candidate.None : new Candidate(row, start + at, costs[at], key);
        }

        public override void Lower(int row, double f, Span<double> g) => ReducedCosts.Lower(rows[row], f, g);

        public override double Min(int row, ReadOnlySpan<double> g) => ReducedCosts.Min(rows[row], g);

        public override (double Min, double Max) Magnitudes(int row) => Magnitudes(rows[row]);

        public override double LeastPositive(int row) => LeastPositive(rows[row]);

        public override IEnumerable<int> Columns(int row)
        {
            for (int j = 0; j < rows.Columns; j++)
            {
                if (rows[row][j] < double.PositiveInfinity)
                    yield return j;
            }
        }
    }

    sealed class SparseArcs(SparseMatrix costs) : Arcs
    {
        public override int Count(int row) => costs.RowColumns(row).Length;

        public override Candidate Best(int row, int start, int count, double f, ReadOnlySpan<double> prices)
        {
            ReadOnlySpan<int> columns = costs.RowColumns(row).Slice(start, count);
            ReadOnlySpan<double> values = costs.RowValues(row).Slice(start, count);
            double min = double.PositiveInfinity;
            int at = -1;
            for (int k = 0; k < columns.Length; k++)
            {
                double key = ReducedCosts.Key(values[k], prices[columns[k]], f, ReducedCosts.Slack);
                if (key < min)
                    (min, at) = (key, k);
            }
            return at < 0 ? Candidate.None : new Candidate(row, columns[at], values[at], min);
        }

        public override void Lower(int row, double f, Span<double> g)
        {
            ReadOnlySpan<int> columns = costs.RowColumns(row);
            ReadOnlySpan<double> values = costs.RowValues(row);
            for (int k = 0; k < columns.Length; k++)
                g[columns[k]] = Math.Min(g[columns[k]], values[k] - f);
        }

        public override double Min(int row, ReadOnlySpan<double> g)
        {
            ReadOnlySpan<int> columns = costs.RowColumns(row);
            ReadOnlySpan<double> values = costs.RowValues(row);
            double min = double.PositiveInfinity;
            for (int k = 0; k < columns.Length; k++)
                min = Math.Min(min, values[k] - g[columns[k]]);
            return min;
        }

        public override (double Min, double Max) Magnitudes(int row) => Magnitudes(costs.RowValues(row));

        public override double LeastPositive(int row) => LeastPositive(costs.RowValues(row));

        public override IEnumerable<int> Columns(int row)
        {
            for (int k = 0; k < Count(row); k++)
                yield return costs.RowColumns(row)[k];
        }
    }
}

/// <summary>An arc that may enter the basis.</summary>
/// <param name="Row">Source.</param>
/// <param name="Column">Target, −1 for no arc.</param>
/// <param name="Cost">Its cost.</param>
/// <param name="Key">Its reduced cost plus the slack of rounding.</param>
internal readonly record struct Candidate(int Row, int Column, double Cost, double Key)
{
    public static Candidate None { get; } = new(-1, -1, 0, double.PositiveInfinity);
}
