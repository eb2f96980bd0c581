using System.Runtime.InteropServices;
using System.Text;
using OT.Backends;

namespace OT.Accelerators.Gpu.OpenCl;

/// <summary>The functions of OpenCL 1.2 that are used, through the loader that every driver registers with.</summary>
static unsafe partial class LibOpenCl
{
    /// <summary>Name of the back end in messages.</summary>
    public const string Backend = "opencl";

    public const int Success = 0;
    public const int MemoryAllocationFailure = -4;
    public const int OutOfResources = -5;
    public const int BuildProgramFailure = -11;
    public const int InvalidBufferSize = -61;
    const int PlatformNotFound = -1001;
    const int DeviceNotFound = -1;

    public const uint PlatformVersion = 0x0901;
    public const uint PlatformName = 0x0902;
    public const ulong AnyDevice = 0xFFFFFFFF;
    public const ulong CpuDevice = 1 << 1;
    public const ulong GpuDevice = 1 << 2;
    public const uint DeviceType = 0x1000;
    public const uint DeviceComputeUnits = 0x1002;
    public const uint DeviceMaxGroup = 0x1004;
    public const uint DeviceMaxBuffer = 0x1010;
    public const uint DeviceGlobalBytes = 0x101F;
    public const uint DeviceLocalBytes = 0x1023;
    public const uint DeviceAvailable = 0x1027;
    public const uint DeviceCompilerAvailable = 0x1028;
    public const uint DeviceName = 0x102B;
    public const uint DriverVersion = 0x102D;
    public const uint DeviceVersion = 0x102F;
    public const uint DeviceExtensions = 0x1030;
    public const uint ProgramBinarySizes = 0x1165;
    public const uint ProgramBinaries = 0x1166;
    public const uint ProgramBuildLog = 0x1183;
    public const ulong ReadWrite = 1;

    /// <summary>Held while devices are listed, contexts come and go and programs are built: not every driver bears two threads there.</summary>
    public static readonly Lock Gate = new();

    const string Import = "OpenCL";

    /// <summary>Opens the library, or tells every place where it was looked for.</summary>
    /// <exception cref="BackendException">It was not found.</exception>
    public static void Require()
    {
        NativeLoader.Opened library = NativeLoader.Open(SystemLibraries.OpenCl);
        if (!library.Found)
            throw new BackendException(
                Backend,
                $"the OpenCL loader was not found: install the driver of the device. Tried: {string.Join("; ", library.Attempts)}."
            );
    }

    /// <summary>Turns a status into an exception.</summary>
    public static void Check(int status, string what)
    {
        if (status != Success)
            throw new BackendException(Backend, $"{what} failed: {ErrorName(status)} ({status}).", status);
    }

    /// <summary>Every device of every platform.</summary>
    public static List<(nint Platform, nint Device)> Devices()
    {
        uint count = 0;
        int status = clGetPlatformIDs(0, null, &count);
        if (status == PlatformNotFound || (status == Success && count == 0))
            return [];
        Check(status, "clGetPlatformIDs");
        var platforms = new nint[count];
        fixed (nint* first = platforms)
            Check(clGetPlatformIDs(count, first, null), "clGetPlatformIDs");
        var found = new List<(nint, nint)>();
        foreach (nint platform in platforms)
        {
            uint devices = 0;
            status = clGetDeviceIDs(platform, AnyDevice, 0, null, &devices);
            if (status == DeviceNotFound || (status == Success && devices == 0))
                continue;
            Check(status, "clGetDeviceIDs");
            var ids = new nint[devices];
            fixed (nint* first = ids)
                Check(clGetDeviceIDs(platform, AnyDevice, devices, first, null), "clGetDeviceIDs");
            found.AddRange(ids.Select(id => (platform, id)));
        }
        return found;
    }

    /// <summary>A text that a platform tells of itself.</summary>
    public static string PlatformText(nint platform, uint what)
    {
        nuint size;
        Check(clGetPlatformInfo(platform, what, 0, null, &size), "clGetPlatformInfo");
        var bytes = new byte[size];
        fixed (byte* first = bytes)
            Check(clGetPlatformInfo(platform, what, size, first, null), "clGetPlatformInfo");
        return Text(bytes);
    }

    /// <summary>A text that a device tells of itself.</summary>
    public static string DeviceText(nint device, uint what)
    {
        nuint size;
        Check(clGetDeviceInfo(device, what, 0, null, &size), "clGetDeviceInfo");
        var bytes = new byte[size];
        fixed (byte* first = bytes)
            Check(clGetDeviceInfo(device, what, size, first, null), "clGetDeviceInfo");
        return Text(bytes);
    }

    /// <summary>A number of up to 8 bytes that a device tells of itself.</summary>
    public static ulong DeviceNumber(nint device, uint what)
    {
        ulong number = 0;
        Check(clGetDeviceInfo(device, what, sizeof(ulong), &number, null), "clGetDeviceInfo");
        return number;
    }

    /// <summary>What the driver made of a program of one device; empty where it does not tell.</summary>
    public static byte[] Binary(nint program)
    {
        nuint size = 0;
        if (clGetProgramInfo(program, ProgramBinarySizes, (nuint)sizeof(nuint), &size, null) != Success || size == 0)
            return [];
        var binary = new byte[size];
        fixed (byte* first = binary)
        {
            byte* address = first;
            return clGetProgramInfo(program, ProgramBinaries, (nuint)sizeof(nint), &address, null) == Success ? binary : [];
        }
    }

