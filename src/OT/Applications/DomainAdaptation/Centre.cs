using OT.Geometries;
using OT.Numerics;
using OT.Results;

namespace OT.Applications.DomainAdaptation;

/// <summary>A line of a plan: the columns of its masses, empty for all in order, and the masses.</summary>
delegate void PlanLine(int line, ReadOnlySpan<int> columns, ReadOnlySpan<double> masses);

/// <summary>Where a line of a plan sends its mass to: the mean of its points, or their median coordinate by coordinate.</summary>
static class Centre
{
    /// <summary>The point of least cost to all others is their median for the sum of absolute differences, and their mean for squared distances; other costs take the mean too.</summary>
    public static bool IsMedian(GroundCost cost) => cost == GroundCost.CityBlock;

    /// <summary>The centres of the rows of a plan: n points, NaN for a row without mass.</summary>
    public static Matrix OfRows(TransportPlan plan, Matrix points, bool median)
    {
        int d = points.Columns;
        var centres = new double[plan.Rows * d];
        Visit(plan, (i, columns, masses) => Of(columns, masses, points, median, centres.AsSpan(i * d, d)));
        return new Matrix(plan.Rows, d, centres);
    }

    /// <summary>The centres of its columns, in one pass over its rows unless medians need the columns whole.</summary>
    public static Matrix OfColumns(TransportPlan plan, Matrix points, bool median)
    {
        if (median || plan is SparsePlan)
            return OfRows(new SparsePlan(plan.ToSparse().Transpose()), points, median);
        (int m, int d) = (plan.Columns, points.Columns);
        double[] centres = new double[m * d],
            sums = new double[m];
        Array.Fill(centres, double.NaN);
        Visit(
            plan,
            (i, _, masses) =>
            {
                ReadOnlySpan<double> point = points.Row(i);
                for (int j = 0; j < m; j++)
                {
                    if (masses[j] > 0)
                        Include(point, masses[j], ref sums[j], centres.AsSpan(j * d, d));
                }
            }
        );
        return new Matrix(m, d, centres);
    }

    /// <summary>The centre of one line.</summary>
    /// <param name="columns">Which points; empty for all in order.</param>
    /// <param name="masses">Their masses, 0 or above.</param>
    /// <param name="points">All points.</param>
    /// <param name="median">Whether the median is wanted.</param>
    /// <param name="centre">Receives it; NaN where there is no mass.</param>
    public static void Of(ReadOnlySpan<int> columns, ReadOnlySpan<double> masses, Matrix points, bool median, Span<double> centre)
    {
        centre.Fill(double.NaN);
        if (median)
        {
            Median(columns, masses, points, centre);
            return;
        }
        double sum = 0;
        for (int e = 0; e < masses.Length; e++)
        {
            if (masses[e] > 0)
                Include(points.Row(columns.IsEmpty ? e : columns[e]), masses[e], ref sum, centre);
        }
    }

    /// <summary>A running mean: of one point it is that point, and far from the origin no digits are lost.</summary>
    static void Include(ReadOnlySpan<double> point, double mass, ref double sum, Span<double> mean)
    {
        bool first = sum == 0;
        sum += mass;
        double share = mass / sum;
        for (int k = 0; k < mean.Length; k++)
            mean[k] = first ? point[k] : mean[k] + (share * (point[k] - mean[k]));
    }

    /// <summary>The lower median: the least value with half of the mass at or below it; the middle of two where exactly half is below.</summary>
    static void Median(ReadOnlySpan<int> columns, ReadOnlySpan<double> masses, Matrix points, Span<double> median)
    {
        var order = new List<(double Value, double Mass)>(masses.Length);
        for (int k = 0; k < median.Length; k++)
        {
            order.Clear();
            for (int e = 0; e < masses.Length; e++)
            {
                if (masses[e] > 0)
                    order.Add((points[columns.IsEmpty ? e : columns[e], k], masses[e]));
            }
            if (order.Count == 0)
                return;
            order.Sort((x, y) => x.Value.CompareTo(y.Value));
            double half = order.Sum(item => item.Mass) / 2,
                below = 0;
            int at = 0;
            while (at < order.Count - 1 && below + order[at].Mass < half)
                below += order[at++].Mass;
            bool between = below + order[at].Mass == half && at < order.Count - 1;
            median[k] = between ? (order[at].Value / 2) + (order[at + 1].Value / 2) : order[at].Value;
        }
    }

    /// <summary>Whether a plan sends anything at all.</summary>
    public static bool HasMass(TransportPlan plan)
    {
        bool any = false;
        Visit(plan, (_, _, masses) => any = any || masses.ContainsAnyExcept(0.0));
        return any;
    }

    /// <summary>Shows every line of a plan, in order.</summary>
    public static void Visit(TransportPlan plan, PlanLine line)
    {
        if (plan is SparsePlan { Values: var sparse })
        {
            for (int i = 0; i < plan.Rows; i++)
                line(i, sparse.RowColumns(i), sparse.RowValues(i));
            return;
        }
        var row = new double[plan.Columns];
        for (int i = 0; i < plan.Rows; i++)
        {
            plan.Row(i, row);
            line(i, [], row);
        }
    }
}
