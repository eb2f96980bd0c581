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

    /// <summary>The back end's name.</summary>
    public string Backend { get; }

    /// <summary>The library's or driver's own error code; 0 where there is none.</summary>
    public int NativeCode { get; }
}
