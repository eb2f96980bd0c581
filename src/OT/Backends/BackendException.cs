using System.Globalization;
using OT.Geometries;

namespace OT.Backends;

/// <summary>A library or device is missing or failed.</summary>
public sealed class BackendException : Exception
{
    /// <summary>Names the back end and tells what happened, in the native library's own words where there are any.</summary>
    public BackendException(string backend, string message, int nativeCode = 0, Exception? inner = null)
        : base($"Back end '{backend}': {message}", inner)
    {
        Backend = backend;
        NativeCode = nativeCode;
    }

    /// <summary>Refuses an operator that needs more bytes than the limit.</summary>
    internal static void ThrowIfAbove(long limit, long bytes, string backend, Geometry geometry)
    {
        if (bytes > limit)
            throw TooLarge(
                backend,
                OperatorFor(geometry),
                bytes,
                string.Create(CultureInfo.InvariantCulture, $"the limit of {limit:N0}")
            );
    }

    /// <summary>Something needs more bytes than there are.</summary>
    internal static BackendException TooLarge(string backend, string what, long bytes, string limit) =>
        new(backend, string.Create(CultureInfo.InvariantCulture, $"{what} needs {bytes:N0} bytes, more than {limit}."));

    /// <summary>What an operator is called in such a message.</summary>
    internal static string OperatorFor(Geometry geometry) =>
        string.Create(CultureInfo.InvariantCulture, $"the operator for {geometry.Rows} x {geometry.Columns}");

    /// <summary>The back end's name.</summary>
    public string Backend { get; }

    /// <summary>The library's or driver's own error code; 0 where there is none.</summary>
    public int NativeCode { get; }
}