    /// <summary>What the compiler said about a program.</summary>
    public static string BuildLog(nint program, nint device)
    {
        nuint size;
        if (clGetProgramBuildInfo(program, device, ProgramBuildLog, 0, null, &size) != Success || size == 0)
            return "";
        var bytes = new byte[size];
        fixed (byte* first = bytes)
            return clGetProgramBuildInfo(program, device, ProgramBuildLog, size, first, null) == Success ? Text(bytes) : "";
    }

    static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes).TrimEnd('\0').Trim();

    static string ErrorName(int status) =>
        status switch
        {
            -1 => "CL_DEVICE_NOT_FOUND",
            -2 => "CL_DEVICE_NOT_AVAILABLE",
            -3 => "CL_COMPILER_NOT_AVAILABLE",
            MemoryAllocationFailure => "CL_MEM_OBJECT_ALLOCATION_FAILURE",
            OutOfResources => "CL_OUT_OF_RESOURCES",
            -6 => "CL_OUT_OF_HOST_MEMORY",
            BuildProgramFailure => "CL_BUILD_PROGRAM_FAILURE",
            -14 => "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
            -30 => "CL_INVALID_VALUE",
            -34 => "CL_INVALID_CONTEXT",
            -36 => "CL_INVALID_COMMAND_QUEUE",
            -38 => "CL_INVALID_MEM_OBJECT",
            -45 => "CL_INVALID_PROGRAM_EXECUTABLE",
            -46 => "CL_INVALID_KERNEL_NAME",
            -51 => "CL_INVALID_ARG_SIZE",
            -52 => "CL_INVALID_KERNEL_ARGS",
            -54 => "CL_INVALID_WORK_GROUP_SIZE",
            InvalidBufferSize => "CL_INVALID_BUFFER_SIZE",
            PlatformNotFound => "CL_PLATFORM_NOT_FOUND_KHR",
            _ => "OpenCL error",
        };

    [LibraryImport(Import)]
    private static partial int clGetPlatformIDs(uint capacity, nint* platforms, uint* count);

    [LibraryImport(Import)]
    private static partial int clGetPlatformInfo(nint platform, uint what, nuint capacity, void* value, nuint* size);

    [LibraryImport(Import)]
    private static partial int clGetDeviceIDs(nint platform, ulong type, uint capacity, nint* devices, uint* count);

    [LibraryImport(Import)]
    private static partial int clGetDeviceInfo(nint device, uint what, nuint capacity, void* value, nuint* size);

    [LibraryImport(Import)]
    internal static partial nint clCreateContext(
        nint* properties,
        uint count,
        nint* devices,
        nint notify,
        nint data,
        int* status
    );

    [LibraryImport(Import)]
    internal static partial int clReleaseContext(nint context);

    [LibraryImport(Import)]
    internal static partial nint clCreateCommandQueue(nint context, nint device, ulong properties, int* status);

    [LibraryImport(Import)]
    internal static partial int clReleaseCommandQueue(nint queue);

    [LibraryImport(Import)]
    internal static partial nint clCreateBuffer(nint context, ulong flags, nuint size, void* host, int* status);

    [LibraryImport(Import)]
    internal static partial int clReleaseMemObject(nint buffer);

    [LibraryImport(Import)]
    internal static partial nint clCreateProgramWithSource(nint context, uint count, byte** texts, nuint* lengths, int* status);

    [LibraryImport(Import)]
    internal static partial nint clCreateProgramWithBinary(
        nint context,
        uint count,
        nint* devices,
        nuint* lengths,
        byte** binaries,
        int* perDevice,
        int* status
    );

    [LibraryImport(Import)]
    private static partial int clGetProgramInfo(nint program, uint what, nuint capacity, void* value, nuint* size);

    [LibraryImport(Import)]
    internal static partial int clBuildProgram(nint program, uint count, nint* devices, byte* options, nint notify, nint data);

    [LibraryImport(Import)]
    private static partial int clGetProgramBuildInfo(
        nint program,
        nint device,
        uint what,
        nuint capacity,
        void* value,
        nuint* size
    );

    [LibraryImport(Import)]
    internal static partial int clReleaseProgram(nint program);

    [LibraryImport(Import)]
    internal static partial nint clCreateKernel(nint program, byte* name, int* status);

    [LibraryImport(Import)]
    internal static partial int clReleaseKernel(nint kernel);

    [LibraryImport(Import)]
    internal static partial int clSetKernelArg(nint kernel, uint index, nuint size, void* value);

    [LibraryImport(Import)]
    internal static partial int clEnqueueNDRangeKernel(
        nint queue,
        nint kernel,
        uint dimensions,
        nuint* offsets,
        nuint* global,
        nuint* local,
        uint waits,
        nint* waitList,
        nint* done
    );

    [LibraryImport(Import)]
    internal static partial int clEnqueueWriteBuffer(
        nint queue,
        nint buffer,
        uint blocking,
        nuint offset,
        nuint size,
        void* data,
        uint waits,
        nint* waitList,
        nint* done
    );

    [LibraryImport(Import)]
    internal static partial int clEnqueueReadBuffer(
        nint queue,
        nint buffer,
        uint blocking,
        nuint offset,
        nuint size,
        void* data,
        uint waits,
        nint* waitList,
        nint* done
    );

    [LibraryImport(Import)]
    internal static partial int clEnqueueFillBuffer(
        nint queue,
        nint buffer,
        void* pattern,
        nuint patternSize,
        nuint offset,
        nuint size,
        uint waits,
        nint* waitList,
        nint* done
    );

    [LibraryImport(Import)]
    internal static partial int clFlush(nint queue);

    [LibraryImport(Import)]
    internal static partial int clFinish(nint queue);
}
