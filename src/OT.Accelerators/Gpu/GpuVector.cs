namespace OT.Accelerators.Gpu;

/// <summary>A vector on the device that remembers what the host last put or saw there, so that what has not changed is not sent again.</summary>
sealed class GpuVector(GpuMemory memory, int count, GpuReal type)
{
    readonly double[] _seen = new double[count];
    bool _known;

    /// <summary>Where it lies.</summary>
    public GpuBuffer Buffer { get; } = memory.Allocate(count, type);

    /// <summary>Sends values, if they are other than those there.</summary>
    public void Write(ReadOnlySpan<double> values)
    {
        if (_known && values.SequenceEqual(_seen))
            return;
        _known = false;
        memory.Write(Buffer, values, type);
        values.CopyTo(_seen);
        _known = true;
    }

    /// <summary>Fetches what kernels left there.</summary>
    public void Read(Span<double> values)
    {
        memory.Read(Buffer, values, type);
        values.CopyTo(_seen);
        _known = true;
    }

    /// <summary>A kernel is about to write here.</summary>
    public void Forget() => _known = false;
}
