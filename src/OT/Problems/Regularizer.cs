namespace OT.Problems;

/// <summary>A convex term added to the transport cost.</summary>
public abstract record Regularizer
{
    private protected Regularizer() { }

    /// <summary>No term: exact optimal transport.</summary>
    public static Regularizer None { get; } = new NoRegularizer();

    /// <summary><c>ε KL(P | a ⊗ b)</c> with <c>KL(P|Q) = Σ P log(P/Q) − P + Q</c>; ε is 0.05 of the mean cost when left out.</summary>
    public static Regularizer Entropy(Epsilon? epsilon = null) => new EntropyRegularizer(epsilon ?? Epsilon.Default);

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
