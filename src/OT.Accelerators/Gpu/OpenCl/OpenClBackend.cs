using System.Collections.Immutable;
using OT.Backends;

namespace OT.Accelerators.Gpu.OpenCl;

/// <summary>Runs on a device of an OpenCL driver: kernels are compiled by the driver when first needed, nothing else has to be installed.</summary>
public sealed class OpenClBackend : GpuBackend
{
    /// <summary>Opens a device. Kernels are not built before an operator needs them.</summary>
    /// <param name="memoryLimit">Bytes of device memory that one operator may take; those of the device by default.</param>
    /// <param name="device">
    /// Part of the name of the device or its platform, in any case of letters. By default the first GPU, else the first accelerator, else a processor that an OpenCL driver
    /// poses as a device; <see cref="IBackend.Name"/> tells which.
    /// </param>
    /// <exception cref="BackendException">There is no OpenCL loader or no such device; the message lists what was tried.</exception>
    public OpenClBackend(long? memoryLimit = null, string? device = null)
        : base(Open(device, withDoubles: true), Checked(memoryLimit)) { }

    /// <summary>For tests: a device whose doubles are not used.</summary>
    internal OpenClBackend(bool withDoubles)
        : base(Open(null, withDoubles), null) { }

    /// <summary>Opens a device that is not the processor.</summary>
    /// <exception cref="BackendException">There is none.</exception>
    internal static OpenClBackend OpenBesideProcessor(long? memoryLimit)
    {
        if (Found() is [{ IsProcessor: true } first, ..])
            throw new BackendException(
                LibOpenCl.Backend,
                $"its device, {first.Name}, is the processor, which managed code serves faster."
            );
        return new OpenClBackend(memoryLimit);
    }

    /// <summary>Names of all devices there are, the one that is taken by default first.</summary>
    /// <exception cref="BackendException">There is no OpenCL loader, or a driver failed.</exception>
    public static ImmutableArray<string> Devices() => [.. Found().Select(found => $"{found.Name} ({found.Platform})")];

    static long? Checked(long? memoryLimit)
    {
        if (memoryLimit is { } bytes)
            ArgumentOutOfRangeException.ThrowIfNegative(bytes, nameof(memoryLimit));
        return memoryLimit;
    }

    static OpenClDevice Open(string? part, bool withDoubles)
    {
        using Lock.Scope alone = LibOpenCl.Gate.EnterScope();
        List<FoundDevice> found = Found();
        foreach (FoundDevice device in found)
        {
            if (part is null || $"{device.Name} ({device.Platform})".Contains(part, StringComparison.OrdinalIgnoreCase))
                return new OpenClDevice(device.PlatformHandle, device.DeviceHandle, withDoubles);
        }
        throw new BackendException(
            LibOpenCl.Backend,
            found.Count == 0
                ? "the OpenCL loader knows no device: install the driver of one."
                : $"no device has '{part}' in its name. There are: {string.Join("; ", found.Select(d => $"{d.Name} ({d.Platform})"))}."
        );
    }

    /// <summary>GPUs first, then accelerators, then processors; in the loader's order otherwise.</summary>
    static List<FoundDevice> Found()
    {
        LibOpenCl.Require();
        using Lock.Scope alone = LibOpenCl.Gate.EnterScope();
        return
        [
            .. LibOpenCl
                .Devices()
                .Select(d => new FoundDevice(
                    d.Platform,
                    d.Device,
                    LibOpenCl.DeviceText(d.Device, LibOpenCl.DeviceName),
                    LibOpenCl.PlatformText(d.Platform, LibOpenCl.PlatformName),
                    LibOpenCl.DeviceNumber(d.Device, LibOpenCl.DeviceType)
                ))
                .OrderBy(d =>
                    (d.Type & LibOpenCl.GpuDevice) != 0 ? 0
                    : (d.Type & LibOpenCl.CpuDevice) == 0 ? 1
                    : 2
                ),
        ];
    }

    sealed record FoundDevice(nint PlatformHandle, nint DeviceHandle, string Name, string Platform, ulong Type)
    {
        public bool IsProcessor => (Type & (LibOpenCl.GpuDevice | LibOpenCl.CpuDevice)) == LibOpenCl.CpuDevice;
    }
}
