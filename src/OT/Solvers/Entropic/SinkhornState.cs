using System.Collections.Immutable;
using System.Globalization;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
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
)
{
    /// <summary>A number that is another for other costs, weights or penalties, by which a state of another problem is refused; 0 where it is not known.</summary>
    /// <remarks>See <see cref="ProblemOf"/>.</remarks>
    public ulong Problem { get; init; }

    /// <summary>The number of a problem: all of its weights, penalties and stored costs or points, and some costs of other geometries. O(nm) for stored costs, else O((n + m) d); never 0.</summary>
    public static ulong ProblemOf(LinearProblem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        (MarginalPenalty a, MarginalPenalty b) = (problem.PenaltyA, problem.PenaltyB);
        ReadOnlySpan<double> penalties = [a.Rho, a.Bound, b.Rho, b.Bound];
        ulong hash = BitHash.Of(BitHash.Of(problem.Geometry.Fingerprint(), problem.A.Weights), problem.B.Weights);
        return Math.Max(BitHash.Of(hash, penalties), 1);
    }

    /// <summary>Throws unless the numbers are those of a run: what a damaged file or a hand-made state holds is not iterated on.</summary>
    internal void Validate()
    {
        bool sound =
            Iterations >= 0
            && double.IsFinite(Epsilon)
            && Epsilon > 0
            && Relaxation is >= 1 and < 2
            && !Errors.IsDefault
            && Enum.IsDefined(Precision);
        if (!sound)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"A state of {Iterations} iterations at epsilon {Epsilon} with relaxation {Relaxation} is not one that a run wrote: relaxation is from 1 to below 2."
                )
            );
        }
    }
}
