using OT.Backends;
using OT.Geometries;

namespace OT.Accelerators;

/// <summary>Picks a back end for each geometry that is bound, by its size, kind and precision and by measured crossovers, and keeps the reasons.</summary>
/// <remarks>
/// Libraries and devices are opened when a geometry comes that they would serve better, and then once; nothing is opened before. What cannot be opened or refuses a
/// geometry is passed over, its own words kept in <see cref="Why"/>. Answers differ between choices by rounding only; for one that never changes, name it:
/// <see cref="BackendCatalog.Open(string, int?, long?)"/>.
/// </remarks>
public sealed class AutoBackend : IBackend
{
    readonly Lock _gate = new();
    readonly ManagedBackend _managed;
    readonly BackendOffer[] _offers;
    readonly List<string> _reasons = [];

    /// <summary>A back end over all that this machine has.</summary>
    /// <param name="threads">Threads per operator; all processors by default.</param>
    /// <param name="memoryLimit">Bytes that one operator may take beyond the geometry, wherever it runs; no limit by default.</param>
    public AutoBackend(int? threads = null, long? memoryLimit = null)
    {
        _managed = new ManagedBackend(threads, memoryLimit);
        _offers = BackendOffer.All(threads, memoryLimit);
    }

    /// <inheritdoc/>
    public string Name => "auto";

    /// <inheritdoc/>
    public int Threads => _managed.Threads;

    /// <inheritdoc/>
    public long MemoryLimit => _managed.MemoryLimit;

    /// <inheritdoc/>
    public BackendTimings Spent
    {
        get
        {
            BackendTimings sum = default;
            foreach (BackendOffer offer in _offers)
            {
                BackendTimings spent = offer.Spent;
                sum = new(sum.Setup + spent.Setup, sum.Transfer + spent.Transfer, sum.Solve + spent.Solve);
            }
            return sum;
        }
    }

    /// <summary>What was chosen for the geometries bound so far, and why each other back end was passed over; empty before the first.</summary>
    public string Why
    {
        get
        {
            lock (_gate)
                return string.Join("; ", _reasons);
        }
    }

    /// <summary>The back end that <see cref="Bind"/> would try first for a geometry, and why. Opens what it chooses, and what it has to look at before.</summary>
    /// <param name="geometry">The costs.</param>
    /// <param name="precision">What would be streamed.</param>
    public (string Name, string Why) Choose(Geometry geometry, Precision precision = Precision.Float64)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        lock (_gate)
        {
            (IBackend backend, string why) = Candidates(geometry, precision, BackendTask.Bind).First();
            return (backend.Name, why);
        }
    }

    /// <inheritdoc/>
    public Geometry Prepare(Geometry geometry)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        lock (_gate)
        {
            (IBackend backend, string why) = Candidates(geometry, Precision.Float64, BackendTask.Prepare).First();
            Geometry prepared = backend.Prepare(geometry);
            if (!ReferenceEquals(prepared, geometry))
                Note($"costs tabulated by {why}");
            return prepared;
        }
    }

    long IBackend.TableBytes(Geometry geometry)
    {
        lock (_gate)
            return Candidates(geometry, Precision.Float64, BackendTask.Prepare).First().Backend.TableBytes(geometry);
    }

    /// <inheritdoc/>
    public long EstimateBytes(Geometry geometry, Precision precision)
    {
        lock (_gate)
            return Candidates(geometry, precision, BackendTask.Bind).First().Backend.EstimateBytes(geometry, precision);
    }

    /// <inheritdoc/>
    public ICostOperator Bind(
        Geometry geometry,
        Precision precision = Precision.Float64,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(geometry);
        lock (_gate)
        {
            string refused = "";
            foreach ((IBackend backend, string why) in Candidates(geometry, precision, BackendTask.Bind))
            {
                try
                {
                    ICostOperator bound = backend.Bind(geometry, precision, cancellation);
                    Note(refused + why);
                    return bound;
                }
                catch (BackendException failure) when (backend != _managed)
                {
                    refused += $"{backend.Name} refused: {failure.Message} ";
                }
            }
            throw new System.Diagnostics.UnreachableException(); // the last candidate is managed
        }
    }

    void Note(string reason)
    {
        if (!_reasons.Contains(reason))
            _reasons.Add(reason);
    }

    /// <summary>Back ends in the order to be tried, opened; the last one is managed.</summary>
    IEnumerable<(IBackend Backend, string Why)> Candidates(Geometry geometry, Precision precision, BackendTask task)
    {
        var passed = new List<string>();
        foreach (BackendOffer offer in _offers)
        {
            if (offer.Open(geometry, precision, task, out string reason) is { } backend)
                yield return (backend, Told($"{offer.Name}: {reason}"));
            passed.Add($"{offer.Name} ({reason})");
        }
        yield return (_managed, Told("managed"));

        string Told(string choice) => passed.Count == 0 ? choice : $"{choice}; passed over: {string.Join(", ", passed)}";
    }

    /// <summary>Closes everything that was opened. Operators must not be used afterwards.</summary>
    public void Dispose()
    {
        foreach (BackendOffer offer in _offers)
            offer.Dispose();
        _managed.Dispose();
    }
}
