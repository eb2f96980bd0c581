using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace OT.Accelerators.Native;

/// <summary>The C interface of libot, see <c>native/include/ot.h</c>.</summary>
static unsafe partial class LibOt
{
    /// <summary><c>OT_ABI_VERSION</c> that these imports were written for.</summary>
    public const int AbiVersion = 2;

    /// <summary><c>OT_PADDING</c>: columns of a workspace are a multiple of it.</summary>
    public const int Padding = 64;

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

    /// <summary>The best instruction set of this processor that kernels were built for.</summary>
    /// <exception cref="Backends.BackendException">The library is missing or failed.</exception>
    public static Isa BestIsa
    {
        get
        {
            Require();
            Isa isa;
            Check(ot_best_isa(&isa));
            return isa;
        }
    }

    /// <summary>Such as <c>avx512</c>.</summary>
    /// <exception cref="Backends.BackendException">The library is missing, or its kernels cannot run in that instruction set here.</exception>
    public static string NameOf(Isa isa)
    {
        Require();
        byte* name;
        Check(ot_isa_name(isa, &name));
        return Text(name);
    }

    /// <summary><c>enum ot_isa</c>.</summary>
    public enum Isa
    {
        Scalar,
        Neon,
        Avx2,
        Avx512,
    }

    /// <summary><c>enum ot_costs</c>: where costs come from.</summary>
    public enum Costs : long
    {
        StoredDoubles,
        StoredSingles,
        Points,
        Dots,
    }

    /// <summary><c>struct ot_geometry</c>.</summary>
    public struct Geometry
    {
        public Costs Costs;
        public long Rows;
        public long Columns;
        public long Stride;
        public long Dimension;
        public double Scale;
        public void* Matrix;
        public double* Source;
        public double* SourceNorms;
        public void* Target;
    }

    /// <summary><c>struct ot_sweep</c>.</summary>
    public struct Sweep
    {
        public double Epsilon;
        public double Tau;
        public double Bound;
        public double Relaxation;
        public double* Weights;
        public double* Potentials;
        public long Padded;
        public void* Bias;
        public void* Kept;
        public long KeptStride;
        public void* Sums;
        public void* Coordinates;
        public double* Columns;
        public double Pending0;
        public double Pending1;
        public double RowError;
        public long Unflushed;
    }

    /// <summary><c>struct ot_plan</c>.</summary>
    public struct Plan
    {
        public double Epsilon;
        public double* F;
        public double* LogA;
        public double* G;
        public double* LogB;
    }

    /// <summary>Turns a status into an exception with the library's own words.</summary>
    internal static void Check(int status)
    {
        if (status != 0)
            throw new Backends.BackendException("native", Text(ot_last_error()), status);
    }

    /// <summary>Opens the library, which also sets up the resolver that binds the imports below.</summary>
    static void Require()
    {
        NativeLoader.Opened library = NativeLoader.Open(Library);
        if (!library.Found)
            throw new Backends.BackendException("native", $"libot was not found. Tried: {string.Join("; ", library.Attempts)}.");
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
    private static partial int ot_best_isa(Isa* isa);

    [LibraryImport(Import)]
    private static partial int ot_isa_name(Isa isa, byte** name);

    [LibraryImport(Import)]
    private static partial byte* ot_last_error();

    [LibraryImport(Import)]
    internal static partial int ot_sweep_rows_f64(Isa isa, Geometry* geometry, Sweep* sweep, long start, long end);

    [LibraryImport(Import)]
    internal static partial int ot_sweep_rows_f32(Isa isa, Geometry* geometry, Sweep* sweep, long start, long end);

    [LibraryImport(Import)]
    internal static partial int ot_flush_columns_f64(Isa isa, Geometry* geometry, Sweep* sweep);

    [LibraryImport(Import)]
    internal static partial int ot_flush_columns_f32(Isa isa, Geometry* geometry, Sweep* sweep);

    [LibraryImport(Import)]
    internal static partial int ot_softmin_rows_f64(
        Isa isa,
        Geometry* geometry,
        double epsilon,
        void* bias,
        long padded,
        void* coordinates,
        double* f,
        long start,
        long end
    );

    [LibraryImport(Import)]
    internal static partial int ot_softmin_rows_f32(
        Isa isa,
        Geometry* geometry,
        double epsilon,
        void* bias,
        long padded,
        void* coordinates,
        double* f,
        long start,
        long end
    );

    [LibraryImport(Import)]
    internal static partial int ot_min_rows_f64(Isa isa, Geometry* geometry, double* g, double* f, long start, long end);

    [LibraryImport(Import)]
    internal static partial int ot_min_columns_f64(
        Isa isa,
        Geometry* geometry,
        double* f,
        double* g,
        long firstRow,
        long lastRow,
        long start,
        long end
    );

    [LibraryImport(Import)]
    internal static partial int ot_softmin_columns_f64(
        Isa isa,
        Geometry* geometry,
        double epsilon,
        double* f,
        double* logA,
        double* top,
        double* sums,
        long firstRow,
        long lastRow,
        long start,
        long end
    );

    [LibraryImport(Import)]
    internal static partial int ot_apply_plan_f64(
        Isa isa,
        Geometry* geometry,
        Plan* plan,
        long count,
        double* vectors,
        double* result,
        long start,
        long end
    );

    [LibraryImport(Import)]
    internal static partial int ot_apply_transpose_f64(
        Isa isa,
        Geometry* geometry,
        Plan* plan,
        long count,
        double* vectors,
        double* result,
        long firstRow,
        long lastRow,
        long start,
        long end
    );

    [LibraryImport(Import)]
    internal static partial int ot_sum_plan_f64(
        Isa isa,
        Geometry* geometry,
        Plan* plan,
        double* rowSums,
        double* rowCosts,
        double* columns,
        long start,
        long end
    );
}
