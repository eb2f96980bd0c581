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
    /// What solvers bind and read in place of a geometry. By default a table of costs that are slow to compute, of up to 256 MiB within the limit; the geometry itself where its
    /// costs are quick, where the table would have to travel, or where costs are computed faster than read.
    /// </summary>
    Geometry Prepare(Geometry geometry) => CostMatrix.Quick(geometry, MemoryLimit);

    /// <summary>Bytes of the table that <see cref="Prepare"/> would make; 0 for none.</summary>
    internal long TableBytes(Geometry geometry) =>
        CostMatrix.TableBytes(geometry) is var bytes && bytes <= MemoryLimit ? bytes : 0;

    /// <summary>
    /// What this back end has spent since it was made, setup and transfer apart; it only grows. Zero by default, for one that has neither. Solvers tell the difference over a solve as
    /// <see cref="BackendTimings"/> of their result; solves at the same time on one back end are counted into each other.
    /// </summary>
    BackendTimings Spent => default;

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
