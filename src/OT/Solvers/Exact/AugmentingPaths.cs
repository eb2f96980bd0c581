using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>Jonker and Volgenant's assignment: reductions that match most rows, then a shortest augmenting path for each row left. n ≤ m.</summary>
internal sealed class AugmentingPaths
{
    readonly CostRows _costs;
    readonly Watch _watch;
    readonly int _rows;
    readonly int _columns;
    readonly double[] _distance;
    readonly long[] _from;
    readonly double[] _todo;
    readonly List<(int Column, double Distance)> _scanned;

    public AugmentingPaths(CostRows costs, Watch watch)
    {
        (_costs, _watch, _rows, _columns) = (costs, watch, costs.Rows, costs.Columns);
        (ColumnOf, RowOf) = (new int[_rows], new int[_columns]);
        ColumnOf.AsSpan().Fill(-1);
        RowOf.AsSpan().Fill(-1);
        (F, G) = (new double[_rows], new double[_columns]);
        _scanned = new(_columns);
        (_distance, _from, _todo) = (new double[_columns], new long[_columns], new double[_columns]);
    }

    /// <summary>Column of each row, −1 while it is free.</summary>
    public int[] ColumnOf { get; }

    /// <summary>Row of each column, −1 while it is free.</summary>
    public int[] RowOf { get; }

    /// <summary>Row potentials, made by <see cref="RowPotentials"/>.</summary>
    public double[] F { get; }

    /// <summary>Column potentials.</summary>
    public double[] G { get; }

    /// <summary>Why no complete matching exists; null when one does.</summary>
    public string? Obstacle { get; private set; }

    public void Run()
    {
        // With columns to spare, a free column's potential must stay 0: no reductions.
        if (_rows == _columns && ReduceColumns())
        {
            TransferReductions();
            for (int pass = 0; pass < 2; pass++)
                AugmentReducedRows();
        }
        for (int i = 0; i < _rows && Obstacle is null && _watch.Status == SolverStatus.Converged; i++)
        {
            if (ColumnOf[i] < 0 && !_watch.Step(_columns))
                Augment(i);
        }
    }

    /// <summary><c>g_j = min_i C_ij</c>; from the last column to the first, the row that attains it takes the column if it is free.</summary>
    bool ReduceColumns()
    {
        Array.Fill(G, double.PositiveInfinity);
        var zeros = new double[_columns];
        for (int i = 0; i < _rows; i++)
        {
            if (_watch.Stop(_columns))
            {
                Array.Clear(G);
                return false;
            }
            ReducedCosts.Relax(_costs[i], zeros, 0, i, G, _from);
        }
        for (int j = _columns - 1; j >= 0; j--)
        {
            if (double.IsPositiveInfinity(G[j]))
            {
                Obstacle = ExactProblem.Text($"No plan exists: every pair of column {j} is forbidden.");
                return false;
            }
            if (ColumnOf[_from[j]] < 0)
                Match((int)_from[j], j);
        }
        return true;
    }

    /// <summary>A matched row gives its column the whole distance to the row's second choice.</summary>
    void TransferReductions()
    {
        for (int i = 0; i < _rows && !_watch.Stop(_columns); i++)
        {
            int j = ColumnOf[i];
            if (j < 0)
                continue;
            ReadOnlySpan<double> row = _costs[i];
            double second = MinBeside(row, j);
            double reduced = row[j] - G[j];
            // A row without a second choice keeps its price: no finite number says "at any cost".
            if (second < double.PositiveInfinity && second > reduced)
                G[j] -= second - reduced;
        }
    }

