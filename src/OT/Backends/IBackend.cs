using OT.Geometries;
using OT.Numerics;

namespace OT.Backends;

/// <summary>Where the O(nm) work runs: turns a geometry into an operator. Changes no answer beyond a stated rounding.</summary>
public interface IBackend : IDisposable
{
    /// <summary>What this is, such as <c>managed-avx512</c>.</summary>
    string Name { get; }

    /// <summary>Number of threads that work on one operator.</summary>
    int Threads { get; }

    /// <summary>Bytes that one operator may take; <see cref="long.MaxValue"/> without a limit.</summary>
    long MemoryLimit { get; }

    /// <summary>
    /// Whether solvers may hand over a table of costs that are slow to compute in place of the geometry, up to 256 MiB; true by default. False where the table would have to
    /// travel, or where costs are computed faster than read.
    /// </summary>
    bool TakesTables => true;

    /// <summary>Bytes that <see cref="Bind"/> would take beyond the geometry itself; told before it is taken.</summary>
    long EstimateBytes(Geometry geometry, Precision precision);

    /// <summary>Makes a geometry resident.</summary>
    /// <param name="geometry">The costs.</param>
    /// <param name="precision">What is stored and streamed; doubles by default.</param>
    /// <param name="cancellation">Watched by the operator once per row block.</param>
    /// <exception cref="BackendException">Memory or device is missing.</exception>
    ICostOperator Bind(Geometry geometry, Precision precision = Precision.Float64, CancellationToken cancellation = default);

    /// <summary>The rows that this process looks at where solvers look at pairs without an operator; all of them unless several processes share the work.</summary>
    internal IRowShare Share => RowShare.Whole;
}
