using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace OT.Accelerators;

/// <summary>Libraries of the system that back ends build on: their names, and how each is recognised and asked for its version.</summary>
static unsafe class SystemLibraries
{
    /// <summary>MKL first, so that it is taken where several are installed; also by the names that the packages MKL.NET and intelmkl deploy.</summary>
    public static NativeLibraryName Blas { get; } =
        new(
            "blas",
            NativeLibraryName.ForThisSystem(
                [
                    "libmkl_rt.so.3",
                    "libmkl_rt.so.2",
                    "libmkl_rt.so.1",
                    "libmkl_rt.so",
                    "libopenblas.so.0",
                    "libopenblas.so",
                    "libblis.so.4",
                    "libblis.so.3",
                ],
                [
                    "mkl_rt.3.dll",
                    "mkl_rt.2.dll",
                    "mkl_rt.1.dll",
                    "mkl_rt.dll",
                    "libopenblas.dll",
                    "openblas.dll",
                    "libblis.4.dll",
                ],
                [
                    "libmkl_rt.2.dylib",
                    "libmkl_rt.1.dylib",
                    "libmkl_rt.dylib",
                    "libopenblas.0.dylib",
                    "libopenblas.dylib",
                    "libblis.4.dylib",
                ]
            ),
            UnfitBlas
        );

    /// <summary>The loader through which every OpenCL driver is reached.</summary>
    public static NativeLibraryName OpenCl { get; } =
        new(
            "OpenCL",
            NativeLibraryName.ForThisSystem(
                ["libOpenCL.so.1"],
                ["OpenCL.dll"],
                ["/System/Library/Frameworks/OpenCL.framework/OpenCL"]
            ),
            Exporting("clGetPlatformIDs")
        );

    /// <summary>The driver's own library; no toolkit is needed.</summary>
    public static NativeLibraryName Cuda { get; } =
        new(
            "cuda",
            NativeLibraryName.ForThisSystem(["libcuda.so.1"], ["nvcuda.dll"], ["libcuda.dylib"]),
            Exporting("cuDriverGetVersion")
        );

    /// <summary>The version text of MKL, OpenBLAS or BLIS, then the processor whose kernels OpenBLAS chose.</summary>
    public static string? BlasVersion(nint handle)
    {
        if (NativeLibrary.TryGetExport(handle, "MKL_Get_Version_String", out nint mkl))
        {
            byte* buffer = stackalloc byte[256];
            new Span<byte>(buffer, 256).Clear();
            ((delegate* unmanaged<byte*, int, void>)mkl)(buffer, 255);
            return Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer)).Trim();
        }
        if (TextOf(handle, "openblas_get_config") is { } openBlas)
        {
            string? core = TextOf(handle, "openblas_get_corename");
            return core is null || openBlas.Contains(core, StringComparison.Ordinal)
                ? openBlas
                : $"{openBlas}, kernels for {core}";
        }
        return TextOf(handle, "bli_info_get_version_str") is { } blis ? $"BLIS {blis}" : null;
    }

    /// <summary>Whose BLAS it is: <c>mkl</c>, <c>openblas</c>, <c>blis</c>, or <c>cblas</c> where it does not tell.</summary>
    public static string BlasKind(nint handle) =>
        Exports(handle, "MKL_Set_Threading_Layer") ? "mkl"
        : Exports(handle, "openblas_set_num_threads") ? "openblas"
        : Exports(handle, "bli_thread_set_num_threads") ? "blis"
        : "cblas";

    /// <summary>Why a library cannot serve as BLAS, or null.</summary>
    static string? UnfitBlas(nint handle)
    {
        if (!Exports(handle, "cblas_dgemm") || !Exports(handle, "cblas_sgemm"))
            return "it has no functions cblas_dgemm and cblas_sgemm";
        if (Exports(handle, "MKL_Set_Threading_Layer"))
            return MklPartMissing(handle);
        if (TextOf(handle, "openblas_get_config") is { } config)
        {
            if (config.Contains("USE64BITINT", StringComparison.Ordinal))
                return "it was built for 64-bit counts (USE64BITINT)";
            bool threaded =
                !NativeLibrary.TryGetExport(handle, "openblas_get_parallel", out nint parallel)
                || ((delegate* unmanaged<int>)parallel)() != 0;
            return threaded ? null : "it was built without threads, which makes it unsafe to call from several";
        }
        return
            NativeLibrary.TryGetExport(handle, "bli_info_get_blas_int_type_size", out nint size)
            && ((delegate* unmanaged<long>)size)() != 32
            ? "it was built for 64-bit counts"
            : null;
    }

    /// <summary>libmkl_rt opens its parts at the first product, from its own folder, and ends the process when one is missing.</summary>
    static string? MklPartMissing(nint handle)
    {
        using var self = Process.GetCurrentProcess();
        nint address = NativeLibrary.GetExport(handle, "MKL_Set_Threading_Layer");
        string? file = self
            .Modules.Cast<ProcessModule>()
            .FirstOrDefault(module => address >= module.BaseAddress && address < module.BaseAddress + module.ModuleMemorySize)
            ?.FileName;
        if (Path.GetDirectoryName(file) is not { } folder)
            return "its folder could not be found out";
        string[] parts = OperatingSystem.IsWindows()
            ? ["mkl_core*.dll", "mkl_def*.dll", "mkl_sequential*.dll"]
            : ["libmkl_core.*", "libmkl_def.*", "libmkl_intel_lp64.*", "libmkl_sequential.*"];
        if (OperatingSystem.IsMacOS())
            parts = ["libmkl_core.*", "libmkl_intel_lp64.*", "libmkl_sequential.*"];
        return Array.Find(parts, part => Directory.GetFiles(folder, part).Length == 0) is { } missing
            ? $"its part {missing} is not in {folder}, without which it would end the process"
            : null;
    }

    static string? TextOf(nint handle, string function) =>
        NativeLibrary.TryGetExport(handle, function, out nint address)
            ? Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)address)())?.Trim()
            : null;

    static bool Exports(nint handle, string symbol) => NativeLibrary.TryGetExport(handle, symbol, out _);

    static Func<nint, string?> Exporting(string symbol) =>
        handle => NativeLibrary.TryGetExport(handle, symbol, out _) ? null : $"it has no function {symbol}";
}
