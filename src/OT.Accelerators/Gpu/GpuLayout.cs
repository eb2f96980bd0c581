namespace OT.Accelerators.Gpu;

/// <summary>How a sweep is cut into groups: tiles of its own side, and for each so many segments of the other side that the device is filled.</summary>
/// <param name="Tile">Entries of the own side per group.</param>
/// <param name="Tiles">Number of them.</param>
/// <param name="Segments">Pieces of the other side.</param>
/// <param name="SegmentLength">Entries in each but the last.</param>
readonly record struct GpuLayout(int Tile, int Tiles, int Segments, int SegmentLength)
{
    /// <summary>Groups that a processor of the device should find waiting.</summary>
    const int GroupsPerProcessor = 8;

    /// <summary>Groups of a whole sweep.</summary>
    public long Groups => (long)Tiles * Segments;

    /// <summary>A function of shape and device alone: the same bits on every repeat.</summary>
    /// <param name="count">Entries of the own side.</param>
    /// <param name="other">Entries of the other side.</param>
    /// <param name="tile">Entries of the own side per group.</param>
    /// <param name="unit">What lengths of segments are multiples of.</param>
    /// <param name="least">Entries that are worth a group.</param>
    /// <param name="processors">Of the device.</param>
    public static GpuLayout For(int count, int other, int tile, int unit, int least, int processors)
    {
        int tiles = Ceiling(count, tile);
        int wanted = Math.Clamp(Ceiling(GroupsPerProcessor * processors, tiles), 1, Ceiling(other, least));
        int length = checked(Ceiling(Ceiling(other, wanted), unit) * unit);
        return new(tile, tiles, Ceiling(other, length), length);
    }

    /// <summary>count / unit, rounded up.</summary>
    public static int Ceiling(int count, int unit) => (int)(((long)count + unit - 1) / unit);
}
