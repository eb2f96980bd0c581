using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>Rules of the published sparse Newton methods for what of a plan is kept.</summary>
internal static class Thinning
{
    /// <summary>Bins of the histogram of log P, a sixteenth of an e-fold each; what is smaller than the last of them counts as nothing.</summary>
    const int Bins = 4096;

    const double BinsPerUnit = 16;

    /// <summary>
    /// Drops the smallest entries of each column as long as all that is dropped from it adds up to at most a budget, and gives rows that lost more than twice the budget their largest
    /// dropped entries back (Tang and Qiu, NeurIPS 2024). Ties go by row.
    /// </summary>
    /// <param name="thin">Entries that hold all but the budget already.</param>
    /// <param name="a">Row masses.</param>
    /// <param name="columnMass">c, of the whole plan.</param>
    /// <param name="budget">δ, a mass.</param>
    public static ThinPlan WithinBudget(ThinPlan thin, double[] a, double[] columnMass, double budget)
    {
        int n = a.Length,
            m = columnMass.Length;
        double[] mass = new double[thin.Values.Length],
            lost = [.. columnMass];
        var byColumn = new List<int>[m];
        for (int i = 0; i < n; i++)
        {
            for (int k = thin.Starts[i]; k < thin.Starts[i + 1]; k++)
            {
                int j = thin.Columns[k];
                mass[k] = a[i] * thin.Values[k];
                lost[j] -= mass[k];
                (byColumn[j] ??= []).Add(k);
            }
        }
        var isKept = new bool[mass.Length];
        Array.Fill(isKept, true);
        for (int j = 0; j < m; j++)
        {
            if (byColumn[j] is not { } entries)
                continue;
            entries.Sort((x, y) => mass[x] != mass[y] ? mass[x].CompareTo(mass[y]) : x.CompareTo(y));
            double sum = Math.Max(0, lost[j]);
            foreach (int k in entries)
            {
                sum += mass[k];
                if (sum > budget)
                    break;
                isKept[k] = false;
            }
        }
        for (int i = 0; i < n; i++)
            GiveBack(i);
        return Kept(thin, isKept);

        void GiveBack(int i)
        {
            double kept = 0;
            var dropped = new List<int>();
            for (int k = thin.Starts[i]; k < thin.Starts[i + 1]; k++)
            {
                if (isKept[k])
                    kept += mass[k];
                else
                    dropped.Add(k);
            }
            dropped.Sort((x, y) => mass[x] != mass[y] ? mass[y].CompareTo(mass[x]) : x.CompareTo(y));
            foreach (int k in dropped)
            {
                if (a[i] - kept <= 2 * budget)
                    break;
                isKept[k] = true;
                kept += mass[k];
            }
        }
    }

    static ThinPlan Kept(ThinPlan thin, bool[] isKept)
    {
        var starts = new int[thin.Starts.Length];
        var columns = new List<int>(thin.Columns.Length);
        var values = new List<double>(thin.Columns.Length);
        for (int i = 0; i < starts.Length - 1; i++)
        {
            for (int k = thin.Starts[i]; k < thin.Starts[i + 1]; k++)
            {
                if (isKept[k])
                {
                    columns.Add(thin.Columns[k]);
                    values.Add(thin.Values[k]);
                }
            }
            starts[i + 1] = columns.Count;
        }
        return new ThinPlan(starts, [.. columns], [.. values]);
    }

    /// <summary>A mass that at least so many entries of the plan reach, and hardly more: ties and what shares their bin, six per cent wide, come along.</summary>
    public static double MassOfRank(
        Geometry geometry,
        double[] f,
        double[] g,
        double[] a,
        double[] b,
        double epsilon,
        long rank,
        int threads,
        IRowShare share,
        CancellationToken cancellation
    )
    {
        double[] logA = VectorMath.LogWeights(a),
            logB = VectorMath.LogWeights(b);
        double top = TensorPrimitives.Max<double>(logA);
        var total = new long[Bins];
        (int start, int end) = share.RowsOf(geometry.Rows);
        try
        {
            Parallel.For(
                start,
                end,
                new ParallelOptions { MaxDegreeOfParallelism = threads },
                () => (Costs: new double[geometry.Columns], Counts: new long[Bins]),
                (i, _, local) =>
                {
                    if (a[i] == 0 || cancellation.IsCancellationRequested)
                        return local;
                    Span<double> t = local.Costs;
                    geometry.CostRow(i, t);
                    TensorPrimitives.Subtract(g, t, t);
                    TensorPrimitives.Add(t, f[i], t);
                    TensorPrimitives.Divide(t, epsilon, t);
                    TensorPrimitives.Add(t, logB, t);
                    TensorPrimitives.Add(t, logA[i] - top, t);
                    TensorPrimitives.Multiply(t, -BinsPerUnit, t);
                    foreach (double place in t)
                    {
                        if (place < Bins)
                            local.Counts[(int)Math.Max(place, 0)]++;
                    }
                    return local;
                },
                local =>
                {
                    lock (total)
                    {
                        for (int k = 0; k < Bins; k++)
                            total[k] += local.Counts[k];
                    }
                }
            );
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]); // a cost of the caller's own
        }
        long[] all = share.Gather<long>(total);
        long count = 0;
        for (int k = 0; k < Bins; k++)
        {
            for (int at = k; at < all.Length; at += Bins)
                count += all[at];
            if (count >= rank)
                return Math.Exp(top - ((k + 1) / BinsPerUnit));
        }
        return 0;
    }
}
