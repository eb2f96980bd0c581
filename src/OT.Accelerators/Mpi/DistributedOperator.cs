using OT.Backends;
using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Mpi;

/// <summary>An operator whose rows lie with several ranks, each bound on a back end of its own; every call is collective.</summary>
/// <remarks>
/// Vectors over rows are gathered. Vectors over columns are reduced in two steps, which move as little as an all-reduce can: each rank adds up its share of the columns, in the order of the ranks, and the
/// shares are gathered. So the sums have the same bits on every rank by construction.
/// </remarks>
sealed partial class DistributedOperator : ICostOperator
{
    /// <summary>What each rank says beside its vectors: tokens that fired, whether it failed, error of its rows, error and mass of its columns.</summary>
    internal const int Remarks = 5;

    readonly Geometry _geometry;
    readonly ICostOperator _local;
    readonly ulong _costs;
    readonly MpiCommunicator _ranks;
    readonly MpiCommunicator.Watch _watch;
    readonly int _slot;
    readonly int _start;
    readonly int _end;
    readonly int _left;
    readonly int _right;
    readonly long[] _columnShares;
    readonly long[] _ownShares;
    readonly long[] _together;
    readonly double[] _rows;
    readonly double[] _columns;
    readonly double[] _shares;
    readonly double[] _own;
    readonly double[] _all;
    double[] _nextF = [];
    double[] _nextG = [];
    SinkhornStep? _step;
    SinkhornStep? _localStep;
    ulong _stepHash;
    Exception? _failure;

    public DistributedOperator(
        Geometry geometry,
        ICostOperator local,
        ulong costs,
        MpiCommunicator ranks,
        MpiCommunicator.Watch watch,
        int slot
    )
    {
        (_geometry, _local, _costs, _ranks, _watch, _slot) = (geometry, local, costs, ranks, watch, slot);
        (Rows, Columns) = (geometry.Rows, geometry.Columns);
        (_start, _end) = ranks.RowsOf(Rows);
        (_left, _right) = ranks.RowsOf(Columns);
        _columnShares = new long[ranks.Size];
        _ownShares = new long[ranks.Size];
        _together = new long[ranks.Size];
        for (int r = 0; r < ranks.Size; r++)
        {
            _columnShares[r] = ColumnsOf(r);
            _ownShares[r] = _right - _left;
            _together[r] = Remarks + RowsOf(r) + ColumnsOf(r);
        }
        _rows = new double[_end - _start];
        _columns = new double[Columns];
        _shares = new double[(_right - _left) * ranks.Size];
        _own = new double[_together[ranks.Rank]];
        _all = new double[_together.Sum()];
        Description = $"{ranks.Size} ranks, each {local.Description}";
    }

    public int Rows { get; }

    public int Columns { get; }

    public string Description { get; }

    public bool Interrupted { get; private set; }

    public double PlanMass { get; private set; }

    int RowsOf(int rank) => _ranks.Border(Rows, rank + 1) - _ranks.Border(Rows, rank);

    int ColumnsOf(int rank) => _ranks.Border(Columns, rank + 1) - _ranks.Border(Columns, rank);

    public void Dispose()
    {
        _local.Dispose();
        if (_slot >= 0)
            _ranks.EndWatch(_slot);
    }

    public void CostRows(int start, int count, Span<double> block) => _geometry.CostRows(start, count, block);

