using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using OT.Backends;

namespace OT.Accelerators.Gpu.Cuda;

/// <summary>An NVIDIA device by its driver alone: its primary context, one stream, and modules that the driver compiles from PTX when first asked for.</summary>
/// <remarks>
/// A thread that calls finds the context it had before when the call returns: other users of CUDA in the process are not disturbed. The context is shared
/// with them and given back by <see cref="Dispose"/>.
/// </remarks>
sealed unsafe class CudaDevice : IGpuDevice
{
    /// <summary>The back end's name.</summary>
    public const string BackendName = "cuda";

    /// <summary>Least compute capability, as the PTX was made for it.</summary>
    const int LeastMajor = 8;

    const int NonBlocking = 1; // CU_STREAM_NON_BLOCKING: no waiting for the default stream of others
    const int ThreadLocal = 1; // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may allocate meanwhile
    const int LogBytes = 8192;

    readonly CudaDriver _driver;
    readonly int _device;
    readonly nint _context;
    readonly nint _stream;
    readonly nint _recorder;
    readonly Lock _building = new();
    readonly Lock _recording = new();
    readonly Dictionary<GpuModule, nint> _modules = [];
    readonly ConcurrentDictionary<(GpuModule Module, string Name), CudaKernel> _kernels = new();
    int _recordingThread;
    long _allocated;
    int _disposed;

    /// <summary>Opens a device.</summary>
    /// <param name="driver">The driver.</param>
    /// <param name="ordinal">Which device, from 0, in the driver's order: the fastest first unless <c>CUDA_DEVICE_ORDER</c> or <c>CUDA_VISIBLE_DEVICES</c> say otherwise.</param>
    /// <exception cref="BackendException">There is none, or its compute capability is below 8.0.</exception>
    public CudaDevice(CudaDriver driver, int ordinal = 0)
    {
        _driver = driver;
        int count = 0;
        driver.Check(driver.DeviceGetCount(&count), "count the devices");
        if (ordinal >= count)
        {
            throw new BackendException(
                BackendName,
                string.Create(CultureInfo.InvariantCulture, $"device {ordinal} was asked for and the driver has {count}.")
            );
        }
        int device = 0;
        driver.Check(driver.DeviceGet(&device, ordinal), "get the device");
        _device = device;
        Name = NameOf(driver, device);
        (int major, int minor) = (Attribute(75), Attribute(76));
        Capability = string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}");
        if (major < LeastMajor)
            throw new BackendException(
                BackendName,
                $"{Name} has compute capability {Capability}; {LeastMajor}.0 or later is needed."
            );
        Processors = Attribute(16);
        nuint total;
        driver.Check(driver.DeviceTotalMem(&total, device), "ask for the device's memory");
        TotalBytes = (long)total;
        Driver = $"CUDA {CudaDriver.Text(driver.Version)}";

