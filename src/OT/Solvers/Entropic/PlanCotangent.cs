using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>Writes one row of <c>∂ℓ/∂P</c>.</summary>
/// <param name="row">Which row, 0 ≤ row &lt; n.</param>
/// <param name="values">Receives m finite values.</param>
public delegate void PlanCotangentRow(int row, Span<double> values);

/// <summary>The derivatives of a scalar loss ℓ(P, f, g) in an entropic plan and its potentials: what <see cref="ImplicitGradient"/> pulls back.</summary>
/// <remarks>Immutable. What is left out is zero.</remarks>
public sealed record PlanCotangent
{
    /// <summary><c>∂ℓ/∂P</c> by rows, so that n × m numbers need not be stored; called from several threads at once. Null for 0.</summary>
    public PlanCotangentRow? Plan { get; init; }

    /// <summary>The shape of the matrix behind <see cref="Plan"/>, where there is one.</summary>
    internal (int Rows, int Columns)? Shape { get; init; }

    /// <summary><c>∂ℓ/∂f</c>, n values; empty for 0.</summary>
    public ReadOnlyMemory<double> F { get; init; }

    /// <summary><c>∂ℓ/∂g</c>, m values; empty for 0.</summary>
    public ReadOnlyMemory<double> G { get; init; }

    /// <summary>A loss of the plan, its derivatives n × m in a matrix, shared.</summary>
    /// <exception cref="ArgumentException">A value is NaN or infinite.</exception>
    public static PlanCotangent OfPlan(Matrix plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Guard.Finite(plan.Values, nameof(plan));
        return new PlanCotangent { Plan = (row, values) => plan.Row(row).CopyTo(values), Shape = (plan.Rows, plan.Columns) };
    }

    /// <summary>
    /// A loss of the potentials, the vectors copied. Potentials of a balanced problem are defined up to <c>(f + t, g − t)</c>, so a loss of them needs
    /// <c>Σ ∂ℓ/∂f = Σ ∂ℓ/∂g</c>.
    /// </summary>
    public static PlanCotangent OfPotentials(ReadOnlySpan<double> f, ReadOnlySpan<double> g) =>
        new() { F = f.ToArray(), G = g.ToArray() };
}