    public void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f)
    {
        if (!Begin("SoftMinRows", epsilon, g, logB))
            return;
        Try(g, logB, (local, x, y, _, rows) => local.SoftMinRows(x, y, epsilon, rows));
        double[] all = GatherTogether();
        for (int r = 0; r < _ranks.Size; r++)
            RowsFrom(all, r).CopyTo(f[_ranks.Border(Rows, r)..]);
    }

    public void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        if (Begin("SoftMinColumns", epsilon, f, logA))
            SoftMinColumnsOf(f, logA, epsilon, g);
    }

    /// <summary>Each rank's soft-minima over its own rows stand for pairs of a maximum and a sum: their soft-minimum, in the order of the ranks, is the whole.</summary>
    void SoftMinColumnsOf(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g)
    {
        int own = _end - _start;
        Try(
            f.Slice(_start, own),
            logA.Slice(_start, own),
            (local, x, y, columns, _) => local.SoftMinColumns(x, y, epsilon, columns)
        );
        ExchangeColumns(_columns);
        int width = _right - _left;
        Span<double> joined = Columnwise(_own);
        for (int j = 0; j < width; j++)
        {
            double least = double.PositiveInfinity;
            for (int r = 0; r < _ranks.Size; r++)
                least = Math.Min(least, _shares[(r * width) + j]);
            double sum = 0;
            for (int r = 0; r < _ranks.Size && epsilon > 0 && double.IsFinite(least); r++)
                sum += Math.Exp((least - _shares[(r * width) + j]) / epsilon);
            joined[j] = sum > 0 ? least - (epsilon * Math.Log(sum)) : least;
        }
        double[] all = GatherTogether();
        for (int r = 0; r < _ranks.Size; r++)
            ColumnsFrom(all, r).CopyTo(g[_ranks.Border(Columns, r)..]);
    }

    public int Iterate(int count, SinkhornStep step, Span<double> f, Span<double> g, out double error)
    {
        error = double.NaN;
        Take(step);
        if (!Begin("Iterate", step.Epsilon, f, g, step, count))
            return 0;
        if (_nextF.Length == 0)
            (_nextF, _nextG) = (new double[Rows], new double[Columns]);
        for (int k = 0; k < count; k++)
        {
            double sum = Iteration(step, f, g, out double mass);
            if (Interrupted || !double.IsFinite(sum))
            {
                error = double.NaN;
                return k;
            }
            _nextF.CopyTo(f);
            _nextG.CopyTo(g);
            (error, PlanMass) = (sum, mass);
            if (error <= step.Tolerance)
                return k + 1;
        }
        return count;
    }

    /// <summary>This rank's part of what stays fixed, and a hash of the whole.</summary>
    void Take(SinkhornStep step)
    {
        if (ReferenceEquals(step, _step))
            return;
        int own = _end - _start;
        _localStep = step with { A = step.A.Slice(_start, own), LogA = step.LogA.Slice(_start, own) };
        _stepHash = WeightsOf(step);
        foreach ((_, double number) in Named(step))
            _stepHash = BitHash.Of(_stepHash, [number]);
        _step = step;
    }

    static ulong WeightsOf(SinkhornStep step) =>
        BitHash.Of(BitHash.Of(BitHash.Of(BitHash.Of(0, step.A.Span), step.LogA.Span), step.B.Span), step.LogB.Span);

    /// <summary>One iteration from (f, g) to the next potentials; the error of the plan in between.</summary>
    double Iteration(SinkhornStep step, ReadOnlySpan<double> f, ReadOnlySpan<double> g, out double mass)
    {
        Span<double> sums = _shares.AsSpan(0, _right - _left),
            next = Columnwise(_own);
        double rowError = 0,
            columnError;
        bool single = _local is FusedIteration { IsSingle: true };
        f[_start.._end].CopyTo(_rows);
        if (_local is FusedIteration)
            Try(
                g,
                default,
                (local, x, _, columns, rows) => rowError = ((FusedIteration)local).SweepRows(_localStep!, rows, x, columns)
            );
        else
            Try(g, f[_start.._end], (local, x, y, columns, rows) => rowError = SweepByMinima(local, x, y, columns, rows));
        ExchangeColumns(_columns);
        AddShares(sums);
        g[_left.._right].CopyTo(next);
        columnError = FusedIteration.UpdateColumns(step, _left, sums, next, single);
        ReadOnlySpan<double> b = step.B.Span;
        for (int j = 0; j < next.Length; j++)
        {
            if (b[_left + j] != 0 && !FusedIteration.IsSafe(sums[j], b[_left + j], single))
                next[j] = double.NaN; // for all ranks to see: a soft-min of its own
        }
        _own[2] = rowError;
        _own[3] = columnError;
        _own[4] = Summation.Sum(sums);
        double[] all = GatherTogether();
        (double error, mass) = (0, 0);
        for (int r = 0; r < _ranks.Size; r++)
        {
            RowsFrom(all, r).CopyTo(_nextF.AsSpan(_ranks.Border(Rows, r)));
            ColumnsFrom(all, r).CopyTo(_nextG.AsSpan(_ranks.Border(Columns, r)));
            ReadOnlySpan<double> remarks = From(all, r)[..Remarks];
            error += remarks[3];
            mass += remarks[4];
        }
        for (int r = 0; r < _ranks.Size; r++)
            error += From(all, r)[2];
        if (!Interrupted && double.IsFinite(error) && _nextG.Contains(double.NaN))
            RepairColumns(step, g);
        return error;
    }

    /// <summary>The rows' half of an iteration by a back end that has no pass for both: f by soft-minima of rows, column sums <c>e^((g − softmin)/ε + log b)</c> by those of columns.</summary>
    double SweepByMinima(
        ICostOperator local,
        ReadOnlySpan<double> g,
        ReadOnlySpan<double> f,
        Span<double> columns,
        Span<double> rows
    )
    {
        SinkhornStep step = _localStep!;
        ReadOnlySpan<double> a = step.A.Span,
            logB = step.LogB.Span;
        double omega = step.Relaxation,
            error = 0;
        local.SoftMinRows(g, logB, step.Epsilon, rows);
        for (int i = 0; i < rows.Length; i++)
        {
            double softMin = rows[i];
            if (!double.IsFinite(softMin))
            {
                rows[i] = 0; // no column is allowed
                continue;
            }
            rows[i] = Math.Clamp(((1 - omega) * f[i]) + (omega * step.TauA * softMin), -step.BoundA, step.BoundA);
            if (omega != 1 && a[i] != 0)
                error += ManagedOperator.Missed(
                    a[i] * Math.Exp((rows[i] - softMin) / step.Epsilon),
                    a[i],
                    rows[i],
                    step.TauA,
                    step.BoundA,
                    step.Epsilon
                );
        }
        local.SoftMinColumns(rows, step.LogA.Span, step.Epsilon, columns);
        for (int j = 0; j < columns.Length; j++)
            columns[j] = double.IsNegativeInfinity(logB[j]) ? 0 : Math.Exp(((g[j] - columns[j]) / step.Epsilon) + logB[j]);
        return error;
    }

    /// <summary>Columns whose sums lost precision get their potential by a soft-min of their own.</summary>
    void RepairColumns(SinkhornStep step, ReadOnlySpan<double> g)
    {
        var softMin = new double[Columns];
        SoftMinColumnsOf(_nextF, step.LogA.Span, step.Epsilon, softMin);
        for (int j = 0; j < softMin.Length; j++)
        {
            if (double.IsNaN(_nextG[j]))
                _nextG[j] = Math.Clamp(
                    ((1 - step.Relaxation) * g[j]) + (step.Relaxation * step.TauB * softMin[j]),
                    -step.BoundB,
                    step.BoundB
                );
        }
    }

    public void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false)
    {
        int inner = transpose ? Rows : Columns,
            outer = transpose ? Columns : Rows;
        int count = vectors.Length / inner;
        Guard.Length(vectors.Length, count * inner, nameof(vectors));
        Guard.Length(result.Length, count * outer, nameof(result));
        if (!Begin(transpose ? "ApplyPlan, transposed" : "ApplyPlan", plan, vectors))
            return;
        for (int k = 0; k < count; k++)
        {
            ReadOnlySpan<double> vector = vectors.Slice(k * inner, inner);
            Span<double> product = result.Slice(k * outer, outer);
            if (transpose)
            {
                TryPlan(
                    plan,
                    vector[_start.._end],
                    (ICostOperator local, in GibbsPlan own, ReadOnlySpan<double> x, Span<double> columns, Span<double> _) =>
                        local.ApplyPlan(own, x, columns, transpose: true)
                );
                ReduceColumns(product);
            }
            else
            {
                TryPlan(
                    plan,
                    vector,
                    (ICostOperator local, in GibbsPlan own, ReadOnlySpan<double> x, Span<double> _, Span<double> rows) =>
                        local.ApplyPlan(own, x, rows)
                );
                double[] all = GatherTogether();
                for (int r = 0; r < _ranks.Size; r++)
                    RowsFrom(all, r).CopyTo(product[_ranks.Border(Rows, r)..]);
            }
        }
    }

    public double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums)
    {
        if (!Begin("TransportCost", plan, default))
            return double.NaN;
        double own = 0;
        TryPlan(
            plan,
            default,
            (ICostOperator local, in GibbsPlan part, ReadOnlySpan<double> _, Span<double> columns, Span<double> rows) =>
                own = local.TransportCost(part, rows, columns)
        );
        _own[2] = own;
        double[] all = ReduceColumns(columnSums);
        Compensated cost = default;
        for (int r = 0; r < _ranks.Size; r++)
        {
            RowsFrom(all, r).CopyTo(rowSums[_ranks.Border(Rows, r)..]);
            cost.Add(From(all, r)[2]);
        }
        return cost.Value;
    }
}
