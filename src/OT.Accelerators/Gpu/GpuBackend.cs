using System.Globalization;
using OT.Backends;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Entropic;
using OT.Solvers.Exact;

namespace OT.Accelerators.Gpu;

/// <summary>What OpenCL and CUDA share: the choice of an operator, the account of memory, the time spent.</summary>
/// <remarks>
/// <para>
/// Point clouds are streamed for squared Euclidean, Euclidean, city block, Chebyshev, Minkowski and cosine costs and for powers of these; matrices of costs are
/// sent to the device. Every other geometry is refused with a <see cref="BackendException"/> that names the managed back end. Rows of costs
/// (<see cref="ICostOperator.CostRows"/>) come from the geometry itself, on the caller's thread, in doubles.
/// </para>
/// <para>Costs that leave the range of floats are streamed in doubles, whatever is asked for; a device without doubles refuses them.</para>
/// <para>Plans are made in doubles in both precisions where the device has doubles; of a matrix bound in float they are made from costs rounded to float.</para>
/// </remarks>
public abstract class GpuBackend : IBackend, IBatchBackend, ISlicingBackend
{
    private protected GpuBackend(IGpuDevice device, long? memoryLimit)
    {
        Device = device;
        MemoryLimit = memoryLimit ?? long.MaxValue;
    }

    /// <inheritdoc/>
    public string Name => $"{Device.Backend} {Device.Name}";

    /// <summary>Platform and driver of the device, with their versions.</summary>
    public string Driver => Device.Driver;

    /// <summary>Whether the device computes in doubles: without them <see cref="Precision.Float64"/> is refused.</summary>
    public bool HasDoubles => Device.HasDoubles;

    /// <summary>Host threads that work on one operator: 1, the caller's.</summary>
    public int Threads => 1;

    /// <inheritdoc/>
    public long MemoryLimit { get; }

    /// <summary>The geometry itself: a table would have to travel, and points are turned into costs faster than costs are read.</summary>
    public Geometry Prepare(Geometry geometry) => geometry;

    long IBackend.TableBytes(Geometry geometry) => 0;

    /// <summary>Bytes of device memory that operators hold now.</summary>
    public long AllocatedBytes => Device.AllocatedBytes;

    /// <summary>Bytes of memory on the device.</summary>
    public long DeviceBytes => Device.TotalBytes;

    /// <summary>Where the time went: building kernels, copying, waiting for kernels.</summary>
    public GpuTimings Timings => Device.Timings;

    /// <inheritdoc/>
    public BackendTimings Spent => new(Timings.Compile, Timings.Upload + Timings.Download, Timings.Run);

    internal IGpuDevice Device { get; }

    /// <summary>Bytes of device memory that <see cref="Bind"/> and the calls after it take at most.</summary>
    /// <exception cref="BackendException">The device has no kernels for the geometry or the precision.</exception>
    public long EstimateBytes(Geometry geometry, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        precision = Streamed(geometry, precision);
        return geometry switch
        {
            PointCloud cloud when GpuGroundCost.Of(cloud.GroundCost) is not null => GpuPointOperator.Bytes(
                Device,
                cloud,
                precision
            ),
            CostMatrix matrix => GpuMatrixOperator.Bytes(Device, matrix, RealOf(precision)),
            _ => throw Refuse(geometry),
        };
    }

