using System.Runtime.InteropServices;

namespace OT.Accelerators.Gpu.OpenCl;

/// <summary>A handle of OpenCL's with the function that releases it.</summary>
sealed class OpenClHandle : SafeHandle
{
    readonly Func<nint, int> _release;

    public OpenClHandle(nint handle, Func<nint, int> release)
        : base(0, ownsHandle: true)
    {
        _release = release;
        SetHandle(handle);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The handle itself, for a call during which this object lives.</summary>
    /// <exception cref="ObjectDisposedException">It was released: drivers end the process when they are given such a handle.</exception>
    public nint Value => IsClosed ? throw new ObjectDisposedException(nameof(OpenClBackend)) : handle;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => _release(handle) == LibOpenCl.Success;
}
