using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Sparse;

/// <summary>The best responses of all rows to target potentials: the value and the gradient of the semi-dual, and the matrix of its second derivatives.</summary>
/// <remarks>One pass over the costs, in blocks of rows whose borders never depend on the thread count: same bits for any number of threads. Memory: the entries with mass, and the lists.</remarks>
/// <param name="geometry">The costs, n × m.</param>
/// <param name="a">Source weights; rows of weight 0 respond with nothing.</param>
/// <param name="b">Target weights.</param>
/// <param name="blocks">The threads.</param>
/// <param name="lists">Which columns may matter; shared by all responses to one problem, which take turns.</param>
internal sealed class Responses(Geometry geometry, double[] a, double[] b, RowBlocks blocks, Shortlists lists) : IBlockWork
{
    const int BlockRows = 32;

    readonly int _n = geometry.Rows;
    readonly int _m = geometry.Columns;
    readonly Piece[] _pieces = new Piece[(geometry.Rows + BlockRows - 1) / BlockRows];
    readonly double[] _top = Filled(geometry.Rows);
    readonly double[][] _costs = new double[blocks.Threads][];
    readonly double[][] _values = new double[blocks.Threads][];
    readonly int[][] _listed = new int[blocks.Threads][];
    readonly RowResponse[] _rows = new RowResponse[blocks.Threads];
    readonly double[] _prices = new double[geometry.Columns];
    CancellationToken _cancellation;

    /// <summary>f.</summary>
    public double[] F { get; } = new double[geometry.Rows];

    /// <summary>Pᵀ1.</summary>
    public double[] ColumnSums { get; } = new double[geometry.Columns];

    /// <summary>The semi-dual S(g), and the sum of the sizes of its terms.</summary>
    public (double Value, double Size) SemiDual { get; private set; }

    /// <summary><c>|Pᵀ1 − b|₁</c>.</summary>
    public double Error { get; private set; }

    /// <summary>Entries with mass.</summary>
    public long Entries { get; private set; }

    /// <summary>Rows with a tail or a tie: where k entries are not enough to answer.</summary>
    public List<int> Tied { get; } = [];

    /// <summary>γ + σ of the last pass.</summary>
    public double Strength { get; private set; }

    /// <summary>What some rows answered: entries row by row, and of each row its head, its corrections' weights.</summary>
    sealed class Piece
    {
        public int[] Columns = new int[4 * BlockRows];
        public double[] Masses = new double[4 * BlockRows];
        public readonly int[] Starts = new int[BlockRows + 1];
        public readonly int[] Heads = new int[BlockRows];

        /// <summary>c of the level's correction, and w on the tail.</summary>
        public readonly double[] Level = new double[BlockRows];
        public readonly double[] TailWeight = new double[BlockRows];
        public readonly double[] Values = new double[BlockRows];
        public readonly bool[] Tied = new bool[BlockRows];

        /// <summary>Takes a row's entries; columns count listed pairs where there are such.</summary>
        public void Append(ReadOnlySpan<int> columns, ReadOnlySpan<int> listed, ReadOnlySpan<double> masses, int at)
        {
            int length = at + columns.Length;
            if (length > Columns.Length)
            {
                int room = Math.Max(length, 2 * Columns.Length);
                Array.Resize(ref Columns, room);
                Array.Resize(ref Masses, room);
            }
            columns.CopyTo(Columns.AsSpan(at));
            masses.CopyTo(Masses.AsSpan(at));
            for (int k = at; k < length && !listed.IsEmpty; k++)
                Columns[k] = listed[Columns[k]];
        }
    }

    (double Gamma, double Sigma, int Most) _terms;

    /// <summary>A plan Q whose rows smoothing is measured from, <c>σ/2 ‖p − q‖²</c> but for a constant; null for 0.</summary>
    public SparseMatrix? Centre { get; set; }

    /// <summary>Makes the pass; false when cancelled, and then nothing may be read.</summary>
    public bool Run(ReadOnlySpan<double> g, double gamma, double sigma, int most, CancellationToken cancellation)
    {
        if (_terms != (gamma, sigma, most))
            Array.Clear(_rows);
        (_terms, Strength, _cancellation) = ((gamma, sigma, most), gamma + sigma, cancellation);
        for (int j = 0; j < _m; j++)
            _prices[j] = b[j] > 0 ? g[j] : double.NegativeInfinity;
        lists.Move(_prices);
        blocks.Run(_pieces.Length, this);
        if (cancellation.IsCancellationRequested)
            return false;
        Join(g);
        return true;
    }

