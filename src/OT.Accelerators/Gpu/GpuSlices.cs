using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using OT.Backends;
using OT.Numerics;
using OT.Solvers.Exact;

namespace OT.Accelerators.Gpu;

/// <summary>Projections of two clouds on many directions, sorted on a device. See docs/theory/gpu.md.</summary>
sealed class GpuSlices : ISliceSorter
{
    const int Block = 512;
    const int GroupSize = 256;

    /// <summary>Entries above which a run's length would leave the range of an int.</summary>
    const int LargestPadded = 1 << 29;

    readonly IGpuDevice _device;
    readonly GpuMemory _memory;
    readonly Cloud[] _clouds;
    readonly GpuBuffer _thetas;
    readonly GpuBuffer _keys;
    readonly GpuBuffer _points;
    readonly IGpuKernel _project;
    readonly IGpuKernel _sortBlocks;
    readonly IGpuKernel _sortStep;

    /// <summary>Sends the points.</summary>
    /// <param name="device">With doubles.</param>
    /// <param name="x">Source points.</param>
    /// <param name="y">Target points.</param>
    /// <param name="directions">At a time.</param>
    public GpuSlices(IGpuDevice device, Matrix x, Matrix y, int directions)
    {
        (_device, _memory, Directions) = (device, new GpuMemory(device), directions);
        try
        {
            _clouds = [Send(x), Send(y)];
            int longest = Math.Max(PaddedCount(x.Rows), PaddedCount(y.Rows));
            _thetas = _memory.Allocate((long)directions * x.Columns, GpuReal.Double);
            _keys = _memory.Allocate((long)directions * longest, GpuReal.Double);
            _points = _memory.Allocate((long)directions * longest * sizeof(int));
            GpuModule module = new(GpuProgram.Sliced, GpuReal.Double, GpuReal.Double, GpuReal.Double);
            _project = device.Kernel(module, "project");
            _sortBlocks = device.Kernel(module, "sort_blocks");
            _sortStep = device.Kernel(module, "sort_step");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the points, and of one direction.</summary>
    public static (long Points, long Direction) Bytes(Matrix x, Matrix y) =>
        (
            sizeof(double) * x.Columns * ((long)x.Rows + y.Rows),
            (sizeof(double) * (long)x.Columns) + ((sizeof(double) + sizeof(int)) * (long)PaddedCount(Math.Max(x.Rows, y.Rows)))
        );

    /// <inheritdoc/>
    public int Directions { get; }

    /// <inheritdoc/>
    public void Sort(bool target, ReadOnlySpan<double> thetas, Span<double> positions, Span<int> points)
    {
        Cloud cloud = _clouds[target ? 1 : 0];
        (int n, int padded) = (cloud.Count, cloud.Padded);
        int count = thetas.Length / cloud.Dimension;
        long entries = (long)count * padded;
        _memory.Write(_thetas, thetas, GpuReal.Double);
        _device.Launch(
            _project,
            entries / GroupSize,
            GroupSize,
            [cloud.Points, _thetas, _keys, _points, n, cloud.Dimension, padded]
        );
        SortBlocks(2, Block);
        for (int size = 2 * Block; size <= padded; size *= 2)
        {
            for (int stride = size / 2; stride >= Block; stride /= 2)
                _device.Launch(_sortStep, entries / 2 / GroupSize, GroupSize, [_keys, _points, padded, size, stride]);
            SortBlocks(size, size);
        }
        for (int k = 0; k < count; k++)
        {
            _memory.Read(_keys, positions.Slice(k * n, n), GpuReal.Double, (long)k * padded);
            if (!points.IsEmpty)
                _device.Read(_points, MemoryMarshal.AsBytes(points.Slice(k * n, n)), (long)k * padded * sizeof(int));
        }

        void SortBlocks(int from, int to) =>
            _device.Launch(_sortBlocks, entries / Block, GroupSize, [_keys, _points, padded, from, to]);
    }

    /// <summary>Gives all memory of the device back.</summary>
    public void Dispose() => _memory.Dispose();

    static int PaddedCount(int count) =>
        count <= LargestPadded
            ? Math.Max(Block, (int)BitOperations.RoundUpToPowerOf2((uint)count))
            : throw new BackendException(
                "gpu",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{count:N0} projections are more than the {LargestPadded:N0} that are sorted."
                )
            );

    /// <summary>Coordinate after coordinate.</summary>
    Cloud Send(Matrix points)
    {
        GpuBuffer buffer = _memory.Allocate((long)points.Rows * points.Columns, GpuReal.Double);
        var coordinate = new double[points.Rows];
        for (int k = 0; k < points.Columns; k++)
        {
            for (int i = 0; i < coordinate.Length; i++)
                coordinate[i] = points[i, k];
            _memory.Write(buffer, coordinate, GpuReal.Double, (long)k * points.Rows);
        }
        return new(buffer, points.Rows, points.Columns, PaddedCount(points.Rows));
    }

    readonly record struct Cloud(GpuBuffer Points, int Count, int Dimension, int Padded);
}
