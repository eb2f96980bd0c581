namespace OT.Accelerators.Gpu;

/// <summary>What the device keeps of one side of a problem, rows or columns: its vectors, and what a sweep over the other side leaves for it.</summary>
sealed class GpuSide
{
    /// <summary>Points are padded to whole tiles.</summary>
    public const int Pad = 64;

    const int Group = 256;

    /// <summary>Takes the memory.</summary>
    /// <param name="memory">Of the operator.</param>
    /// <param name="count">Entries.</param>
    /// <param name="layout">Of the sweep that serves this side.</param>
    /// <param name="isColumns">Which side.</param>
    /// <param name="real">Of exponents.</param>
    /// <param name="wide">Of potentials.</param>
    public GpuSide(GpuMemory memory, int count, GpuLayout layout, bool isColumns, GpuReal real, GpuReal wide)
    {
        (Count, Layout, IsColumns) = (count, layout, isColumns);
        Padded = PaddedCount(count);
        Groups = GpuLayout.Ceiling(count, Group);
        Potentials = [new(memory, count, wide), new(memory, count, wide)];
        Weights = new(memory, count, wide);
        Logs = new(memory, count, wide);
        Norms = memory.Allocate(count, wide);
        Bias = memory.Allocate(Padded, real);
        Tops = memory.Allocate((long)layout.Segments * Padded, real);
        Sums = memory.Allocate((long)layout.Segments * Padded, real);
        Errors = memory.Allocate(Groups, wide);
        Masses = memory.Allocate(Groups, wide);
    }

    /// <summary>Bytes that a side takes.</summary>
    public static long Bytes(int count, GpuLayout layout, GpuReal real, GpuReal wide) =>
        ((5L * count) + (2L * GpuLayout.Ceiling(count, Group))) * GpuMemory.SizeOf(wide)
        + (long)PaddedCount(count) * (1 + (2L * layout.Segments)) * GpuMemory.SizeOf(real);

    /// <summary>Entries rounded up to whole tiles of points.</summary>
    public static int PaddedCount(int count) => checked(GpuLayout.Ceiling(count, Pad) * Pad);

    public int Count { get; }
    public int Padded { get; }
    public GpuLayout Layout { get; }
    public bool IsColumns { get; }

    /// <summary>Groups of kernels with one work item per entry.</summary>
    public int Groups { get; }

    /// <summary>Potentials before and after an iteration, the roles changing from each to the next.</summary>
    public GpuVector[] Potentials { get; }
    public GpuVector Weights { get; }

    /// <summary>Logarithms of the weights.</summary>
    public GpuVector Logs { get; }

    /// <summary>Squared norms in cost units, where costs are made from dot products.</summary>
    public GpuBuffer Norms { get; }

    /// <summary>What this side adds to exponents in a sweep that serves the other.</summary>
    public GpuBuffer Bias { get; }

    /// <summary>Largest exponent per segment and entry, and the sum of powers below it.</summary>
    public GpuBuffer Tops { get; }
    public GpuBuffer Sums { get; }

    /// <summary>What the marginal is off, and its mass, per group.</summary>
    public GpuBuffer Errors { get; }
    public GpuBuffer Masses { get; }
}
