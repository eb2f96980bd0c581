using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>
/// Newton's matrix of a thin plan: the Laplacian of a bipartite graph, rows the nodes 0 … n − 1 and columns the next m, weights <c>r_i q_ij</c>, whose dropped
/// entries are losses at both ends: <c>[diag(r) −P; −Pᵀ diag(c)]</c> with P thin and r and c whole. Also its factor.
/// </summary>
/// <param name="n">Rows.</param>
/// <param name="m">Columns.</param>
/// <param name="threads">Threads of the factor; they change no bit.</param>
internal sealed class ThinLaplacian(int n, int m, int threads)
{
    /// <summary>More entries per node than this, and a sparse order is not looked for.</summary>
    public const int SparseEntries = 12;

    /// <summary>A dense multiply-add takes a 64th of a sparse one.</summary>
    public const double DenseShare = 1.0 / MinimumDegree.SparsePenalty;

    /// <summary>What rounding alone would explain is not dropped.</summary>
    const double Rounding = 1e-13;

    readonly double[] _dropped = new double[n + m];
    int[] _starts = [];
    int[] _neighbours = [];
    double[] _weights = [];
    SparseCholesky? _factor;
    double[]? _losses;

    /// <summary>Nodes, n + m.</summary>
    public int Count => n + m;

    /// <summary>Entries of the thin plan.</summary>
    public int Entries => _neighbours.Length / 2;

    /// <summary>Orders looked for so far.</summary>
    public int Analyses { get; private set; }

    /// <summary>Entries of the sparse part of the factor, and nodes of its dense part.</summary>
    public (int Fill, int Tail) FactorSize => (_factor?.FillCount ?? 0, _factor?.TailCount ?? 0);

    /// <summary>Takes a thin plan over. A graph unchanged keeps the analysis of its factor.</summary>
    /// <param name="thin">The entries.</param>
    /// <param name="rowMass">r.</param>
    /// <param name="columnMass">c, of the whole plan.</param>
    public void Load(ThinPlan thin, double[] rowMass, double[] columnMass)
    {
        (int[] starts, int[] neighbours) = Graph(thin);
        if (!starts.AsSpan().SequenceEqual(_starts) || !neighbours.AsSpan().SequenceEqual(_neighbours))
            (_starts, _neighbours, _factor) = (starts, neighbours, null);
        if (_weights.Length != neighbours.Length)
            _weights = new double[neighbours.Length];
        int[] at = starts[n..(n + m)];
        var kept = new double[m];
        for (int i = 0; i < n; i++)
        {
            double sum = 0;
            for (int k = thin.Starts[i]; k < thin.Starts[i + 1]; k++)
            {
                double mass = rowMass[i] * thin.Values[k];
                int j = thin.Columns[k];
                _weights[k] = _weights[at[j]++] = mass;
                kept[j] += mass;
                sum += thin.Values[k];
            }
            _dropped[i] = rowMass[i] * Dropped(1, sum);
        }
        for (int j = 0; j < m; j++)
            _dropped[n + j] = Dropped(columnMass[j], kept[j]);
    }

    static double Dropped(double whole, double kept) => whole - kept > Rounding * whole ? whole - kept : 0;

    /// <summary>Each edge at both its ends.</summary>
    (int[] Starts, int[] Neighbours) Graph(ThinPlan thin)
    {
        int entries = thin.Columns.Length;
        var starts = new int[n + m + 1];
        var neighbours = new int[2 * entries];
        foreach (int j in thin.Columns)
            starts[n + j + 1]++;
        thin.Starts.CopyTo(starts, 0);
        for (int k = n; k < n + m; k++)
            starts[k + 1] += starts[k];
        int[] at = starts[n..(n + m)];
        for (int i = 0; i < n; i++)
        {
            for (int k = thin.Starts[i]; k < thin.Starts[i + 1]; k++)
            {
                neighbours[k] = n + thin.Columns[k];
                neighbours[at[thin.Columns[k]]++] = i;
            }
        }
        return (starts, neighbours);
    }

