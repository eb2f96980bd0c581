using System.Diagnostics;

namespace OT.Accelerators.Gpu;

/// <summary>What a device can do at most, measured on it.</summary>
static class GpuLimits
{
    const int GroupSize = 256;
    const int GroupsPerProcessor = 32;
    const int Unrolled = 4;

    /// <summary>Seconds per power of two where nothing else is done: the best of five runs of some 10 milliseconds each.</summary>
    public static double SecondsPerExponential(IGpuDevice device, GpuReal real)
    {
        long groups = (long)GroupsPerProcessor * device.Processors;
        GpuModule module = new(GpuProgram.Limits, real, real, device.HasDoubles ? GpuReal.Double : GpuReal.Single);
        using GpuBuffer sums = device.Allocate(groups * GroupSize * GpuMemory.SizeOf(real));
        IGpuKernel kernel = device.Kernel(module, "exponentials");
        double Run(int count)
        {
            long start = Stopwatch.GetTimestamp();
            device.Launch(kernel, groups, GroupSize, [sums, count]);
            device.Finish();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        int count = 16;
        while (Run(count) < 0.01 && count < 1 << 20)
            count *= 2;
        return Enumerable.Range(0, 5).Min(_ => Run(count)) / ((double)groups * GroupSize * Unrolled * count);
    }
}
