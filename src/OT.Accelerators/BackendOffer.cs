using System.Globalization;
using OT.Accelerators.Blas;
using OT.Accelerators.Gpu.Cuda;
using OT.Accelerators.Gpu.OpenCl;
using OT.Accelerators.Native;
using OT.Backends;
using OT.Geometries;

namespace OT.Accelerators;

/// <summary>One back end as <see cref="AutoBackend"/> sees it: when it would serve a geometry better than managed code, and how it is opened.</summary>
/// <param name="name">Its name in <see cref="BackendCatalog"/>.</param>
/// <param name="inFavour">Why it is chosen where it serves.</param>
/// <param name="against">Why a geometry is not for it, known without opening it; null when it may be.</param>
/// <param name="open">Opens it.</param>
sealed class BackendOffer(string name, string inFavour, Func<Geometry, BackendTask, string?> against, Func<IBackend> open)
    : IDisposable
{
    /// <summary>
    /// Pairs from which a device of its own is asked. An iteration over so many takes a processor's two threads two milliseconds, a hundred of them as long as opening
    /// a device does: a model, for want of a device to measure.
    /// </summary>
    const long PairsWorthADevice = 1L << 24;

    IBackend? _backend;
    string? _failure;

    /// <summary>All back ends but managed code, the best first.</summary>
    public static BackendOffer[] All(int? threads, long? memoryLimit) =>
        [
            new("cuda", "a device pays for so many pairs", FewPairs, () => new CudaBackend(memoryLimit)),
            new("opencl", "a device pays for so many pairs", FewPairs, () => OpenClBackend.OpenBesideProcessor(memoryLimit)),
            new(
                "blas",
                "matrix products make costs in many dimensions",
                FewDimensions,
                () => new BlasBackend(threads, memoryLimit)
            ),
            new(
                "native",
                "its kernels are measured faster than managed code",
                NoKernels,
                () => new NativeBackend(threads, memoryLimit)
            ),
        ];

    static string? FewPairs(Geometry geometry, BackendTask task) =>
        (long)geometry.Rows * geometry.Columns < PairsWorthADevice
            ? string.Create(CultureInfo.InvariantCulture, $"fewer than {PairsWorthADevice:N0} pairs")
            : null;

    static string? FewDimensions(Geometry geometry, BackendTask task) =>
        !BlasBackend.Serves(geometry) ? "not squared distances in 16 dimensions or more"
        : task == BackendTask.Bind && !BlasBackend.StreamsFaster(geometry)
            ? "managed code is measured faster where costs are streamed in fewer than 256 dimensions"
        : null;

    static string? NoKernels(Geometry geometry, BackendTask task) =>
        NativeBackend.Serves(geometry) ? null
        : ManagedBackend.IsBlocked(geometry) ? "managed code is measured faster in 8 dimensions or more"
        : "it has kernels for stored costs and squared distances";

    public string Name => name;

    /// <summary>What its back end has spent, if it is open.</summary>
    public BackendTimings Spent => _backend?.Spent ?? default;

    /// <summary>The open back end, and what speaks for it; or null, and what speaks against it.</summary>
    public IBackend? Open(Geometry geometry, Precision precision, BackendTask task, out string reason)
    {
        if (against(geometry, task) is { } words)
        {
            reason = words;
            return null;
        }
        if (_backend is null && _failure is null)
            TryOpen();
        if (_backend is null)
        {
            reason = _failure!;
            return null;
        }
        try
        {
            long bytes = _backend.EstimateBytes(geometry, precision);
            bool fits = bytes <= _backend.MemoryLimit;
            reason = fits
                ? inFavour
                : string.Create(CultureInfo.InvariantCulture, $"needs {bytes:N0} bytes, more than its {_backend.MemoryLimit:N0}");
            return fits ? _backend : null;
        }
        catch (BackendException refusal)
        {
            reason = refusal.Message;
            return null;
        }
    }

    void TryOpen()
    {
        try
        {
            _backend = open();
        }
        catch (BackendException failure)
        {
            _failure = failure.Message;
        }
    }

    public void Dispose() => _backend?.Dispose();
}

/// <summary>What a back end is asked for.</summary>
enum BackendTask
{
    /// <summary>A table of costs, if it makes one.</summary>
    Prepare,

    /// <summary>An operator.</summary>
    Bind,
}