    /// <inheritdoc/>
    /// <exception cref="BackendException">
    /// The operator needs more memory than the limit or the device allows, the device has no doubles for <see cref="Precision.Float64"/>, or no kernels for the geometry.
    /// </exception>
    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    )
    {
        CheckRoom(EstimateBytes(geometry, precision), BackendException.OperatorFor(geometry));
        precision = Streamed(geometry, precision);
        GpuReal real = RealOf(precision);
        string Describe(string form) => $"{Name}, {form}, {(real == GpuReal.Double ? Precision.Float64 : Precision.Float32)}";
        return geometry switch
        {
            PointCloud cloud => new GpuPointOperator(
                Device,
                cloud,
                GpuGroundCost.Of(cloud.GroundCost)!,
                precision,
                $"{Name}, points on the fly",
                cancellation
            ),
            CostMatrix matrix => new GpuMatrixOperator(Device, matrix, real, Describe("stored costs"), cancellation),
            _ => throw Refuse(geometry),
        };
    }

    /// <summary>Releases the device. Operators must not be used afterwards.</summary>
    public void Dispose()
    {
        Device.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    bool IBatchBackend.IteratesBatches => Device.HasDoubles;

    /// <inheritdoc/>
    void IBatchBackend.Iterate(
        ProblemBatch batch,
        ReadOnlySpan<int> problems,
        ReadOnlySpan<double> epsilons,
        ReadOnlySpan<double> targets,
        int count,
        Span<double> f,
        Span<double> g,
        Span<int> made,
        CancellationToken cancellation
    )
    {
        var errors = new double[batch.Count];
        while (!problems.IsEmpty && !cancellation.IsCancellationRequested)
        {
            int taken = PieceOf(batch, problems);
            using (var piece = new GpuBatch(Device, batch, problems[..taken], epsilons))
                piece.Iterate(count, targets, f, g, errors, made, cancellation);
            problems = problems[taken..];
        }
    }

    /// <inheritdoc/>
    ISliceSorter ISlicingBackend.BindSlices(Matrix x, Matrix y, int most)
    {
        RequireDoubles();
        (long points, long direction) = GpuSlices.Bytes(x, y);
        CheckRoom(points + direction, FormattableString.Invariant($"the sorting of {x.Rows} and {y.Rows} projections"));
        long room = Math.Min(MemoryLimit, Device.TotalBytes - Device.AllocatedBytes) - points;
        long fit = Math.Min(room, Device.LargestBuffer) / direction;
        return new GpuSlices(Device, x, y, (int)Math.Clamp(fit, 1, most));
    }

    /// <summary>How many problems, from the first on, fit into memory together.</summary>
    int PieceOf(ProblemBatch batch, ReadOnlySpan<int> problems)
    {
        long pairs = 0,
            beside = 0;
        for (int k = 0; k < problems.Length; k++)
        {
            (int n, int m) = (batch.Rows(problems[k]), batch.Columns(problems[k]));
            pairs = batch.Shared is null ? pairs + ((long)n * m) : (long)n * m;
            beside += GpuBatch.BytesBesideCosts(n, m);
            long costs = sizeof(double) * pairs,
                room = Math.Min(MemoryLimit, Device.TotalBytes - Device.AllocatedBytes);
            if (costs + beside <= room && costs <= Device.LargestBuffer && pairs <= GpuBatch.MostPairs)
                continue;
            if (k == 0)
                CheckRoom(costs + beside, FormattableString.Invariant($"problem {problems[0]} of the batch, {n} x {m}"));
            return Math.Max(k, 1);
        }
        return problems.Length;
    }

    /// <summary>Refuses what needs more bytes than the limit, or than the device has left.</summary>
    void CheckRoom(long bytes, string what)
    {
        long free = Device.TotalBytes - Device.AllocatedBytes;
        if (bytes <= MemoryLimit && bytes <= free)
            return;
        string limit =
            bytes > MemoryLimit
                ? string.Create(CultureInfo.InvariantCulture, $"the limit of {MemoryLimit:N0}")
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"the {free:N0} of {Device.TotalBytes:N0} that '{Device.Name}' has left"
                );
        throw BackendException.TooLarge(Device.Backend, what, bytes, limit);
    }

    static GpuReal RealOf(Precision precision) => precision == Precision.Float64 ? GpuReal.Double : GpuReal.Single;

    /// <summary>What can be streamed: doubles where the costs are too large or too small for floats. Refuses what the device cannot.</summary>
    Precision Streamed(Geometry geometry, Precision asked)
    {
        Precision streamed = ManagedBackend.Streamed(geometry, asked);
        if (streamed == Precision.Float64 && asked != Precision.Float64 && !Device.HasDoubles)
        {
            throw new BackendException(
                Device.Backend,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the largest cost is {geometry.MagnitudeBound:G6}, floats hold costs from {ManagedBackend.LeastSingle:G1} to {ManagedBackend.LargestSingle:G1}, and '{Device.Name}' has no doubles: scale the costs."
                )
            );
        }
        if (streamed == Precision.Float64)
            RequireDoubles();
        return streamed;
    }

    void RequireDoubles()
    {
        if (!Device.HasDoubles)
            throw new BackendException(
                Device.Backend,
                $"'{Device.Name}' has no doubles, in which every solver makes its last pass: only operators bound in {nameof(Precision.Float32)} run there."
            );
    }

    BackendException Refuse(Geometry geometry)
    {
        string what = geometry is PointCloud cloud ? $"points with the cost '{cloud.GroundCost.Name}'" : geometry.GetType().Name;
        return new BackendException(
            Device.Backend,
            $"there are no kernels for {what}: use the back end 'managed', or store the costs with CostMatrix.From."
        );
    }
}
