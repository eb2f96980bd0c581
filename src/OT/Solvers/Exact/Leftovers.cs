namespace OT.Solvers.Exact;

/// <summary>What to do with mass that the tree sends over the root: ship it anyhow, explain it, or see that it is rounding.</summary>
internal static class Leftovers
{
    /// <summary>Ships what is left from any source to any target that the costs allow, so that a stopped solver's plan is feasible where it can be.</summary>
    public static void Ship(ExactProblem problem, SpanningTree tree, List<(int Row, int Column, double Mass)> shipments)
    {
        // Nodes that a cancelled start never reached have shipped nothing.
        double[] supply = [.. problem.Supply];
        double[] demand = [.. problem.Demand];
        foreach ((int i, int j, double mass) in shipments)
        {
            supply[i] = Math.Max(supply[i] - mass, 0);
            demand[j] = Math.Max(demand[j] - mass, 0);
        }
        foreach ((int node, double mass) in tree.Unsent(targets: false))
            supply[node] = mass;
        foreach ((int node, double mass) in tree.Unsent(targets: true))
            demand[node - problem.Rows] = mass;
        double rounding = ExactProblem.Rounding * (problem.Rows + problem.Columns) * problem.Mass;
        List<int> wanting = [.. Enumerable.Range(0, problem.Columns).Where(j => demand[j] > rounding)];
        for (int i = 0; i < problem.Rows; i++)
        {
            for (int k = wanting.Count - 1; k >= 0 && supply[i] > rounding; k--)
            {
                int j = wanting[k];
                if (!(problem.Problem.Geometry.Cost(i, j) < double.PositiveInfinity))
                    continue;
                double mass = Math.Min(supply[i], demand[j]);
                shipments.Add((i, j, mass));
                supply[i] -= mass;
                demand[j] -= mass;
                if (demand[j] <= rounding)
                    wanting.RemoveAt(k);
            }
        }
    }

    /// <summary>Names rows that hold more than the columns they reach can take: what an unsent row reaches in the residual graph.</summary>
    public static string Explain(
        ExactProblem problem,
        Arcs arcs,
        SpanningTree tree,
        List<(int Row, int Column, double Mass)> shipments,
        double unsent
    )
    {
        var feeders = new List<int>[problem.Columns];
        foreach ((int i, int j, _) in shipments)
            (feeders[j] ??= []).Add(i);
        var rows = new SortedSet<int>();
        var columns = new SortedSet<int>();
        var queue = new Queue<int>();
        foreach ((int node, double mass) in tree.Unsent(targets: false))
        {
            if (mass > problem.Slack / problem.Rows && rows.Add(node))
                queue.Enqueue(node);
        }
        while (queue.TryDequeue(out int i))
        {
            foreach (int j in arcs.Columns(i))
            {
                if (!(problem.Demand[j] > 0) || !columns.Add(j))
                    continue;
                foreach (int k in feeders[j] ?? [])
                {
                    if (rows.Add(k))
                        queue.Enqueue(k);
                }
            }
        }
        double held = rows.Sum(i => problem.Supply[i]);
        double taken = columns.Sum(j => problem.Demand[j]);
        string held17 = ExactProblem.Text($"{held:G6}");
        string where =
            columns.Count == 0
                ? "every pair of theirs with a column that wants mass is forbidden"
                : $"they can ship only to {ExactProblem.Name("column", columns)}, which take {ExactProblem.Text($"{taken:G6}")}";
        return $"No plan exists: {ExactProblem.Name("row", rows)} hold mass {held17}, but {where}. "
            + ExactProblem.Text($"{unsent:G6} of the mass cannot be shipped.");
    }

    /// <summary>
    /// Components that only rounding (or nothing) links may still hang on both sides of M. The least M that keeps every arc feasible replaces the symbol:
    /// <c>2M = max f_i + g_j − C_ij</c> over arcs from the lower to the upper side.
    /// </summary>
    public static void JoinPotentials(ExactProblem problem, Arcs arcs, SpanningTree tree)
    {
        var upper = new double[problem.Columns];
        for (int j = 0; j < upper.Length; j++)
            upper[j] = tree.IsDown(problem.Rows + j) ? double.NegativeInfinity : tree.G[j];
        double shift = 0;
        for (int i = 0; i < problem.Rows; i++)
        {
            if (problem.Supply[i] > 0 && tree.IsDown(i))
                shift = Math.Max(shift, tree.F[i] - arcs.Min(i, upper));
        }
        for (int i = 0; i < problem.Rows; i++)
        {
            if (problem.Supply[i] > 0 && tree.IsDown(i))
                tree.F[i] -= shift;
        }
    }
}
