using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;

namespace OT.Results;

/// <summary>Moves a plan to the hard marginals of a problem (Altschuler, Weed and Rigollet, NeurIPS 2017, Algorithm 2), never storing n × m masses.</summary>
internal static class PlanRounding
{
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³

    /// <summary>The rounded plan, and whether all mass found an allowed way.</summary>
    /// <param name="problem">The problem; its hard sides are met.</param>
    /// <param name="plan">Any nonnegative plan.</param>
    /// <param name="a">Source weights.</param>
    /// <param name="b">Target weights, of a's mass when both sides are hard.</param>
    /// <param name="scan">A pass over the plan, with row targets when both sides are hard.</param>
    /// <param name="share">The rows that passes look at here.</param>
    /// <param name="cancellation">Watched once per row.</param>
    public static (TransportPlan Plan, bool Complete) Round(
        LinearProblem problem,
        TransportPlan plan,
        double[] a,
        double[] b,
        PlanScan scan,
        IRowShare share,
        CancellationToken cancellation
    )
    {
        if (problem.IsBalanced)
            return RoundBoth(problem.Geometry, plan, a, b, scan, share, cancellation);
        if (problem.PenaltyA.IsExact)
        {
            (double[] scale, double[]? empty) = ScaleTo(a, scan.RowSums);
            return (RoundedPlan.WithProduct(plan, scale, Ones(b.Length), empty ?? [], empty is null ? null : Shares(b)), true);
        }
        if (problem.PenaltyB.IsExact)
        {
            (double[] scale, double[]? empty) = ScaleTo(b, scan.ColumnSums);
            return (RoundedPlan.WithProduct(plan, Ones(a.Length), scale, Shares(a), empty), true);
        }
        return (plan, true);
    }

    static (TransportPlan Plan, bool Complete) RoundBoth(
        Geometry geometry,
        TransportPlan plan,
        double[] a,
        double[] b,
        PlanScan scan,
        IRowShare share,
        CancellationToken cancellation
    )
    {
        double[] x = scan.RowScale;
        var y = new double[b.Length];
        var missing = new double[b.Length];
        for (int j = 0; j < b.Length; j++)
        {
            double sum = scan.ScaledColumnSums[j];
            y[j] = sum <= b[j] ? 1 : b[j] / sum;
            missing[j] = Math.Max(0, b[j] - (y[j] * sum));
        }
        double total = Summation.Sum(missing);
        double negligible = 8 * Unit * (a.Length + b.Length) * Summation.Sum(a);
        bool whole = ReferenceEquals(geometry.Share, RowShare.Whole);
        // Ways round forbidden pairs are sought in one process, and these costs lie with several: no feasible plan, no bound above.
        if (!whole && scan.SawForbidden && total > negligible)
            return (plan, false);
        if (plan is SparsePlan sparse)
            return RoundSparse(geometry, sparse, a, x, y, missing, total, negligible, scan.SawForbidden, cancellation);
        if (total == 0)
            return (RoundedPlan.WithSparse(plan, x, y, null), true);
        if (!scan.SawForbidden)
        {
            TensorPrimitives.Divide(missing, total, missing);
            return (RoundedPlan.ToppedUp(plan, x, y, a, missing), true);
        }
        RoundedPlan scaled = RoundedPlan.WithSparse(plan, x, y, null);
        if (total <= negligible)
            return (scaled, true);
        double[] sums = new PlanScan(geometry, scaled, cancellation)
        {
            A = a,
            B = b,
            Share = share,
        }
            .Run()
            .RowSums;
        double[] deficits = Deficits(a, sums);
        (SparseMatrix repair, double left) = Ship(geometry, deficits, missing, cancellation);
        RoundedPlan repaired = RoundedPlan.WithSparse(plan, x, y, repair);
        if (left <= negligible)
            return (repaired, true);
        (SparseMatrix? detours, left) = Detours(geometry, repaired, deficits, missing, negligible, cancellation);
        return (detours is null ? repaired : RoundedPlan.WithSparse(plan, x, y, Add(repair, detours)), left <= negligible);
    }

    static (TransportPlan Plan, bool Complete) RoundSparse(
        Geometry geometry,
        SparsePlan plan,
        double[] a,
        double[] x,
        double[] y,
        double[] missing,
        double total,
        double negligible,
        bool forbidden,
        CancellationToken cancellation
    )
    {
        SparseMatrix values = plan.Values;
        var scaled = new double[values.NonZeros];
        for (int i = 0; i < values.Rows; i++)
        {
            for (long k = values.RowStarts[i]; k < values.RowStarts[i + 1]; k++)
                scaled[k] = values.Values[(int)k] * y[values.ColumnIndices[(int)k]] * x[i];
        }
        var matrix = new SparseMatrix(
            values.Rows,
            values.Columns,
            values.RowStarts.ToArray(),
            values.ColumnIndices.ToArray(),
            scaled
        );
        if (total <= negligible)
            return (new SparsePlan(matrix), true);
        double[] deficits = Deficits(a, new SparsePlan(matrix).Marginals().Rows);
        (SparseMatrix repair, double left) = Ship(forbidden ? geometry : null, deficits, missing, cancellation);
        var repaired = new SparsePlan(Add(matrix, repair));
        if (left <= negligible)
            return (repaired, true);
        (SparseMatrix? detours, left) = Detours(geometry, repaired, deficits, missing, negligible, cancellation);
        return (detours is null ? repaired : new SparsePlan(Add(repaired.Values, detours)), left <= negligible);
    }

