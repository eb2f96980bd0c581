using System.Collections.Immutable;
using OT.Backends;
using OT.Results;

namespace OT.Solvers.Entropic;

/// <summary>Everything needed to go on with an interrupted <see cref="Sinkhorn"/> run.</summary>
/// <param name="Potentials">The iterate.</param>
/// <param name="Iterations">Iterations made so far.</param>
/// <param name="Epsilon">The absolute target ε, checked when resuming.</param>
/// <param name="Relaxation">The over-relaxation in force.</param>
/// <param name="Errors">The error history so far.</param>
/// <param name="Precision">What the next iteration runs in.</param>
public sealed record SinkhornState(
    Potentials Potentials,
    int Iterations,
    double Epsilon,
    double Relaxation,
    ImmutableArray<double> Errors,
    Precision Precision
);
