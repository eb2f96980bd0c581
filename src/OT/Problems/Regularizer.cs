using System.Collections.Immutable;
using OT.Numerics;

namespace OT.Problems;

/// <summary>A convex term added to the transport cost.</summary>
public abstract record Regularizer
{
    private protected Regularizer() { }

    /// <summary>No term: exact optimal transport.</summary>
    public static Regularizer None { get; } = new NoRegularizer();

    /// <summary><c>ε KL(P | a ⊗ b)</c> with <c>KL(P|Q) = Σ P log(P/Q) − P + Q</c>; ε is 0.05 of the mean cost when left out.</summary>
    public static Regularizer Entropy(Epsilon? epsilon = null) => new EntropyRegularizer(epsilon ?? Epsilon.Default);

    /// <summary><c>γ/2 ‖P‖²</c>: a plan with exact zeros.</summary>
    /// <param name="gamma">γ, positive, in cost units per mass: entries of a plan of mass M are about M/n, so γ blurs differences of costs of about γ M/n.</param>
    public static Regularizer Quadratic(double gamma) => new QuadraticRegularizer(Guard.Positive(gamma));

    /// <summary><c>γ/2 ‖P‖² + γμ Σ_j Σ_G ‖P_Gj‖₂</c> over groups G of rows: a column takes its mass from few groups (Blondel, Seguy and Rolet 2018).</summary>
    /// <param name="gamma">γ, positive, in cost units per mass.</param>
    /// <param name="mu">μ, positive, in mass: groups that would send less to a column send nothing.</param>
    /// <param name="rowGroups">The group of each row, any numbers.</param>
    public static Regularizer GroupLasso(double gamma, double mu, ReadOnlySpan<int> rowGroups) =>
        new GroupLassoRegularizer(Guard.Positive(gamma), Guard.Positive(mu), [.. rowGroups]);

    /// <summary><c>γ/2 ‖P‖²</c>, and at most k entries in each column, or in each row (Liu, Puigcerver and Blondel 2023).</summary>
    /// <param name="gamma">γ, positive, in cost units per mass.</param>
    /// <param name="maxNonZeros">k, from 1 to the length of a line.</param>
    /// <param name="axis">Which lines are limited; columns by default.</param>
    public static Regularizer Sparsity(double gamma, int maxNonZeros, SparseAxis axis = SparseAxis.Columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxNonZeros);
        if (!Enum.IsDefined(axis))
            throw new ArgumentOutOfRangeException(nameof(axis), $"{axis} is not an axis.");
        return new SparsityRegularizer(Guard.Positive(gamma), maxNonZeros, axis);
    }

    /// <summary><c>λ (Σ R_ii' |P_i − P_i'|₂ + Σ S_jj' |P_:j − P_:j'|₂)</c> over pairs of rows and of columns: rows that belong together are drawn to one row. See <see cref="SumOfNormsRegularizer"/>.</summary>
    public static Regularizer SumOfNorms(double lambda, PairWeights rows, PairWeights columns) =>
        new SumOfNormsRegularizer(lambda, rows, columns);
}

/// <summary>No regularisation.</summary>
public sealed record NoRegularizer : Regularizer
{
    internal NoRegularizer() { }
}

/// <summary>Entropy relative to the product of the marginals: <c>ε KL(P | a ⊗ b)</c>.</summary>
/// <param name="Epsilon">Strength, absolute or relative to the cost.</param>
public sealed record EntropyRegularizer(Epsilon Epsilon) : Regularizer;

/// <summary>The squared Euclidean norm of the plan: <c>γ/2 ‖P‖²</c>. Made by <see cref="Regularizer.Quadratic"/>.</summary>
public sealed record QuadraticRegularizer : Regularizer
{
    internal QuadraticRegularizer(double gamma) => Gamma = gamma;

    /// <summary>γ, in cost units per mass.</summary>
    public double Gamma { get; }
}

/// <summary>Squared norm and norms of groups of rows in each column. Made by <see cref="Regularizer.GroupLasso"/>.</summary>
public sealed record GroupLassoRegularizer : Regularizer
{
    internal GroupLassoRegularizer(double gamma, double mu, ImmutableArray<int> rowGroups) =>
        (Gamma, Mu, RowGroups) = (gamma, mu, rowGroups);

    /// <summary>γ, in cost units per mass.</summary>
    public double Gamma { get; }

    /// <summary>μ, in mass.</summary>
    public double Mu { get; }

    /// <summary>The group of each row.</summary>
    public ImmutableArray<int> RowGroups { get; }
}

/// <summary>Squared norm, and a limit on the number of entries of each column or row. Made by <see cref="Regularizer.Sparsity"/>.</summary>
public sealed record SparsityRegularizer : Regularizer
{
    internal SparsityRegularizer(double gamma, int maxNonZeros, SparseAxis axis) =>
        (Gamma, MaxNonZeros, Axis) = (gamma, maxNonZeros, axis);

    /// <summary>γ, in cost units per mass.</summary>
    public double Gamma { get; }

    /// <summary>k, entries of a line at most.</summary>
    public int MaxNonZeros { get; }

    /// <summary>Which lines are limited.</summary>
    public SparseAxis Axis { get; }
}

/// <summary>Lines of a plan whose entries are counted.</summary>
public enum SparseAxis
{
    /// <summary>At most k sources for each target.</summary>
    Columns,

    /// <summary>At most k targets for each source.</summary>
    Rows,
}