    /// <summary>Work of eliminating the rows of a thin plan one by one, then its columns densely.</summary>
    public double RowsFirst(ThinPlan thin)
    {
        double work = RowsFirst(0, m, 0);
        for (int i = 0; i < n; i++)
            work += RowWork(thin.Starts[i + 1] - thin.Starts[i], m);
        return work;
    }

    /// <summary>The same for rows of so many entries each.</summary>
    public static double RowsFirst(int rows, double columns, double entries) =>
        (DenseShare * columns * columns * columns / 6) + (rows * RowWork(entries, columns));

    static double RowWork(double entries, double columns) => 0.5 * Math.Min(entries * entries, DenseShare * columns * columns);

    /// <summary>Finds the order of the factor: one that keeps it sparse, or rows first, whichever is less work.</summary>
    /// <param name="thin">The entries that were loaded.</param>
    /// <param name="bytes">Memory that may be taken.</param>
    /// <returns>Work of a factorisation in sparse multiply-adds, about a nanosecond each; infinite when it does not fit.</returns>
    public double Prepare(ThinPlan thin, long bytes)
    {
        if (_factor is not null)
            return _factor.Work * DenseShare;
        Analyses++;
        double rowsFirst = RowsFirst(thin);
        if (thin.Values.Length <= SparseEntries * (long)Count)
            _factor = SparseCholesky.Analyse(Count, _starts, _neighbours, threads, Math.Min(bytes / 64, int.MaxValue / 2));
        if (_factor is null || _factor.Work * DenseShare > rowsFirst || _factor.Bytes > bytes)
            _factor = SparseCholesky.FirstNodesFirst(n, Count, _starts, _neighbours, threads);
        if (_factor.Bytes <= bytes)
            return _factor.Work * DenseShare;
        _factor = null;
        return double.PositiveInfinity;
    }

    /// <summary>Factorises the matrix with further losses on its diagonal; false when cancelled.</summary>
    public bool Factor(ReadOnlySpan<double> losses, CancellationToken cancellation)
    {
        double[] all = WithDropped(losses);
        return _factor!.Factor(_weights, all, cancellation);
    }

    double[] WithDropped(ReadOnlySpan<double> losses)
    {
        _losses ??= new double[Count];
        for (int k = 0; k < _losses.Length; k++)
            _losses[k] = _dropped[k] + losses[k];
        return _losses;
    }

    /// <summary>Solves with the last factor.</summary>
    public void Solve(ReadOnlySpan<double> right, Span<double> solution) => _factor!.Solve(right, solution);

    /// <summary>Solves by conjugate gradients, with further losses on the diagonal.</summary>
    /// <returns>Products made.</returns>
    public int Solve(
        ReadOnlySpan<double> losses,
        Span<double> right,
        double tolerance,
        int maxIterations,
        Span<double> solution,
        CancellationToken cancellation
    )
    {
        double[] all = WithDropped(losses);
        double[] diagonal = new double[Count],
            inverse = new double[Count];
        for (int k = 0; k < Count; k++)
        {
            diagonal[k] = all[k];
            for (int e = _starts[k]; e < _starts[k + 1]; e++)
                diagonal[k] += _weights[e];
            inverse[k] = diagonal[k] > 0 ? 1 / diagonal[k] : 0;
        }
        bool Product(ReadOnlySpan<double> x, Span<double> result)
        {
            for (int k = 0; k < result.Length; k++)
            {
                double sum = diagonal[k] * x[k];
                for (int e = _starts[k]; e < _starts[k + 1]; e++)
                    sum -= _weights[e] * x[_neighbours[e]];
                result[k] = sum;
            }
            return !cancellation.IsCancellationRequested;
        }
        bool singular = !all.AsSpan().ContainsAnyExcept(0.0);
        return ConjugateGradient.Solve(Product, right, inverse, singular, tolerance, maxIterations, solution).Iterations;
    }
}
