using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace OT.Accelerators.Native;

/// <summary>The C interface of libot, see <c>native/include/ot.h</c>.</summary>
static unsafe partial class LibOt
{
    /// <summary><c>OT_ABI_VERSION</c> that these imports were written for.</summary>
    public const int AbiVersion = 1;

    const string Import = "ot";

    /// <summary>Where to look for it, and the version check that it must pass before any other function is called.</summary>
    public static NativeLibraryName Library { get; } =
        new(Import, NativeLibraryName.ForThisSystem(["libot.so"], ["libot.dll"], ["libot.dylib"]), WrongAbi);

    /// <summary>The release that was loaded, such as <c>0.1.0</c>.</summary>
    /// <exception cref="Backends.BackendException">The library is missing or failed.</exception>
    public static string Version
    {
        get
        {
            Require();
            byte* text;
            Check(ot_version(&text));
            return Text(text);
        }
    }

    /// <summary>The instruction set that its kernels would use here: <c>scalar</c>, <c>avx2</c>, <c>avx512</c> or <c>neon</c>.</summary>
    /// <exception cref="Backends.BackendException">The library is missing or failed.</exception>
    public static string Isa
    {
        get
        {
            Require();
            byte* name;
            Check(ot_isa(&name));
            return Text(name);
        }
    }

    /// <summary>Opens the library, which also sets up the resolver that binds the imports below.</summary>
    static void Require()
    {
        NativeLoader.Opened library = NativeLoader.Open(Library);
        if (!library.Found)
            throw new Backends.BackendException("native", $"libot was not found. Tried: {string.Join("; ", library.Attempts)}.");
    }

    /// <summary>Turns a status into an exception with the library's own words.</summary>
    internal static void Check(int status)
    {
        if (status != 0)
            throw new Backends.BackendException("native", Text(ot_last_error()), status);
    }

    static string? WrongAbi(nint handle)
    {
        if (!NativeLibrary.TryGetExport(handle, "ot_abi_version", out nint address))
            return "it has no function ot_abi_version";
        int version = ((delegate* unmanaged<int>)address)();
        return version == AbiVersion ? null : $"its ABI version is {version}, this program needs {AbiVersion}";
    }

    static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    [LibraryImport(Import)]
    internal static partial int ot_version(byte** text);

    [LibraryImport(Import)]
    private static partial int ot_isa(byte** name);

    [LibraryImport(Import)]
    private static partial byte* ot_last_error();
}
