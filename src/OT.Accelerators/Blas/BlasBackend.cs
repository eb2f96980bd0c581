using System.Runtime.Intrinsics;
using OT.Backends;
using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Accelerators.Blas;

/// <summary>Squared distances between points in many dimensions by the matrix products of MKL, OpenBLAS or BLIS.</summary>
/// <remarks>
/// <para>
/// Serves point clouds with squared Euclidean, half squared Euclidean or cosine cost in at least <see cref="FewestDimensions"/> dimensions. <see cref="Prepare"/> makes
/// tables of up to the table limit by matrix products, which solvers then read; costs of clouds that are bound are never stored, their dot products come again in every iteration. Every other geometry is
/// handed to the managed back end, which then stands in <see cref="ICostOperator.Description"/>, as who made a table does.
/// </para>
/// <para>
/// The library computes each product in its caller's thread, on blocks of fixed size: results do not depend on the number of threads. MKL runs in its
/// reproducible mode. Where ε is too small for dot products to resolve, rows of differences are streamed by managed code; where floats cannot hold the costs, doubles are streamed.
/// </para>
/// <para>Cost per iteration: 2d operations and one exponential per pair, memory O((n + m)(d + 64)); see <c>docs/theory/blas.md</c>.</para>
/// </remarks>
public sealed class BlasBackend : IBackend
{
    /// <summary>Least number of coordinates from which costs are made by matrix products (measured: docs/theory/blas.md).</summary>
    public const int FewestDimensions = 16;

    const int FewestStreamed = 256;

    /// <summary>Bytes of tables by default: those up to which solvers tabulate slow costs.</summary>
    public const long DefaultTableLimit = CostMatrix.TabulatedBytes;

    readonly BlasLibrary _blas;
    readonly ManagedBackend _managed;
    readonly long _tableLimit;

    /// <summary>Opens the library that <c>OT_NATIVE_PATH</c>, the application's folder or the system offers, MKL before OpenBLAS before BLIS.</summary>
    /// <param name="threads">Threads per operator, the caller's included; all processors by default.</param>
    /// <param name="memoryLimit">Bytes that one operator may take beyond the geometry; no limit by default. What needs more is refused by <see cref="Bind"/>.</param>
    /// <param name="tableLimit">
    /// Bytes up to which a cloud's costs are stored for solvers, <see cref="DefaultTableLimit"/> (256 MiB) by default. A table pays from the third iteration on; 0 always streams.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A count is out of range.</exception>
    /// <exception cref="BackendException">No usable library was found; the message lists the places tried.</exception>
    public BlasBackend(int? threads = null, long? memoryLimit = null, long? tableLimit = null)
    {
        _tableLimit = tableLimit ?? DefaultTableLimit;
        ArgumentOutOfRangeException.ThrowIfNegative(_tableLimit, nameof(tableLimit));
        _managed = new ManagedBackend(threads, memoryLimit);
        _blas = BlasLibrary.Open();
        Name = $"blas-{_blas.Kind}";
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>What the library says of itself, such as <c>OpenBLAS 0.3.21 … SkylakeX</c>: the last word is the processor whose kernels it chose.</summary>
    public string Version => _blas.Version;

    /// <inheritdoc/>
    public int Threads => _managed.Threads;

    /// <inheritdoc/>
    public long MemoryLimit => _managed.MemoryLimit;

    /// <summary>A table made by matrix products where they serve and it is no larger than the table limit; other geometries as managed code takes them.</summary>
    public Geometry Prepare(Geometry geometry)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        if (Products(geometry) is not { } cloud)
            return CostMatrix.Quick(geometry, MemoryLimit);
        return Tabulates(cloud) ? Tabulate(cloud) : cloud;
    }

    long IBackend.TableBytes(Geometry geometry) =>
        Products(geometry) is not { } cloud ? ((IBackend)_managed).TableBytes(geometry)
        : Tabulates(cloud) ? (long)cloud.Rows * cloud.Columns * sizeof(double)
        : 0;

    /// <inheritdoc/>
    public long EstimateBytes(Geometry geometry, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        if (Products(geometry) is not { } cloud)
            return _managed.EstimateBytes(geometry, precision);
        return Streamable(cloud, precision) == Precision.Float32
            ? GemmOperator<SimdScalar<float>, float, float>.Bytes(cloud, Threads)
            : GemmOperator<SimdScalar<double>, double, double>.Bytes(cloud, Threads);
    }

