using System.Runtime.Intrinsics;
using OT.Backends.Managed;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends;

/// <summary>The back end that is always present: C# over the processor's vector units.</summary>
/// <remarks>
/// Squared Euclidean point clouds stream dot products, in 8 dimensions or more by blocks of rows (<c>docs/theory/blas.md</c>), explicit matrices are read in place, grids work axis by axis, and every other geometry streams
/// its <see cref="Geometry.CostRow"/>. Results do not depend on the number of threads. Worker threads start when first needed.
/// </remarks>
public sealed class ManagedBackend : IBackend
{
    const int MostThreads = 4096;

    /// <summary>Largest costs that floats stream, with room for exponents and squares around them.</summary>
    internal const double LeastSingle = 1e-24,
        LargestSingle = 1e36;

    readonly RowBlocks _blocks;
    readonly int _width;

    /// <summary>A back end with its own threads.</summary>
    /// <param name="threads">Threads per operator, the caller's included; all processors by default.</param>
    /// <param name="memoryLimit">Bytes that one operator may take beyond the geometry; no limit by default. <see cref="Bind"/> refuses what needs more.</param>
    public ManagedBackend(int? threads = null, long? memoryLimit = null)
        : this(threads, memoryLimit, Simd.Width) { }

    /// <summary>For tests: registers of at most <paramref name="width"/> bits, 0 for scalar code.</summary>
    internal ManagedBackend(int? threads, long? memoryLimit, int width)
    {
        if (threads is { } count)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count, nameof(threads));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MostThreads, nameof(threads));
        }
        if (memoryLimit is { } bytes)
            ArgumentOutOfRangeException.ThrowIfNegative(bytes, nameof(memoryLimit));
        _blocks = new RowBlocks(threads ?? Environment.ProcessorCount);
        MemoryLimit = memoryLimit ?? long.MaxValue;
        _width = width;
        Name = width switch
        {
            512 => "managed-avx512",
            256 => "managed-avx2",
            128 => "managed-128",
            _ => "managed-scalar",
        };
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Threads => _blocks.Threads;

    /// <summary>The threads, for back ends that hand some geometries on.</summary>
    internal RowBlocks Blocks => _blocks;

    /// <inheritdoc/>
    public long MemoryLimit { get; }

    /// <inheritdoc/>
    public long EstimateBytes(Geometry geometry, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        int n = geometry.Rows,
            m = geometry.Columns;
        if (geometry is Grid grid)
            return GridOperator.Bytes(grid);
        bool single = Streamed(geometry, precision) != Precision.Float64; // no tensor cores here
        if (IsBlocked(geometry))
        {
            var points = (PointCloud)geometry;
            return single
                ? BlockedCloudOperator<SimdScalar<float>, float, float>.Bytes(points, Threads)
                : BlockedCloudOperator<SimdScalar<double>, double, double>.Bytes(points, Threads);
        }
        int element = single ? sizeof(float) : sizeof(double);
        long workspace = single
            ? FusedOperator<SimdScalar<float>, float, float>.WorkspaceBytes(n, m, Threads)
            : FusedOperator<SimdScalar<double>, double, double>.WorkspaceBytes(n, m, Threads);
        return workspace
            + geometry switch
            {
                PointCloud { GroundCost: GroundCost.SquaredEuclideanCost } cloud => (
                    ((long)m * element) + ((long)n * sizeof(double))
                ) * (cloud.Dimension + 1L),
                CostMatrix { IsSingle: false } when single => (long)n * m * sizeof(float),
                CostMatrix => 0,
                _ => 4L * m * element * Threads,
            };
    }

    /// <inheritdoc/>
    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    )
    {
        BackendException.ThrowIfAbove(MemoryLimit, EstimateBytes(geometry, precision), Name, geometry);
        bool single = Streamed(geometry, precision) != Precision.Float64; // no tensor cores here
        return _width switch
        {
            512 when single => Bind<Simd512<float>, Vector512<float>, float>(geometry, cancellation),
            512 => Bind<Simd512<double>, Vector512<double>, double>(geometry, cancellation),
            256 when single => Bind<Simd256<float>, Vector256<float>, float>(geometry, cancellation),
            256 => Bind<Simd256<double>, Vector256<double>, double>(geometry, cancellation),
            128 when single => Bind<Simd128<float>, Vector128<float>, float>(geometry, cancellation),
            128 => Bind<Simd128<double>, Vector128<double>, double>(geometry, cancellation),
            _ when single => Bind<SimdScalar<float>, float, float>(geometry, cancellation),
            _ => Bind<SimdScalar<double>, double, double>(geometry, cancellation),
        };
    }

    /// <summary>Points in so many dimensions that blocks of dot products pay.</summary>
    internal static bool IsBlocked(Geometry geometry) =>
        geometry
            is PointCloud
            {
                GroundCost: GroundCost.SquaredEuclideanCost,
                Dimension: >= BlockedCloudOperator<SimdScalar<double>, double, double>.FewestDimensions
            };

    /// <summary>What can be streamed: doubles where the costs are too large or too small for floats, whatever was asked for.</summary>
    internal static Precision Streamed(Geometry geometry, Precision asked) =>
        asked != Precision.Float64 && geometry.MagnitudeBound is 0 or (>= LeastSingle and <= LargestSingle)
            ? asked
            : Precision.Float64;

    /// <summary>Ends the worker threads. Operators must not be used afterwards.</summary>
    public void Dispose() => _blocks.Dispose();

    ManagedOperator Bind<TSimd, TVector, T>(Geometry geometry, CancellationToken cancellation)
        where TSimd : struct, ISimd<TVector, T>
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        string Describe(string form, bool anyPrecision = true) =>
            $"{Name}, {form}, {(anyPrecision && typeof(T) == typeof(float) ? Precision.Float32 : Precision.Float64)}";
        return geometry switch
        {
            PointCloud cloud when IsBlocked(cloud) => new BlockedCloudOperator<TSimd, TVector, T>(
                cloud,
                _blocks,
                Describe("points on the fly"),
                cancellation
            ),
            PointCloud { GroundCost: GroundCost.SquaredEuclideanCost } cloud => new PointCloudOperator<TSimd, TVector, T>(
                cloud,
                _blocks,
                Describe("points on the fly"),
                cancellation
            ),
            CostMatrix matrix => new MatrixOperator<TSimd, TVector, T>(matrix, _blocks, Describe(matrix.Form), cancellation),
            Grid grid => new GridOperator(grid, _blocks, Describe("separable grid", anyPrecision: false), cancellation),
            _ => new RowOperator<TSimd, TVector, T>(geometry, _blocks, Describe("rows on the fly"), cancellation),
        };
    }
}
