using System.Runtime.InteropServices;
using OT.Backends;
using unsafe Dgemm = delegate* unmanaged<
    int,
    int,
    int,
    int,
    int,
    int,
    double,
    double*,
    int,
    double*,
    int,
    double,
    double*,
    int,
    void>;
using unsafe Sgemm = delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>;

namespace OT.Accelerators.Blas;

/// <summary>The BLAS that was opened: its matrix products, each computed in its caller's thread, any number of callers at a time.</summary>
/// <remarks>
/// Told once, before the first product, for the whole process: MKL to use its sequential layer, 32-bit counts and reproducible code paths, OpenBLAS and BLIS to use
/// one thread. The library's scratch memory is its own; it stays loaded.
/// </remarks>
sealed unsafe class BlasLibrary
{
    const int RowMajor = 101;
    const int NoTranspose = 111;
    const int Transpose = 112;

    static readonly Lock Gate = new();
    static BlasLibrary? s_opened;

    readonly Dgemm _dgemm;
    readonly Sgemm _sgemm;

    BlasLibrary(nint handle)
    {
        Kind = SystemLibraries.BlasKind(handle);
        SetUp(handle, Kind);
        Version = SystemLibraries.BlasVersion(handle) ?? Kind;
        nint dgemm = NativeLibrary.GetExport(handle, "cblas_dgemm"),
            sgemm = NativeLibrary.GetExport(handle, "cblas_sgemm");
        _dgemm = (Dgemm)dgemm;
        _sgemm = (Sgemm)sgemm;
    }

    /// <summary><c>mkl</c>, <c>openblas</c>, <c>blis</c>, or <c>cblas</c> where it does not tell.</summary>
    public string Kind { get; }

    /// <summary>What the library says of itself, with the processor whose kernels it chose where it tells.</summary>
    public string Version { get; }

    /// <summary>Opens the library for good.</summary>
    /// <exception cref="BackendException">There is none; the message lists the places tried.</exception>
    public static BlasLibrary Open()
    {
        lock (Gate)
        {
            return s_opened ??= new BlasLibrary(Require(SystemLibraries.Blas));
        }
    }

    /// <summary>The open library, or an exception that lists the places tried.</summary>
    internal static nint Require(NativeLibraryName name)
    {
        NativeLoader.Opened library = NativeLoader.Open(name);
        return library.Found
            ? library.Handle
            : throw new BackendException("blas", $"no usable BLAS was found. Tried: {string.Join("; ", library.Attempts)}.");
    }

    /// <summary><c>C = A Bᵀ</c>: A is rows × inner, B columns × inner, C rows × columns, all row-major with a stride.</summary>
    public void MultiplyTransposed<T>(int rows, int columns, int inner, T* a, int strideA, T* b, int strideB, T* c, int strideC)
        where T : unmanaged
    {
        if (typeof(T) == typeof(double))
        {
            double* x = (double*)a,
                y = (double*)b,
                z = (double*)c;
            _dgemm(RowMajor, NoTranspose, Transpose, rows, columns, inner, 1, x, strideA, y, strideB, 0, z, strideC);
        }
        else
        {
            float* x = (float*)a,
                y = (float*)b,
                z = (float*)c;
            _sgemm(RowMajor, NoTranspose, Transpose, rows, columns, inner, 1, x, strideA, y, strideB, 0, z, strideC);
        }
    }

    static void SetUp(nint handle, string kind)
    {
        switch (kind)
        {
            case "mkl":
                const int lp64 = 0,
                    sequential = 1,
                    automaticBranch = 2;
                const int ilp64 = 1;
                if ((Function(handle, "MKL_Set_Interface_Layer")(lp64) & ilp64) != 0)
                    throw new BackendException("blas", "this process has set MKL to 64-bit counts before.");
                Function(handle, "MKL_Set_Threading_Layer")(sequential);
                int status = Function(handle, "MKL_CBWR_Set")(automaticBranch);
                if (status != 0)
                    throw new BackendException("blas", "MKL refused its reproducible mode (MKL_CBWR_AUTO).", status);
                break;
            case "openblas":
                ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(handle, "openblas_set_num_threads"))(1);
                break;
            case "blis":
                ((delegate* unmanaged<long, void>)NativeLibrary.GetExport(handle, "bli_thread_set_num_threads"))(1);
                break;
        }
    }

    static delegate* unmanaged<int, int> Function(nint handle, string name) =>
        (delegate* unmanaged<int, int>)NativeLibrary.GetExport(handle, name);
}
