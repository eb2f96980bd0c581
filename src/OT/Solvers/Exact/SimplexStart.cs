using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>Builds the first basis of the network simplex: cheap potentials, greedy shipments, and a strongly feasible tree over them.</summary>
internal sealed class SimplexStart(ExactProblem problem, Arcs arcs, Watch watch)
{
    readonly int _rows = problem.Rows;
    readonly int _columns = problem.Columns;
    readonly List<(int Row, int Column, double Mass, double Cost)> _shipments = [];

    /// <summary>Largest finite |C|.</summary>
    public double MaxMagnitude { get; private set; }

    /// <summary>Costs up to this belong to the bulk: the largest of the least |C| of each row and column with mass; the least positive |C| where these are all 0.</summary>
    public double Level { get; private set; }

    /// <summary>Source potentials to start from.</summary>
    public double[] F { get; } = new double[problem.Rows];

    /// <summary>Target potentials to start from.</summary>
    public double[] G { get; } = new double[problem.Columns];

    /// <summary><c>g_j = min_i C_ij − f_i</c>, then <c>f_i = min_j C_ij − g_j</c>: two passes. Without <paramref name="start"/>, f begins at 0.</summary>
    public void MakePotentials(ReadOnlySpan<double> start)
    {
        if (!start.IsEmpty)
            start.CopyTo(F);
        Array.Fill(G, double.PositiveInfinity);
        double leastPositive = double.PositiveInfinity;
        for (int i = 0; i < _rows; i++)
        {
            if (problem.Supply[i] == 0)
                continue;
            if (watch.Stop(2 * arcs.Count(i)))
                break;
            (double min, double max) = arcs.Magnitudes(i);
            MaxMagnitude = Math.Max(MaxMagnitude, max);
            if (double.IsFinite(min))
                Level = Math.Max(Level, min);
            leastPositive = Math.Min(leastPositive, min > 0 ? min : arcs.LeastPositive(i));
            arcs.Lower(i, F[i], G);
        }
        ExactProblem.CheckMagnitude(MaxMagnitude);
        for (int j = 0; j < _columns; j++)
        {
            if (!double.IsFinite(G[j]))
                G[j] = 0;
            if (start.IsEmpty)
                Level = Math.Max(Level, Math.Abs(G[j]));
            if (problem.Demand[j] == 0)
                G[j] = double.NegativeInfinity;
        }
        if (Level == 0)
            Level = leastPositive;
        for (int i = 0; i < _rows; i++)
        {
            if (problem.Supply[i] == 0)
                continue;
            if (watch.Stop(arcs.Count(i)))
                break;
            F[i] = arcs.Min(i, G);
            if (!double.IsFinite(F[i]))
                F[i] = 0;
        }
        // c-transforms bound the spread of both sides by that of the costs; the common constant of a given start could still drown their digits.
        double constant = G.First(double.IsFinite);
        System.Numerics.Tensors.TensorPrimitives.Subtract(G, constant, G);
        System.Numerics.Tensors.TensorPrimitives.Add(F, constant, F);
    }

    /// <summary>Ships row by row to the open column of least reduced cost, over arcs whose |C| is at most <paramref name="ceiling"/>, and hangs the tree.</summary>
    public SpanningTree Build(double ceiling)
    {
        double[] supply = [.. problem.Supply];
        double[] demand = [.. problem.Demand];
        double[] open = [.. G];
        // Tight arcs first: a row served early must not take what another row gets for nothing.
        Ship(supply, demand, open, ceiling, tightOnly: true);
        Ship(supply, demand, open, ceiling, tightOnly: false);
        ForgiveRounding(demand);
        return Hang(supply, demand);
    }

    void Ship(double[] supply, double[] demand, double[] open, double ceiling, bool tightOnly)
    {
        for (int i = 0; i < _rows; i++)
        {
            int count = arcs.Count(i);
            while (supply[i] > 0 && !watch.Stop(count))
            {
                Candidate arc = arcs.Best(i, 0, count, F[i], open);
                if (arc.Column < 0 || Math.Abs(arc.Cost) > ceiling)
                    break;
                // At the tight arc the key is the slack of rounding alone.
                double slack = ReducedCosts.Slack * (Math.Abs(arc.Cost) + Math.Abs(F[i]) + Math.Abs(G[arc.Column]));
                if (tightOnly && arc.Key > 2 * slack)
                    break;
                double mass = Math.Min(supply[i], demand[arc.Column]);
                _shipments.Add((i, arc.Column, mass, arc.Cost));
                supply[i] -= mass;
                demand[arc.Column] -= mass;
                if (demand[arc.Column] == 0)
                    open[arc.Column] = double.NegativeInfinity;
            }
        }
    }

    /// <summary>A target that lacks no more than rounding has enough: its demand is lowered to what it got.</summary>
    void ForgiveRounding(double[] demand)
    {
        double rounding = ExactProblem.Rounding * (_rows + _columns) * problem.Mass;
        for (int j = 0; j < _columns; j++)
        {
            if (demand[j] > 0 && demand[j] < problem.Demand[j] && demand[j] <= rounding)
            {
                problem.Demand[j] -= demand[j];
                demand[j] = 0;
            }
        }
    }

    /// <summary>
    /// Hangs each component of the shipments at the root, by its one node that is left with mass or, when none is, by a source. A target left alone
    /// by rounding is hung there too.
    /// </summary>
    SpanningTree Hang(double[] supply, double[] demand)
    {
        var tree = new SpanningTree(_rows, _columns);
        var first = new int[_rows + _columns + 1];
        foreach ((int i, int j, _, _) in _shipments)
        {
            first[i + 1]++;
            first[_rows + j + 1]++;
        }
        for (int u = 0; u < _rows + _columns; u++)
            first[u + 1] += first[u];
        int[] next = first[..^1];
        var incident = new int[2 * _shipments.Count];
        for (int k = 0; k < _shipments.Count; k++)
        {
            incident[next[_shipments[k].Row]++] = k;
            incident[next[_rows + _shipments[k].Column]++] = k;
        }

        var hung = new bool[_rows + _columns];
        var queue = new Queue<int>();
        for (int j = 0; j < _columns; j++)
        {
            if (demand[j] > 0)
                HangComponent(_rows + j, demand[j], G[j]);
        }
        for (int i = 0; i < _rows; i++)
        {
            if (supply[i] > 0)
                HangComponent(i, supply[i], F[i]);
        }
        for (int i = 0; i < _rows; i++)
        {
            if (problem.Supply[i] > 0 && !hung[i])
                HangComponent(i, 0, F[i]);
        }
        tree.RefreshPotentials();
        return tree;

        void HangComponent(int top, double flow, double cost)
        {
            tree.HangAtRoot(top, flow, cost);
            hung[top] = true;
            queue.Enqueue(top);
            while (queue.TryDequeue(out int u))
            {
                for (int at = first[u]; at < first[u + 1]; at++)
                {
                    (int i, int j, double mass, double arcCost) = _shipments[incident[at]];
                    int v = u < _rows ? _rows + j : i;
                    if (hung[v])
                        continue;
                    tree.Hang(v, u, mass, arcCost);
                    hung[v] = true;
                    queue.Enqueue(v);
                }
            }
        }
    }
}
