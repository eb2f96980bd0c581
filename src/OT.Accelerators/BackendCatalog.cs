using System.Collections.Immutable;
using OT.Accelerators.Blas;
using OT.Accelerators.Mpi;
using OT.Accelerators.Native;
using OT.Backends;

namespace OT.Accelerators;

/// <summary>Opens back ends by name, and tells which there are and why each other one was passed over.</summary>
/// <remarks>Nothing is loaded and no device is touched before <see cref="Describe"/> is called or a back end other than <c>managed</c> is named.</remarks>
public static class BackendCatalog
{
    const string NoKernels = "this version has no kernels for it";
    const string ManyDimensions = "it serves squared distances in many dimensions: ask for it by name";

    /// <summary>The names that <see cref="Open(string, int?, long?)"/> takes beside <c>auto</c>.</summary>
    public static ImmutableArray<string> Names { get; } = ["managed", "native", "blas", "opencl", "cuda", "mpi"];

    /// <summary>Opens a back end. The caller disposes it.</summary>
    /// <param name="name">One of <see cref="Names"/>, or <c>auto</c>, the default, for the best that is usable here: today <c>managed</c>.</param>
    /// <param name="threads">Threads per operator; all processors when left out.</param>
    /// <param name="memoryLimit">Bytes that operators may take beyond the geometry; no limit when left out.</param>
    /// <exception cref="ArgumentException">There is no such name.</exception>
    /// <exception cref="BackendException">A named back end is missing or has no kernels; the message lists the places tried. Never another one instead.</exception>
    public static IBackend Open(string name = "auto", int? threads = null, long? memoryLimit = null) =>
        Open(name, threads, memoryLimit, out _);

    /// <summary>Opens a back end and tells why this one. The caller disposes it.</summary>
    /// <param name="name">One of <see cref="Names"/>, or <c>auto</c> for the best that is usable here.</param>
    /// <param name="threads">Threads per operator; all processors when null.</param>
    /// <param name="memoryLimit">Bytes that operators may take beyond the geometry; no limit when null.</param>
    /// <param name="why">The reason for the choice; for <c>auto</c> also why each other back end was passed over.</param>
    /// <inheritdoc cref="Open(string, int?, long?)" path="/exception"/>
    public static IBackend Open(string name, int? threads, long? memoryLimit, out string why)
    {
        ArgumentNullException.ThrowIfNull(name);
        switch (name)
        {
            case "auto":
                why =
                    $"managed is always present; passed over: {string.Join(", ", Names[1..].Select(n => n is "native" ? "native (not asked for by name)" : $"{n} ({NoKernels})"))}";
                return new ManagedBackend(threads, memoryLimit);
            case "managed":
                why = "asked for";
                return new ManagedBackend(threads, memoryLimit);
            case "mpi":
                why = "asked for";
                var ranks = MpiCommunicator.World();
                return new DistributedBackend(new ManagedBackend(threads ?? ranks.Threads, memoryLimit), ranks);
            case "opencl":
                why = "asked for";
                return new Gpu.OpenCl.OpenClBackend(memoryLimit);
            case "cuda" when DescribeCuda().IsUsable:
                why = "asked for";
                return new Gpu.Cuda.CudaBackend(memoryLimit);
            case "native":
                why = "asked for";
                return new NativeBackend(threads, memoryLimit);
            case "blas":
                why = "asked for";
                return new BlasBackend(threads, memoryLimit);
            default:
                if (!Names.Contains(name, StringComparer.Ordinal))
                    throw new ArgumentException(
                        $"There is no back end '{name}': choose auto, {string.Join(", ", Names)}.",
                        nameof(name)
                    );
                BackendCandidate candidate = DescribeOne(name);
                throw new BackendException(
                    name,
                    candidate.Reason + (candidate.Attempts.IsEmpty ? "." : $". Tried: {string.Join("; ", candidate.Attempts)}.")
                );
        }
    }

    /// <summary>Looks for every back end's library and reports, for each in <see cref="Names"/>, what was found or why not. Opens no device.</summary>
    public static ImmutableArray<BackendCandidate> Describe() => [.. Names.Select(DescribeOne)];

    static BackendCandidate DescribeOne(string name) =>
        name switch
        {
            "native" => DescribeNative(),
            "blas" => DescribeLibrary(name, SystemLibraries.Blas, SystemLibraries.BlasVersion),
            "mpi" => DescribeMpi(),
            "opencl" => DescribeOpenCl(),
            "cuda" => DescribeCuda(),
            _ => DescribeManaged(),
        };

    static BackendCandidate DescribeManaged()
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

    static BackendCandidate DescribeNative()
    {
        NativeLoader.Opened library = NativeLoader.Open(LibOt.Library);
        BackendCandidate candidate = Found(
            "native",
            library.Attempts,
            library.Found ? $"libot {LibOt.Version}, {LibOt.NameOf(LibOt.BestIsa)}" : null
        );
        return library.Found ? candidate with { IsUsable = true, Reason = "its library was found" } : candidate;
    }

    static BackendCandidate DescribeMpi()
    {
        NativeLoader.Opened library = NativeLoader.Open(LibOtMpi.Library);
        return new BackendCandidate
        {
            Name = "mpi",
            IsFound = library.Found,
            IsUsable = library.Found,
            Version = library.Found ? MpiCommunicator.Library : null,
            Reason = library.Found
                ? "over the managed back end of each process that mpirun starts"
                : "libot_mpi is built where CMake finds an MPI for C, and needs that MPI where it runs",
            Attempts = library.Attempts,
        };
    }

    static BackendCandidate DescribeOpenCl()
    {
        NativeLoader.Opened library = NativeLoader.Open(SystemLibraries.OpenCl);
        BackendCandidate found = Found("opencl", library.Attempts, null);
        if (!library.Found)
            return found;
        ImmutableArray<string> devices = Gpu.OpenCl.OpenClBackend.Devices();
        return devices.IsEmpty
            ? found with
            {
                Reason = "found, but no driver has registered a device",
            }
            : found with
            {
                IsUsable = true,
                Version = devices[0],
                Reason = $"{devices.Length} device{(devices.Length == 1 ? "" : "s")}",
            };
    }

    static BackendCandidate DescribeCuda()
    {
        NativeLoader.Opened library = NativeLoader.Open(SystemLibraries.Cuda);
        BackendCandidate found = Found(
            "cuda",
            library.Attempts,
            library.Found ? SystemLibraries.CudaVersion(library.Handle) : null
        );
        if (!library.Found)
            return found;
        try
        {
            ImmutableArray<string> devices = Gpu.Cuda.CudaBackend.Devices();
            return found with
            {
                IsUsable = true,
                Version = $"{devices[0]}, {found.Version}",
                Reason = $"{devices.Length} device{(devices.Length == 1 ? "" : "s")}",
            };
        }
        catch (BackendException e)
        {
            return found with { Reason = e.Message };
        }
    }

    static BackendCandidate DescribeLibrary(string name, NativeLibraryName library, Func<nint, string?> version)
    {
        (ImmutableArray<LoadAttempt> attempts, string? text) = NativeLoader.Probe(library, version);
        return Found(name, attempts, text);
    }

    static BackendCandidate Found(string name, ImmutableArray<LoadAttempt> attempts, string? version)
    {
        bool found = attempts[^1].Failure is null;
        return new BackendCandidate
        {
            Name = name,
            IsFound = found,
            IsUsable = found && name is "blas",
            Version = version,
            Reason =
                !found ? "its library was not found"
                : name is "blas" ? ManyDimensions
                : $"found, but {NoKernels}",
            Attempts = attempts,
        };
    }
}
