using System.Globalization;
using System.Runtime.InteropServices;
using OT.Backends;

namespace OT.Accelerators.Gpu.Cuda;

/// <summary>The functions of CUDA's driver that are used here, by the names and versions of its interface.</summary>
/// <remarks>The version is asked before any other function is looked for, so that an old driver is called old and not broken.</remarks>
sealed unsafe class CudaDriver
{
    /// <summary>CUDA 11.4: what PTX for compute capability 8.0 and <c>cuGraphInstantiateWithFlags</c> need.</summary>
    public const int LeastVersion = 11040;

    /// <summary><c>CUDA_ERROR_OUT_OF_MEMORY</c>.</summary>
    public const int OutOfMemory = 2;

    readonly nint _library;
    readonly delegate* unmanaged<int, byte**, int> _errorName;
    readonly delegate* unmanaged<int, byte**, int> _errorText;

    CudaDriver(nint library)
    {
        _library = library;
        _errorName = (delegate* unmanaged<int, byte**, int>)NativeLibrary.GetExport(library, "cuGetErrorName");
        _errorText = (delegate* unmanaged<int, byte**, int>)NativeLibrary.GetExport(library, "cuGetErrorString");
        int version = 0;
        Check(
            ((delegate* unmanaged<int*, int>)NativeLibrary.GetExport(library, "cuDriverGetVersion"))(&version),
            "ask for the version"
        );
        Version = version;
        if (version < LeastVersion)
        {
            throw new BackendException(
                CudaDevice.BackendName,
                $"the driver serves CUDA {Text(version)}; {Text(LeastVersion)} or later is needed."
            );
        }
        Init = (delegate* unmanaged<uint, int>)Export("cuInit");
        DeviceGetCount = (delegate* unmanaged<int*, int>)Export("cuDeviceGetCount");
        DeviceGet = (delegate* unmanaged<int*, int, int>)Export("cuDeviceGet");
        DeviceGetName = (delegate* unmanaged<byte*, int, int, int>)Export("cuDeviceGetName");
        DeviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute");
        DeviceTotalMem = (delegate* unmanaged<nuint*, int, int>)Export("cuDeviceTotalMem_v2");
        PrimaryContextRetain = (delegate* unmanaged<nint*, int, int>)Export("cuDevicePrimaryCtxRetain");
        PrimaryContextRelease = (delegate* unmanaged<int, int>)Export("cuDevicePrimaryCtxRelease_v2");
        ContextPush = (delegate* unmanaged<nint, int>)Export("cuCtxPushCurrent_v2");
        ContextPop = (delegate* unmanaged<nint*, int>)Export("cuCtxPopCurrent_v2");
        ModuleLoadData = (delegate* unmanaged<nint*, void*, uint, int*, void**, int>)Export("cuModuleLoadDataEx");
        ModuleUnload = (delegate* unmanaged<nint, int>)Export("cuModuleUnload");
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Export("cuModuleGetFunction");
        MemGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)Export("cuMemGetInfo_v2");
        MemAlloc = (delegate* unmanaged<nint*, nuint, int>)Export("cuMemAlloc_v2");
        MemFree = (delegate* unmanaged<nint, int>)Export("cuMemFree_v2");
        CopyToDevice = (delegate* unmanaged<nint, void*, nuint, nint, int>)Export("cuMemcpyHtoDAsync_v2");
        CopyToHost = (delegate* unmanaged<void*, nint, nuint, nint, int>)Export("cuMemcpyDtoHAsync_v2");
        SetBytes = (delegate* unmanaged<nint, byte, nuint, nint, int>)Export("cuMemsetD8Async");
        StreamCreate = (delegate* unmanaged<nint*, uint, int>)Export("cuStreamCreate");
        StreamDestroy = (delegate* unmanaged<nint, int>)Export("cuStreamDestroy_v2");
        StreamSynchronize = (delegate* unmanaged<nint, int>)Export("cuStreamSynchronize");
        LaunchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Export(
            "cuLaunchKernel"
        );
        BeginCapture = (delegate* unmanaged<nint, int, int>)Export("cuStreamBeginCapture_v2");
        EndCapture = (delegate* unmanaged<nint, nint*, int>)Export("cuStreamEndCapture");
        GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, int>)Export("cuGraphInstantiateWithFlags");
        GraphLaunch = (delegate* unmanaged<nint, nint, int>)Export("cuGraphLaunch");
        GraphDestroy = (delegate* unmanaged<nint, int>)Export("cuGraphDestroy");
        GraphExecDestroy = (delegate* unmanaged<nint, int>)Export("cuGraphExecDestroy");
        Check(Init(0), "start");
    }

    /// <summary>1000 times the major version of CUDA plus 10 times the minor one.</summary>
    public int Version { get; }

    public readonly delegate* unmanaged<uint, int> Init;
    public readonly delegate* unmanaged<int*, int> DeviceGetCount;
    public readonly delegate* unmanaged<int*, int, int> DeviceGet;
    public readonly delegate* unmanaged<byte*, int, int, int> DeviceGetName;
    public readonly delegate* unmanaged<int*, int, int, int> DeviceGetAttribute;
    public readonly delegate* unmanaged<nuint*, int, int> DeviceTotalMem;
    public readonly delegate* unmanaged<nint*, int, int> PrimaryContextRetain;
    public readonly delegate* unmanaged<int, int> PrimaryContextRelease;
    public readonly delegate* unmanaged<nint, int> ContextPush;
    public readonly delegate* unmanaged<nint*, int> ContextPop;
    public readonly delegate* unmanaged<nint*, void*, uint, int*, void**, int> ModuleLoadData;
    public readonly delegate* unmanaged<nint, int> ModuleUnload;
    public readonly delegate* unmanaged<nint*, nint, byte*, int> ModuleGetFunction;
    public readonly delegate* unmanaged<nuint*, nuint*, int> MemGetInfo;
    public readonly delegate* unmanaged<nint*, nuint, int> MemAlloc;
    public readonly delegate* unmanaged<nint, int> MemFree;
    public readonly delegate* unmanaged<nint, void*, nuint, nint, int> CopyToDevice;
    public readonly delegate* unmanaged<void*, nint, nuint, nint, int> CopyToHost;
    public readonly delegate* unmanaged<nint, byte, nuint, nint, int> SetBytes;
    public readonly delegate* unmanaged<nint*, uint, int> StreamCreate;
    public readonly delegate* unmanaged<nint, int> StreamDestroy;
    public readonly delegate* unmanaged<nint, int> StreamSynchronize;
    public readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> LaunchKernel;
    public readonly delegate* unmanaged<nint, int, int> BeginCapture;
    public readonly delegate* unmanaged<nint, nint*, int> EndCapture;
    public readonly delegate* unmanaged<nint*, nint, ulong, int> GraphInstantiate;
    public readonly delegate* unmanaged<nint, nint, int> GraphLaunch;
    public readonly delegate* unmanaged<nint, int> GraphDestroy;
    public readonly delegate* unmanaged<nint, int> GraphExecDestroy;

    /// <summary>Opens the driver's library and starts the driver.</summary>
    /// <exception cref="BackendException">It is missing (every place tried is named), too old (both versions are), or does not start.</exception>
    public static CudaDriver Open()
    {
        NativeLoader.Opened opened = NativeLoader.Open(SystemLibraries.Cuda);
        return opened.Found
            ? new CudaDriver(opened.Handle)
            : throw new BackendException(
                CudaDevice.BackendName,
                $"the driver's library was not found. Tried: {string.Join("; ", opened.Attempts)}."
            );
    }

    /// <summary>For tests: the driver in a library that is open already.</summary>
    internal static CudaDriver In(nint library) => new(library);

    /// <summary>Throws unless a call succeeded.</summary>
    /// <param name="status">What it returned.</param>
    /// <param name="intent">What it was to do, as in "cannot ...".</param>
    public void Check(int status, string intent)
    {
        if (status != 0)
            throw Failed(status, intent);
    }

    /// <summary>An error in the driver's own words.</summary>
    public BackendException Failed(int status, string intent, string more = "") =>
        new(CudaDevice.BackendName, $"cannot {intent}: {Words(_errorName, status)} ({Words(_errorText, status)}).{more}", status);

    /// <summary>Such as <c>12.4</c>.</summary>
    public static string Text(int version) =>
        string.Create(CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}");

    static string Words(delegate* unmanaged<int, byte**, int> ask, int status)
    {
        byte* text = null;
        return ask(status, &text) == 0 && text != null
            ? Marshal.PtrToStringUTF8((nint)text)!
            : string.Create(CultureInfo.InvariantCulture, $"error {status}");
    }

    nint Export(string name) =>
        NativeLibrary.TryGetExport(_library, name, out nint address)
            ? address
            : throw new BackendException(
                CudaDevice.BackendName,
                $"the driver serves CUDA {Text(Version)} but has no function {name}."
            );
}
