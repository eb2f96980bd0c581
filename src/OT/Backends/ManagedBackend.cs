using OT.Geometries;

namespace OT.Backends;

/// <summary>The back end that is always present: C# over the processor's vector units.</summary>
/// <param name="threads">Threads per operator; all processors by default.</param>
/// <param name="memoryLimit">Bytes that operators may take beyond the geometry; no limit by default.</param>
public sealed class ManagedBackend(int? threads = null, long? memoryLimit = null) : IBackend
{
    /// <inheritdoc/>
    public string Name => "managed" + memoryLimit;

    /// <inheritdoc/>
    public int Threads { get; } = threads ?? Environment.ProcessorCount;

    /// <inheritdoc/>
    public long EstimateBytes(Geometry geometry, Precision precision) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ICostOperator Bind(Geometry geometry, Precision precision = Precision.Float64, CancellationToken cancellation = default) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose() { }
}
