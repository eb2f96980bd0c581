using System.Runtime.InteropServices;
using OT.Backends;

namespace OT.Accelerators.Mpi;

/// <summary>The C interface of libot_mpi, see <c>native/include/ot_mpi.h</c>.</summary>
static unsafe partial class LibOtMpi
{
    /// <summary><c>OT_MPI_ABI_VERSION</c> that these imports were written for.</summary>
    public const int AbiVersion = 1;

    const string Import = "ot_mpi";

    /// <summary>Where to look for it, and the version check that it must pass before any other function is called.</summary>
    public static NativeLibraryName Library { get; } =
        new(Import, NativeLibraryName.ForThisSystem(["libot_mpi.so"], ["libot_mpi.dll"], ["libot_mpi.dylib"]), WrongAbi);

    /// <summary>MPI's own name and version in one line.</summary>
    public static string Version
    {
        get
        {
            byte* text;
            Check(ot_mpi_library(&text));
            return Text(text).Split(['\n', ','], 2)[0].Trim('\0', ' ');
        }
    }

    /// <summary>Opens the library, which also sets up the resolver that binds the imports below.</summary>
    /// <exception cref="BackendException">It is missing, or the MPI that it needs is.</exception>
    public static void Require()
    {
        NativeLoader.Opened library = NativeLoader.Open(Library);
        if (!library.Found)
        {
            throw new BackendException(
                "mpi",
                $"libot_mpi was not found or did not load: it is built where CMake finds an MPI for C, and needs that MPI where it runs (Debian: openmpi-bin, libopenmpi-dev). Tried: {string.Join("; ", library.Attempts)}."
            );
        }
    }

    /// <summary>Turns a status into an exception with MPI's own words.</summary>
    public static void Check(int status)
    {
        if (status != 0)
            throw new BackendException("mpi", Text(ot_mpi_last_error()), status);
    }

    static string? WrongAbi(nint handle)
    {
        if (!NativeLibrary.TryGetExport(handle, "ot_mpi_abi_version", out nint address))
            return "it has no function ot_mpi_abi_version";
        int version = ((delegate* unmanaged<int>)address)();
        return version == AbiVersion ? null : $"its ABI version is {version}, this program needs {AbiVersion}";
    }

    static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    [LibraryImport(Import)]
    private static partial int ot_mpi_library(byte** text);

    [LibraryImport(Import)]
    internal static partial int ot_mpi_open(int* rank, int* size);

    [LibraryImport(Import)]
    internal static partial int ot_mpi_close();

    [LibraryImport(Import)]
    internal static partial int ot_mpi_allgather(void* own, long* counts, int item, void* all);

    [LibraryImport(Import)]
    internal static partial int ot_mpi_alltoall(void* parts, long* sent, int item, void* all, long* received);

    [LibraryImport(Import)]
    internal static partial int ot_mpi_meet(double seconds, int* met);

    [LibraryImport(Import)]
    internal static partial int ot_mpi_abort(int code);

    [LibraryImport(Import)]
    private static partial byte* ot_mpi_last_error();
}
