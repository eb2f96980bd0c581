using System.Globalization;
using System.Numerics.Tensors;
using OT.Backends;
using OT.Numerics;

namespace OT.Accelerators.Mpi;

/// <summary>A step: agreed upon, done, exchanged.</summary>
sealed partial class DistributedOperator
{
    /// <summary>What is agreed on before a call: the step, that every rank gives the same numbers to it, and whether to make it at all.</summary>
    bool Begin(
        string what,
        double epsilon,
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> y,
        SinkhornStep? step = null,
        int count = 0
    )
    {
        (ulong first, ulong second) = (BitHash.Of(0, x), BitHash.Of(0, y));
        ReadOnlySpan<ulong> parts =
        [
            _costs,
            BitConverter.DoubleToUInt64Bits(epsilon),
            first,
            second,
            step is null ? 0 : _stepHash,
            (ulong)count,
        ];
        _ranks.Agree(what, BitHash.Of(0, parts), 0, () => Facts(epsilon, first, second, step, count));
        Interrupted |= _watch.Token.IsCancellationRequested;
        return !Interrupted;
    }

    bool Begin(string what, in GibbsPlan plan, ReadOnlySpan<double> vectors) =>
        Begin(what, plan.Epsilon, plan.F, plan.G)
        && Begin(what, plan.Epsilon, plan.LogA, plan.LogB)
        && Begin(what, plan.Epsilon, vectors, default);

    /// <summary>What a call is given, in words, for ranks to find in what they differ.</summary>
    string[] Facts(double epsilon, ulong first, ulong second, SinkhornStep? step, int count)
    {
        var facts = new List<string>
        {
            string.Create(CultureInfo.InvariantCulture, $"epsilon {epsilon:R}"),
            $"costs with the fingerprint {_costs:x}",
            $"a first vector of the fingerprint {first:x}",
            $"a second vector of the fingerprint {second:x}",
        };
        if (step is null)
            return [.. facts];
        facts.AddRange(
            Named(step).Select(number => string.Create(CultureInfo.InvariantCulture, $"{number.Name} {number.Value:R}"))
        );
        facts.AddRange([$"{count} iterations to make", $"weights of the fingerprint {WeightsOf(step):x}"]);
        return [.. facts];
    }

    static (string Name, double Value)[] Named(SinkhornStep step) =>
        [
            ("a damping of rows", step.TauA),
            ("a damping of columns", step.TauB),
            ("a bound of rows", step.BoundA),
            ("a bound of columns", step.BoundB),
            ("the relaxation", step.Relaxation),
            ("the tolerance", step.Tolerance),
        ];

    delegate void LocalStep(
        ICostOperator local,
        ReadOnlySpan<double> x,
        ReadOnlySpan<double> y,
        Span<double> columns,
        Span<double> rows
    );

    delegate void PlanStep(
        ICostOperator local,
        in GibbsPlan own,
        ReadOnlySpan<double> x,
        Span<double> columns,
        Span<double> rows
    );

    /// <summary>Runs the local part. What it throws (a cost of the caller's own may) is told to all ranks by the exchange that they wait in.</summary>
    void Try(ReadOnlySpan<double> x, ReadOnlySpan<double> y, LocalStep step)
    {
        Array.Clear(_own, 0, Remarks);
        try
        {
            step(_local, x, y, _columns, _rows);
        }
#pragma warning disable CA1031 // thrown again, on every rank, once all know of it
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failure = e;
        }
        _rows.CopyTo(Rowwise(_own));
    }

    void TryPlan(in GibbsPlan plan, ReadOnlySpan<double> x, PlanStep step)
    {
        var own = new GibbsPlan
        {
            F = plan.F[_start.._end],
            G = plan.G,
            LogA = plan.LogA[_start.._end],
            LogB = plan.LogB,
            Epsilon = plan.Epsilon,
        };
        Array.Clear(_own, 0, Remarks);
        try
        {
            step(_local, own, x, _columns, _rows);
        }
#pragma warning disable CA1031 // thrown again, on every rank, once all know of it
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failure = e;
        }
        _rows.CopyTo(Rowwise(_own));
    }

    /// <summary>Every rank gets its share of all ranks' columns.</summary>
    void ExchangeColumns(ReadOnlySpan<double> columns) => _ranks.AllToAll(columns, _columnShares, _shares.AsSpan(), _ownShares);

    /// <summary>Adds the ranks' parts of this rank's columns, in order, into the first of them.</summary>
    void AddShares(Span<double> sums)
    {
        for (int r = 1; r < _ranks.Size; r++)
            TensorPrimitives.Add(sums, _shares.AsSpan(r * sums.Length, sums.Length), sums);
    }

    /// <summary>The sum over ranks of what each has for the columns; rows and remarks come with the gathering.</summary>
    double[] ReduceColumns(Span<double> result)
    {
        ExchangeColumns(_columns);
        Span<double> sums = _shares.AsSpan(0, _right - _left);
        AddShares(sums);
        sums.CopyTo(Columnwise(_own));
        double[] all = GatherTogether();
        for (int r = 0; r < _ranks.Size; r++)
            ColumnsFrom(all, r).CopyTo(result[_ranks.Border(Columns, r)..]);
        return all;
    }

    /// <summary>Remarks, rows and columns of every rank. Stops where any rank's token has fired, and throws on all ranks what one of them threw.</summary>
    double[] GatherTogether()
    {
        _own[0] = BitConverter.UInt64BitsToDouble(_ranks.Stops());
        _own[1] = _failure is null ? 0 : 1;
        _ranks.AllGather<double>(_own, _all, _together);
        ulong stops = 0;
        bool failed = false;
        for (int r = 0; r < _ranks.Size; r++)
        {
            stops |= BitConverter.DoubleToUInt64Bits(From(_all, r)[0]);
            failed |= From(_all, r)[1] != 0;
        }
        _ranks.Stop(stops);
        Interrupted |= _watch.Token.IsCancellationRequested;
        if (failed)
        {
            Exception? own = _failure;
            _failure = null;
            string? first = _ranks.FirstFailure(own?.Message);
            throw new BackendException("mpi", first ?? "a rank failed without a word.", inner: own);
        }
        return _all;
    }

    Span<double> Rowwise(double[] own) => own.AsSpan(Remarks, _end - _start);

    Span<double> Columnwise(double[] own) => own.AsSpan(Remarks + _end - _start);

    /// <summary>What a rank gave.</summary>
    ReadOnlySpan<double> From(double[] all, int rank) =>
        all.AsSpan((rank * Remarks) + _ranks.Border(Rows, rank) + _ranks.Border(Columns, rank), (int)_together[rank]);

    ReadOnlySpan<double> RowsFrom(double[] all, int rank) => From(all, rank).Slice(Remarks, RowsOf(rank));

    ReadOnlySpan<double> ColumnsFrom(double[] all, int rank) => From(all, rank)[(Remarks + RowsOf(rank))..];
}
