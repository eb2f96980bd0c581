using System.Runtime.InteropServices;
using OT.Accelerators.Gpu.Cuda;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>
/// CUDA's driver played by the CPU (<c>native/test/fake_cuda</c>): it runs the kernels, compiled as C++, from the launches it is handed; fails when told to; and counts
/// what is alive. One in a process, so its users run one after the other.
/// </summary>
[CollectionDefinition(Name)]
public sealed unsafe class FakeCuda
{
    public const string Name = "fake CUDA";

    public const int OutOfMemory = 2;
    public const int InvalidPtx = 218;
    public const int LaunchFailed = 719;

    static readonly nint s_library = NativeLibrary.TryLoad(File, out nint handle) ? handle : 0;

    FakeCuda() { }

    /// <summary>Where the build puts it.</summary>
    public static string File => Path.Combine(AppContext.BaseDirectory, "native-test", "libcuda.so.1");

    /// <summary>The driver, as of a machine with one device; skips the test where it has not been built.</summary>
    internal static CudaDriver Driver(int version = 12040, int devices = 1, int major = 9, long memory = 1L << 30)
    {
        Skip();
        ((delegate* unmanaged<int, int, int, nuint, void>)Export("ot_fake_device"))(version, devices, major, (nuint)memory);
        return CudaDriver.In(s_library);
    }

    /// <summary>A device of such a driver.</summary>
    internal static CudaDevice Device(int major = 9, long memory = 1L << 30) => new(Driver(major: major, memory: memory));

    public static void Skip() =>
        Assert.SkipWhen(
            s_library == 0,
            $"The fake CUDA driver was not built ({File}): it needs CMake and a C++ compiler on Linux."
        );

    /// <summary>Lets a call fail: the one after so many more.</summary>
    public static void Fail(string function, int status, int after = 0)
    {
        byte[] name = System.Text.Encoding.ASCII.GetBytes(function + '\0');
        fixed (byte* text = name)
            ((delegate* unmanaged<byte*, int, int, void>)Export("ot_fake_fail"))(text, status, after);
    }

    /// <summary>How often a function was called in this process.</summary>
    public static long Calls(string function)
    {
        byte[] name = System.Text.Encoding.ASCII.GetBytes(function + '\0');
        fixed (byte* text = name)
            return ((delegate* unmanaged<byte*, nint>)Export("ot_fake_calls"))(text);
    }

    /// <summary>What is alive, launches made, and writes found beside allocations.</summary>
    public static Counts Count()
    {
        nint* counts = stackalloc nint[9];
        ((delegate* unmanaged<nint*, void>)Export("ot_fake_counts"))(counts);
        return new(counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], counts[6], counts[7], counts[8]);
    }

    /// <summary>Fails where something is alive or something was written beside an allocation.</summary>
    public static void AssertNothingIsLeft() =>
        Assert.Equal(new Counts(0, 0, 0, 0, 0, 0, 0, 0, 0), Count() with { Launches = 0 });

    public sealed record Counts(
        long Contexts,
        long Allocations,
        long Bytes,
        long Modules,
        long Streams,
        long Graphs,
        long Executables,
        long Launches,
        long Violations
    );

    static nint Export(string name) => NativeLibrary.GetExport(s_library, name);
}
