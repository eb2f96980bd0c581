using System.Globalization;
using OT.Backends;
using OT.Geometries;

namespace OT.Accelerators.Gpu;

/// <summary>What OpenCL and CUDA share: the choice of an operator, the account of memory, the time spent.</summary>
/// <remarks>
/// <para>
/// Point clouds are streamed for squared Euclidean, Euclidean, city block, Chebyshev, Minkowski and cosine costs and for powers of these; matrices of costs are
/// sent to the device. Every other geometry is refused with a <see cref="BackendException"/> that names the managed back end. Rows of costs
/// (<see cref="ICostOperator.CostRows"/>) come from the geometry itself, on the caller's thread, in doubles.
/// </para>
/// <para>Plans are made in doubles in both precisions where the device has doubles; of a matrix bound in float they are made from costs rounded to float.</para>
/// </remarks>
public abstract class GpuBackend : IBackend
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
        GpuReal real = RealOf(precision);
        return geometry switch
        {
            PointCloud cloud when GpuGroundCost.Of(cloud.GroundCost) is not null => GpuPointOperator.Bytes(
                Device,
                cloud,
                precision
            ),
            CostMatrix matrix => GpuMatrixOperator.Bytes(Device, matrix, real),
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
        long bytes = EstimateBytes(geometry, precision),
            free = Device.TotalBytes - Device.AllocatedBytes;
        if (bytes > MemoryLimit || bytes > free)
        {
            string limit =
                bytes > MemoryLimit
                    ? string.Create(CultureInfo.InvariantCulture, $"the limit of {MemoryLimit:N0}")
                    : string.Create(
                        CultureInfo.InvariantCulture,
                        $"the {free:N0} of {Device.TotalBytes:N0} that '{Device.Name}' has left"
                    );
            throw BackendException.TooLarge(Device.Backend, geometry, bytes, limit);
        }
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

    GpuReal RealOf(Precision precision)
    {
        if (precision != Precision.Float64)
            return GpuReal.Single;
        if (!Device.HasDoubles)
            throw new BackendException(
                Device.Backend,
                $"'{Device.Name}' has no doubles, in which every solver makes its last pass: only operators bound in {nameof(Precision.Float32)} run there."
            );
        return GpuReal.Double;
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
