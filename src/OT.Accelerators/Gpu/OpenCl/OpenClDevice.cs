using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using OT.Backends;
using static OT.Accelerators.Gpu.OpenCl.LibOpenCl;

namespace OT.Accelerators.Gpu.OpenCl;

/// <summary>A device of an OpenCL driver, with a context and a queue of its own.</summary>
sealed unsafe class OpenClDevice : IGpuDevice
{
    const int GroupSize = 256;
    const long LocalBytes = 32 << 10;

    /// <summary>What drivers made of programs in this process; device handles last as long as it.</summary>
    static readonly ConcurrentDictionary<(nint Device, GpuModule Module), byte[]> Binaries = new();

    readonly nint _device;
    readonly OpenClHandle _context;
    readonly OpenClHandle _queue;
    readonly Lock _gate = new();
    readonly Dictionary<GpuModule, OpenClHandle> _programs = [];
    readonly Dictionary<(GpuModule, string), OpenClKernel> _kernels = [];
    readonly Counter _bytes = new();

    /// <summary>Opens a device.</summary>
    /// <param name="platform">Its platform.</param>
    /// <param name="device">Its handle.</param>
    /// <param name="withDoubles">False to keep kernels off doubles even where the device has them: for tests.</param>
    public OpenClDevice(nint platform, nint device, bool withDoubles = true)
    {
        _device = device;
        Name = DeviceText(device, DeviceName);
        Driver =
            $"{PlatformText(platform, PlatformName)}, {DeviceText(device, DeviceVersion)}, driver {DeviceText(device, DriverVersion)}";
        HasDoubles =
            withDoubles && DeviceText(device, DeviceExtensions).Split(' ').Contains("cl_khr_fp64", StringComparer.Ordinal);
        IsCpu = (DeviceNumber(device, DeviceType) & CpuDevice) != 0;
        Processors = (int)DeviceNumber(device, DeviceComputeUnits);
        TotalBytes = (long)DeviceNumber(device, DeviceGlobalBytes);
        LargestBuffer = (long)DeviceNumber(device, DeviceMaxBuffer);
        if (DeviceNumber(device, DeviceAvailable) == 0 || DeviceNumber(device, DeviceCompilerAvailable) == 0)
            throw new BackendException(LibOpenCl.Backend, $"the device '{Name}' is not available or has no compiler.");
        if (DeviceNumber(device, DeviceMaxGroup) < GroupSize || (long)DeviceNumber(device, DeviceLocalBytes) < LocalBytes)
            throw new BackendException(
                LibOpenCl.Backend,
                $"the device '{Name}' is too small: kernels need groups of {GroupSize} and {LocalBytes} bytes for each."
            );
        int status;
        _context = new(clCreateContext(null, 1, &device, 0, 0, &status), clReleaseContext);
        Check(status, "clCreateContext");
        _queue = new(clCreateCommandQueue(_context.Value, device, 0, &status), clReleaseCommandQueue);
        if (status != Success)
            _context.Dispose();
        Check(status, "clCreateCommandQueue");
    }

    /// <inheritdoc/>
    public string Backend => LibOpenCl.Backend;

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Driver { get; }

    /// <inheritdoc/>
    public bool HasDoubles { get; }

    /// <summary>Whether this is a processor posing as a device.</summary>
    public bool IsCpu { get; }

    /// <inheritdoc/>
    public int Processors { get; }

    /// <inheritdoc/>
    public long TotalBytes { get; }

    /// <inheritdoc/>
    public long LargestBuffer { get; }

    /// <inheritdoc/>
    public long AllocatedBytes => Interlocked.Read(ref _bytes.Value);

    /// <inheritdoc/>
    public GpuTimings Timings { get; } = new();

    /// <inheritdoc/>
    public GpuBuffer Allocate(long bytes)
    {
        bytes = Math.Max(bytes, 1);
        long free = TotalBytes - AllocatedBytes;
        if (bytes > LargestBuffer || bytes > free)
            throw OutOfMemory(bytes, free, 0);
        int status;
        nint handle = clCreateBuffer(_context.Value, ReadWrite, (nuint)bytes, null, &status);
        if (status is MemoryAllocationFailure or OutOfResources or InvalidBufferSize)
            throw OutOfMemory(bytes, free, status);
        Check(status, "clCreateBuffer");
        return new OpenClBuffer(handle, bytes, _bytes);
    }