        nint context;
        driver.Check(driver.PrimaryContextRetain(&context, device), $"start {Name}");
        _context = context;
        try
        {
            using Scope scope = new(this);
            nint stream;
            driver.Check(driver.StreamCreate(&stream, NonBlocking), "make a stream");
            _stream = stream;
            driver.Check(driver.StreamCreate(&stream, NonBlocking), "make a stream");
            _recorder = stream;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Names of the devices, in the driver's order.</summary>
    public static ImmutableArray<string> Names(CudaDriver driver)
    {
        int count = 0;
        driver.Check(driver.DeviceGetCount(&count), "count the devices");
        if (count == 0)
            throw new BackendException(BackendName, "the driver knows no device.");
        var names = ImmutableArray.CreateBuilder<string>(count);
        for (int ordinal = 0; ordinal < count; ordinal++)
        {
            int device = 0;
            driver.Check(driver.DeviceGet(&device, ordinal), "get a device");
            names.Add(NameOf(driver, device));
        }
        return names.MoveToImmutable();
    }

    static string NameOf(CudaDriver driver, int device)
    {
        const int length = 256;
        byte* name = stackalloc byte[length];
        driver.Check(driver.DeviceGetName(name, length, device), "ask for a device's name");
        return Marshal.PtrToStringUTF8((nint)name)!;
    }

    /// <inheritdoc/>
    public string Backend => BackendName;

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Driver { get; }

    /// <summary>Compute capability, such as <c>9.0</c>.</summary>
    public string Capability { get; }

    /// <summary>Largest clock of the processors in hertz.</summary>
    public double ClockRate => 1e3 * Attribute(13);

    /// <inheritdoc/>
    public bool HasDoubles => true;

    /// <inheritdoc/>
    public bool HasTensorCores => true;

    /// <inheritdoc/>
    public int Processors { get; }

    /// <inheritdoc/>
    public long TotalBytes { get; }

    /// <inheritdoc/>
    public long LargestBuffer => TotalBytes;

    /// <inheritdoc/>
    public long AllocatedBytes => Interlocked.Read(ref _allocated);

    /// <inheritdoc/>
    public GpuTimings Timings { get; } = new();

    /// <inheritdoc/>
    public GpuBuffer Allocate(long bytes)
    {
        bytes = Math.Max(bytes, 1);
        using Scope scope = new(this);
        nint address;
        int status = _driver.MemAlloc(&address, checked((nuint)bytes));
        if (status == CudaDriver.OutOfMemory)
        {
            nuint free,
                total;
            string left =
                _driver.MemGetInfo(&free, &total) == 0
                    ? string.Create(CultureInfo.InvariantCulture, $" {(long)free:N0} of {(long)total:N0} bytes are free.")
                    : "";
            throw _driver.Failed(status, string.Create(CultureInfo.InvariantCulture, $"take {bytes:N0} bytes of {Name}"), left);
        }
        _driver.Check(status, "take memory");
        Interlocked.Add(ref _allocated, bytes);
        return new CudaBuffer(this, address, bytes);
    }

    /// <inheritdoc/>
    public void Write(GpuBuffer buffer, ReadOnlySpan<byte> data, long offset = 0)
    {
        CheckRange(buffer, data.Length, offset);
        if (data.IsEmpty)
            return;
        long start = Stopwatch.GetTimestamp();
        using Scope scope = new(this);
        using Use use = new(buffer);
        // Drivers that let the device read any memory of the process need not have copied when the call returns.
        fixed (byte* source = data)
        {
            _driver.Check(
                _driver.CopyToDevice(use.Address + (nint)offset, source, (nuint)data.Length, _stream),
                "copy to the device"
            );
            _driver.Check(_driver.StreamSynchronize(_stream), "copy to the device");
        }
        Timings.Uploaded(start);
    }

    /// <inheritdoc/>
    public void Read(GpuBuffer buffer, Span<byte> data, long offset = 0)
    {
        CheckRange(buffer, data.Length, offset);
        Finish();
        if (data.IsEmpty)
            return;
        long start = Stopwatch.GetTimestamp();
        using Scope scope = new(this);
        using Use use = new(buffer);
        fixed (byte* target = data)
        {
            _driver.Check(
                _driver.CopyToHost(target, use.Address + (nint)offset, (nuint)data.Length, _stream),
                "copy from the device"
            );
            _driver.Check(_driver.StreamSynchronize(_stream), "copy from the device");
        }
        Timings.Downloaded(start);
    }

    /// <inheritdoc/>
    public void Clear(GpuBuffer buffer)
    {
        using Scope scope = new(this);
        using Use use = new(buffer);
        _driver.Check(_driver.SetBytes(use.Address, 0, (nuint)buffer.Bytes, _stream), "clear memory");
    }

    /// <inheritdoc/>
    public IGpuKernel Kernel(GpuModule module, string name) => _kernels.GetOrAdd((module, name), Load);

    /// <inheritdoc/>
    public void Launch(IGpuKernel kernel, long groups, int groupSize, ReadOnlySpan<GpuArgument> arguments)
    {
        // A parameter's value is read by the driver from where its pointer shows, so many bytes as the parameter has.
        long* values = stackalloc long[arguments.Length];
        void** parameters = stackalloc void*[arguments.Length];
        int held = 0;
        using Scope scope = new(this);
        try
        {
            for (int k = 0; k < arguments.Length; k++)
            {
                if (arguments[k].Buffer is { } buffer)
                {
                    bool added = false;
                    buffer.DangerousAddRef(ref added);
                    held = k + 1;
                    values[k] = buffer.DangerousGetHandle();
                }
                else
                    values[k] = arguments[k].Bits;
                parameters[k] = values + k;
            }
            nint stream = _recordingThread == Environment.CurrentManagedThreadId ? _recorder : _stream;
            _driver.Check(
                _driver.LaunchKernel(
                    ((CudaKernel)kernel).Function,
                    checked((uint)groups),
                    1,
                    1,
                    (uint)groupSize,
                    1,
                    1,
                    0,
                    stream,
                    parameters,
                    null
                ),
                $"launch {kernel.Name}"
            );
        }
        finally
        {
            for (int k = 0; k < held; k++)
                arguments[k].Buffer?.DangerousRelease();
        }
    }

    /// <inheritdoc/>
    public IGpuSequence Record(Action launches)
    {
        using Scope scope = new(this);
        lock (_recording)
        {
            _driver.Check(_driver.BeginCapture(_recorder, ThreadLocal), "record launches");
            nint graph = 0;
            try
            {
                int status;
                _recordingThread = Environment.CurrentManagedThreadId;
                try
                {
                    launches();
                }
                finally
                {
                    _recordingThread = 0;
                    status = _driver.EndCapture(_recorder, &graph);
                }
                _driver.Check(status, "record launches");
                nint executable;
                _driver.Check(_driver.GraphInstantiate(&executable, graph, 0), "make a graph of launches");
                return new CudaSequence(this, executable);
            }
            finally
            {
                if (graph != 0)
                    _driver.GraphDestroy(graph);
            }
        }
    }

    /// <summary>Work is handed to the device as it is queued.</summary>
    public void Flush() { }

    /// <inheritdoc/>
    public void Finish()
    {
        long start = Stopwatch.GetTimestamp();
        using Scope scope = new(this);
        _driver.Check(_driver.StreamSynchronize(_stream), "wait for the device");
        Timings.Ran(start);
    }

    /// <summary>Queues a graph once.</summary>
    internal void Replay(nint graph)
    {
        using Scope scope = new(this);
        _driver.Check(_driver.GraphLaunch(graph, _stream), "launch a graph");
    }

    /// <summary>Ends a graph; the driver keeps it until what was queued of it has run. Throws nothing: handles are released by anybody.</summary>
    internal bool Drop(nint graph) => Release(_driver.GraphExecDestroy, graph);

    /// <summary>Gives memory back; the driver waits for what still uses it. Throws nothing.</summary>
    internal bool Free(nint address, long bytes)
    {
        Interlocked.Add(ref _allocated, -bytes);
        return Release(_driver.MemFree, address);
    }

    bool Release(delegate* unmanaged<nint, int> release, nint handle)
    {
        if (_driver.ContextPush(_context) != 0)
            return false;
        int status = release(handle);
        nint context;
        _driver.ContextPop(&context);
        return status == 0;
    }

    /// <summary>Gives back modules, streams and the context. Buffers and sequences must be gone.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        // A context that cannot be entered any more takes what it holds with it when it is released.
        if (_driver.ContextPush(_context) == 0)
        {
            foreach (nint module in _modules.Values)
                _driver.ModuleUnload(module);
            foreach (nint stream in (ReadOnlySpan<nint>)[_stream, _recorder])
            {
                if (stream != 0)
                    _driver.StreamDestroy(stream);
            }
            nint context;
            _driver.ContextPop(&context);
        }
        _driver.PrimaryContextRelease(_device);
    }

