using System.Collections.Immutable;
using OT.Accelerators.Blas;
using OT.Accelerators.Gpu.Cuda;
using OT.Accelerators.Gpu.OpenCl;
using OT.Accelerators.Mpi;
using OT.Accelerators.Native;
using OT.Backends;

namespace OT.Accelerators;

/// <summary>Opens back ends by name, and tells which there are.</summary>
/// <remarks>
/// Nothing is loaded and no device is touched before <see cref="Describe"/> is called or a back end other than <c>managed</c> is named; <c>auto</c> opens what it chooses when a geometry
/// is bound. Devices other than the first, and options of one back end, are parameters of its own constructor.
/// </remarks>
public static class BackendCatalog
{
    /// <summary>The names that <see cref="Open(string, int?, long?)"/> takes beside <c>auto</c>.</summary>
    public static ImmutableArray<string> Names { get; } = ["managed", "native", "blas", "opencl", "cuda", "mpi"];

    /// <summary>Opens a back end. The caller disposes it.</summary>
    /// <param name="name">One of <see cref="Names"/>, or <c>auto</c>, the default, for the best that is usable here, geometry by geometry: <see cref="AutoBackend"/>.</param>
    /// <param name="threads">Threads per operator; all processors when left out. Devices have their own.</param>
    /// <param name="memoryLimit">Bytes that operators may take beyond the geometry; no limit, or the device's own, when left out.</param>
    /// <exception cref="ArgumentException">There is no such name.</exception>
    /// <exception cref="BackendException">A named back end is missing; the message lists the places tried. Never another one instead.</exception>
    public static IBackend Open(string name = "auto", int? threads = null, long? memoryLimit = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        switch (name)
        {
            case "auto":
                return new AutoBackend(threads, memoryLimit);
            case "managed":
                return new ManagedBackend(threads, memoryLimit);
            case "native":
                return new NativeBackend(threads, memoryLimit);
            case "blas":
                return new BlasBackend(threads, memoryLimit);
            case "opencl":
                return new OpenClBackend(memoryLimit);
            case "cuda":
                return new CudaBackend(memoryLimit);
            case "mpi":
                var ranks = MpiCommunicator.World();
                return new DistributedBackend(new ManagedBackend(threads ?? ranks.Threads, memoryLimit), ranks);
            default:
                throw new ArgumentException(
                    $"There is no back end '{name}': choose auto, {string.Join(", ", Names)}.",
                    nameof(name)
                );
        }
    }

    /// <summary>Looks for every back end's library and devices and reports, for each in <see cref="Names"/>, what was found or why not. Libraries that are found stay loaded, a BLAS in its sequential mode.</summary>
    public static ImmutableArray<BackendCandidate> Describe() =>
        [
            Managed(),
            Candidate("native", LibOt.Library, () => ($"libot {LibOt.Version}, {LibOt.NameOf(LibOt.BestIsa)}", "kernels in C++")),
            Candidate(
                "blas",
                SystemLibraries.Blas,
                () => (BlasLibrary.Open().Version, "matrix products for squared distances in many dimensions")
            ),
            Candidate("opencl", SystemLibraries.OpenCl, () => Devices(OpenClBackend.Devices(), "")),
            Candidate(
                "cuda",
                SystemLibraries.Cuda,
                () => Devices(CudaBackend.Devices(), $"CUDA {CudaDriver.Text(CudaDriver.Open().Version)}")
            ),
            Candidate(
                "mpi",
                LibOtMpi.Library,
                () => (MpiCommunicator.Library, "managed code in each process that mpirun starts")
            ),
        ];

    static BackendCandidate Managed()
    {
        using var managed = new ManagedBackend();
        return new BackendCandidate
        {
            Name = "managed",
            IsFound = true,
            IsUsable = true,
            Version = managed.Name,
            Reason = "always present",
        };
    }

    /// <summary>What a library and, once it is open, its owner tell.</summary>
    static BackendCandidate Candidate(string name, NativeLibraryName library, Func<(string Version, string Reason)> ask)
    {
        NativeLoader.Opened opened = NativeLoader.Open(library);
        var candidate = new BackendCandidate
        {
            Name = name,
            IsFound = opened.Found,
            IsUsable = false,
            Reason = "its library was not found",
            Attempts = opened.Attempts,
        };
        if (!opened.Found)
            return candidate;
        try
        {
            (string version, string reason) = ask();
            return candidate with { IsUsable = true, Version = version, Reason = reason };
        }
        catch (BackendException failure)
        {
            return candidate with { Reason = failure.Message };
        }
    }

    static (string Version, string Reason) Devices(ImmutableArray<string> names, string driver)
    {
        if (names.IsEmpty)
            throw new BackendException("opencl", "no driver has registered a device.");
        return ($"{names[0]} {driver}".Trim(), names.Length == 1 ? "1 device" : $"{names.Length} devices, the first by default");
    }
}
