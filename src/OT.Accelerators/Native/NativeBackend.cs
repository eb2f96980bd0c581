using OT.Backends;
using OT.Geometries;

namespace OT.Accelerators.Native;

/// <summary>The back end in C++: libot's kernels for AVX-512, AVX2, NEON or plain code, whichever the processor has, on this library's threads.</summary>
/// <remarks>
/// Explicit matrices and squared Euclidean point clouds run natively. Every other geometry (grids, other ground costs, lists of pairs, sums, a class of one's own) is
/// served by the managed operator on the same number of threads, whose <see cref="ICostOperator.Description"/> says so, clouds in 8 dimensions and more among them, where its blocks are faster. Potentials agree with those of
/// <see cref="ManagedBackend"/> up to rounding; they do not depend on the number of threads. Native code allocates no memory.
/// </remarks>
public sealed class NativeBackend : IBackend
{
    const int MostThreads = 4096;

    readonly ManagedBackend _managed;
    readonly LibOt.Isa _isa;

    /// <summary>A back end with its own threads, in the best instruction set of this processor.</summary>
    /// <param name="threads">Threads per operator, the caller's included, 1 to 4096; all processors by default.</param>
    /// <param name="memoryLimit">Bytes that one operator may take beyond the geometry; no limit by default. <see cref="Bind"/> refuses what needs more.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    /// <exception cref="BackendException">libot was not found; the message lists the places tried.</exception>
    public NativeBackend(int? threads = null, long? memoryLimit = null)
        : this(threads, memoryLimit, null) { }

    /// <summary>For tests and benchmarks: in a given instruction set.</summary>
    internal NativeBackend(int? threads, long? memoryLimit, LibOt.Isa? isa)
    {
        if (threads is { } count)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count, nameof(threads));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MostThreads, nameof(threads));
        }
        if (memoryLimit is { } bytes)
            ArgumentOutOfRangeException.ThrowIfNegative(bytes, nameof(memoryLimit));
        _isa = isa ?? LibOt.BestIsa;
        Name = $"native-{LibOt.NameOf(_isa)}";
        MemoryLimit = memoryLimit ?? long.MaxValue;
        _managed = new ManagedBackend(threads, memoryLimit);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Threads => _managed.Threads;

    /// <inheritdoc/>
    public long MemoryLimit { get; }

    /// <inheritdoc/>
    public long EstimateBytes(Geometry geometry, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        if (!Serves(geometry))
            return _managed.EstimateBytes(geometry, precision);
        return ManagedBackend.Streamed(geometry, precision) != Precision.Float64
            ? NativeOperator<float>.Bytes(geometry, Threads)
            : NativeOperator<double>.Bytes(geometry, Threads);
    }

    /// <inheritdoc/>
    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    )
    {
        BackendException.ThrowIfAbove(MemoryLimit, EstimateBytes(geometry, precision), Name, geometry);
        if (!Serves(geometry))
            return _managed.Bind(geometry, precision, cancellation);
        precision = ManagedBackend.Streamed(geometry, precision);
        string description =
            $"{Name}, {(geometry is CostMatrix matrix ? matrix.Form : "points on the fly")}, {(precision == Precision.Float64 ? precision : Precision.Float32)}";
        return precision != Precision.Float64
            ? new NativeOperator<float>(geometry, _managed.Blocks, _isa, description, cancellation)
            : new NativeOperator<double>(geometry, _managed.Blocks, _isa, description, cancellation);
    }

    /// <summary>Ends the worker threads. Operators must not be used afterwards.</summary>
    public void Dispose() => _managed.Dispose();

    /// <summary>Whether there are kernels for a geometry that managed code does not beat; it serves the others, points in many dimensions by blocks.</summary>
    internal static bool Serves(Geometry geometry) =>
        geometry is CostMatrix or PointCloud { GroundCost: GroundCost.SquaredEuclideanCost }
        && !ManagedBackend.IsBlocked(geometry);
}