    CudaKernel Load((GpuModule Module, string Name) key)
    {
        using Scope scope = new(this);
        lock (_building)
        {
            if (!_modules.TryGetValue(key.Module, out nint module))
                _modules.Add(key.Module, module = Compile(key.Module));
            nint function;
            fixed (byte* name = Encoding.UTF8.GetBytes(key.Name + '\0'))
                _driver.Check(_driver.ModuleGetFunction(&function, module, name), $"find {key.Name} in {key.Module.Name}");
            return new CudaKernel(key.Name, function);
        }
    }

    /// <summary>Has the driver compile PTX; what it says of failures is in the exception.</summary>
    nint Compile(GpuModule module)
    {
        const int errorLog = 5, // CU_JIT_ERROR_LOG_BUFFER
            errorLogBytes = 6;
        long start = Stopwatch.GetTimestamp();
        byte[] log = new byte[LogBytes];
        nint handle;
        int status;
        fixed (byte* ptx = PtxSource.Read(module))
        fixed (byte* text = log)
        {
            int* options = stackalloc int[] { errorLog, errorLogBytes };
            void** values = stackalloc void*[] { text, (void*)LogBytes };
            status = _driver.ModuleLoadData(&handle, ptx, 2, options, values);
        }
        if (status != 0)
        {
            string words = Encoding.UTF8.GetString(log.AsSpan(0, Math.Max(0, log.AsSpan().IndexOf((byte)0)))).Trim();
            throw _driver.Failed(
                status,
                $"compile {module.Name} for {Name} (compute capability {Capability})",
                words.Length == 0 ? "" : $" The driver's log: {words}"
            );
        }
        Timings.Compiled(start);
        return handle;
    }

    int Attribute(int number)
    {
        int value = 0;
        _driver.Check(_driver.DeviceGetAttribute(&value, number, _device), $"ask for attribute {number}");
        return value;
    }

    static void CheckRange(GpuBuffer buffer, int length, long offset)
    {
        if (offset < 0 || offset > buffer.Bytes - length)
            throw new UnreachableException($"bytes {offset} to {offset + length} of a buffer of {buffer.Bytes}");
    }

    /// <summary>The device's context on this thread, until disposed.</summary>
    readonly ref struct Scope
    {
        readonly CudaDriver _driver;

        public Scope(CudaDevice device)
        {
            ObjectDisposedException.ThrowIf(device._disposed != 0, typeof(CudaBackend));
            _driver = device._driver;
            _driver.Check(_driver.ContextPush(device._context), "enter the device's context");
        }

        public void Dispose()
        {
            nint context;
            _driver.ContextPop(&context);
        }
    }

    /// <summary>A buffer that is not released meanwhile.</summary>
    readonly ref struct Use
    {
        readonly GpuBuffer _buffer;

        public Use(GpuBuffer buffer)
        {
            _buffer = buffer;
            bool added = false;
            buffer.DangerousAddRef(ref added);
        }

        public nint Address => _buffer.DangerousGetHandle();

        public void Dispose() => _buffer.DangerousRelease();
    }
}