    void IBlockWork.Run(int block, int worker)
    {
        Piece piece = _pieces[block] ??= new Piece();
        double[] room = _values[worker] ??= new double[_m];
        RowResponse response = _rows[worker] ??= new(_terms.Gamma, _terms.Sigma, _terms.Most);
        int first = block * BlockRows,
            count = Math.Min(BlockRows, _n - first);
        for (int r = 0; r < count; r++)
        {
            int i = first + r,
                at = piece.Starts[r];
            piece.Starts[r + 1] = at;
            (piece.Heads[r], piece.Values[r], piece.Tied[r]) = (0, 0, false);
            if (a[i] == 0)
                continue;
            if (_cancellation.IsCancellationRequested)
                return;
            if (!FromList(i, room, response, out ReadOnlySpan<int> listed) && !FromAll(i, worker, room, response, out listed))
                continue; // no allowed column: a start that looked for a plan has found none
            (F[i], _top[i]) = (response.F, response.Top);
            piece.Append(response.Columns, listed, response.Masses, at);
            piece.Starts[r + 1] = at + response.Count;
            piece.Heads[r] = response.Head;
            piece.Values[r] = response.Value;
            piece.Tied[r] = response.IsTied || response.Count > response.Head;
            double left = _terms.Most - response.Head,
                tail = response.Count - response.Head,
                scale = (_terms.Sigma * left) + (tail * _terms.Gamma);
            piece.Level[r] = tail == 0 ? 0 : _terms.Gamma / (_terms.Sigma * scale);
            piece.TailWeight[r] = tail == 0 ? 0 : left / scale;
        }
    }

    /// <summary>The response from the row's list, where that reaches far enough.</summary>
    bool FromList(int i, double[] room, RowResponse response, out ReadOnlySpan<int> listed) =>
        lists.TryRead(i, _prices, room, out listed, out double floor)
        && AddCentre(i, room.AsSpan(0, listed.Length), listed)
        && response.Solve(room.AsSpan(0, listed.Length), a[i], _top[i], floor);

    /// <summary>The response from all columns, or all listed pairs where others are forbidden, whose columns are then given.</summary>
    bool FromAll(int i, int worker, double[] room, RowResponse response, out ReadOnlySpan<int> listed)
    {
        if (geometry is SparseCost { Costs: var pairs })
        {
            listed = pairs.RowColumns(i);
            Span<double> few = room.AsSpan(0, listed.Length);
            for (int k = 0; k < few.Length; k++)
                few[k] = _prices[listed[k]] - pairs.RowValues(i)[k];
            AddCentre(i, few, listed);
            return !few.IsEmpty && response.Solve(few, a[i], _top[i], double.NegativeInfinity);
        }
        listed = default;
        double[] costs = _costs[worker] ??= new double[_m];
        geometry.CostRow(i, costs);
        TensorPrimitives.Subtract(_prices, costs, room);
        AddCentre(i, room, listed);
        if (!response.Solve(room, a[i], _top[i], double.NegativeInfinity))
            return false;
        double centred =
            Centre is null || Centre.RowValues(i).IsEmpty ? 0 : _terms.Sigma * TensorPrimitives.Max(Centre.RowValues(i));
        lists.Keep(
            i,
            costs,
            _prices,
            response.Top - response.F,
            response.Top,
            response.Depth + centred,
            response.Count,
            _listed[worker] ??= new int[_m]
        );
        return true;
    }

    /// <summary>Adds Q's part to a row's values; false where one of its columns is not listed.</summary>
    bool AddCentre(int i, Span<double> values, ReadOnlySpan<int> listed)
    {
        if (Centre is not { } centre)
            return true;
        ReadOnlySpan<int> columns = centre.RowColumns(i);
        ReadOnlySpan<double> masses = centre.RowValues(i);
        for (int k = 0; k < columns.Length; k++)
        {
            int at = listed.IsEmpty ? columns[k] : listed.BinarySearch(columns[k]);
            if (at < 0)
                return false;
            values[at] += _terms.Sigma * masses[k];
        }
        return true;
    }

