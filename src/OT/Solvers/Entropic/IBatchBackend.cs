using OT.Backends;
using OT.Problems;

namespace OT.Solvers.Entropic;

/// <summary>A back end that iterates many small problems at once, each in a corner of the device; asked by <see cref="SinkhornBatch"/>.</summary>
internal interface IBatchBackend
{
    /// <summary>Whether it does: a device without doubles does not.</summary>
    bool IteratesBatches { get; }

    /// <summary>
    /// Sinkhorn's iterations of some problems of a batch, from zero potentials, until each one's L1 error is at most its target. Cuts the problems into pieces that fit
    /// into <see cref="IBackend.MemoryLimit"/>. One that is lost keeps its last finite potentials, and the others go on.
    /// </summary>
    /// <param name="batch">The problems; its regulariser is not looked at.</param>
    /// <param name="problems">Which of them, in rising order.</param>
    /// <param name="epsilons">ε of every problem of the batch, in cost units.</param>
    /// <param name="targets">L1 error, in units of mass, at which each one stops.</param>
    /// <param name="count">Iterations of each at most.</param>
    /// <param name="f">Out: source potentials of the batch; those of other problems are left alone.</param>
    /// <param name="g">Out: target potentials.</param>
    /// <param name="made">Out: iterations of each.</param>
    /// <param name="cancellation">Looked at between launches; potentials are then those of the iterations made.</param>
    /// <exception cref="BackendException">A problem does not fit, or the device failed.</exception>
    void Iterate(
        ProblemBatch batch,
        ReadOnlySpan<int> problems,
        ReadOnlySpan<double> epsilons,
        ReadOnlySpan<double> targets,
        int count,
        Span<double> f,
        Span<double> g,
        Span<int> made,
        CancellationToken cancellation
    );
}