    BackendException OutOfMemory(long bytes, long free, int status) =>
        new(
            LibOpenCl.Backend,
            string.Create(
                CultureInfo.InvariantCulture,
                $"a buffer of {bytes:N0} bytes was asked of '{Name}', which has {free:N0} of {TotalBytes:N0} left and gives at most {LargestBuffer:N0} at a time."
            ),
            status
        );

    /// <inheritdoc/>
    public void Write(GpuBuffer buffer, ReadOnlySpan<byte> data, long offset = 0)
    {
        CheckRange(buffer, data.Length, offset);
        if (data.IsEmpty)
            return;
        long start = Stopwatch.GetTimestamp();
        fixed (byte* first = data)
        {
            Check(
                clEnqueueWriteBuffer(_queue.Value, Handle(buffer), 1, (nuint)offset, (nuint)data.Length, first, 0, null, null),
                "clEnqueueWriteBuffer"
            );
        }
        GC.KeepAlive(buffer);
        Timings.Uploaded(start);
    }

    /// <inheritdoc/>
    public void Read(GpuBuffer buffer, Span<byte> data, long offset = 0)
    {
        CheckRange(buffer, data.Length, offset);
        if (data.IsEmpty)
            return;
        Finish();
        long start = Stopwatch.GetTimestamp();
        fixed (byte* first = data)
        {
            Check(
                clEnqueueReadBuffer(_queue.Value, Handle(buffer), 1, (nuint)offset, (nuint)data.Length, first, 0, null, null),
                "clEnqueueReadBuffer"
            );
        }
        GC.KeepAlive(buffer);
        Timings.Downloaded(start);
    }

    /// <inheritdoc/>
    public void Clear(GpuBuffer buffer)
    {
        byte zero = 0;
        Check(
            clEnqueueFillBuffer(_queue.Value, Handle(buffer), &zero, 1, 0, (nuint)buffer.Bytes, 0, null, null),
            "clEnqueueFillBuffer"
        );
        GC.KeepAlive(buffer);
    }

