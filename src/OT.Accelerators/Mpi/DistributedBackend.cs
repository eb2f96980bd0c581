using System.Globalization;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Accelerators.Mpi;

/// <summary>
/// One problem over several processes: every rank runs the same solver on the same vectors of length n and m, and looks at its own rows of the costs, with a back end of its own.
/// </summary>
/// <remarks>
/// <para>
/// An iteration costs each rank n m/R exponentials, and one all-reduce of m doubles with one gathering of n. Every rank holds the same bits; repeats give the same bits; another number of ranks
/// gives sums in another order, within the tolerance of the local back end. Solvers need not know; what they look at without an operator is divided by rows, too.
/// </para>
/// <para>Ranks stop together: a cancellation or a time limit that one of them sees ends the step of all. See docs/theory/distributed.md.</para>
/// </remarks>
public sealed class DistributedBackend : IBackend
{
    readonly IBackend _local;
    readonly MpiCommunicator _ranks;

    /// <summary>Joins the back ends of all ranks. Collective.</summary>
    /// <param name="local">Where this rank's rows run; disposed with this. All ranks need one of the same name, or they would not round alike.</param>
    /// <param name="ranks">The processes; not disposed.</param>
    /// <exception cref="BackendException">The ranks' back ends are of different names or limits.</exception>
    public DistributedBackend(IBackend local, MpiCommunicator ranks)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentNullException.ThrowIfNull(ranks);
        (_local, _ranks) = (local, ranks);
        MemoryLimit = ranks.Gather<long>([local.MemoryLimit]).Min();
        string[] names = ranks.GatherTexts(local.Name);
        int other = Array.FindIndex(names, name => !string.Equals(name, names[0], StringComparison.Ordinal));
        if (other > 0)
            throw new BackendException(
                "mpi",
                $"rank {other} runs on {names[other]}, rank 0 on {names[0]}: all must run on one kind."
            );
        Name = string.Create(CultureInfo.InvariantCulture, $"mpi-{ranks.Size} of {local.Name}");
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Number of threads of this rank that work on one operator.</summary>
    public int Threads => _local.Threads;

    /// <summary>Bytes that one operator may take on each rank; the least limit of all ranks.</summary>
    public long MemoryLimit { get; }

    /// <summary>The processes.</summary>
    public MpiCommunicator Ranks => _ranks;

    /// <summary>The geometry itself: each rank prepares its own rows when it binds them.</summary>
    public Geometry Prepare(Geometry geometry) => geometry;

    long IBackend.TableBytes(Geometry geometry) => 0;

    /// <inheritdoc/>
    public BackendTimings Spent => _local.Spent;

    IRowShare IBackend.Share => _ranks;

    /// <summary>Bytes that <see cref="Bind"/> would take on the rank where it takes most, the copy of its costs included where there is one. Collective: threads and devices differ between ranks.</summary>
    public long EstimateBytes(Geometry geometry, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        int n = geometry.Rows,
            m = geometry.Columns,
            most = (n + _ranks.Size - 1) / _ranks.Size;
        long pairs = (long)most * m;
        Geometry block = geometry switch
        {
            PointCloud cloud => Block(cloud, 0, most),
            ShardedCosts sharded => sharded.Block,
            _ => new RowBlock(geometry, 0, most),
        };
        long stored = geometry switch
        {
            CostMatrix matrix => pairs * (matrix.IsSingle ? sizeof(float) : sizeof(double)),
            ShardedCosts => 0,
            _ => CostMatrix.TableBytes(block),
        };
        // A copy in floats of what is stored in doubles.
        if (precision != Precision.Float64 && geometry is CostMatrix { IsSingle: false } or ShardedCosts { IsSingle: false })
            stored += pairs * sizeof(float);
        long exchange = sizeof(double) * ((4L * m) + (2L * n) + (2L * _ranks.Size * 8));
        // Devices know kinds of costs, not parts of any: the whole matrix bounds its part.
        long local = _local.EstimateBytes(geometry is CostMatrix && _local is Gpu.GpuBackend ? geometry : block, precision);
        return _ranks.Gather<long>([checked(local + stored + exchange)]).Max();
    }

    /// <inheritdoc/>
    /// <exception cref="BackendException">Ranks gave other costs or another precision, there are fewer rows than ranks, or memory or a device is missing on some rank: all ranks throw.</exception>
    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(geometry);
        string kind = $"{geometry.Rows} x {geometry.Columns} costs ({geometry.GetType().Name}) in {precision}";
        _ranks.Agree("Bind", (ulong)(uint)MpiCommunicator.HashOf(kind), 0, () => [kind]);
        if (geometry.Rows < _ranks.Size)
        {
            throw new BackendException(
                "mpi",
                $"{_ranks.Size} ranks for {geometry.Rows} rows: start at most as many ranks as there are rows."
            );
        }
        (int start, int end) = _ranks.RowsOf(geometry.Rows);
        MpiCommunicator.Watch watch = _ranks.WatchOf(cancellation, out int slot);
        ICostOperator? local = null;
        string? failure = null;
        ulong costs = 0;
        try
        {
            costs = geometry.Fingerprint();
            local = _local.Bind(BlockOf(geometry, start, end), precision, watch.Own);
        }
#pragma warning disable CA1031 // thrown again, on every rank, once all know of it
        catch (Exception e)
#pragma warning restore CA1031
        {
            failure = e.Message;
        }
        try
        {
            _ranks.Settle(failure);
            _ranks.Agree("Bind", costs, 0, () => [$"costs with the fingerprint {costs:x}"]);
        }
        catch
        {
            local?.Dispose();
            if (slot >= 0)
                _ranks.EndWatch(slot);
            throw;
        }
        return new DistributedOperator(geometry, local!, costs, _ranks, watch, slot);
    }

    /// <summary>As <see cref="Certificate.Verify"/>, each rank over its own rows. Collective; every rank gets the same certificate.</summary>
    /// <inheritdoc cref="Certificate.Verify" path="/param"/>
    /// <inheritdoc cref="Certificate.Verify" path="/exception"/>
    public Certificate Verify(
        LinearProblem problem,
        TransportPlan plan,
        Potentials? potentials = null,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(problem);
        return Certificate.VerifyShared(problem, plan, potentials, progress, _ranks, cancellation);
    }

    /// <summary>Ends the local back end.</summary>
    public void Dispose() => _local.Dispose();

    /// <summary>This rank's rows as a geometry of their own, of the kind that the local back end is fastest with.</summary>
    Geometry BlockOf(Geometry geometry, int start, int end) =>
        geometry switch
        {
            ShardedCosts sharded => sharded.Block,
            PointCloud cloud => _local.Prepare(Block(cloud, start, end)),
            CostMatrix matrix => Block(matrix, start, end),
            _ => _local.Prepare(new RowBlock(geometry, start, end - start)),
        };

    static PointCloud Block(PointCloud cloud, int start, int end)
    {
        int d = cloud.Dimension;
        double[] rows = cloud.Source.Values[(start * d)..(end * d)].ToArray();
        return new PointCloud(new Matrix(end - start, d, rows), cloud.Target, cloud.GroundCost);
    }

    static CostMatrix Block(CostMatrix matrix, int start, int end)
    {
        int m = matrix.Columns;
        return matrix.Doubles is { } doubles
            ? new CostMatrix(end - start, m, doubles[(start * m)..(end * m)])
            : new CostMatrix(end - start, m, matrix.Singles![(start * m)..(end * m)]);
    }
}
