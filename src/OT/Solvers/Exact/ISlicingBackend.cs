using OT.Backends;
using OT.Numerics;

namespace OT.Solvers.Exact;

/// <summary>A back end that projects points on many directions and sorts what it gets; asked by <see cref="Sliced"/>.</summary>
internal interface ISlicingBackend
{
    /// <summary>Sends two clouds, and takes the memory for as many directions at a time as fit, <paramref name="most"/> at most.</summary>
    /// <exception cref="BackendException">Not even one fits, or the device has no doubles.</exception>
    ISliceSorter BindSlices(Matrix x, Matrix y, int most);
}

/// <summary>Two clouds on a device, for projections.</summary>
internal interface ISliceSorter : IDisposable
{
    /// <summary>Directions at a time.</summary>
    int Directions { get; }

    /// <summary>Sorts the projections of one cloud.</summary>
    /// <param name="target">Which cloud.</param>
    /// <param name="thetas">Up to <see cref="Directions"/> directions of d numbers.</param>
    /// <param name="positions">Out: n ascending numbers for each direction.</param>
    /// <param name="points">Out: whose they are, of equal ones the earlier first; empty where nobody asks.</param>
    void Sort(bool target, ReadOnlySpan<double> thetas, Span<double> positions, Span<int> points);
}
