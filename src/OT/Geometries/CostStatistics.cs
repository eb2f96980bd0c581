using System.Runtime.ExceptionServices;
using OT.Numerics;

namespace OT.Geometries;

/// <summary>Statistics of the finite costs of a geometry, in cost units.</summary>
/// <param name="Min">Smallest finite cost; 0 when every pair is forbidden.</param>
/// <param name="Max">Largest finite cost; 0 when every pair is forbidden.</param>
/// <param name="Mean">Unweighted mean of the finite costs.</param>
/// <param name="StandardDeviation">Their standard deviation (division by the count).</param>
/// <param name="FiniteCount">Number of pairs that are not forbidden.</param>
public sealed record CostStatistics(double Min, double Max, double Mean, double StandardDeviation, long FiniteCount)
{
    const long MedianExactLimit = 10_000_000;
    const int MedianSample = 1_000_000;
    const ulong MedianSeed = 0x6f74_6d65_6469_616e;

    /// <summary>Largest |C| over the finite costs.</summary>
    public double MaxMagnitude => Math.Max(Math.Abs(Min), Math.Abs(Max));

    /// <summary>Rows are cut into as many pieces whatever the machine, so that sums have the same bits on all.</summary>
    const int Pieces = 64;
    const long ParallelPairs = 1_000_000;

    internal static CostStatistics Of(Geometry geometry, CancellationToken cancellation)
    {
        // Deviations from the first finite cost keep the variance free of cancellation and of overflow.
        double origin = FirstFinite(geometry);
        if (double.IsNaN(origin))
            return new CostStatistics(0, 0, 0, 0, 0);
        int pieces = Math.Min(Pieces, geometry.Rows);
        var parts = new Part[pieces];
        void Do(int k) =>
            parts[k] = Part.Of(
                geometry,
                (int)((long)k * geometry.Rows / pieces),
                (int)((k + 1L) * geometry.Rows / pieces),
                origin,
                cancellation
            );
        if ((long)geometry.Rows * geometry.Columns < ParallelPairs)
        {
            for (int k = 0; k < pieces; k++)
                Do(k);
        }
        else
        {
            try
            {
                Parallel.For(0, pieces, Do);
            }
            catch (AggregateException failures)
            {
                ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
            }
        }
        double min = parts.Min(part => part.Min),
            max = parts.Max(part => part.Max);
        long count = parts.Sum(part => part.Count);
        Compensated sum = default,
            squares = default;
        foreach (Part part in parts)
        {
            sum.Add(part.Sum);
            squares.Add(part.Squares);
        }
        double shift = sum.Value / count;
        double variance = (squares.Value / count) - (shift * shift);
        double deviation = Math.Sqrt(Math.Max(variance, 0));
        // Squares of very large or very small deviations leave the range of doubles: a second pass in units of the spread.
        if (max - min is > 1e150 or < 1e-150 && max > min)
            deviation = ScaledDeviation(geometry, new double[geometry.Columns], min, max, count);
        return new CostStatistics(min, max, origin + shift, deviation, count);
    }

    static double FirstFinite(Geometry geometry)
    {
        var row = new double[geometry.Columns];
        for (int i = 0; i < geometry.Rows; i++)
        {
            geometry.CostRow(i, row);
            foreach (double c in row)
            {
                if (double.IsFinite(c))
                    return c;
            }
        }
        return double.NaN;
    }

    /// <summary>The mean of a table's finite costs, with the bits that <see cref="Of(Geometry, CancellationToken)"/> gives; allocates nothing.</summary>
    internal static double MeanOf(ReadOnlySpan<double> costs, int rows, int columns)
    {
        int first = 0;
        while (first < costs.Length && !double.IsFinite(costs[first]))
            first++;
        if (first == costs.Length)
            return 0;
        double origin = costs[first];
        int pieces = Math.Min(Pieces, rows);
        Compensated sum = default;
        long count = 0;
        for (int k = 0; k < pieces; k++)
        {
            var part = new Part();
            int end = (int)((k + 1L) * rows / pieces);
            for (int i = (int)((long)k * rows / pieces); i < end; i++)
                part.Add(costs.Slice(i * columns, columns), origin);
            sum.Add(part.Sum);
            count += part.Count;
        }
        return origin + (sum.Value / count);
    }

    /// <summary>What a piece of the rows holds; sums are those of deviations from the origin.</summary>
    struct Part()
    {
        Compensated _sum;
        Compensated _squares;

        public double Min { get; private set; } = double.PositiveInfinity;
        public double Max { get; private set; } = double.NegativeInfinity;
        public long Count { get; private set; }
        public readonly double Sum => _sum.Value;
        public readonly double Squares => _squares.Value;

        public static Part Of(Geometry geometry, int start, int end, double origin, CancellationToken cancellation)
        {
            var row = new double[geometry.Columns];
            var part = new Part();
            for (int i = start; i < end; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                geometry.CostRow(i, row);
                part.Add(row, origin);
            }
            return part;
        }

        public void Add(ReadOnlySpan<double> row, double origin)
        {
            double rowSum = 0,
                rowSquares = 0,
                min = Min,
                max = Max;
            long count = 0;
            foreach (double c in row)
            {
                if (double.IsPositiveInfinity(c))
                    continue;
                count++;
                min = Math.Min(min, c);
                max = Math.Max(max, c);
                double deviation = c - origin;
                rowSum += deviation;
                rowSquares += deviation * deviation;
            }
            (Min, Max, Count) = (min, max, Count + count);
            _sum.Add(rowSum);
            _squares.Add(rowSquares);
        }
    }

    static double ScaledDeviation(Geometry geometry, Span<double> row, double min, double max, long count)
    {
        double half = (max / 2) - (min / 2);
        Compensated sum = default,
            squares = default;
        for (int i = 0; i < geometry.Rows; i++)
        {
            geometry.CostRow(i, row);
            foreach (double c in row)
            {
                if (double.IsPositiveInfinity(c))
                    continue;
                double deviation = (c - min) / 2 / half;
                sum.Add(deviation);
                squares.Add(deviation * deviation);
            }
        }
        double mean = sum.Value / count;
        return 2 * (half * Math.Sqrt(Math.Max((squares.Value / count) - (mean * mean), 0)));
    }

    internal static double MedianOf(Geometry geometry)
    {
        if (!ReferenceEquals(geometry.Share, RowShare.Whole))
            throw new NotSupportedException(
                "A median needs all costs in one process, and these lie with several: give epsilon absolutely, or relative to the mean or the largest cost."
            );
        long pairs = (long)geometry.Rows * geometry.Columns;
        var finite = new List<double>((int)Math.Min(pairs, MedianExactLimit));
        if (pairs <= MedianExactLimit)
        {
            var row = new double[geometry.Columns];
            for (int i = 0; i < geometry.Rows; i++)
            {
                geometry.CostRow(i, row);
                foreach (double c in row)
                {
                    if (double.IsFinite(c))
                        finite.Add(c);
                }
            }
        }
        else
        {
            var random = new SeededRandom(MedianSeed);
            for (int k = 0; k < MedianSample; k++)
            {
                double c = geometry.Cost(random.NextInt(geometry.Rows), random.NextInt(geometry.Columns));
                if (double.IsFinite(c))
                    finite.Add(c);
            }
        }
        if (finite.Count == 0)
            return 0;
        finite.Sort();
        int half = finite.Count / 2;
        return finite.Count % 2 == 1 ? finite[half] : (finite[half - 1] / 2) + (finite[half] / 2);
    }
}
