using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace OT.Accelerators;

/// <summary>Libraries of the system that back ends build on: recognised by an export, asked for their version, and closed again.</summary>
static unsafe class SystemLibraries
{
    /// <summary>MKL first, so that it is taken where both are installed.</summary>
    public static NativeLibraryName Blas { get; } =
        new(
            "blas",
            NativeLibraryName.ForThisSystem(
                ["libmkl_rt.so.2", "libmkl_rt.so", "libopenblas.so.0", "libopenblas.so"],
                ["mkl_rt.2.dll", "mkl_rt.dll", "libopenblas.dll", "openblas.dll"],
                ["libmkl_rt.2.dylib", "libmkl_rt.dylib", "libopenblas.0.dylib", "libopenblas.dylib"]
            ),
            Exporting("cblas_dgemm")
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

    /// <summary>The version text of MKL or OpenBLAS.</summary>
    public static string? BlasVersion(nint handle)
    {
        if (NativeLibrary.TryGetExport(handle, "mkl_get_version_string", out nint mkl))
        {
            byte* buffer = stackalloc byte[256];
            new Span<byte>(buffer, 256).Clear();
            ((delegate* unmanaged<byte*, int, void>)mkl)(buffer, 255);
            return Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer)).Trim();
        }
        return NativeLibrary.TryGetExport(handle, "openblas_get_config", out nint openBlas)
            ? Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)openBlas)())?.Trim()
            : null;
    }

    /// <summary>The CUDA version that the driver serves; asking starts no device.</summary>
    public static string? CudaVersion(nint handle)
    {
        int version = 0;
        int status = ((delegate* unmanaged<int*, int>)NativeLibrary.GetExport(handle, "cuDriverGetVersion"))(&version);
        return status == 0 ? string.Create(CultureInfo.InvariantCulture, $"CUDA {version / 1000}.{version % 1000 / 10}") : null;
    }

    static Func<nint, string?> Exporting(string symbol) =>
        handle => NativeLibrary.TryGetExport(handle, symbol, out _) ? null : $"it has no function {symbol}";
}