    static void CheckRange(GpuBuffer buffer, long count, long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + count, buffer.Bytes);
    }

    static nint Handle(GpuBuffer buffer)
    {
        ObjectDisposedException.ThrowIf(buffer.IsClosed, buffer);
        return buffer.DangerousGetHandle();
    }

    /// <inheritdoc/>
    public IGpuKernel Kernel(GpuModule module, string name)
    {
        lock (Gate)
        {
            if (_kernels.TryGetValue((module, name), out OpenClKernel? kernel))
                return kernel;
            long start = Stopwatch.GetTimestamp();
            if (!_programs.TryGetValue(module, out OpenClHandle? program))
                _programs.Add(module, program = Build(module));
            int status;
            fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
            {
                nint handle = clCreateKernel(program.Value, text, &status);
                Check(status, $"clCreateKernel('{name}') of {module.Name}");
                kernel = new(name, new(handle, clReleaseKernel));
            }
            _kernels.Add((module, name), kernel);
            Timings.Compiled(start);
            return kernel;
        }
    }

    /// <summary>From what the driver made of it before in this process, else from the source.</summary>
    OpenClHandle Build(GpuModule module)
    {
        if (Binaries.TryGetValue((_device, module), out byte[]? binary) && FromBinary(binary, module) is { } known)
            return known;
        byte[] source = Encoding.UTF8.GetBytes(GpuSource.Read(module.File));
        int status;
        OpenClHandle program;
        fixed (byte* text = source)
        {
            byte* start = text;
            var length = (nuint)source.Length;
            program = new(clCreateProgramWithSource(_context.Value, 1, &start, &length, &status), clReleaseProgram);
        }
        Check(status, "clCreateProgramWithSource");
        status = Compile(program, module);
        if (status != Success)
        {
            string log = BuildLog(program.Value, _device);
            program.Dispose();
            throw new BackendException(
                LibOpenCl.Backend,
                $"the driver of '{Name}' ({Driver}) did not build the kernels '{module.Name}'. Its log: {log}",
                status
            );
        }
        if (Binary(program.Value) is { Length: > 0 } made)
            Binaries[(_device, module)] = made;
        return program;
    }

    OpenClHandle? FromBinary(byte[] binary, GpuModule module)
    {
        nint device = _device;
        int status,
            own;
        OpenClHandle program;
        fixed (byte* first = binary)
        {
            byte* start = first;
            var length = (nuint)binary.Length;
            program = new(
                clCreateProgramWithBinary(_context.Value, 1, &device, &length, &start, &own, &status),
                clReleaseProgram
            );
        }
        if (status == Success && own == Success && Compile(program, module) == Success)
            return program;
        program.Dispose();
        return null; // a driver that does not take its own binary back gets the source again
    }

    int Compile(OpenClHandle program, GpuModule module)
    {
        nint device = _device;
        // A processor has few registers to keep arrays in, and its compiler is slow over unrolled loops.
        string unroll = IsCpu ? " -D UNROLL=" : "";
        fixed (byte* options = Encoding.UTF8.GetBytes($"-cl-std=CL1.2 {module.Defines}{unroll}\0"))
            return clBuildProgram(program.Value, 1, &device, options, 0, 0);
    }

    /// <inheritdoc/>
    public void Launch(IGpuKernel kernel, long groups, int groupSize, ReadOnlySpan<GpuArgument> arguments)
    {
        var own = (OpenClKernel)kernel;
        lock (_gate) // arguments belong to the kernel until it is queued
        {
            for (int k = 0; k < arguments.Length; k++)
            {
                GpuArgument argument = arguments[k];
                long bits = argument.Buffer is { } buffer ? Handle(buffer) : argument.Bits;
                int status = clSetKernelArg(own.Handle.Value, (uint)k, (nuint)argument.Size, &bits);
                if (status != Success)
                    Check(status, $"argument {k} of {own.Name}");
            }
            nuint global = (nuint)(groups * groupSize),
                local = (nuint)groupSize;
            int queued = clEnqueueNDRangeKernel(_queue.Value, own.Handle.Value, 1, null, &global, &local, 0, null, null);
            if (queued != Success)
                Check(queued, $"launch of {own.Name} on '{Name}'");
        }
    }

    /// <inheritdoc/>
    public IGpuSequence Record(Action launches) => new Loop(this, launches);

    /// <inheritdoc/>
    public void Flush() => Check(clFlush(_queue.Value), "clFlush");

    /// <inheritdoc/>
    public void Finish()
    {
        long start = Stopwatch.GetTimestamp();
        Check(clFinish(_queue.Value), $"clFinish on '{Name}'");
        Timings.Ran(start);
    }

    /// <summary>Releases kernels, programs, queue and context. Buffers are released by who holds them.</summary>
    public void Dispose()
    {
        lock (Gate)
        {
            foreach (OpenClKernel kernel in _kernels.Values)
                kernel.Handle.Dispose();
            foreach (OpenClHandle program in _programs.Values)
                program.Dispose();
            _kernels.Clear();
            _programs.Clear();
            _queue.Dispose();
            _context.Dispose();
        }
    }

    sealed record OpenClKernel(string Name, OpenClHandle Handle) : IGpuKernel;

    /// <summary>Queues its launches anew each time: OpenCL 1.2 has nothing better.</summary>
    sealed class Loop(OpenClDevice device, Action launches) : IGpuSequence
    {
        public void Run(int times)
        {
            for (int k = 0; k < times; k++)
                launches();
            device.Flush();
        }

        public void Dispose() { }
    }

    sealed class Counter
    {
        public long Value;
    }

    sealed class OpenClBuffer : GpuBuffer
    {
        readonly Counter _total;

        public OpenClBuffer(nint handle, long bytes, Counter total)
            : base(handle, bytes)
        {
            _total = total;
            Interlocked.Add(ref total.Value, bytes);
        }

        protected override bool ReleaseHandle()
        {
            Interlocked.Add(ref _total.Value, -Bytes);
            return clReleaseMemObject(handle) == Success;
        }
    }
}
