using System.Collections.Immutable;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>The answer of <see cref="LpL1"/> and <see cref="EntropicGroupLasso"/>: a nonnegative plan and the parts of its value.</summary>
public sealed class ClassRegularizedResult : SolverResult
{
    /// <summary>The entropic problem that was regularised by classes.</summary>
    public required LinearProblem Problem { get; init; }

    /// <summary>The plan, every entry zero or positive; meets the marginals up to <see cref="MarginalError"/>.</summary>
    public required TransportPlan Plan { get; init; }

    /// <summary>Potentials of the last entropic problem, whose costs hold the class term linearised.</summary>
    public Potentials? Potentials { get; init; }

    /// <summary>The absolute ε used.</summary>
    public double Epsilon { get; init; }

    /// <summary><c>⟨C, P⟩</c>.</summary>
    public double TransportCost { get; init; }

    /// <summary><c>ε KL(P | a ⊗ b)</c>.</summary>
    public double EntropyValue { get; init; }

    /// <summary>The class term, times η.</summary>
    public double ClassValue { get; init; }

    /// <summary>The objective: the sum of the three parts.</summary>
    public double Value => TransportCost + EntropyValue + ClassValue;

    /// <summary>L1 error of both marginals.</summary>
    public double MarginalError { get; init; }

    /// <summary>The objective after each outer iteration.</summary>
    public ImmutableArray<double> Values { get; init; } = [];
}
