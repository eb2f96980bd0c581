using OT.Results;

namespace OT.Visuals;

/// <summary>Receives the entries of one row: <paramref name="masses"/>[k] goes to column <paramref name="columns"/>[k].</summary>
delegate void RowVisitor(int row, ReadOnlySpan<int> columns, ReadOnlySpan<double> masses);

/// <summary>One pass over a plan: all entries of a sparse plan, and of any other as many evenly spaced rows as the budget allows.</summary>
static class PlanRows
{
    const long Budget = 50_000_000;

    /// <summary>How many rows a pass looks at.</summary>
    public static int RowCount(TransportPlan plan) =>
        plan is SparsePlan ? plan.Rows : (int)Math.Clamp(Budget / plan.Columns, 1, plan.Rows);

    public static void Visit(TransportPlan plan, RowVisitor visit)
    {
        if (plan is SparsePlan { Values: var sparse })
        {
            for (int i = 0; i < plan.Rows; i++)
                visit(i, sparse.RowColumns(i), sparse.RowValues(i));
            return;
        }
        int[] columns = [.. Enumerable.Range(0, plan.Columns)];
        var masses = new double[plan.Columns];
        foreach (int i in Spread(RowCount(plan), plan.Rows))
        {
            plan.Row(i, masses);
            visit(i, columns, masses);
        }
    }

    /// <summary>At most <paramref name="count"/> of the indices below <paramref name="total"/>, evenly spaced.</summary>
    public static IEnumerable<int> Spread(int count, int total)
    {
        count = Math.Min(count, total);
        return Enumerable.Range(0, count).Select(k => (int)((long)k * total / count));
    }
}