    /// <inheritdoc/>
    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    )
    {
        BackendException.ThrowIfAbove(MemoryLimit, EstimateBytes(geometry, precision), Name, geometry);
        if (Products(geometry) is not { } cloud)
            return _managed.Bind(geometry, precision, cancellation);
        return Stream(cloud, Streamable(cloud, precision), cancellation);
    }

    /// <summary>An operator that stores no costs, in any dimension.</summary>
    internal ICostOperator Stream(PointCloud cloud, Precision precision, CancellationToken cancellation)
    {
        bool single = precision != Precision.Float64;
        return Simd.Width switch
        {
            512 when single => Stream<Simd512<float>, Vector512<float>, float>(cloud, precision, cancellation),
            512 => Stream<Simd512<double>, Vector512<double>, double>(cloud, precision, cancellation),
            256 when single => Stream<Simd256<float>, Vector256<float>, float>(cloud, precision, cancellation),
            256 => Stream<Simd256<double>, Vector256<double>, double>(cloud, precision, cancellation),
            128 when single => Stream<Simd128<float>, Vector128<float>, float>(cloud, precision, cancellation),
            128 => Stream<Simd128<double>, Vector128<double>, double>(cloud, precision, cancellation),
            _ when single => Stream<SimdScalar<float>, float, float>(cloud, precision, cancellation),
            _ => Stream<SimdScalar<double>, double, double>(cloud, precision, cancellation),
        };
    }

    /// <summary>The table of a cloud's costs, made by matrix products.</summary>
    /// <param name="cloud">Points with squared Euclidean, half squared Euclidean or cosine cost, in any dimension.</param>
    /// <returns>
    /// Costs with a relative error below <c>(d + 4) 2⁻⁴⁹</c>: where norms cancel, differences are used; a point is at distance 0 from itself. The same bits for any number of threads.
    /// </returns>
    /// <exception cref="NotSupportedException">The ground cost is another one; <see cref="CostMatrix.From(Geometry)"/> takes any.</exception>
    public CostMatrix Tabulate(PointCloud cloud)
    {
        ArgumentNullException.ThrowIfNull(cloud);
        if (Centred.ScaleOf(cloud.GroundCost) is null)
            throw new NotSupportedException(
                $"The cost '{cloud.GroundCost.Name}' does not come from dot products alone: use CostMatrix.From."
            );
        return HasUsualSize(cloud) ? CostTable.Of(cloud, _blas, _managed.Blocks, Name) : CostMatrix.From(cloud);
    }

    /// <summary>Ends the worker threads. Operators must not be used afterwards. The library stays loaded.</summary>
    public void Dispose() => _managed.Dispose();

    /// <summary>Whether its products beat those that managed code makes in registers where no table is kept (measured: docs/theory/blas.md); that code has none for cosines.</summary>
    internal static bool StreamsFaster(Geometry geometry) =>
        geometry is PointCloud { Dimension: >= FewestStreamed } || !ManagedBackend.IsBlocked(geometry);

    /// <summary>Whether costs are made from dot products here.</summary>
    internal static bool Serves(Geometry geometry) => Products(geometry) is not null;

    /// <summary>The cloud whose costs are made from dot products here; null where the managed back end serves.</summary>
    static PointCloud? Products(Geometry geometry) =>
        geometry is PointCloud { Dimension: >= FewestDimensions } cloud
        && Centred.ScaleOf(cloud.GroundCost) is not null
        && HasUsualSize(cloud)
            ? cloud
            : null;

    /// <summary>Whether products are in range, and arrays long enough.</summary>
    static bool HasUsualSize(PointCloud cloud) =>
        Centred.IsUsual(cloud) && (Math.Max(cloud.Rows, cloud.Columns) + 64L) * cloud.Dimension < Array.MaxLength / 2;

    /// <summary>Doubles where costs or coordinates would leave the range of floats.</summary>
    static Precision Streamable(PointCloud cloud, Precision asked) =>
        asked != Precision.Float64 && cloud.MagnitudeBound is >= 1e-24 and <= 1e36 ? Precision.Float32 : Precision.Float64;

    bool Tabulates(PointCloud cloud) =>
        (long)cloud.Rows * cloud.Columns is var pairs
        && pairs <= Math.Min(_tableLimit / sizeof(double), Array.MaxLength)
        && (pairs * sizeof(double)) + CostTable.WorkspaceBytes(cloud, Threads) <= MemoryLimit;

    GemmOperator<TSimd, TVector, T> Stream<TSimd, TVector, T>(
        PointCloud cloud,
        Precision precision,
        CancellationToken cancellation
    )
        where TSimd : struct, ISimd<TVector, T>
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T> =>
        new(cloud, _blas, _managed.Blocks, $"{Name}, dot products on the fly, {precision}", cancellation);
}
