using System.Runtime.InteropServices;

namespace OT.Accelerators.Gpu;

/// <summary>Buffers of one owner on a device, and copies between them and doubles.</summary>
sealed class GpuMemory(IGpuDevice device) : IDisposable
{
    readonly List<GpuBuffer> _buffers = [];

    /// <summary>Bytes of a number.</summary>
    public static int SizeOf(GpuReal type) => type == GpuReal.Double ? sizeof(double) : sizeof(float);

    /// <summary>Room for so many numbers.</summary>
    public GpuBuffer Allocate(long count, GpuReal type) => Allocate(count * SizeOf(type));

    /// <summary>Room for so many bytes.</summary>
    public GpuBuffer Allocate(long bytes)
    {
        GpuBuffer buffer = device.Allocate(bytes);
        _buffers.Add(buffer);
        return buffer;
    }

    /// <summary>Writes doubles as numbers of a type, from element <paramref name="start"/> on.</summary>
    public void Write(GpuBuffer buffer, ReadOnlySpan<double> values, GpuReal type, long start = 0)
    {
        if (type == GpuReal.Double)
            device.Write(buffer, MemoryMarshal.AsBytes(values), start * sizeof(double));
        else
        {
            var singles = new float[values.Length];
            for (int i = 0; i < singles.Length; i++)
                singles[i] = (float)values[i];
            device.Write(buffer, MemoryMarshal.AsBytes(singles.AsSpan()), start * sizeof(float));
        }
    }

    /// <summary>Reads numbers of a type as doubles.</summary>
    public void Read(GpuBuffer buffer, Span<double> values, GpuReal type, long start = 0)
    {
        if (type == GpuReal.Double)
            device.Read(buffer, MemoryMarshal.AsBytes(values), start * sizeof(double));
        else
        {
            var singles = new float[values.Length];
            device.Read(buffer, MemoryMarshal.AsBytes(singles.AsSpan()), start * sizeof(float));
            for (int i = 0; i < singles.Length; i++)
                values[i] = singles[i];
        }
    }

    /// <summary>Gives all memory back.</summary>
    public void Dispose()
    {
        foreach (GpuBuffer buffer in _buffers)
            buffer.Dispose();
        _buffers.Clear();
    }
}