    /// <summary>Free rows take their best column and lower its price to the second best; the row driven out tries again at once.</summary>
    void AugmentReducedRows()
    {
        var free = new Stack<int>();
        for (int i = _rows - 1; i >= 0; i--)
        {
            if (ColumnOf[i] < 0)
                free.Push(i);
        }
        // Bidding without ε may crawl on tied or near-tied prices: after n bids the paths take over.
        for (int bids = 0; bids < _rows && free.TryPop(out int i) && !_watch.Stop(2 * _columns); bids++)
        {
            ReadOnlySpan<double> row = _costs[i];
            int j = ReducedCosts.ArgMin(row, G, 0, out double best, slack: 0);
            if (j < 0)
                continue;
            double second = MinBeside(row, j);
            if (double.IsPositiveInfinity(second))
            {
                if (RowOf[j] < 0)
                    Match(i, j);
                continue;
            }
            double lowered = G[j] - (second - best);
            bool strict = lowered < G[j];
            if (!strict && RowOf[j] >= 0)
            {
                // A tie: the second column may be free. It stays tight either way.
                int other = SecondColumn(row, j);
                if (RowOf[other] < 0)
                    Match(i, other);
                continue;
            }
            int loser = RowOf[j];
            G[j] = Math.Min(lowered, G[j]);
            Match(i, j);
            if (loser >= 0)
            {
                ColumnOf[loser] = -1;
                free.Push(loser);
            }
        }
    }

    /// <summary>Dijkstra over reduced costs from a free row to the nearest free column, then prices and matching along the path.</summary>
    void Augment(int start)
    {
        Array.Fill(_distance, double.PositiveInfinity);
        G.CopyTo(_todo, 0);
        _scanned.Clear();
        double reached;
        int row = start,
            end;
        double shift = 0;
        while (true)
        {
            end = ReducedCosts.Relax(_costs[row], _todo, shift, row, _distance, _from);
            if (end < 0)
            {
                Explain(start);
                return;
            }
            if (_watch.Stop(_columns))
                return;
            reached = _distance[end];
            if (RowOf[end] < 0)
                break;
            _scanned.Add((end, reached));
            _distance[end] = double.PositiveInfinity;
            _todo[end] = double.NegativeInfinity;
            row = RowOf[end];
            shift = reached - (_costs[row][end] - G[end]);
        }
        foreach ((int column, double distance) in _scanned)
            G[column] += distance - reached;
        for (int j = end; ; )
        {
            int i = (int)_from[j];
            int previous = ColumnOf[i];
            Match(i, j);
            if (i == start)
                return;
            j = previous;
        }
    }

    void Explain(int start)
    {
        List<int> rows = [start, .. _scanned.Select(s => RowOf[s.Column])];
        rows.Sort();
        List<int> columns = [.. _scanned.Select(s => s.Column)];
        columns.Sort();
        Obstacle =
            columns.Count == 0
                ? ExactProblem.Text($"No plan exists: every pair of row {start} is forbidden.")
                : ExactProblem.Text(
                    $"No plan exists: {ExactProblem.Name("row", rows)} can go only to {ExactProblem.Name("column", columns)}, one fewer."
                );
    }

    /// <summary><c>f_i = min_j C_ij − g_j</c>.</summary>
    public double[] RowPotentials()
    {
        for (int i = 0; i < _rows; i++)
        {
            F[i] = ReducedCosts.Min(_costs[i], G);
            if (!double.IsFinite(F[i]))
                F[i] = 0;
        }
        return F;
    }

    /// <summary>Whether matched pairs are tight to twelve digits of their own costs, so that no rounding of larger prices decided the matching.</summary>
    public bool IsTight()
    {
        RowPotentials();
        double gap = 0,
            cost = 0;
        for (int i = 0; i < _rows; i++)
        {
            double c = _costs[i][ColumnOf[i]];
            gap += c - F[i] - G[ColumnOf[i]];
            cost += Math.Abs(c);
        }
        return gap <= 1e-12 * cost;
    }

    void Match(int row, int column) => (ColumnOf[row], RowOf[column]) = (column, row);

    double MinBeside(ReadOnlySpan<double> row, int column) =>
        Math.Min(
            ReducedCosts.Min(row[..column], G.AsSpan(0, column)),
            ReducedCosts.Min(row[(column + 1)..], G.AsSpan(column + 1))
        );

    int SecondColumn(ReadOnlySpan<double> row, int column)
    {
        int before = ReducedCosts.ArgMin(row[..column], G.AsSpan(0, column), 0, out double left, slack: 0);
        int after = ReducedCosts.ArgMin(row[(column + 1)..], G.AsSpan(column + 1), 0, out double right, slack: 0);
        return right < left ? after + column + 1 : before;
    }
}
