namespace OT.Accelerators.Gpu;

/// <summary>A device that runs the kernels of <c>native/gpu</c>: memory, programs and one queue, in which commands run in the order given.</summary>
/// <remarks>
/// <para>
/// Members may be called from several threads; what each of them queues runs in the order of the calls. <see cref="Launch"/> returns at once; <see cref="Write"/>
/// and <see cref="Read"/> return when their memory may be used again. Every failure is a <see cref="Backends.BackendException"/> with the driver's code and words.
/// </para>
/// <para>
/// <b>To add a kernel</b>: write it in a file of <c>native/gpu</c> in the words of <c>language.h</c> (OpenCL C and CUDA share the rest), give the file its place in
/// <see cref="GpuProgram"/> if it is new, and launch it by name with arguments in the order of its parameters: buffers, <c>int</c>s and, by
/// <see cref="GpuModule.Real"/> and <see cref="GpuModule.Wide"/>, numbers of the module's types. Group sizes stand in the source (<c>GROUP(n)</c>) and in the launch.
/// Sums are trees or serial loops of a fixed shape, never atomics: the same bits on every repeat.
/// </para>
/// </remarks>
interface IGpuDevice : IDisposable
{
    /// <summary>Name of the back end, for messages: <c>opencl</c> or <c>cuda</c>.</summary>
    string Backend { get; }

    /// <summary>The device's own name.</summary>
    string Name { get; }

    /// <summary>Platform and driver, with their versions.</summary>
    string Driver { get; }

    /// <summary>Whether kernels may use doubles.</summary>
    bool HasDoubles { get; }

    /// <summary>Whether it runs the kernels of <c>tensor.cu</c>.</summary>
    bool HasTensorCores => false;

    /// <summary>Independent processors: launches of several groups for each keep the device busy.</summary>
    int Processors { get; }

    /// <summary>Bytes of memory on the device.</summary>
    long TotalBytes { get; }

    /// <summary>Most bytes in one buffer.</summary>
    long LargestBuffer { get; }

    /// <summary>Bytes held by buffers that are not yet disposed.</summary>
    long AllocatedBytes { get; }

    /// <summary>Where the time went.</summary>
    GpuTimings Timings { get; }

    /// <summary>Takes memory, its content undefined. At least one byte is taken.</summary>
    /// <exception cref="Backends.BackendException">The device has not that much; the message says how much was asked for and how much there is.</exception>
    GpuBuffer Allocate(long bytes);

    /// <summary>Copies to the device.</summary>
    void Write(GpuBuffer buffer, ReadOnlySpan<byte> data, long offset = 0);

    /// <summary>Waits for all that was queued before and copies from the device.</summary>
    void Read(GpuBuffer buffer, Span<byte> data, long offset = 0);

    /// <summary>Sets every byte to 0.</summary>
    void Clear(GpuBuffer buffer);

    /// <summary>A kernel by its name in the source; its module is built when first asked for and kept for the life of the device.</summary>
    /// <exception cref="Backends.BackendException">It does not build; the message has the driver's log.</exception>
    IGpuKernel Kernel(GpuModule module, string name);

    /// <summary>Queues <paramref name="groups"/> groups of <paramref name="groupSize"/> work items.</summary>
    void Launch(IGpuKernel kernel, long groups, int groupSize, ReadOnlySpan<GpuArgument> arguments);

    /// <summary>Keeps the launches that an action makes, for repetition; what they change from one time to the next lies in buffers.</summary>
    /// <param name="launches">Makes launches and nothing else, of kernels that the device has already given out. May be called at once, later, or each time.</param>
    IGpuSequence Record(Action launches);

    /// <summary>Hands all that is queued to the device, without waiting.</summary>
    void Flush();

    /// <summary>Waits until nothing is queued.</summary>
    void Finish();
}
