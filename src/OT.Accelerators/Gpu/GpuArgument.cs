namespace OT.Accelerators.Gpu;

/// <summary>What a kernel is given in one parameter: a buffer, or a number of 4 or 8 bytes.</summary>
readonly struct GpuArgument
{
    GpuArgument(GpuBuffer? buffer, long bits, int size) => (Buffer, Bits, Size) = (buffer, bits, size);

    /// <summary>The buffer; null for a number.</summary>
    public GpuBuffer? Buffer { get; }

    /// <summary>A number's bytes, the lowest first.</summary>
    public long Bits { get; }

    /// <summary>How many of them.</summary>
    public int Size { get; }

    public static implicit operator GpuArgument(GpuBuffer buffer) => new(buffer, 0, nint.Size);

    public static implicit operator GpuArgument(int value) => new(null, (uint)value, sizeof(int));

    public static implicit operator GpuArgument(float value) =>
        new(null, (uint)BitConverter.SingleToInt32Bits(value), sizeof(float));

    public static implicit operator GpuArgument(double value) => new(null, BitConverter.DoubleToInt64Bits(value), sizeof(double));
}