    /// <summary>Along a forest of large entries, or, in small plans, along any way there is.</summary>
    static (SparseMatrix? Repair, double Left) Detours(
        Geometry geometry,
        TransportPlan plan,
        double[] supply,
        double[] demand,
        double negligible,
        CancellationToken cancellation
    )
    {
        (SparseMatrix? repair, double left) = ForestRepair.Route(plan, supply, demand, negligible, cancellation);
        return repair is not null && left <= negligible
            ? (repair, left)
            : FlowRepair.Route(geometry, plan, supply, demand, negligible, cancellation);
    }

    /// <summary>Ships row deficits to column deficits, each row to the first columns that it may use and that still want mass. At most n + m − 1 entries.</summary>
    /// <param name="geometry">Whose forbidden pairs are avoided; null when none are.</param>
    /// <param name="supply">What each row has to ship; used up.</param>
    /// <param name="demand">What each column wants; used up.</param>
    /// <param name="cancellation">Watched once per row.</param>
    static (SparseMatrix Repair, double Left) Ship(
        Geometry? geometry,
        double[] supply,
        double[] demand,
        CancellationToken cancellation
    )
    {
        int n = supply.Length,
            m = demand.Length;
        var starts = new long[n + 1];
        var columns = new List<int>();
        var values = new List<double>();
        double[] costs = geometry is null ? [] : new double[m];
        int first = 0;
        for (int i = 0; i < n; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            while (first < m && demand[first] == 0)
                first++;
            if (supply[i] > 0 && first < m)
            {
                geometry?.CostRow(i, costs);
                for (int j = first; j < m && supply[i] > 0; j++)
                {
                    if (demand[j] == 0 || (geometry is not null && double.IsPositiveInfinity(costs[j])))
                        continue;
                    double amount = Math.Min(supply[i], demand[j]);
                    supply[i] -= amount;
                    demand[j] -= amount;
                    columns.Add(j);
                    values.Add(amount);
                }
            }
            starts[i + 1] = columns.Count;
        }
        return (new SparseMatrix(n, m, starts, [.. columns], [.. values]), Summation.Sum(supply));
    }

    static SparseMatrix Add(SparseMatrix first, SparseMatrix second)
    {
        int count = first.NonZeros + second.NonZeros;
        var rows = new int[count];
        var columns = new int[count];
        var values = new double[count];
        int at = 0;
        foreach (SparseMatrix matrix in (ReadOnlySpan<SparseMatrix>)[first, second])
        {
            for (int i = 0; i < matrix.Rows; i++)
            {
                ReadOnlySpan<int> rowColumns = matrix.RowColumns(i);
                for (int k = 0; k < rowColumns.Length; k++)
                    (rows[at], columns[at], values[at++]) = (i, rowColumns[k], matrix.RowValues(i)[k]);
            }
        }
        return SparseMatrix.FromTriples(first.Rows, first.Columns, rows, columns, values);
    }

    static double[] Deficits(double[] targets, double[] sums)
    {
        var deficits = new double[targets.Length];
        for (int i = 0; i < deficits.Length; i++)
            deficits[i] = Math.Max(0, targets[i] - sums[i]);
        return deficits;
    }

    /// <summary>Factors that take sums to their targets, and the targets whose sum is 0 (null when there is none).</summary>
    static (double[] Scale, double[]? Empty) ScaleTo(double[] targets, double[] sums)
    {
        var scale = new double[targets.Length];
        double[]? empty = null;
        for (int i = 0; i < scale.Length; i++)
        {
            scale[i] = targets[i] / sums[i];
            if (targets[i] == 0)
            {
                scale[i] = 0;
            }
            else if (!double.IsFinite(scale[i]))
            {
                scale[i] = 0;
                empty ??= new double[targets.Length];
                empty[i] = targets[i];
            }
        }
        return (scale, empty);
    }

    static double[] Shares(double[] weights)
    {
        var shares = new double[weights.Length];
        TensorPrimitives.Divide(weights, Summation.Sum(weights), shares);
        return shares;
    }

    static double[] Ones(int count)
    {
        var ones = new double[count];
        Array.Fill(ones, 1);
        return ones;
    }
}