    void Join(ReadOnlySpan<double> g)
    {
        Array.Clear(ColumnSums);
        Tied.Clear();
        Entries = 0;
        Compensated value = default;
        double size = 0;
        for (int p = 0; p < _pieces.Length; p++)
        {
            Piece piece = _pieces[p];
            int count = Math.Min(BlockRows, _n - (p * BlockRows));
            for (int r = 0; r < count; r++)
            {
                int i = (p * BlockRows) + r;
                if (a[i] == 0)
                    continue;
                for (int k = piece.Starts[r]; k < piece.Starts[r + 1]; k++)
                    ColumnSums[piece.Columns[k]] += piece.Masses[k];
                double price = a[i] * F[i];
                value.Add(price);
                value.Add(piece.Values[r]);
                size += Math.Abs(price) + Math.Abs(piece.Values[r]);
                if (piece.Tied[r])
                    Tied.Add(i);
            }
            Entries += piece.Starts[count];
        }
        double error = 0;
        for (int j = 0; j < _m; j++)
        {
            if (b[j] == 0)
                continue;
            double price = b[j] * g[j];
            value.Add(price);
            size += Math.Abs(price);
            error += Math.Abs(ColumnSums[j] - b[j]);
        }
        (SemiDual, Error) = ((value.Value, size), error);
    }

    /// <summary><c>result = (H + diag(shift)) x</c>, H = −∂²S/∂g² ≥ 0; no shift where it is empty.</summary>
    public void Multiply(ReadOnlySpan<double> x, ReadOnlySpan<double> shift, Span<double> result)
    {
        double head = 1 / Strength;
        double tailScale = _terms.Sigma > 0 ? 1 / _terms.Sigma : 0;
        if (shift.IsEmpty)
            result.Clear();
        else
            TensorPrimitives.Multiply(shift, x, result);
        for (int p = 0; p < _pieces.Length; p++)
        {
            Piece piece = _pieces[p];
            int count = Math.Min(BlockRows, _n - (p * BlockRows));
            for (int r = 0; r < count; r++)
            {
                int start = piece.Starts[r],
                    end = piece.Starts[r + 1],
                    split = start + piece.Heads[r];
                double inHead = 0,
                    inTail = 0;
                for (int k = start; k < split; k++)
                    inHead += x[piece.Columns[k]];
                for (int k = split; k < end; k++)
                    inTail += x[piece.Columns[k]];
                double w = piece.TailWeight[r];
                double mean =
                    start == end ? 0 : ((head * inHead) + (w * inTail)) / ((head * (split - start)) + (w * (end - split)));
                for (int k = start; k < split; k++)
                    result[piece.Columns[k]] += head * (x[piece.Columns[k]] - mean);
                double level = (piece.Level[r] * inTail) + (w * mean);
                for (int k = split; k < end; k++)
                    result[piece.Columns[k]] += (tailScale * x[piece.Columns[k]]) - level;
            }
        }
    }

    /// <summary>The diagonal of H.</summary>
    public void Diagonal(Span<double> result)
    {
        double head = 1 / Strength;
        double tailScale = _terms.Sigma > 0 ? 1 / _terms.Sigma : 0;
        result.Clear();
        for (int p = 0; p < _pieces.Length; p++)
        {
            Piece piece = _pieces[p];
            int count = Math.Min(BlockRows, _n - (p * BlockRows));
            for (int r = 0; r < count; r++)
            {
                int start = piece.Starts[r],
                    end = piece.Starts[r + 1],
                    split = start + piece.Heads[r];
                double w = piece.TailWeight[r];
                double whole = (head * (split - start)) + (w * (end - split));
                for (int k = start; k < split; k++)
                    result[piece.Columns[k]] += head - (head * head / whole);
                for (int k = split; k < end; k++)
                    result[piece.Columns[k]] += tailScale - piece.Level[r] - (w * w / whole);
            }
        }
    }

    /// <summary>The responses as a plan.</summary>
    public SparseMatrix ToMatrix()
    {
        var starts = new long[_n + 1];
        var columns = new int[Entries];
        var values = new double[Entries];
        for (int p = 0; p < _pieces.Length; p++)
        {
            Piece piece = _pieces[p];
            int count = Math.Min(BlockRows, _n - (p * BlockRows));
            for (int r = 0; r < count; r++)
            {
                int i = (p * BlockRows) + r,
                    length = piece.Starts[r + 1] - piece.Starts[r];
                starts[i + 1] = starts[i] + length;
                Span<int> to = columns.AsSpan((int)starts[i], length);
                Span<double> masses = values.AsSpan((int)starts[i], length);
                piece.Columns.AsSpan(piece.Starts[r], length).CopyTo(to);
                piece.Masses.AsSpan(piece.Starts[r], length).CopyTo(masses);
                to.Sort(masses);
            }
        }
        return new SparseMatrix(_n, _m, starts, columns, values);
    }

    static double[] Filled(int length)
    {
        var values = new double[length];
        Array.Fill(values, double.PositiveInfinity);
        return values;
    }
}
